//! Deadlines through the adapters: wake-ups, looks, alerts, and what they cost.

use std::time::Duration;

use futures_util::future::join_all;
use orchestrator_core::run::{Event, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::messages::{Body, Recovery};
use orchestrator_engine::ports::{DueIndex as _, Journal as _};
use orchestrator_engine::record;
use orchestrator_engine::views::SlaView;
use serde_json::{Value, json};

use crate::world::World;
use crate::world::process::{Process, load, submit, task};

fn with_sla(sla: Value) -> Value {
    let mut task = task("a", &[]);
    task["sla"] = sla;
    json!([task])
}

async fn alerts(process: &Process, run: orchestrator_core::ids::RunId) -> Vec<Event> {
    let appends = process.ports().store.load(run, 0).await.expect("readable");
    let events = appends
        .iter()
        .flat_map(|append| record::decode(&append.record).expect("a record").1);
    events.filter(|event| event.alert_key().is_some()).collect()
}

async fn board(world: &World) -> SlaView {
    let process = world.process().await;
    let now = orchestrator_engine::ports::Ports::clock(process.ports());
    let now = orchestrator_engine::ports::Clock::now(now);
    world.store().sla(None, 50, now).await.expect("readable")
}

/// Handles what has been sent, once; says what came.
async fn deliver(world: &World, process: &Process) -> Vec<Body> {
    let messages = world.messages().await;
    for message in &messages {
        let handled = process.handle(message.run, std::slice::from_ref(&message.body));
        handled.await.expect("handled");
    }
    messages.into_iter().map(|message| message.body).collect()
}

#[tokio::test]
async fn usual_deadlines_cost_no_message_and_short_ones_a_wake_up() {
    let world = World::new().await;
    let process = world.process().await;
    for (sla, wakes) in [(json!({}), 0), (json!({"queue_max_seconds": 1.5}), 1)] {
        let before = process.ports().clients.meter.counts().sqs_requests;
        submit(&process, &with_sla(sla)).await;
        let decided = deliver(&world, &process).await;
        assert_eq!(decided.len(), 1, "{decided:?}");
        let after = process.ports().clients.meter.counts().sqs_requests;
        assert_eq!(
            after - before,
            2 + wakes,
            "the decision, the task, and the wake-up"
        );
    }
}

#[tokio::test]
async fn a_task_that_is_never_started_is_said_once_whoever_looks() {
    let world = World::new().await;
    let processes = [world.process().await, world.process().await];
    let sla = json!({"queue_max_seconds": 0.5, "warn_percent": 100});
    let run = submit(&processes[0], &with_sla(sla)).await;
    deliver(&world, &processes[0]).await;
    tokio::time::sleep(Duration::from_millis(600)).await;
    let store = &processes[0].ports().store;
    let due = store.due(Timestamp(i64::MAX), 10).await.expect("readable");
    assert_eq!(store.postpone(due[0], Timestamp(1)).await, Ok(true));
    let sweeps = processes
        .iter()
        .map(|process| process.sweep(&process.ports().store, 10));
    let swept = join_all(sweeps).await;
    assert!(swept.iter().all(Result::is_ok), "{swept:?}");
    let recover = [Body::Recover(Recovery::EVERYTHING)];
    let handled = join_all(processes.iter().map(|process| process.handle(run, &recover))).await;
    assert!(handled.iter().all(Result::is_ok), "{handled:?}");
    let said = alerts(&processes[0], run).await;
    assert!(matches!(said.as_slice(), [Event::SlaBreached { .. }]), "{said:?}");
    let published: u64 = processes
        .iter()
        .map(|process| process.ports().clients.meter.counts().events)
        .sum();
    // The run was submitted, admitted, and late.
    assert_eq!(published, 3);
    let board = board(&world).await;
    assert_eq!((board.active_total, board.recent.len()), (1, 1), "{board:?}");
}

#[tokio::test]
async fn what_is_late_leads_to_what_was_asked_for() {
    for (action, expected) in [
        ("retry", TaskStatus::RetryWait),
        ("cancel", TaskStatus::Cancelled),
        ("fail", TaskStatus::Failed),
    ] {
        let world = World::new().await;
        let process = world.process().await;
        let sla = json!({"queue_max_seconds": 0.3, "on_breach": action, "warn_percent": 100});
        let run = submit(&process, &with_sla(sla)).await;
        deliver(&world, &process).await;
        tokio::time::sleep(Duration::from_millis(400)).await;
        process.handle(run, &[Body::Tick]).await.expect("handled");
        let state = load(&process, run).await;
        let node = state.find("a").expect("the task");
        assert_eq!(state.node(node).status, expected, "{action}");
        let board = board(&world).await;
        assert_eq!(
            (board.active_total, board.recent.len()),
            (0, 2),
            "{action}: {board:?}"
        );
    }
}

#[tokio::test]
async fn the_cost_of_a_sweep_follows_what_is_due() {
    const DUE: usize = 3;
    let world = World::new().await;
    let process = world.process().await;
    let mut costs = Vec::new();
    for active in [5_usize, 40] {
        let store = &process.ports().store;
        let known = store.due(Timestamp(i64::MAX), 100).await.expect("readable").len();
        for _ in known..active {
            submit(&process, &with_sla(json!({}))).await;
        }
        let all = store.due(Timestamp(i64::MAX), 100).await.expect("readable");
        assert_eq!(all.len(), active);
        for due in &all[..DUE] {
            assert_eq!(store.postpone(*due, Timestamp(1)).await, Ok(true));
        }
        let before = process.ports().clients.meter.counts();
        let swept = process.sweep(store, 100).await.expect("swept");
        let after = process.ports().clients.meter.counts();
        assert_eq!(swept.runs, DUE);
        costs.push((
            after.dynamodb_requests - before.dynamodb_requests,
            after.write_units - before.write_units,
            (after.read_units - before.read_units) * 2.0,
        ));
    }
    assert_eq!(costs[0], costs[1], "requests, write units, half read units");
}
