//! What runs cost, in units that are billed.

use crate::world::World;
use crate::world::process::{load, request, settings, success, task};
use orchestrator_aws::meter::Counts;
use orchestrator_aws::pools::UNLIMITED;
use orchestrator_engine::ports::messages::{Body, Candidates};
use serde_json::{Value, json};

/// A chain of so many tasks, every hop one message: what the process counts.
async fn chain(world: &World, length: usize, decides_in_turn: bool) -> Counts {
    // Slots cost writes of their own.
    let unlimited = json!({"decision": {"resource_limits": {"max_concurrent_cpu_tasks": UNLIMITED}}});
    let process = world.process_with(settings(unlimited), decides_in_turn).await;
    let name = |n: usize| format!("t{n:04}");
    let tasks: Vec<Value> = (0..length)
        .map(|n| match n {
            0 => task(&name(0), &[]),
            n => task(&name(n), &[&name(n - 1)]),
        })
        .collect();
    let request = request(&process, &json!(tasks));
    let run = request.run;
    process.submit(request).await.expect("stored");
    let before = process.ports().clients.meter.counts();
    for _ in 0..length {
        if !decides_in_turn {
            process
                .handle(run, &[Body::Decide(Candidates::Ready)])
                .await
                .expect("handled");
        }
        let live = load(&process, run).await.live().next().expect("a task is queued");
        process.handle(run, &[success(live)]).await.expect("handled");
    }
    let after = process.ports().clients.meter.counts();
    let state = load(&process, run).await;
    assert!(state.status.is_terminal());
    Counts {
        write_units: after.write_units - before.write_units,
        ..after
    }
}

#[tokio::test]
async fn write_units_per_task_do_not_grow_with_the_run() {
    let world = World::new().await;
    for (decides_in_turn, per_task) in [(true, 1), (false, 2)] {
        let short = chain(&world, 10, decides_in_turn).await.write_units;
        let long = chain(&world, 60, decides_in_turn).await.write_units;
        assert_eq!(
            long - short,
            50 * per_task,
            "one unit for every append (in one turn: {decides_in_turn})"
        );
        let end = short - 10 * per_task;
        assert!(end <= 4, "the end of a run costs {end} units more");
    }
}

#[tokio::test]
async fn a_submission_is_one_item_and_its_index_entries() {
    let world = World::new().await;
    let process = world.process().await;
    // The first one stores the definition and the client, too.
    let first = request(&process, &json!([task("a", &[])]));
    process.submit(first.clone()).await.expect("stored");
    let before = process.ports().clients.meter.counts();
    let again = orchestrator_engine::submit::Request {
        run: request(&process, &json!([task("a", &[])])).run,
        ..first
    };
    process.submit(again).await.expect("stored");
    let after = process.ports().clients.meter.counts();
    assert_eq!(
        after.write_units - before.write_units,
        3,
        "the item, and an entry in each index"
    );
    assert_eq!(after.dynamodb_requests - before.dynamodb_requests, 1);
    assert_eq!(after.sqs_chunks - before.sqs_chunks, 1);
    assert_eq!(after.events - before.events, 2, "submitted and admitted");
    assert_eq!(after.eventbridge_requests - before.eventbridge_requests, 1);
}
