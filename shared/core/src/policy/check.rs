//! Checks and prepares the values of a policy, each error with its key.

use std::collections::BTreeMap;

use jiff::tz::TimeZone;

use super::config::{
    ActionFactor, BaseMemory, DatasetStep, ModelRule, PolicyConfig, PriorityRule, ResourceLimits, RuleConfig,
};
use super::pattern::Patterns;
use super::prepared::{
    CPU_POOL, GPU_POOL, Model, PolicyError, Priority, RETRIES_MAX, Surroundings, agent_pool,
};
use super::rule::Rule;
use super::window::Window;
use crate::workflow::RetrySpec;

/// The value of a key that the default policy sets, so that it is missing only in a damaged stored policy.
pub(super) fn set<T>(key: &str, value: Option<T>) -> Result<T, PolicyError> {
    value.ok_or_else(|| PolicyError::at(key, "must have a value"))
}

pub(super) fn positive(path: &str, value: Option<f64>) -> Result<f64, PolicyError> {
    match set(path, value)? {
        number if number.is_finite() && number > 0.0 => Ok(number),
        number => Err(PolicyError::at(
            path,
            format!("'{number}' must be greater than 0"),
        )),
    }
}

/// Seconds as milliseconds.
pub(super) fn seconds(path: &str, value: f64) -> Result<u64, PolicyError> {
    const YEAR_S: f64 = 366.0 * 86_400.0;
    if !(0.0..=YEAR_S).contains(&value) {
        return Err(PolicyError::at(
            path,
            format!("'{value}' must be 0 to {YEAR_S} seconds (a year)"),
        ));
    }
    #[expect(
        clippy::cast_possible_truncation,
        clippy::cast_sign_loss,
        reason = "checked: 0 to a year of milliseconds"
    )]
    let millis = (value * 1000.0).round() as u64;
    Ok(millis)
}

pub(super) fn priority(path: &str, value: u8) -> Result<u8, PolicyError> {
    if (1..=10).contains(&value) {
        return Ok(value);
    }
    Err(PolicyError::at(
        path,
        format!("'{value}' is not a priority (use 1 to 10, 10 is most urgent)"),
    ))
}

pub(super) fn retry(path: &str, retry: RetrySpec) -> Result<RetrySpec, PolicyError> {
    if let Some(retries) = retry.max_retries.filter(|retries| *retries > RETRIES_MAX) {
        let message = format!("'{retries}' is too many (use 0 to {RETRIES_MAX})");
        return Err(PolicyError::at(&format!("{path}.max_retries"), message));
    }
    for (key, value) in [
        ("backoff_base_s", retry.backoff_base_s),
        ("backoff_max_s", retry.backoff_max_s),
    ] {
        if let Some(value) = value {
            seconds(&format!("{path}.{key}"), value)?;
        }
    }
    Ok(retry)
}

pub(super) fn capacities(
    limits: &ResourceLimits,
    surroundings: &Surroundings,
) -> Result<BTreeMap<String, u32>, PolicyError> {
    let mut capacities = BTreeMap::new();
    for (name, capacity) in &surroundings.pools {
        if [GPU_POOL, CPU_POOL].contains(&name.as_str()) || name.contains(':') || name.is_empty() {
            let message = "the name is reserved (for 'gpu' and 'cpu' use resource_limits; names have no ':')";
            return Err(PolicyError::at(&format!("pools.{name}"), message));
        }
        capacities.insert(name.clone(), *capacity);
    }
    let gpu = set(
        "resource_limits.max_concurrent_gpu_tasks",
        limits.max_concurrent_gpu_tasks,
    )?;
    let cpu = set(
        "resource_limits.max_concurrent_cpu_tasks",
        limits.max_concurrent_cpu_tasks,
    )?;
    capacities.insert(GPU_POOL.to_owned(), gpu);
    capacities.insert(CPU_POOL.to_owned(), cpu);
    for (agent, limits) in &surroundings.agents {
        if let Some(concurrency) = limits.concurrency {
            capacities.insert(agent_pool(agent), concurrency);
        }
    }
    Ok(capacities)
}

