//! Rules: a CEL condition and what follows from it.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;
use serde_json::{Map, Value, json};

use super::check;
use super::choice::RetryRule;
use super::config::{RetryConfig, RuleConfig, SetConfig};
use super::draft::Draft;
use super::prepared::{Policy, PolicyError};
use super::question::Question;
use crate::time::Timestamp;
use crate::workflow::reference::{Reference, Step};
use crate::workflow::{Expression, RetrySpec};

/// What conditions can name.
const VARIABLES: [&str; 4] = ["task", "run", "usage", "now"];

/// The fields of those variables that always have the same.
const FIELDS: [(&str, &[&str]); 3] = [
    (
        "task",
        &[
            "id",
            "agent",
            "action",
            "params",
            "pools",
            "epoch",
            "attempt",
            "approved",
            "item",
            "item_index",
            "resource_class",
            "priority",
            "memory_gb",
            "llm_model",
            "use_distributed",
            "dataset_size",
            "max_retries",
            "destructive",
            "timeout_s",
        ],
    ),
    (
        "run",
        &[
            "id",
            "workflow",
            "client_id",
            "priority",
            "inputs",
            "metadata",
            "task_count",
            "submitted_at",
            "age_s",
        ],
    ),
    (
        "now",
        &[
            "year", "month", "day", "hour", "minute", "weekday", "epoch_ms", "rfc3339",
        ],
    ),
];

/// A validated rule.
#[derive(Debug)]
pub(super) struct Rule {
    pub(super) name: String,
    /// `rule:NAME`, for [`super::Choice::matched`].
    pub(super) label: String,
    when: Option<Expression>,
    pub(super) set: SetConfig,
    pub(super) timeout_ms: Option<u64>,
    pub(super) retry: RetryConfig,
    pub(super) ending: Option<Ending>,
    pub(super) stop: bool,
}

/// What ends the evaluation.
#[derive(Debug)]
pub(super) enum Ending {
    Deny { reason: String },
    Hold { reason: String, recheck_ms: Option<u64> },
    Approval { reason: String },
}

impl Rule {
    /// Checks a rule; `path` is where it stands, for errors.
    pub(super) fn new(
        config: &RuleConfig,
        path: &str,
        pools: &BTreeMap<String, u32>,
    ) -> Result<Rule, PolicyError> {
        let at = |key: &str| format!("{path}.{key}");
        let set = config.set.clone().unwrap_or_default();
        let set_at = |key: &str| format!("{path}.set.{key}");
        if let Some(priority) = set.priority {
            check::priority(&set_at("priority"), priority)?;
        }
        if set.memory_gb.is_some() {
            check::positive(&set_at("memory_gb"), set.memory_gb)?;
        }
        if let Some(pool) = set.pools.iter().flatten().find(|pool| !pools.contains_key(*pool)) {
            let message = format!("there is no pool '{pool}' (name its slots under 'pools')");
            return Err(PolicyError::at(&set_at("pools"), message));
        }
        let timeout_ms = set
            .timeout_s
            .map(|timeout| check::seconds(&set_at("timeout_s"), timeout))
            .transpose()?;
        let retry = config.retry.unwrap_or_default();
        let RetryConfig {
            max_retries,
            backoff_base_s,
            backoff_max_s,
            ..
        } = retry;
        check::retry(
            &at("retry"),
            RetrySpec {
                max_retries,
                backoff_base_s,
                backoff_max_s,
            },
        )?;
        let rule = Rule {
            name: config.name.clone(),
            label: format!("rule:{}", config.name),
            when: condition(config.when.as_deref(), &at("when"))?,
            set,
            timeout_ms,
            retry,
            ending: ending(config, path)?,
            stop: config.stop,
        };
        let sets = rule.set != SetConfig::default() || rule.retry != RetryConfig::default();
        if !sets && rule.ending.is_none() && !rule.stop {
            let message = "the rule does nothing (give it set, retry, deny, hold, require_approval or stop)";
            return Err(PolicyError::at(path, message));
        }
        Ok(rule)
    }

