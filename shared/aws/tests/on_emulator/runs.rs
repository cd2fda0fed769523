//! Runs through the engine on the adapters, several processes working on them.

use crate::world::World;
use crate::world::process::{Process, load, request, submit, success, task};
use futures_util::future::join_all;
use orchestrator_core::ids::AttemptKey;
use orchestrator_core::policy::PoolDemand;
use orchestrator_core::pool::{LeaseRequest, WaiterOrder};
use orchestrator_core::run::{Event, RunStatus, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::messages::{Body, Candidates, Recovery};
use orchestrator_engine::ports::{DueIndex, Journal, LeaseAudit, Pools, RunIndex};
use orchestrator_engine::reclaim::Reclaimed;
use orchestrator_engine::record;
use serde_json::json;

/// Every event of a run.
async fn events(process: &Process, run: orchestrator_core::ids::RunId) -> Vec<Event> {
    let appends = process.ports().store.load(run, 0).await.expect("readable");
    let decoded = appends
        .iter()
        .map(|append| record::decode(&append.record).expect("a record").1);
    decoded.collect::<Vec<_>>().concat()
}

#[tokio::test]
async fn a_diamond_ends_well_with_two_processes_that_take_turns() {
    let world = World::new().await;
    let processes = [world.process().await, world.process().await];
    let tasks = json!([
        task("a", &[]),
        task("b", &["a"]),
        task("c", &["a"]),
        task("d", &["b", "c"])
    ]);
    let run = submit(&processes[0], &tasks).await;
    let state = world.work(run, &processes, &json!({"rows": 3})).await;
    assert_eq!(state.status, RunStatus::Success);
    let shown = world
        .store()
        .summary(run)
        .await
        .expect("readable")
        .expect("stored");
    assert_eq!(
        (shown.status, shown.finished_at),
        (RunStatus::Success, state.finished_at)
    );
    let due = world.store().due(Timestamp(i64::MAX), 10).await;
    assert_eq!(due, Ok(Vec::new()), "a run that has ended is not looked at");
}

#[tokio::test]
async fn ten_processes_that_decide_about_one_run_at_once_queue_every_task_once() {
    let world = World::new().await;
    let tasks: Vec<_> = (0..8).map(|n| task(&format!("t{n}"), &[])).collect();
    let processes = join_all((0..10).map(|_| world.process())).await;
    let run = submit(&processes[0], &json!(tasks)).await;
    let decide = [Body::Decide(Candidates::Ready)];
    let decided = join_all(processes.iter().map(|process| process.handle(run, &decide))).await;
    assert!(decided.iter().all(Result::is_ok), "{decided:?}");
    let queued = events(&processes[0], run).await;
    let queued = queued
        .iter()
        .filter(|event| matches!(event, Event::TaskQueued { .. }))
        .count();
    assert_eq!(queued, 8, "of concurrent decisions one counts");
    assert_eq!(
        world.tasks().await.len(),
        8,
        "and only that one hands its tasks over"
    );
}

#[tokio::test]
async fn a_message_that_was_lost_is_made_up_for_by_the_sweep() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    assert_eq!(world.messages().await.len(), 1, "the message that is lost");
    let store = &process.ports().store;
    let due = store.due(Timestamp(i64::MAX), 10).await.expect("readable");
    assert_eq!(store.postpone(due[0], Timestamp(1)).await, Ok(true));
    let swept = process.sweep(store, 10).await.expect("swept");
    assert_eq!((swept.runs, swept.is_full), (1, false));
    assert_eq!(
        process.sweep(store, 10).await.expect("swept").runs,
        0,
        "its next look is later"
    );
    let state = world.work(run, &[process], &json!(1)).await;
    assert_eq!(state.status, RunStatus::Success);
}

#[tokio::test]
async fn an_index_that_missed_the_end_is_repaired_when_the_run_is_recovered() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    let before = world
        .store()
        .summary(run)
        .await
        .expect("readable")
        .expect("stored");
    let state = world.work(run, std::slice::from_ref(&process), &json!(1)).await;
    // As if the process had died between the last append and the index.
    let table = world.table();
    let key = orchestrator_aws::table::keys::Key::append(run, 1);
    let update = table
        .update(&key)
        .update_expression("SET #s = :s, status_seq = :one, due_at = :one, due_shard = :d");
    let update = update
        .expression_attribute_names("#s", "status")
        .expression_attribute_values(":s", orchestrator_aws::table::item::text(before.status.as_str()))
        .expression_attribute_values(":one", orchestrator_aws::table::item::number(1))
        .expression_attribute_values(":d", orchestrator_aws::table::item::text("DUE#0"));
    assert_eq!(table.apply(update, 0, 0).await, Ok(true));
    process
        .handle(run, &[Body::Recover(Recovery::EVERYTHING)])
        .await
        .expect("handled");
    let shown = world
        .store()
        .summary(run)
        .await
        .expect("readable")
        .expect("stored");
    assert_eq!(shown.status, state.status);
    assert_eq!(world.store().due(Timestamp(i64::MAX), 10).await, Ok(Vec::new()));
}

