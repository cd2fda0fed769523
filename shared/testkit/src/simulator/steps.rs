//! The safety phase: one thing after another, chosen by chance.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{FailureClass, Report, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::ports::messages::{Body, Candidates, Recovery};
use orchestrator_engine::sweep;

use super::agents::{self, Saying};
use super::swarm::Composition;
use super::world::World;

/// Steps with faults.
const STEPS: u64 = 600;

impl World {
    /// Takes random steps, with faults.
    ///
    /// # Errors
    /// With the first broken rule.
    pub fn safety_phase(&mut self) -> Result<(), String> {
        let steps = self.random.range(STEPS / 4, STEPS);
        for _ in 0..steps {
            self.mishap()?;
            if !self.step()? {
                break;
            }
        }
        Ok(())
    }

    /// One step of the system. False when there is nothing left to do.
    pub(super) fn step(&mut self) -> Result<bool, String> {
        self.fire_timers();
        let able: Vec<usize> = (0..self.handlers.len())
            .filter(|index| self.may_go_on(*index))
            .collect();
        let clients = self.waiting_clients();
        let visible = self.visible();
        // A few things at a time, as in a real system: finishing comes before starting.
        let starts = able.len() < 4 && self.random.chance(400);
        if !able.is_empty() && !starts {
            let index = *self.random.pick(&able);
            self.poll(index)?;
        } else if !clients.is_empty() && self.random.chance(300) {
            let index = *self.random.pick(&clients);
            self.start_submit(index);
        } else if !visible.is_empty() {
            self.deliver(&visible);
        } else if let Some(index) = able.first() {
            self.poll(*index)?;
        } else {
            return Ok(self.pass_to_next());
        }
        Ok(true)
    }

    fn waiting_clients(&self) -> Vec<usize> {
        let waits = |index: &usize| {
            let client = &self.clients[*index];
            !client.is_submitting && client.at <= self.time
        };
        (0..self.clients.len()).filter(waits).collect()
    }

    /// Messages that can be delivered now. The embedded host takes one turn of a run at a time.
    fn visible(&self) -> Vec<usize> {
        let is_busy = |run: RunId| self.handlers.iter().any(|handler| handler.run == run);
        let one_at_a_time = self.composition == Composition::Embedded;
        let can = |index: &usize| {
            let delivery = &self.queue[*index];
            delivery.visible_at <= self.time && !(one_at_a_time && is_busy(delivery.run))
        };
        (0..self.queue.len()).filter(can).collect()
    }

    fn deliver(&mut self, visible: &[usize]) {
        let mut first = visible[0];
        if self.random.chance(self.swarm.reorder) {
            self.faults.hit("message reordered");
            first = *self.random.pick(visible);
        }
        let run = self.queue[first].run;
        let most = usize::try_from(self.random.range(1, 4)).unwrap_or(1);
        let mut indexes: Vec<usize> = visible
            .iter()
            .copied()
            .filter(|index| self.queue[*index].run == run)
            .collect();
        indexes.retain(|index| *index >= first);
        indexes.truncate(most);
        let mut deliveries: Vec<_> = indexes
            .iter()
            .rev()
            .map(|index| self.queue.remove(*index))
            .collect();
        deliveries.reverse();
        if self.random.chance(self.swarm.redeliver) {
            self.faults.hit("message redelivered");
            for mut delivery in deliveries {
                delivery.receives += 1;
                delivery.visible_at = self.time + self.random.range(1, 30_000);
                self.queue.push(delivery);
            }
            return;
        }
        self.start_messages(deliveries);
    }

    /// Lets time pass until something happens. False when nothing ever will.
    pub(super) fn pass_to_next(&mut self) -> bool {
        let message = self.queue.iter().map(|delivery| delivery.visible_at).min();
        let saying = self.sayings.keys().next().map(|(at, _)| *at);
        let client = self.clients.iter().map(|client| client.at).min();
        let now = self.now();
        let due = self
            .oracle
            .next_due()
            .map(|due| self.time + due.millis_since(now));
        let Some(next) = [message, saying, client, due].into_iter().flatten().min() else {
            return false;
        };
        let wait = next.saturating_sub(self.time);
        self.pass(wait.max(u64::from(wait == 0)));
        self.speak();
        true
    }

    /// Agents say what they have to say by now.
    fn speak(&mut self) {
        while let Some(entry) = self.sayings.first_entry() {
            if entry.key().0 > self.time {
                return;
            }
            let saying = entry.remove();
            self.say(saying);
        }
    }

