//! One engine over ports in memory, with agents that work as soon as they are told to.

use std::cell::Cell;
use std::collections::BTreeSet;
use std::rc::Rc;
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::policy::{Policy, PolicyConfig, Surroundings};
use orchestrator_core::run::rollback::{self, Plan, Request as Wanted, Target};
use orchestrator_core::run::{Command, Failure, FailureClass, Report, ReportKind, RunState};
use orchestrator_core::sla::SlaSpec;
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{Limits, parse};
use orchestrator_engine::engine::{Engine, Options};
use orchestrator_engine::ports::compute::Dispatch;
use orchestrator_engine::ports::messages::{Body, Message, Recovery};
use orchestrator_engine::record;
use orchestrator_engine::submit::Request;
use orchestrator_engine::token::TokenKey;
use orchestrator_testkit::contract::block_on;
use orchestrator_testkit::faults::{Call, Fate, Faults};
use orchestrator_testkit::memory::{MemoryCompute, MemoryPools, MemoryPorts, SimulatedClock};
use serde_json::{Value, json};

const START: Timestamp = Timestamp(1_767_656_400_000);

/// What is submitted.
#[derive(Debug, Clone)]
pub struct Given {
    pub name: &'static str,
    pub client: &'static str,
    pub tasks: Value,
    pub inputs: Value,
    pub is_fresh: bool,
}

impl Given {
    pub fn tasks(tasks: Value) -> Given {
        Given {
            name: "reused",
            client: "ann",
            tasks,
            inputs: json!({}),
            is_fresh: false,
        }
    }
}

/// A cache that can be broken, and counts how often it is asked.
#[derive(Debug, Clone, Default)]
pub struct Cache {
    is_broken: Rc<Cell<bool>>,
    calls: Rc<Cell<u64>>,
}

impl Faults for Cache {
    async fn before(&self, call: Call, _run: Option<RunId>) -> Fate {
        if !matches!(call, Call::CacheGet | Call::CachePut | Call::CacheRemove) {
            return Fate::Pass;
        }
        self.calls.set(self.calls.get() + 1);
        match self.is_broken.get() {
            true => Fate::Refuse,
            false => Fate::Pass,
        }
    }

    async fn after(&self, _call: Call, _run: Option<RunId>, _done: bool) {}
}

/// The world of a test.
pub struct World {
    pub ports: MemoryPorts<Cache>,
    engine: Engine<MemoryPorts<Cache>>,
    cache: Cache,
    runs: u64,
    counted: u64,
    done: Vec<String>,
    /// Attempts that agents have done: a repeated dispatch starts nothing.
    known: BTreeSet<AttemptKey>,
}

/// A test, in the composition of one process and in that of functions.
pub fn both(test: impl Fn(&mut World)) {
    for decides_in_turn in [true, false] {
        test(&mut World::new(decides_in_turn));
    }
}

impl World {
    /// How long results are kept.
    pub const KEPT_MS: u64 = 60_000;

    fn new(decides_in_turn: bool) -> World {
        let cache = Cache::default();
        let clock = SimulatedClock::new(START, 7);
        let config = json!({
            "blocked_actions": ["blocked"],
            "retry": {"max_retries": 0},
            "rules": [{"name": "ask", "when": "task.action == 'ask'", "require_approval": "somebody should look"}],
        });
        let config: PolicyConfig = serde_json::from_value(config).expect("well formed");
        let surroundings = Surroundings {
            pools: [("tiny".to_owned(), 1)].into(),
            ..Surroundings::default()
        };
        let policy = Arc::new(Policy::new(&config, surroundings).expect("valid"));
        let mut ports = MemoryPorts::new(&cache, clock, MemoryCompute::default());
        ports.pools.inner = MemoryPools::new(policy.capacities().clone(), 10);
        let options = Options {
            decides_in_turn,
            decisions_max: 100,
            ageing_ms: 60_000,
            sla: SlaSpec::default(),
            results_kept_ms: World::KEPT_MS,
        };
        let engine = Engine::new(ports.clone(), policy, TokenKey::new(vec![1; 16]), options);
        World {
            ports,
            engine,
            cache,
            runs: 0,
            counted: 0,
            done: Vec::new(),
            known: BTreeSet::new(),
        }
    }

    /// Starts a run and lets the agents work until nothing is left to do.
    pub fn run(&mut self, given: Given) -> RunId {
        let run = self.start(given);
        self.work();
        run
    }

    /// Starts a run; agents do not work yet.
    pub fn start(&mut self, given: Given) -> RunId {
        self.runs += 1;
        let document = json!({"name": given.name, "tasks": given.tasks}).to_string();
        let workflow = parse(document.as_bytes(), &Limits::local_file())
            .workflow
            .expect("a valid workflow");
        let run = RunId::from_parts(START.0.unsigned_abs() + self.runs, u128::from(self.runs));
        let request = Request {
            run,
            canonical: workflow.canonical().into(),
            workflow: Arc::new(workflow),
            client_id: given.client.to_owned(),
            inputs: Arc::new(given.inputs),
            metadata: Arc::new(json!({})),
            priority: None,
            trace: Default::default(),
            needs_admission: false,
            is_fresh: given.is_fresh,
        };
        block_on(self.engine.submit(request)).expect("it can be stored");
        self.deliver();
        run
    }

