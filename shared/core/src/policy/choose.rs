//! The evaluation: built-in keys first, then the rules in order, then maintenance windows and pools.

use std::borrow::Cow;

use super::built_in;
use super::choice::{Choice, HoldReason, PoolDemand};
use super::config::WindowMode;
use super::draft::Draft;
use super::explain::{Effect, Step};
use super::prepared::{CPU_POOL, GPU_POOL, Policy};
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
    built_in::choose_class(policy, question, &mut draft);
    built_in::choose_memory(policy, question, &mut draft);
    built_in::choose_model(policy, question, &mut draft);
    built_in::choose_priority(policy, question, &mut draft);
    built_in::choose_retry(policy, question, &mut draft);
    built_in::choose_timeout(policy, question, &mut draft);
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
    label: impl Into<Cow<'static, str>>,
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
            let scale = draft.overrides.memory_gb / built_in::base_gb(policy, draft.overrides.resource_class);
            draft.overrides.memory_gb = built_in::base_gb(policy, class) * scale;
        }
        draft.overrides.resource_class = class;
        draft.class_because = "a rule sets it";
    }
    if let Some(memory_gb) = set.memory_gb {
        draft.overrides.memory_gb = memory_gb;
        draft.memory_is_given = true;
    }
    built_in::cap_memory(policy, draft);
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
