//! The compute port: which attempts are at work, seen from the engine's thread.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::path::PathBuf;
use std::rc::Rc;
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, IdMap};
use orchestrator_core::run::{Failure, FailureClass, Report, ReportKind};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::envelope::Envelope;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::compute::{AgentVersion, Dispatch};
use orchestrator_engine::ports::messages::{Body, Message};
use orchestrator_engine::ports::{Clock as _, Compute};
use orchestrator_engine::settings::{self, AgentKind, AttemptLimits, Builtin};
use serde_json::Value;

use super::command::{Attempt, Surroundings};
use super::http::{Answer, HttpClient};
use super::output::failure;
use super::process::Process;
use super::program::CommandAgent;
use super::version::Versions;
use crate::clock::SystemClock;
use crate::host::input::{Inbox, Input};
use crate::host::ports::Outbox;
use crate::host::slot::Slot;
use crate::workers::Workers;

/// Hands attempts to the agents of this machine.
pub(crate) struct LocalCompute {
    agents: BTreeMap<String, Agent>,
    versions: Versions,
    dispatches: bool,
    surroundings: Arc<Surroundings>,
    http: HttpClient,
    workers: Workers,
    outbox: Outbox,
    live: RefCell<IdMap<AttemptKey, Live>>,
    alarms: Alarms,
}

/// Things to be done by the engine's thread at a time.
pub(crate) type Alarms = Rc<RefCell<BTreeMap<(Timestamp, AttemptKey), Alarm>>>;

/// What an alarm is for.
pub(crate) enum Alarm {
    /// A sleeping attempt succeeds.
    Wake,
    /// An attempt that was told to stop has not.
    Kill,
}

enum Agent {
    Command(Arc<CommandAgent>),
    Http(Arc<str>),
    Builtin(Builtin),
}

/// An attempt at work.
enum Live {
    Process {
        process: Arc<Process>,
        ended: Rc<Slot<()>>,
    },
    Request,
    Asleep(Timestamp),
}

/// What the compute port is made from.
pub(crate) struct Setup {
    pub data_dir: PathBuf,
    pub runs: PathBuf,
    pub base: PathBuf,
    pub agents: BTreeMap<String, settings::Agent>,
    pub limits: AttemptLimits,
    /// Whether agents may be started.
    pub dispatches: bool,
    /// Where commands without a path are looked up.
    pub path: Option<OsString>,
}

impl LocalCompute {
    pub(crate) fn new(setup: Setup, inbox: Inbox, outbox: Outbox) -> LocalCompute {
        let builtin = |builtin: Builtin| (builtin.as_str().to_owned(), Agent::Builtin(builtin));
        let mut agents: BTreeMap<String, Agent> = Builtin::ALL.into_iter().map(builtin).collect();
        for (name, config) in &setup.agents {
            let agent = match &config.kind {
                AgentKind::Command(argv) => {
                    let agent = CommandAgent::new(name, argv, &config.env, &setup.base, setup.path.clone());
                    Agent::Command(Arc::new(agent))
                }
                AgentKind::Http(url) => Agent::Http(url.as_str().into()),
                AgentKind::Builtin(builtin) => Agent::Builtin(*builtin),
            };
            agents.insert(name.clone(), agent);
        }
        LocalCompute {
            agents,
            versions: Versions::new(setup.base.clone(), setup.agents),
            dispatches: setup.dispatches,
            workers: Workers::new("agent", setup.limits.threads),
            http: HttpClient::new(),
            outbox,
            live: RefCell::default(),
            alarms: Alarms::default(),
            surroundings: Arc::new(Surroundings {
                data_dir: setup.data_dir,
                runs: setup.runs,
                base: setup.base,
                limits: setup.limits,
                inbox,
            }),
        }
    }

    /// Whether there is such an agent.
    pub(crate) fn knows(&self, agent: &str) -> bool {
        self.agents.contains_key(agent)
    }

    /// Whether attempts of this agent end with this process.
    pub(crate) fn is_local(&self, agent: &str) -> bool {
        !matches!(self.agents.get(agent), Some(Agent::Http(_)))
    }

    /// Attempts at work.
    pub(crate) fn live_count(&self) -> usize {
        self.live.borrow().len()
    }

