//! Retries, backoff and timeouts.

use super::given::{SUCCESS, allowed, failure, pooled, tasks};
use super::script::Script;
use crate::policy::{Choice, RetryRule};
use crate::pool::LeaseAnswer;
use crate::run::{FailureClass, ReportKind, RunStatus, TaskStatus};

fn retrying(auto: bool, max_retries: u32) -> Choice {
    Choice {
        retry: RetryRule {
            auto,
            max_retries,
            backoff_base_ms: 1_000,
            backoff_max_ms: 4_000,
        },
        ..allowed()
    }
}

#[test]
fn only_classes_that_may_pass_are_retried() {
    for class in FailureClass::ALL {
        let mut run = Script::of(tasks(&["a"]));
        run.queue("a").report("a", ReportKind::Failure(failure(class)));
        let expected = match class {
            FailureClass::Transient | FailureClass::Error | FailureClass::Timeout | FailureClass::Lost => {
                TaskStatus::RetryWait
            }
            _ => TaskStatus::Failed,
        };
        assert_eq!(run.status("a"), expected, "{class:?}");
    }
}

#[test]
fn retries_are_counted_within_the_epoch_and_bounded() {
    let mut run = Script::of(tasks(&["a"]));
    for attempt in 1..=3 {
        run.answer("a", retrying(true, 2), None)
            .report("a", ReportKind::Failure(failure(FailureClass::Error)));
        assert_eq!(run.state.node(run.node("a")).attempt, attempt);
        run.tick_after(4_000);
    }
    run.expect_statuses("a FAILED").expect_run(RunStatus::Failed);
    run.retry()
        .answer("a", retrying(true, 2), None)
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    run.expect_statuses("a RETRY_WAIT");
    assert_eq!(
        run.state.node(run.node("a")).attempts_total,
        4,
        "the total goes on across epochs"
    );
}

#[test]
fn what_the_policy_does_not_retry_fails_at_once() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", retrying(false, 5), None)
        .report("a", ReportKind::Failure(failure(FailureClass::Transient)));
    run.expect_statuses("a FAILED");
}

#[test]
fn the_due_time_is_stored_and_comes_once() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a")
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    let due = run.state.next_due().expect("a retry is due");
    assert!(due <= run.now + 1_000);
    run.now = due;
    run.tick_after(0).expect(&["TaskReady a"], &["decide"]);
    run.tick_after(60_000).expect(&[], &[]);
    assert_eq!(
        run.key("a").attempt,
        1,
        "the attempt is counted when it is queued"
    );
}

#[test]
fn the_slots_are_given_back_between_attempts() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", pooled(), Some(LeaseAnswer::Taken))
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    run.expect(&["AttemptFailed a"], &["release a 1.1"]);
}

#[test]
fn a_timeout_counts_from_the_start_and_stops_the_agent() {
    let choice = || Choice {
        timeout_ms: Some(10_000),
        ..pooled()
    };
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", choice(), Some(LeaseAnswer::Taken))
        .tick_after(60_000)
        .expect(&[], &[]);
    run.report("a", ReportKind::Started)
        .tick_after(9_999)
        .expect(&[], &[]);
    run.tick_after(1)
        .expect(&["AttemptFailed a"], &["stop a 1.1", "release a 1.1"]);
    let zombie = run.key("a");
    run.report_of(zombie, SUCCESS)
        .expect(&["ReportRefused a"], &["release a 1.1"])
        .expect_statuses("a RETRY_WAIT");
}

#[test]
fn a_clock_that_goes_backwards_only_delays() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a")
        .report("a", ReportKind::Failure(failure(FailureClass::Error)));
    run.now = crate::time::Timestamp(-5_000);
    run.tick_after(0)
        .expect(&[], &[])
        .tick_after(100_000)
        .expect_statuses("a READY");
}
