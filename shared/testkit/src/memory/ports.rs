//! All ports together.

use orchestrator_engine::ports::Ports;

use super::{
    MemoryCache, MemoryCompute, MemoryEventBus, MemoryJournal, MemoryMessages, MemoryPools, MemorySessions,
    SimulatedClock,
};
use crate::faults::{Faulty, NoFaults};

/// Ports in memory; calls go through the faults `F`, attempts go to the agents `C`.
#[derive(Debug, Clone)]
pub struct MemoryPorts<F = NoFaults, C = MemoryCompute> {
    /// Journals and the index of runs.
    pub journal: Faulty<MemoryJournal, F>,
    /// Messages.
    pub messages: Faulty<MemoryMessages, F>,
    /// Pools.
    pub pools: Faulty<MemoryPools, F>,
    /// Agents.
    pub compute: Faulty<C, F>,
    /// What was published.
    pub event_bus: Faulty<MemoryEventBus, F>,
    /// The time.
    pub clock: SimulatedClock,
    /// Kept results.
    pub cache: Faulty<MemoryCache, F>,
    /// Loaded runs.
    pub sessions: MemorySessions,
}

impl<F: Clone, C> MemoryPorts<F, C> {
    /// Fresh ports without any pool and without kept sessions.
    pub fn new(faults: &F, clock: SimulatedClock, compute: C) -> MemoryPorts<F, C> {
        MemoryPorts {
            journal: Faulty::new(MemoryJournal::default(), faults),
            messages: Faulty::new(MemoryMessages::default(), faults),
            pools: Faulty::new(MemoryPools::default(), faults),
            compute: Faulty::new(compute, faults),
            event_bus: Faulty::new(MemoryEventBus::default(), faults),
            cache: Faulty::new(MemoryCache::default(), faults),
            clock,
            sessions: MemorySessions::none(),
        }
    }
}

impl<F, C> Ports for MemoryPorts<F, C>
where
    F: crate::faults::Faults,
    C: orchestrator_engine::ports::Compute,
{
    type Journal = Faulty<MemoryJournal, F>;
    type RunIndex = Faulty<MemoryJournal, F>;
    type Messages = Faulty<MemoryMessages, F>;
    type Pools = Faulty<MemoryPools, F>;
    type Compute = Faulty<C, F>;
    type EventBus = Faulty<MemoryEventBus, F>;
    type Clock = SimulatedClock;
    type SessionCache = MemorySessions;
    type Cache = Faulty<MemoryCache, F>;

    fn journal(&self) -> &Self::Journal {
        &self.journal
    }

    fn run_index(&self) -> &Self::RunIndex {
        &self.journal
    }

    fn messages(&self) -> &Self::Messages {
        &self.messages
    }

    fn pools(&self) -> &Self::Pools {
        &self.pools
    }

    fn compute(&self) -> &Self::Compute {
        &self.compute
    }

    fn event_bus(&self) -> &Self::EventBus {
        &self.event_bus
    }

    fn clock(&self) -> &Self::Clock {
        &self.clock
    }

    fn session_cache(&self) -> &Self::SessionCache {
        &self.sessions
    }

    fn cache(&self) -> &Self::Cache {
        &self.cache
    }
}