    /// Agents work, and messages are delivered, until nothing is left to do.
    pub fn work(&mut self) {
        loop {
            self.deliver();
            let dispatched = self.ports.compute.inner.take_dispatched();
            if dispatched.is_empty() {
                return;
            }
            for attempt in dispatched {
                if self.known.insert(attempt.key) {
                    self.do_one(&attempt);
                }
            }
        }
    }

    fn deliver(&self) {
        while let Some(Message { run, body }) = self.ports.messages.inner.pop() {
            block_on(self.engine.handle(run, &[body])).expect("it can be handled");
        }
    }

    fn do_one(&mut self, attempt: &Dispatch) {
        let envelope = &attempt.envelope;
        self.ports.clock.advance(5);
        self.done.push(envelope.task_id.clone());
        self.counted += 1;
        let output = match envelope.action.as_str() {
            "count" => json!(self.counted),
            _ => json!({"did": *envelope.params}),
        };
        let kind = match envelope.action.as_str() {
            "fail" => ReportKind::Failure(Arc::new(Failure {
                class: FailureClass::Permanent,
                message: "asked to".to_owned(),
                exit_code: None,
            })),
            _ => ReportKind::Success {
                started_at: None,
                output: Some(Arc::new(output)),
            },
        };
        let report = Report {
            node: attempt.key.node,
            epoch: attempt.key.epoch,
            attempt: attempt.key.attempt,
            kind,
        };
        let bodies = [Body::Reports(vec![report])];
        block_on(self.engine.handle(attempt.key.run, &bodies)).expect("it can be handled");
    }

    /// Names of the tasks that agents have done since the last call, sorted.
    pub fn done(&mut self) -> Vec<String> {
        self.done.sort_unstable();
        std::mem::take(&mut self.done)
    }

    /// The run as its journal says.
    pub fn state(&self, run: RunId) -> RunState {
        block_on(self.engine.load(run))
            .expect("it is stored")
            .state()
            .clone()
    }

    /// Output of a task.
    pub fn output(&self, run: RunId, task: &str) -> Option<Arc<Value>> {
        let state = self.state(run);
        state
            .node(state.find(task).expect("there is such a task"))
            .output
            .clone()
    }

    /// The events of one kind, as text, with the numbers of their appends.
    pub fn events(&self, run: RunId, kind: &str) -> Vec<(u64, String)> {
        let mut found = Vec::new();
        for append in self.ports.journal.inner.read(run, 0) {
            let (_, events) = record::decode(&append.record).expect("it can be read");
            let named = events.iter().map(|event| format!("{event:?}"));
            found.extend(
                named
                    .filter(|event| event.starts_with(kind))
                    .map(|event| (append.seq, event)),
            );
        }
        found
    }

    fn operate(&self, run: RunId, command: Command) {
        block_on(self.engine.operate(run, command)).expect("it is allowed");
        self.deliver();
    }

    /// What a rollback would do.
    pub fn plan(&self, run: RunId, target: Target) -> Plan {
        let request = Wanted { target, fresh: false };
        rollback::plan(&self.state(run), &request).expect("it can be done")
    }

    /// Takes a run back; nothing of it is done again yet.
    pub fn roll_back(&self, run: RunId, target: Target) {
        self.operate(
            run,
            Command::Rollback {
                request: Wanted { target, fresh: false },
                token: None,
                by: "me".to_owned(),
                reason: "it was wrong".to_owned(),
            },
        );
    }

    pub fn rerun(&self, run: RunId, task: &str) {
        let node = self.state(run).find(task).expect("there is such a task");
        self.operate(
            run,
            Command::Rerun {
                node,
                by: "me".to_owned(),
            },
        );
    }

    pub fn approve(&self, run: RunId, task: &str) {
        let node = self.state(run).find(task).expect("there is such a task");
        self.operate(
            run,
            Command::Approve {
                node,
                by: "me".to_owned(),
            },
        );
    }

    /// What happens after the process that did the last turn has died.
    pub fn recover(&self, run: RunId) {
        block_on(self.engine.handle(run, &[Body::Recover(Recovery::EVERYTHING)])).expect("it can be handled");
        self.deliver();
    }

    /// Makes every call of the cache fail, or work again.
    pub fn break_cache(&self, is_broken: bool) {
        self.cache.is_broken.set(is_broken);
    }

    /// Overwrites what is kept with nonsense.
    pub fn spoil(&self) {
        self.ports.cache.inner.overwrite(b"nonsense");
    }

    /// How many results are kept.
    pub fn kept(&self) -> usize {
        self.ports.cache.inner.count()
    }

    /// Calls of the cache so far.
    pub fn cache_calls(&self) -> u64 {
        self.cache.calls.get()
    }

    /// Whether nobody holds a slot of a pool or waits for one.
    pub fn is_free(&self, pool: &str) -> bool {
        let usage = self.ports.pools.inner.usage_now();
        usage
            .iter()
            .filter(|usage| usage.pool == pool)
            .all(|usage| (usage.used, usage.waiting) == (0, 0))
    }
}