    /// Whether the condition looks at this variable.
    pub(super) fn reads(&self, variable: &str) -> bool {
        let references = self.when.iter().flat_map(Expression::references);
        references
            .into_iter()
            .any(|reference| reference.variable == variable)
    }

    /// Whether the condition holds; an error says why that cannot be told.
    pub(super) fn applies(&self, variables: &mut Variables<'_>, draft: &Draft) -> Result<bool, String> {
        let Some(when) = &self.when else { return Ok(true) };
        for name in VARIABLES {
            if self.reads(name) {
                variables.provide(name, draft);
            }
        }
        match when.evaluate_with(&variables.named()) {
            Ok(Value::Bool(holds)) => Ok(holds),
            Ok(other) => Err(format!("its condition gives {other}, neither true nor false")),
            Err(error) => Err(error.to_string()),
        }
    }
}

fn condition(when: Option<&str>, path: &str) -> Result<Option<Expression>, PolicyError> {
    let Some(source) = when else { return Ok(None) };
    let expression = Expression::parse(source)
        .map_err(|error| PolicyError::at(path, format!("the condition is not valid CEL: {error}")))?;
    let unknown = expression
        .references()
        .iter()
        .find(|reference| !VARIABLES.contains(&reference.variable.as_str()));
    if let Some(reference) = unknown {
        let message = format!(
            "there is no variable '{}' (use task, run, usage or now)",
            reference.variable
        );
        return Err(PolicyError::at(path, message));
    }
    for Reference {
        variable,
        path: steps,
    } in expression.references()
    {
        let known = FIELDS.iter().find(|(name, _)| name == variable);
        if let (Some((_, fields)), Some(Step::Key(field))) = (known, steps.first())
            && !fields.contains(&field.as_str())
        {
            let message = format!(
                "'{variable}' has no field '{field}' (it has {})",
                fields.join(", ")
            );
            return Err(PolicyError::at(path, message));
        }
    }
    Ok(Some(expression))
}

fn ending(config: &RuleConfig, path: &str) -> Result<Option<Ending>, PolicyError> {
    let deny = config.deny.clone().map(|reason| Ending::Deny { reason });
    let approval = config
        .require_approval
        .clone()
        .map(|reason| Ending::Approval { reason });
    let hold = match &config.hold {
        Some(hold) => {
            let recheck_ms = match &hold.recheck {
                Some(text) => Some(duration(text, &format!("{path}.hold.for"))?),
                None => None,
            };
            Some(Ending::Hold {
                reason: hold.reason.clone(),
                recheck_ms,
            })
        }
        None => None,
    };
    let mut endings = [deny, hold, approval].into_iter().flatten();
    let first = endings.next();
    if endings.next().is_some() {
        let message = "a rule has one of deny, hold and require_approval (write a rule for each)";
        return Err(PolicyError::at(path, message));
    }
    Ok(first)
}

/// Reads a duration such as `90s`, `10m` or `1h 30m` as milliseconds.
pub(super) fn duration(text: &str, path: &str) -> Result<u64, PolicyError> {
    let read = text
        .parse::<jiff::SignedDuration>()
        .ok()
        .and_then(|span| u64::try_from(span.as_millis()).ok());
    read.filter(|millis| *millis > 0).ok_or_else(|| {
        PolicyError::at(
            path,
            format!("'{text}' is not a duration (write it as in '90s', '10m' or '1h 30m')"),
        )
    })
}

/// The values that conditions see, made when first needed.
pub(super) struct Variables<'a> {
    policy: &'a Policy,
    question: &'a Question<'a>,
    values: [Option<Value>; VARIABLES.len()],
}

