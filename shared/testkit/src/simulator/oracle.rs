//! What must hold, judged by the journals alone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, NodeIx, RunId};
use orchestrator_core::policy::{HoldReason, Policy, PoolDemand};
use orchestrator_core::run::{Event, FailureClass, ReportKind, RunState, RunStatus, invariants};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Workflow;
use orchestrator_engine::decision::admission_pool;
use orchestrator_engine::record;

use super::coverage::{Coverage, action_name, breach_name, held_name, name_of};
use super::mirror::{Mirror, live_demands};
use super::results::Results;
use super::rollbacks::Applied;
use crate::memory::{MemoryJournal, MemoryPools, MemorySessions};

/// The judge: folds every journal by itself and checks each append.
#[derive(Debug)]
pub struct Oracle {
    policy: Arc<Policy>,
    places: u32,
    runs: BTreeMap<RunId, Mirror>,
    definitions: BTreeMap<RunId, Arc<Workflow>>,
    /// How agents really ended.
    succeeded: BTreeSet<AttemptKey>,
    /// What executions gave, by run, task, epoch and attempt; with their client and the key of the result.
    results: Results,
    coverage: Coverage,
}

impl Oracle {
    /// A judge of runs under this policy.
    pub fn new(policy: Arc<Policy>, places: u32) -> Oracle {
        Oracle {
            policy,
            places,
            runs: BTreeMap::new(),
            definitions: BTreeMap::new(),
            succeeded: BTreeSet::new(),
            results: Results::default(),
            coverage: Coverage::default(),
        }
    }

    /// Makes a run's definition known.
    pub fn expect_run(&mut self, run: RunId, workflow: Arc<Workflow>) {
        self.definitions.insert(run, workflow);
    }

    /// An agent has ended its attempt like this.
    pub fn agent_ended(&mut self, key: AttemptKey, kind: &ReportKind) {
        if matches!(kind, ReportKind::Success { .. }) {
            self.succeeded.insert(key);
        }
    }

    /// A client was told that its run is stored.
    ///
    /// # Errors
    /// When it is not.
    pub fn acknowledged(&self, run: RunId) -> Result<(), String> {
        match self.runs.contains_key(&run) {
            true => Ok(()),
            false => Err(format!(
                "DURABLE broken: run {run} was acknowledged and is not stored"
            )),
        }
    }

    /// Reads what was appended to a run, checks it, and says it in words.
    ///
    /// # Errors
    /// With the first broken rule.
    pub fn observe(&mut self, run: RunId, journal: &MemoryJournal) -> Result<Vec<String>, String> {
        let known = self.runs.get(&run).map_or(0, |mirror| mirror.seq);
        let mut facts = Vec::new();
        for append in journal.read(run, known) {
            let (at, events) =
                record::decode(&append.record).map_err(|error| format!("RECORD broken: {error}"))?;
            if record::encode(at, &events) != append.record {
                return Err(format!(
                    "RECORD broken: append {} of {run} encodes differently again",
                    append.seq
                ));
            }
            if events.is_empty() {
                self.coverage.hit("run fenced");
                facts.push(format!("{run} {} an empty append", append.seq));
            }
            for event in &events {
                facts.push(format!("{run} {} {event:?}", append.seq));
                self.event(run, event, at)?;
            }
            let mirror = self
                .runs
                .get_mut(&run)
                .ok_or("the first event is not the submission")?;
            mirror.seq += 1;
            if append.seq != mirror.seq {
                return Err(format!(
                    "JOURNAL broken: append {} follows {}",
                    append.seq,
                    mirror.seq - 1
                ));
            }
            if let Some(applied) = mirror.applied.take() {
                applied.end(&mirror.state)?;
            }
            invariants::check(&mirror.state).map_err(|violation| violation.to_string())?;
        }
        Ok(facts)
    }

