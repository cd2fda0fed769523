//! The engine's thread: one loop that owns every run of a data directory.
//!
//! ```text
//!   API, CLI --submit, operate, report--+                    +--> oneshot replies, once durable
//!   agents --said, ended----------------+--> inbox           |
//!                                             |              |
//!   timers (runs due, alarms, delays) --+     v              |
//!                                       +--> backlog: work per run, one turn of a run at a time
//!   outbox (engine to itself) ----------+     |
//!        ^                                    v
//!        |                            turns: futures of engine use cases, all on this thread
//!        |                                    |  load or cached session -> decide -> append
//!        |                                    v
//!        |                            batch: every append of this round waits here
//!        |                                    |
//!        |                                    v
//!        |                            ONE transaction, one flush to disk; then the turns go on:
//!        |                                    |
//!        +--messages, builtin agents' reports-+--> pools, agents, subscribers
//! ```
//!
//! A round takes what has come in (bounded), starts turns, polls them until each waits for its append, commits once, and
//! goes round again; with nothing to do it sleeps until the next message or timer. So a single run pays one flush per hop,
//! and many runs share it; nothing is acknowledged and no effect leaves before its append is durable. Turns are woken from
//! this thread, hence no runtime, no locks, and one order of events; only the cache of results answers from a thread of its
//! own, which wakes the loop by a message.
//!
//! Everything here is a cache of the journals: a killed process loses nothing that was acknowledged, see `recovery`.
//!
//! Reading order: this file, `turn`, `backlog`, `journal`, `sessions`, `pools`, `recovery`; `input` and `ports` are the seams.

mod backlog;
pub(crate) mod input;
pub(crate) mod journal;
pub(crate) mod pools;
pub(crate) mod ports;
mod recovery;
mod resend;
pub(crate) mod sessions;
pub(crate) mod slot;
mod turn;
mod watched;

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, RecvTimeoutError, TryRecvError};
use std::task::{Context, Poll, Wake, Waker};
use std::thread::{self, ThreadId};
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, Stream as _};
use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::pool::PoolUsage;
use orchestrator_core::run::{Report, ReportKind, RunStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::api::backend::PoolStats;
use orchestrator_engine::engine::Engine;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::ports::messages::Body;

pub use recovery::Recovered;
pub use watched::Watched;

use backlog::{Backlog, Work};
use input::{Inbox, Input};
use ports::EmbeddedPorts;
use turn::{Turned, turn};
use watched::watched;

pub(crate) use recovery::recover;
pub(crate) use resend::resend;

/// A run was appended to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Change {
    /// The run.
    pub run: RunId,
    /// Its last append.
    pub seq: u64,
    /// Its state after it.
    pub status: RunStatus,
    /// Whether the run has ended.
    pub has_ended: bool,
}

/// A pool with those who hold its slots and those who wait for one, first in line first.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PoolView {
    /// How full it is.
    pub usage: PoolUsage,
    /// Who holds slots.
    pub holders: Vec<AttemptKey>,
    /// Who waits.
    pub waiters: Vec<AttemptKey>,
}

impl PoolView {
    /// Its name and how full it is.
    pub(crate) fn numbers(&self) -> (String, PoolStats) {
        let PoolUsage {
            pool,
            capacity,
            used,
            waiting,
            ..
        } = &self.usage;
        let numbers = PoolStats {
            capacity: *capacity,
            used: *used,
            waiting: *waiting,
        };
        (pool.clone(), numbers)
    }
}

/// What the host has done since it started.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Stats {
    /// Runs in memory: those that have not ended, but for a very long tail.
    pub runs_loaded: usize,
    /// Attempts at work now.
    pub attempts_live: usize,
    /// Appends to journals.
    pub appends: u64,
    /// Events in them.
    pub events: u64,
    /// Commits that made them durable.
    pub commits: u64,
}

/// Messages taken from the inbox per round: bounds how long the first waits for its commit.
const INBOX_MAX: usize = 4_096;
/// Longest sleep: a clock that was set is noticed after so long.
const SLEEP_MAX: Duration = Duration::from_secs(10);
/// How long the end waits beyond the agents' grace for what is under way.
const END_EXTRA_MS: u64 = 5_000;

