//! What agents say, and when they are not listened to.

use std::sync::Arc;

use serde_json::json;

use super::given::{SUCCESS, failure, tasks};
use super::script::Script;
use crate::ids::{AttemptKey, NodeIx};
use crate::run::{Command, FailureClass, Progress, Rejection, Report, ReportKind, RunStatus, TaskStatus};

fn progress() -> ReportKind {
    ReportKind::Progress(Arc::new(Progress {
        percent: Some(50.0),
        message: None,
    }))
}

#[test]
fn progress_and_checkpoints_imply_the_start() {
    for kind in [progress(), ReportKind::Checkpoint(Arc::new(json!("here")))] {
        let mut run = Script::of(tasks(&["a"]));
        run.queue("a").report("a", kind);
        assert_eq!(run.status("a"), TaskStatus::Running);
        assert_eq!(run.state.node(NodeIx(0)).started_at, Some(run.now));
    }
}

#[test]
fn repeated_reports_change_nothing() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    run.start("a").report("a", ReportKind::Started).expect(&[], &[]);
    run.report("a", SUCCESS)
        .expect(&["TaskSucceeded a", "TaskReady b"], &["decide"]);
    run.report("a", SUCCESS).expect(&[], &[]);
    run.report("a", ReportKind::Started).expect(&[], &[]);
    let mut run = Script::of(tasks(&["a", "b"]));
    run.queue("a")
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    assert_eq!(run.status("a"), TaskStatus::RetryWait);
    run.report("a", ReportKind::Failure(failure(FailureClass::Error)))
        .expect(&[], &[]);
}

#[test]
fn a_terminal_attempt_never_changes_again() {
    let mut run = Script::of(tasks(&["a", "b"]));
    run.succeed("a")
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    run.expect(&["ReportRefused a"], &[])
        .expect_statuses("a SUCCESS, b READY");
    run.report("a", progress()).expect(&["ReportRefused a"], &[]);
    run.fail("b")
        .report("b", SUCCESS)
        .expect(&["ReportRefused b"], &[])
        .expect_run(RunStatus::Failed);
}

#[test]
fn zombies_of_earlier_attempts_and_epochs_are_refused_and_recorded() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a");
    let first = run.key("a");
    run.report("a", ReportKind::Failure(failure(FailureClass::Error)))
        .tick_after(60_000)
        .queue("a");
    run.report_of(first, SUCCESS)
        .expect(&["ReportRefused a"], &[])
        .expect_statuses("a QUEUED");
    let second = run.key("a");
    run.rerun("a").queue("a");
    run.report_of(second, SUCCESS)
        .expect(&["ReportRefused a"], &[])
        .expect_statuses("a QUEUED");
    run.report("a", SUCCESS).expect_run(RunStatus::Success);
    assert_eq!(run.key("a").epoch, 2);
}

#[test]
fn a_report_from_the_future_or_about_nothing_changes_nothing() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a");
    let future = AttemptKey {
        attempt: 2,
        ..run.key("a")
    };
    run.report_of(future, SUCCESS)
        .expect(&["ReportRefused a"], &[])
        .expect_statuses("a QUEUED");
    let report = Report {
        node: NodeIx(7),
        epoch: 1,
        attempt: 1,
        kind: SUCCESS,
    };
    assert!(matches!(
        run.refused(Command::Report(report)),
        Rejection::UnknownTask(_)
    ));
}

#[test]
fn refused_reports_are_recorded_up_to_a_limit() {
    let mut run = Script::of(tasks(&["a", "b"]));
    run.succeed("a");
    let recorded = (0..1_100)
        .filter(|_| {
            run.report("a", ReportKind::Failure(failure(FailureClass::Error)));
            !run.events().is_empty()
        })
        .count();
    assert_eq!(recorded, 1_000);
}

#[test]
fn reports_count_while_the_run_is_paused() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    run.queue("a")
        .pause()
        .report("a", SUCCESS)
        .expect(&["TaskSucceeded a", "TaskReady b"], &[]);
    run.resume().expect(&["RunResumed"], &["decide"]);
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a")
        .pause()
        .report("a", SUCCESS)
        .expect_run(RunStatus::Success);
}

#[test]
fn a_zombie_is_stopped_until_it_reports_its_end() {
    let mut run = Script::of(tasks(&["a"]));
    run.start("a");
    let zombie = run.key("a");
    run.rerun("a")
        .expect(&["TaskReset a", "TaskReady a"], &["stop a 1.1", "decide"]);
    run.report_of(zombie, progress());
    assert!(
        run.state.fenced().any(|key| key == zombie),
        "it still works: progress is not its end"
    );
    run.report_of(zombie, SUCCESS);
    assert_eq!(run.state.fenced().count(), 0);
}

#[test]
fn a_start_reported_by_a_clock_that_is_ahead_is_not_after_the_end() {
    let mut run = Script::of(tasks(&["a"]));
    let kind = ReportKind::Success {
        started_at: Some(run.now + 5_000),
        output: None,
    };
    run.queue("a").report("a", kind);
    assert_eq!(run.state.node(NodeIx(0)).started_at, Some(run.now));
}
