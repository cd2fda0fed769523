//! This process as a host: it owns a data directory, runs what is in it, and serves the API.

mod clients;
mod live;
mod server;

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response};
use orchestrator_console::{Console, Live};
use orchestrator_embedded::{HostBackend, Orchestrator, Owner, StartOptions, TakesUp};
use orchestrator_engine::api::{Access, Backend as _, handle};
use orchestrator_engine::ports::RunIndex as _;
use tokio::net::TcpListener;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio::task::JoinHandle;

use crate::args::Global;
use crate::config::{Config, start_failure};
use crate::exit::Failure;
use crate::output::Output;
use server::Served;

/// A running host.
#[derive(Debug)]
pub struct Host {
    backend: HostBackend,
    own: HostBackend,
    address: SocketAddr,
    stop: watch::Sender<bool>,
    server: JoinHandle<std::io::Result<()>>,
}

/// Where the API is served.
#[derive(Debug, Clone, Copy)]
pub enum Listen<'a> {
    /// On a free port of the loopback interface, for the verbs of this machine; with a token that only they can read.
    Private,
    /// On this address, for the clients in this file.
    Public(SocketAddr, Option<&'a Path>),
}

/// Requests under way get so long to be answered when the host stops.
const STOP_TIMEOUT: Duration = Duration::from_secs(5);
/// Recovered runs that are named.
const NAMED_MAX: usize = 50;

impl Host {
    /// Takes the data directory, goes on with its unfinished runs, and serves the API.
    pub async fn start(global: &Global, config: Config, listen: Listen<'_>) -> Result<Host, Failure> {
        let (wanted, (access, owner_token)) = match listen {
            Listen::Private => (SocketAddr::from((Ipv4Addr::LOCALHOST, 0)), clients::private()),
            Listen::Public(address, file) => {
                (address, clients::public(address, global.token.as_deref(), file)?)
            }
        };
        let cannot = |error: std::io::Error| {
            Failure::unavailable(format!(
                "cannot listen on {wanted}: {error} (choose another address with --listen)"
            ))
        };
        let listener = TcpListener::bind(wanted).await.map_err(cannot)?;
        let address = listener.local_addr().map_err(cannot)?;
        let prepared = config.prepare(&global.data)?;
        let takes_up = match listen {
            Listen::Private => TakesUp::SameAgents,
            Listen::Public(..) => TakesUp::KnownAgents,
        };
        let options = StartOptions {
            takes_up,
            ..prepared.options
        };
        let started = tokio::task::spawn_blocking(move || Orchestrator::start(options)).await;
        let started =
            started.map_err(|error| Failure::unavailable(format!("the start was given up: {error}")))?;
        let orchestrator = started.map_err(|error| start_failure(&error))?;
        let owner = Owner {
            pid: std::process::id(),
            endpoint: format!("http://{}", reachable(address)),
            token: owner_token,
        };
        let announced = orchestrator.announce(&owner);
        announced.map_err(|error| Failure::unavailable(error.to_string()))?;
        let backend = HostBackend::translating(
            orchestrator,
            prepared.intake,
            prepared.rate_limits,
            prepared.translator,
            prepared.budget,
        );
        let own = backend.for_own_process(prepared.own_intake);
        let (stop, stopped) = watch::channel(false);
        let served = Served {
            backend: backend.clone(),
            access: Arc::new(access),
            console: Arc::new(Console::new(Live::Stream)),
            stop: stopped,
        };
        let server = tokio::spawn(server::serve(listener, served));
        Ok(Host {
            backend,
            own,
            address,
            stop,
            server,
        })
    }

    /// The host behind the API.
    pub fn backend(&self) -> &HostBackend {
        &self.backend
    }

    /// Where the API is.
    pub fn address(&self) -> SocketAddr {
        self.address
    }

    /// Tells which unfinished runs were found at the start and what becomes of them.
    pub fn tell_recovered(&self, output: &Output) {
        let recovered = self.backend.orchestrator().recovered();
        let is_other = |run| recovered.other_agents.contains(run);
        for run in recovered.runs.iter().take(NAMED_MAX) {
            output.note(&match is_other(run) {
                false => format!("run {run} goes on where it was interrupted"),
                true => format!(
                    "run {run} goes on where it was interrupted; the agents are configured otherwise than when it began"
                ),
            });
        }
        let left_alone = recovered.other_agents.iter();
        let left_alone = left_alone.filter(|run| {
            let without_agents = recovered.without_agents.iter().any(|(left, _)| left == *run);
            !recovered.runs.contains(run) && !without_agents
        });
        for run in left_alone.take(NAMED_MAX) {
            output.note(&format!(
                "run {run} is unfinished and stays as it is: its agents were configured otherwise (start again with its \
                 configuration, or let 'orchestrator serve' go on with these agents)"
            ));
        }
        for (run, agents) in recovered.without_agents.iter().take(NAMED_MAX) {
            output.note(&format!(
                "run {run} is unfinished and stays as it is: this configuration has no agent {} (start again with --config)",
                agents.join(", ")
            ));
        }
    }

    /// Tells which of the runs found at the start are still not finished; they go on with the next start.
    pub async fn tell_unfinished(&self, output: &Output) {
        for run in self
            .backend
            .orchestrator()
            .recovered()
            .runs
            .iter()
            .take(NAMED_MAX)
        {
            let summary = self.backend.run_index().summary(*run).await;
            if summary.is_ok_and(|summary| summary.is_some_and(|run| !run.status.is_terminal())) {
                output.note(&format!(
                    "run {run} is not finished yet ('orchestrator serve' goes on with it)"
                ));
            }
        }
    }

    /// Answers a request of this process, with the bounds for local files.
    pub async fn ask(&self, request: Request<Bytes>) -> Response<Bytes> {
        handle(&self.own, &Access::open_on_loopback(), request).await
    }

    /// Answers what is under way, ends the agents, gives the data directory back.
    pub async fn stop(self) {
        // The server may have ended by itself.
        let _ = self.stop.send(true);
        // What takes longer than this is cut off.
        let _ = tokio::time::timeout(STOP_TIMEOUT, self.server).await;
        let backend = self.backend;
        let stopping = tokio::task::spawn_blocking(move || backend.orchestrator().stop());
        // It only fails by panicking, which has been told already.
        let _ = stopping.await;
    }
}

/// The address verbs of this machine can use.
fn reachable(address: SocketAddr) -> SocketAddr {
    match address.ip().is_unspecified() {
        true => SocketAddr::from((Ipv4Addr::LOCALHOST, address.port())),
        false => address,
    }
}

/// The runtime of a host: two threads for requests; the engine and the agents have threads of their own.
pub fn runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_multi_thread().worker_threads(2).enable_all().build();
    runtime.map_err(|error| Failure::unavailable(format!("cannot start threads: {error}")))
}

/// The runtime of a verb that asks once.
pub fn small_runtime() -> Result<Runtime, Failure> {
    let runtime = Builder::new_current_thread().enable_all().build();
    runtime.map_err(|error| Failure::unavailable(format!("cannot start: {error}")))
}

/// Waits for Ctrl-C or SIGTERM.
pub async fn told_to_stop() {
    use tokio::signal::unix::{SignalKind, signal};
    let terminate = async {
        match signal(SignalKind::terminate()) {
            Ok(mut terminate) => drop(terminate.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    tokio::select! {
        interrupted = tokio::signal::ctrl_c() => {
            if interrupted.is_err() {
                std::future::pending::<()>().await;
            }
        }
        () = terminate => {}
    }
}
