//! Deadlines: tables of histories on a simulated clock, and the alerts each must lead to.
//!
//! Every history is lived through twice: with a timer that comes exactly when something is due, as in the embedded host,
//! and with a sweep that looks once a minute. The times may differ, the breaches and what ends well may not.

mod attempts;
mod case;
mod history;
mod runs;
mod waits;

use std::collections::BTreeSet;

use serde_json::json;

use super::given::{SUCCESS, allowed, expression, failure, pooled, tasks, with};
use super::script::Script;
use crate::policy::Choice;
use crate::pool::LeaseAnswer;
use crate::run::{Command, FailureClass, ReportKind, RunStatus};
use crate::sla::OnBreach;
use case::Step::Queue;
use case::{Case, HEARTBEAT, TASK, WORKFLOW, on_breach, warns_at};
use history::{History, START};

fn cases() -> impl Iterator<Item = &'static Case> {
    [waits::CASES, attempts::CASES, runs::CASES].into_iter().flatten()
}

/// What was breached and what was resolved, whenever it was noticed and however late it was by then.
fn essence(alerts: &[String]) -> BTreeSet<String> {
    let essence = |alert: &String| {
        let words: Vec<&str> = alert
            .split(' ')
            .skip(1)
            .filter(|word| *word != "warned")
            .collect();
        let kind = words
            .iter()
            .position(|word| matches!(*word, "queue" | "task" | "heartbeat" | "workflow"))?;
        matches!(words.first(), Some(&"breached" | &"resolved")).then(|| words[..=kind].join(" "))
    };
    alerts.iter().filter_map(essence).collect()
}

#[test]
fn every_history_leads_to_the_alerts_in_the_table() {
    for case in cases() {
        let mut history = History::of(case, true);
        case.steps.iter().for_each(|step| history.step(*step));
        assert_eq!(history.alerts(), case.alerts, "{}", case.name);
        assert_eq!(history.run.status("t"), case.ends, "{}", case.name);
    }
}

#[test]
fn a_sweep_once_a_minute_finds_the_same() {
    // An attempt that is ended between two looks is ended a little later; what comes after differs.
    let has_next_attempt = |case: &Case| {
        case.steps.iter().filter(|step| matches!(step, Queue)).count() > 1 && case.task.on_breach.is_some()
    };
    for case in cases().filter(|case| !has_next_attempt(case)) {
        let mut history = History::of(case, false);
        case.steps.iter().for_each(|step| history.step(*step));
        // The last look.
        history.run.run(Command::Tick);
        let expected: Vec<String> = case.alerts.iter().map(|alert| (*alert).to_owned()).collect();
        assert_eq!(essence(&history.alerts()), essence(&expected), "{}", case.name);
    }
}

#[test]
fn what_a_deadline_ends_is_stopped_and_gives_back_its_slots() {
    for (spec, class) in [
        (on_breach(TASK, OnBreach::Retry), FailureClass::Timeout),
        (HEARTBEAT, FailureClass::Lost),
    ] {
        let tasks = with(tasks(&["t", "other"]), "t", |task| task.sla = spec);
        let mut run = Script::of(tasks);
        run.answer("t", pooled(), Some(LeaseAnswer::Taken))
            .report("t", ReportKind::Started);
        run.tick_after(100_001).expect(
            &["SlaBreached t", "AttemptFailed t", "SlaResolved t"],
            &["stop t 1.1", "release t 1.1"],
        );
        let failed = run.state.node(run.node("t")).failure.clone();
        assert_eq!(failed.map(|failure| failure.class), Some(class));
        assert_eq!(
            run.state.fenced().count(),
            1,
            "whoever comes back late is refused"
        );
        let zombie = run.key("t");
        run.report_of(zombie, SUCCESS)
            .expect(&["ReportRefused t"], &["release t 1.1"])
            .expect_statuses("t RETRY_WAIT, other READY");
    }
}

#[test]
fn a_lost_worker_that_its_host_reports_is_not_fenced() {
    let tasks = with(tasks(&["t"]), "t", |task| task.sla = HEARTBEAT);
    let mut run = Script::of(tasks);
    run.start("t")
        .report("t", ReportKind::Failure(failure(FailureClass::Lost)));
    assert_eq!(run.state.fenced().count(), 0);
}

#[test]
fn what_follows_from_a_cancelled_task() {
    let tasks = with(tasks(&["t", "down <- t"]), "t", |task| {
        task.sla = on_breach(TASK, OnBreach::Cancel);
    });
    let mut run = Script::of(tasks);
    run.start("t").tick_after(100_001);
    run.expect_statuses("t CANCELLED, down SKIPPED")
        .expect_run(RunStatus::Failed);
    run.retry()
        .expect_run(RunStatus::Running)
        .expect_statuses("t READY, down PENDING");
}

#[test]
fn a_late_run_is_ended_by_the_sla() {
    for (action, status) in [
        (OnBreach::Cancel, RunStatus::Cancelled),
        (OnBreach::Fail, RunStatus::Failed),
    ] {
        let spec = on_breach(WORKFLOW, action);
        let mut run = Script::with_deadlines(tasks(&["a", "b <- a"]), json!({}), true, spec);
        run.tick_after(100_001)
            .expect_run(status)
            .expect_statuses("a CANCELLED, b CANCELLED");
        assert_eq!(
            run.effects().last().map(String::as_str),
            Some("release the run's place")
        );
    }
}

#[test]
fn children_have_deadlines_of_their_own_and_their_task_has_none() {
    let tasks = with(tasks(&["up", "t <- up"]), "t", |task| {
        task.sla = TASK;
        task.for_each = expression("[1, 2]");
    });
    let mut run = Script::of(tasks);
    run.succeed("up").start("t[0]");
    run.tick_after(50_000).start("t[1]");
    run.tick_after(60_000).expect(&["SlaBreached t[0]"], &[]);
    assert_eq!(run.state.violations().len(), 1);
    run.rerun("up");
    assert_eq!(
        run.state.violations().len(),
        0,
        "children that are left behind are resolved"
    );
    assert_eq!(run.state.next_deadline(), None);
}

#[test]
fn both_a_timer_and_a_deadline_come_in_their_order() {
    let choice = |timeout_ms| Choice {
        timeout_ms: Some(timeout_ms),
        ..allowed()
    };
    let spec = warns_at(TASK, 100);
    for (timeout_ms, expected) in [
        (100_000, vec!["SlaBreached t", "AttemptFailed t", "SlaResolved t"]),
        (200_000, vec!["SlaBreached t"]),
    ] {
        let tasks = with(tasks(&["t"]), "t", |task| task.sla = spec);
        let mut run = Script::of(tasks);
        run.answer("t", choice(timeout_ms), None)
            .report("t", ReportKind::Started)
            .tick_after(150_000);
        assert_eq!(run.events(), expected);
    }
}

#[test]
fn looking_costs_what_is_due() {
    let names: Vec<String> = (0..1_000).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Script::with_deadlines(tasks(&names), json!({}), false, TASK);
    for name in &names[..3] {
        run.start(name);
    }
    run.now = run.now + 50_000;
    for name in &names[3..50] {
        run.start(name);
    }
    assert_eq!(run.state.next_deadline(), Some(START + 80_000));
    run.tick_after(30_000);
    assert_eq!(run.events(), ["SlaWarned t0", "SlaWarned t1", "SlaWarned t2"]);
}
