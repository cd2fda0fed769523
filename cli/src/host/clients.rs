//! Who may use the API of a server, and with which token.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;

use orchestrator_core::workflow::{Limits, typed};
use orchestrator_embedded::SystemClock;
use orchestrator_engine::api::access::{LOCAL_CLIENT, Token};
use orchestrator_engine::api::{Access, Caller, Role};
use orchestrator_engine::ports::Clock as _;
use serde::Deserialize;

use crate::exit::Failure;

/// A file of clients: `clients: {team-a: {token: ...}, ops: {token: ..., operator: true}}`.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ClientsFile {
    clients: BTreeMap<String, Client>,
}

/// One client.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Client {
    /// The bearer token it shows.
    token: String,
    /// Whether it sees the runs of all clients.
    #[serde(default)]
    operator: bool,
}

/// Shortest token that cannot be guessed.
const TOKEN_LENGTH_MIN: usize = 16;

/// For the verbs of this machine only: a token that they find in the data directory.
pub fn private() -> (Access, Option<String>) {
    let secret = new_secret();
    (Access::with_tokens(vec![operator(&secret)]), Some(secret))
}

/// For a server on `address`: everybody on the loopback interface, or whoever shows a token.
pub fn public(
    address: SocketAddr,
    token: Option<&str>,
    clients: Option<&Path>,
) -> Result<(Access, Option<String>), Failure> {
    let mut tokens = match clients {
        Some(path) => read(path)?,
        None => Vec::new(),
    };
    match token {
        Some(token) => {
            check(LOCAL_CLIENT, token)?;
            tokens.push(operator(token));
            Ok((Access::with_tokens(tokens), Some(token.to_owned())))
        }
        None if tokens.is_empty() && address.ip().is_loopback() => Ok((Access::open_on_loopback(), None)),
        None if tokens.is_empty() => Err(Failure::usage(format!(
            "{address} can be reached by others, so clients must show a token (give --token, ORCHESTRATOR_TOKEN or --clients)"
        ))),
        None => {
            let secret = new_secret();
            tokens.push(operator(&secret));
            Ok((Access::with_tokens(tokens), Some(secret)))
        }
    }
}

fn new_secret() -> String {
    format!(
        "{:020x}{:020x}",
        SystemClock.random_bits(),
        SystemClock.random_bits()
    )
}

fn operator(secret: &str) -> Token {
    let caller = Caller {
        client_id: LOCAL_CLIENT.to_owned(),
        role: Role::Operator,
    };
    Token {
        secret: secret.to_owned(),
        caller,
    }
}

fn read(path: &Path) -> Result<Vec<Token>, Failure> {
    let text = std::fs::read_to_string(path).map_err(|error| Failure::file(path, &error))?;
    let file = path.display().to_string();
    let read: ClientsFile = typed::read(&text, &Limits::local_file()).map_err(|problems| {
        let details = problems
            .iter()
            .map(|problem| problem.in_file(&file).to_string())
            .collect();
        Failure::usage(format!("the clients in '{file}' cannot be read")).with_details(details)
    })?;
    let tokens = read
        .clients
        .into_iter()
        .map(|(client_id, Client { token, operator })| {
            check(&client_id, &token)?;
            let role = if operator { Role::Operator } else { Role::Client };
            Ok(Token {
                secret: token,
                caller: Caller { client_id, role },
            })
        });
    tokens.collect()
}

fn check(client: &str, token: &str) -> Result<(), Failure> {
    match token.len() >= TOKEN_LENGTH_MIN && token.bytes().all(|byte| byte.is_ascii_graphic()) {
        true => Ok(()),
        false => Err(Failure::usage(format!(
            "the token of '{client}' is no {TOKEN_LENGTH_MIN} or more visible ASCII characters (make one with 'openssl rand -hex 16')"
        ))),
    }
}
