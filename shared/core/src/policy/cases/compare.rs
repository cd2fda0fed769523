//! What a case expects against what was chosen.

use serde_json::{Value, json};

use super::{At, Expect, Outcome, Unexpected};
use crate::policy::choice::{Choice, Verdict};
use crate::time::Timestamp;

impl Expect {
    /// Everything that is not as expected.
    pub(super) fn compare(&self, choice: &Choice) -> Vec<Unexpected> {
        let overrides = &choice.overrides;
        let (outcome, on_denied, hold_reason, until) = match &choice.verdict {
            Verdict::Allow => (Outcome::Allow, None, None, None),
            Verdict::Deny { on_denied } => (Outcome::Deny, Some(*on_denied), None, None),
            Verdict::Hold { reason, until } => (Outcome::Hold, None, Some(*reason), *until),
        };
        let timeout_s = choice.timeout_ms.map(|millis| millis as f64 / 1000.0);
        let model = overrides.llm_model.as_deref().unwrap_or("none");
        let mut found = Vec::new();
        let mut check = |key: &str, expected: Option<Value>, value: Value| {
            if let Some(expected) = expected.filter(|expected| *expected != value) {
                found.push(Unexpected {
                    key: key.to_owned(),
                    expected,
                    found: value,
                });
            }
        };
        check("outcome", self.outcome.map(|it| json!(it)), json!(outcome));
        check("on_denied", self.on_denied.map(|it| json!(it)), json!(on_denied));
        check(
            "hold_reason",
            self.hold_reason.map(|it| json!(it)),
            json!(hold_reason),
        );
        let time = |at: Timestamp| json!(at.to_string());
        check(
            "until",
            self.until.map(|At(at)| time(at)),
            until.map_or(Value::Null, time),
        );
        check(
            "resource_class",
            self.resource_class.map(|it| json!(it)),
            json!(overrides.resource_class),
        );
        check(
            "priority",
            self.priority.map(|it| json!(it)),
            json!(overrides.priority),
        );
        check(
            "memory_gb",
            self.memory_gb.map(|it| json!(it)),
            json!(overrides.memory_gb),
        );
        check(
            "llm_model",
            self.llm_model.as_ref().map(|it| json!(it)),
            json!(model),
        );
        check(
            "use_distributed",
            self.use_distributed.map(|it| json!(it)),
            json!(overrides.use_distributed),
        );
        for (key, expected) in &self.extra {
            let value = overrides.extra.get(key).cloned().unwrap_or(Value::Null);
            check(&format!("extra.{key}"), Some(expected.clone()), value);
        }
        check("timeout_s", self.timeout_s.map(|it| json!(it)), json!(timeout_s));
        check(
            "max_retries",
            self.max_retries.map(|it| json!(it)),
            json!(choice.retry.max_retries),
        );
        check(
            "auto_retry",
            self.auto_retry.map(|it| json!(it)),
            json!(choice.retry.auto),
        );
        let pools: Vec<&str> = choice.pools.iter().map(|demand| demand.pool.as_str()).collect();
        let sorted = |mut pools: Vec<String>| {
            pools.sort_unstable();
            json!(pools)
        };
        check("pools", self.pools.clone().map(sorted), json!(pools));
        for name in self.matched.iter().filter(|name| !choice.matched.contains(name)) {
            check("matched", Some(json!(name)), json!(choice.matched));
        }
        if let Some(text) = self
            .reason
            .as_ref()
            .filter(|text| !choice.reason.contains(text.as_str()))
        {
            check("reason", Some(json!(text)), json!(choice.reason));
        }
        found
    }
}
