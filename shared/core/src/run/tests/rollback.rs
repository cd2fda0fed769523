//! Taking a run back: the set, the plan, and that the plan is what happens.

use std::sync::Arc;

use serde_json::json;

use super::given::{SUCCESS, allowed, expression, failure, held, pooled, tasks, undoable, with};
use super::script::Script;
use crate::policy::HoldReason;
use crate::pool::LeaseAnswer;
use crate::run::rollback::{Plan, PlanToken, PlannedTask, Target, Why};
use crate::run::{Command, FailureClass, Rejection, ReportKind, RunStatus, TaskStatus};

/// `a -> b -> c`, and `x` beside them.
fn chain() -> Script {
    Script::of(tasks(&["a", "b <- a", "c <- b", "x"]))
}

/// Lets the task succeed after so many milliseconds.
fn succeed_after(run: &mut Script, name: &str, millis: u64) {
    run.start(name);
    run.now = run.now + millis;
    run.report(name, SUCCESS);
}

/// `b SUCCESS step 1; c PENDING downstream of b`: what goes back and why.
fn members(run: &Script, plan: &Plan) -> String {
    let names = |nodes: &[crate::ids::NodeIx]| {
        let names: Vec<String> = nodes.iter().map(|node| run.state.name_of(*node)).collect();
        names.join(", ")
    };
    let why = |task: &PlannedTask| match task.why {
        Why::Step(step) => format!("step {step}"),
        Why::Named => "named".to_owned(),
        Why::Downstream => format!("downstream of {}", names(&task.upstream)),
    };
    let shown: Vec<String> = plan
        .tasks
        .iter()
        .map(|task| format!("{} {} {}", run.state.name_of(task.node), task.status, why(task)))
        .collect();
    shown.join("; ")
}

#[test]
fn steps_are_the_last_successes_by_the_time_they_ended_with_what_is_downstream() {
    let mut run = chain();
    succeed_after(&mut run, "a", 10);
    succeed_after(&mut run, "b", 20);
    succeed_after(&mut run, "x", 30);
    run.start("c");
    let table = [
        ("1 step", "x SUCCESS step 1"),
        (
            "2 steps",
            "x SUCCESS step 1; b SUCCESS step 2; c RUNNING downstream of b",
        ),
        (
            "3 steps",
            "a SUCCESS step 3; x SUCCESS step 1; b SUCCESS step 2; c RUNNING downstream of b",
        ),
        ("to b", "b SUCCESS named; c RUNNING downstream of b"),
        ("tasks c x", "x SUCCESS named; c RUNNING named"),
        ("tasks c c b", "b SUCCESS named; c RUNNING named"),
    ];
    for (request, expected) in table {
        assert_eq!(members(&run, &run.plan(request)), expected, "{request}");
    }
}

#[test]
fn of_tasks_that_ended_together_what_is_further_downstream_counts_as_later() {
    let mut run = Script::of(tasks(&["a", "b <- a", "c <- b"]));
    run.succeed("a").succeed("b").succeed("c");
    assert_eq!(members(&run, &run.plan("1 step")), "c SUCCESS step 1");
    assert_eq!(
        members(&run, &run.plan("2 steps")),
        "b SUCCESS step 2; c SUCCESS step 1"
    );
}

#[test]
fn the_plan_says_what_is_stopped_dropped_restored_and_done_again() {
    let mut run = Script::of(with(tasks(&["a", "b <- a", "c <- b"]), "b", |task| {
        task.cache = true
    }));
    succeed_after(&mut run, "a", 10);
    run.start("b")
        .report("b", ReportKind::Checkpoint(Arc::new(json!({"epoch": 7}))));
    run.now = run.now + 50;
    run.report(
        "b",
        ReportKind::Success {
            started_at: None,
            output: Some(Arc::new(json!({"loss": 1}))),
        },
    );
    run.answer("c", pooled(), Some(LeaseAnswer::Taken));
    let plan = run.plan("to b");
    let [b, c] = plan.tasks.as_slice() else {
        panic!("{plan:?}")
    };
    let checkpoint = b.checkpoint.as_deref().map(|checkpoint| &*checkpoint.value);
    assert_eq!(
        (checkpoint, b.drops_checkpoint),
        (Some(&json!({"epoch": 7})), false)
    );
    assert_eq!((b.output_bytes, b.drops_cached, b.redo_ms), (Some(10), true, 50));
    assert_eq!((c.stops.len(), c.stops[0].attempt, c.redo_ms), (1, 1, 0));
    assert_eq!((plan.redo_ms, plan.reopens), (50, None));
    let fresh = run.plan("to b, fresh");
    assert_eq!(
        (
            fresh.tasks[0].checkpoint.as_deref(),
            fresh.tasks[0].drops_checkpoint
        ),
        (None, true)
    );
    assert_ne!(fresh.token, plan.token, "another request is another plan");
}

