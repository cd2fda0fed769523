//! Faults at every call of a port.

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::future::poll_fn;
use std::rc::Rc;
use std::task::Poll;

use orchestrator_core::ids::RunId;

use super::coverage::Coverage;
use super::swarm::{Composition, Swarm};
use crate::faults::{Call, Fate, Faults};
use crate::random::Random;

/// Draws the fate of every call, and lets other work in between. Clones share one state.
#[derive(Debug, Clone)]
pub struct SimulatedFaults(Rc<RefCell<State>>);

#[derive(Debug)]
struct State {
    random: Random,
    composition: Composition,
    swarm: Swarm,
    coverage: Coverage,
    /// What the handler that is being polled has done so far.
    progress: Progress,
    /// Runs with new appends.
    appended: BTreeSet<RunId>,
    /// Whether slots were given back.
    released: bool,
}

/// How far a handler has come; a crash means something else at each point.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Progress {
    /// It has taken slots.
    pub took: bool,
    /// It has appended, and now carries out what that made due.
    pub appended: bool,
}

impl SimulatedFaults {
    /// Faults at these rates.
    pub fn new(random: Random, composition: Composition, swarm: Swarm) -> SimulatedFaults {
        let state = State {
            random,
            composition,
            swarm,
            coverage: Coverage::default(),
            progress: Progress::default(),
            appended: BTreeSet::new(),
            released: false,
        };
        SimulatedFaults(Rc::new(RefCell::new(state)))
    }

    /// Other rates from now on.
    pub fn set_swarm(&self, swarm: Swarm) {
        self.0.borrow_mut().swarm = swarm;
    }

    /// Before a handler is polled: what it has done so far. Returns what the one before it had done.
    pub fn switch(&self, progress: Progress) -> Progress {
        std::mem::replace(&mut self.0.borrow_mut().progress, progress)
    }

    /// Runs that were appended to since the last call.
    pub fn take_appended(&self) -> BTreeSet<RunId> {
        std::mem::take(&mut self.0.borrow_mut().appended)
    }

    /// Whether slots were given back since the last call.
    pub fn take_released(&self) -> bool {
        std::mem::take(&mut self.0.borrow_mut().released)
    }

    /// Counts something.
    pub fn hit(&self, name: &'static str) {
        self.0.borrow_mut().coverage.hit(name);
    }

    /// What has happened so far.
    pub fn coverage(&self) -> Coverage {
        self.0.borrow().coverage.clone()
    }

    async fn interleave(&self) {
        let yields = {
            let State { random, swarm, .. } = &mut *self.0.borrow_mut();
            random.chance(swarm.interleave)
        };
        if yields {
            let mut yielded = false;
            poll_fn(move |_| {
                if std::mem::replace(&mut yielded, true) {
                    Poll::Ready(())
                } else {
                    Poll::Pending
                }
            })
            .await;
        }
    }

    fn draw(&self, call: Call) -> Fate {
        let State {
            random,
            composition,
            swarm,
            coverage,
            ..
        } = &mut *self.0.borrow_mut();
        let is_on_disk = matches!(
            call,
            Call::Load | Call::Blob | Call::Append | Call::CacheGet | Call::CachePut | Call::CacheRemove
        );
        if *composition == Composition::Embedded && !is_on_disk {
            return Fate::Pass; // Everything but the disk is in memory.
        }
        if random.chance(swarm.refuse) {
            coverage.hit("call refused");
            return Fate::Refuse;
        }
        if !matches!(
            call,
            Call::Load | Call::Blob | Call::Usage | Call::Index | Call::CacheGet
        ) && random.chance(swarm.lose_answer)
        {
            let is_carried_out = random.chance(500);
            if call == Call::Append && is_carried_out {
                coverage.hit("append stored, answer lost");
            }
            return if is_carried_out {
                Fate::LoseAnswer
            } else {
                Fate::LoseRequest
            };
        }
        Fate::Pass
    }
}

impl Faults for SimulatedFaults {
    async fn before(&self, call: Call, _run: Option<RunId>) -> Fate {
        self.interleave().await;
        self.draw(call)
    }

    async fn after(&self, call: Call, run: Option<RunId>, done: bool) {
        {
            let mut state = self.0.borrow_mut();
            match call {
                Call::Append if !done => state.coverage.hit("append conflict"),
                Call::Append => {
                    state.progress.appended = true;
                    state.appended.extend(run);
                }
                Call::Take => state.progress.took = true,
                Call::Release => state.released = true,
                _ => {}
            }
        }
        self.interleave().await;
    }
}
