//! Requests with any method, headers and body; answers with their headers.

use std::io::{Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use serde_json::Value;

use crate::http::Endpoint;

const TIMEOUT: Duration = Duration::from_secs(30);

/// One request.
#[derive(Debug, Clone, Default)]
pub struct Request<'a> {
    /// The method.
    pub method: &'a str,
    /// Path and query.
    pub path: &'a str,
    /// Headers besides `Host`, `Connection` and `Content-Length`.
    pub headers: Vec<(&'a str, &'a str)>,
    /// The body.
    pub body: &'a [u8],
}

/// An answer as it came.
#[derive(Debug)]
pub struct Reply {
    /// The status code.
    pub status: u16,
    /// Status line and headers.
    pub head: String,
    /// The body, chunks put together.
    pub body: Vec<u8>,
}

impl Reply {
    /// A header.
    pub fn header(&self, name: &str) -> Option<&str> {
        let fields = self.head.lines().skip(1).filter_map(|line| line.split_once(':'));
        fields
            .filter(|(key, _)| key.eq_ignore_ascii_case(name))
            .map(|(_, value)| value.trim())
            .next()
    }

    /// The body as JSON; null when it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).unwrap_or(Value::Null)
    }

    /// The stable code of a problem.
    pub fn code(&self) -> String {
        self.json()["code"].as_str().unwrap_or_default().to_owned()
    }
}

impl<'a> Request<'a> {
    /// A request without body.
    pub fn new(method: &'a str, path: &'a str) -> Request<'a> {
        Request {
            method,
            path,
            ..Request::default()
        }
    }

    /// With a header.
    pub fn header(mut self, name: &'a str, value: &'a str) -> Request<'a> {
        self.headers.push((name, value));
        self
    }

    /// With a JSON body.
    pub fn json(self, body: &'a str) -> Request<'a> {
        Request {
            body: body.as_bytes(),
            ..self
        }
        .header("content-type", "application/json")
    }

    /// With a YAML body.
    pub fn yaml(self, body: &'a str) -> Request<'a> {
        Request {
            body: body.as_bytes(),
            ..self
        }
        .header("content-type", "application/yaml")
    }

    /// With the fields of a form on a page of the same site.
    pub fn form(self, body: &'a str) -> Request<'a> {
        Request {
            body: body.as_bytes(),
            ..self
        }
        .header("content-type", "application/x-www-form-urlencoded")
        .header("sec-fetch-site", "same-origin")
    }

    /// Sends it and reads the whole answer.
    ///
    /// # Panics
    /// When the server does not answer.
    pub fn send(&self, endpoint: &Endpoint) -> Reply {
        self.try_send(endpoint)
            .expect("the server listens, reads and answers")
    }

    /// The same, for tests in which connections fail.
    ///
    /// # Errors
    /// When the server does not answer.
    pub fn try_send(&self, endpoint: &Endpoint) -> std::io::Result<Reply> {
        let mut head = format!("{} {} HTTP/1.1\r\nconnection: close\r\n", self.method, self.path);
        let has = |name: &str| self.headers.iter().any(|(key, _)| key.eq_ignore_ascii_case(name));
        if !has("host") {
            head.push_str(&format!("host: {}\r\n", endpoint.address));
        }
        if let Some(token) = endpoint.token.as_ref().filter(|_| !has("authorization")) {
            head.push_str(&format!("authorization: Bearer {token}\r\n"));
        }
        for (name, value) in &self.headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n", self.body.len()));
        let mut connection = TcpStream::connect(&endpoint.address)?;
        connection.set_read_timeout(Some(TIMEOUT))?;
        connection.write_all(head.as_bytes())?;
        connection.write_all(self.body)?;
        let mut bytes = Vec::new();
        connection.read_to_end(&mut bytes)?;
        Ok(read(&bytes))
    }
}

fn read(bytes: &[u8]) -> Reply {
    let end = bytes
        .windows(4)
        .position(|window| window == b"\r\n\r\n")
        .expect("an answer has a head");
    let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
    let status = head
        .split(' ')
        .nth(1)
        .and_then(|code| code.parse().ok())
        .expect("an answer has a status");
    let rest = &bytes[end + 4..];
    let is_chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    let body = if is_chunked { chunks(rest) } else { rest.to_vec() };
    Reply { status, head, body }
}

fn chunks(mut rest: &[u8]) -> Vec<u8> {
    let mut body = Vec::new();
    while let Some(end) = rest.windows(2).position(|window| window == b"\r\n") {
        let size = String::from_utf8_lossy(&rest[..end]);
        let size = usize::from_str_radix(size.trim(), 16).expect("a chunk has a size");
        if size == 0 {
            break;
        }
        body.extend_from_slice(&rest[end + 2..end + 2 + size]);
        rest = &rest[end + 2 + size + 2..];
    }
    body
}