#[test]
fn applied_it_resets_the_set_stops_what_lives_and_keeps_the_checkpoint() {
    let mut run = chain();
    run.succeed("a")
        .start("b")
        .report("b", ReportKind::Checkpoint(Arc::new(json!("k"))));
    run.report("b", SUCCESS)
        .answer("c", pooled(), Some(LeaseAnswer::Taken));
    let zombie = run.key("c");
    run.roll_back("1 step").expect(
        &["RolledBack", "TaskReset b", "TaskReset c", "TaskReady b"],
        &["stop c 1.1", "release c 1.1", "decide"],
    );
    run.expect_statuses("a SUCCESS, b READY, c PENDING, x READY");
    let b = run.state.node(run.node("b"));
    assert_eq!(
        (b.epoch, b.attempt, b.attempts_total),
        (2, 0, 1),
        "retries start over, the total stays"
    );
    let checkpoint = b.checkpoint.as_deref().map(|checkpoint| &*checkpoint.value);
    assert_eq!(checkpoint, Some(&json!("k")));
    run.report_of(zombie, SUCCESS)
        .expect(&["ReportRefused c"], &["release c 1.1"]);
    run.succeed("b")
        .succeed("c")
        .succeed("x")
        .expect_run(RunStatus::Success);
}

#[test]
fn fresh_drops_the_checkpoints_of_the_set_and_no_others() {
    let mut run = chain();
    let checkpoint = || ReportKind::Checkpoint(Arc::new(json!(1)));
    run.start("a").report("a", checkpoint()).report("a", SUCCESS);
    run.start("b").report("b", checkpoint()).report("b", SUCCESS);
    run.roll_back("1 step, fresh");
    assert_eq!(run.state.node(run.node("b")).checkpoint, None);
    let kept = &run.state.node(run.node("a")).checkpoint;
    let kept = kept.as_deref().map(|checkpoint| &*checkpoint.value);
    assert_eq!(kept, Some(&json!(1)));
}

#[test]
fn runs_that_have_ended_go_on_and_a_paused_one_stays_paused() {
    let mut run = chain();
    run.succeed("a")
        .succeed("x")
        .fail("b")
        .expect_run(RunStatus::Failed);
    assert_eq!(run.plan("to b").reopens, Some(RunStatus::Failed));
    run.roll_back("to b").expect(
        &[
            "RolledBack",
            "RunReopened",
            "TaskReset b",
            "TaskReset c",
            "TaskReady b",
        ],
        &["decide"],
    );
    run.expect_run(RunStatus::Running)
        .succeed("b")
        .succeed("c")
        .expect_run(RunStatus::Success);
    run.roll_back("to a").expect_run(RunStatus::Running).pause();
    run.roll_back("to a")
        .expect_run(RunStatus::Paused)
        .expect_statuses("a READY, b PENDING, c PENDING, x SUCCESS");
    assert_eq!(run.effects(), [""; 0], "a paused run decides nothing");
}

#[test]
fn a_cancelled_run_goes_on_with_what_was_cancelled_beside_the_set() {
    let mut run = Script::of(tasks(&["a", "b <- a", "c <- b", "y", "z <- y"]));
    run.succeed("a")
        .start("y")
        .cancel()
        .expect_run(RunStatus::Cancelled);
    let plan = run.plan("1 step");
    assert_eq!(
        members(&run, &plan),
        "a SUCCESS step 1; b CANCELLED downstream of a; c CANCELLED downstream of b"
    );
    let resumed: Vec<String> = plan
        .resumed
        .iter()
        .map(|task| run.state.name_of(task.node))
        .collect();
    assert_eq!(resumed, ["y", "z"]);
    run.roll_back("1 step")
        .expect_statuses("a READY, b PENDING, c PENDING, y READY, z PENDING")
        .expect_run(RunStatus::Running);
}

/// HELD in line, HELD for a person, RETRY_WAIT, FAILED, SKIPPED: all of them start over.
#[test]
fn whatever_state_its_tasks_are_in_the_set_starts_over() {
    let lines = [
        "a",
        "line <- a",
        "person <- a",
        "again <- a",
        "bad <- a",
        "not <- bad",
        "late <- again",
    ];
    let mut run = Script::of(tasks(&lines));
    run.succeed("a")
        .answer(
            "line",
            pooled(),
            Some(LeaseAnswer::Waiting {
                full: vec!["gpu".to_owned()],
            }),
        )
        .answer("person", held(HoldReason::Approval, None), None)
        .answer("again", allowed(), None)
        .report("again", ReportKind::Failure(failure(FailureClass::Transient)))
        .fail("bad");
    run.expect_statuses(
        "a SUCCESS, line HELD, person HELD, again RETRY_WAIT, bad FAILED, not SKIPPED, late PENDING",
    );
    let plan = run.plan("1 step");
    assert_eq!(
        plan.tasks.len(),
        6,
        "a task that has not been reached has nothing to go back from"
    );
    let line = run.node("line");
    assert_eq!(plan.tasks[1].leaves_line, [line]);
    run.roll_back("1 step").expect_statuses(
        "a READY, line PENDING, person PENDING, again PENDING, bad PENDING, not PENDING, late PENDING",
    );
    assert_eq!(run.effects(), ["release line 1.1", "decide"]);
    assert_eq!(run.state.next_due(), None, "no retry is due any more");
}

