//! What happens before the first message: the world is made to fit the journals.
//!
//! 1. Agents of a killed owner are ended: nobody would hear what they say.
//! 2. Every run that has not ended is loaded, and its slots are noted in the pools before anybody can ask for one.
//! 3. Every run is told to recover: attempts that were queued are handed over again, waiters stand in line again.
//!    A run that needs an agent this process does not have is left for a process that has it.
//! 4. Attempts that had started with an agent of this machine are lost; behind the waiters, so that freed slots are theirs.

use std::collections::BTreeSet;

use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::run::{Failure, FailureClass, Report, ReportKind, RunState, RunStatus, TaskStatus};
use orchestrator_engine::decision::admission_pool;
use orchestrator_engine::drive::Session;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::SessionCache as _;
use orchestrator_engine::ports::messages::{Body, Message, Recovery};

use super::ports::EmbeddedPorts;

/// What was found.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recovered {
    /// Runs that go on, oldest first.
    pub runs: Vec<RunId>,
    /// Runs left alone because this process does not have their agents, with the names of those.
    pub without_agents: Vec<(RunId, Vec<String>)>,
    /// Runs that began with agents configured otherwise. Those among `runs` go on with the agents there are; the others are
    /// left alone.
    pub other_agents: Vec<RunId>,
    /// Attempts whose agents were lost with the previous owner.
    pub lost: usize,
    /// Runs that could not be read; they are left alone.
    pub set_aside: usize,
}

/// Loads `runs` and puts what is to be done about them into the outbox.
pub(crate) async fn recover(
    engine: &Engine<EmbeddedPorts>,
    runs: Vec<RunId>,
    are_agents_ours: bool,
) -> Recovered {
    let ports = engine.ports();
    let mut recovered = Recovered::default();
    let mut lost = Vec::new();
    for run in runs {
        let session = match engine.load(run).await {
            Ok(session) => session,
            Err(error) => {
                set_aside(run, &error);
                recovered.set_aside += 1;
                continue;
            }
        };
        let state = session.state();
        let missing = match are_agents_ours {
            true => missing_agents(ports, state),
            false => Vec::new(),
        };
        if !missing.is_empty() {
            recovered.without_agents.push((run, missing));
            continue;
        }
        recovered.runs.push(run);
        restore_slots(ports, &session);
        let body = Body::Recover(Recovery::EVERYTHING);
        ports.outbox.push(Message { run, body });
        if are_agents_ours {
            lost.extend(lost_attempts(ports, &session));
        }
        ports.sessions.put(session);
    }
    recovered.lost = lost.len();
    for message in lost {
        ports.outbox.push(message);
    }
    recovered
}

fn set_aside(run: RunId, error: &Error) {
    tracing::error!(run_id = %run, %error, "a run cannot be read and is set aside; the others go on");
}

/// Agents of tasks that have not ended and that this process does not have.
fn missing_agents(ports: &EmbeddedPorts, state: &RunState) -> Vec<String> {
    let is_open = |node: &NodeIx| !state.node(*node).status.is_terminal();
    let agents = (0..state.nodes().len()).map(NodeIx::new).filter(is_open);
    let agents: BTreeSet<&str> = agents.map(|node| state.task_of(node).agent.as_str()).collect();
    let missing = agents.into_iter().filter(|agent| !ports.compute.knows(agent));
    missing.map(str::to_owned).collect()
}

fn restore_slots(ports: &EmbeddedPorts, session: &Session) {
    let state = session.state();
    for key in state.live() {
        let choice = state.choice_of(key.node);
        if let Some(choice) = choice.filter(|choice| !choice.pools.is_empty()) {
            ports.pools.restore(key, &choice.pools, session.seq());
        }
    }
    if state.submission.needs_admission && state.status != RunStatus::Pending {
        let place = admission_pool(&state.submission.client_id);
        let place_key = AttemptKey::admission(state.id());
        ports.pools.restore(place_key, &[place], session.seq());
    }
}

fn lost_attempts(ports: &EmbeddedPorts, session: &Session) -> Vec<Message> {
    let state = session.state();
    let is_lost = |key: &AttemptKey| {
        let is_running = state.node(key.node).status == TaskStatus::Running;
        is_running && ports.compute.is_local(&state.task_of(key.node).agent)
    };
    let message = |key: AttemptKey| {
        let failure = Failure {
            class: FailureClass::Lost,
            message: "the orchestrator was restarted while the agent worked".to_owned(),
            exit_code: None,
        };
        let report = Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind: ReportKind::Failure(failure.into()),
        };
        Message {
            run: key.run,
            body: Body::Reports(vec![report]),
        }
    };
    state.live().filter(is_lost).map(message).collect()
}
