//! Requests to the function `intake`, in the form of API Gateway.

use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use serde_json::{Value, json};
use tests::requests::{Reply, Request};

use crate::deployment::{Deployment, OPERATORS, eventually};

/// Status of an answer that says to ask again later.
const UNAVAILABLE: u16 = 503;
/// Everybody's name on the embedded host.
pub const LOCAL: &str = "local";

impl Deployment {
    /// Sends a request as an operator.
    pub async fn ask(&self, request: &Request<'_>) -> Reply {
        self.ask_as(request, operator()).await
    }

    /// Sends a request as a client.
    pub async fn ask_as_client(&self, request: &Request<'_>, client: &str) -> Reply {
        self.ask_as(request, json!({"jwt": {"claims": {"sub": client}}}))
            .await
    }

    /// Sends a request with what the authorizer has found out; null: nothing.
    pub async fn ask_as(&self, request: &Request<'_>, authorizer: Value) -> Reply {
        let answer = self.call(self.api, &event(request, authorizer)).await;
        reply(&answer.unwrap_or_else(|error| panic!("{request:?}: {error}")))
    }

    /// Sends a request as an operator, again while the host says that it is unavailable, as clients are told to. The answer,
    /// and how often it was asked for.
    async fn ask_until_served(&self, request: &Request<'_>) -> (Reply, u32) {
        let mut times = 0;
        eventually(&format!("{request:?} is served"), async || {
            times += 1;
            let reply = self.ask(request).await;
            (reply.status != UNAVAILABLE).then_some((reply, times))
        })
        .await
    }

    /// Starts a run and gives its id.
    pub async fn submit(&self, workflow: &str) -> String {
        static COUNT: AtomicU64 = AtomicU64::new(0);
        // Asked again, it may have been started before.
        let key = format!("submission-{}", COUNT.fetch_add(1, Ordering::Relaxed));
        let request = Request::new("POST", "/workflows").yaml(workflow);
        let (reply, times) = self
            .ask_until_served(&request.header("Idempotency-Key", &key))
            .await;
        let body = reply.json();
        let is_replayed = times > 1 && reply.status == 200 && body["replayed"] == true;
        assert!(reply.status == 201 || is_replayed, "{body}");
        body["id"].as_str().expect("a run has an id").to_owned()
    }

    /// A run as it is.
    pub async fn run(&self, run: &str) -> Value {
        let path = format!("/runs/{run}");
        self.ask(&Request::new("GET", &path)).await.json()
    }

    /// A run once it has ended.
    pub async fn ended(&self, run: &str) -> Value {
        eventually(&format!("run {run} ends"), async || {
            let view = self.run(run).await;
            let status = view["status"].as_str().unwrap_or_default();
            if ["SUCCESS", "FAILED", "CANCELLED"].contains(&status) {
                return Some(view);
            }
            tokio::time::sleep(Duration::from_millis(100)).await;
            None
        })
        .await
    }

    /// The events of a run, by type.
    pub async fn history(&self, run: &str) -> Vec<Value> {
        let path = format!("/runs/{run}/events?limit=10000");
        let (reply, _) = self.ask_until_served(&Request::new("GET", &path)).await;
        let page = reply.json();
        assert_eq!(reply.status, 200, "{page}");
        page["events"].as_array().cloned().expect("a run has events")
    }
}

/// What the authorizer says about an operator.
pub fn operator() -> Value {
    let claims = json!({"sub": LOCAL, "groups": format!("[{OPERATORS}]")});
    json!({"jwt": {"claims": claims, "scopes": null}})
}

/// The request as API Gateway delivers it.
pub fn event(request: &Request<'_>, authorizer: Value) -> Value {
    let (path, query) = request.path.split_once('?').unwrap_or((request.path, ""));
    let headers: serde_json::Map<String, Value> = request
        .headers
        .iter()
        .map(|(name, value)| (name.to_ascii_lowercase(), json!(value)))
        .collect();
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": query,
        "headers": headers,
        "requestContext": {
            "http": {"method": request.method, "path": path, "protocol": "HTTP/1.1", "sourceIp": "127.0.0.1", "userAgent": "tests"},
            "stage": "$default",
            "requestId": "KJaXmPLvHcESHA=",
            "timeEpoch": 1_700_000_000_000_i64,
        },
        "isBase64Encoded": false,
    });
    if !authorizer.is_null() {
        event["requestContext"]["authorizer"] = authorizer;
    }
    match std::str::from_utf8(request.body) {
        Ok("") => {}
        Ok(text) => event["body"] = json!(text),
        Err(_) => {
            event["body"] = json!(aws_smithy_types::base64::encode(request.body));
            event["isBase64Encoded"] = json!(true);
        }
    }
    event
}

/// The answer as it goes over the network.
pub fn reply(answer: &Value) -> Reply {
    let status = answer["statusCode"]
        .as_u64()
        .and_then(|code| code.try_into().ok());
    let headers = answer["headers"].as_object().cloned().unwrap_or_default();
    let lines = headers
        .iter()
        .map(|(name, value)| format!("\r\n{name}: {}", value.as_str().unwrap_or_default()));
    let status = status.unwrap_or_else(|| panic!("no answer of a function of the API: {answer}"));
    Reply {
        status,
        head: format!("HTTP/1.1 {status}{}", lines.collect::<String>()),
        body: answer["body"].as_str().unwrap_or_default().into(),
    }
}
