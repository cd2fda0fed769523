//! Graphs nobody drew for us: the shapes of published scientific workflows, and recorded executions of them, run by
//! the real program with agents that do nothing.
//!
//! `cargo xtask dags --max-tasks 50000` runs large ones, `cargo xtask dags --from DIR` the WfFormat files of a folder
//! (for example a clone of <https://github.com/wfcommons/WfInstances>).

use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::time::{Duration, Instant};

use serde_json::Value;
use tests::binary::orchestrator;
use tests::shapes;
use tests::wfformat::{Converted, convert};

/// Largest shape, in tasks.
const MAX_TASKS: &str = "ORCHESTRATOR_TEST_MAX_TASKS";

/// Run the WfFormat files of this folder and below instead of the shapes.
const WFFORMAT_DIR: &str = "ORCHESTRATOR_TEST_WFFORMAT_DIR";

/// Sizes to run each shape at, as long as they are below the largest.
const SIZES: [usize; 7] = [10, 100, 1_000, 5_000, 20_000, 50_000, 100_000];

#[test]
fn published_workflows_succeed_in_dependency_order() {
    let instances = match std::env::var_os(WFFORMAT_DIR) {
        Some(folder) => recorded(Path::new(&folder)),
        None => drawn(),
    };
    assert!(!instances.is_empty(), "there is nothing to run");
    println!(
        "{:<48} {:>8} {:>9} {:>9} {:>12}",
        "workflow", "tasks", "edges", "ms", "us per task"
    );
    let count = instances.len();
    let mut by_size: Vec<(usize, f64)> = Vec::new();
    for (name, instance) in instances {
        let converted = convert(&instance()).unwrap_or_else(|problem| panic!("{name}: {problem}"));
        let took = run(&name, &converted);
        let tasks = converted.parents.len();
        let each = took.as_secs_f64() * 1e6 / tasks as f64;
        by_size.push((tasks, each));
        println!(
            "{name:<48} {tasks:>8} {:>9} {:>9} {each:>12.1}",
            converted.edges(),
            took.as_millis()
        );
    }
    summarise(by_size);
    println!("{count} workflows succeeded in dependency order");
}

/// A workflow that is drawn or read when its turn comes.
type Instance = Box<dyn FnOnce() -> Value>;

fn drawn() -> Vec<(String, Instance)> {
    let text = std::env::var_os(MAX_TASKS).map(|text| text.to_string_lossy().into_owned());
    let max_tasks: usize = text.map_or(1_000, |text| text.parse().expect("the largest size is a number"));
    let mut instances: Vec<(String, Instance)> = Vec::new();
    for size in SIZES.into_iter().filter(|size| *size <= max_tasks) {
        for (name, shape) in shapes::ALL {
            instances.push((format!("{name}, about {size}"), Box::new(move || shape(size))));
        }
    }
    instances
}

fn recorded(folder: &Path) -> Vec<(String, Instance)> {
    let mut files = Vec::new();
    json_files(folder, &mut files);
    files.sort();
    let instance = |file: PathBuf| {
        let name = file
            .file_stem()
            .unwrap_or_default()
            .to_string_lossy()
            .into_owned();
        let read = move || -> Value {
            let text = std::fs::read_to_string(&file).expect("the file is readable");
            match serde_json::from_str(&text) {
                Ok(instance) => instance,
                Err(error) => panic!("{}: {error}", file.display()),
            }
        };
        (name, Box::new(read) as Instance)
    };
    files.into_iter().map(instance).collect()
}

fn json_files(folder: &Path, files: &mut Vec<PathBuf>) {
    for entry in std::fs::read_dir(folder)
        .expect("the folder is readable")
        .flatten()
    {
        let path = entry.path();
        if path.is_dir() {
            json_files(&path, files);
        } else if path.extension().is_some_and(|extension| extension == "json") {
            files.push(path);
        }
    }
}

/// Runs one workflow in a data directory of its own and checks its journal. Returns how long the program took.
fn run(name: &str, converted: &Converted) -> Duration {
    let folder = tempfile::tempdir().expect("there is room for a temporary folder");
    let file = folder.path().join("workflow.json");
    let data = folder.path().join("data");
    std::fs::write(&file, converted.workflow.to_string()).expect("the folder is writable");
    let configuration = converted.configuration().to_string();
    std::fs::write(folder.path().join("orchestrator.yaml"), configuration).expect("the folder is writable");

    let mut command = orchestrator();
    command
        .args(["run", "--quiet", "-o", "json", "--data"])
        .arg(&data)
        .arg(&file);
    #[expect(
        clippy::disallowed_methods,
        reason = "the duration is printed and decides nothing"
    )]
    let start = Instant::now();
    let output = command.output().expect("the program starts");
    let took = start.elapsed();
    let stderr = String::from_utf8_lossy(&output.stderr);
    let first_lines: String = stderr.lines().take(20).collect::<Vec<_>>().join("\n");
    assert!(
        output.status.success(),
        "{name}: {}\n{first_lines}",
        output.status
    );

    let list = read(&data, &["list"]);
    let run = list["runs"][0]["id"]
        .as_str()
        .unwrap_or_else(|| panic!("{name}: no run in {list}"));
    check_order(name, converted, &read(&data, &["events", run]));
    took
}

/// What a verb prints about the data directory.
fn read(data: &Path, arguments: &[&str]) -> Value {
    let output = orchestrator()
        .args(arguments)
        .args(["-o", "json", "--data"])
        .arg(data)
        .output();
    let output = output.expect("the program starts");
    assert!(
        output.status.success(),
        "{arguments:?}: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    serde_json::from_slice(&output.stdout).expect("-o json prints JSON")
}

/// Every task succeeded once, and was queued once, after all it depends on had succeeded.
fn check_order(name: &str, converted: &Converted, page: &Value) {
    let events = page["events"]
        .as_array()
        .unwrap_or_else(|| panic!("{name}: no events in {page}"));
    let (mut queued, mut succeeded) = (HashMap::new(), HashMap::new());
    for (place, event) in events.iter().enumerate() {
        let task = event["task"].as_str().unwrap_or_default();
        let places = match event["type"].as_str() {
            Some("TASK_QUEUED") => &mut queued,
            Some("TASK_SUCCEEDED") => &mut succeeded,
            _ => continue,
        };
        assert_eq!(
            places.insert(task, place),
            None,
            "{name}: '{task}' is there twice: {event}"
        );
    }
    for (task, parents) in &converted.parents {
        let queued = queued
            .get(task.as_str())
            .unwrap_or_else(|| panic!("{name}: '{task}' was not queued"));
        assert!(
            succeeded.contains_key(task.as_str()),
            "{name}: '{task}' did not succeed"
        );
        for parent in parents {
            assert!(
                succeeded[parent.as_str()] < *queued,
                "{name}: '{task}' was queued before '{parent}' succeeded"
            );
        }
    }
}

/// Prints the median time per task for each order of magnitude.
fn summarise(mut measured: Vec<(usize, f64)>) {
    measured.sort_by(|a, b| a.1.total_cmp(&b.1));
    for power in 0..6 {
        let range = 10usize.pow(power)..10usize.pow(power + 1);
        let times: Vec<f64> = measured
            .iter()
            .filter(|(tasks, _)| range.contains(tasks))
            .map(|(_, us)| *us)
            .collect();
        if let Some(median) = times.get(times.len() / 2) {
            println!(
                "{:>7} to {:>7} tasks: {median:>9.1} us per task, median of {}",
                range.start,
                range.end - 1,
                times.len()
            );
        }
    }
}
