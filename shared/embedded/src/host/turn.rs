//! One turn: as much of a run's work as goes into one append.

use std::collections::VecDeque;

use orchestrator_core::ids::RunId;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::messages::{Body, Candidates, Recovery};

use super::backlog::Work;
use super::input::Reply;
use super::ports::EmbeddedPorts;

/// Messages handled in one append; bounds its size.
const MESSAGES_MAX: usize = 1_000;

/// How a turn ended.
pub(super) struct Turned {
    pub run: RunId,
    /// What is still to be done.
    pub rest: VecDeque<Work>,
    /// Whether doing it at once would fail again.
    pub failed: bool,
}

/// Does the first piece of `work`: the messages it begins with together, or one request.
pub(super) async fn turn(engine: &Engine<EmbeddedPorts>, run: RunId, mut work: VecDeque<Work>) -> Turned {
    let failed = match work.pop_front() {
        None => false,
        Some(Work::Look(look)) => {
            engine.ports().sessions.look(run, look);
            false
        }
        Some(Work::Submit(request, reply)) => {
            let result = engine.submit(*request).await;
            let failed = settle(engine, run, &result, &mut work);
            answer(reply, result);
            failed
        }
        Some(Work::Operate(command, reply)) => {
            let result = engine.operate(run, command).await;
            let failed = settle(engine, run, &result, &mut work);
            answer(reply, result);
            failed
        }
        Some(first @ (Work::Message(_) | Work::Report(..))) => {
            work.push_front(first);
            handle(engine, run, &mut work).await
        }
    };
    Turned {
        run,
        rest: work,
        failed,
    }
}

/// Handles the messages that `work` begins with. After a failure that may pass, those nobody waits for come back.
async fn handle(engine: &Engine<EmbeddedPorts>, run: RunId, work: &mut VecDeque<Work>) -> bool {
    let mut bodies = Vec::new();
    let mut replies: Vec<Option<Reply>> = Vec::new();
    while bodies.len() < MESSAGES_MAX {
        match work.pop_front() {
            Some(Work::Message(body)) => {
                bodies.push(body);
                replies.push(None);
            }
            Some(Work::Report(reports, reply)) => {
                bodies.push(Body::Reports(reports));
                replies.push(Some(reply));
            }
            Some(other) => {
                work.push_front(other);
                break;
            }
            None => break,
        }
    }
    let result = engine.handle(run, &bodies).await;
    let is_kept = settle(engine, run, &result, work);
    match &result {
        Err(Error::UnknownRun(_)) => {
            tracing::debug!(run_id = %run, "messages of a run that was never stored")
        }
        Err(error) if !is_kept => {
            let (trace_id, messages) = (engine.trace_id(run), bodies.len());
            tracing::error!(run_id = %run, trace_id, %error, messages, "messages cannot be handled and are dropped");
        }
        _ => {}
    }
    for (body, reply) in bodies.into_iter().zip(replies).rev() {
        match reply {
            Some(reply) => answer(reply, result.clone()),
            None if is_kept => work.push_front(Work::Message(body)),
            None => {}
        }
    }
    is_kept
}

/// After a failure that may pass it is not known what was stored: whatever the run then owes is sent again, and slots taken
/// for nothing are given back. Returns whether it was such a failure.
fn settle(
    engine: &Engine<EmbeddedPorts>,
    run: RunId,
    result: &Result<(), Error>,
    work: &mut VecDeque<Work>,
) -> bool {
    let Some(error) = result.as_ref().err().filter(|error| error.is_transient()) else {
        return false;
    };
    let trace_id = engine.trace_id(run);
    tracing::warn!(run_id = %run, trace_id, %error, "a turn failed; what it leaves open is tried again");
    work.push_front(Work::Message(Body::Recover(Recovery::EVERYTHING)));
    let held = engine.ports().pools.holders_of(run);
    if !held.is_empty() {
        work.push_front(Work::Message(Body::Decide(Candidates::Granted(held))));
    }
    true
}

fn answer(reply: Reply, result: Result<(), Error>) {
    // Whoever asked may have gone away; what was done stays done.
    let _ = reply.send(result);
}
