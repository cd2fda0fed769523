//! What these tests are given: tasks, choices, failures, in few words.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;

use crate::ids::NodeIx;
use crate::policy::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
use crate::run::{Failure, FailureClass, ReportKind};
use crate::time::Timestamp;
use crate::workflow::{
    Compensation, Expression, ResourceClass, ResourceSpec, RetrySpec, SlaSpec, Task, Template, Trigger,
};

/// The workflow with these tasks, each written as `id`, `id <- up, up` or `id <- up : trigger`.
pub fn tasks(lines: &[&str]) -> Vec<Task> {
    let head = |line: &str| line.split("<-").next().unwrap_or_default().trim().to_owned();
    let ids: Vec<String> = lines.iter().map(|line| head(line)).collect();
    let position = |id: &str| {
        NodeIx::new(
            ids.iter()
                .position(|known| known == id)
                .expect("a known upstream task"),
        )
    };
    let one = |line: &&str| {
        let rest = line.split_once("<-").map_or("", |(_, rest)| rest);
        let (upstream, trigger) = rest.split_once(':').unwrap_or((rest, "all_success"));
        Task {
            id: head(line),
            agent: "worker".to_owned(),
            action: "work".to_owned(),
            params: Template::new(json!({})),
            depends_on: upstream
                .split(',')
                .map(str::trim)
                .filter(|id| !id.is_empty())
                .map(position)
                .collect(),
            when: None,
            for_each: None,
            trigger: serde_json::from_value::<Trigger>(json!(trigger.trim())).expect("a trigger"),
            retry: RetrySpec::default(),
            timeout_ms: None,
            resources: ResourceSpec::default(),
            priority: None,
            pools: Vec::new(),
            on_denied: None,
            compensate: None,
            cache: false,
            sla: SlaSpec::default(),
        }
    };
    lines.iter().map(one).collect()
}

/// Changes one task of a list.
pub fn with(mut tasks: Vec<Task>, id: &str, change: impl FnOnce(&mut Task)) -> Vec<Task> {
    change(
        tasks
            .iter_mut()
            .find(|task| task.id == id)
            .expect("a task of that name"),
    );
    tasks
}

/// The tasks with an action that undoes each of these.
pub fn undoable(tasks: Vec<Task>, ids: &[&str]) -> Vec<Task> {
    ids.iter().fold(tasks, |tasks, id| {
        with(tasks, id, |task| {
            task.compensate = Some(Compensation {
                agent: "cleaner".to_owned(),
                action: format!("undo_{id}"),
                params: Template::new(json!({"made": format!("${{tasks.{id}.output}}")})),
            });
        })
    })
}

pub fn expression(source: &str) -> Option<Expression> {
    Some(Expression::parse(source).expect("a valid expression"))
}

/// A choice that allows the task.
pub fn allowed() -> Choice {
    Choice {
        verdict: Verdict::Allow,
        overrides: Overrides {
            resource_class: ResourceClass::Cpu,
            priority: 5,
            memory_gb: 2.0,
            llm_model: None,
            use_distributed: false,
            extra: BTreeMap::new(),
        },
        retry: RetryRule {
            auto: true,
            max_retries: 1,
            backoff_base_ms: 1_000,
            backoff_max_ms: 60_000,
        },
        timeout_ms: None,
        pools: Vec::new(),
        matched: Vec::new(),
        reason: "tested".to_owned(),
        policy_version: "v1".to_owned(),
    }
}

/// A choice that allows the task and needs a slot of `gpu`.
pub fn pooled() -> Choice {
    Choice {
        pools: vec![PoolDemand {
            pool: "gpu".to_owned(),
            slots: 1,
        }],
        ..allowed()
    }
}

pub fn held(reason: HoldReason, until: Option<Timestamp>) -> Choice {
    Choice {
        verdict: Verdict::Hold { reason, until },
        ..allowed()
    }
}

pub fn failure(class: FailureClass) -> Arc<Failure> {
    Arc::new(Failure {
        class,
        message: "broken".to_owned(),
        exit_code: Some(1),
    })
}

pub const SUCCESS: ReportKind = ReportKind::Success {
    started_at: None,
    output: None,
};