    fn say(&mut self, Saying { key, kind, is_end }: Saying) {
        // One that was stopped mostly keeps quiet.
        if !self.agents().works_on(key) && !self.random.chance(300) {
            return;
        }
        if is_end {
            self.agents().gone(key);
            self.oracle.agent_ended(key, &kind);
        }
        let report = Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        };
        self.send(key.run, Body::Reports(vec![report]));
    }

    /// Picks up what the engine sent and dispatched.
    pub(super) fn collect(&mut self) {
        for message in self.ports.messages.inner.take() {
            self.send(message.run, message.body);
        }
        for key in self.agents().take_arrived() {
            let (name, said) = agents::script(&mut self.random, &self.swarm, key);
            self.faults.hit(name);
            self.note(|| format!("{key}: {name}"));
            for (after, saying) in said {
                self.next_saying += 1;
                self.sayings.insert((self.time + after, self.next_saying), saying);
            }
        }
    }

    pub(super) fn agents(&self) -> agents::Agents {
        self.ports.compute.inner.clone()
    }

    /// The host's timers: a tick for every run for which something is due.
    fn fire_timers(&mut self) {
        for run in self.oracle.runs_due(self.now()) {
            let is_tick = |body: &Body| matches!(body, Body::Tick);
            let queued = self
                .queue
                .iter()
                .any(|delivery| delivery.run == run && is_tick(&delivery.body));
            let handled = self.handlers.iter().any(|handler| handler.run == run);
            if !queued && !handled {
                self.send(run, Body::Tick);
            }
        }
    }

    /// What went wrong in between.
    fn mishap(&mut self) -> Result<(), String> {
        if self.random.chance(self.swarm.crash) && !self.handlers.is_empty() {
            let index = self.random.index(self.handlers.len());
            self.crash(index);
        }
        if self.random.chance(self.swarm.restart) {
            self.restart()?;
        }
        if self.random.chance(self.swarm.clock_jump) {
            let jump = self.random.range(1, 3_600_000);
            let forward = self.random.chance(500);
            self.faults.hit(if forward {
                "clock forward"
            } else {
                "clock backward"
            });
            self.note(|| {
                format!(
                    "the clock jumps {} {jump} ms",
                    if forward { "forward" } else { "back" }
                )
            });
            let jump = i64::try_from(jump).unwrap_or(0);
            self.skew += if forward { jump } else { -jump };
            self.pass(0);
        }
        if self.random.chance(self.swarm.operator) {
            self.operate();
        }
        if self.random.chance(self.swarm.sweep) {
            self.sweep();
        }
        if self.random.chance(30) {
            self.pass_to_next();
        }
        Ok(())
    }

    /// Times are compared with times only where no clock is ever set.
    pub(super) fn believed(&self, recovery: Recovery) -> Recovery {
        match self.drawn.clock_jump {
            0 => recovery,
            _ => Recovery::EVERYTHING,
        }
    }

    /// The sweep of the functions: whatever is owed is sent again, and slots nobody may hold any more are given back.
    pub(super) fn sweep(&mut self) {
        self.faults.hit("sweep");
        self.note(|| "the sweep comes by".to_owned());
        let since = self.looked_at.0.saturating_sub_unsigned(sweep::UNSEEN_MS);
        let look = self.believed(Recovery::look(Timestamp(since)));
        self.looked_at = self.now();
        for run in self.oracle.active_runs() {
            self.send(run, Body::Recover(look));
        }
        let mut holders = self.ports.pools.inner.holders();
        holders.sort_unstable();
        for keys in holders.chunk_by(|left, right| left.run == right.run) {
            self.send(keys[0].run, Body::Decide(Candidates::Granted(keys.to_vec())));
        }
    }

    /// The embedded process dies and starts again: what was not in a journal is gone.
    fn restart(&mut self) -> Result<(), String> {
        self.faults.hit("process restarted");
        self.note(|| "the process dies and starts again".to_owned());
        self.handlers.clear();
        self.queue.clear();
        self.sayings.clear();
        self.agents().kill_all();
        self.clients
            .iter_mut()
            .for_each(|client| client.is_submitting = false);
        self.observe()?;
        self.ports.sessions.clear();
        self.ports.messages.inner.take();
        self.new_engine();
        self.ports.pools.inner.reset(self.policy.capacities().clone());
        for (key, demands, seq) in self.oracle.leases() {
            self.ports.pools.inner.restore(key, &demands, seq);
        }
        for run in self.oracle.active_runs() {
            self.report_lost(run);
            self.send(run, Body::Recover(Recovery::EVERYTHING));
        }
        Ok(())
    }

    /// Attempts that had begun and whose agent is gone are reported as lost by the host.
    fn report_lost(&mut self, run: RunId) {
        let state = self.oracle.state(run);
        let begun = state
            .live()
            .filter(|key| state.node(key.node).status == TaskStatus::Running);
        let lost = |key: orchestrator_core::ids::AttemptKey| Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind: agents::failed(FailureClass::Lost),
        };
        let reports: Vec<Report> = begun.map(lost).collect();
        if !reports.is_empty() {
            self.send(run, Body::Reports(reports));
        }
    }

    /// Checks what the last step wrote.
    pub(super) fn observe(&mut self) -> Result<(), String> {
        let appended = self.faults.take_appended();
        let released = self.faults.take_released();
        for run in appended {
            let facts = self.oracle.observe(run, &self.ports.journal.inner)?;
            for fact in facts {
                self.note(|| fact);
            }
            self.oracle.check_slots(&self.ports.pools.inner)?;
        }
        if released {
            self.oracle.check_slots(&self.ports.pools.inner)?;
        }
        Ok(())
    }
}
