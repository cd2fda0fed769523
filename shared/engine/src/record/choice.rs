//! The persisted form of a choice.

use std::borrow::Cow;
use std::collections::BTreeMap;

use minicbor::{Decode, Encode};
use orchestrator_core::policy::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{OnDenied, ResourceClass};

use super::Error;

#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedChoice<'a> {
    #[n(0)]
    outcome: u8,
    #[n(1)]
    detail: u8,
    #[n(2)]
    until: Option<i64>,
    #[n(3)]
    resource_class: u8,
    #[n(4)]
    priority: u8,
    #[n(5)]
    memory_mb: u32,
    #[b(6)]
    llm_model: Option<Cow<'a, str>>,
    #[n(7)]
    use_distributed: bool,
    #[b(8)]
    extra: Option<Cow<'a, str>>,
    #[n(9)]
    auto_retry: bool,
    #[n(10)]
    max_retries: u32,
    #[n(11)]
    backoff_base_ms: u64,
    #[n(12)]
    backoff_max_ms: u64,
    #[n(13)]
    timeout_ms: Option<u64>,
    #[b(14)]
    pools: Vec<PersistedDemand<'a>>,
    #[b(15)]
    matched: Vec<Cow<'a, str>>,
    #[b(16)]
    reason: Cow<'a, str>,
    #[b(17)]
    policy_version: Cow<'a, str>,
}

#[derive(Debug, Encode, Decode)]
#[cbor(array)]
struct PersistedDemand<'a> {
    #[b(0)]
    pool: Cow<'a, str>,
    #[n(1)]
    slots: u32,
}

const CLASSES: [ResourceClass; 4] = [
    ResourceClass::Cpu,
    ResourceClass::Gpu,
    ResourceClass::Memory,
    ResourceClass::Compute,
];
const ON_DENIED: [OnDenied; 3] = [OnDenied::Skip, OnDenied::Fail, OnDenied::Hold];
const HOLDS: [HoldReason; 6] = [
    HoldReason::Window,
    HoldReason::Pool,
    HoldReason::Approval,
    HoldReason::Budget,
    HoldReason::Policy,
    HoldReason::Denied,
];

/// The number of a value in one of the tables above; the tables only ever grow at the end.
pub(super) fn number<T: PartialEq>(table: &[T], value: &T) -> u8 {
    let position = table.iter().position(|entry| entry == value);
    u8::try_from(position.expect("the table lists every value")).expect("tables are short")
}

pub(super) fn value<T: Copy>(table: &[T], number: u8, what: &str) -> Result<T, Error> {
    table
        .get(usize::from(number))
        .copied()
        .ok_or_else(|| Error::Malformed(format!("{what} has the unknown number {number}")))
}

pub(super) fn hold_number(hold: HoldReason) -> u8 {
    number(&HOLDS, &hold)
}

pub(super) fn hold_value(number: u8) -> Result<HoldReason, Error> {
    value(&HOLDS, number, "a hold")
}

impl<'a> PersistedChoice<'a> {
    pub(super) fn of(choice: &'a Choice) -> PersistedChoice<'a> {
        let (outcome, detail, until) = match choice.verdict {
            Verdict::Allow => (0, 0, None),
            Verdict::Deny { on_denied } => (1, number(&ON_DENIED, &on_denied), None),
            Verdict::Hold { reason, until } => (2, hold_number(reason), until.map(|at| at.0)),
        };
        let overrides = &choice.overrides;
        let extra = (!overrides.extra.is_empty()).then(|| {
            serde_json::to_string(&overrides.extra)
                .expect("JSON values serialise")
                .into()
        });
        PersistedChoice {
            outcome,
            detail,
            until,
            resource_class: number(&CLASSES, &overrides.resource_class),
            priority: overrides.priority,
            memory_mb: (overrides.memory_gb * 1024.0).round() as u32,
            llm_model: overrides.llm_model.as_deref().map(Cow::from),
            use_distributed: overrides.use_distributed,
            extra,
            auto_retry: choice.retry.auto,
            max_retries: choice.retry.max_retries,
            backoff_base_ms: choice.retry.backoff_base_ms,
            backoff_max_ms: choice.retry.backoff_max_ms,
            timeout_ms: choice.timeout_ms,
            pools: choice
                .pools
                .iter()
                .map(|demand| PersistedDemand {
                    pool: demand.pool.as_str().into(),
                    slots: demand.slots,
                })
                .collect(),
            matched: choice
                .matched
                .iter()
                .map(|name| Cow::from(name.as_str()))
                .collect(),
            reason: choice.reason.as_str().into(),
            policy_version: choice.policy_version.as_str().into(),
        }
    }

    pub(super) fn into_choice(self) -> Result<Choice, Error> {
        let verdict = match self.outcome {
            0 => Verdict::Allow,
            1 => Verdict::Deny {
                on_denied: value(&ON_DENIED, self.detail, "a denial")?,
            },
            2 => Verdict::Hold {
                reason: hold_value(self.detail)?,
                until: self.until.map(Timestamp),
            },
            other => {
                return Err(Error::Malformed(format!(
                    "a choice has the unknown outcome {other}"
                )));
            }
        };
        let extra = match &self.extra {
            None => BTreeMap::new(),
            Some(json) => serde_json::from_str(json).map_err(|error| Error::Malformed(error.to_string()))?,
        };
        Ok(Choice {
            verdict,
            overrides: Overrides {
                resource_class: value(&CLASSES, self.resource_class, "a resource class")?,
                priority: self.priority,
                memory_gb: f64::from(self.memory_mb) / 1024.0,
                llm_model: self.llm_model.map(Cow::into_owned),
                use_distributed: self.use_distributed,
                extra,
            },
            retry: RetryRule {
                auto: self.auto_retry,
                max_retries: self.max_retries,
                backoff_base_ms: self.backoff_base_ms,
                backoff_max_ms: self.backoff_max_ms,
            },
            timeout_ms: self.timeout_ms,
            pools: self
                .pools
                .into_iter()
                .map(|demand| PoolDemand {
                    pool: demand.pool.into_owned(),
                    slots: demand.slots,
                })
                .collect(),
            matched: self.matched.into_iter().map(Cow::into_owned).collect(),
            reason: self.reason.into_owned(),
            policy_version: self.policy_version.into_owned(),
        })
    }
}