#[tokio::test]
async fn a_retry_wakes_its_run_through_the_queue() {
    let world = World::new().await;
    let process = world.process().await;
    let mut flaky = task("a", &[]);
    flaky["retry"] = json!({"max_retries": 1, "backoff_base_s": 0.1, "backoff_max_s": 0.1});
    let run = submit(&process, &json!([flaky])).await;
    for message in world.messages().await {
        process.handle(run, &[message.body]).await.expect("handled");
    }
    let envelope = world.tasks().await.remove(0);
    let failed = json!({
        "run_id": run, "task_id": "a", "type": "TASK_FAILURE", "epoch": 1, "attempt": 1,
        "token": envelope["token"], "error": {"message": "no luck"},
    });
    let message = orchestrator_aws::messages::wire::decode(&failed.to_string()).expect("a report");
    process.handle(run, &[message.body]).await.expect("handled");
    assert_eq!(
        load(&process, run)
            .await
            .node(orchestrator_core::ids::NodeIx(0))
            .status,
        TaskStatus::RetryWait
    );
    let state = world.work(run, &[process], &json!(1)).await;
    assert_eq!(
        state.status,
        RunStatus::Success,
        "nobody but the delayed message told it that time had passed"
    );
}

#[tokio::test]
async fn a_report_with_another_token_is_dropped() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    for message in world.messages().await {
        process.handle(run, &[message.body]).await.expect("handled");
    }
    let mut envelope = world.tasks().await.remove(0);
    envelope["token"] = json!("0".repeat(64));
    world.report(&envelope, &json!(1)).await;
    for message in world.messages().await {
        process
            .handle(run, &[message.body])
            .await
            .expect("dropped, not refused");
    }
    assert_eq!(
        load(&process, run)
            .await
            .node(orchestrator_core::ids::NodeIx(0))
            .status,
        TaskStatus::Queued
    );
}

#[tokio::test]
async fn large_inputs_and_outputs_go_through_the_bucket() {
    let world = World::new().await;
    let process = world.process().await;
    let large = "x".repeat(300_000);
    let mut request = request(&process, &json!([task("a", &[]), task("b", &["a"])]));
    request.inputs = std::sync::Arc::new(json!({"text": large}));
    let run = request.run;
    process.submit(request).await.expect("stored");
    let other = world.process().await;
    let state = world.work(run, &[process, other], &json!({"text": large})).await;
    assert_eq!(state.status, RunStatus::Success);
    assert_eq!(state.submission.inputs["text"], json!(large));
}

#[tokio::test]
async fn an_attempt_without_a_place_to_go_fails_and_says_why() {
    let world = World::new().await;
    let process = world.process().await;
    let mut lonely = task("a", &[]);
    lonely["agent"] = json!("nobody");
    let run = submit(&process, &json!([lonely])).await;
    let state = world.work(run, &[process], &json!(1)).await;
    assert_eq!(state.status, RunStatus::Failed);
    let failure = state
        .node(orchestrator_core::ids::NodeIx(0))
        .failure
        .clone()
        .expect("a failure");
    assert!(
        failure.message.contains("agent 'nobody' has no queue"),
        "{}",
        failure.message
    );
}

#[tokio::test]
async fn a_kept_session_sees_what_another_process_has_appended() {
    let world = World::new().await;
    let (left, right) = (world.process().await, world.process().await);
    let run = submit(&left, &json!([task("a", &[]), task("b", &["a"])])).await;
    let decide = [Body::Decide(Candidates::Ready)];
    right.handle(run, &decide).await.expect("handled");
    let first = load(&right, run).await.live().next().expect("a task is queued");
    left.handle(run, &[success(first)]).await.expect("handled");
    right.handle(run, &decide).await.expect("handled");
    let queued = load(&left, run)
        .await
        .live()
        .next()
        .expect("the next task is queued");
    assert_eq!(
        queued.node,
        orchestrator_core::ids::NodeIx(1),
        "a stale session would have found nothing to do"
    );
}

#[tokio::test]
async fn a_lease_whose_turn_died_is_given_back_by_the_audit_and_a_held_one_is_not() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    process
        .handle(run, &[Body::Decide(Candidates::Ready)])
        .await
        .expect("handled");
    let held = load(&process, run).await.live().next().expect("a live attempt");
    let pools = &process.ports().pools;
    let demands = vec![PoolDemand {
        pool: "cpu".to_owned(),
        slots: 1,
    }];
    // A turn took a slot for what would have been the next append, and died.
    let lost = LeaseRequest {
        key: AttemptKey { attempt: 2, ..held },
        demands,
        order: WaiterOrder(0),
        seq: process.load(run).await.expect("readable").seq() + 1,
    };
    pools.take(std::slice::from_ref(&lost)).await.expect("reachable");
    assert_eq!(
        process.reclaim(pools, 10).await.expect("done"),
        Reclaimed::default(),
        "young leases are believed"
    );
    pools
        .confirm(&[held, lost.key], Timestamp(1))
        .await
        .expect("reachable");
    let reclaimed = process.reclaim(pools, 10).await.expect("done");
    assert_eq!((reclaimed.confirmed, reclaimed.released), (1, 1));
    let used: u32 = pools
        .usage()
        .await
        .expect("reachable")
        .iter()
        .map(|pool| pool.used)
        .sum();
    assert_eq!(used, 1);
}
