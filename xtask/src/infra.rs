//! The templates of the AWS host: linters, and rules no linter knows. `infra/checks` has them.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use emulator::python::Environment;

use crate::counts::Counts;
use crate::emulator::unittest;
use crate::report::{Report, Step};
use crate::run::{program, quietly, root};

/// The linters. Apart from the emulator's environment: they ask for other versions of what both use.
const LINTERS: Environment = Environment {
    name: "infra",
    requirements: "infra/checks/requirements.txt",
    remedy: "cargo xtask infra",
};

/// Every template; `infra/templates.py` has the same list.
const TEMPLATES: [&str; 5] = [
    "infra/template.yaml",
    "infra/batch.yaml",
    "infra/cache.yaml",
    "infra/monitoring.yaml",
    "infra/agent.yaml",
];

/// `cargo xtask infra`.
pub fn verb() -> bool {
    let mut report = Report::default();
    report.step("infrastructure", lint);
    report.finish()
}

/// Runs all linters. Installs them on first use, which takes minutes; after that it takes ten seconds, and none while nothing
/// they look at has changed since they were content.
pub fn lint() -> Step {
    let python = match LINTERS.install() {
        Ok(python) => python,
        Err(problem) => return Step::failed(problem),
    };
    let stamp = python.with_file_name("content-with.txt");
    let digest = digest();
    if fs::read_to_string(&stamp).is_ok_and(|found| found == digest) {
        return Step {
            counts: Counts::one(true),
            note: "unchanged since it passed".to_owned(),
            output: String::new(),
        };
    }
    let step = run(&python);
    if step.counts.failed == 0 {
        // Without the stamp they run once more.
        let _ = fs::write(stamp, digest);
    }
    step
}

/// Stands for everything the linters look at.
fn digest() -> String {
    let mut files = Vec::new();
    let mut folders: Vec<PathBuf> = ["infra", "events"].map(|name| root().join(name)).into();
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).into_iter().flatten().flatten() {
            let path = entry.path();
            match path.extension().and_then(|extension| extension.to_str()) {
                _ if path.is_dir() => folders.push(path),
                Some("pyc") => {}
                _ => files.push(path),
            }
        }
    }
    files.push(root().join("docs/openapi.json"));
    files.sort();
    let mut hasher = DefaultHasher::new();
    for file in files {
        (&file, fs::read(&file).unwrap_or_default()).hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

fn run(python: &Path) -> Step {
    let bin = python.parent().expect("a program lies in a folder");
    let mut step = Step {
        counts: Counts::default(),
        note: String::new(),
        output: String::new(),
    };
    let mut check = |name: &str, command: &mut std::process::Command| {
        // No linter may ask anybody anything, or tell anybody anything.
        command
            .env("SAM_CLI_TELEMETRY", "0")
            .env("AWS_DEFAULT_REGION", "us-east-1");
        let outcome = quietly(command);
        step.counts += Counts::one(outcome.success);
        if !outcome.success {
            step.output
                .push_str(&format!("{name}:\n{}\n", outcome.output.trim_end()));
        }
    };
    check("cfn-lint", program(bin.join("cfn-lint")).args(TEMPLATES));
    check(
        "sam validate",
        program(bin.join("sam")).args(["validate", "--lint", "--template", TEMPLATES[0]]),
    );
    check(
        "checkov",
        program(bin.join("checkov"))
            .args([
                "--skip-download",
                "--config-file",
                "infra/checks/checkov.yaml",
                "--file",
            ])
            .args(TEMPLATES),
    );
    let rules = unittest(python, "infra", &["-s", "checks", "-t", "."]);
    step.counts += rules.counts;
    if rules.counts.failed > 0 {
        step.output.push_str(&rules.output);
    }
    step.note = format!("{} checks", step.counts.passed);
    step
}
