//! Request bodies.

use bytes::Bytes;
use http::HeaderMap;
use http::header::CONTENT_TYPE;
use serde::de::DeserializeOwned;

use super::problem::{Code, Problem};

/// How a body is written.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Format {
    /// JSON.
    Json,
    /// YAML; every JSON text is one.
    Yaml,
}

/// How the body of a document is written, by its `Content-Type`; JSON or YAML.
///
/// # Errors
/// When it is something else. A missing type is refused too: only then can no web page of another site send one unasked.
pub fn format(headers: &HeaderMap) -> Result<Format, Problem> {
    let value = headers
        .get(CONTENT_TYPE)
        .map_or("", |value| value.to_str().unwrap_or("?"));
    let kind = value
        .split(';')
        .next()
        .unwrap_or_default()
        .trim()
        .to_ascii_lowercase();
    match kind.as_str() {
        "application/json" => Ok(Format::Json),
        "application/yaml" | "application/x-yaml" | "text/yaml" | "text/x-yaml" => Ok(Format::Yaml),
        _ => {
            let detail = format!(
                "the body is of type '{}' (send application/json or application/yaml)",
                super::query::short(value)
            );
            Err(Problem::new(Code::ContentType, detail))
        }
    }
}

/// Reads a small JSON object; an empty body is an empty object.
///
/// # Errors
/// When it is not such an object.
pub fn small<T: DeserializeOwned>(headers: &HeaderMap, body: &Bytes) -> Result<T, Problem> {
    let bytes: &[u8] = match body.is_empty() {
        true => b"{}",
        false if format(headers)? == Format::Json => body,
        false => {
            let detail = "the body is YAML (this path takes application/json)";
            return Err(Problem::new(Code::ContentType, detail));
        }
    };
    serde_json::from_slice(bytes).map_err(|error| malformed(&error))
}

/// The problem with a JSON text.
pub fn malformed(error: &serde_json::Error) -> Problem {
    Problem::new(Code::Malformed, format!("the body cannot be read: {error}"))
}

/// Refuses a body or a document that has more bytes than allowed.
///
/// # Errors
/// When it is.
pub fn bounded(bytes: usize, bytes_max: usize) -> Result<(), Problem> {
    if bytes <= bytes_max {
        return Ok(());
    }
    Err(too_large(bytes_max))
}

/// The problem with a body above `bytes_max`.
pub fn too_large(bytes_max: usize) -> Problem {
    Problem::new(
        Code::TooLarge,
        format!(
            "the body or the document in it has more than {bytes_max} bytes (split the workflow, or raise the limit)"
        ),
    )
}
