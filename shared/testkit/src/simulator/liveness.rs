//! The liveness phase: faults stop, and everything must come to an end or to a stated reason (LIVE-1).

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::HoldReason;
use orchestrator_core::run::{Command, FailureClass, RunStatus};
use orchestrator_engine::ports::messages::{Body, Recovery};

use super::agents;
use super::operators::waiting_for_a_person;
use super::swarm::Composition;
use super::traces;
use super::world::World;

/// Steps in which everything must have come to rest.
const STEPS_MAX: u32 = 60_000;

/// Rounds of operators resolving what waits for them.
const ROUNDS_MAX: u32 = 60;

impl World {
    /// No more faults: every run must end, or wait for a reason it can name; then those reasons are removed one by one, and
    /// every run must end.
    ///
    /// # Errors
    /// With the first broken rule.
    pub fn liveness_phase(&mut self) -> Result<(), String> {
        self.note(|| "faults stop".to_owned());
        self.swarm = self.drawn.healed();
        self.faults.set_swarm(self.swarm.clone());
        self.end_hanging_agents();
        self.come_to_rest()?;
        for _ in 0..ROUNDS_MAX {
            self.check_reasons()?;
            if !self.resolve()? {
                return self.check_nothing_left();
            }
            self.come_to_rest()?;
        }
        Err(format!(
            "LIVE-1 broken: after {ROUNDS_MAX} rounds of operators: {}",
            self.oracle.describe()
        ))
    }

    /// Agents that would never speak again have died; their host says so.
    fn end_hanging_agents(&mut self) {
        let speaking: Vec<_> = self
            .sayings
            .values()
            .filter(|saying| saying.is_end)
            .map(|saying| saying.key)
            .collect();
        for key in self.agents().working() {
            if !speaking.contains(&key) {
                let kind = agents::failed(FailureClass::Lost);
                self.next_saying += 1;
                let saying = agents::Saying {
                    key,
                    kind,
                    is_end: true,
                };
                self.sayings.insert((self.time + 100, self.next_saying), saying);
            }
        }
    }

    /// Until nothing is left to do but what waits for a person.
    fn come_to_rest(&mut self) -> Result<(), String> {
        self.drain()?;
        if self.composition == Composition::Functions {
            // What the sweep finds, it finds in one round; what its messages lead to may take another.
            for _ in 0..3 {
                self.sweep();
                self.drain()?;
            }
        }
        Ok(())
    }

    fn drain(&mut self) -> Result<(), String> {
        for _ in 0..STEPS_MAX {
            if self.only_rechecks_left() || !self.step()? {
                return Ok(());
            }
        }
        Err(format!(
            "LIVE-1 broken: no rest after {STEPS_MAX} steps: {}",
            self.oracle.describe()
        ))
    }

    /// Rules that hold a task ask again for ever; nothing else is under way.
    fn only_rechecks_left(&self) -> bool {
        self.handlers.is_empty()
            && self.queue.is_empty()
            && self.sayings.is_empty()
            && self.clients.is_empty()
            && self.oracle.only_rechecks_due()
    }

    /// Every run that goes on names something it waits for.
    fn check_reasons(&self) -> Result<(), String> {
        for run in self.oracle.active_runs() {
            let state = self.oracle.state(run);
            let has_reason = match state.status {
                RunStatus::Paused => true,
                RunStatus::Pending => self.is_without_place(run),
                _ => !waiting_for_a_person(state).is_empty(),
            };
            let ready = state.status == RunStatus::Running && state.ready().next().is_some();
            let waits = state
                .held()
                .any(|node| state.node(node).hold == Some(HoldReason::Pool));
            if !has_reason || ready || waits || state.live().next().is_some() {
                return Err(format!(
                    "LIVE-1 broken: run {run} waits for nothing it can name: {}",
                    self.oracle.describe()
                ));
            }
        }
        self.oracle.check_deadlines_at_rest(self.now())?;
        self.oracle.check_leases_at_rest(&self.ports.pools.inner)
    }

    /// Whether it stands in line for its place behind runs that hold theirs.
    fn is_without_place(&self, run: RunId) -> bool {
        let pool = format!("runs:{}", self.oracle.state(run).submission.client_id);
        let usage = self.ports.pools.inner.usage_now();
        let full = usage
            .iter()
            .any(|usage| usage.pool == pool && usage.used >= usage.capacity);
        full && self
            .ports
            .pools
            .inner
            .waiters(&pool)
            .iter()
            .any(|key| key.run == run)
    }

    /// An operator resumes what is paused and lets pass what is held. False when there is nothing to resolve.
    fn resolve(&mut self) -> Result<bool, String> {
        let mut resolved = false;
        for run in self.oracle.active_runs() {
            let by = "operator".to_owned();
            let state = self.oracle.state(run);
            let command = match (state.status, waiting_for_a_person(state).first()) {
                (RunStatus::Paused, _) => Command::Resume { by },
                (_, Some(&node)) if !state.node(node).approved => Command::Approve { node, by },
                (_, Some(&node)) => Command::Reject {
                    node,
                    by,
                    reason: "no way".to_owned(),
                },
                _ => continue,
            };
            resolved = true;
            self.start_operator(run, command);
            while !self.handlers.is_empty() {
                self.poll(0)?;
            }
            if self.composition == Composition::Functions {
                self.send(run, Body::Recover(Recovery::EVERYTHING));
            }
        }
        Ok(resolved)
    }

    fn check_nothing_left(&self) -> Result<(), String> {
        match self.oracle.active_runs().is_empty() {
            true => {
                self.oracle.check_leases_at_rest(&self.ports.pools.inner)?;
                let journal = &self.ports.journal.inner;
                let runs = self.oracle.runs();
                runs.iter().try_for_each(|run| traces::check(journal, *run))?;
                self.collector.check(journal, &runs, &self.drawn)
            }
            false => Err(format!("LIVE-1 broken: {}", self.oracle.describe())),
        }
    }
}
