//! The validated workflow: a graph that every later stage may trust.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use schemars::JsonSchema;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Expression, Template};
use crate::ids::NodeIx;
use crate::sla::SlaSpec;

/// A validated workflow. Immutable: a run keeps the one it was submitted with.
#[derive(Debug, PartialEq)]
pub struct Workflow {
    /// Name of the workflow.
    pub name: String,
    /// What it is for, in the author's words.
    pub description: Option<String>,
    /// On whose behalf it runs, when the document says so.
    pub client_id: Option<String>,
    /// Priority of the run, 1 to 10, 10 most urgent.
    pub priority: Option<u8>,
    /// Deadlines of this workflow.
    pub sla: SlaSpec,
    /// Declared inputs with their default values (`null` = must be given at submission).
    pub inputs: BTreeMap<String, Value>,
    /// The tasks, in document order; `NodeIx` is the position here.
    pub tasks: Vec<Task>,
    graph: Graph,
}

/// One validated task.
#[derive(Debug, PartialEq)]
pub struct Task {
    /// Unique within the workflow.
    pub id: String,
    /// The agent that does it.
    pub agent: String,
    /// What the agent is asked to do.
    pub action: String,
    /// Parameters of the action, with references still to be resolved.
    pub params: Template,
    /// Direct upstream tasks, without duplicates.
    pub depends_on: Vec<NodeIx>,
    /// Condition: the task is skipped when it is false.
    pub when: Option<Expression>,
    /// Gives the list to fan out over.
    pub for_each: Option<Expression>,
    /// Which upstream results let the task run.
    pub trigger: Trigger,
    /// Retry settings that differ from the policy's.
    pub retry: RetrySpec,
    /// Longest run time of one attempt, in milliseconds.
    pub timeout_ms: Option<u64>,
    /// Wanted resources.
    pub resources: ResourceSpec,
    /// Priority, 1 to 10, 10 most urgent.
    pub priority: Option<u8>,
    /// Named concurrency pools to hold a slot of while queued or running.
    pub pools: Vec<String>,
    /// What happens when the policy denies the task.
    pub on_denied: Option<OnDenied>,
    /// Action that undoes this task on rollback.
    pub compensate: Option<Compensation>,
    /// Whether the result may be memoised.
    pub cache: bool,
    /// Deadlines of this task.
    pub sla: SlaSpec,
}

/// When a task may run, given its direct upstream tasks.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum Trigger {
    /// All upstream tasks succeeded (default).
    #[default]
    AllSuccess,
    /// All upstream tasks have ended, however.
    AllDone,
    /// At least one upstream task succeeded; does not wait for the others.
    AnySuccess,
    /// All upstream tasks have ended and none failed or was cancelled; skipped ones are fine.
    NoneFailed,
}

/// Retry settings of a task. Absent: the policy's.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct RetrySpec {
    /// Retries after the first attempt, 0 to 100.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub max_retries: Option<u32>,
    /// Upper bound of the first delay, seconds; doubles with every retry.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_base_s: Option<f64>,
    /// Cap of the delay, seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub backoff_max_s: Option<f64>,
}

/// Resources a task asks for; the policy has the last word.
#[derive(Debug, Clone, Copy, PartialEq, Default, Serialize, Deserialize, JsonSchema)]
#[serde(deny_unknown_fields)]
pub struct ResourceSpec {
    /// Resource class.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub class: Option<ResourceClass>,
    /// Memory in GB.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub memory_gb: Option<f64>,
}

/// The kind of machine a task runs on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum ResourceClass {
    /// General purpose.
    Cpu,
    /// With an accelerator.
    Gpu,
    /// Memory-optimised.
    Memory,
    /// Compute-optimised.
    Compute,
}

/// What happens to a task that the policy denies.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, JsonSchema)]
#[serde(rename_all = "snake_case")]
pub enum OnDenied {
    /// The task is skipped.
    Skip,
    /// The task fails, and with it the run.
    Fail,
    /// The task waits for an operator.
    Hold,
}

/// An action that undoes a task.
#[derive(Debug, PartialEq)]
pub struct Compensation {
    /// The agent; the task's own when the document names none.
    pub agent: String,
    /// The action.
    pub action: String,
    /// Its parameters; may refer to the task's own output.
    pub params: Template,
}

/// Everything of a [`Workflow`] but the graph, which [`Workflow::assemble`] computes.
#[derive(Debug, Default)]
pub struct Header {
    /// See [`Workflow::name`].
    pub name: String,
    /// See [`Workflow::description`].
    pub description: Option<String>,
    /// See [`Workflow::client_id`].
    pub client_id: Option<String>,
    /// See [`Workflow::priority`].
    pub priority: Option<u8>,
    /// See [`Workflow::sla`].
    pub sla: SlaSpec,
    /// See [`Workflow::inputs`].
    pub inputs: BTreeMap<String, Value>,
}

