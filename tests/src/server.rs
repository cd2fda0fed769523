//! A real `orchestrator serve`, started, asked and killed by tests.

use std::path::{Path, PathBuf};
use std::process::{Child, Output, Stdio};
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, kill_process};
use serde_json::Value;

use crate::binary::orchestrator;
use crate::http::Endpoint;
use crate::requests::Request;

/// How long anything that has to happen may take before a test gives up.
pub const PATIENCE: Duration = Duration::from_secs(60);

/// A running server. Killed when dropped.
#[derive(Debug)]
pub struct Server {
    child: Child,
    /// Where it listens.
    pub endpoint: Endpoint,
    log: PathBuf,
}

impl Server {
    /// Starts a server on a data directory and a free port, and waits until it answers.
    ///
    /// # Panics
    /// When it does not come up; with what it printed.
    pub fn start(data: &Path, configuration: &Path) -> Server {
        Server::start_with(data, configuration, &[])
    }

    /// The same with more flags of `serve`.
    ///
    /// # Panics
    /// When it does not come up; with what it printed.
    pub fn start_with(data: &Path, configuration: &Path, flags: &[&str]) -> Server {
        let mut server = Server::spawn(data, configuration, flags);
        server.await_answer(data);
        server
    }

    /// Starts a server and waits for nothing.
    ///
    /// # Panics
    /// When the program does not start.
    pub fn spawn(data: &Path, configuration: &Path, flags: &[&str]) -> Server {
        let log = data.with_extension("log");
        let mut options = std::fs::OpenOptions::new();
        let file = options
            .create(true)
            .append(true)
            .open(&log)
            .expect("the folder is writable");
        let errors = file.try_clone().expect("there is a file handle left");
        let mut command = orchestrator();
        command
            .args(["serve", "--listen", "127.0.0.1:0", "--data"])
            .arg(data);
        command.arg("--config").arg(configuration).args(flags);
        let child = command
            .stdout(Stdio::from(file))
            .stderr(Stdio::from(errors))
            .spawn();
        let endpoint = Endpoint {
            address: String::new(),
            token: None,
        };
        Server {
            child: child.expect("the program starts"),
            endpoint,
            log,
        }
    }

    fn await_answer(&mut self, data: &Path) {
        let pid = self.child.id();
        eventually("the server answers", || {
            if let Ok(Some(status)) = self.child.try_wait() {
                panic!("the server ended with {status}:\n{}", self.printed());
            }
            let owner: Value = serde_json::from_slice(&std::fs::read(data.join("owner.json")).ok()?).ok()?;
            if owner["pid"] != pid {
                return None;
            }
            let address = owner["endpoint"]
                .as_str()?
                .strip_prefix("http://")?
                .trim_end_matches('/')
                .to_owned();
            let token = owner["token"].as_str().map(str::to_owned);
            let endpoint = Endpoint { address, token };
            let answer = endpoint.get("/healthz").ok()?;
            (answer.status == 200).then(|| self.endpoint = endpoint)
        });
    }

    /// Starts a run and gives its id.
    ///
    /// # Panics
    /// When it is not taken; with what is wrong.
    pub fn submit(&self, workflow: &Value) -> String {
        let body = workflow.to_string();
        let reply = Request::new("POST", "/workflows")
            .json(&body)
            .send(&self.endpoint);
        assert_eq!(reply.status, 201, "{}", reply.json());
        reply.json()["id"].as_str().expect("a run has an id").to_owned()
    }

    /// Its process id.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Everything that servers of this data directory have printed.
    pub fn printed(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }

    /// Asks it to end, and waits until it has.
    ///
    /// # Panics
    /// When it does not end well; with what it printed.
    pub fn end(mut self) {
        let pid = Pid::from_child(&self.child);
        kill_process(pid, Signal::TERM).expect("it is our child");
        let status = self.child.wait().expect("it is our child");
        assert!(status.success(), "{status}:\n{}", self.printed());
    }

    /// Kills it with SIGKILL, at once.
    pub fn kill(&mut self) {
        self.child.kill().expect("it is our child");
        self.child.wait().expect("it is our child");
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        // It may have ended already.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Runs a verb on a data directory, whoever owns it, and gives what it printed as JSON.
///
/// # Panics
/// When it fails.
pub fn ask(data: &Path, arguments: &[&str]) -> Value {
    let output = run(data, arguments);
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("-o json prints JSON")
}

/// Runs a verb on a data directory to its end.
///
/// # Panics
/// When the program does not start.
pub fn run(data: &Path, arguments: &[&str]) -> Output {
    orchestrator()
        .args(arguments)
        .args(["-o", "json", "--data"])
        .arg(data)
        .output()
        .expect("the program starts")
}

/// Looks until there is something to see.
///
/// # Panics
/// When there is nothing after [`PATIENCE`].
#[expect(clippy::disallowed_methods, reason = "gives up after a bounded time")]
pub fn eventually<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let start = Instant::now();
    while start.elapsed() < PATIENCE {
        if let Some(seen) = look() {
            return seen;
        }
        std::thread::sleep(Duration::from_millis(5));
    }
    panic!("waited in vain: {what}");
}