    fn event(&mut self, run: RunId, event: &Event, at: Timestamp) -> Result<(), String> {
        self.coverage.hit(name_of(event));
        if let Event::RunSubmitted(submission) = event {
            if submission.needs_admission {
                self.coverage.hit("run waited for its place");
            }
            let workflow = Arc::clone(self.definitions.get(&run).ok_or("nobody submitted this run")?);
            let state = RunState::submitted(workflow, Arc::clone(submission), at);
            let mirror = Mirror::new(state);
            return match self.runs.insert(run, mirror) {
                None => Ok(()),
                Some(_) => Err(format!("JOURNAL broken: {run} was submitted twice")),
            };
        }
        let mirror = self
            .runs
            .get_mut(&run)
            .ok_or("an event of a run that was not submitted")?;
        mirror.check(event, at, &self.succeeded)?;
        if let Some(found) = self.results.check(&mirror.state, event)? {
            self.coverage.hit(found);
        }
        if let Event::RolledBack { rollback } = event {
            mirror.applied = Some(Applied::begin(&mirror.state, rollback, &mut self.coverage)?);
        }
        if let Some(applied) = &mut mirror.applied {
            applied.see(event);
        }
        match event {
            Event::TaskHeld { hold, .. } => self.coverage.hit(held_name(*hold)),
            Event::AttemptFailed { failure, .. } | Event::TaskFailed { failure, .. }
                if failure.class == FailureClass::Timeout =>
            {
                self.coverage.hit("timeout");
            }
            Event::SlaBreached { key, action, .. } => {
                self.coverage.hit(breach_name(key.kind));
                self.coverage.hit(action_name(*action));
            }
            _ => {}
        }
        mirror.state.evolve(event, at);
        Ok(())
    }

    /// A kept session is what its journal says (RUN-5).
    ///
    /// # Errors
    /// With the first difference.
    pub fn check_session(&self, sessions: &MemorySessions, run: RunId) -> Result<(), String> {
        let Some(mirror) = self.runs.get(&run) else {
            return Ok(());
        };
        let check = |session: &orchestrator_engine::drive::Session| {
            if session.seq() != mirror.seq {
                return Ok(());
            }
            invariants::check_replay(session.state(), &mirror.state)
                .map_err(|violation| violation.to_string())
        };
        sessions.with(run, check).unwrap_or(Ok(()))
    }

    /// POOL-1 and POOL-2: what is live holds its slots, and what is live together fits.
    ///
    /// # Errors
    /// With the first attempt or pool that breaks it.
    pub fn check_slots(&self, pools: &MemoryPools) -> Result<(), String> {
        let mut used: BTreeMap<&str, u32> = BTreeMap::new();
        for mirror in self.runs.values() {
            for (key, demands) in live_demands(&mirror.state) {
                if !pools.holds(key) {
                    return Err(format!("POOL-2 broken: {key} is live and holds no slots"));
                }
                for PoolDemand { pool, slots } in demands {
                    *used.entry(pool).or_default() += slots;
                }
            }
        }
        for (pool, used) in used {
            let capacity = self.policy.capacities().get(pool).copied().unwrap_or(0);
            if used > capacity {
                return Err(format!(
                    "POOL-1 broken: live attempts use {used} of {capacity} slots of {pool}"
                ));
            }
        }
        let mut admitted: BTreeMap<&str, u32> = BTreeMap::new();
        for Mirror {
            state, was_reopened, ..
        } in self.runs.values()
        {
            let counts = state.submission.needs_admission && !was_reopened;
            if counts && state.admitted_at.is_some() && !state.status.is_terminal() {
                *admitted.entry(&state.submission.client_id).or_default() += 1;
            }
        }
        match admitted.into_iter().find(|(_, count)| *count > self.places) {
            Some((client, count)) => Err(format!(
                "POOL-1 broken: {count} runs of {client}, {} places",
                self.places
            )),
            None => Ok(()),
        }
    }

    /// POOL-2 and POOL-3 once nothing is on its way: exactly what is live holds slots, and nobody waits for free ones.
    ///
    /// # Errors
    /// With what leaked.
    pub fn check_leases_at_rest(&self, pools: &MemoryPools) -> Result<(), String> {
        self.check_slots(pools)?;
        for key in pools.holders() {
            let is_held = self
                .runs
                .get(&key.run)
                .is_some_and(|mirror| match key.is_admission() {
                    true => !mirror.state.status.is_terminal() && mirror.state.status != RunStatus::Pending,
                    false => mirror.state.is_live_attempt(key),
                });
            if !is_held {
                return Err(format!("POOL-2 broken: {key} holds slots and is not live"));
            }
        }
        match pools
            .usage_now()
            .iter()
            .find(|pool| pool.waiting > 0 && pool.used == 0)
        {
            Some(pool) => Err(format!(
                "POOL-3 broken: {} wait for {}, which is free",
                pool.waiting, pool.pool
            )),
            None => Ok(()),
        }
    }

