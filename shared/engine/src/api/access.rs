//! Who asks, and what they may see.

mod session;

use http::{HeaderMap, Method, header};

use super::problem::{Code, Problem};

/// Who may use the server.
#[derive(Clone)]
pub struct Access(Kind);

#[derive(Clone)]
enum Kind {
    /// Everybody who can reach the server is its operator.
    Loopback,
    /// Bearer tokens and whom they stand for; not empty.
    Tokens(Vec<Token>),
    /// The host has found out who makes this request; `None`: nobody.
    Known(Option<Caller>),
}

/// A bearer token and whom it stands for.
#[derive(Clone, PartialEq, Eq)]
pub struct Token {
    /// The secret.
    pub secret: String,
    /// Whom it stands for.
    pub caller: Caller,
}

/// Somebody who asks.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Caller {
    /// The client.
    pub client_id: String,
    /// What it may see.
    pub role: Role,
}

/// What a caller may see and touch.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Every run.
    Operator,
    /// Its own runs; others do not exist for it.
    Client,
}

/// The client of requests that name nobody.
pub const LOCAL_CLIENT: &str = "local";

impl Access {
    /// Everybody is the operator; only for a host that listens on the loopback interface. Requests that a web page of
    /// another site sends through a browser on the same machine are refused.
    pub fn open_on_loopback() -> Access {
        Access(Kind::Loopback)
    }

    /// Only with one of these tokens.
    ///
    /// # Panics
    /// When there is no token: that would open the server to everybody.
    pub fn with_tokens(tokens: Vec<Token>) -> Access {
        assert!(
            !tokens.is_empty(),
            "a server without tokens must be open_on_loopback"
        );
        Access(Kind::Tokens(tokens))
    }

    /// For one request of somebody whom the host knows already; `None` when it knows that nobody has proved who they are.
    pub fn known(caller: Option<Caller>) -> Access {
        Access(Kind::Known(caller))
    }

    /// Whether a token is asked for.
    pub fn wants_token(&self) -> bool {
        matches!(self.0, Kind::Tokens(_))
    }

    /// Who asks.
    ///
    /// # Errors
    /// When the token is missing or unknown, or the request comes from a foreign web page.
    pub fn caller(&self, method: &Method, headers: &HeaderMap) -> Result<Caller, Problem> {
        let tokens = match &self.0 {
            Kind::Tokens(tokens) => tokens,
            Kind::Loopback => {
                refuse_foreign(method, headers)?;
                return Ok(Caller {
                    client_id: LOCAL_CLIENT.to_owned(),
                    role: Role::Operator,
                });
            }
            Kind::Known(caller) => {
                let unknown = "nobody has proved who makes this request (sign it, or send a token)";
                return caller
                    .clone()
                    .ok_or_else(|| Problem::new(Code::MissingToken, unknown));
            }
        };
        let Some(secret) = bearer(headers) else {
            let detail =
                "the request has no bearer token (send 'Authorization: Bearer TOKEN', or give --token)";
            return Err(Problem::new(Code::MissingToken, detail));
        };
        let mut found = None;
        for token in tokens {
            if is_equal(token.secret.as_bytes(), secret.as_bytes()) {
                found = Some(&token.caller);
            }
        }
        found.cloned().ok_or_else(|| {
            Problem::new(
                Code::BadToken,
                "the bearer token is not known here (ask the operator of this server for one)",
            )
        })
    }
}

impl Caller {
    /// Somebody without a token, on a path that needs none.
    pub fn nobody() -> Caller {
        Caller {
            client_id: String::new(),
            role: Role::Client,
        }
    }

    /// Whether runs of `client_id` exist for this caller.
    pub fn sees(&self, client_id: &str) -> bool {
        self.role == Role::Operator || self.client_id == client_id
    }

    /// # Errors
    /// When the caller is no operator.
    pub fn need_operator(&self) -> Result<(), Problem> {
        match self.role {
            Role::Operator => Ok(()),
            Role::Client => {
                let detail = format!(
                    "client '{}' may not do this (only an operator may)",
                    self.client_id
                );
                Err(Problem::new(Code::Forbidden, detail))
            }
        }
    }
}

