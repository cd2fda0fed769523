//! Ports that fail by plan.

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::pool::{LeaseRequest, PoolUsage, Released};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::compute::{AgentVersion, Dispatch};
use orchestrator_engine::ports::event_bus::Committed;
use orchestrator_engine::ports::journal::{self, Append, StoredAppend};
use orchestrator_engine::ports::messages::Message;
use orchestrator_engine::ports::pools::Taken;
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{Cache, Compute, EventBus, Journal, Messages, Pools, RunIndex};

/// A call of a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
#[expect(missing_docs, reason = "each is the port's method")]
pub enum Call {
    Load,
    Append,
    Blob,
    Index,
    Send,
    Take,
    Release,
    Usage,
    Dispatch,
    Stop,
    Publish,
    CacheGet,
    CachePut,
    CacheRemove,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It is carried out.
    Pass,
    /// It is not carried out, and the caller is told so.
    Refuse,
    /// It is carried out, but the caller is told that nobody knows.
    LoseAnswer,
    /// It is not carried out, but the caller is told that nobody knows.
    LoseRequest,
}

/// Decides the fate of every call. May wait, so that other work comes in between.
pub trait Faults {
    /// Before a call; `run` is the run it is about, if it is about one.
    async fn before(&self, call: Call, run: Option<RunId>) -> Fate;

    /// After a call that was carried out; `done` says whether it worked.
    async fn after(&self, call: Call, run: Option<RunId>, done: bool);
}

/// Every call is carried out.
#[derive(Debug, Clone, Copy, Default)]
pub struct NoFaults;

impl Faults for NoFaults {
    async fn before(&self, _call: Call, _run: Option<RunId>) -> Fate {
        Fate::Pass
    }

    async fn after(&self, _call: Call, _run: Option<RunId>, _done: bool) {}
}

/// The first so many calls of one kind have a given fate; all others pass.
#[derive(Debug, Clone)]
pub struct FailTimes {
    call: Call,
    fate: Fate,
    left: Arc<AtomicU32>,
}

impl FailTimes {
    /// Gives the next `times` calls of this kind this fate.
    pub fn new(call: Call, fate: Fate, times: u32) -> FailTimes {
        FailTimes {
            call,
            fate,
            left: Arc::new(AtomicU32::new(times)),
        }
    }
}

impl Faults for FailTimes {
    async fn before(&self, call: Call, _run: Option<RunId>) -> Fate {
        let one_less = |left: u32| left.checked_sub(1);
        let fails = call == self.call
            && self
                .left
                .fetch_update(Ordering::Relaxed, Ordering::Relaxed, one_less)
                .is_ok();
        if fails { self.fate } else { Fate::Pass }
    }

    async fn after(&self, _call: Call, _run: Option<RunId>, _done: bool) {}
}

/// A port whose calls go through faults.
#[derive(Debug, Clone)]
pub struct Faulty<P, F = NoFaults> {
    /// The port itself: what a test looks at.
    pub inner: P,
    faults: F,
}

impl<P, F: Clone> Faulty<P, F> {
    /// Wraps a port.
    pub fn new(inner: P, faults: &F) -> Faulty<P, F> {
        Faulty {
            inner,
            faults: faults.clone(),
        }
    }
}

fn host_error(what: &'static str) -> HostError {
    HostError {
        what,
        detail: "injected fault".to_owned(),
    }
}

/// Carries out a call as its fate says.
macro_rules! call {
    ($self:ident, $call:ident, $run:expr, $refused:expr, $lost:expr, $work:expr) => {{
        let run: Option<RunId> = $run;
        let fate = $self.faults.before(Call::$call, run).await;
        match fate {
            Fate::Refuse => return Err($refused),
            Fate::LoseRequest => return Err($lost),
            Fate::Pass | Fate::LoseAnswer => {}
        }
        let result = $work.await;
        $self.faults.after(Call::$call, run, result.is_ok()).await;
        if fate == Fate::LoseAnswer && result.is_ok() {
            return Err($lost);
        }
        result
    }};
}

fn unavailable() -> journal::Error {
    journal::Error::Unavailable("injected fault".to_owned())
}

fn unknown() -> journal::Error {
    journal::Error::Unknown("injected fault".to_owned())
}

impl<P: Journal, F: Faults> Journal for Faulty<P, F> {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, journal::Error> {
        call!(
            self,
            Load,
            Some(run),
            unavailable(),
            unavailable(),
            self.inner.load(run, after)
        )
    }

