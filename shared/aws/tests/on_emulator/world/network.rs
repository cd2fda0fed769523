//! A network that loses requests and answers, and services that refuse, by plan.

use std::sync::{Arc, Mutex, PoisonError};

use aws_smithy_runtime_api::client::http::{HttpConnector, HttpConnectorFuture, SharedHttpConnector};
use aws_smithy_runtime_api::client::orchestrator::{HttpRequest, HttpResponse};
use aws_smithy_runtime_api::client::result::ConnectorError;
use aws_smithy_runtime_api::http::StatusCode;
use aws_smithy_types::body::SdkBody;
use tokio::sync::Semaphore;

/// What becomes of a request.
#[derive(Debug, Clone)]
pub enum Fate {
    /// It is carried out.
    Pass,
    /// It is not sent; the caller waits in vain.
    LoseRequest,
    /// It is carried out; the caller waits in vain.
    LoseAnswer,
    /// It is carried out when the gate opens.
    Late(Arc<Semaphore>),
    /// It is not sent; the caller gets this answer.
    Answer(u16, String),
}

/// A service that has too much to do.
pub fn throttled() -> Fate {
    let body =
        r#"{"__type": "com.amazonaws.dynamodb.v20120810#ThrottlingException", "message": "slow down"}"#;
    Fate::Answer(400, body.to_owned())
}

/// Gives the next requests of one operation their fates; all others pass.
#[derive(Debug, Clone)]
pub struct Network {
    inner: SharedHttpConnector,
    plan: Arc<Mutex<Plan>>,
}

#[derive(Debug, Default)]
struct Plan {
    operation: &'static str,
    fates: Vec<Fate>,
    met: usize,
}

impl Network {
    pub fn over(inner: SharedHttpConnector) -> Network {
        Network {
            inner,
            plan: Arc::default(),
        }
    }

    /// The next requests of `operation` (as in `PutItem`) meet these fates, in order.
    pub fn next(&self, operation: &'static str, fates: impl IntoIterator<Item = Fate>) {
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        *plan = Plan {
            operation,
            fates: fates.into_iter().collect(),
            met: 0,
        };
    }

    /// How many requests have met their fate.
    pub fn met(&self) -> usize {
        self.plan.lock().unwrap_or_else(PoisonError::into_inner).met
    }

    fn fate(&self, request: &HttpRequest) -> Option<Fate> {
        let target = request.headers().get("x-amz-target").unwrap_or_default();
        let mut plan = self.plan.lock().unwrap_or_else(PoisonError::into_inner);
        if plan.operation.is_empty() || !target.ends_with(plan.operation) || plan.met >= plan.fates.len() {
            return None;
        }
        plan.met += 1;
        Some(plan.fates[plan.met - 1].clone())
    }
}

impl HttpConnector for Network {
    fn call(&self, request: HttpRequest) -> HttpConnectorFuture {
        let lost = || ConnectorError::timeout("lost by plan".into());
        match self.fate(&request) {
            None | Some(Fate::Pass) => self.inner.call(request),
            Some(Fate::LoseRequest) => HttpConnectorFuture::ready(Err(lost())),
            Some(Fate::Answer(status, body)) => {
                let status = StatusCode::try_from(status).expect("a status");
                HttpConnectorFuture::ready(Ok(HttpResponse::new(status, SdkBody::from(body))))
            }
            Some(Fate::Late(gate)) => {
                let inner = self.inner.clone();
                HttpConnectorFuture::new(async move {
                    let _open = gate.acquire().await;
                    inner.call(request).await
                })
            }
            Some(Fate::LoseAnswer) => {
                let answer = self.inner.call(request);
                HttpConnectorFuture::new(async move {
                    answer.await?;
                    Err(lost())
                })
            }
        }
    }
}
