//! What was done is undone before it is done again.

use serde_json::json;

use super::given::{expression, failure, tasks, undoable, with};
use super::script::Script;
use crate::run::rollback::Progress;
use crate::run::{Command, FailureClass, ReportKind, RunStatus, TaskStatus};
use crate::workflow::{Task, Template};

/// `a -> b -> c`, of which `a` and `c` can be undone, and `x` beside them.
fn chain() -> Vec<Task> {
    undoable(tasks(&["a", "b <- a", "c <- b", "x"]), &["a", "c"])
}

/// All three have succeeded, `x` works.
fn done() -> Script {
    let mut run = Script::of(chain());
    run.succeed_with("a", json!("file a"))
        .succeed("b")
        .succeed_with("c", json!("file c"))
        .start("x");
    run
}

#[test]
fn one_after_the_other_downstream_first_and_only_then_is_anything_done_again() {
    let mut run = done();
    run.roll_back("3 steps").expect(
        &[
            "RolledBack",
            "CompensationPlanned c",
            "CompensationPlanned a",
            "TaskReset a",
            "TaskReset b",
            "TaskReset c",
            "TaskReady undo:c#1",
        ],
        &["decide"],
    );
    run.expect_statuses("a PENDING, b PENDING, c PENDING, x RUNNING, undo:c#1 READY, undo:a#1 PENDING");
    let undo = run.state.task_of(run.node("undo:c#1"));
    assert_eq!((undo.agent.as_str(), undo.action.as_str()), ("cleaner", "undo_c"));
    assert_eq!(
        **undo.params.raw(),
        json!({"made": "file c"}),
        "the output is gone, the parameters have it"
    );
    run.succeed("undo:c#1")
        .expect(&["TaskSucceeded undo:c#1", "TaskReady undo:a#1"], &["decide"]);
    run.succeed("undo:a#1")
        .expect(&["TaskSucceeded undo:a#1", "TaskReady a"], &["decide"]);
    assert_eq!(run.state.progress_of(&run.state.rollbacks()[0]), Progress::Done);
    run.succeed("a").succeed("b").succeed("c");
    run.report("x", super::given::SUCCESS)
        .expect_run(RunStatus::Success);
}

#[test]
fn what_upstream_does_in_the_meantime_does_not_let_the_set_go() {
    let tasks = with(tasks(&["up", "a <- up", "b <- up, a : any_success"]), "a", |_| {});
    let mut run = Script::of(undoable(tasks, &["a"]));
    run.succeed("up").succeed("a");
    run.roll_back("to a")
        .expect_statuses("up SUCCESS, a PENDING, b PENDING, undo:a#1 READY");
    run.tick_after(1)
        .expect_statuses("up SUCCESS, a PENDING, b PENDING, undo:a#1 READY");
    run.succeed("undo:a#1")
        .expect_statuses("up SUCCESS, a READY, b READY, undo:a#1 SUCCESS");
}

#[test]
fn only_what_succeeded_is_undone() {
    let mut run = Script::of(chain());
    run.succeed_with("a", json!(1)).succeed("b").start("c");
    let undone: Vec<String> = run
        .plan("2 steps")
        .compensations
        .iter()
        .map(|undo| run.state.name_of(undo.of))
        .collect();
    assert_eq!(undone, ["a"]);
}

#[test]
fn an_action_is_retried_and_when_it_fails_for_good_the_run_pauses_and_goes_on_from_there() {
    let mut run = done();
    run.roll_back("3 steps").queue("undo:c#1");
    run.report("undo:c#1", ReportKind::Failure(failure(FailureClass::Transient)))
        .expect(&["AttemptFailed undo:c#1"], &[]);
    run.tick_after(60_000).fail("undo:c#1");
    run.expect(&["TaskFailed undo:c#1", "RollbackStopped undo:c#1"], &[])
        .expect_run(RunStatus::Paused);
    let stopped = Progress::Stopped(run.node("undo:c#1"));
    assert_eq!(run.state.progress_of(&run.state.rollbacks()[0]), stopped);
    run.resume().expect(
        &["RunResumed", "TaskReset undo:c#1", "TaskReady undo:c#1"],
        &["decide"],
    );
    assert_eq!(run.key("undo:c#1").epoch, 2);
    run.succeed("undo:c#1")
        .succeed("undo:a#1")
        .expect_statuses("a READY, b PENDING, c PENDING, x RUNNING, undo:c#1 SUCCESS, undo:a#1 SUCCESS");
}

