//! The templates of the AWS host: linters, and rules no linter knows. `infra/checks` has them.

use std::env::consts::ARCH;
use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

use emulator::python::Environment;

use crate::counts::Counts;
use crate::emulator::unittest;
use crate::release;
use crate::report::{Report, Step};
use crate::run::{in_foreground, is_there, or_complain, program, quietly, root, target};
use crate::verbs::values;

/// The linters. Apart from the emulator's environment: they ask for other versions of what both use.
const LINTERS: Environment = Environment {
    name: "infra",
    requirements: "infra/checks/requirements.txt",
    remedy: "cargo xtask infra",
};

/// What `sam build` needs besides SAM.
const CARGO_LAMBDA: Environment = Environment {
    name: "cargo-lambda",
    requirements: "infra/cargo-lambda.txt",
    remedy: "cargo xtask sam",
};

/// What the template's parameter `Architecture` may be.
const ARCHITECTURES: [&str; 2] = ["arm64", "x86_64"];

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
    report.step("inclusion by CDK", cdk);
    report.finish()
}

/// `cargo xtask sam`: `sam build`. For the machine it runs on it takes the compiler of this machine; for another
/// architecture, cargo-lambda takes Zig, and rustup for the target.
pub fn build(options: &[&str]) -> Result<bool, String> {
    let [asked] = values(options, ["--architecture"])?;
    let own = match ARCH {
        "aarch64" => "arm64",
        other => other,
    };
    let architecture = asked.unwrap_or(own);
    if !ARCHITECTURES.contains(&architecture) {
        let known = ARCHITECTURES.join(", ");
        return Err(format!("--architecture '{architecture}' is none of {known}"));
    }
    Ok(or_complain(sam_build(architecture, architecture == own)))
}

fn sam_build(architecture: &str, is_own: bool) -> Result<(), String> {
    let folder = |python: &Path| python.parent().expect("a program lies in a folder").to_owned();
    let python = LINTERS.install()?;
    let sam = folder(&python).join("sam");
    // cargo-lambda asks the first `python3` for Zig.
    let mut folders = vec![folder(&CARGO_LAMBDA.install()?)];
    folders.extend(std::env::split_paths(
        &std::env::var_os("PATH").unwrap_or_default(),
    ));
    let path = std::env::join_paths(folders).map_err(|error| error.to_string())?;
    let built = target().join("sam");
    let mut build = program(sam);
    build
        .args(["build", "--template-file", TEMPLATES[0]])
        .arg("--build-dir")
        .arg(&built)
        .arg("--cache-dir")
        .arg(target().join("sam-cache"))
        .args(["--parameter-overrides", &format!("Architecture={architecture}")])
        .env("PATH", path)
        .env("SAM_CLI_TELEMETRY", "0")
        .env("AWS_DEFAULT_REGION", "us-east-1");
    if is_own {
        build.env("CARGO_LAMBDA_COMPILER", "cargo");
    }
    if !in_foreground(&mut build) {
        return Err("SAM did not build the functions; what went wrong is above".to_owned());
    }
    println!("for {architecture}; zips as SAM uploads them:");
    let entries = fs::read_dir(&built).map_err(|error| format!("{}: {error}", built.display()))?;
    let mut folders: Vec<PathBuf> = entries.flatten().map(|entry| entry.path()).collect();
    folders.sort();
    for program in folders.iter().map(|folder| folder.join("bootstrap")) {
        if program.exists() {
            let zip = release::pack(&python, &program, &program.with_file_name("bootstrap.zip"))?;
            let name = program.iter().rev().nth(1).unwrap_or_default();
            println!("{:22} {:>8} KB", name.display(), release::kilobytes(&zip)?);
            fs::remove_file(&zip).map_err(|error| format!("{}: {error}", zip.display()))?;
        }
    }
    Ok(())
}

/// Runs all linters. Installs them on first use, which takes minutes; after that it takes ten seconds, and none while nothing
/// they look at has changed since they were content.
pub fn lint() -> Step {
    let python = match LINTERS.install() {
        Ok(python) => python,
        Err(problem) => return Step::failed(problem),
    };
    let stamp = python.with_file_name("content-with.txt");
    unless_unchanged(&stamp, || run(&python))
}

/// Does a step, unless it passed with exactly these files before.
fn unless_unchanged(stamp: &Path, step: impl FnOnce() -> Step) -> Step {
    let digest = digest();
    if fs::read_to_string(stamp).is_ok_and(|found| found == digest) {
        return Step {
            counts: Counts::one(true),
            note: "unchanged since it passed".to_owned(),
            output: String::new(),
        };
    }
    let step = step();
    if step.counts.failed == 0 && step.counts.passed > 0 {
        // Without the stamp it is done once more.
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

/// Includes the template in a CDK application and checks that nothing is lost. Left out where Node.js cannot be had.
pub fn cdk() -> Step {
    if !is_there(program("npm").arg("--version")) {
        return Step::left_out("Node.js is not installed");
    }
    let folder = target().join("cdk");
    let manifest = root().join("infra/cdk/package.json");
    let wanted = fs::read_to_string(&manifest).unwrap_or_default();
    let installed = folder.join("package.json");
    if fs::read_to_string(&installed).unwrap_or_default() != wanted {
        let prepared = fs::create_dir_all(&folder);
        let install = [
            "install",
            "--ignore-scripts",
            "--no-audit",
            "--no-fund",
            "--no-package-lock",
        ];
        // The manifest comes last: without it the packages are installed again.
        let outcome = quietly(
            program("npm")
                .args(install)
                .arg("--prefix")
                .arg(&folder)
                .args(dependencies(&wanted)),
        );
        if prepared.is_err() || !outcome.success {
            return Step::left_out("the packages of CDK cannot be had");
        }
        if let Err(error) = fs::write(&installed, &wanted) {
            return Step::failed(format!("{}: {error}", installed.display()));
        }
    }
    unless_unchanged(&folder.join("content-with.txt"), || {
        let mut test = program("node");
        test.args(["--test", "infra/cdk/"])
            .env("NODE_PATH", folder.join("node_modules"));
        Step::check(quietly(&mut test))
    })
}

/// `name@version` of the dependencies, which stand in one line of the manifest.
pub fn dependencies(manifest: &str) -> Vec<String> {
    let line = manifest
        .lines()
        .find(|line| line.trim_start().starts_with("\"dependencies\""))
        .unwrap_or_default();
    let texts: Vec<&str> = line.split('"').skip(1).step_by(2).skip(1).collect();
    texts
        .chunks_exact(2)
        .map(|pair| format!("{}@{}", pair[0], pair[1]))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::dependencies;

    #[test]
    fn the_dependencies_of_the_manifest_are_read() {
        let manifest = "{\n  \"name\": \"x\",\n  \"dependencies\": { \"aws-cdk-lib\": \"2.1.0\", \"constructs\": \"10.0.1\" }\n}\n";
        assert_eq!(dependencies(manifest), ["aws-cdk-lib@2.1.0", "constructs@10.0.1"]);
    }
}