/// Derived adjacency, compressed: the dependents of task `i` are `edges[starts[i]..starts[i + 1]]`.
#[derive(Debug, PartialEq)]
struct Graph {
    by_id: HashMap<String, NodeIx>,
    starts: Vec<u32>,
    edges: Vec<NodeIx>,
    topological: Vec<NodeIx>,
}

impl Workflow {
    /// Puts checked parts together and derives the graph, in time linear in tasks + edges.
    ///
    /// # Panics
    /// When the tasks contain a cycle, a duplicate id or an index out of range: validation has excluded those.
    pub fn assemble(header: Header, tasks: Vec<Task>) -> Workflow {
        let graph = Graph::of(&tasks);
        let Header {
            name,
            description,
            client_id,
            priority,
            sla,
            inputs,
        } = header;
        Workflow {
            name,
            description,
            client_id,
            priority,
            sla,
            inputs,
            tasks,
            graph,
        }
    }

    /// The task with this id.
    pub fn find(&self, id: &str) -> Option<NodeIx> {
        self.graph.by_id.get(id).copied()
    }

    /// The task at `node`.
    ///
    /// # Panics
    /// When `node` is not one of this workflow's tasks (children of a `for_each` are not).
    pub fn task(&self, node: NodeIx) -> &Task {
        &self.tasks[node.index()]
    }

    /// The tasks that directly depend on `node`, in document order.
    pub fn dependents(&self, node: NodeIx) -> &[NodeIx] {
        let graph = &self.graph;
        &graph.edges[graph.starts[node.index()] as usize..graph.starts[node.index() + 1] as usize]
    }

    /// All tasks, every one after its upstream tasks; ties in document order.
    pub fn topological(&self) -> &[NodeIx] {
        &self.graph.topological
    }

    /// The agents that do its tasks and undo them.
    pub fn agents(&self) -> BTreeSet<&str> {
        let undoing = self
            .tasks
            .iter()
            .filter_map(|task| task.compensate.as_ref())
            .map(|undo| undo.agent.as_str());
        self.tasks
            .iter()
            .map(|task| task.agent.as_str())
            .chain(undoing)
            .collect()
    }

    /// `seeds` and everything downstream of them, in topological order.
    pub fn downstream_closure(&self, seeds: &[NodeIx]) -> Vec<NodeIx> {
        let mut member = vec![false; self.tasks.len()];
        let mut stack: Vec<NodeIx> = seeds.to_vec();
        while let Some(node) = stack.pop() {
            if !std::mem::replace(&mut member[node.index()], true) {
                stack.extend(self.dependents(node));
            }
        }
        self.topological()
            .iter()
            .copied()
            .filter(|node| member[node.index()])
            .collect()
    }
}

impl Graph {
    fn of(tasks: &[Task]) -> Graph {
        let mut by_id = HashMap::with_capacity(tasks.len());
        let mut starts = vec![0_u32; tasks.len() + 1];
        for (index, task) in tasks.iter().enumerate() {
            let previous = by_id.insert(task.id.clone(), NodeIx::new(index));
            assert!(previous.is_none(), "validation lets no duplicate id through");
            for upstream in &task.depends_on {
                starts[upstream.index() + 1] += 1;
            }
        }
        for index in 0..tasks.len() {
            starts[index + 1] += starts[index];
        }
        let mut next = starts.clone();
        let mut edges = vec![NodeIx(0); starts[tasks.len()] as usize];
        for (index, task) in tasks.iter().enumerate() {
            for upstream in &task.depends_on {
                let slot = &mut next[upstream.index()];
                edges[*slot as usize] = NodeIx::new(index);
                *slot += 1;
            }
        }
        let mut graph = Graph {
            by_id,
            starts,
            edges,
            topological: Vec::new(),
        };
        graph.topological = graph.sort(tasks);
        graph
    }

    /// Kahn's algorithm.
    fn sort(&self, tasks: &[Task]) -> Vec<NodeIx> {
        let mut open: Vec<usize> = tasks.iter().map(|task| task.depends_on.len()).collect();
        let mut order: Vec<NodeIx> = (0..tasks.len())
            .filter(|&i| open[i] == 0)
            .map(NodeIx::new)
            .collect();
        let mut done = 0;
        while done < order.len() {
            let node = order[done].index();
            done += 1;
            for &dependent in &self.edges[self.starts[node] as usize..self.starts[node + 1] as usize] {
                open[dependent.index()] -= 1;
                if open[dependent.index()] == 0 {
                    order.push(dependent);
                }
            }
        }
        assert_eq!(order.len(), tasks.len(), "validation lets no cycle through");
        order
    }
}

impl ResourceClass {
    /// All classes.
    pub const ALL: [ResourceClass; 4] = [
        ResourceClass::Cpu,
        ResourceClass::Gpu,
        ResourceClass::Memory,
        ResourceClass::Compute,
    ];

    /// The name used in documents and answers.
    pub fn as_str(self) -> &'static str {
        match self {
            ResourceClass::Cpu => "cpu",
            ResourceClass::Gpu => "gpu",
            ResourceClass::Memory => "memory",
            ResourceClass::Compute => "compute",
        }
    }
}