    /// The attempt has ended; whoever waits for that goes on.
    pub(crate) fn ended(&self, key: AttemptKey) {
        if let Some(Live::Process { ended, .. }) = self.live.borrow_mut().remove(&key) {
            ended.set(());
        }
    }

    /// When the next alarm is due.
    pub(crate) fn next_alarm(&self) -> Option<Timestamp> {
        self.alarms.borrow().first_key_value().map(|((at, _), _)| *at)
    }

    /// Does what is due by now.
    pub(crate) fn sound_alarms(&self, now: Timestamp) {
        loop {
            let mut alarms = self.alarms.borrow_mut();
            match alarms.first_entry() {
                Some(first) if first.key().0 <= now => {
                    let ((_, key), alarm) = first.remove_entry();
                    drop(alarms);
                    self.sound(key, &alarm);
                }
                _ => return,
            }
        }
    }

    fn sound(&self, key: AttemptKey, alarm: &Alarm) {
        match alarm {
            Alarm::Wake => {
                self.live.borrow_mut().remove(&key);
                self.report(key, success(None));
            }
            Alarm::Kill => {
                if let Some(Live::Process { process, .. }) = self.live.borrow().get(&key) {
                    process.kill();
                }
            }
        }
    }

    /// Tells every process to end.
    pub(crate) fn stop_all(&self) {
        self.processes().iter().for_each(|process| process.stop());
    }

    /// Processes that have not ended.
    pub(crate) fn process_count(&self) -> usize {
        self.processes().len()
    }

    /// Ends every process.
    pub(crate) fn kill_all(&self) {
        self.processes().iter().for_each(|process| process.kill());
    }

    fn processes(&self) -> Vec<Arc<Process>> {
        let live = self.live.borrow();
        let process = |live: &Live| match live {
            Live::Process { process, .. } => Some(Arc::clone(process)),
            Live::Request | Live::Asleep(_) => None,
        };
        live.values().filter_map(process).collect()
    }

    fn hand_over(&self, dispatch: Dispatch, reports: &mut Vec<Report>) {
        let Dispatch { key, envelope, .. } = dispatch;
        if self.live.borrow().contains_key(&key) {
            return;
        }
        let at_once = match self.agents.get(&envelope.agent) {
            None => Some(self.unknown(&envelope.agent)),
            Some(Agent::Builtin(Builtin::Noop)) => Some(success(envelope.params.get("output").cloned())),
            Some(Agent::Builtin(Builtin::Fail)) => Some(fail(&envelope)),
            Some(Agent::Builtin(Builtin::Sleep)) => self.sleep(key, &envelope, reports),
            Some(Agent::Command(agent)) => self.start_command(key, envelope, Arc::clone(agent)),
            Some(Agent::Http(url)) => self.start_request(key, envelope, Arc::clone(url)),
        };
        reports.extend(at_once.map(|kind| report(key, kind)));
    }

    fn unknown(&self, agent: &str) -> ReportKind {
        let known: Vec<&str> = self.agents.keys().map(String::as_str).collect();
        let known = known.join(", ");
        let message = format!(
            "agent '{agent}' is not configured (add it under 'agents' in the configuration; known: {known})"
        );
        failed(failure(FailureClass::Permanent, message, None))
    }

