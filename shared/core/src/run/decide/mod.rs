//! Commands to events: one file per kind of command.

mod answer;
mod cascade;
mod deadlines;
mod operator;
mod report;
mod rollback;
mod tick;

use std::sync::Arc;

use super::command::Command;
use super::effect::Effect;
use super::event::Event;
use super::rejection::Rejection;
use super::state::RunState;
use super::submission::Submission;
use super::turn::{Outcome, Turn};
use crate::time::Timestamp;
use crate::workflow::Workflow;

pub use deadlines::BY_SLA;

/// Creates a run.
pub fn submit(workflow: Arc<Workflow>, submission: Arc<Submission>, now: Timestamp) -> (RunState, Outcome) {
    let mut state = RunState::submitted(workflow, Arc::clone(&submission), now);
    let mut turn = Turn::new(&mut state, now);
    let waits = submission.needs_admission;
    turn.emit(Event::RunSubmitted(submission));
    if waits {
        turn.push_effect(Effect::Admit);
    } else {
        turn.admit();
    }
    let outcome = turn.finish();
    (state, outcome)
}

/// Carries out a command on `state` at `now`: either it is refused and nothing changes, or the state moves on and the
/// outcome holds the events that moved it and the effects they make due.
///
/// # Errors
/// With the rule that the command broke.
pub fn decide(state: &mut RunState, command: Command, now: Timestamp) -> Result<Outcome, Rejection> {
    let mut turn = Turn::new(state, now);
    match command {
        Command::Admit => turn.admit(),
        Command::Answer(answers) => turn.answer(answers),
        Command::Report(report) => turn.report(report)?,
        Command::Tick => turn.tick(),
        Command::Cancel { by, reason } => turn.cancel(by, reason)?,
        Command::Pause { by } => turn.pause(by)?,
        Command::Resume { by } => turn.resume(by)?,
        Command::Retry { by } => turn.retry(by)?,
        Command::Rerun { node, by } => turn.rerun(node, by)?,
        Command::Rollback {
            request,
            token,
            by,
            reason,
        } => turn.roll_back(request, token, by, &reason)?,
        Command::Approve { node, by } => turn.approve(node, by)?,
        Command::Reject { node, by, reason } => turn.reject(node, by, reason)?,
        Command::SetPriority { by, priority } => turn.set_priority(by, priority)?,
    }
    Ok(turn.finish())
}
