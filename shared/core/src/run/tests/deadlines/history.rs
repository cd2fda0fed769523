//! Lives through a history.

use serde_json::json;

use super::super::given::{SUCCESS, allowed, failure, held, pooled, tasks, with};
use super::super::script::Script;
use super::case::Case;
use super::case::Step::{self, *};
use crate::policy::HoldReason;
use crate::pool::LeaseAnswer;
use crate::run::{Command, Event, FailureClass, ReportKind};
use crate::time::Timestamp;

pub(super) const START: Timestamp = Timestamp(1_000);

pub(super) struct History {
    pub(super) run: Script,
    /// Whether somebody looks exactly when something is due; otherwise once a minute.
    has_timer: bool,
}

impl History {
    pub(super) fn of(case: &Case, has_timer: bool) -> History {
        let tasks = with(tasks(&["t", "other"]), "t", |task| task.sla = case.task);
        let run = Script::with_deadlines(tasks, json!({}), false, case.run);
        assert_eq!(run.now, START);
        History { run, has_timer }
    }

    fn wait(&mut self, until: Timestamp) {
        loop {
            let next = match self.has_timer {
                true => self
                    .run
                    .state
                    .next_due()
                    .filter(|_| !self.run.state.status.is_terminal()),
                false => Some(Timestamp((self.run.now.0 / 60_000 + 1) * 60_000)),
            };
            match next.filter(|next| *next <= until) {
                Some(next) => {
                    self.run.now = next.max(self.run.now);
                    self.run.run(Command::Tick);
                }
                None => {
                    self.run.now = until;
                    return;
                }
            }
        }
    }

    pub(super) fn step(&mut self, step: Step) {
        let run = &mut self.run;
        match step {
            Wait(seconds) => {
                let until = run.now + seconds * 1_000;
                self.wait(until);
            }
            Unseen(seconds) => run.now = run.now + seconds * 1_000,
            Back(seconds) => run.now = Timestamp(run.now.0 - seconds as i64 * 1_000),
            Queue => drop(run.answer("t", allowed(), None)),
            Slot => drop(run.answer("t", pooled(), Some(LeaseAnswer::Taken))),
            Start => drop(run.report("t", ReportKind::Started)),
            Progress => drop(run.report("t", progress())),
            Succeed => drop(run.report("t", SUCCESS)),
            SucceedSince(seconds) => {
                let started_at = Timestamp(run.now.0 - seconds as i64 * 1_000);
                let kind = ReportKind::Success {
                    started_at: Some(started_at),
                    output: None,
                };
                run.report("t", kind);
            }
            Fail => drop(run.report("t", ReportKind::Failure(failure(FailureClass::Error)))),
            HoldForWindow => drop(run.answer("t", held(HoldReason::Window, None), None)),
            HoldForPool => {
                let full = vec!["gpu".to_owned()];
                run.answer("t", pooled(), Some(LeaseAnswer::Waiting { full }));
            }
            Pause => drop(run.pause()),
            Resume => drop(run.resume()),
            Cancel => drop(run.cancel()),
            Rerun => drop(run.rerun("t")),
            Retry => drop(run.retry()),
        }
    }

    pub(super) fn alerts(&self) -> Vec<String> {
        let run = &self.run;
        let show = |(at, event): &(Timestamp, Event)| {
            let key = event.alert_key()?;
            let at = (at.0 - START.0) as f64 / 1_000.0;
            let subject = match key.node {
                Some(node) => format!("{} {}.{}", run.state.name_of(node), key.epoch, key.attempt),
                None => format!("run {}", key.epoch),
            };
            let about = format!("{subject} {}", key.kind.as_str());
            Some(match event {
                Event::SlaWarned { .. } => format!("{at:.3} warned {about}"),
                Event::SlaBreached { severity, action, .. } => {
                    format!(
                        "{at:.3} breached {about} {} {}",
                        severity.as_str(),
                        action.as_str()
                    )
                }
                Event::SlaResolved { late_ms, .. } => {
                    format!(
                        "{at:.3} resolved {about} late by {:.3}",
                        *late_ms as f64 / 1_000.0
                    )
                }
                _ => return None,
            })
        };
        run.journal.iter().filter_map(show).collect()
    }
}

fn progress() -> ReportKind {
    ReportKind::Progress(
        crate::run::Progress {
            percent: None,
            message: None,
        }
        .into(),
    )
}
