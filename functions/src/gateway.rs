//! Requests and answers of API Gateway's HTTP API, payload format 2.0.
//!
//! Only what is used is read: whatever else the gateway sends may take any form.

use std::collections::BTreeMap;

use aws_smithy_types::base64;
use bytes::Bytes;
use http::header::{HeaderName, HeaderValue};
use http::{Method, Request, Uri};
use orchestrator_engine::api::REQUEST_ID;
use orchestrator_engine::api::response::Answer;
use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

/// A request as the gateway delivers it.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct GatewayRequest {
    pub raw_path: String,
    #[serde(default)]
    pub raw_query_string: String,
    #[serde(default)]
    pub headers: BTreeMap<String, String>,
    pub request_context: RequestContext,
    #[serde(default)]
    pub body: Option<String>,
    #[serde(default)]
    pub is_base64_encoded: bool,
}

/// What the gateway knows of a request.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct RequestContext {
    pub http: HttpDescription,
    #[serde(default)]
    pub request_id: Option<String>,
    #[serde(default)]
    pub stage: Option<String>,
    #[serde(default)]
    pub authorizer: Option<Authorizer>,
}

/// The request line.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct HttpDescription {
    pub method: String,
}

/// What the authorizer found out.
#[derive(Debug, Default, Deserialize)]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct Authorizer {
    #[serde(default)]
    pub jwt: Option<Jwt>,
    #[serde(default)]
    pub iam: Option<Iam>,
}

/// A checked token.
#[derive(Debug, Deserialize)]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct Jwt {
    #[serde(default)]
    pub claims: Map<String, Value>,
}

/// A checked signature.
#[derive(Debug, Deserialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct Iam {
    #[serde(default)]
    pub user_arn: Option<String>,
}

/// An answer as the gateway takes it.
#[derive(Debug, PartialEq, Serialize)]
#[serde(rename_all = "camelCase")]
#[expect(missing_docs, reason = "the names are the gateway's")]
pub struct GatewayAnswer {
    pub status_code: u16,
    pub headers: BTreeMap<String, String>,
    pub body: String,
    pub is_base64_encoded: bool,
}

impl GatewayRequest {
    /// The request as it was made.
    ///
    /// # Errors
    /// With what is wrong with it; the gateway itself lets only proper requests through.
    pub fn into_http(self) -> Result<Request<Bytes>, String> {
        let context = self.request_context;
        let path = without_stage(&self.raw_path, context.stage.as_deref());
        let mut target = encode(path);
        if !self.raw_query_string.is_empty() {
            target = format!("{target}?{}", encode(&self.raw_query_string));
        }
        let uri: Uri = target
            .parse()
            .map_err(|error| format!("the path '{target}' is none: {error}"))?;
        let method: Method = context
            .http
            .method
            .parse()
            .map_err(|error| format!("the method '{}' is none: {error}", context.http.method))?;
        let body = match (self.body, self.is_base64_encoded) {
            (None, _) => Bytes::new(),
            (Some(text), false) => Bytes::from(text),
            (Some(text), true) => base64::decode(text)
                .map_err(|error| format!("the body is not base64: {error}"))?
                .into(),
        };
        let mut request = Request::new(body);
        *request.method_mut() = method;
        *request.uri_mut() = uri;
        let headers = request.headers_mut();
        for (name, value) in self.headers {
            let pair = (
                name.parse::<HeaderName>(),
                HeaderValue::from_bytes(value.as_bytes()),
            );
            if let (Ok(name), Ok(value)) = pair {
                headers.insert(name, value);
            }
        }
        // The gateway's own logs name the request by this.
        let given = context.request_id.and_then(|id| HeaderValue::from_str(&id).ok());
        if let (false, Some(id)) = (headers.contains_key(&REQUEST_ID), given) {
            headers.insert(REQUEST_ID, id);
        }
        Ok(request)
    }
}

