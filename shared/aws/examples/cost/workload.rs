//! What is run.

use serde_json::Value;

use crate::functions::{Bill, Functions};
use crate::world::process::task;

/// Some runs of one workflow, all at a time.
pub struct Workload {
    name: String,
    runs: usize,
    tasks: Vec<Value>,
}

impl Workload {
    /// Runs of ten tasks: one, four, four, one.
    pub fn diamond(runs: usize) -> Workload {
        Workload {
            name: "DIAMOND".to_owned(),
            runs,
            tasks: layers(&[1, 4, 4, 1]),
        }
    }

    /// Runs of a hundred tasks, one after the other.
    pub fn chain(runs: usize) -> Workload {
        Workload {
            name: "CHAIN".to_owned(),
            runs,
            tasks: layers(&[1; 100]),
        }
    }

    /// One run of `size` tasks, ten at a time.
    pub fn layers(size: usize) -> Workload {
        Workload {
            name: format!("{size} tasks"),
            runs: 1,
            tasks: layers(&vec![10; size / 10]),
        }
    }

    /// Runs it to its end.
    pub async fn run(&self, decides_in_turn: bool) -> Bill {
        let mut functions = Functions::start(decides_in_turn).await;
        functions.submit(&self.tasks, self.runs).await;
        functions.work().await;
        functions.bill(&self.name, self.runs * self.tasks.len())
    }
}

/// Layers of tasks, each of which depends on the task above it, the first of a layer on all of the layer above.
fn layers(widths: &[usize]) -> Vec<Value> {
    let name = |layer: usize, n: usize| format!("l{layer}t{n}");
    let mut tasks = Vec::new();
    for (layer, &width) in widths.iter().enumerate() {
        for n in 0..width {
            let above: Vec<String> = match layer.checked_sub(1) {
                None => Vec::new(),
                Some(above) if n == 0 => (0..widths[above]).map(|m| name(above, m)).collect(),
                Some(above) => vec![name(above, n % widths[above])],
            };
            let above: Vec<&str> = above.iter().map(String::as_str).collect();
            tasks.push(task(&name(layer, n), &above));
        }
    }
    tasks
}