/// The bearer token of a request.
pub fn bearer(headers: &HeaderMap) -> Option<&str> {
    let value = headers.get(header::AUTHORIZATION)?.to_str().ok()?;
    let (scheme, token) = value.split_once(' ')?;
    scheme.eq_ignore_ascii_case("bearer").then(|| token.trim())
}

/// A browser lets any web page send requests to loopback servers: those carry an `Origin` of that page, or, when the page
/// rebinds its own name to 127.0.0.1, a `Host` of that name.
fn refuse_foreign(method: &Method, headers: &HeaderMap) -> Result<(), Problem> {
    let host = headers.get(header::HOST).map(|host| host.to_str().unwrap_or("?"));
    let origin = headers
        .get(header::ORIGIN)
        .map(|origin| origin.to_str().unwrap_or("?"));
    let origin_host = origin.map(|origin| origin.split_once("://").map_or(origin, |(_, host)| host));
    let is_read = matches!(*method, Method::GET | Method::HEAD);
    for host in host.into_iter().chain(origin_host.filter(|_| !is_read)) {
        if !is_loopback_name(host) {
            let detail =
                format!("the request is meant for or comes from '{host}' (use 127.0.0.1 or localhost)");
            return Err(Problem::new(Code::ForeignOrigin, detail));
        }
    }
    Ok(())
}

fn is_loopback_name(host: &str) -> bool {
    let name = match host.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => host.rsplit_once(':').map_or(host, |(name, _)| name),
    };
    let is_loopback_address = name
        .parse::<std::net::IpAddr>()
        .is_ok_and(|address| address.is_loopback());
    name.eq_ignore_ascii_case("localhost") || is_loopback_address
}

/// Compares in a time that does not depend on where the two differ.
fn is_equal(left: &[u8], right: &[u8]) -> bool {
    left.len() == right.len() && left.iter().zip(right).fold(0, |sum, (a, b)| sum | (a ^ b)) == 0
}

#[cfg(test)]
mod tests {
    use super::*;

    type Pairs = &'static [(&'static str, &'static str)];

    fn headers(pairs: &[(&'static str, &str)]) -> HeaderMap {
        pairs
            .iter()
            .map(|(name, value)| (name.parse().unwrap(), value.parse().unwrap()))
            .collect()
    }

    #[test]
    fn a_loopback_server_refuses_other_web_sites() {
        let access = Access::open_on_loopback();
        let cases: [(Method, Pairs, bool); 8] = [
            (Method::POST, &[("host", "127.0.0.1:8080")], true),
            (
                Method::POST,
                &[("host", "localhost:8080"), ("origin", "http://localhost:8080")],
                true,
            ),
            (Method::POST, &[("host", "[::1]:8080")], true),
            (Method::POST, &[], true),
            (
                Method::POST,
                &[("host", "localhost:8080"), ("origin", "https://evil.example")],
                false,
            ),
            (
                Method::POST,
                &[("host", "localhost:8080"), ("origin", "null")],
                false,
            ),
            (Method::GET, &[("host", "evil.example:8080")], false),
            (
                Method::GET,
                &[("host", "localhost"), ("origin", "https://evil.example")],
                true,
            ),
        ];
        for (method, pairs, allowed) in cases {
            assert_eq!(
                access.caller(&method, &headers(pairs)).is_ok(),
                allowed,
                "{method} {pairs:?}"
            );
        }
    }

    #[test]
    fn a_token_stands_for_its_caller() {
        let caller = Caller {
            client_id: "team-a".to_owned(),
            role: Role::Client,
        };
        let access = Access::with_tokens(vec![Token {
            secret: "s3cret".to_owned(),
            caller: caller.clone(),
        }]);
        let ask = |value: &str| access.caller(&Method::GET, &headers(&[("authorization", value)]));
        assert_eq!(ask("Bearer s3cret"), Ok(caller.clone()));
        assert_eq!(ask("bearer s3cret"), Ok(caller));
        assert_eq!(ask("Bearer other").unwrap_err().code, "auth.bad-token");
        assert_eq!(ask("Basic s3cret").unwrap_err().code, "auth.missing-token");
    }
}
