//! A choice while it is being made, and the notes taken on the way.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::choice::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
use super::explain::{Effect, Step};
use crate::time::Timestamp;
use crate::workflow::{OnDenied, ResourceClass};

/// A choice in the making.
#[derive(Debug)]
pub(super) struct Draft {
    pub(super) overrides: Overrides,
    pub(super) retry: RetryRule,
    pub(super) timeout_ms: Option<u64>,
    pub(super) pools: Vec<PoolDemand>,
    /// Set once the task may not run, with the reason.
    pub(super) refusal: Option<(Verdict, String)>,
    /// Whether the memory was asked for rather than computed from the class.
    pub(super) memory_is_given: bool,
    /// Why it has its class, as in "its agent is in gpu_agents".
    pub(super) class_because: &'static str,
    matched: Vec<Cow<'static, str>>,
    notes: Option<Vec<Step>>,
}

impl Draft {
    /// An empty draft; `noting` records every step for an explanation.
    pub(super) fn new(noting: bool) -> Draft {
        Draft {
            overrides: Overrides {
                resource_class: ResourceClass::Cpu,
                priority: 0,
                memory_gb: 0.0,
                llm_model: None,
                use_distributed: false,
                extra: Default::default(),
            },
            retry: RetryRule {
                auto: true,
                max_retries: 0,
                backoff_base_ms: 0,
                backoff_max_ms: 0,
            },
            timeout_ms: None,
            pools: Vec::new(),
            refusal: None,
            memory_is_given: false,
            class_because: "",
            matched: Vec::with_capacity(8),
            notes: noting.then(Vec::new),
        }
    }

    /// Records that `label` gave `key` its value. A later mention of the same label in the choice is left out.
    pub(super) fn matched(&mut self, label: impl Into<Cow<'static, str>>) {
        let label = label.into();
        if !self.matched.contains(&label) {
            self.matched.push(label);
        }
    }

    /// Whether [`Draft::note`] does anything: callers spare themselves the values otherwise.
    pub(super) fn noting(&self) -> bool {
        self.notes.is_some()
    }

    /// Notes that `rule` had this effect.
    pub(super) fn note(&mut self, rule: &str, effect: Effect) {
        if let Some(notes) = &mut self.notes {
            notes.push(Step {
                rule: rule.to_owned(),
                effect,
            });
        }
    }

    /// Notes that `rule` set `key`; nothing when the value stays the same.
    pub(super) fn note_set(&mut self, rule: &str, key: &str, before: Value, after: Value) {
        if before != after {
            self.note(
                rule,
                Effect::Set {
                    key: key.to_owned(),
                    before,
                    after,
                },
            );
        }
    }

    /// The task may not run, for this reason. The first refusal stands.
    pub(super) fn refuse(
        &mut self,
        label: impl Into<Cow<'static, str>>,
        verdict: Verdict,
        reason: impl Into<String>,
    ) {
        let label = label.into();
        let reason = reason.into();
        let effect = || Effect::Refused {
            verdict: verdict.clone(),
            reason: reason.clone(),
        };
        if self.noting() {
            let effect = effect();
            self.note(&label, effect);
        }
        self.matched(label);
        self.refusal.get_or_insert((verdict, reason));
    }

    pub(super) fn deny(
        &mut self,
        label: impl Into<Cow<'static, str>>,
        on_denied: OnDenied,
        reason: impl Into<String>,
    ) {
        self.refuse(label, Verdict::Deny { on_denied }, reason);
    }

    pub(super) fn hold(
        &mut self,
        label: impl Into<Cow<'static, str>>,
        reason: HoldReason,
        until: Option<Timestamp>,
        because: impl Into<String>,
    ) {
        self.refuse(label, Verdict::Hold { reason, until }, because);
    }

    /// The values of the overrides by key, for noting what a rule changed.
    pub(super) fn snapshot(&self) -> Vec<(&'static str, Value)> {
        let Overrides {
            resource_class,
            priority,
            memory_gb,
            llm_model,
            use_distributed,
            extra,
        } = &self.overrides;
        vec![
            ("resource_class", json!(resource_class)),
            ("priority", json!(priority)),
            ("memory_gb", json!(memory_gb)),
            ("llm_model", json!(llm_model)),
            ("use_distributed", json!(use_distributed)),
            ("extra", json!(extra)),
            ("timeout_ms", json!(self.timeout_ms)),
            ("retry", json!(self.retry)),
        ]
    }

    /// The finished choice, and the notes.
    pub(super) fn finish(self, policy_version: &str) -> (Choice, Vec<Step>) {
        let (verdict, reason) = match self.refusal {
            Some(refusal) => refusal,
            None => (Verdict::Allow, allowed(&self.overrides, self.class_because)),
        };
        let choice = Choice {
            verdict,
            overrides: self.overrides,
            retry: self.retry,
            timeout_ms: self.timeout_ms,
            pools: self.pools,
            matched: self.matched.into_iter().map(Cow::into_owned).collect(),
            reason,
            policy_version: policy_version.to_owned(),
        };
        (choice, self.notes.unwrap_or_default())
    }
}

fn allowed(overrides: &Overrides, because: &str) -> String {
    let Overrides {
        resource_class,
        priority,
        memory_gb,
        ..
    } = overrides;
    let class = resource_class.as_str();
    format!("runs on {class} because {because}, with {memory_gb} GB and priority {priority}")
}
