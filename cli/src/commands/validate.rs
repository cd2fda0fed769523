//! `validate`: every problem of a workflow file, without running it.

use std::path::Path;

use orchestrator_core::workflow::{Problem, parse};
use orchestrator_engine::api::problem::Fault;
use serde::Serialize;

use super::submission::read_text;
use crate::args::{Global, ValidateArgs};
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::{Output, text};

/// What is said about one file.
#[derive(Debug, Serialize)]
struct Validated {
    file: String,
    valid: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    workflow: Option<String>,
    tasks: usize,
    problems: Vec<Fault>,
}

/// Validates each file.
pub fn run(global: &Global, args: &ValidateArgs, output: &Output) -> Result<Exit, Failure> {
    let files: Result<Vec<Validated>, Failure> =
        args.files.iter().map(|file| validate(global, file)).collect();
    let files = files?;
    let all_valid = files.iter().all(|file| file.valid);
    output.answer(&files, |files, page| {
        for file in files {
            for fault in &file.problems {
                page.line(located(&file.file, fault));
            }
            let name = file.workflow.as_deref().unwrap_or_default();
            match file.valid {
                true => page.line(format!(
                    "{}: workflow '{name}' is valid: {}",
                    file.file,
                    text::count(file.tasks, "task")
                )),
                false => page.line(format!("{}: {}", file.file, text::count(errors(file), "problem"))),
            }
        }
    });
    Ok(if all_valid { Exit::Success } else { Exit::Usage })
}

fn validate(global: &Global, path: &Path) -> Result<Validated, Failure> {
    let text = read_text(path)?;
    let config = Config::load(global, Some(path))?;
    let limits = config.file_limits();
    let parsed = parse(text.as_bytes(), &limits);
    let mut problems: Vec<Fault> = Vec::new();
    let (workflow, tasks) = match parsed.workflow {
        Ok(workflow) => {
            problems.extend(config.unknown(&workflow, text.as_bytes()));
            (Some(workflow.name.clone()), workflow.tasks.len())
        }
        Err(found) => {
            problems.extend(found.iter().map(Fault::of));
            (None, 0)
        }
    };
    problems.extend(parsed.warnings.iter().map(|warning: &Problem| Fault::of(warning)));
    let valid = problems.iter().all(|fault| fault.severity != "error");
    Ok(Validated {
        file: path.display().to_string(),
        valid,
        workflow,
        tasks,
        problems,
    })
}

/// `file:line:column: code: message (remedy)`.
fn located(file: &str, fault: &Fault) -> String {
    match fault.line {
        Some(_) => format!("{file}:{fault}"),
        None => format!("{file}: {fault}"),
    }
}

fn errors(file: &Validated) -> usize {
    file.problems
        .iter()
        .filter(|fault| fault.severity == "error")
        .count()
}
