//! The engine: the use cases with everything they need.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use orchestrator_core::ids::RunId;
use orchestrator_core::policy::Policy;
use orchestrator_core::sla::SlaSpec;
use orchestrator_core::workflow::Workflow;

use crate::error::Error;
use crate::observe::Telemetry;
use crate::ports::{Journal, Ports, journal};
use crate::token::TokenKey;

/// The use cases over a host's ports. One per process; hosts call [`Engine::submit`], [`Engine::handle`] and
/// [`Engine::operate`].
#[derive(Debug)]
pub struct Engine<P> {
    pub(crate) ports: P,
    pub(crate) policy: Arc<Policy>,
    pub(crate) tokens: TokenKey,
    pub(crate) options: Options,
    pub(crate) telemetry: Telemetry,
    definitions: Mutex<BTreeMap<[u8; 32], Arc<Workflow>>>,
}

/// How the use cases are combined and bounded.
#[derive(Debug, Clone, Copy, PartialEq)]
pub struct Options {
    /// Whether decisions are made in the turn that made tasks ready, with one append for both, instead of by a message to
    /// the decision function.
    pub decides_in_turn: bool,
    /// Most tasks decided in one append; bounds its size. At least 1.
    pub decisions_max: usize,
    /// One point of priority outweighs this much waiting for a pool, milliseconds.
    pub ageing_ms: u64,
    /// Deadlines of runs that are submitted from now on, where their documents say nothing.
    pub sla: SlaSpec,
    /// How long results of tasks that may be reused are kept, milliseconds.
    pub results_kept_ms: u64,
}

/// Parsed definitions kept per process.
const DEFINITIONS_MAX: usize = 64;

impl<P: Ports> Engine<P> {
    /// Puts the engine together.
    pub fn new(ports: P, policy: Arc<Policy>, tokens: TokenKey, options: Options) -> Engine<P> {
        assert!(
            options.decisions_max > 0,
            "a turn must be able to decide something"
        );
        Engine {
            ports,
            policy,
            tokens,
            options,
            telemetry: Telemetry::default(),
            definitions: Mutex::default(),
        }
    }

    /// The same engine, watched.
    #[must_use]
    pub fn watched_by(self, telemetry: Telemetry) -> Engine<P> {
        Engine { telemetry, ..self }
    }

    /// Who watches it.
    pub fn telemetry(&self) -> &Telemetry {
        &self.telemetry
    }

    /// The host's ports.
    pub fn ports(&self) -> &P {
        &self.ports
    }

    /// The policy in force.
    pub fn policy(&self) -> &Arc<Policy> {
        &self.policy
    }

    /// The key that signs task tokens.
    pub fn tokens(&self) -> &TokenKey {
        &self.tokens
    }

    /// Keeps a definition so that runs of it need not parse it again.
    pub fn remember_definition(&self, hash: [u8; 32], workflow: &Arc<Workflow>) {
        let mut definitions = self.definitions.lock().unwrap_or_else(PoisonError::into_inner);
        if definitions.len() >= DEFINITIONS_MAX {
            definitions.clear();
        }
        definitions.insert(hash, Arc::clone(workflow));
    }

    /// The definition stored under `hash`, for `run`.
    ///
    /// # Errors
    /// When it is missing or cannot be parsed: the store is corrupt.
    pub async fn definition(&self, run: RunId, hash: [u8; 32]) -> Result<Arc<Workflow>, Error> {
        let known = self
            .definitions
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .get(&hash)
            .cloned();
        if let Some(workflow) = known {
            return Ok(workflow);
        }
        let corrupt = |detail: String| Error::Journal(journal::Error::Corrupt { run, seq: 1, detail });
        let bytes = self.ports.journal().blob(hash).await.map_err(Error::Journal)?;
        let bytes = bytes.ok_or_else(|| corrupt("its definition is missing".to_owned()))?;
        let workflow = Workflow::from_canonical(&bytes)
            .map_err(|problems| corrupt(format!("its definition has {} problems", problems.len())))?;
        let workflow = Arc::new(workflow);
        self.remember_definition(hash, &workflow);
        Ok(workflow)
    }
}
