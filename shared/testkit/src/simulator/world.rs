//! Everything there is in one simulation.

use std::collections::{BTreeMap, VecDeque};
use std::rc::Rc;
use std::sync::Arc;

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::Policy;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::engine::{Engine, Options};
use orchestrator_engine::ports::messages::Body;
use orchestrator_engine::token::TokenKey;

use super::Breach;
use super::agents::{Agents, Saying};
use super::coverage::Coverage;
use super::handlers::Handler;
use super::oracle::Oracle;
use super::ports::SimulatedFaults;
use super::swarm::{Composition, Swarm};
use super::traces::Collector;
use super::workload::{self, Job};
use crate::memory::{MemoryPools, MemoryPorts, MemorySessions, SimulatedClock};
use crate::random::Random;

/// 2026-01-05T23:40Z: the nightly window of the policies opens soon.
const START: Timestamp = Timestamp(1_767_656_400_000);

/// Steps kept for a report.
const STEPS_KEPT: usize = 60;

/// The ports of the simulation.
pub type SimulatedPorts = MemoryPorts<SimulatedFaults, Agents>;

/// Everything there is: queues, agents, clients and the engine in their midst.
#[derive(Debug)]
pub struct World {
    pub(super) seed: u64,
    pub(super) composition: Composition,
    pub(super) random: Random,
    /// The faults drawn for this seed.
    pub(super) drawn: Swarm,
    /// The rates in force: none once healed.
    pub(super) swarm: Swarm,
    pub(super) faults: SimulatedFaults,
    pub(super) ports: SimulatedPorts,
    pub(super) engine: Rc<Engine<SimulatedPorts>>,
    pub(super) policy: Arc<Policy>,
    pub(super) options: Options,
    pub(super) oracle: Oracle,
    pub(super) collector: Arc<Collector>,
    /// Milliseconds since the start; never goes backwards, unlike the clock the engine sees.
    pub(super) time: u64,
    /// What the engine's clock is off by.
    pub(super) skew: i64,
    pub(super) queue: Vec<Delivery>,
    pub(super) handlers: Vec<Handler>,
    pub(super) next_handler: u64,
    /// When the sweep last came by.
    pub(super) looked_at: Timestamp,
    /// What agents will say, by time.
    pub(super) sayings: BTreeMap<(u64, u64), Saying>,
    pub(super) next_saying: u64,
    /// Jobs whose submission has not been acknowledged.
    pub(super) clients: Vec<Client>,
    steps: VecDeque<String>,
}

/// A message on its way.
#[derive(Debug, Clone)]
pub struct Delivery {
    /// The run.
    pub run: RunId,
    /// What it says.
    pub body: Body,
    /// When it can be delivered.
    pub visible_at: u64,
    /// What the clock said when it was sent.
    pub sent_at: Timestamp,
    /// How often it has been delivered before.
    pub receives: u32,
}

/// A client that wants its job run, and says so until it is told that it is.
#[derive(Debug, Clone)]
pub struct Client {
    /// The run it will be.
    pub run: RunId,
    /// The job.
    pub job: Job,
    /// Whether a submission is under way.
    pub is_submitting: bool,
    /// When it says so for the first time.
    pub at: u64,
}