#[test]
fn a_for_each_task_is_one_step_and_its_items_are_given_up() {
    let mut run = Script::of(with(
        tasks(&["load", "each <- load", "join <- each"]),
        "each",
        |task| {
            task.for_each = expression("tasks.load.output");
        },
    ));
    run.succeed_with("load", json!(["x", "y"]))
        .succeed("each[0]")
        .start("each[1]");
    let item = run.refused(run.rollback_of("to each[0]"));
    assert_eq!(item.code(), "task.no-task");
    let plan = run.plan("1 step");
    assert_eq!(
        members(&run, &plan),
        "load SUCCESS step 1; each RUNNING downstream of load"
    );
    assert_eq!((plan.tasks[1].items, plan.tasks[1].stops.len()), (2, 1));
    run.roll_back("1 step")
        .expect_statuses("load READY, each PENDING, join PENDING");
    run.succeed_with("load", json!([1]))
        .succeed("each[0]")
        .succeed("join")
        .expect_run(RunStatus::Success);
    run.roll_back("2 steps")
        .expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] READY");
}

#[test]
fn what_cannot_be_taken_back_is_refused_with_a_reason() {
    let mut run = chain();
    run.succeed("a");
    let code = |run: &mut Script, request: &str| {
        let command = run.rollback_of(request);
        run.refused(command).code()
    };
    assert_eq!(code(&mut run, "0 steps"), "rollback.no-steps");
    assert_eq!(code(&mut run, "2 steps"), "rollback.too-many-steps");
    assert_eq!(code(&mut run, "to c"), "task.wrong-status");
    assert_eq!(code(&mut run, "tasks a c"), "task.wrong-status");
    let mut with_target = |target| {
        let Command::Rollback { mut request, .. } = run.rollback_of("1 step") else {
            unreachable!("it was just made")
        };
        request.target = target;
        let (token, by, reason) = (None, String::new(), "why".to_owned());
        run.refused(Command::Rollback {
            request,
            token,
            by,
            reason,
        })
        .code()
    };
    assert_eq!(with_target(Target::Tasks(Vec::new())), "rollback.no-steps");
    assert_eq!(
        with_target(Target::ToTask(crate::ids::NodeIx(99))),
        "task.unknown"
    );
    let Command::Rollback { request, .. } = run.rollback_of("1 step") else {
        unreachable!("it was just made")
    };
    let (token, by, reason) = (None, String::new(), "  ".to_owned());
    let silent = Command::Rollback {
        request,
        token,
        by,
        reason,
    };
    assert_eq!(run.refused(silent), Rejection::NoReason);
    let mut waiting = Script::submitted(tasks(&["a"]), json!({}), true);
    assert_eq!(code(&mut waiting, "to a"), "run.wrong-status");
}

#[test]
fn a_plan_that_was_shown_is_applied_or_refused_never_another_one() {
    let mut run = chain();
    run.succeed("a").succeed("b");
    let shown = run.plan("1 step").token;
    let apply = |run: &Script, token: PlanToken| match run.rollback_of("1 step") {
        Command::Rollback {
            request, by, reason, ..
        } => Command::Rollback {
            request,
            token: Some(token),
            by,
            reason,
        },
        other => unreachable!("{other:?}"),
    };
    // Progress that the plan does not name leaves it valid.
    run.start("x");
    assert_eq!(run.plan("1 step").token, shown);
    // A task of the set moves on: the plan is another one.
    run.queue("c");
    let moved = run.refused(apply(&run, shown));
    assert_eq!(moved.code(), "rollback.plan-changed");
    let shown = run.plan("1 step").token;
    run.run(apply(&run, shown));
    assert_eq!(run.status("b"), TaskStatus::Ready);
    // The answer was lost and the same is asked again: nothing is taken back twice.
    assert_eq!(run.refused(apply(&run, shown)).code(), "rollback.plan-changed");
}

#[test]
fn parameters_without_a_value_refuse_the_rollback_before_anything_happens() {
    let tasks = with(undoable(tasks(&["a"]), &["a"]), "a", |task| {
        let undo = task.compensate.as_mut().expect("it has one");
        undo.params = crate::workflow::Template::new(json!("${tasks.a.output.path}"));
    });
    let mut run = Script::of(tasks);
    run.succeed_with("a", json!({"other": 1}));
    let refused = run.refused(run.rollback_of("1 step"));
    assert_eq!(refused.code(), "rollback.cannot-undo");
    assert!(
        refused.to_string().starts_with("'a' cannot be undone: "),
        "{refused}"
    );
}