impl GatewayAnswer {
    /// The answer in the gateway's form.
    pub fn of(answer: Answer) -> GatewayAnswer {
        let (parts, body) = answer.into_parts();
        let header = |(name, value): (&HeaderName, &HeaderValue)| {
            let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
            (name.as_str().to_owned(), value)
        };
        let (body, is_base64_encoded) = match String::from_utf8(body.to_vec()) {
            Ok(text) => (text, false),
            Err(error) => (base64::encode(error.into_bytes()), true),
        };
        GatewayAnswer {
            status_code: parts.status.as_u16(),
            headers: parts.headers.iter().map(header).collect(),
            body,
            is_base64_encoded,
        }
    }
}

/// Paths begin with the stage, unless it is the default one.
fn without_stage<'a>(path: &'a str, stage: Option<&str>) -> &'a str {
    let rest = stage.and_then(|stage| path.strip_prefix('/')?.strip_prefix(stage));
    rest.filter(|rest| rest.starts_with('/')).unwrap_or(path)
}

/// The gateway decodes paths; what cannot stand in a URI is encoded again.
fn encode(text: &str) -> String {
    let mut encoded = String::with_capacity(text.len());
    let bytes = text.as_bytes();
    for (index, byte) in bytes.iter().enumerate() {
        let is_escape = || {
            let digits = bytes.get(index + 1..index + 3);
            digits.is_some_and(|digits| digits.iter().all(u8::is_ascii_hexdigit))
        };
        match byte {
            b'%' if is_escape() => encoded.push('%'),
            b'%' | b'"' | b'<' | b'>' | b'\\' | b'^' | b'`' | b'{' | b'|' | b'}' | b'[' | b']' | b'#' => {
                encoded.push_str(&format!("%{byte:02X}"));
            }
            byte if byte.is_ascii_graphic() => encoded.push(char::from(*byte)),
            byte => encoded.push_str(&format!("%{byte:02X}")),
        }
    }
    encoded
}

#[cfg(test)]
mod tests {
    use http::{Response, StatusCode};
    use serde_json::json;

    use super::*;

    fn request(value: Value) -> Request<Bytes> {
        let request: GatewayRequest = serde_json::from_value(value).unwrap();
        request.into_http().unwrap()
    }

    #[test]
    fn a_request_is_read_as_it_was_made() {
        let read = request(json!({
            "version": "2.0", "rawPath": "/runs/R/tasks/fit [0]/events", "rawQueryString": "after=1&x=%5B",
            "headers": {"content-type": "application/yaml"},
            "requestContext": {"http": {"method": "POST"}, "stage": "$default", "requestId": "JKJaXmPLvHcESHA="},
            "body": "bmFtZTogYQ==", "isBase64Encoded": true,
        }));
        assert_eq!(
            read.uri().to_string(),
            "/runs/R/tasks/fit%20%5B0%5D/events?after=1&x=%5B"
        );
        assert_eq!(
            (read.method().as_str(), &read.body()[..]),
            ("POST", &b"name: a"[..])
        );
        assert_eq!(read.headers()["content-type"], "application/yaml");
        assert_eq!(read.headers()[REQUEST_ID], "JKJaXmPLvHcESHA=");
    }

    #[test]
    fn a_stage_is_no_part_of_the_path() {
        let path = |stage: &str, path: &str| {
            let read = request(json!({"rawPath": path, "headers": {"x-request-id": "mine"},
                "requestContext": {"http": {"method": "GET"}, "stage": stage, "requestId": "other"}}));
            assert_eq!(read.headers()[REQUEST_ID], "mine");
            read.uri().path().to_owned()
        };
        assert_eq!(path("dev", "/dev/runs"), "/runs");
        assert_eq!(path("run", "/runs"), "/runs");
        assert_eq!(path("$default", "/runs"), "/runs");
    }

    #[test]
    fn answers_are_text_or_base64() {
        let answer = |body: &'static [u8]| {
            let mut answer = Response::new(Bytes::from_static(body));
            *answer.status_mut() = StatusCode::CREATED;
            answer
                .headers_mut()
                .insert("location", HeaderValue::from_static("/runs/R"));
            GatewayAnswer::of(answer)
        };
        let text = answer(b"{}\n");
        assert_eq!((text.status_code, text.body.as_str()), (201, "{}\n"));
        assert_eq!(text.headers["location"], "/runs/R");
        assert!(answer(b"\xff").is_base64_encoded);
    }
}