impl World {
    /// The world of a seed, before anything has happened.
    pub fn new(seed: u64, composition: Composition) -> World {
        let mut random = Random::new(
            seed ^ if composition == Composition::Embedded {
                0
            } else {
                0x5eed << 32
            },
        );
        let swarm = Swarm::draw(&mut random, composition);
        let faults = SimulatedFaults::new(random.fork(), composition, swarm.clone());
        let clock = SimulatedClock::new(START, random.bits());
        let (policy, places) = workload::policy(&mut random);
        let mut ports = MemoryPorts::new(&faults, clock, Agents::default());
        ports.pools.inner = MemoryPools::new(policy.capacities().clone(), places);
        if composition == Composition::Embedded {
            ports.sessions = MemorySessions::keeping();
        }
        let options = Options {
            // Not drawn, so that it shifts nothing else.
            decides_in_turn: composition == Composition::Embedded || seed.is_multiple_of(2),
            decisions_max: usize::try_from(random.range(1, 6)).unwrap_or(1),
            ageing_ms: 10_000,
            sla: workload::default_deadlines(seed),
            results_kept_ms: 600_000,
        };
        let clients: Vec<Client> = (0..random.range(1, 4))
            .map(|index| Client {
                run: RunId::from_parts(
                    u64::try_from(START.0).unwrap_or(0) + index,
                    u128::from(random.bits()),
                ),
                job: workload::job(&mut random, seed, index),
                is_submitting: false,
                at: random.below(5_000),
            })
            .collect();
        let mut oracle = Oracle::new(Arc::clone(&policy), places);
        for Client { run, job, .. } in &clients {
            oracle.expect_run(*run, Arc::clone(&job.workflow));
        }
        let collector = Arc::new(Collector::default());
        World {
            seed,
            composition,
            random,
            drawn: swarm.clone(),
            swarm,
            engine: engine(&ports, &policy, options, &collector),
            collector,
            oracle,
            faults,
            ports,
            policy,
            options,
            time: 0,
            skew: 0,
            queue: Vec::new(),
            handlers: Vec::new(),
            next_handler: 0,
            looked_at: Timestamp(0),
            sayings: BTreeMap::new(),
            next_saying: 0,
            clients,
            steps: VecDeque::new(),
        }
    }

    /// A new process: another engine over what is durable.
    pub(super) fn new_engine(&mut self) {
        self.engine = engine(&self.ports, &self.policy, self.options, &self.collector);
    }

    /// The time the engine sees.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp(START.0 + i64::try_from(self.time).unwrap_or(i64::MAX) + self.skew)
    }

    /// Time passes.
    pub(super) fn pass(&mut self, millis: u64) {
        self.time += millis;
        self.ports.clock.set(self.now());
    }

    /// Puts a message on its way.
    pub(super) fn send(&mut self, run: RunId, body: Body) {
        let (visible_at, sent_at) = (self.time, self.now());
        self.send_again(Delivery {
            run,
            body,
            visible_at,
            sent_at,
            receives: 0,
        });
    }

    /// Puts a message back, to be delivered later.
    pub(super) fn send_again(&mut self, delivery: Delivery) {
        let mut delay = self.random.below(5);
        if self.random.chance(self.swarm.delay) {
            self.faults.hit("message delayed");
            delay = self.random.range(100, 30_000);
        }
        self.queue.push(Delivery {
            visible_at: self.time + delay,
            ..delivery
        });
    }

    /// Notes a step for a report.
    pub(super) fn note(&mut self, step: impl FnOnce() -> String) {
        if self.steps.len() == STEPS_KEPT {
            self.steps.pop_front();
        }
        let time = self.time;
        self.steps.push_back(format!("{time:>8} ms  {}", step()));
    }

    /// What has happened so far.
    pub fn coverage(&self) -> Coverage {
        let mut coverage = self.faults.coverage();
        coverage.add(self.oracle.coverage());
        coverage
    }

    /// The report of a broken rule.
    pub fn breach(&self, rule: String) -> Breach {
        let (seed, composition, swarm) = (self.seed, self.composition, self.drawn.clone());
        Breach {
            seed,
            composition,
            swarm,
            rule,
            steps: self.steps.iter().cloned().collect(),
        }
    }
}

fn engine(
    ports: &SimulatedPorts,
    policy: &Arc<Policy>,
    options: Options,
    collector: &Arc<Collector>,
) -> Rc<Engine<SimulatedPorts>> {
    let tokens = TokenKey::new(vec![7; 32]);
    let engine = Engine::new(ports.clone(), Arc::clone(policy), tokens, options);
    Rc::new(engine.watched_by(collector.telemetry()))
}