type TurnFuture<'a> = Pin<Box<dyn Future<Output = Turned> + 'a>>;

/// Runs the loop until it is told to stop, then ends the agents.
pub(crate) fn serve(
    engine: &Engine<EmbeddedPorts>,
    own_inbox: Inbox,
    inbox: &Receiver<Input>,
    grace: Duration,
) {
    let woken = Arc::new(Woken {
        is_woken: AtomicBool::new(false),
        thread: thread::current().id(),
        inbox: own_inbox,
    });
    let mut host = Host {
        engine,
        inbox,
        backlog: Backlog::default(),
        turns: FuturesUnordered::new(),
        waker: Waker::from(Arc::clone(&woken)),
        woken,
        is_stopping: false,
    };
    while !host.is_stopping {
        host.round();
        if host.is_idle() {
            host.sleep();
        }
    }
    host.end(grace);
}

struct Host<'a> {
    engine: &'a Engine<EmbeddedPorts>,
    inbox: &'a Receiver<Input>,
    backlog: Backlog,
    turns: FuturesUnordered<TurnFuture<'a>>,
    waker: Waker,
    woken: Arc<Woken>,
    is_stopping: bool,
}

/// Notes that some turn can go on.
struct Woken {
    is_woken: AtomicBool,
    /// The engine's thread, which may be asleep when another one wakes a turn.
    thread: ThreadId,
    inbox: Inbox,
}

impl Wake for Woken {
    fn wake(self: Arc<Self>) {
        self.is_woken.store(true, Ordering::Relaxed);
        if thread::current().id() != self.thread {
            self.inbox.send(Input::Woken);
        }
    }
}

