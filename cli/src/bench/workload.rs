//! What is run: documents, and how many runs of them.

use std::fmt::Write as _;

use super::args::{BenchArgs, Workload};

/// Runs of one document.
pub(super) struct Plan {
    pub name: &'static str,
    pub document: String,
    pub tasks: u32,
    pub runs: u32,
    /// Tasks at a time.
    pub parallel: u32,
}

impl Plan {
    /// Whether tasks are processes: then `xargs` is measured too.
    pub(super) fn is_process(&self) -> bool {
        self.name == "process"
    }
}

/// Largest DAG of `scale`.
const SCALE_MAX: u32 = 100_000;
/// No limit that a workload with builtin agents could feel.
const UNLIMITED: u32 = 1_000_000;

pub(super) fn plan(args: &BenchArgs) -> Result<Plan, String> {
    let tasks = args.tasks;
    let of = |name, tasks, runs, document| Plan {
        name,
        document,
        tasks,
        runs,
        parallel: UNLIMITED,
    };
    Ok(match args.workload {
        Workload::Sweep => return Err("'sweep' has no runs of its own".to_owned()),
        Workload::Chain => of("chain", 100, 1, layers(&[1; 100], "noop")),
        Workload::Fanout => of("fanout", 502, 1, layers(&[1, 500, 1], "noop")),
        Workload::Diamond => of("diamond", 10, args.runs, layers(&[1, 4, 4, 1], "noop")),
        Workload::Process => {
            let tasks = tasks.unwrap_or(200);
            Plan {
                parallel: args.parallel,
                ..of("process", tasks, 1, layers(&[tasks], "process"))
            }
        }
        Workload::Scale => {
            let tasks = tasks.unwrap_or(10_000);
            if !(1..=SCALE_MAX).contains(&tasks) {
                return Err(format!("--tasks is '{tasks}' (use 1 to {SCALE_MAX})"));
            }
            of("scale", tasks, 1, grid(tasks))
        }
    })
}

/// Layers of tasks; each task depends on all tasks of the layer before.
fn layers(widths: &[u32], agent: &str) -> String {
    let mut document = header();
    let mut previous = Vec::new();
    for (layer, width) in widths.iter().enumerate() {
        let names: Vec<String> = (0..*width).map(|index| format!("t{layer}_{index}")).collect();
        for name in &names {
            task(&mut document, name, agent, &previous);
        }
        previous = names;
    }
    document
}

/// As wide as it is deep; each task depends on its neighbours in the layer before.
fn grid(tasks: u32) -> String {
    let width = tasks.isqrt().max(1);
    let mut document = header();
    for index in 0..tasks {
        let upstream: Vec<String> = match index.checked_sub(width) {
            None => Vec::new(),
            Some(above) => [above, above + 1]
                .into_iter()
                .filter(|upstream| upstream / width == above / width)
                .map(|upstream| format!("t{upstream}"))
                .collect(),
        };
        task(&mut document, &format!("t{index}"), "noop", &upstream);
    }
    document
}

fn header() -> String {
    "name: bench\ntasks:\n".to_owned()
}

fn task(document: &mut String, name: &str, agent: &str, upstream: &[String]) {
    // Writing to a string does not fail.
    let _ = writeln!(
        document,
        "  - {{id: {name}, agent: {agent}, action: work, depends_on: [{}]}}",
        upstream.join(", ")
    );
}
