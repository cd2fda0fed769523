//! Figures of all processes together, and what looks at runs find.

use std::time::Duration;

use orchestrator_core::run::TaskStatus;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::metrics::{Counts, Snapshot};
use orchestrator_engine::ports::messages::{Body, Recovery};
use orchestrator_engine::ports::{Clock as _, Ports as _, RunIndex as _};
use orchestrator_engine::sla::{Observation, StallCause};
use serde_json::{Value, json};

use crate::world::World;
use crate::world::process::{Process, load, submit, task};

/// Writes what the process has seen, as it does when an invocation ends.
async fn flush(process: &Process) {
    let figures = &process.ports().figures;
    figures.count(process.telemetry().metrics.drain().flatten());
    figures.flush(process.ports().clock().now()).await;
}

#[tokio::test]
async fn what_all_processes_have_seen_adds_up_and_is_written_once() {
    let world = World::new().await;
    let processes = [world.process().await, world.process().await];
    for n in 0..2 {
        let tasks = json!([task("a", &[]), task("b", &["a"])]);
        let run = submit(&processes[n], &tasks).await;
        world.work(run, &processes, &Value::Null).await;
    }
    for _ in 0..2 {
        flush(&processes[0]).await;
        flush(&processes[1]).await;
    }
    let figures = world.process().await.ports().figures.clone();
    let tallies = figures.tallies().await.expect("readable");
    let [((agent, _), tally)]: [_; 1] = tallies
        .into_iter()
        .collect::<Vec<_>>()
        .try_into()
        .expect("one agent");
    assert_eq!((agent.as_str(), tally.attempts, tally.within), ("writer", 4, 4));
    assert_eq!((tally.queue.count(), tally.run.count()), (4, 4));
    let counts = Snapshot::of(&Counts::unflatten(&figures.counts().await.expect("readable")));
    assert_eq!(
        (counts.runs.by_event["SUBMITTED"], counts.runs.by_event["SUCCESS"]),
        (2, 2)
    );
    assert_eq!((counts.tasks.by_status["SUCCESS"], counts.tasks.attempts), (4, 4));
    assert_eq!((counts.runs.seconds.count, counts.runs_active()), (2, 0));
}

#[tokio::test]
async fn a_task_that_takes_longer_than_its_like_is_at_risk_until_the_next_look() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    for message in world.messages().await {
        process
            .handle(message.run, &[message.body])
            .await
            .expect("handled");
    }
    let envelope = world.tasks().await.remove(0);
    let started = json!({
        "run_id": envelope["run_id"], "task_id": "a", "type": "TASK_STARTED", "epoch": envelope["epoch"],
        "attempt": envelope["attempt"], "token": envelope["token"],
    });
    let started = orchestrator_aws::messages::wire::decode(&started.to_string()).expect("a report");
    process.handle(run, &[started.body]).await.expect("handled");
    let state = load(&process, run).await;
    let node = state.find("a").expect("the task");
    assert_eq!(state.node(node).status, TaskStatus::Running);
    let action = state.task_of(node).action.clone();
    let usual = Observation {
        agent: "writer",
        action: &action,
        queue_ms: 1,
        run_ms: 10,
        is_within: true,
    };
    (0..20).for_each(|_| process.ports().figures.observe(&usual));
    flush(&process).await;

    tokio::time::sleep(Duration::from_millis(30)).await;
    process
        .handle(run, &[Body::Recover(Recovery::EVERYTHING)])
        .await
        .expect("handled");
    let store = &process.ports().store;
    let now = process.ports().clock().now();
    let board = store.sla(None, 10, now).await.expect("readable");
    let [risk] = board.at_risk.as_slice() else {
        panic!("{board:?}")
    };
    assert_eq!((risk.run_id, risk.task.as_str(), risk.usual_ms), (run, "a", 11));
    assert!(risk.running_ms >= 30, "{risk:?}");
    let others = store.sla(Some("somebody else"), 10, now).await.expect("readable");
    assert!(others.at_risk.is_empty());
    let later = store
        .sla(None, 10, now.plus_millis(3_600_000))
        .await
        .expect("readable");
    assert!(later.at_risk.is_empty(), "a look does not count for ever");

    world.report(&envelope, &Value::Null).await;
    for message in world.messages().await {
        process
            .handle(message.run, &[message.body, Body::Recover(Recovery::EVERYTHING)])
            .await
            .expect("handled");
    }
    let board = store.sla(None, 10, now).await.expect("readable");
    assert!(board.at_risk.is_empty(), "{board:?}");
}

#[tokio::test]
async fn a_run_that_does_not_move_is_noted_and_forgotten_when_it_does() {
    let world = World::new().await;
    let process = world.process().await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    // Whoever is to decide never hears of it.
    let state = load(&process, run).await;
    let store = &process.ports().store;
    let now = process.ports().clock().now();
    let much_later: Timestamp = now.plus_millis(120_000);
    store.looked_at(&state, much_later).await.expect("noted");
    let board = store.sla(None, 10, much_later).await.expect("readable");
    let [stall] = board.stalled.as_slice() else {
        panic!("{board:?} {state:?}")
    };
    assert_eq!(
        (stall.run_id, stall.cause, stall.task.as_str()),
        (run, StallCause::NobodyDecides, "a")
    );
    store.looked_at(&state, now).await.expect("noted");
    let board = store.sla(None, 10, now).await.expect("readable");
    assert!(board.stalled.is_empty(), "{board:?}");
}

#[tokio::test]
async fn what_was_appended_before_a_process_died_is_published_again() {
    let world = World::new().await;
    let process = world.process().await;
    let began = process.ports().clock().now();
    let run = submit(&process, &json!([task("a", &[])])).await;
    world
        .work(run, std::slice::from_ref(&process), &Value::Null)
        .await;
    let other = world.process().await;
    let published = || other.ports().clients.meter.counts().events;
    other.publish_again(run, began).await.expect("published");
    // Submitted, admitted, succeeded.
    assert_eq!(published(), 3);
    let after = process.ports().clock().now().plus_millis(1);
    other.publish_again(run, after).await.expect("nothing to publish");
    assert_eq!(published(), 3);
    assert!(
        other
            .ports()
            .figures
            .tallies()
            .await
            .expect("readable")
            .is_empty(),
        "a repeat is not counted"
    );
    other.ports().figures.flush(after).await;
    assert!(
        other
            .ports()
            .figures
            .tallies()
            .await
            .expect("readable")
            .is_empty()
    );
}
