//! Cancel, pause, resume, retry, rerun, approve, reject.

use serde_json::json;

use super::given::{SUCCESS, pooled, tasks};
use super::script::Script;
use crate::ids::NodeIx;
use crate::pool::LeaseAnswer;
use crate::run::{Command, Rejection, ReportKind, RunStatus};

#[test]
fn cancel_ends_everything_open_and_stops_what_works() {
    let mut run = Script::of(tasks(&["a", "b", "c <- a", "d"]));
    run.succeed("a")
        .answer("b", pooled(), Some(LeaseAnswer::Taken))
        .cancel();
    run.expect(
        &[
            "TaskCancelled b",
            "TaskCancelled c",
            "TaskCancelled d",
            "RunCancelled",
        ],
        &["stop b 1.1", "release b 1.1"],
    );
    run.expect_statuses("a SUCCESS, b CANCELLED, c CANCELLED, d CANCELLED")
        .expect_run(RunStatus::Cancelled);
    assert_eq!(run.state.cancelled, Some(("me".to_owned(), "enough".to_owned())));
}

#[test]
fn a_run_cancelled_before_its_place_came_does_not_start() {
    let mut run = Script::submitted(tasks(&["a"]), json!({}), true);
    run.cancel()
        .expect(&["TaskCancelled a", "RunCancelled"], &["release the run's place"]);
    run.run(Command::Admit)
        .expect(&[], &[])
        .expect_run(RunStatus::Cancelled);
}

#[test]
fn a_paused_run_decides_nothing_new() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    run.start("a")
        .pause()
        .report("a", SUCCESS)
        .expect_statuses("a SUCCESS, b READY");
    assert_eq!(run.effects(), [""; 0]);
    run.resume().expect(&["RunResumed"], &["decide"]);
}

#[test]
fn retry_starts_what_failed_over_and_keeps_successes() {
    let mut run = Script::of(tasks(&["a", "b", "c <- a, b", "d <- c : all_done", "e <- a"]));
    run.succeed("a")
        .succeed("e")
        .fail("b")
        .succeed("d")
        .expect_run(RunStatus::Failed);
    run.retry();
    run.expect(
        &[
            "RunReopened",
            "TaskReset b",
            "TaskReset c",
            "TaskReset d",
            "TaskReady b",
        ],
        &["decide"],
    );
    run.expect_statuses("a SUCCESS, b READY, c PENDING, d PENDING, e SUCCESS");
    run.succeed("b")
        .succeed("c")
        .succeed("d")
        .expect_run(RunStatus::Success);
}

#[test]
fn a_run_is_cancelled_and_retried_before_it_was_admitted() {
    let mut run = Script::submitted(tasks(&["a"]), json!({}), true);
    run.cancel()
        .retry()
        .expect_statuses("a READY")
        .expect_run(RunStatus::Running);
}

#[test]
fn rerun_starts_the_task_and_everything_downstream_over() {
    let mut run = Script::of(tasks(&["a", "b <- a", "c <- b", "x"]));
    run.succeed("a").start("b");
    let zombie = run.key("b");
    run.rerun("a").expect(
        &["TaskReset a", "TaskReset b", "TaskReady a"],
        &["stop b 1.1", "decide"],
    );
    run.expect_statuses("a READY, b PENDING, c PENDING, x READY");
    run.report_of(zombie, ReportKind::Started)
        .expect(&["ReportRefused b"], &[]);
}

#[test]
fn rerun_reopens_an_ended_run() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    run.succeed("a").succeed("b").rerun("b");
    run.expect(&["RunReopened", "TaskReset b", "TaskReady b"], &["decide"])
        .expect_run(RunStatus::Running);
    run.succeed("b").expect_run(RunStatus::Success);
}

#[test]
fn a_run_that_ran_over_keeps_the_checkpoint_of_the_last_attempt() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a")
        .report("a", ReportKind::Checkpoint(std::sync::Arc::new(json!("step 3"))))
        .rerun("a");
    assert_eq!(
        run.state
            .node(NodeIx(0))
            .checkpoint
            .as_deref()
            .map(|last| &*last.value),
        Some(&json!("step 3"))
    );
}

/// A command's name, and how it is made for an operator.
type NamedCommand = (&'static str, fn(String) -> Command);

/// Every operator command on every state of a run.
#[test]
fn operators_are_refused_where_a_command_makes_no_sense() {
    let submitted = || Script::submitted(tasks(&["a", "b <- a"]), json!({}), true);
    let in_state = |status: RunStatus| {
        let mut run = submitted();
        match status {
            RunStatus::Pending => return run,
            RunStatus::Cancelled => drop(run.run(Command::Admit).start("a").cancel()),
            RunStatus::Running => drop(run.run(Command::Admit).start("a")),
            RunStatus::Paused => drop(run.run(Command::Admit).start("a").pause()),
            RunStatus::Success => drop(run.run(Command::Admit).succeed("a").succeed("b")),
            RunStatus::Failed => drop(run.run(Command::Admit).fail("a")),
            other => unreachable!("{other} comes with translation"),
        }
        run.expect_run(status);
        run
    };
    let by = || "me".to_owned();
    let commands: [NamedCommand; 6] = [
        ("cancel", |by| Command::Cancel {
            by,
            reason: String::new(),
        }),
        ("pause", |by| Command::Pause { by }),
        ("resume", |by| Command::Resume { by }),
        ("retry", |by| Command::Retry { by }),
        ("rerun", |by| Command::Rerun { node: NodeIx(0), by }),
        ("priority", |by| Command::SetPriority { by, priority: 3 }),
    ];
    let table = [
        (RunStatus::Pending, "cancel priority"),
        (RunStatus::Running, "cancel pause rerun priority"),
        (RunStatus::Paused, "cancel resume rerun priority"),
        (RunStatus::Success, "rerun"),
        (RunStatus::Failed, "retry rerun"),
        (RunStatus::Cancelled, "retry rerun"),
    ];
    for (status, accepted) in table {
        for (name, command) in &commands {
            let mut run = in_state(status);
            let result = run.attempt(command(by()));
            assert_eq!(
                result.is_ok(),
                accepted.split(' ').any(|known| known == *name),
                "{name} on {status}: {result:?}"
            );
        }
    }
}

#[test]
fn commands_about_unknown_tasks_are_refused() {
    let mut run = Script::of(tasks(&["a"]));
    let node = NodeIx(9);
    let by = "me".to_owned();
    for command in [
        Command::Rerun { node, by: by.clone() },
        Command::Approve { node, by: by.clone() },
        Command::Reject {
            node,
            by,
            reason: String::new(),
        },
    ] {
        assert!(matches!(run.refused(command), Rejection::UnknownTask(_)));
    }
}

#[test]
fn a_task_not_reached_yet_cannot_be_rerun() {
    let mut run = Script::of(tasks(&["a", "b <- a"]));
    let command = run.rerun_of("b");
    assert!(matches!(run.refused(command), Rejection::WrongTaskStatus { .. }));
}
