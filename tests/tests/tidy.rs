//! House rules about sources and dependencies, as tests. Each failure lists every place and says what to do instead.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;
use std::process::Command;

use serde_json::Value;
use tests::repository::{files, files_with_extension, read, root};

/// Longest Rust file, in lines of any kind: readers scroll past comments and tests too.
const LINES_MAX: usize = 400;

/// Fails with all findings and the remedy.
fn none(findings: Vec<String>, remedy: &str) {
    let mut list = String::new();
    for finding in &findings {
        let _ = writeln!(list, "  {finding}");
    }
    assert!(findings.is_empty(), "\n{list}{remedy}\n");
}

#[test]
fn every_rust_file_starts_with_what_it_is_about() {
    let silent = files_with_extension("rs")
        .into_iter()
        .filter(|file| !read(file).starts_with("//! "));
    none(
        silent.map(|f| f.display().to_string()).collect(),
        "start the file with a `//!` line about its subject",
    );
}

#[test]
fn no_rust_file_is_too_long_to_read_in_one_go() {
    let mut findings = Vec::new();
    for file in files_with_extension("rs") {
        let lines = read(&file).lines().count();
        if lines > LINES_MAX {
            findings.push(format!("{}: {lines} lines (at most {LINES_MAX})", file.display()));
        }
    }
    none(findings, "split it by what its readers look for");
}

#[test]
fn nothing_is_left_half_done() {
    let banned = [
        (concat!("#[ig", "nore"), "make the test pass, or remove it"),
        (concat!("to", "do!("), "do it"),
        (concat!("unimple", "mented!("), "implement it"),
        (concat!("#[al", "low("), "#[expect(..., reason = \"...\")]"),
        (concat!("#![al", "low("), "#![expect(..., reason = \"...\")]"),
        (
            concat!("TO", "DO"),
            "do it, or say in the documentation what is absent",
        ),
        (
            concat!("FIX", "ME"),
            "fix it, or say in the documentation what is absent",
        ),
    ];
    let mut findings = Vec::new();
    for file in files_with_extension("rs")
        .into_iter()
        .chain(files_with_extension("py"))
    {
        for (number, line) in (1..).zip(read(&file).lines()) {
            for (text, remedy) in banned.iter().filter(|(text, _)| line.contains(text)) {
                findings.push(format!("{}:{number}: {text} ({remedy})", file.display()));
            }
        }
    }
    none(findings, "");
}

#[test]
fn no_file_knows_the_machine_or_the_tools_it_was_written_with() {
    let banned = [
        concat!("/wo", "rk/main"),
        concat!("/wo", "rk/shared"),
        concat!("/wo", "rk/."),
        concat!("/tmp/tar", "get"),
        concat!("/ro", "ot/"),
        concat!("bash_", "tool"),
        concat!("str_rep", "lace"),
        concat!("anth", "ropic"),
        concat!("cla", "ude"),
        concat!("registry.np", "mjs"),
        concat!("pypi.", "org"),
        concat!("static.crates", ".io"),
    ];
    let mut findings = Vec::new();
    for file in files() {
        // Files that are not text are data.
        let Ok(text) = std::fs::read_to_string(root().join(&file)) else {
            continue;
        };
        for (number, line) in (1..).zip(text.lines()) {
            let lower = line.to_lowercase();
            for text in banned.iter().filter(|text| lower.contains(*text)) {
                findings.push(format!("{}:{number}: '{text}'", file.display()));
            }
        }
    }
    none(findings, "the repository must mean the same on every machine");
}

#[test]
fn every_crate_takes_the_lints_and_versions_of_the_workspace() {
    let mut findings = Vec::new();
    for file in files() {
        let is_member =
            file.file_name().is_some_and(|name| name == "Cargo.toml") && file.components().count() > 1;
        if !is_member {
            continue;
        }
        let text = read(&file);
        if !text.contains("[lints]\nworkspace = true\n") {
            findings.push(format!(
                "{}: add `[lints]` with `workspace = true`",
                file.display()
            ));
        }
        let dependencies = text.split("\n[").filter(|section| {
            let name = section.split(']').next().unwrap_or_default();
            name.ends_with("dependencies")
        });
        for line in dependencies.flat_map(|section| section.lines().skip(1)) {
            let line = line.trim();
            if !line.is_empty() && !line.starts_with('#') && !line.contains("workspace = true") {
                findings.push(format!("{}: '{line}' has its own version", file.display()));
            }
        }
    }
    none(
        findings,
        "versions are in `[workspace.dependencies]` of the root manifest",
    );
}

/// Who depends on whom in the built programs, and under which licences. Dependencies for tests, build scripts and
/// other platforms are not part of it.
struct Graph {
    names: BTreeMap<String, String>,
    edges: BTreeMap<String, Vec<String>>,
}

