//! Answers that are lost, services that refuse, calls that work in part.

use std::sync::Arc;

use crate::world::network::{Fate, Network, throttled};
use crate::world::process::{Process, load, submit, task};
use crate::world::{World, slot_request as request};
use futures_util::future::join_all;
use orchestrator_aws::pools::TablePools;
use orchestrator_aws::table::Table;
use orchestrator_core::ids::RunId;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest};
use orchestrator_core::run::{Event, RunStatus};
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::journal::{self, Append};
use orchestrator_engine::ports::messages::{Body, Candidates, Message, Recovery};
use orchestrator_engine::ports::{Journal, Messages, Pools};
use orchestrator_engine::record;
use serde_json::json;
use tokio::sync::Semaphore;

/// Tries of one call by the SDK.
const TRIES: usize = 4;

/// A process behind a network that fails by plan.
async fn behind(world: &mut World) -> (Network, Process) {
    let network = Network::over(world.connector.clone());
    world.connector = aws_smithy_runtime_api::client::http::SharedHttpConnector::new(network.clone());
    let process = world.process().await;
    (network, process)
}

/// The table as the process reaches it.
fn table_of(process: &Process, world: &World) -> Table {
    let clients = &process.ports().clients;
    Table::new(
        clients.dynamodb.clone(),
        world.config.table.clone(),
        clients.meter.clone(),
    )
}

/// A pool of one slot, and the same behind a network that fails by plan.
async fn one_slot(world: &mut World) -> (TablePools, Network, TablePools) {
    let table = world.table();
    let (network, process) = behind(world).await;
    let over = |table| TablePools::new(table, [("gpu".to_owned(), 1)].into(), 1);
    (over(table), network, over(table_of(&process, world)))
}

fn append(run: RunId, seq: u64) -> Append {
    Append {
        run,
        seq,
        record: vec![1, 2, 3],
        summary: None,
        blobs: Vec::new(),
        alerts: Vec::new(),
    }
}

#[tokio::test]
async fn a_writer_whose_answers_were_lost_knows_its_own_append() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let store = &process.ports().store;
    let run = RunId::from_parts(1, 1);
    network.next("PutItem", [Fate::LoseAnswer]);
    assert_eq!(
        store.append(append(run, 1)).await,
        Ok(()),
        "sent again and found to be stored"
    );
    network.next("PutItem", vec![Fate::LoseAnswer; TRIES]);
    assert_eq!(
        store.append(append(run, 2)).await,
        Ok(()),
        "no answer at all: looked up"
    );
    assert_eq!(network.met(), TRIES);
    assert_eq!(store.load(run, 0).await.map(|appends| appends.len()), Ok(2));
    let taken = Err(journal::Error::Conflict { run, seq: 2 });
    assert_eq!(
        store.append(append(run, 2)).await,
        taken,
        "the same bytes of another writer are not its own"
    );
}

#[tokio::test]
async fn an_append_without_any_answer_may_have_been_stored() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let store = &process.ports().store;
    network.next("PutItem", vec![Fate::LoseRequest; TRIES]);
    let stored = store.append(append(RunId::from_parts(1, 1), 1)).await;
    assert!(matches!(stored, Err(journal::Error::Unknown(_))), "{stored:?}");
}

#[tokio::test]
async fn a_busy_table_is_tried_again_and_then_left_for_later() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let store = &process.ports().store;
    let run = RunId::from_parts(1, 1);
    network.next("PutItem", vec![throttled(); TRIES - 1]);
    assert_eq!(store.append(append(run, 1)).await, Ok(()));
    network.next("PutItem", vec![throttled(); TRIES]);
    let refused = store.append(append(run, 2)).await;
    assert!(
        matches!(refused, Err(journal::Error::Unavailable(_))),
        "nothing was stored: {refused:?}"
    );
    network.next("Query", vec![throttled(); TRIES]);
    let refused = process.load(run).await.expect_err("throttled");
    assert!(matches!(&refused, Error::Journal(journal::Error::Unavailable(_))) && refused.is_transient());
}

