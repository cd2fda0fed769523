//! Runs a workload on a server of its own, through its HTTP API: what a client of a server gets.

use std::fs;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use axum::Router;
use axum::routing::post;
use bytes::Bytes;
use http::{Request, Response};
use orchestrator_core::ids::RunId;
use orchestrator_embedded::{DataDir, Owner};
use orchestrator_engine::api::backend::Stats;
use orchestrator_engine::views::RunList;
use rustix::process::{Pid, Signal, kill_process};
use serde::de::DeserializeOwned;
use serde_json::json;
use tokio::runtime::Runtime;

use super::args::AgentChoice;
use super::measure::{Hops, Io, Measured, memory_mb, now};
use super::workload::Plan;
use crate::client::remote::Remote;
use crate::exit::Failure;

/// Clients that submit at a time.
const CLIENTS: usize = 8;
/// How long the server may take to come up.
const START_MAX: Duration = Duration::from_secs(20);
const START_PAUSE: Duration = Duration::from_millis(1);
/// How often unfinished runs are asked for.
const POLL_PAUSE: Duration = Duration::from_millis(1);

pub(super) fn run(directory: &Path, plan: &Plan, agent: AgentChoice) -> Result<Measured, String> {
    let agent_server = match agent {
        AgentChoice::Builtin => None,
        AgentChoice::Http => Some(AgentServer::start()?),
    };
    let config = directory.join("orchestrator.yaml");
    let text = configuration(plan, agent_server.as_ref()).to_string();
    fs::write(&config, text).map_err(|error| format!("cannot write '{}': {error}", config.display()))?;
    let begin = now();
    let server = Server::start(&directory.join("data"), &config)?;
    let server_start_ms = Some(begin.elapsed().as_secs_f64() * 1e3);
    let process = server.child.id().to_string();
    let server_idle_rss_mb = memory_mb(&process, "VmRSS");
    let io_before = Io::of(&process);
    let begin = now();
    let runs = server.submit(plan)?;
    let hops = match runs.as_slice() {
        [run] => server.follow(*run)?,
        _ => server.wait()?,
    };
    let wall_s = begin.elapsed().as_secs_f64();
    let failed: RunList = server.get("/runs?status=FAILED,CANCELLED&limit=1")?;
    if let Some(run) = failed.runs.first() {
        return Err(format!("run {} ended as {}", run.id, run.status));
    }
    let stats: Stats = server.get("/stats")?;
    Ok(Measured {
        wall_s,
        hops,
        io: Io::of(&process)
            .zip(io_before)
            .map(|(after, before)| after.since(before)),
        commits: stats.commits,
        peak_rss_mb: memory_mb(&process, "VmHWM"),
        server_start_ms,
        server_idle_rss_mb,
        ..Measured::default()
    })
}

/// The server's configuration; JSON is YAML too.
fn configuration(plan: &Plan, agent: Option<&AgentServer>) -> serde_json::Value {
    let noop = match agent {
        None => json!({"builtin": "noop"}),
        Some(server) => json!({"http": server.url}),
    };
    json!({
        "master_orchestrator": {
            "decision": {
                "max_task_count": 1_000_000,
                "resource_limits": {"max_concurrent_cpu_tasks": plan.parallel},
            },
            "intake": {"document_bytes_max": 64 << 20},
        },
        "agents": {"noop": noop, "process": {"command": ["/bin/true"]}},
    })
}

/// A server of our own; ended when dropped.
struct Server {
    child: Child,
    client: Remote,
}

