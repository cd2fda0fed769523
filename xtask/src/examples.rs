//! The examples, run as their readers would run them.

use std::fs;
use std::path::{Path, PathBuf};

use crate::counts::Counts;
use crate::report::Step;
use crate::run::{built, program, quietly, root, target};

/// Variants of examples that their documentation promises, besides each as it is: folder, options, exit status.
const VARIANTS: [(&str, &[&str], i32); 3] = [
    ("failures", &["--input", "outage_attempts=1.5"], 1),
    (
        "for_each",
        &["--input", "by=[\"year\"]", "--input", "column=flipper_length_mm"],
        0,
    ),
    ("penguins", &["--input", "test_fraction=1.5"], 1),
];

/// Examples that fail as they are, because that is where their story begins; a golden transcript tells the rest of it.
const FAILING: [&str; 1] = ["rollback"];

/// Runs every folder of `examples` that has a workflow, and the variants.
pub fn run() -> Step {
    let mut step = Step {
        counts: Counts::default(),
        note: String::new(),
        output: String::new(),
    };
    for folder in folders() {
        example(
            &folder,
            &[],
            i32::from(FAILING.contains(&folder.as_str())),
            &mut step,
        );
    }
    for (folder, options, status) in VARIANTS {
        example(folder, options, status, &mut step);
    }
    step.note = format!("{} runs", step.counts.passed);
    step
}

fn folders() -> Vec<String> {
    let entries = fs::read_dir(root().join("examples"))
        .into_iter()
        .flatten()
        .flatten();
    let with_workflow = entries.filter(|entry| entry.path().join("workflow.yaml").is_file());
    let mut names: Vec<String> = with_workflow
        .filter_map(|e| e.file_name().into_string().ok())
        .collect();
    names.sort();
    names
}

fn example(folder: &str, options: &[&str], status: i32, step: &mut Step) {
    let data = target()
        .join("examples")
        .join(format!("{folder}-{}", options.len()));
    // Left over from the last time, if anything.
    let _ = fs::remove_dir_all(&data);
    let mut command = program(built().join("orchestrator"));
    command
        .arg("run")
        .arg(format!("examples/{folder}/workflow.yaml"))
        .arg("--data")
        .arg(&data)
        .args(options);
    let outcome = quietly(&mut command);
    let mut problem = match outcome.status {
        Some(actual) if actual == status => None,
        other => Some(format!("exit status {other:?} instead of {status}")),
    };
    if folder == "penguins" && status == 0 && find(&data, "report.html").is_none() {
        problem = Some("there is no report.html".to_owned());
    }
    step.counts += Counts::one(problem.is_none());
    if let Some(problem) = problem {
        step.output.push_str(&format!(
            "examples/{folder} {options:?}: {problem}\n{}\n",
            outcome.output
        ));
    }
}

/// A file of this name in a folder or below it.
fn find(folder: &Path, name: &str) -> Option<PathBuf> {
    fs::read_dir(folder).ok()?.flatten().find_map(|entry| {
        let path = entry.path();
        let is_it = path.file_name().is_some_and(|found| found == name);
        if is_it {
            Some(path)
        } else if path.is_dir() {
            find(&path, name)
        } else {
            None
        }
    })
}
