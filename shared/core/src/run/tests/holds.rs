//! Waiting: windows, pools, approvals, rules, denials.

use super::given::{allowed, held, pooled, tasks};
use super::script::Script;
use super::table::denied;
use crate::policy::HoldReason;
use crate::pool::LeaseAnswer;
use crate::run::{Command, Rejection, RunStatus, TaskStatus};
use crate::time::Timestamp;
use crate::workflow::OnDenied;

fn full() -> Option<LeaseAnswer> {
    Some(LeaseAnswer::Waiting {
        full: vec!["gpu".to_owned()],
    })
}

#[test]
fn a_window_holds_until_its_end_and_then_asks_again() {
    let mut run = Script::of(tasks(&["a"]));
    let until = Some(run.now + 5_000);
    run.answer("a", held(HoldReason::Window, until), None)
        .expect(&["ChoiceMade", "TaskHeld a"], &[]);
    assert_eq!(run.state.next_due(), until);
    run.tick_after(4_999).expect(&[], &[]);
    run.tick_after(1).expect(&["TaskReady a"], &["decide"]);
    assert_eq!(run.state.next_due(), None);
}

#[test]
fn the_same_answer_again_is_no_event() {
    let mut run = Script::of(tasks(&["a"]));
    for _ in 0..2 {
        run.answer("a", pooled(), full());
    }
    run.expect(&[], &[]);
}

#[test]
fn a_waiter_that_is_granted_its_slot_is_queued_under_the_key_it_waited_with() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", pooled(), full());
    let key = run.state.lease_key_of(run.node("a"));
    run.answer("a", pooled(), Some(LeaseAnswer::Taken))
        .expect(&["TaskQueued a"], &["dispatch a 1.1"]);
    assert_eq!(run.state.lease_key_of(run.node("a")), key);
}

#[test]
fn leaving_the_line_gives_the_place_back() {
    let held_for_pool = || {
        let mut run = Script::of(tasks(&["a", "b"]));
        run.answer("a", pooled(), full());
        run
    };
    let mut run = held_for_pool();
    run.answer("a", held(HoldReason::Window, Some(Timestamp(9_000))), None);
    assert_eq!(run.effects(), ["release a 1.1"]);
    let mut run = held_for_pool();
    run.answer("a", denied(OnDenied::Fail), None);
    assert_eq!(run.effects(), ["release a 1.1"]);
    let mut run = held_for_pool();
    run.cancel();
    assert_eq!(run.effects(), ["release a 1.1"]);
    let mut run = held_for_pool();
    run.rerun("a")
        .expect(&["TaskReset a", "TaskReady a"], &["release a 1.1", "decide"]);
}

/// A paused run must not keep slots it was granted from those who could use them.
#[test]
fn pausing_leaves_every_line_and_resuming_asks_again() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", pooled(), full()).pause();
    run.expect(&["RunPaused", "TaskReady a"], &["release a 1.1"]);
    run.resume().expect(&["RunResumed"], &["decide"]);
}

#[test]
fn an_impossible_demand_waits_for_a_person() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer(
        "a",
        pooled(),
        Some(LeaseAnswer::Impossible {
            pool: "gpu".to_owned(),
            capacity: Some(0),
        }),
    );
    run.expect_statuses("a HELD");
    let reject = run.reject_of("a");
    run.run(reject)
        .expect_statuses("a FAILED")
        .expect_run(RunStatus::Failed);
}

#[test]
fn an_approval_is_remembered_and_asked_about_again() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", held(HoldReason::Approval, None), None);
    let approve = run.approve_of("a");
    run.run(approve.clone()).expect(&["TaskApproved a"], &["decide"]);
    assert!(run.state.node(run.node("a")).approved);
    assert!(
        matches!(run.refused(approve), Rejection::WrongTaskStatus { .. }),
        "it no longer waits"
    );
    run.succeed("a").rerun("a");
    assert!(
        !run.state.node(run.node("a")).approved,
        "a new epoch needs a new approval"
    );
}

#[test]
fn only_what_waits_for_a_person_can_be_approved_or_rejected() {
    for reason in [HoldReason::Window, HoldReason::Pool, HoldReason::Budget] {
        let mut run = Script::of(tasks(&["a"]));
        match reason {
            HoldReason::Pool => run.answer("a", pooled(), full()),
            other => run.answer("a", held(other, None), None),
        };
        for command in [run.approve_of("a"), run.reject_of("a")] {
            assert!(
                matches!(run.refused(command), Rejection::WrongTaskStatus { .. }),
                "{reason:?}"
            );
        }
    }
}

#[test]
fn a_denied_action_follows_on_denied() {
    for (on_denied, status, run_status) in [
        (OnDenied::Skip, TaskStatus::Skipped, RunStatus::Success),
        (OnDenied::Fail, TaskStatus::Failed, RunStatus::Failed),
        (OnDenied::Hold, TaskStatus::Held, RunStatus::Running),
    ] {
        let mut run = Script::of(tasks(&["a"]));
        run.answer("a", denied(on_denied), None);
        assert_eq!(
            (run.status("a"), run.state.status),
            (status, run_status),
            "{on_denied:?}"
        );
    }
}

#[test]
fn answers_that_no_longer_apply_are_void() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    let early = run.answer_of("b", allowed(), None);
    run.run(early).expect(&[], &[]);
    let old = run.answer_of("a", allowed(), None);
    run.queue("a").rerun("a");
    run.run(old)
        .expect(&[], &[])
        .expect_statuses("a READY, b PENDING");
    run.pause();
    let paused = run.answer_of("a", allowed(), None);
    run.run(paused)
        .expect(&[], &[])
        .expect_statuses("a READY, b PENDING");
}

#[test]
fn a_new_priority_asks_about_waiters_again() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer("a", pooled(), full());
    let command = Command::SetPriority {
        by: "me".to_owned(),
        priority: 9,
    };
    run.run(command.clone()).expect(
        &["RunPriorityChanged", "TaskReady a"],
        &["release a 1.1", "decide"],
    );
    run.run(command).expect(&[], &[]);
    for priority in [0, 11] {
        let command = Command::SetPriority {
            by: "me".to_owned(),
            priority,
        };
        assert_eq!(run.refused(command), Rejection::PriorityOutOfRange(priority));
    }
}
