//! The documents agree with the code: codes, environment variables, commands, links, examples.

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::process::Command;

use orchestrator_core::workflow::{Limits, parse};
use tests::binary::orchestrator;
use tests::repository::{files, files_with_extension, read, root};

/// Fails with all findings.
fn none(findings: impl IntoIterator<Item = String>, remedy: &str) {
    let findings: BTreeSet<String> = findings.into_iter().collect();
    let list = findings
        .iter()
        .fold(String::new(), |list, finding| list + "  " + finding + "\n");
    assert!(findings.is_empty(), "\n{list}{remedy}\n");
}

fn documents() -> Vec<PathBuf> {
    files_with_extension("md")
}

/// The text of everything in `docs`.
fn reference() -> String {
    let docs = documents().into_iter().filter(|file| file.starts_with("docs"));
    docs.map(read).collect()
}

/// Sources of the programs, without those of their tests.
fn sources() -> impl Iterator<Item = (PathBuf, String)> {
    let of_programs = |file: &PathBuf| {
        let first = file
            .components()
            .next()
            .and_then(|part| part.as_os_str().to_str());
        let is_test = file.components().any(|part| part.as_os_str() == "tests");
        matches!(first, Some("shared" | "cli")) && !is_test && !file.starts_with("shared/testkit")
    };
    files_with_extension("rs")
        .into_iter()
        .filter(of_programs)
        .map(|file| {
            let text = read(&file);
            let end = text.find("#[cfg(test)]").unwrap_or(text.len());
            (file, text[..end].to_owned())
        })
}

/// The texts in quotes.
fn literals(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .filter(|line| !line.trim_start().starts_with("//"))
        .flat_map(|line| line.split('"').skip(1).step_by(2))
}

#[test]
fn every_code_a_program_may_match_on_is_documented() {
    let docs = reference();
    let is_code = |text: &str| {
        let mut parts = text.split('.');
        let well_formed =
            |part: &str| !part.is_empty() && part.chars().all(|c| c.is_ascii_lowercase() || c == '-');
        parts.clone().count() == 2 && parts.all(well_formed)
    };
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let of_codes = text.contains("fn code(") || text.contains("codes! {");
        if of_codes {
            let codes = literals(&text).filter(|text| is_code(text));
            findings.extend(
                codes
                    .filter(|code| !docs.contains(&format!("`{code}`")))
                    .map(|code| format!("{}: `{code}`", file.display())),
            );
        }
    }
    none(findings, "add it to the tables of codes in docs/");
}

#[test]
fn every_environment_variable_is_documented() {
    let docs = reference();
    let is_name = |text: &&str| {
        ["ORCHESTRATOR_", "OTEL_", "TRACEPARENT", "NO_COLOR"]
            .iter()
            .any(|start| text.starts_with(start))
            && text
                .chars()
                .all(|c| c.is_ascii_uppercase() || c.is_ascii_digit() || c == '_')
    };
    let mut findings = Vec::new();
    for (file, text) in sources() {
        let names = literals(&text).filter(is_name);
        findings.extend(
            names
                .filter(|name| !docs.contains(*name))
                .map(|name| format!("{}: {name}", file.display())),
        );
    }
    none(findings, "add it to the list of environment variables in docs/");
}

#[test]
fn every_link_inside_the_repository_leads_somewhere() {
    let mut findings = Vec::new();
    for file in documents() {
        let folder = file.parent().unwrap_or(Path::new(""));
        for link in read(&file).split("](").skip(1) {
            let target = link.split(')').next().unwrap_or_default();
            let path = target.split('#').next().unwrap_or_default();
            let is_outside = path.is_empty() || target.contains("://") || target.starts_with("mailto:");
            if !is_outside && !root().join(folder).join(path).exists() {
                findings.push(format!("{}: {target}", file.display()));
            }
        }
    }
    none(findings, "correct the link");
}

/// Fenced blocks of a document, with the word after the fence.
fn blocks(text: &str) -> Vec<(String, String)> {
    let mut blocks = Vec::new();
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if let Some(word) = line.trim_start().strip_prefix("```") {
            let body: Vec<&str> = lines
                .by_ref()
                .take_while(|line| !line.trim_start().starts_with("```"))
                .collect();
            blocks.push((word.trim().to_owned(), body.join("\n")));
        }
    }
    blocks
}

/// Command lines of our programs in a document: in blocks and in single backquotes. Continuation lines are joined.
fn command_lines(text: &str) -> Vec<String> {
    let joined = text.replace("\\\n", " ");
    let blocks = blocks(&joined);
    let in_blocks = blocks
        .iter()
        .filter(|(word, _)| matches!(word.as_str(), "" | "sh" | "bash" | "console" | "shell"));
    let mut lines: Vec<String> = in_blocks
        .flat_map(|(_, body)| body.lines())
        .map(str::to_owned)
        .collect();
    let without_blocks: Vec<&str> = joined.split("```").step_by(2).collect();
    lines.extend(
        without_blocks
            .iter()
            .flat_map(|text| text.split('`').skip(1).step_by(2))
            .map(|line| line.replace('\n', " ")),
    );
    let starts = [
        "orchestrator ",
        "cargo run --release -- ",
        "cargo xtask ",
        "target/release/orchestrator ",
    ];
    let command = |line: String| {
        let line = line.trim().trim_start_matches("$ ").to_owned();
        starts.iter().any(|start| line.starts_with(start)).then_some(line)
    };
    lines.into_iter().filter_map(command).collect()
}