#[test]
fn a_cancelled_rollback_is_finished_by_a_retry_before_anything_else() {
    let mut run = done();
    run.roll_back("3 steps")
        .start("undo:c#1")
        .cancel()
        .expect_run(RunStatus::Cancelled);
    let at = Progress::Cancelled(run.node("undo:c#1"));
    assert_eq!(run.state.progress_of(&run.state.rollbacks()[0]), at);
    assert_eq!(run.refused(run.rollback_of("to x")).code(), "rollback.unfinished");
    run.retry()
        .expect_statuses("a PENDING, b PENDING, c PENDING, x READY, undo:c#1 READY, undo:a#1 PENDING");
    run.succeed("undo:c#1")
        .succeed("undo:a#1")
        .succeed("a")
        .succeed("b")
        .succeed("c")
        .succeed("x");
    run.expect_run(RunStatus::Success);
}

#[test]
fn until_everything_is_undone_nothing_else_is_taken_back_or_done_again() {
    let mut run = done();
    run.roll_back("1 step");
    for command in [run.rollback_of("to x"), run.rerun_of("x")] {
        assert_eq!(run.refused(command).code(), "rollback.unfinished");
    }
    let action = run.rerun_of("undo:c#1");
    assert_eq!(run.refused(action).code(), "task.no-task");
    run.succeed("undo:c#1").rerun("x");
}

#[test]
fn every_item_that_succeeded_is_undone_with_its_own_item_and_output() {
    let fan = with(tasks(&["load", "each <- load"]), "each", |task| {
        task.for_each = expression("tasks.load.output");
    });
    let fan = with(undoable(fan, &["each"]), "each", |task| {
        let undo = task.compensate.as_mut().expect("it has one");
        undo.params = Template::new(json!({"item": "${item}", "made": "${tasks.each.output.file}"}));
    });
    let mut run = Script::of(fan);
    run.succeed_with("load", json!(["x", "y", "z"]));
    run.succeed_with("each[0]", json!({"file": 0}))
        .fail("each[1]")
        .succeed_with("each[2]", json!({"file": 2}));
    run.roll_back("to each");
    run.expect_statuses("load SUCCESS, each PENDING, undo:each[2]#1 READY, undo:each[0]#1 PENDING");
    let params = |name: &str| run.state.task_of(run.node(name)).params.raw().clone();
    assert_eq!(*params("undo:each[2]#1"), json!({"item": "z", "made": 2}));
    assert_eq!(*params("undo:each[0]#1"), json!({"item": "x", "made": 0}));
    run.succeed("undo:each[2]#1").succeed("undo:each[0]#1");
    assert_eq!(run.status("each"), TaskStatus::Running);
}

#[test]
fn a_second_rollback_has_actions_of_its_own() {
    let mut run = done();
    run.roll_back("1 step")
        .succeed("undo:c#1")
        .succeed_with("c", json!("file again"));
    run.roll_back("1 step")
        .expect_statuses("a SUCCESS, b SUCCESS, c PENDING, x RUNNING, undo:c#1 SUCCESS, undo:c#2 READY");
    assert_eq!(
        **run.state.task_of(run.node("undo:c#2")).params.raw(),
        json!({"made": "file again"})
    );
}

#[test]
fn a_run_that_is_paused_in_between_undoes_nothing_new() {
    let mut run = done();
    run.roll_back("3 steps").start("undo:c#1").pause();
    run.report("undo:c#1", super::given::SUCCESS)
        .expect(&["TaskSucceeded undo:c#1", "TaskReady undo:a#1"], &[]);
    run.resume().expect(&["RunResumed"], &["decide"]);
    run.fail("undo:a#1").expect_run(RunStatus::Paused);
    let reject = run.reject_of("undo:a#1");
    assert!(matches!(reject, Command::Reject { .. }));
    assert_eq!(run.refused(reject).code(), "task.wrong-status");
}

#[test]
fn what_a_person_has_undone_by_hand_is_approved_and_the_rest_goes_on() {
    let mut run = done();
    run.roll_back("3 steps")
        .fail("undo:c#1")
        .expect_run(RunStatus::Paused);
    let later = run.approve_of("undo:a#1");
    assert_eq!(
        run.refused(later).code(),
        "task.wrong-status",
        "it has not had its turn"
    );
    let approve = run.approve_of("undo:c#1");
    run.run(approve)
        .expect(&["CompensationWaived undo:c#1", "TaskReady undo:a#1"], &[]);
    run.resume().expect(&["RunResumed"], &["decide"]);
    run.succeed("undo:a#1")
        .expect_statuses("a READY, b PENDING, c PENDING, x RUNNING, undo:c#1 SUCCESS, undo:a#1 SUCCESS");
}