impl<'a> Variables<'a> {
    pub(super) fn new(policy: &'a Policy, question: &'a Question<'a>) -> Variables<'a> {
        Variables {
            policy,
            question,
            values: Default::default(),
        }
    }

    /// The draft has changed: `task` shows what the rules so far have set.
    pub(super) fn draft_changed(&mut self) {
        self.values[0] = None;
    }

    fn provide(&mut self, name: &str, draft: &Draft) {
        let index = VARIABLES
            .iter()
            .position(|variable| *variable == name)
            .unwrap_or_default();
        if self.values[index].is_none() {
            self.values[index] = Some(match name {
                "task" => self.task(draft),
                "run" => self.run(),
                "usage" => self.usage(),
                _ => now(self.question.now, &self.policy.time_zone),
            });
        }
    }

    fn named(&self) -> Vec<(&'static str, &Value)> {
        let values = VARIABLES.into_iter().zip(&self.values);
        values
            .filter_map(|(name, value)| value.as_ref().map(|value| (name, value)))
            .collect()
    }

    fn task(&self, draft: &Draft) -> Value {
        let task = &self.question.task;
        present(json!({
            "id": task.id,
            "agent": task.agent,
            "action": task.action,
            "params": task.params,
            "pools": task.pools,
            "epoch": task.epoch,
            "attempt": task.attempt,
            "approved": task.approved,
            "item": task.item.map(|(item, _)| item),
            "item_index": task.item.map(|(_, index)| index),
            "resource_class": draft.overrides.resource_class,
            "priority": draft.overrides.priority,
            "memory_gb": draft.overrides.memory_gb,
            "llm_model": draft.overrides.llm_model,
            "use_distributed": draft.overrides.use_distributed,
            "dataset_size": super::built_in::dataset_size(self.question),
            "max_retries": draft.retry.max_retries,
            "destructive": self.policy.destructive_actions.matches(task.action),
            "timeout_s": draft.timeout_ms.map(|millis| millis as f64 / 1000.0),
        }))
    }

    fn run(&self) -> Value {
        let run = &self.question.run;
        present(json!({
            "id": run.id,
            "workflow": run.workflow,
            "client_id": run.client_id,
            "priority": run.priority,
            "inputs": run.inputs,
            "metadata": run.metadata,
            "task_count": run.task_count,
            "submitted_at": run.submitted_at,
            "age_s": self.question.now.millis_since(run.submitted_at) as f64 / 1000.0,
        }))
    }

    /// By pool: what the question says, else an empty pool of the policy's capacity.
    fn usage(&self) -> Value {
        let entry = |capacity: u32, used: u32, waiting: u32| {
            json!({
                "capacity": capacity,
                "used": used,
                "free": capacity.saturating_sub(used),
                "waiting": waiting,
            })
        };
        let idle = self
            .policy
            .capacities()
            .iter()
            .map(|(pool, slots)| (pool.clone(), entry(*slots, 0, 0)));
        let mut usage: Map<String, Value> = idle.collect();
        for pool in self.question.usage {
            usage.insert(pool.pool.clone(), entry(pool.capacity, pool.used, pool.waiting));
        }
        Value::Object(usage)
    }
}

/// Without the fields that have no value, so that conditions test for them with `has`.
fn present(mut object: Value) -> Value {
    if let Value::Object(fields) = &mut object {
        fields.retain(|_, value| !value.is_null());
    }
    object
}

fn now(now: Timestamp, zone: &TimeZone) -> Value {
    const WEEKDAYS: [&str; 7] = ["mon", "tue", "wed", "thu", "fri", "sat", "sun"];
    let Ok(instant) = jiff::Timestamp::from_millisecond(now.0) else {
        return json!({ "epoch_ms": now.0 });
    };
    let local = zone.to_datetime(instant);
    json!({
        "year": local.year(),
        "month": local.month(),
        "day": local.day(),
        "hour": local.hour(),
        "minute": local.minute(),
        "weekday": WEEKDAYS[local.weekday().to_monday_zero_offset().unsigned_abs() as usize],
        "epoch_ms": now.0,
        "rfc3339": now.to_string(),
    })
}

/// Applies the `retry` of a rule.
pub(super) fn adjust(retry: &mut RetryRule, config: &RetryConfig, destructive: bool) {
    if let Some(auto) = config.auto {
        retry.auto = auto && !destructive;
    }
    if let Some(max_retries) = config.max_retries {
        retry.max_retries = max_retries;
    }
    let millis = |seconds: f64| check::seconds("retry", seconds).expect("checked when the rule was loaded");
    if let Some(base) = config.backoff_base_s {
        retry.backoff_base_ms = millis(base);
    }
    if let Some(max) = config.backoff_max_s {
        retry.backoff_max_ms = millis(max);
    }
}