/// What `--help` says about a verb; none if there is no such verb.
fn help(words: &[&str]) -> Option<String> {
    let output = orchestrator()
        .args(words)
        .arg("--help")
        .output()
        .expect("the program starts");
    output
        .status
        .success()
        .then(|| String::from_utf8_lossy(&output.stdout).into_owned())
}

#[test]
fn every_command_in_the_documents_exists() {
    let xtask = read("xtask/src/main.rs");
    let mut findings = Vec::new();
    for file in documents() {
        for line in command_lines(&read(&file)) {
            if let Some(problem) = command_problem(&line, &xtask) {
                findings.push(format!("{}: `{line}`: {problem}", file.display()));
            }
        }
    }
    none(findings, "correct the document");
}

fn command_problem(line: &str, xtask: &str) -> Option<String> {
    if let Some(rest) = line.strip_prefix("cargo xtask ") {
        let verb = rest.split_whitespace().next().unwrap_or_default();
        let known = verb.starts_with('-') || xtask.contains(&format!("\n  {verb} "));
        return (!known).then(|| format!("xtask has no verb '{verb}'"));
    }
    let (_, rest) = line
        .split_once("orchestrator ")
        .or_else(|| line.split_once("cargo run --release -- "))?;
    // What follows belongs to a shell or to another program.
    let words: Vec<&str> = rest
        .split_whitespace()
        .take_while(|word| !["|", ">", "&&", "--", "#", "&"].contains(word))
        .collect();
    let verb: Vec<&str> = words.iter().copied().take(1).collect();
    let is_verb = |word: &str| !word.is_empty() && word.chars().all(|c| c.is_ascii_lowercase() || c == '-');
    if !verb.first().is_some_and(|word| is_verb(word)) || verb[0].starts_with('-') {
        return None;
    }
    let mut text = match help(&verb) {
        Some(text) => text,
        None => return Some(format!("there is no verb '{}'", verb[0])),
    };
    if let Some(second) = words.get(1).filter(|_| text.contains("<COMMAND>")) {
        match help(&[verb[0], second]) {
            Some(more) => text = more,
            None => return Some(format!("'{}' has no verb '{second}'", verb[0])),
        }
    }
    let flags = words
        .iter()
        .filter(|word| word.starts_with("--"))
        .map(|word| word.split('=').next().unwrap_or(word));
    let mut unknown = flags.filter(|flag| !text.contains(*flag));
    if let Some(flag) = unknown.next() {
        return Some(format!("'{}' has no flag '{flag}'", verb[0]));
    }
    let mut paths = words.iter().filter(|word| word.starts_with("examples/"));
    paths
        .find(|path| !root().join(path).exists())
        .map(|path| format!("there is no file '{path}'"))
}

#[test]
fn every_whole_workflow_in_the_documents_is_valid() {
    let mut findings = Vec::new();
    for file in documents() {
        for (word, body) in blocks(&read(&file)) {
            let is_whole = word == "yaml" && body.contains("\ntasks:") && !body.contains("...");
            if !is_whole {
                continue;
            }
            if let Err(problems) = parse(body.as_bytes(), &Limits::local_file()).workflow {
                let first = problems
                    .first()
                    .map(|problem| problem.message.clone())
                    .unwrap_or_default();
                findings.push(format!("{}: {first}\n{body}", file.display()));
            }
        }
    }
    none(findings, "correct the document");
}

#[test]
fn agents_of_the_examples_need_nothing_but_python() {
    let scripts: Vec<PathBuf> = files()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|e| e == "py"))
        // The emulator and the checks of the templates have an environment of pinned packages.
        .filter(|file| !file.starts_with("infra"))
        .collect();
    // Prints the modules that are neither Python's own nor beside the script. Python 3.9 does not know its own: there
    // only the syntax is checked.
    const CHECK: &str = "
import ast, os, sys
known = getattr(sys, 'stdlib_module_names', None)
for path in sys.argv[1:]:
    tree = ast.parse(open(path, encoding='utf-8').read(), path)
    beside = {name[:-3] for name in os.listdir(os.path.dirname(path)) if name.endswith('.py')}
    for node in ast.walk(tree):
        names = []
        if isinstance(node, ast.Import):
            names = [alias.name for alias in node.names]
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            names = [node.module]
        for name in names:
            top = name.split('.')[0]
            if known is not None and top not in known and top not in beside:
                print(f'{path}: import {name}')
";
    let output = Command::new("python3")
        .args(["-c", CHECK])
        .args(&scripts)
        .current_dir(root())
        .output();
    let output = output.expect("python3 starts");
    assert!(
        output.status.success(),
        "{}",
        String::from_utf8_lossy(&output.stderr)
    );
    let findings = String::from_utf8_lossy(&output.stdout).into_owned();
    none(findings.lines().map(str::to_owned), "use the standard library");
}