#[tokio::test]
async fn a_process_that_died_between_append_and_dispatch_is_made_up_for_by_redelivery() {
    let mut world = World::new().await;
    let sound = world.process().await;
    let (network, process) = behind(&mut world).await;
    let run = submit(&process, &json!([task("a", &[])])).await;
    let message = world.messages().await.remove(0);
    network.next("SendMessageBatch", vec![Fate::LoseRequest; TRIES]);
    let failed = process.handle(run, std::slice::from_ref(&message.body)).await;
    assert!(failed.is_err_and(|error| error.is_transient()), "delivered again");
    assert_eq!(
        load(&sound, run).await.live().count(),
        1,
        "the decision is stored"
    );
    assert!(world.tasks().await.is_empty(), "the agent knows nothing");
    // A message that was delivered before asks for everything that is owed.
    sound
        .handle(run, &[Body::Recover(Recovery::EVERYTHING), message.body])
        .await
        .expect("handled");
    let state = world.work(run, std::slice::from_ref(&sound), &json!(1)).await;
    assert_eq!(state.status, RunStatus::Success);
    let appends = sound.ports().store.load(run, 0).await.expect("readable");
    let events = appends
        .iter()
        .flat_map(|append| record::decode(&append.record).expect("a record").1);
    let queued = events
        .filter(|event| matches!(event, Event::TaskQueued { .. }))
        .count();
    assert_eq!(queued, 1, "one attempt");
}

#[tokio::test]
async fn entries_of_a_batch_that_were_refused_are_sent_again_and_only_those() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let partly = json!({
        "Successful": [{"Id": "0", "MessageId": "m", "MD5OfMessageBody": "d"}],
        "Failed": [
            {"Id": "1", "SenderFault": false, "Code": "ServiceUnavailable"},
            {"Id": "2", "SenderFault": false, "Code": "ServiceUnavailable"},
        ],
    });
    network.next("SendMessageBatch", [Fate::Answer(200, partly.to_string())]);
    let message = |n: u64| Message {
        run: RunId::from_parts(n, 1),
        body: Body::Decide(Candidates::Ready),
    };
    process
        .ports()
        .queues
        .send((1..=3).map(message).collect())
        .await
        .expect("sent in the end");
    let mut sent: Vec<RunId> = world
        .messages()
        .await
        .into_iter()
        .map(|message| message.run)
        .collect();
    sent.sort_unstable();
    assert_eq!(
        sent,
        [message(2).run, message(3).run],
        "the first one was taken at once"
    );
    let never = json!({"Successful": [], "Failed": [{"Id": "0", "SenderFault": true, "Code": "InvalidMessageContents"}]});
    network.next("SendMessageBatch", [Fate::Answer(200, never.to_string())]);
    let refused = process.ports().queues.send(vec![message(4)]).await;
    assert!(refused.is_err(), "what the sender got wrong is not sent again");
    assert!(world.messages().await.is_empty());
}

#[tokio::test]
async fn what_several_runs_send_at_a_time_is_one_call_and_each_answers_for_its_own_messages() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let ports = process.ports();
    let message = |n: u64| Message {
        run: RunId::from_parts(n, 1),
        body: Body::Decide(Candidates::Ready),
    };
    let send = async |numbers: std::ops::RangeInclusive<u64>| {
        let turns = numbers.map(|n| ports.queues.send(vec![message(n)]));
        join_all(turns).await
    };
    let calls = || ports.clients.meter.counts().sqs_requests;
    let before = calls();
    let gathering = ports.sender.gather();
    assert!(send(1..=4).await.iter().all(Result::is_ok));
    assert_eq!(calls() - before, 1, "sent together");
    assert_eq!(world.messages().await.len(), 4);

    // One of them sends what the queue does not take: first all are refused, then each is tried on its own.
    let refused = json!({"Successful": [], "Failed": [{"Id": "0", "SenderFault": true, "Code": "InvalidMessageContents"}]});
    network.next(
        "SendMessageBatch",
        vec![Fate::Answer(200, refused.to_string()); 2],
    );
    let outcomes = send(5..=7).await;
    assert_eq!(
        outcomes.iter().filter(|outcome| outcome.is_ok()).count(),
        2,
        "{outcomes:?}"
    );
    assert_eq!(world.messages().await.len(), 2);

    drop(gathering);
    let before = calls();
    assert!(send(8..=9).await.iter().all(Result::is_ok));
    assert_eq!(calls() - before, 2, "nobody waits for others who does not gather");
}

