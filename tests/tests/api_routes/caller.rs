//! A server, and somebody who notes which of its routes were taken.

use std::collections::BTreeSet;
use std::path::Path;

use serde_json::Value;
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

const CONFIGURATION: &str = r#"
master_orchestrator:
  decision:
    rules:
      - {name: ask-first, when: 'task.action == "publish"', require_approval: "publishing needs a yes"}
agents:
  patient: {command: ["sleep", "600"]}
  data_agent: {builtin: noop, catalogue: data_science}
"#;

/// Starts a server with agents that do nothing.
pub fn start(folder: &Path) -> Server {
    let configuration = folder.join("orchestrator.yaml");
    std::fs::write(&configuration, CONFIGURATION).expect("the folder is writable");
    Server::start(&folder.join("data"), &configuration)
}

/// Sends requests and notes which routes they took.
pub struct Caller<'a> {
    /// The server.
    pub server: &'a Server,
    /// Methods and patterns of paths.
    pub taken: BTreeSet<(String, &'static str)>,
}

impl Caller<'_> {
    /// Sends a request to a route.
    pub fn send(&mut self, pattern: &'static str, request: &Request<'_>) -> Reply {
        self.taken.insert((request.method.to_owned(), pattern));
        request.send(&self.server.endpoint)
    }

    /// The body of an answer that must be a success.
    pub fn json(&mut self, pattern: &'static str, request: &Request<'_>) -> Value {
        let reply = self.send(pattern, request);
        assert!(
            (200..300).contains(&reply.status),
            "{request:?}: {} {}",
            reply.head,
            reply.json()
        );
        reply.json()
    }
}

/// Waits for a state.
pub fn await_status(server: &Server, path: &str, status: &str) -> Value {
    eventually(&format!("{path} becomes {status}"), || {
        let view = Request::new("GET", path).send(&server.endpoint).json();
        (view["status"] == status).then_some(view)
    })
}