    /// The leases that the journals of so many appends say are held: what a restarted process starts with.
    pub fn leases(&self) -> Vec<(AttemptKey, Vec<PoolDemand>, u64)> {
        let mut leases = Vec::new();
        for Mirror { state, seq, .. } in self.runs.values() {
            let has_place = state.submission.needs_admission && state.admitted_at.is_some();
            if has_place && !state.status.is_terminal() {
                let place = admission_pool(&state.submission.client_id);
                leases.push((AttemptKey::admission(state.id()), vec![place], *seq));
            }
            leases.extend(live_demands(state).map(|(key, demands)| (key, demands.to_vec(), *seq)));
        }
        leases
    }

    /// Every stored run.
    pub fn runs(&self) -> Vec<RunId> {
        self.runs.keys().copied().collect()
    }

    /// Runs that have not ended.
    pub fn active_runs(&self) -> Vec<RunId> {
        let active = self
            .runs
            .iter()
            .filter(|(_, mirror)| !mirror.state.status.is_terminal());
        active.map(|(run, _)| *run).collect()
    }

    /// The state a journal gives.
    ///
    /// # Panics
    /// When the run is not stored.
    pub fn state(&self, run: RunId) -> &RunState {
        &self.runs[&run].state
    }

    /// When the next thing is due in any run.
    pub fn next_due(&self) -> Option<Timestamp> {
        let active = self
            .runs
            .values()
            .filter(|mirror| !mirror.state.status.is_terminal());
        active.filter_map(|mirror| mirror.state.next_due()).min()
    }

    /// Runs for which something is due by now.
    pub fn runs_due(&self, now: Timestamp) -> Vec<RunId> {
        let due = |mirror: &Mirror| {
            !mirror.state.status.is_terminal() && mirror.state.next_due().is_some_and(|due| due <= now)
        };
        self.runs
            .iter()
            .filter(|(_, mirror)| due(mirror))
            .map(|(run, _)| *run)
            .collect()
    }

    /// Whether all that will ever be due is asking a rule again that holds a task.
    pub fn only_rechecks_due(&self) -> bool {
        self.runs
            .values()
            .filter(|mirror| !mirror.state.status.is_terminal())
            .all(|Mirror { state, .. }| {
                if state.next_deadline().is_some() {
                    return false;
                }
                let is_recheck = |index: usize| {
                    let node = state.node(NodeIx::new(index));
                    node.due_at.is_none() || node.hold == Some(HoldReason::Policy)
                };
                (0..state.nodes().len()).all(is_recheck)
            })
    }

    /// SLA-1 once nothing is on its way: no deadline has passed unsaid.
    ///
    /// # Errors
    /// With the first run that has one.
    pub fn check_deadlines_at_rest(&self, now: Timestamp) -> Result<(), String> {
        let active = self.active_runs();
        let missed = active
            .into_iter()
            .find(|run| self.state(*run).next_deadline().is_some_and(|due| due <= now));
        match missed {
            Some(run) => Err(format!("SLA-1 broken: a deadline of run {run} has passed unsaid")),
            None => Ok(()),
        }
    }

    /// What has been recorded.
    pub fn coverage(&self) -> &Coverage {
        &self.coverage
    }

    /// Every run that has not ended, for a report.
    pub fn describe(&self) -> String {
        let describe = |run: &RunId| {
            let state = self.state(*run);
            let nodes = (0..state.nodes().len())
                .map(NodeIx::new)
                .filter(|node| !state.node(*node).retired);
            let shown: Vec<String> = nodes
                .map(|node| {
                    let entry = state.node(node);
                    let hold = entry
                        .hold
                        .map(|hold| format!(" for {hold:?}"))
                        .unwrap_or_default();
                    format!("{} {}{hold}", state.name_of(node), entry.status)
                })
                .collect();
            format!("{run} {}: {}", state.status, shown.join(", "))
        };
        self.active_runs()
            .iter()
            .map(describe)
            .collect::<Vec<_>>()
            .join("; ")
    }
}
