//! The built-in keys: class, memory, model, priority, retries and time limit of a task.

use std::borrow::Cow;

use serde_json::{Value, json};

use super::check;
use super::choice::RetryRule;
use super::draft::Draft;
use super::prepared::Policy;
use super::question::Question;
use crate::workflow::ResourceClass;

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

pub(super) fn choose_class(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
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

pub(super) fn choose_memory(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
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

pub(super) fn base_gb(policy: &Policy, class: ResourceClass) -> f64 {
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

pub(super) fn cap_memory(policy: &Policy, draft: &mut Draft) {
    // Written so that a value that is not a number is capped as well.
    let within = draft.overrides.memory_gb <= policy.memory_max_gb;
    if !within {
        draft.matched("default:max_memory_per_task_gb");
        set_memory(draft, "default:max_memory_per_task_gb", policy.memory_max_gb);
    }
}

pub(super) fn choose_model(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
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

pub(super) fn choose_priority(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
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

fn set_priority(draft: &mut Draft, label: impl Into<Cow<'static, str>>, priority: i16) {
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

pub(super) fn choose_retry(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
    let task = &question.task;
    let (own, default) = (&task.retry, &policy.retry);
    let millis = |own: Option<f64>, default: Option<f64>| match own.or(default) {
        Some(seconds) => check::seconds("retry", seconds).unwrap_or_default(),
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

pub(super) fn choose_timeout(policy: &Policy, question: &Question<'_>, draft: &mut Draft) {
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
