//! Every dependency may be shipped: its licence is one that `deny.toml` allows.

use std::collections::BTreeSet;
use std::process::Command;

use serde_json::Value;
use tests::repository::{read, root};

#[test]
fn every_dependency_has_a_licence_that_asks_for_no_more_than_a_notice() {
    let allowed = allowed_licences();
    let mut cargo = Command::new("cargo");
    cargo.args(["metadata", "--format-version", "1", "--locked"]);
    let output = cargo.current_dir(root()).output().expect("cargo starts");
    let metadata: Value = serde_json::from_slice(&output.stdout).expect("cargo metadata prints JSON");
    let mut findings = Vec::new();
    for package in list(&metadata["packages"]) {
        let licence = text(&package["license"]);
        let name = text(&package["name"]);
        if !is_allowed(&licence, &allowed) {
            findings.push(format!("{name}: '{licence}'"));
        }
        let source = text(&package["source"]);
        if !source.is_empty() && !source.starts_with("registry+") {
            findings.push(format!("{name}: comes from '{source}'"));
        }
    }
    assert!(
        findings.is_empty(),
        "{findings:#?}\ndeny.toml says what is allowed"
    );
}

/// The list in `deny.toml`.
fn allowed_licences() -> BTreeSet<String> {
    let text = read("deny.toml");
    let (_, rest) = text
        .split_once("allow = [")
        .expect("deny.toml has a list of licences");
    let (list, _) = rest.split_once("\n]").expect("the list ends");
    list.lines()
        .filter_map(|line| line.split('"').nth(1))
        .map(str::to_owned)
        .collect()
}

/// Evaluates an SPDX expression. `AND` binds closer than `OR`; the old `/` means `OR`.
fn is_allowed(expression: &str, allowed: &BTreeSet<String>) -> bool {
    if let Some((open, close)) = innermost_group(expression) {
        let inner = is_allowed(&expression[open + 1..close], allowed);
        let known = if inner {
            allowed.iter().next().map_or("", String::as_str)
        } else {
            "none"
        };
        return is_allowed(
            &format!("{}{known}{}", &expression[..open], &expression[close + 1..]),
            allowed,
        );
    }
    let expression = expression.replace('/', " OR ");
    expression.split(" OR ").any(|choice| {
        choice
            .split(" AND ")
            .all(|licence| allowed.contains(licence.trim()))
    })
}

fn innermost_group(expression: &str) -> Option<(usize, usize)> {
    let close = expression.find(')')?;
    let open = expression[..close].rfind('(')?;
    Some((open, close))
}

#[test]
fn licence_expressions_are_read_as_spdx_says() {
    let allowed = BTreeSet::from(["MIT".to_owned(), "Unicode-3.0".to_owned()]);
    for expression in [
        "MIT",
        "MIT OR GPL-3.0",
        "GPL-3.0/MIT",
        "(MIT OR GPL-3.0) AND Unicode-3.0",
        "GPL-3.0 AND X OR MIT",
    ] {
        assert!(is_allowed(expression, &allowed), "{expression}");
    }
    for expression in [
        "",
        "GPL-3.0",
        "MIT AND GPL-3.0",
        "(GPL-3.0 OR X) AND MIT",
        "LGPL-2.1 OR GPL-3.0",
    ] {
        assert!(!is_allowed(expression, &allowed), "{expression}");
    }
}

fn list(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
