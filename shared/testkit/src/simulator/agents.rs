//! Agents: they take what is dispatched, and do well, fail, hang, die, come late or repeat themselves.

use std::cell::RefCell;
use std::collections::{BTreeMap, BTreeSet};
use std::rc::Rc;
use std::sync::Arc;

use orchestrator_core::ids::AttemptKey;
use orchestrator_core::run::{
    ContentId, Failure, FailureClass, NewFiles, Progress, RejectedCheckpoint, ReportKind, SavedFiles,
};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::Compute;
use orchestrator_engine::ports::compute::{AgentVersion, Dispatch};
use serde_json::{Value, json};

use super::swarm::Swarm;
use crate::random::Random;

/// Where attempts are handed to agents. Clones share one state.
#[derive(Debug, Clone, Default)]
pub struct Agents(Rc<RefCell<State>>);

#[derive(Debug, Default)]
struct State {
    /// Attempts handed over and not planned yet.
    arrived: Vec<AttemptKey>,
    known: BTreeMap<AttemptKey, Life>,
}

/// Where an agent's work stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Life {
    Working,
    Stopped,
    Gone,
}

/// Something an agent will say.
#[derive(Debug, Clone, PartialEq)]
pub struct Saying {
    /// About which attempt.
    pub key: AttemptKey,
    /// What.
    pub kind: ReportKind,
    /// Whether it is the end of the attempt.
    pub is_end: bool,
}

impl Agents {
    /// Attempts that have arrived since the last call, each once.
    pub fn take_arrived(&self) -> Vec<AttemptKey> {
        std::mem::take(&mut self.0.borrow_mut().arrived)
    }

    /// Whether an agent works on the attempt.
    pub fn works_on(&self, key: AttemptKey) -> bool {
        self.0.borrow().known.get(&key) == Some(&Life::Working)
    }

    /// The agent has ended by itself.
    pub fn gone(&self, key: AttemptKey) {
        self.0.borrow_mut().known.insert(key, Life::Gone);
    }

    /// Every attempt an agent works on.
    pub fn working(&self) -> BTreeSet<AttemptKey> {
        let state = self.0.borrow();
        let working = state.known.iter().filter(|(_, life)| **life == Life::Working);
        working.map(|(key, _)| *key).collect()
    }

    /// All agents die with the process that started them, and nobody remembers them.
    pub fn kill_all(&self) {
        *self.0.borrow_mut() = State::default();
    }
}

impl Compute for Agents {
    async fn dispatch(&self, attempts: Vec<Dispatch>) -> Result<(), HostError> {
        let State { arrived, known } = &mut *self.0.borrow_mut();
        for Dispatch { key, .. } in attempts {
            known.entry(key).or_insert_with(|| {
                arrived.push(key);
                Life::Working
            });
        }
        Ok(())
    }

    fn version_of(&self, _agent: &str) -> AgentVersion {
        AgentVersion::default()
    }

    async fn stop(&self, attempts: Vec<AttemptKey>) -> Result<(), HostError> {
        let known = &mut self.0.borrow_mut().known;
        for key in attempts {
            known.entry(key).and_modify(|life| *life = Life::Stopped);
        }
        Ok(())
    }
}

/// What an agent will say about an attempt, and after how many milliseconds each; and what it is called.
pub fn script(random: &mut Random, swarm: &Swarm, key: AttemptKey) -> (&'static str, Vec<(u64, Saying)>) {
    let mut said = Vec::new();
    let mut at = random.range(1, 200);
    let mut say = |at: u64, kind: ReportKind, is_end: bool| said.push((at, Saying { key, kind, is_end }));
    let name = if random.chance(swarm.agent_death) {
        if random.chance(700) {
            say(at, ReportKind::Started, false);
        }
        say(at + random.range(10, 20_000), failed(FailureClass::Lost), true);
        "agent dies"
    } else if random.chance(swarm.agent_mischief) {
        mischief(random, at, &mut say)
    } else if random.chance(swarm.agent_failure) {
        if random.chance(500) {
            say(at, ReportKind::Started, false);
            at += random.range(1, 5_000);
        }
        let classes = [
            FailureClass::Transient,
            FailureClass::Error,
            FailureClass::Permanent,
            FailureClass::Validation,
        ];
        say(at, failed(*random.pick(&classes)), true);
        "agent fails"
    } else if random.chance(400) {
        say(at, succeeded(random), true);
        "agent succeeds at once"
    } else {
        say(at, ReportKind::Started, false);
        at += random.range(1, 3_000);
        if random.chance(300) {
            say(
                at,
                ReportKind::Progress(Arc::new(Progress {
                    percent: Some(50.0),
                    message: None,
                })),
                false,
            );
        }
        if random.chance(300) {
            say(
                at + 1,
                ReportKind::Checkpoint(Arc::new(json!({"step": 1}))),
                false,
            );
        }
        if random.chance(300) {
            let files = files(random);
            if random.chance(300) {
                say(at, rejected(files), false);
            }
            let value = Value::Null;
            let saved = ReportKind::FilesSaved(Arc::new(NewFiles { files, value }));
            say(at + 1, saved, false);
            if random.chance(300) {
                say(at + 2, rejected(files), false);
            }
        }
        say(at + random.range(3, 8_000), succeeded(random), true);
        "agent succeeds"
    };
    (name, said)
}

fn mischief(random: &mut Random, at: u64, say: &mut impl FnMut(u64, ReportKind, bool)) -> &'static str {
    say(at, ReportKind::Started, false);
    match random.below(3) {
        0 => "agent hangs",
        1 => {
            say(at + random.range(30_000, 200_000), succeeded(random), true);
            "agent is late"
        }
        _ => {
            let end = if random.chance(700) {
                succeeded(random)
            } else {
                failed(FailureClass::Transient)
            };
            let at = at + random.range(1, 5_000);
            say(at, ReportKind::Started, false);
            say(at + 1, end.clone(), true);
            say(at + random.range(2, 60_000), end, true);
            "agent repeats itself"
        }
    }
}

/// A failure of this class.
pub fn failed(class: FailureClass) -> ReportKind {
    ReportKind::Failure(Arc::new(Failure {
        class,
        message: "simulated".to_owned(),
        exit_code: None,
    }))
}

/// One of a few sets of files, so that the same are saved and rejected again.
fn files(random: &mut Random) -> SavedFiles {
    let number = random.below(6);
    SavedFiles {
        list: ContentId::of(&number.to_le_bytes()),
        count: 1,
        bytes: number,
    }
}

fn rejected(files: SavedFiles) -> ReportKind {
    let rejected = RejectedCheckpoint {
        files: Some(files),
        reason: "simulated".to_owned(),
    };
    ReportKind::CheckpointRejected(Arc::new(rejected))
}

/// Outputs are short lists, for whoever fans out over them; sometimes nothing.
fn succeeded(random: &mut Random) -> ReportKind {
    let items: Vec<Value> = (0..random.below(4)).map(Value::from).collect();
    let output = random.chance(900).then(|| Arc::new(Value::Array(items)));
    // Now and then by a clock that is far behind or ahead.
    let started_at = random
        .chance(500)
        .then(|| Timestamp(*random.pick(&[1_700_000_000_000, 1_900_000_000_000])));
    ReportKind::Success { started_at, output }
}
