//! The evaluation: built-in keys first, then the rules in order, then maintenance windows and pools.

use serde_json::{Value, json};

use super::choice::{Choice, HoldReason, PoolDemand, RetryRule};
use super::config::WindowMode;
use super::draft::Draft;
use super::explain::{Effect, Step};
use super::policy::{self, CPU_POOL, GPU_POOL, Policy};
use super::question::Question;
use super::rule::{self, Ending, Rule, Variables};
use super::window;
use crate::workflow::{OnDenied, ResourceClass};

/// Answers whether, where and how the task may run. Pure: the same policy and question give the same choice.
pub fn choose(policy: &Policy, question: &Question<'_>) -> Choice {
    evaluate(policy, question, false).0
}

pub(super) fn evaluate(policy: &Policy, question: &Question<'_>, noting: bool) -> (Choice, Vec<Step>) {
    let mut draft = Draft::new(noting);
    choose_class(policy, question, &mut draft);
    choose_memory(policy, question, &mut draft);
    choose_model(policy, question, &mut draft);
    choose_priority(policy, question, &mut draft);
    choose_retry(policy, question, &mut draft);
    choose_timeout(policy, question, &mut draft);
    check_limits(policy, question, &mut draft);
    if draft.refusal.is_none() {
        ask_rules(policy, question, &mut draft);
    }
    if draft.refusal.is_none() {
        check_windows(policy, question, &mut draft);
    }
    choose_pools(policy, question, &mut draft);
    draft.finish(policy.version())
}

/// The number at `dataset_size` in the task's params, else in the run's metadata, else in its inputs.
pub(super) fn dataset_size(question: &Question<'_>) -> Option<f64> {
    let sources = [question.task.params, question.run.metadata, question.run.inputs];
    sources
        .into_iter()
        .find_map(|source| match source.get("dataset_size")? {
            Value::Number(number) => number.as_f64(),
            Value::String(text) => text.trim().parse().ok().filter(|number: &f64| number.is_finite()),
            _ => None,
        })
}

fn choose_class(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let never_gpu = policy.cpu_agents.matches(task.agent);
    let by_action = || {
        let allowed = policy
            .action_classes
            .iter()
            .filter(|(class, _)| !never_gpu || *class != ResourceClass::Gpu);
        allowed
            .into_iter()
            .find(|(_, actions)| actions.matches(task.action))
            .map(|(class, _)| *class)
    };
    let (class, label, because) = match task.resources.class {
        Some(class) if class != ResourceClass::Gpu || !never_gpu => {
            (class, "task:resources", "the task asks for it")
        }
        _ if policy.gpu_agents.matches(task.agent) && !never_gpu => (
            ResourceClass::Gpu,
            "default:gpu_agents",
            "its agent is in gpu_agents",
        ),
        _ => match by_action() {
            Some(class) => (class, "default:action_classes", "its action is in action_classes"),
            None if never_gpu => (
                ResourceClass::Cpu,
                "default:cpu_agents",
                "its agent is in cpu_agents",
            ),
            None => (
                ResourceClass::Cpu,
                "default:class",
                "nothing asks for another class",
            ),
        },
    };
    if task.resources.class == Some(ResourceClass::Gpu) && class != ResourceClass::Gpu {
        draft.matched("default:cpu_agents");
        draft.note_set(
            "default:cpu_agents",
            "resource_class",
            json!(ResourceClass::Gpu),
            json!(class),
        );
    }
    draft.overrides.resource_class = class;
    draft.class_because = because;
    draft.matched(label);
    if draft.noting() {
        draft.note_set(label, "resource_class", Value::Null, json!(class));
    }
}

fn choose_memory(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    if let Some(wanted) = task.resources.memory_gb {
        draft.memory_is_given = true;
        set_memory(draft, "task:resources", wanted);
    } else {
        set_memory(
            draft,
            "default:memory.base_gb",
            base_gb(policy, draft.overrides.resource_class),
        );
        let factor = policy
            .action_factors
            .iter()
            .find(|(actions, _)| actions.matches(task.action));
        if let Some((_, factor)) = factor {
            draft.matched("default:memory.action_factors");
            set_memory(
                draft,
                "default:memory.action_factors",
                draft.overrides.memory_gb * factor,
            );
        }
    }
    let step =
        dataset_size(question).and_then(|size| policy.dataset_steps.iter().find(|step| size > step.over));
    if let Some(step) = step {
        let label = "default:dataset_scaling";
        if !draft.memory_is_given {
            draft.matched(label);
            set_memory(draft, label, draft.overrides.memory_gb * step.memory_factor);
        }
        let ml_agent = policy.ml_agents.matches(task.agent) || policy.gpu_agents.matches(task.agent);
        if step.distribute && ml_agent {
            draft.matched(label);
            draft.overrides.use_distributed = true;
            draft.note_set(label, "use_distributed", json!(false), json!(true));
        }
    }
    cap_memory(policy, draft);
}

