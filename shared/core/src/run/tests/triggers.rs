//! When a task may run, given how its upstream tasks ended.

use serde_json::json;

use super::given::{expression, tasks, with};
use super::script::Script;
use crate::run::{RunStatus, TaskStatus};
use crate::workflow::Template;

/// How upstream tasks `a` and `b` end, and what becomes of `t` under each trigger, after `a` and after `b`.
#[test]
fn every_trigger_looks_at_every_pair_of_upstream_ends() {
    let table = [
        // a, b, trigger, t after a, t after b
        ("S", "S", "all_success", "PENDING", "READY"),
        ("S", "F", "all_success", "PENDING", "SKIPPED"),
        ("F", "S", "all_success", "SKIPPED", "SKIPPED"),
        ("K", "S", "all_success", "SKIPPED", "SKIPPED"),
        ("S", "S", "all_done", "PENDING", "READY"),
        ("F", "K", "all_done", "PENDING", "READY"),
        ("K", "K", "all_done", "PENDING", "READY"),
        ("S", "F", "any_success", "READY", "READY"),
        ("F", "S", "any_success", "PENDING", "READY"),
        ("F", "K", "any_success", "PENDING", "SKIPPED"),
        ("S", "K", "none_failed", "PENDING", "READY"),
        ("K", "K", "none_failed", "PENDING", "READY"),
        ("F", "S", "none_failed", "SKIPPED", "SKIPPED"),
        ("K", "F", "none_failed", "PENDING", "SKIPPED"),
    ];
    for (a, b, trigger, after_a, after_b) in table {
        let mut run = Script::of(tasks(&["a", "b", &format!("t <- a, b : {trigger}")]));
        for (upstream, end, expected) in [("a", a, after_a), ("b", b, after_b)] {
            match end {
                "S" => run.succeed(upstream),
                "F" => run.fail(upstream),
                _ => run.answer(upstream, super::table::denied_skip(), None),
            };
            assert_eq!(
                run.status("t").as_str(),
                expected,
                "{a} {b} {trigger}, after {upstream}"
            );
        }
    }
}

#[test]
fn a_chain_runs_in_order_to_success() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    run.expect(&["RunSubmitted", "RunAdmitted", "TaskReady a"], &["decide"]);
    run.queue("a")
        .expect(&["ChoiceMade", "TaskQueued a"], &["dispatch a 1.1"]);
    run.report("a", super::given::SUCCESS)
        .expect(&["TaskSucceeded a", "TaskReady b"], &["decide"]);
    run.succeed("b")
        .expect(&["TaskSucceeded b", "RunSucceeded"], &[])
        .expect_run(RunStatus::Success);
}

#[test]
fn an_equal_choice_is_recorded_once() {
    let mut run = Script::of(tasks(&["a", "b"]));
    run.queue("a")
        .expect(&["ChoiceMade", "TaskQueued a"], &["dispatch a 1.1"]);
    run.queue("b").expect(&["TaskQueued b"], &["dispatch b 1.1"]);
}

#[test]
fn a_skip_spreads_down_the_graph_at_once() {
    let mut run = Script::of(tasks(&["a", "b <- a", "c <- b", "d <- c : all_done"]));
    run.fail("a")
        .expect_statuses("a FAILED, b SKIPPED, c SKIPPED, d READY");
    run.succeed("d").expect_run(RunStatus::Failed);
}

#[test]
fn a_false_condition_skips_and_the_run_still_succeeds() {
    let tasks = with(tasks(&["a", "b <- a", "c <- b : none_failed"]), "b", |task| {
        task.when = expression("tasks.a.output.go");
    });
    let mut run = Script::of(tasks);
    run.succeed_with("a", json!({"go": false}))
        .expect_statuses("a SUCCESS, b SKIPPED, c READY");
    run.succeed("c").expect_run(RunStatus::Success);
}

#[test]
fn a_condition_that_is_not_true_or_false_fails_the_task() {
    for source in ["tasks.a.output.go", "tasks.a.output.missing"] {
        let tasks = with(tasks(&["a", "b <- a"]), "b", |task| {
            task.when = expression(source)
        });
        let mut run = Script::of(tasks);
        run.succeed_with("a", json!({"go": 3}));
        assert_eq!(run.status("b"), TaskStatus::Failed, "{source}");
        assert_eq!(run.state.status, RunStatus::Failed, "{source}");
    }
}

#[test]
fn a_parameter_without_a_value_fails_the_task_before_anyone_is_asked() {
    let tasks = with(tasks(&["a", "b <- a : all_done"]), "b", |task| {
        task.params = Template::new(json!({"x": "${tasks.a.output.x}"}));
    });
    let mut run = Script::of(tasks);
    run.fail("a")
        .expect(&["TaskFailed a", "TaskFailed b", "RunFailed"], &[]);
}

#[test]
fn a_run_of_nothing_but_skips_succeeds_at_once() {
    let tasks = with(tasks(&["a", "b <- a"]), "a", |task| {
        task.when = expression("false")
    });
    let mut run = Script::of(tasks);
    run.expect(
        &[
            "RunSubmitted",
            "RunAdmitted",
            "TaskSkipped a",
            "TaskSkipped b",
            "RunSucceeded",
        ],
        &[],
    );
}

#[test]
fn a_run_waits_for_its_place_and_gives_it_back() {
    let mut run = Script::submitted(tasks(&["a"]), json!({}), true);
    run.expect(&["RunSubmitted"], &["admit"])
        .expect_run(RunStatus::Pending);
    run.run(crate::run::Command::Admit)
        .expect(&["RunAdmitted", "TaskReady a"], &["decide"]);
    run.run(crate::run::Command::Admit).expect(&[], &[]);
    run.succeed("a")
        .expect(&["TaskSucceeded a", "RunSucceeded"], &["release the run's place"]);
}