pub(super) fn agent_pools(surroundings: &Surroundings) -> BTreeMap<String, String> {
    let limited = surroundings
        .agents
        .iter()
        .filter(|(_, limits)| limits.concurrency.is_some());
    limited
        .map(|(agent, _)| (agent.clone(), agent_pool(agent)))
        .collect()
}

pub(super) fn no_agent_in_both(decision: &PolicyConfig) -> Result<(), PolicyError> {
    let gpu = decision.gpu_agents.as_deref().unwrap_or_default();
    for (index, agent) in decision.cpu_agents.iter().flatten().enumerate() {
        if gpu.contains(agent) {
            let message =
                format!("'{agent}' is in gpu_agents too (an agent belongs to one of the two lists)");
            return Err(PolicyError::at(&format!("cpu_agents[{index}]"), message));
        }
    }
    Ok(())
}

pub(super) fn base_memory(base: Option<BaseMemory>) -> Result<BaseMemory, PolicyError> {
    let base = base.unwrap_or_default();
    let classes = [
        ("cpu", base.cpu),
        ("gpu", base.gpu),
        ("memory", base.memory),
        ("compute", base.compute),
    ];
    for (class, gb) in classes {
        positive(&format!("memory.base_gb.{class}"), gb)?;
    }
    Ok(base)
}

pub(super) fn factors(factors: &[ActionFactor]) -> Result<Vec<(Patterns, f64)>, PolicyError> {
    let prepare = |(index, entry): (usize, &ActionFactor)| {
        let factor = positive(
            &format!("memory.action_factors[{index}].factor"),
            Some(entry.factor),
        )?;
        Ok((Patterns::new(&entry.actions), factor))
    };
    factors.iter().enumerate().map(prepare).collect()
}

pub(super) fn dataset_steps(steps: &[DatasetStep]) -> Result<Vec<DatasetStep>, PolicyError> {
    for (index, step) in steps.iter().enumerate() {
        positive(
            &format!("dataset_scaling[{index}].memory_factor"),
            Some(step.memory_factor),
        )?;
    }
    let mut steps = steps.to_vec();
    steps.sort_by(|a, b| b.over.total_cmp(&a.over));
    Ok(steps)
}

pub(super) fn models(decision: &PolicyConfig) -> Vec<Model> {
    let rules = decision.model_rules.iter().flatten();
    let prepare = |rule: &ModelRule| Model {
        label: format!("default:model_rules.{}", rule.name),
        actions: rule.actions.as_deref().map(Patterns::new),
        agents: rule.agents.as_deref().map(Patterns::new),
        model: rule.model.clone(),
    };
    rules.map(prepare).collect()
}

pub(super) fn priorities(decision: &PolicyConfig) -> Result<Vec<Priority>, PolicyError> {
    let rules = decision.priorities.iter().flatten().enumerate();
    let prepare = |(index, rule): (usize, &PriorityRule)| {
        Ok(Priority {
            label: format!("default:priorities.{}", rule.name),
            priority: priority(&format!("priorities[{index}].priority"), rule.priority)?,
            actions: Patterns::new(&rule.actions),
            agents: Patterns::new(&rule.agents),
            metadata: rule.metadata.clone(),
        })
    };
    rules.map(prepare).collect()
}

pub(super) fn windows(decision: &PolicyConfig, time_zone: &TimeZone) -> Result<Vec<Window>, PolicyError> {
    let windows = decision.maintenance_windows.iter().flatten().enumerate();
    let prepare = |(index, window)| Window::new(window, &format!("maintenance_windows[{index}]"), time_zone);
    windows.map(prepare).collect()
}

pub(super) fn rules(
    rules: &[RuleConfig],
    capacities: &BTreeMap<String, u32>,
) -> Result<Vec<Rule>, PolicyError> {
    let mut prepared: Vec<Rule> = Vec::with_capacity(rules.len());
    for (index, rule) in rules.iter().enumerate() {
        let path = format!("rules[{index}]");
        if prepared.iter().any(|earlier| earlier.name == rule.name) {
            let message = format!("'{}' names two rules (names are unique)", rule.name);
            return Err(PolicyError::at(&format!("{path}.name"), message));
        }
        prepared.push(Rule::new(rule, &path, capacities)?);
    }
    Ok(prepared)
}
