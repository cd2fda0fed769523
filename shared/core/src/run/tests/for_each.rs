//! Fan-out over a list known only at run time.

use serde_json::json;

use super::given::{SUCCESS, expression, failure, pooled, tasks, with};
use super::script::Script;
use crate::pool::LeaseAnswer;
use crate::run::{FailureClass, RunStatus, TaskStatus};
use crate::workflow::{Task, Template};

/// `load`, then `each` over its output, then `join`.
fn fan() -> Vec<Task> {
    with(tasks(&["load", "each <- load", "join <- each"]), "each", |task| {
        task.for_each = expression("tasks.load.output");
    })
}

fn fanned_out(items: serde_json::Value) -> Script {
    let mut run = Script::of(fan());
    run.succeed_with("load", items);
    run
}

#[test]
fn one_child_an_item_and_the_outputs_in_item_order() {
    let mut run = fanned_out(json!(["x", "y"]));
    run.expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] READY, each[1] READY");
    run.succeed_with("each[1]", json!(1))
        .succeed_with("each[0]", json!(0));
    run.expect(
        &["TaskSucceeded each[0]", "GroupSucceeded each", "TaskReady join"],
        &["decide"],
    );
    assert_eq!(
        run.state.node(run.node("each")).output.as_deref(),
        Some(&json!([0, 1]))
    );
    run.succeed("join").expect_run(RunStatus::Success);
}

#[test]
fn an_empty_list_succeeds_with_an_empty_list() {
    let mut run = fanned_out(json!([]));
    run.expect_statuses("load SUCCESS, each SUCCESS, join READY");
    assert_eq!(
        run.state.node(run.node("each")).output.as_deref(),
        Some(&json!([]))
    );
}

#[test]
fn no_list_fails_the_task() {
    fanned_out(json!({"a": 1}))
        .expect_statuses("load SUCCESS, each FAILED, join SKIPPED")
        .expect_run(RunStatus::Failed);
}

#[test]
fn the_group_ends_when_the_last_child_has_ended() {
    let mut run = fanned_out(json!([1, 2, 3]));
    run.fail("each[1]").expect_statuses(
        "load SUCCESS, each RUNNING, join PENDING, each[0] READY, each[1] FAILED, each[2] READY",
    );
    run.succeed("each[0]").succeed("each[2]");
    run.expect(
        &[
            "TaskSucceeded each[2]",
            "TaskFailed each",
            "TaskSkipped join",
            "RunFailed",
        ],
        &[],
    );
    assert_eq!(run.state.failed(), 1, "children count in their group only");
}

#[test]
fn retry_keeps_successful_children() {
    let mut run = fanned_out(json!([1, 2]));
    run.succeed_with("each[0]", json!("kept")).fail("each[1]").retry();
    run.expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] SUCCESS, each[1] READY");
    run.succeed_with("each[1]", json!("new"));
    assert_eq!(
        run.state.node(run.node("each")).output.as_deref(),
        Some(&json!(["kept", "new"]))
    );
    run.succeed("join").expect_run(RunStatus::Success);
}

#[test]
fn retry_after_cancel_goes_on_with_the_children_that_were_open() {
    let mut run = fanned_out(json!([1, 2]));
    run.succeed("each[0]")
        .start("each[1]")
        .cancel()
        .expect_run(RunStatus::Cancelled);
    run.retry();
    run.expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] SUCCESS, each[1] READY");
}

#[test]
fn a_reset_of_what_feeds_it_retires_the_children() {
    let mut run = fanned_out(json!([1, 2]));
    run.answer("each[0]", pooled(), Some(LeaseAnswer::Taken))
        .report("each[0]", crate::run::ReportKind::Started);
    run.succeed("each[1]");
    let (zombie, done) = (run.key("each[0]"), run.key("each[1]"));
    run.rerun("load").expect(
        &["TaskReset load", "TaskReset each", "TaskReady load"],
        &["stop each[0] 1.1", "release each[0] 1.1", "decide"],
    );
    assert_eq!(
        run.state.node(done.node).status,
        TaskStatus::Success,
        "a terminal attempt never changes again"
    );
    run.expect_statuses("load READY, each PENDING, join PENDING");
    run.report_of(zombie, SUCCESS)
        .expect(&["ReportRefused each[0]"], &["release each[0] 1.1"]);
    run.succeed_with("load", json!([7]));
    run.expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] READY");
    assert!(
        run.key("each[0]").node > zombie.node,
        "new children are new nodes"
    );
    run.succeed("each[0]")
        .succeed("join")
        .expect_run(RunStatus::Success);
}

#[test]
fn rerunning_a_child_reopens_its_group_and_what_follows() {
    let mut run = fanned_out(json!([1, 2]));
    run.succeed("each[0]")
        .succeed("each[1]")
        .succeed("join")
        .expect_run(RunStatus::Success);
    run.rerun("each[0]");
    run.expect(
        &[
            "RunReopened",
            "GroupReopened each",
            "TaskReset each[0]",
            "TaskReady each[0]",
            "TaskReset join",
        ],
        &["decide"],
    );
    run.expect_statuses("load SUCCESS, each RUNNING, join PENDING, each[0] READY, each[1] SUCCESS");
    run.succeed("each[0]")
        .succeed("join")
        .expect_run(RunStatus::Success);
}

#[test]
fn rerunning_a_live_child_of_a_running_group_starts_only_that_child_over() {
    let mut run = fanned_out(json!([1, 2]));
    run.start("each[0]").rerun("each[0]");
    run.expect(
        &["TaskReset each[0]", "TaskReady each[0]"],
        &["stop each[0] 1.1", "decide"],
    );
}

/// Items 0 and 2 have `x`; item 1 has not, so its parameters have no value, now and after every retry.
#[test]
fn a_child_that_cannot_start_ends_its_group_again_on_retry_and_rerun() {
    let tasks = with(fan(), "each", |task| {
        task.params = Template::new(json!({"x": "${item.x}"}))
    });
    let mut run = Script::of(tasks);
    run.succeed_with("load", json!([{"x": 1}, {"y": 1}]));
    run.succeed("each[0]").expect_run(RunStatus::Failed);
    run.retry().expect_run(RunStatus::Failed);
    run.expect_statuses("load SUCCESS, each FAILED, join SKIPPED, each[0] SUCCESS, each[1] FAILED");
    run.rerun("each[1]").expect_run(RunStatus::Failed);
}

#[test]
fn a_child_fails_over_to_its_own_retries() {
    let mut run = fanned_out(json!([1]));
    run.queue("each[0]").report(
        "each[0]",
        crate::run::ReportKind::Failure(failure(FailureClass::Transient)),
    );
    run.expect(&["AttemptFailed each[0]"], &[])
        .tick_after(60_000)
        .succeed("each[0]");
    assert_eq!(run.status("each"), TaskStatus::Success);
}

#[test]
fn an_expansion_inside_a_cancelled_and_retried_run_is_not_repeated() {
    let mut run = fanned_out(json!([1, 2]));
    let nodes = run.state.nodes().len();
    run.cancel().retry();
    assert_eq!(
        run.state.nodes().len(),
        nodes,
        "the items are kept when nothing upstream starts over"
    );
}