fn base_gb(policy: &Policy, class: ResourceClass) -> f64 {
    let base = &policy.base_gb;
    let gb = match class {
        ResourceClass::Cpu => base.cpu,
        ResourceClass::Gpu => base.gpu,
        ResourceClass::Memory => base.memory,
        ResourceClass::Compute => base.compute,
    };
    gb.expect("checked when the policy was loaded")
}

fn set_memory(draft: &mut Draft, label: &'static str, gb: f64) {
    if draft.noting() {
        let before = if draft.overrides.memory_gb > 0.0 {
            json!(draft.overrides.memory_gb)
        } else {
            Value::Null
        };
        draft.note_set(label, "memory_gb", before, json!(gb));
    }
    draft.overrides.memory_gb = gb;
}

fn cap_memory(policy: &Policy, draft: &mut Draft) {
    // Written so that a value that is not a number is capped as well.
    let within = draft.overrides.memory_gb <= policy.memory_max_gb;
    if !within {
        draft.matched("default:max_memory_per_task_gb");
        set_memory(draft, "default:max_memory_per_task_gb", policy.memory_max_gb);
    }
}

fn choose_model(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let model = policy.models.iter().find(|rule| {
        rule.actions
            .as_ref()
            .is_none_or(|actions| actions.matches(task.action))
            && rule
                .agents
                .as_ref()
                .is_none_or(|agents| agents.matches(task.agent))
    });
    if let Some(rule) = model {
        draft.matched(rule.label.clone());
        draft.note_set(&rule.label, "llm_model", Value::Null, json!(rule.model));
        draft.overrides.llm_model = Some(rule.model.clone());
    }
}

fn choose_priority(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let run = &question.run;
    if let Some(priority) = task.priority {
        set_priority(draft, "task:priority", i16::from(priority));
    } else {
        let says = |key: &String| run.metadata.get(key) == Some(&Value::Bool(true));
        let entry = policy.priorities.iter().find(|entry| {
            entry.actions.matches(task.action)
                || entry.agents.matches(task.agent)
                || entry.metadata.iter().any(says)
        });
        match entry {
            Some(entry) => set_priority(draft, entry.label.clone(), i16::from(entry.priority)),
            None => set_priority(
                draft,
                "default:default_priority",
                i16::from(policy.default_priority),
            ),
        }
        if policy.priority_agents.matches(task.agent)
            && draft.overrides.priority < policy.priority_agents_priority
        {
            set_priority(
                draft,
                "default:priority_agents",
                i16::from(policy.priority_agents_priority),
            );
        }
    }
    if let Some(of_run) = run.priority.filter(|priority| *priority != NEUTRAL_PRIORITY) {
        let moved = i16::from(draft.overrides.priority) + i16::from(of_run) - i16::from(NEUTRAL_PRIORITY);
        set_priority(draft, "run:priority", moved);
    }
    if run.metadata.get("urgent") == Some(&Value::Bool(true)) {
        set_priority(
            draft,
            "default:urgent",
            i16::from(draft.overrides.priority) + i16::from(policy.urgent_bonus),
        );
    }
}

/// The run priority that leaves the priorities of its tasks as they are.
pub const NEUTRAL_PRIORITY: u8 = 5;

fn set_priority(draft: &mut Draft, label: impl Into<std::borrow::Cow<'static, str>>, priority: i16) {
    let label = label.into();
    let priority = u8::try_from(priority.clamp(1, 10)).expect("1 to 10");
    if draft.noting() {
        let before = if draft.overrides.priority > 0 {
            json!(draft.overrides.priority)
        } else {
            Value::Null
        };
        draft.note_set(&label, "priority", before, json!(priority));
    }
    draft.overrides.priority = priority;
    draft.matched(label);
}

