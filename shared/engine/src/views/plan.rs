//! What a run would do, before there is one.

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::explain::{self, Step};
use orchestrator_core::policy::{Policy, Question, RunFacts, TaskFacts, Verdict};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::Workflow;
use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::choice::ChoiceView;
use super::task::{hold_name, pool_list};

/// The tasks in the order they become possible, with the choice the policy would make for each now.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "Plan")]
pub struct PlanView {
    /// Name of the workflow.
    pub workflow: String,
    /// Inputs, with defaults filled in.
    pub inputs: Value,
    /// Version of the policy that was asked.
    pub policy_version: String,
    /// Length of the longest path through the graph: the fewest rounds in which the tasks can be done.
    pub stages: u32,
    /// The tasks, upstream first.
    pub tasks: Vec<PlannedTask>,
}

/// One task of a plan.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
pub struct PlannedTask {
    /// The task.
    pub id: String,
    /// The first stage in which it can run, from 1.
    pub stage: u32,
    /// The agent that would do it.
    pub agent: String,
    /// What the agent is asked to do.
    pub action: String,
    /// Direct upstream tasks.
    pub depends_on: Vec<String>,
    /// Its condition, if it has one: known only in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub when: Option<String>,
    /// The list it fans out over, if it does: known only in the run.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub for_each: Option<String>,
    /// `run`, `deny: skip`, `deny: fail`, `deny: hold` or `hold: REASON`.
    pub decision: String,
    /// The choice.
    pub choice: ChoiceView,
    /// What each key and rule contributed; only when asked for.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub steps: Vec<StepView>,
}

/// What one key or rule of the policy contributed.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize, JsonSchema)]
#[schemars(rename = "PolicyStep")]
pub struct StepView {
    /// The key or rule.
    pub rule: String,
    /// `set`, `refused`, `agrees`, `does_not_apply` or `not_asked`, with its details.
    #[serde(flatten)]
    pub effect: serde_json::Map<String, Value>,
}

impl StepView {
    fn of(step: &Step) -> StepView {
        let effect = match serde_json::to_value(&step.effect) {
            Ok(Value::Object(effect)) => effect,
            _ => serde_json::Map::new(),
        };
        StepView {
            rule: step.rule.clone(),
            effect,
        }
    }
}

/// What a plan is made for.
#[derive(Debug, Clone, Copy)]
pub struct Planned<'a> {
    /// The workflow.
    pub workflow: &'a Workflow,
    /// On whose behalf it would run.
    pub client_id: &'a str,
    /// Bound inputs.
    pub inputs: &'a Value,
    /// Metadata of the submission.
    pub metadata: &'a Value,
    /// The time of asking.
    pub now: Timestamp,
}

impl PlanView {
    /// The plan under `policy`; with `steps`, how each choice came about.
    pub fn of(policy: &Policy, planned: Planned<'_>, steps: bool) -> PlanView {
        let Planned {
            workflow,
            inputs,
            metadata,
            now,
            client_id,
        } = planned;
        let run = RunFacts {
            client_id: Some(client_id),
            ..RunFacts::planned(workflow, inputs, metadata, now)
        };
        let stages = stages(workflow);
        let tasks = workflow.topological().iter().map(|&node| {
            let task = workflow.task(node);
            let params = task.params.raw();
            let question = Question {
                task: TaskFacts::of(task, params),
                run,
                now,
                usage: &[],
            };
            let explanation = explain::explain(policy, &question);
            let shown = explanation.steps.iter().filter(|_| steps);
            PlannedTask {
                id: task.id.clone(),
                stage: stages[node.index()],
                agent: task.agent.clone(),
                action: task.action.clone(),
                depends_on: task
                    .depends_on
                    .iter()
                    .map(|up| workflow.task(*up).id.clone())
                    .collect(),
                when: task.when.as_ref().map(|when| when.source().to_owned()),
                for_each: task.for_each.as_ref().map(|list| list.source().to_owned()),
                decision: decision(&explanation.choice.verdict),
                choice: ChoiceView::of(&explanation.choice, &[]),
                steps: shown.map(StepView::of).collect(),
            }
        });
        PlanView {
            workflow: workflow.name.clone(),
            inputs: inputs.clone(),
            policy_version: policy.version().to_owned(),
            stages: stages.iter().copied().max().unwrap_or(0),
            tasks: tasks.collect(),
        }
    }
}

fn stages(workflow: &Workflow) -> Vec<u32> {
    let mut stages = vec![1_u32; workflow.tasks.len()];
    for &node in workflow.topological() {
        let upstream = workflow.task(node).depends_on.iter();
        stages[node.index()] = 1 + upstream.map(|up: &NodeIx| stages[up.index()]).max().unwrap_or(0);
    }
    stages
}

/// The verdict in two words.
pub fn decision(verdict: &Verdict) -> String {
    match verdict {
        Verdict::Allow => "run".to_owned(),
        Verdict::Deny { on_denied } => {
            let then = serde_json::to_value(on_denied).expect("a unit variant is text");
            format!("deny: {}", then.as_str().unwrap_or_default())
        }
        Verdict::Hold { reason, .. } => format!("hold: {}", hold_name(*reason)),
    }
}

/// The pools a choice asks for, as in `pool 'gpu'`.
pub(super) fn pools_text(choice: &ChoiceView) -> String {
    let names: Vec<String> = choice.pools.iter().map(|pool| pool.pool.clone()).collect();
    pool_list(&names)
}