    fn sleep(&self, key: AttemptKey, envelope: &Envelope, reports: &mut Vec<Report>) -> Option<ReportKind> {
        const SECONDS_MAX: f64 = 366.0 * 86_400.0;
        let seconds = envelope
            .params
            .get("seconds")
            .and_then(Value::as_f64)
            .unwrap_or(0.0);
        if !(0.0..=SECONDS_MAX).contains(&seconds) {
            let message = format!("'seconds' is {seconds} (it must be 0 to {SECONDS_MAX})");
            return Some(failed(failure(FailureClass::Validation, message, None)));
        }
        #[expect(
            clippy::cast_possible_truncation,
            clippy::cast_sign_loss,
            reason = "checked: 0 to a year of milliseconds"
        )]
        let due = SystemClock.now() + (seconds * 1000.0) as u64;
        reports.push(report(key, ReportKind::Started));
        self.live.borrow_mut().insert(key, Live::Asleep(due));
        self.alarms.borrow_mut().insert((due, key), Alarm::Wake);
        None
    }

    fn start_command(
        &self,
        key: AttemptKey,
        envelope: Arc<Envelope>,
        agent: Arc<CommandAgent>,
    ) -> Option<ReportKind> {
        let process = Arc::new(Process::default());
        let attempt = Attempt {
            key,
            envelope,
            agent,
            process: Arc::clone(&process),
        };
        let surroundings = Arc::clone(&self.surroundings);
        if let Err(error) = self.workers.run(move || surroundings.perform(&attempt)) {
            return Some(no_thread(&error));
        }
        let ended = Rc::new(Slot::default());
        self.live
            .borrow_mut()
            .insert(key, Live::Process { process, ended });
        None
    }

    fn start_request(&self, key: AttemptKey, envelope: Arc<Envelope>, url: Arc<str>) -> Option<ReportKind> {
        let http = self.http.clone();
        let surroundings = Arc::clone(&self.surroundings);
        let request = move || {
            let inbox = &surroundings.inbox;
            let started_at = SystemClock.now();
            inbox.send(Input::Said(key, ReportKind::Started));
            match http.post(&url, &envelope, surroundings.limits.output_bytes, started_at) {
                Answer::Report(kind) => inbox.send(Input::Ended(key, kind)),
                Answer::Later => inbox.send(Input::Handed(key)),
            }
        };
        if let Err(error) = self.workers.run(request) {
            return Some(no_thread(&error));
        }
        self.live.borrow_mut().insert(key, Live::Request);
        None
    }

    fn report(&self, key: AttemptKey, kind: ReportKind) {
        let body = Body::Reports(vec![report(key, kind)]);
        self.outbox.push(Message { run: key.run, body });
    }
}

impl Compute for LocalCompute {
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError> {
        if !self.dispatches {
            return Ok(());
        }
        let Some(run) = attempts.first().map(|dispatch| dispatch.key.run) else {
            return Ok(());
        };
        let mut reports = Vec::new();
        for dispatch in attempts {
            self.hand_over(dispatch, &mut reports);
        }
        if !reports.is_empty() {
            let body = Body::Reports(reports);
            self.outbox.push(Message { run, body });
        }
        Ok(())
    }

    fn version_of(&self, agent: &str) -> AgentVersion {
        self.versions.of(agent)
    }

    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError> {
        let mut waits = Vec::new();
        for key in attempts {
            let mut live = self.live.borrow_mut();
            match live.get(&key) {
                None => {}
                Some(Live::Process { process, ended }) => {
                    process.stop();
                    waits.push(Rc::clone(ended));
                    let due = SystemClock.now() + self.surroundings.limits.grace_ms;
                    self.alarms.borrow_mut().insert((due, key), Alarm::Kill);
                }
                Some(Live::Request) => drop(live.remove(&key)),
                Some(Live::Asleep(due)) => {
                    self.alarms.borrow_mut().remove(&(*due, key));
                    live.remove(&key);
                    drop(live);
                    self.report(key, failed(failure(FailureClass::Lost, "it was stopped", None)));
                }
            }
        }
        for ended in waits {
            ended.wait().await;
        }
        Ok(())
    }
}

fn report(key: AttemptKey, kind: ReportKind) -> Report {
    Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind,
    }
}

fn success(output: Option<Value>) -> ReportKind {
    ReportKind::Success {
        started_at: None,
        output: output.map(Arc::new),
    }
}

fn failed(failure: Failure) -> ReportKind {
    ReportKind::Failure(Arc::new(failure))
}

fn no_thread(error: &std::io::Error) -> ReportKind {
    let message = format!("no thread for the attempt: {error} (raise the limits of the system)");
    failed(failure(FailureClass::Transient, message, None))
}

/// What the `fail` agent says.
fn fail(envelope: &Envelope) -> ReportKind {
    let params = &envelope.params;
    let times = params.get("times").and_then(Value::as_u64).unwrap_or(u64::MAX);
    if u64::from(envelope.attempt) > times {
        return success(params.get("output").cloned());
    }
    let class = params.get("class").and_then(Value::as_str).unwrap_or("error");
    let Some(class) = FailureClass::ALL
        .into_iter()
        .find(|known| known.as_str() == class)
    else {
        let message = format!("'class' is '{class}' (use transient, error, permanent or validation)");
        return failed(failure(FailureClass::Validation, message, None));
    };
    let message = params
        .get("message")
        .and_then(Value::as_str)
        .unwrap_or("it fails on purpose");
    failed(failure(class, message, None))
}