impl Server {
    fn start(data: &Path, config: &Path) -> Result<Server, String> {
        let program =
            std::env::current_exe().map_err(|error| format!("cannot find this program: {error}"))?;
        let child = Command::new(program)
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data)
            .arg("--config")
            .arg(config)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .map_err(|error| format!("cannot start a server: {error}"))?;
        let mut child = Ending(Some(child));
        let owner = wait_for_owner(data)?;
        let client = Remote::new(&owner.endpoint, owner.token).map_err(text)?;
        let child = child.0.take().expect("it is taken once");
        let server = Server { child, client };
        let _: serde_json::Value = server.get("/healthz")?;
        Ok(server)
    }

    /// Submits every run, several clients at a time.
    fn submit(&self, plan: &Plan) -> Result<Vec<RunId>, String> {
        let clients = CLIENTS.min(plan.runs as usize);
        let submit_some = |first: usize| -> Result<Vec<RunId>, String> {
            let mine = (first..plan.runs as usize).step_by(clients);
            mine.map(|_| self.submit_one(&plan.document)).collect()
        };
        thread::scope(|scope| {
            let submitting: Vec<_> = (0..clients)
                .map(|first| scope.spawn(move || submit_some(first)))
                .collect();
            let mut runs = Vec::new();
            for client in submitting {
                runs.extend(client.join().map_err(|_| "a client panicked".to_owned())??);
            }
            Ok(runs)
        })
    }

    fn submit_one(&self, document: &str) -> Result<RunId, String> {
        let request = Request::post("/workflows")
            .header("content-type", "application/yaml")
            .body(Bytes::copy_from_slice(document.as_bytes()))
            .expect("the parts are fixed");
        let submitted: serde_json::Value = self.send(request)?;
        let id = submitted["id"].as_str().unwrap_or_default();
        id.parse()
            .map_err(|error: orchestrator_core::ids::RunIdError| error.to_string())
    }

    /// Follows one run to its end, as events come.
    fn follow(&self, run: RunId) -> Result<Hops, String> {
        let mut hops = Hops::default();
        let mut events = self
            .client
            .events(&format!("/runs/{run}/events"), 0)
            .map_err(text)?;
        let mut seq = 0;
        while let Some(event) = events.next().map_err(text)? {
            if event.seq != seq {
                seq = event.seq;
                hops.note(run, now());
            }
        }
        Ok(hops)
    }

    /// Waits until no run is unfinished.
    fn wait(&self) -> Result<Hops, String> {
        loop {
            let open: RunList = self.get("/runs?status=PENDING,RUNNING&limit=1")?;
            if open.runs.is_empty() {
                return Ok(Hops::default());
            }
            thread::sleep(POLL_PAUSE);
        }
    }

    fn get<T: DeserializeOwned>(&self, path: &str) -> Result<T, String> {
        let request = Request::get(path).body(Bytes::new()).expect("the path is plain");
        self.send(request)
    }

    fn send<T: DeserializeOwned>(&self, request: Request<Bytes>) -> Result<T, String> {
        let response: Response<Bytes> = self.client.send(request).map_err(text)?;
        let body = response.body();
        if !response.status().is_success() {
            return Err(String::from_utf8_lossy(body).into_owned());
        }
        serde_json::from_slice(body).map_err(|error| format!("the server's answer cannot be read: {error}"))
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        end(&mut self.child);
    }
}

/// A child that is ended unless it is taken out.
struct Ending(Option<Child>);

impl Drop for Ending {
    fn drop(&mut self) {
        if let Some(child) = &mut self.0 {
            end(child);
        }
    }
}

fn end(child: &mut Child) {
    let process = i32::try_from(child.id()).ok().and_then(Pid::from_raw);
    // A server that has ended already needs no signal.
    let _ = process.map(|process| kill_process(process, Signal::TERM));
    let _ = child.wait();
}

fn wait_for_owner(data: &Path) -> Result<Owner, String> {
    let begin = now();
    while begin.elapsed() < START_MAX {
        if let Ok(Some(owner)) = DataDir::new(data).owner() {
            return Ok(owner);
        }
        thread::sleep(START_PAUSE);
    }
    Err("the server did not come up".to_owned())
}

fn text(failure: Failure) -> String {
    failure.message
}

/// An agent that does nothing, in this process.
struct AgentServer {
    url: String,
    _runtime: Runtime,
}

impl AgentServer {
    fn start() -> Result<AgentServer, String> {
        let failed = |error: std::io::Error| format!("cannot start the agent: {error}");
        let runtime = tokio::runtime::Builder::new_multi_thread()
            .worker_threads(1)
            .enable_all()
            .build()
            .map_err(failed)?;
        let listener = runtime
            .block_on(tokio::net::TcpListener::bind("127.0.0.1:0"))
            .map_err(failed)?;
        let address = listener.local_addr().map_err(failed)?;
        let routes = Router::new().route("/", post(|_: Bytes| async { "null" }));
        runtime.spawn(async move {
            // It serves until the runtime ends.
            let _ = axum::serve(listener, routes).await;
        });
        Ok(AgentServer {
            url: format!("http://{address}/"),
            _runtime: runtime,
        })
    }
}