#[tokio::test]
async fn events_that_were_refused_are_put_again() {
    let mut world = World::new().await;
    let (network, process) = behind(&mut world).await;
    let partly =
        json!({"FailedEntryCount": 1, "Entries": [{"EventId": "e"}, {"ErrorCode": "ThrottlingException"}]});
    network.next("PutEvents", [Fate::Answer(200, partly.to_string())]);
    let before = process.ports().clients.meter.counts().eventbridge_requests;
    submit(&process, &json!([task("a", &[])])).await;
    let after = process.ports().clients.meter.counts().eventbridge_requests;
    assert_eq!(after - before, 2, "submitted was taken, admitted was put again");
}

#[tokio::test]
async fn a_slot_is_handed_on_and_told_of_although_answers_were_lost() {
    let mut world = World::new().await;
    let (_, network, pools) = one_slot(&mut world).await;
    network.next("PutItem", [Fate::LoseAnswer]);
    let taken = pools.take(&[request(0)]).await.expect("reachable").remove(0);
    assert_eq!(
        taken.answer,
        LeaseAnswer::Taken,
        "asked again, the key holds it already"
    );
    for n in 1..=2 {
        pools.take(&[request(n)]).await.expect("reachable");
    }
    for n in 0..2 {
        // First the write that frees the slot, then the one that hands it on.
        let passed = n as usize;
        network.next(
            "PutItem",
            vec![Fate::Pass; passed].into_iter().chain([Fate::LoseAnswer]),
        );
        let released = pools.release(&[request(n).key], 2).await.expect("reachable");
        assert_eq!(released.granted, [request(n + 1).key], "lost answer of write {n}");
    }
}

#[tokio::test]
async fn whoever_drops_a_place_in_line_late_does_not_drop_the_one_that_was_taken_since() {
    let mut world = World::new().await;
    let (pools, network, slow) = one_slot(&mut world).await;
    let take = async |n: u32, seq: u64| {
        let request = LeaseRequest { seq, ..request(n) };
        pools.take(&[request]).await.expect("reachable").remove(0).answer
    };
    let waits = LeaseAnswer::Waiting {
        full: vec!["gpu".to_owned()],
    };
    assert_eq!(take(0, 2).await, LeaseAnswer::Taken);
    assert_eq!(take(1, 2).await, waits);
    let gate = Arc::new(Semaphore::new(0));
    network.next("DeleteItem", [Fate::Late(Arc::clone(&gate))]);
    let (first, second) = ([request(0).key], request(1).key);
    let meanwhile = async {
        while network.met() == 0 {
            tokio::task::yield_now().await;
        }
        // Its turn came to nothing: it gives the slot back, gets it once more by the place it still has, and gives that back.
        assert_eq!(take(1, 3).await, LeaseAnswer::Taken);
        for again in [vec![second], Vec::new()] {
            let released = pools.release(&[second], 3).await.expect("reachable");
            assert_eq!(released.granted, again);
        }
        assert_eq!(take(0, 2).await, LeaseAnswer::Taken);
        assert_eq!(take(1, 4).await, waits);
        gate.add_permits(1);
    };
    let (handed_on, ()) = tokio::join!(slow.release(&first, 2), meanwhile);
    assert_eq!(handed_on.expect("reachable").granted, [second]);
    let released = pools.release(&first, 2).await.expect("reachable");
    assert_eq!(released.granted, [second], "it still stands in line");
}

#[tokio::test]
async fn a_turn_that_stands_in_line_late_does_not_push_out_a_later_one() {
    let mut world = World::new().await;
    let (pools, network, slow) = one_slot(&mut world).await;
    let [holder, early, late] = [(0, 2), (1, 2), (1, 3)].map(|(n, seq)| [LeaseRequest { seq, ..request(n) }]);
    pools.take(&holder).await.expect("reachable");
    let gate = Arc::new(Semaphore::new(0));
    network.next("PutItem", [Fate::Late(Arc::clone(&gate))]);
    let meanwhile = async {
        while network.met() == 0 {
            tokio::task::yield_now().await;
        }
        pools.take(&late).await.expect("reachable");
        gate.add_permits(1);
    };
    let (taken, ()) = tokio::join!(slow.take(&early), meanwhile);
    taken.expect("reachable");
    let key = [early[0].key];
    let given_up = slow.release(&key, 2).await.expect("reachable");
    assert_eq!(given_up.kept, key, "the place of a later turn");
    let released = pools.release(&[holder[0].key], 2).await.expect("reachable");
    assert_eq!(released.granted, key);
}