    async fn append(&self, append: Append) -> Result<(), journal::Error> {
        call!(
            self,
            Append,
            Some(append.run),
            unavailable(),
            unknown(),
            self.inner.append(append)
        )
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, journal::Error> {
        call!(
            self,
            Blob,
            None,
            unavailable(),
            unavailable(),
            self.inner.blob(hash)
        )
    }
}

impl<P: RunIndex, F: Faults> RunIndex for Faulty<P, F> {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError> {
        call!(
            self,
            Index,
            Some(run),
            host_error("index"),
            host_error("index"),
            self.inner.summary(run)
        )
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError> {
        call!(
            self,
            Index,
            None,
            host_error("index"),
            host_error("index"),
            self.inner.list(query)
        )
    }
}

impl<P: Messages, F: Faults> Messages for Faulty<P, F> {
    async fn send(&self, messages: Vec<Message>) -> Result<(), HostError> {
        let run = messages.first().map(|message| message.run);
        call!(
            self,
            Send,
            run,
            host_error("queue"),
            host_error("queue"),
            self.inner.send(messages)
        )
    }

    async fn wake(&self, run: RunId, at: Timestamp, now: Timestamp) -> Result<bool, HostError> {
        call!(
            self,
            Send,
            Some(run),
            host_error("queue"),
            host_error("queue"),
            self.inner.wake(run, at, now)
        )
    }
}

impl<P: Pools, F: Faults> Pools for Faulty<P, F> {
    async fn take(&self, requests: &[LeaseRequest]) -> Result<Vec<Taken>, HostError> {
        let run = requests.first().map(|request| request.key.run);
        call!(
            self,
            Take,
            run,
            host_error("pools"),
            host_error("pools"),
            self.inner.take(requests)
        )
    }

    async fn release(&self, keys: &[AttemptKey], seen: u64) -> Result<Released, HostError> {
        let run = keys.first().map(|key| key.run);
        call!(
            self,
            Release,
            run,
            host_error("pools"),
            host_error("pools"),
            self.inner.release(keys, seen)
        )
    }

    async fn usage(&self) -> Result<Vec<PoolUsage>, HostError> {
        call!(
            self,
            Usage,
            None,
            host_error("pools"),
            host_error("pools"),
            self.inner.usage()
        )
    }
}

impl<P: Compute, F: Faults> Compute for Faulty<P, F> {
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError> {
        let run = attempts.first().map(|attempt| attempt.key.run);
        call!(
            self,
            Dispatch,
            run,
            host_error("agents"),
            host_error("agents"),
            self.inner.dispatch(attempts)
        )
    }

    fn version_of(&self, agent: &str) -> AgentVersion {
        self.inner.version_of(agent)
    }

    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError> {
        let run = attempts.first().map(|key| key.run);
        call!(
            self,
            Stop,
            run,
            host_error("agents"),
            host_error("agents"),
            self.inner.stop(attempts)
        )
    }
}

impl<P: Cache, F: Faults> Cache for Faulty<P, F> {
    async fn get(&self, key: &str, now: Timestamp) -> Result<Option<Vec<u8>>, HostError> {
        call!(
            self,
            CacheGet,
            None,
            host_error("cache"),
            host_error("cache"),
            self.inner.get(key, now)
        )
    }

    async fn put(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<(), HostError> {
        call!(
            self,
            CachePut,
            None,
            host_error("cache"),
            host_error("cache"),
            self.inner.put(key, value, now, expires_at)
        )
    }

    async fn claim(
        &self,
        key: &str,
        value: &[u8],
        now: Timestamp,
        expires_at: Timestamp,
    ) -> Result<bool, HostError> {
        call!(
            self,
            CachePut,
            None,
            host_error("cache"),
            host_error("cache"),
            self.inner.claim(key, value, now, expires_at)
        )
    }

    async fn remove(&self, key: &str) -> Result<(), HostError> {
        call!(
            self,
            CacheRemove,
            None,
            host_error("cache"),
            host_error("cache"),
            self.inner.remove(key)
        )
    }
}

impl<P: EventBus, F: Faults> EventBus for Faulty<P, F> {
    async fn publish(&self, committed: Committed<'_>) -> Result<(), HostError> {
        let run = Some(committed.run);
        call!(
            self,
            Publish,
            run,
            host_error("event bus"),
            host_error("event bus"),
            self.inner.publish(committed)
        )
    }
}