impl Graph {
    fn load() -> Graph {
        let mut cargo = Command::new("cargo");
        cargo.args([
            "metadata",
            "--format-version",
            "1",
            "--locked",
            "--filter-platform",
            &host(),
        ]);
        let output = cargo.current_dir(root()).output().expect("cargo starts");
        assert!(
            output.status.success(),
            "{}",
            String::from_utf8_lossy(&output.stderr)
        );
        let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
        let packages = list(&metadata["packages"]);
        let names = packages
            .iter()
            .map(|package| (text(&package["id"]), text(&package["name"])))
            .collect();
        let mut edges = BTreeMap::new();
        for node in list(&metadata["resolve"]["nodes"]) {
            let normal = list(&node["deps"]).iter().filter(|dependency| {
                list(&dependency["dep_kinds"])
                    .iter()
                    .any(|kind| kind["kind"].is_null())
            });
            edges.insert(
                text(&node["id"]),
                normal.map(|dependency| text(&dependency["pkg"])).collect(),
            );
        }
        Graph { names, edges }
    }

    /// Everything a package reaches, with the way to it.
    fn reach(&self, package: &str) -> BTreeMap<String, String> {
        let start = self
            .names
            .iter()
            .find(|(id, name)| *name == package && id.starts_with("path+"));
        let (start, _) = start.unwrap_or_else(|| panic!("there is no package '{package}'"));
        let mut ways = BTreeMap::from([(start.clone(), package.to_owned())]);
        let mut open = VecDeque::from([start.clone()]);
        while let Some(id) = open.pop_front() {
            for next in &self.edges[&id] {
                if !ways.contains_key(next) {
                    ways.insert(next.clone(), format!("{} > {}", ways[&id], self.names[next]));
                    open.push_back(next.clone());
                }
            }
        }
        ways.into_iter()
            .map(|(id, way)| (self.names[&id].clone(), way))
            .collect()
    }
}

fn host() -> String {
    let output = Command::new("rustc").arg("-vV").output().expect("rustc starts");
    let text = String::from_utf8(output.stdout).expect("rustc prints text");
    let host = text
        .lines()
        .find_map(|line| line.strip_prefix("host: "))
        .expect("rustc names its host");
    host.to_owned()
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

/// What a crate must not reach. A name that ends in `-` stands for all that start so.
const FORBIDDEN: [(&str, &[&str]); 8] = [
    (
        "orchestrator-core",
        &[
            "orchestrator-",
            "tokio",
            "mio",
            "socket2",
            "hyper",
            "axum",
            "rusqlite",
            "libsqlite3-sys",
            "rand",
            "getrandom",
            "aws-",
        ],
    ),
    (
        "orchestrator-translate",
        &[
            "orchestrator-engine",
            "tokio",
            "hyper",
            "ureq",
            "rusqlite",
            "getrandom",
            "aws-",
        ],
    ),
    (
        "orchestrator-engine",
        &[
            "orchestrator-embedded",
            "orchestrator-testkit",
            "tokio",
            "mio",
            "hyper",
            "axum",
            "rusqlite",
            "libsqlite3-sys",
            "aws-",
        ],
    ),
    (
        "orchestrator-console",
        &["orchestrator-embedded", "tokio", "hyper", "axum", "aws-"],
    ),
    ("orchestrator-embedded", &["orchestrator-testkit", "aws-"]),
    (
        "orchestrator-aws",
        &[
            "orchestrator-embedded",
            "orchestrator-testkit",
            // Only the function `translator` links it.
            "aws-sdk-bedrockruntime",
            "rusqlite",
            "libsqlite3-sys",
            "aws-lc-",
            "openssl-sys",
            "native-tls",
        ],
    ),
    ("orchestrator", &["orchestrator-testkit", "proptest", "aws-"]),
    (
        "orchestrator-functions",
        &[
            "orchestrator-embedded",
            "orchestrator-testkit",
            "rusqlite",
            "libsqlite3-sys",
            // One TLS stack, and one HTTP client.
            "native-tls",
            "openssl",
            "aws-lc-rs",
            "reqwest",
            "ureq",
        ],
    ),
];

#[test]
fn dependencies_run_one_way() {
    let graph = Graph::load();
    let mut findings = Vec::new();
    for (package, forbidden) in FORBIDDEN {
        for (name, way) in graph.reach(package) {
            let is_forbidden = forbidden
                .iter()
                .any(|ban| name == *ban || ban.ends_with('-') && name.starts_with(ban));
            if is_forbidden && name != package {
                findings.push(way);
            }
        }
    }
    none(
        findings,
        "core <- translate <- engine <- {embedded, console} <- cli, engine <- {aws <- bedrock, console} <- functions; turn the feature off, or move the code outwards",
    );
}
