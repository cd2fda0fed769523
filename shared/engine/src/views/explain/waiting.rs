//! Tasks that have not been let go: what they wait for.

use std::collections::BTreeSet;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{RunStatus, TaskStatus};

use super::super::rollback::RollbackProgressView;
use super::super::task::HeldView;
use super::{Explained, Explainer, WaitView, quoted, trigger_text};

impl Explainer<'_> {
    pub(super) fn pending(&self) -> Explained {
        let task = self.state.task_of(self.node);
        if self.state.status == RunStatus::Pending {
            return Explained {
                answer: format!("'{}' waits because its run has not begun.", self.name()),
                because: vec![format!(
                    "Client '{}' has as many runs as its concurrent-run limit allows; this one begins when one of them ends.",
                    self.state.submission.client_id
                )],
                ..Explained::default()
            };
        }
        if let Some(explained) = self.rollback() {
            return explained;
        }
        let open = task
            .depends_on
            .iter()
            .filter(|up| !self.state.node(**up).status.is_terminal());
        let open: Vec<String> = open.map(|up| format!("'{}'", self.state.name_of(*up))).collect();
        let waits_for = self.frontier();
        let mut next_steps = Vec::new();
        for wait in &waits_for {
            next_steps.push(format!(
                "orchestrator explain {} {}  # why it has not ended",
                self.state.id(),
                quoted(&wait.task)
            ));
        }
        next_steps.truncate(3);
        Explained {
            answer: format!("'{}' waits for {}.", self.name(), open.join(", ")),
            because: vec![trigger_text(task.trigger).to_owned()],
            waits_for,
            next_steps,
        }
    }

    /// For what waits until a rollback has undone something: the task that is to be done again, or a later action.
    fn rollback(&self) -> Option<Explained> {
        let rollback = self.state.unfinished_rollback()?;
        let is_action = rollback.undos.contains(&self.node);
        if !is_action && !self.state.waits_for_rollback(self.node) {
            return None;
        }
        let progress = RollbackProgressView::of(self.state, rollback);
        let action = progress.action?;
        let mut because = vec![format!(
            "Rollback {} by '{}' ({}) has undone {} of {}.",
            rollback.number,
            rollback.asked.by,
            rollback.asked.reason.trim_end_matches('.'),
            progress.undone,
            progress.compensations
        )];
        if let Some(error) = &progress.error {
            because.push(format!("'{action}' FAILED: {}.", error.trim_end_matches('.')));
        }
        let id = self.state.id();
        Some(Explained {
            answer: format!(
                "'{}' waits until '{action}' has undone what was done.",
                self.name()
            ),
            because,
            next_steps: vec![format!(
                "orchestrator explain {id} {}  # how far it is",
                quoted(&action)
            )],
            ..Explained::default()
        })
    }

    /// The upstream tasks that are really open: those that do not themselves wait for upstream tasks.
    fn frontier(&self) -> Vec<WaitView> {
        const SHOWN_MAX: usize = 10;
        let mut seen = BTreeSet::new();
        let mut stack: Vec<NodeIx> = self
            .state
            .task_of(self.node)
            .depends_on
            .iter()
            .rev()
            .copied()
            .collect();
        let mut found = Vec::new();
        while let Some(node) = stack.pop() {
            let status = self.state.node(node).status;
            if status.is_terminal() || !seen.insert(node) || found.len() == SHOWN_MAX {
                continue;
            }
            if status == TaskStatus::Pending {
                stack.extend(self.state.task_of(node).depends_on.iter().rev());
                continue;
            }
            found.push(WaitView {
                task: self.state.name_of(node),
                status,
                why: self.why_open(node),
            });
        }
        found
    }

    fn why_open(&self, node: NodeIx) -> String {
        let entry = self.state.node(node);
        match entry.status {
            TaskStatus::Held => {
                HeldView::of(self.state, node).map_or_else(String::new, |held| held.explanation)
            }
            TaskStatus::RetryWait => match entry.due_at {
                Some(due) => format!("attempt {} failed, the next one is due at {due}", entry.attempt),
                None => format!("attempt {} failed", entry.attempt),
            },
            TaskStatus::Queued => format!("attempt {} was handed to its agent", entry.attempt),
            TaskStatus::Running => match entry.started_at {
                Some(started) => format!("attempt {} runs since {started}", entry.attempt.max(1)),
                None => "it runs".to_owned(),
            },
            _ => "the policy has not answered yet".to_owned(),
        }
    }

    pub(super) fn ready(&self) -> Explained {
        Explained {
            answer: format!("'{}' is READY: the policy is about to be asked.", self.name()),
            ..Explained::default()
        }
    }

    pub(super) fn held(&self) -> Explained {
        let entry = self.state.node(self.node);
        let held = HeldView::of(self.state, self.node);
        let explanation = held
            .as_ref()
            .map_or("it is held", |held| held.explanation.as_str());
        let mut because = self.recorded();
        let mut next_steps = Vec::new();
        if let Some(until) = held.as_ref().and_then(|held| held.until) {
            because.push(format!("It is asked about again at {until}."));
        }
        match entry.hold {
            Some(HoldReason::Pool) => {
                next_steps.push("orchestrator pools  # who holds the slots, who waits".to_owned());
                next_steps.push(format!(
                    "orchestrator priority {} 10  # to move the run's tasks ahead in the line",
                    self.state.id()
                ));
            }
            Some(HoldReason::Approval | HoldReason::Policy | HoldReason::Denied) => {
                next_steps.push(self.task_command("approve", "to let it run"));
                next_steps.push(self.task_command("reject", "to fail it"));
            }
            Some(HoldReason::Window | HoldReason::Budget) | None => {}
        }
        Explained {
            answer: format!("'{}' is HELD: {explanation}.", self.name()),
            because,
            next_steps,
            ..Explained::default()
        }
    }
}
