//! The sweep over ports in memory: bounded, goes on where it stopped, safe when two run at once, and what its looks repair.

#![expect(
    clippy::unwrap_used,
    reason = "the helpers of this file are test code, outside test functions"
)]

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::sync::Arc;
use std::task::Poll;

use futures_util::future::join;
use orchestrator_core::ids::RunId;
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::{Event, Report, ReportKind};
use orchestrator_core::sla::SlaSpec;
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_engine::engine::{Engine, Options};
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::due_index::{DueIndex, DueRun};
use orchestrator_engine::ports::messages::{Body, Message, Recovery};
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_testkit::contract::block_on;
use orchestrator_testkit::faults::{Call, Fate, Faults};
use orchestrator_testkit::memory::{MemoryCompute, MemoryPools, MemoryPorts, SimulatedClock};
use serde_json::json;

const START: Timestamp = Timestamp(1_767_656_400_000);
const ALL: Body = Body::Recover(Recovery::EVERYTHING);

/// Lets others go first before each append.
#[derive(Debug, Clone, Copy)]
struct Polite;

impl Faults for Polite {
    async fn before(&self, call: Call, _run: Option<RunId>) -> Fate {
        let mut has_waited = call != Call::Append;
        poll_fn(|context| {
            if std::mem::replace(&mut has_waited, true) {
                return Poll::Ready(());
            }
            context.waker().wake_by_ref();
            Poll::Pending
        })
        .await;
        Fate::Pass
    }

    async fn after(&self, _call: Call, _run: Option<RunId>, _done: bool) {}
}

type Ports = MemoryPorts<Polite>;

/// When each run is looked at next.
#[derive(Debug, Default)]
struct Looks(RefCell<BTreeSet<DueRun>>);

impl DueIndex for Looks {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueRun>, HostError> {
        let looks = self.0.borrow();
        Ok(looks
            .iter()
            .filter(|due| due.at <= now)
            .take(limit)
            .copied()
            .collect())
    }

    async fn postpone(&self, due: DueRun, to: Timestamp) -> Result<bool, HostError> {
        let mut looks = self.0.borrow_mut();
        let is_first = looks.remove(&due);
        if is_first {
            looks.insert(DueRun { at: to, run: due.run });
        }
        Ok(is_first)
    }
}

fn policy() -> Policy {
    Policy::new(&PolicyConfig::default(), Surroundings::default()).unwrap()
}

struct World {
    ports: Ports,
    looks: Looks,
}

impl World {
    fn new() -> World {
        let clock = SimulatedClock::new(START, 7);
        let mut ports = MemoryPorts::new(&Polite, clock, MemoryCompute::default());
        ports.pools.inner = MemoryPools::new(policy().capacities().clone(), 10);
        World {
            ports,
            looks: Looks::default(),
        }
    }

    /// One more process over the same ports.
    fn process(&self) -> Engine<Ports> {
        let options = Options {
            decides_in_turn: true,
            decisions_max: 100,
            ageing_ms: 60_000,
            sla: SlaSpec::default(),
            results_kept_ms: 60_000,
        };
        Engine::new(
            self.ports.clone(),
            Arc::new(policy()),
            TokenKey::new(vec![1; 16]),
            options,
        )
    }

    /// A run of one task, queued for an agent.
    fn submit(&self, number: u64, sla: &serde_json::Value) -> RunId {
        let tasks = json!([{"id": "t", "agent": "noop", "action": "work", "sla": sla}]);
        let document = json!({"name": "swept", "tasks": tasks}).to_string();
        let workflow = parse(document.as_bytes(), &Limits::api()).workflow.unwrap();
        let run = RunId::from_parts(u64::try_from(START.0).unwrap() + number, u128::from(number));
        let request = Request {
            run,
            canonical: workflow.canonical().into(),
            workflow: Arc::new(workflow),
            client_id: "tester".to_owned(),
            inputs: Arc::new(json!({})),
            metadata: Arc::new(json!({})),
            priority: None,
            trace: Default::default(),
            needs_admission: false,
            is_fresh: false,
        };
        block_on(self.process().submit(request)).unwrap();
        let at = START + 60_000;
        self.looks.0.borrow_mut().insert(DueRun { at, run });
        run
    }

    fn messages(&self) -> Vec<Message> {
        self.ports.messages.inner.take()
    }

    fn alerts(&self) -> Vec<Event> {
        let published = self.ports.event_bus.inner.take();
        let events = published.into_iter().flat_map(|published| published.events);
        events.filter(|event| event.alert_key().is_some()).collect()
    }
}