fn choose_retry(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let (own, default) = (&task.retry, &policy.retry);
    let millis = |own: Option<f64>, default: Option<f64>| match own.or(default) {
        Some(seconds) => policy::seconds("retry", seconds).unwrap_or_default(),
        None => 0,
    };
    draft.retry = RetryRule {
        auto: !policy.destructive_actions.matches(task.action),
        max_retries: own.max_retries.or(default.max_retries).unwrap_or_default(),
        backoff_base_ms: millis(own.backoff_base_s, default.backoff_base_s),
        backoff_max_ms: millis(own.backoff_max_s, default.backoff_max_s),
    };
    if !draft.retry.auto {
        draft.matched("default:destructive_actions");
    }
    if draft.noting() {
        let label = if *own == Default::default() {
            "default:retry"
        } else {
            "task:retry"
        };
        draft.note_set(label, "retry", Value::Null, json!(draft.retry));
        if !draft.retry.auto {
            draft.note_set(
                "default:destructive_actions",
                "retry.auto",
                json!(true),
                json!(false),
            );
        }
    }
}

fn choose_timeout(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let of_agent = || {
        policy
            .surroundings
            .agents
            .get(task.agent)
            .and_then(|limits| limits.timeout_ms)
    };
    draft.timeout_ms = task.timeout_ms.or_else(of_agent);
    if draft.noting() && draft.timeout_ms.is_some() {
        let label = if task.timeout_ms.is_some() {
            "task:timeout"
        } else {
            "agent:timeout"
        };
        draft.note_set(label, "timeout_ms", Value::Null, json!(draft.timeout_ms));
    }
}

fn on_denied(policy: &Policy, question: &Question<'_>) -> OnDenied {
    question.task.on_denied.unwrap_or(policy.on_denied)
}

fn check_limits(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let (task, run) = (&question.task, &question.run);
    let most = policy.max_task_count;
    if run.task_count > most as usize {
        let count = run.task_count;
        let reason = format!("denied because the workflow has {count} tasks (max_task_count is {most})");
        draft.deny("default:max_task_count", OnDenied::Fail, reason);
    }
    if policy.blocked_actions.matches(task.action) {
        let reason = format!(
            "denied because the action '{}' is in blocked_actions",
            task.action
        );
        deny_unless_approved(
            draft,
            question,
            "default:blocked_actions",
            on_denied(policy, question),
            reason,
        );
    }
}

/// A denied task that is held for an operator (`on_denied: hold`) runs once the operator has approved it.
fn deny_unless_approved(
    draft: &mut Draft,
    question: &Question<'_>,
    label: impl Into<std::borrow::Cow<'static, str>>,
    on_denied: OnDenied,
    reason: String,
) {
    let label = label.into();
    if on_denied == OnDenied::Hold && question.task.approved {
        draft.note(&label, Effect::Agrees);
        draft.matched(label);
        draft.matched("operator:approval");
        return;
    }
    draft.deny(label, on_denied, reason);
}

fn ask_rules(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let mut variables = Variables::new(policy, question);
    let mut rules = policy.rules.iter();
    for rule in rules.by_ref() {
        match rule.applies(&mut variables, draft) {
            Ok(false) => draft.note(&rule.label, Effect::DoesNotApply),
            Ok(true) => {
                apply(policy, question, rule, draft);
                variables.draft_changed();
                if rule.stop || draft.refusal.is_some() {
                    break;
                }
            }
            Err(error) => {
                let reason = format!(
                    "held because rule '{}' could not be evaluated: {error}",
                    rule.name
                );
                let until = question.now.plus_millis(policy.hold_recheck_ms);
                draft.hold(rule.label.clone(), HoldReason::Policy, Some(until), reason);
                break;
            }
        }
    }
    for rule in rules {
        draft.note(&rule.label, Effect::NotAsked);
    }
}

