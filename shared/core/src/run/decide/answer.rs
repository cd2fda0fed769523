//! The policy's and the pools' answers about tasks that want to run.

use std::sync::Arc;

use crate::ids::NodeIx;
use crate::policy::{Choice, HoldReason, Verdict};
use crate::pool::LeaseAnswer;
use crate::run::command::Answer;
use crate::run::event::{Event, Failure, FailureClass, SkipReason};
use crate::run::reuse::Lookup;
use crate::run::status::{RunStatus, TaskStatus};
use crate::run::turn::Turn;
use crate::time::Timestamp;
use crate::workflow::OnDenied;

impl Turn<'_> {
    /// Carries out each answer that still applies; the others are void, and whoever took their slots gives them back.
    pub(super) fn answer(&mut self, answers: Vec<Answer>) {
        if self.state.status != RunStatus::Running {
            return;
        }
        for answer in answers {
            let applies = self.state.get(answer.node).is_some_and(|node| {
                node.epoch == answer.epoch && matches!(node.status, TaskStatus::Ready | TaskStatus::Held)
            });
            if applies {
                self.answer_one(answer);
            }
        }
    }

    fn answer_one(&mut self, answer: Answer) {
        let Answer {
            node,
            choice,
            lease,
            usage,
            lookup,
            output,
            ..
        } = answer;
        let index = self.intern(without_due_time(&choice));
        match (&choice.verdict, lease) {
            (Verdict::Allow, _) if lookup.as_ref().is_some_and(|lookup| lookup.is_hit()) => {
                let lookup = lookup.expect("just looked at");
                self.emit(Event::TaskReused {
                    node,
                    choice: index,
                    lookup,
                    output,
                });
                self.cascade_from(node);
            }
            (Verdict::Allow, Some(LeaseAnswer::Taken)) => self.queue(node, index, usage, lookup),
            (Verdict::Allow, None) if choice.pools.is_empty() => self.queue(node, index, usage, lookup),
            (Verdict::Allow, Some(LeaseAnswer::Waiting { full })) => {
                self.hold(node, index, HoldReason::Pool, None, full);
            }
            (Verdict::Allow, Some(LeaseAnswer::Impossible { pool, .. })) => {
                self.hold(node, index, HoldReason::Policy, None, vec![pool]);
            }
            (Verdict::Allow, None) => {}
            (Verdict::Hold { reason, until }, _) => self.hold(node, index, *reason, *until, Vec::new()),
            (Verdict::Deny { on_denied }, _) => self.deny(node, index, *on_denied, &choice),
        }
    }

    /// The index of an equal choice, or of this one after recording it. The most recent choices are compared: a run
    /// uses few distinct ones, and a repeat costs bytes, not correctness.
    fn intern(&mut self, choice: Arc<Choice>) -> u32 {
        const COMPARED_MAX: usize = 32;
        let known = self.state.choices.iter().enumerate().rev().take(COMPARED_MAX);
        let found = known
            .into_iter()
            .find(|(_, known)| Arc::ptr_eq(known, &choice) || **known == choice);
        let index = match found {
            Some((index, _)) => index,
            None => {
                self.emit(Event::ChoiceMade { choice });
                self.state.choices.len() - 1
            }
        };
        u32::try_from(index).expect("a run makes fewer choices than it has nodes times attempts")
    }

    fn queue(&mut self, node: NodeIx, choice: u32, usage: Vec<u32>, lookup: Option<Arc<Lookup>>) {
        let attempt = self.state.node(node).attempt + 1;
        self.emit(Event::TaskQueued {
            node,
            attempt,
            choice,
            usage,
            lookup,
        });
    }

    fn hold(
        &mut self,
        node: NodeIx,
        choice: u32,
        hold: HoldReason,
        until: Option<Timestamp>,
        full: Vec<String>,
    ) {
        let current = self.state.node(node);
        let is_same = current.status == TaskStatus::Held
            && current.choice == Some(choice)
            && current.hold == Some(hold)
            && current.due_at == until
            && current.full_pools == full;
        if !is_same {
            self.emit(Event::TaskHeld {
                node,
                choice,
                hold,
                until,
                full,
            });
        }
    }

    fn deny(&mut self, node: NodeIx, index: u32, on_denied: OnDenied, choice: &Choice) {
        match on_denied {
            OnDenied::Hold => self.hold(node, index, HoldReason::Denied, None, Vec::new()),
            OnDenied::Skip => {
                self.emit(Event::TaskSkipped {
                    node,
                    reason: SkipReason::Denied { choice: index },
                });
                self.cascade_from(node);
            }
            OnDenied::Fail => {
                let message = choice.reason.clone();
                let failure = Failure {
                    class: FailureClass::Denied,
                    message,
                    exit_code: None,
                };
                self.emit(Event::TaskFailed {
                    node,
                    failure: Arc::new(failure),
                });
                self.cascade_from(node);
            }
        }
    }
}

/// When to ask again is a matter of one hold and is kept there ([`Event::TaskHeld`]); the choice is the same each time it
/// is given, however often a rule that holds a task for days is asked again.
fn without_due_time(choice: &Arc<Choice>) -> Arc<Choice> {
    match choice.verdict {
        Verdict::Hold {
            reason,
            until: Some(_),
        } => Arc::new(Choice {
            verdict: Verdict::Hold { reason, until: None },
            ..Choice::clone(choice)
        }),
        _ => Arc::clone(choice),
    }
}
