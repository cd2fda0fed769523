//! How verbs reach runs: over HTTP, or in a data directory. Either way the answer is the API's.

pub mod local;
pub mod remote;

use std::path::Path;

use bytes::Bytes;
use http::{Method, Request, Response};
use orchestrator_embedded::DataDir;
use orchestrator_engine::api::problem::Problem;
use orchestrator_engine::api::route::encode;
use orchestrator_engine::views::RunList;
use serde::Serialize;
use serde::de::DeserializeOwned;

use crate::args::Global;
use crate::exit::{Exit, Failure};
use local::Local;
use remote::Remote;

/// Access to runs.
#[derive(Debug)]
pub enum Client {
    /// A server.
    Remote(Remote),
    /// A data directory that no process owns.
    Local(Local),
}

impl Client {
    /// A server if one is named or owns the data directory; else the data directory itself.
    pub fn connect(global: &Global) -> Result<Client, Failure> {
        Client::connect_for(global, None)
    }

    /// The same; a configuration file beside `workflow_file` counts.
    pub fn connect_for(global: &Global, workflow_file: Option<&Path>) -> Result<Client, Failure> {
        if let Some(endpoint) = &global.endpoint {
            return Ok(Client::Remote(Remote::new(endpoint, global.token.clone())?));
        }
        match DataDir::new(&global.data).owner() {
            Ok(Some(owner)) => Ok(Client::Remote(Remote::new(&owner.endpoint, owner.token)?)),
            Ok(None) => Ok(Client::Local(Local::new(global, workflow_file))),
            Err(error) => Err(Failure::new(Exit::Refused, error.to_string())),
        }
    }

    /// Sends a request.
    pub fn send(&self, request: Request<Bytes>) -> Result<Response<Bytes>, Failure> {
        match self {
            Client::Remote(remote) => remote.send(request),
            Client::Local(local) => local.send(request),
        }
    }

    /// Reads what is under a path.
    pub fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, Failure> {
        self.call(Method::GET, path, &[], Bytes::new())
    }

    /// Posts a JSON body.
    pub fn post<T: DeserializeOwned>(&self, path: &str, body: &impl Serialize) -> Result<T, Failure> {
        self.with_body(Method::POST, path, body)
    }

    /// Sends a JSON body.
    pub fn with_body<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        body: &impl Serialize,
    ) -> Result<T, Failure> {
        let bytes = serde_json::to_vec(body).expect("bodies are plain data with text keys");
        self.call(method, path, &[], Bytes::from(bytes))
    }

    /// Sends a request and reads the answer.
    pub fn call<T: DeserializeOwned>(
        &self,
        method: Method,
        path: &str,
        headers: &[(&str, &str)],
        body: Bytes,
    ) -> Result<T, Failure> {
        let mut request = Request::builder().method(method).uri(path);
        if !body.is_empty() {
            request = request.header("content-type", "application/json");
        }
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let request = request
            .body(body)
            .map_err(|error| Failure::usage(format!("the request cannot be sent: {error}")))?;
        read(&self.send(request)?)
    }

    /// The full id of a run, given its id or the last letters of it.
    pub fn run_id(&self, given: &str) -> Result<String, Failure> {
        const ID_LENGTH: usize = 26;
        if given.len() >= ID_LENGTH {
            return Ok(given.to_owned());
        }
        let given = given.to_ascii_uppercase();
        let newest: RunList = self.get("/runs?limit=100")?;
        let ids: Vec<String> = newest.runs.iter().map(|run| run.id.to_string()).collect();
        let mut found = ids
            .into_iter()
            .filter(|id| !given.is_empty() && id.ends_with(&given));
        match (found.next(), found.next()) {
            (Some(id), None) => Ok(id),
            (Some(_), Some(_)) => Err(Failure::usage(format!(
                "more than one of the newest 100 runs ends with '{given}' (give more of the id)"
            ))),
            (None, _) => Err(Failure::new(
                Exit::NotFound,
                format!("none of the newest 100 runs ends with '{given}' (see 'orchestrator list')"),
            )),
        }
    }
}

/// `/runs/RUN/tasks/TASK` and whatever follows, with the task's name encoded.
pub fn task_path(run: &str, task: &str, rest: &str) -> String {
    format!("/runs/{}/tasks/{}{rest}", encode(run), encode(task))
}

/// `/runs/RUN` and whatever follows.
pub fn run_path(run: &str, rest: &str) -> String {
    format!("/runs/{}{rest}", encode(run))
}

/// The body of an answer, or the problem it tells.
pub fn read<T: DeserializeOwned>(answer: &Response<Bytes>) -> Result<T, Failure> {
    let strange = |error: serde_json::Error| {
        Failure::unavailable(format!(
            "the answer of the server cannot be read: {error} (is it an orchestrator of another version?)"
        ))
    };
    if answer.status().is_success() {
        return serde_json::from_slice(answer.body()).map_err(strange);
    }
    let problem: Problem = serde_json::from_slice(answer.body()).map_err(|_| {
        Failure::unavailable(format!(
            "the server answered {} (is it an orchestrator?)",
            answer.status()
        ))
    })?;
    Err(problem.into())
}