fn apply(policy: &Policy, question: &Question<'_>, rule: &Rule, draft: &mut Draft) {
    let before = if draft.noting() {
        draft.snapshot()
    } else {
        Vec::new()
    };
    draft.matched(rule.label.clone());
    apply_set(policy, rule, draft);
    let destructive = policy.destructive_actions.matches(question.task.action);
    rule::adjust(&mut draft.retry, &rule.retry, destructive);
    if draft.noting() {
        let after = draft.snapshot();
        if before == after && rule.ending.is_none() {
            draft.note(&rule.label, Effect::Agrees);
        }
        for ((key, before), (_, after)) in before.into_iter().zip(after) {
            draft.note_set(&rule.label, key, before, after);
        }
    }
    let (label, now) = (rule.label.clone(), question.now);
    match &rule.ending {
        None => {}
        Some(Ending::Deny { reason }) => {
            let reason = format!("denied by rule '{}': {reason}", rule.name);
            deny_unless_approved(draft, question, label, on_denied(policy, question), reason);
        }
        Some(Ending::Hold { reason, recheck_ms }) => {
            let until = now.plus_millis(recheck_ms.unwrap_or(policy.hold_recheck_ms));
            let reason = format!("held by rule '{}': {reason}", rule.name);
            draft.hold(label, HoldReason::Policy, Some(until), reason);
        }
        Some(Ending::Approval { .. }) if question.task.approved => draft.matched("operator:approval"),
        Some(Ending::Approval { reason }) => {
            let reason = format!("waits for approval required by rule '{}': {reason}", rule.name);
            draft.hold(label, HoldReason::Approval, None, reason);
        }
    }
}

fn apply_set(policy: &Policy, rule: &Rule, draft: &mut Draft) {
    let set = &rule.set;
    if let Some(class) = set.resource_class {
        let memory_follows = !draft.memory_is_given && class != draft.overrides.resource_class;
        if memory_follows {
            let scale = draft.overrides.memory_gb / base_gb(policy, draft.overrides.resource_class);
            draft.overrides.memory_gb = base_gb(policy, class) * scale;
        }
        draft.overrides.resource_class = class;
        draft.class_because = "a rule sets it";
    }
    if let Some(memory_gb) = set.memory_gb {
        draft.overrides.memory_gb = memory_gb;
        draft.memory_is_given = true;
    }
    cap_memory(policy, draft);
    if let Some(priority) = set.priority {
        draft.overrides.priority = priority;
    }
    if let Some(model) = &set.llm_model {
        draft.overrides.llm_model = Some(model.clone());
    }
    if let Some(use_distributed) = set.use_distributed {
        draft.overrides.use_distributed = use_distributed;
    }
    if rule.timeout_ms.is_some() {
        draft.timeout_ms = rule.timeout_ms;
    }
    for pool in set.pools.iter().flatten() {
        draft.pools.push(PoolDemand {
            pool: pool.clone(),
            slots: 1,
        });
    }
    for (key, value) in set.extra.iter().flatten() {
        draft.overrides.extra.insert(key.clone(), value.clone());
    }
}

fn check_windows(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let Some((window, until)) = window::applying(&policy.windows, task.agent, task.action, question.now)
    else {
        return;
    };
    let label = format!("window:{}", window.name);
    match window.mode {
        WindowMode::Hold => {
            let reason = format!("held until {until} by maintenance window '{}'", window.name);
            draft.hold(label, HoldReason::Window, Some(until), reason);
        }
        WindowMode::Skip => {
            let reason = format!("skipped by maintenance window '{}'", window.name);
            draft.deny(label, OnDenied::Skip, reason);
        }
    }
}

fn choose_pools(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let of_class = if draft.overrides.resource_class == ResourceClass::Gpu {
        GPU_POOL
    } else {
        CPU_POOL
    };
    let slot = |pool: &str| PoolDemand {
        pool: pool.to_owned(),
        slots: 1,
    };
    draft.pools.push(slot(of_class));
    if let Some(pool) = policy.agent_pools.get(task.agent) {
        draft.pools.push(slot(pool));
    }
    draft.pools.extend(task.pools.iter().map(|pool| slot(pool)));
    draft.pools.sort_unstable();
    draft.pools.dedup();
    if draft.refusal.is_some() {
        return;
    }
    let capacities = policy.capacities();
    let impossible = draft
        .pools
        .iter()
        .find(|demand| capacities.get(&demand.pool).is_none_or(|slots| *slots == 0));
    if let Some(PoolDemand { pool, .. }) = impossible {
        let reason = match capacities.get(pool) {
            Some(_) => {
                format!("held because the pool '{pool}' has no slots (give it some in the configuration)")
            }
            None => format!("held because there is no pool '{pool}' (name its slots under 'pools')"),
        };
        let until = question.now.plus_millis(policy.hold_recheck_ms);
        draft.hold("default:pools", HoldReason::Policy, Some(until), reason);
    }
}