#[test]
fn a_sweep_is_bounded_and_the_next_goes_on_where_it_stopped() {
    let world = World::new();
    for number in 0..7 {
        world.submit(number, &json!({}));
    }
    let process = world.process();
    assert_eq!(
        block_on(process.sweep(&world.looks, 3)).unwrap().runs,
        0,
        "nothing is due yet"
    );
    world.ports.clock.advance(60_000);
    let mut swept = Vec::new();
    for (runs, is_full) in [(3, true), (3, true), (1, false), (0, false)] {
        let sweep = block_on(process.sweep(&world.looks, 3)).unwrap();
        assert_eq!((sweep.runs, sweep.is_full), (runs, is_full));
        swept.extend(world.messages().into_iter().map(|message| message.run));
    }
    assert_eq!(swept.len(), 7);
    assert_eq!(
        swept.into_iter().collect::<BTreeSet<_>>().len(),
        7,
        "each run once"
    );
}

#[test]
fn two_sweeps_at_once_alert_once() {
    let world = World::new();
    let run = world.submit(1, &json!({"queue_max_seconds": 50, "warn_percent": 100}));
    assert_eq!(world.ports.compute.inner.take_dispatched().len(), 1);
    world.ports.clock.advance(60_000);
    let (one, other) = (world.process(), world.process());
    let swept = block_on(join(one.sweep(&world.looks, 10), other.sweep(&world.looks, 10)));
    assert!(swept.0.is_ok() && swept.1.is_ok(), "{swept:?}");
    let told = world.messages();
    assert!(
        !told.is_empty()
            && told
                .iter()
                .all(|message| matches!(message.body, Body::Recover(_)))
    );
    // Both turns have loaded the run before either appends.
    let handled = block_on(join(one.handle(run, &[ALL]), other.handle(run, &[ALL])));
    assert_eq!(handled, (Ok(()), Ok(())));
    let alerts = world.alerts();
    assert!(
        matches!(alerts.as_slice(), [Event::SlaBreached { .. }]),
        "{alerts:?}"
    );
    block_on(one.handle(run, &[ALL, Body::Tick])).unwrap();
    assert_eq!(world.alerts(), []);
}

#[test]
fn a_dispatch_that_was_lost_is_made_again() {
    let world = World::new();
    let run = world.submit(1, &json!({}));
    let lost = world.ports.compute.inner.take_dispatched();
    let process = world.process();
    block_on(process.handle(run, &[ALL])).unwrap();
    let again = world.ports.compute.inner.take_dispatched();
    assert_eq!(lost.len(), 1);
    assert_eq!(
        again.iter().map(|dispatch| dispatch.key).collect::<Vec<_>>(),
        lost.iter().map(|dispatch| dispatch.key).collect::<Vec<_>>()
    );
}

#[test]
fn what_waits_long_for_its_agent_is_not_sent_again_by_every_look() {
    const LOOKS_MAX: usize = 2;
    let world = World::new();
    let run = world.submit(1, &json!({"task_max_seconds": 86_400}));
    world.ports.compute.inner.take_dispatched();
    let process = world.process();
    let mut sent = 0;
    for _ in 0..4 * 60 {
        world.ports.clock.advance(60_000);
        block_on(process.sweep(&world.looks, 10)).unwrap();
        for message in world.messages() {
            block_on(process.handle(message.run, &[message.body])).unwrap();
        }
        sent += world.ports.compute.inner.take_dispatched().len();
    }
    assert!((1..=LOOKS_MAX).contains(&sent), "{sent} times in four hours");

    let since = |at: Timestamp| Body::Recover(Recovery::of_message(at));
    for (bodies, sent) in [
        (vec![since(START)], 1),
        (vec![since(START), ALL], 1),
        (vec![since(START + 1)], 0),
    ] {
        block_on(process.handle(run, &bodies)).unwrap();
        let again = world.ports.compute.inner.take_dispatched();
        assert_eq!(again.len(), sent, "{bodies:?}");
    }
}

#[test]
fn a_dead_worker_is_found_by_its_silence_and_its_attempt_made_again() {
    let world = World::new();
    let run = world.submit(1, &json!({"heartbeat_seconds": 60, "warn_percent": 100}));
    let key = world.ports.compute.inner.take_dispatched()[0].key;
    let process = world.process();
    let started = Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind: ReportKind::Started,
    };
    block_on(process.handle(run, &[Body::Reports(vec![started])])).unwrap();
    world.ports.clock.advance(60_001);
    block_on(process.sweep(&world.looks, 10)).unwrap();
    for message in world.messages() {
        block_on(process.handle(message.run, &[message.body])).unwrap();
    }
    assert_eq!(world.ports.compute.inner.take_stopped(), [key]);
    let alerts = world.alerts();
    assert!(
        matches!(
            alerts.as_slice(),
            [Event::SlaBreached { .. }, Event::SlaResolved { .. }]
        ),
        "{alerts:?}"
    );
    world.ports.clock.advance(60_000);
    block_on(process.handle(run, &[Body::Tick])).unwrap();
    let again = world.ports.compute.inner.take_dispatched();
    assert_eq!(
        again
            .iter()
            .map(|dispatch| dispatch.key.attempt)
            .collect::<Vec<_>>(),
        [2]
    );
}
