//! Deadlines, of the workflow or of a task.

use super::fields::{Fields, Place};
use super::report::Report;
use super::values::{seconds, whole, word};
use crate::sla::{OnBreach, SlaSpec};
use crate::workflow::document::Node;
use crate::workflow::problem::Code;

const KEYS: [&str; 7] = [
    "task_max_seconds",
    "workflow_max_seconds",
    "queue_max_seconds",
    "heartbeat_seconds",
    "warn_percent",
    "on_breach",
    "on_workflow_breach",
];
/// Keys about the run as a whole.
const OF_THE_RUN: [&str; 2] = ["workflow_max_seconds", "on_workflow_breach"];

/// Deadlines of a workflow: of the run, and of tasks that do not say otherwise.
pub(super) fn of_workflow(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<SlaSpec> {
    let fields = Fields::of(node, *place, &KEYS, report)?;
    let percent =
        |node: &Node<'_>, place: &Place<'_>, report: &mut Report| whole(node, place, 1..=100, report);
    Some(SlaSpec {
        task_max_seconds: fields.read("task_max_seconds", report, seconds),
        workflow_max_seconds: fields.read("workflow_max_seconds", report, seconds),
        queue_max_seconds: fields.read("queue_max_seconds", report, seconds),
        heartbeat_seconds: fields.read("heartbeat_seconds", report, seconds),
        warn_percent: fields
            .read("warn_percent", report, percent)
            .and_then(|percent| u8::try_from(percent).ok()),
        on_breach: fields.read("on_breach", report, on_breach),
        on_workflow_breach: fields.read("on_workflow_breach", report, on_workflow_breach),
    })
}

/// Deadlines of one task.
pub(super) fn of_task(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<SlaSpec> {
    let spec = of_workflow(node, place, report)?;
    for key in OF_THE_RUN {
        if let Some(node) = node.get(key) {
            let message = format!("'{key}' has no meaning for one task");
            report.error(
                node.at,
                Code::BadValue,
                place,
                message,
                "move it to the workflow's 'sla'",
            );
        }
    }
    Some(spec)
}

fn on_breach(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<OnBreach> {
    word(
        node,
        place,
        &OnBreach::ALL.map(|word| (word.as_str(), word)),
        report,
    )
}

fn on_workflow_breach(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<OnBreach> {
    let breach = on_breach(node, place, report)?;
    if breach == OnBreach::Retry {
        report.error(
            node.at,
            Code::BadValue,
            place,
            "'retry' has no meaning for a whole run",
            "use alert, cancel or fail; 'on_breach: retry' retries single tasks",
        );
        return None;
    }
    Some(breach)
}