impl Host<'_> {
    fn ports(&self) -> &EmbeddedPorts {
        self.engine.ports()
    }

    /// Takes what has come in, goes as far as possible without the disk, then makes it durable.
    fn round(&mut self) {
        self.take_inbox();
        let now = self.ports().clock.now();
        self.ports().compute.sound_alarms(now);
        for run in self.ports().sessions.take_due(now) {
            self.backlog.add(run, Work::Message(Body::Tick));
        }
        self.backlog.wake(now);
        loop {
            for message in self.ports().outbox.take() {
                self.backlog.add(message.run, Work::Message(message.body));
            }
            while let Some((run, work)) = self.backlog.next() {
                self.turns.push(Box::pin(turn(self.engine, run, work)));
            }
            if !self.poll_turns() {
                break;
            }
        }
        self.ports().journal.take_tallies(now);
        if self.ports().journal.commit() {
            self.poll_turns();
        }
    }

    /// Polls turns until each of them waits. Whether one ended.
    fn poll_turns(&mut self) -> bool {
        let mut any = false;
        loop {
            self.woken.is_woken.store(false, Ordering::Relaxed);
            let mut context = Context::from_waker(&self.waker);
            match Pin::new(&mut self.turns).poll_next(&mut context) {
                Poll::Ready(Some(turned)) => {
                    any = true;
                    self.turned(turned);
                }
                Poll::Ready(None) => return any,
                Poll::Pending if !self.woken.is_woken.load(Ordering::Relaxed) => return any,
                Poll::Pending => {}
            }
        }
    }

    fn turned(&mut self, turned: Turned) {
        let Turned { run, rest, failed } = turned;
        if failed {
            let now = self.ports().clock.now();
            self.backlog.failed(run, rest, now);
        } else {
            self.backlog.done(run, rest);
        }
    }

    /// Whether only a message from outside or a timer can make a difference.
    fn is_idle(&mut self) -> bool {
        if !self.ports().outbox.is_empty() || self.backlog.has_next() {
            return false;
        }
        // A turn that waits for a commit is found by the next round; all others wait for messages.
        !self.ports().journal.has_waiting()
    }

    fn take_inbox(&mut self) {
        for _ in 0..INBOX_MAX {
            match self.inbox.try_recv() {
                Ok(input) => self.take(input),
                Err(TryRecvError::Empty) => return,
                Err(TryRecvError::Disconnected) => {
                    self.is_stopping = true;
                    return;
                }
            }
        }
    }

    /// Sleeps until a message comes or something is due.
    fn sleep(&mut self) {
        let ports = self.ports();
        let due = [
            ports.sessions.next_due(),
            ports.compute.next_alarm(),
            self.backlog.next_wake(),
            ports.journal.next_tallies(),
        ];
        let now = ports.clock.now();
        let until_due = |due: Timestamp| Duration::from_millis(due - now);
        let longest = due.into_iter().flatten().map(until_due).min();
        match self
            .inbox
            .recv_timeout(longest.unwrap_or(SLEEP_MAX).min(SLEEP_MAX))
        {
            Ok(input) => self.take(input),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => self.is_stopping = true,
        }
    }

    fn take(&mut self, input: Input) {
        match input {
            Input::Submit(request, reply) => self.backlog.add(request.run, Work::Submit(request, reply)),
            Input::Operate(run, command, reply) => self.backlog.add(run, Work::Operate(command, reply)),
            Input::Report(run, reports, reply) => self.backlog.add(run, Work::Report(reports, reply)),
            Input::Look(run, look) => self.backlog.add(run, Work::Look(look)),
            Input::Claim(claim, reply) => self.ports().journal.claim(claim, reply),
            Input::Pools(reply) => drop(reply.send(self.ports().pools.view())),
            Input::Stats(reply) => drop(reply.send(self.stats())),
            Input::Watch(client, reply) => {
                let now = self.ports().clock.now();
                drop(reply.send(watched(self.ports(), client.as_deref(), now)));
            }
            Input::Sent(id) => self.ports().journal.sent(id),
            Input::Said(key, kind) => self.report(key, kind),
            Input::Handed(key) => self.ports().compute.ended(key),
            Input::Ended(key, kind) => {
                self.ports().compute.ended(key);
                // A command that exited has begun, however short it was; a success says so itself.
                if matches!(&kind, ReportKind::Failure(failure) if failure.exit_code.is_some()) {
                    self.report(key, ReportKind::Started);
                }
                self.report(key, kind);
            }
            // The next round looks at every turn that was woken.
            Input::Woken => {}
            Input::Stop => self.is_stopping = true,
        }
    }

    fn report(&mut self, key: AttemptKey, kind: ReportKind) {
        let report = Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        };
        let body = Body::Reports(vec![report]);
        self.backlog.add(key.run, Work::Message(body));
    }

    fn stats(&self) -> Stats {
        let ports = self.ports();
        let (appends, commits) = ports.journal.counts();
        Stats {
            runs_loaded: ports.sessions.count(),
            attempts_live: ports.compute.live_count(),
            appends,
            events: ports.bus.events.get(),
            commits,
        }
    }

    /// Ends the agents and finishes the turns that are under way. What agents say from now on is lost with them: their
    /// attempts are taken up again by the next owner, as after a crash.
    fn end(mut self, grace: Duration) {
        self.finish_turns();
        self.ports().journal.take_tallies(Timestamp(i64::MAX));
        self.ports().journal.commit();
        let compute = &self.engine.ports().compute;
        compute.stop_all();
        let grace = u64::try_from(grace.as_millis()).unwrap_or(u64::MAX);
        let kill_at = self.ports().clock.now() + grace;
        let give_up_at = kill_at + END_EXTRA_MS;
        while compute.process_count() > 0 || !self.turns.is_empty() {
            let now = self.ports().clock.now();
            if now >= give_up_at {
                tracing::warn!(left = compute.process_count(), "agents did not end in time");
                break;
            }
            if now >= kill_at {
                compute.kill_all();
            }
            let next = if now < kill_at { kill_at } else { give_up_at };
            match self.inbox.recv_timeout(Duration::from_millis(next - now)) {
                Ok(Input::Ended(key, _)) => compute.ended(key),
                // Callers see that nobody answers.
                Ok(_) | Err(RecvTimeoutError::Timeout) => {}
                Err(RecvTimeoutError::Disconnected) => break,
            }
            self.finish_turns();
        }
    }

    /// Lets the turns that are under way go on until none can: all they wait for are commits.
    fn finish_turns(&mut self) {
        while self.poll_turns() | self.ports().journal.commit() {}
    }
}
