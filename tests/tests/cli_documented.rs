//! The references of the command line and of the HTTP API name everything there is.

use std::collections::BTreeSet;

use orchestrator_engine::api::problem::Code;
use orchestrator_engine::api::{ROUTES, openapi};
use tests::binary::orchestrator;
use tests::repository::read;

fn help(words: &[&str]) -> String {
    let output = orchestrator()
        .args(words)
        .arg("--help")
        .output()
        .expect("the program starts");
    assert!(output.status.success(), "{words:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

/// The verbs that a help text lists.
fn verbs(help: &str) -> Vec<String> {
    let lines = help.lines().skip_while(|line| *line != "Commands:").skip(1);
    let lines = lines.take_while(|line| !line.trim().is_empty());
    // Continuation lines of descriptions are indented further.
    let first_words = lines.filter(|line| line.starts_with("  ") && !line.starts_with("   "));
    first_words
        .filter_map(|line| line.split_whitespace().next())
        .map(str::to_owned)
        .collect()
}

/// The long flags that a help text lists.
fn flags(help: &str) -> BTreeSet<String> {
    let words = help
        .lines()
        .filter(|line| line.trim_start().starts_with('-'))
        .flat_map(str::split_whitespace);
    let flags = words
        .filter(|word| word.starts_with("--"))
        .map(|word| word.trim_end_matches(',').to_owned());
    flags.filter(|flag| flag.len() > 2).collect()
}

#[test]
fn every_verb_and_every_flag_is_in_the_reference_of_the_command_line() {
    let document = read("docs/cli.md");
    let top = help(&[]);
    let mut missing = Vec::new();
    let mut seen = 0;
    let mut look = |path: &[&str], text: &str| {
        let name = path.join(" ");
        if !path.is_empty() && !document.contains(&format!("\n### {name}\n")) {
            missing.push(format!("### {name}"));
        }
        for flag in flags(text) {
            seen += 1;
            let is_there = ["`", " ", "="]
                .iter()
                .any(|end| document.contains(&format!("`{flag}{end}")));
            if !is_there {
                missing.push(format!("{name} {flag}"));
            }
        }
    };
    look(&[], &top);
    for verb in verbs(&top) {
        let text = help(&[&verb]);
        let inner = verbs(&text);
        if inner.is_empty() {
            look(&[&verb], &text);
        }
        for word in inner {
            look(&[&verb, &word], &help(&[&verb, &word]));
        }
    }
    assert!(seen > 50, "the help texts were not understood");
    assert!(missing.is_empty(), "docs/cli.md lacks {missing:#?}");
}

#[test]
fn every_route_and_every_code_is_in_the_reference_of_the_http_api() {
    let document = read("docs/http-api.md");
    let routes = ROUTES
        .iter()
        .map(|route| format!("`{} {}`", route.method, route.path));
    let codes = Code::ALL
        .iter()
        .map(|code| format!("| `{code}` | {} |", code.status().as_u16()));
    let missing: Vec<String> = routes
        .chain(codes)
        .filter(|text| !document.contains(text))
        .collect();
    assert!(missing.is_empty(), "docs/http-api.md lacks {missing:#?}");
}

#[test]
fn the_published_description_has_exactly_our_routes() {
    let published: serde_json::Value = serde_json::from_str(&read("docs/openapi.json")).expect("it is JSON");
    assert_eq!(
        published,
        serde_json::from_str::<serde_json::Value>(openapi::document()).expect("it is JSON")
    );
    let paths = published["paths"].as_object().expect("it has paths");
    let described: BTreeSet<(String, String)> = paths
        .iter()
        .flat_map(|(path, methods)| {
            methods
                .as_object()
                .into_iter()
                .flatten()
                .map(move |(method, _)| (path, method))
        })
        .map(|(path, method)| (method.to_uppercase(), path.clone()))
        .collect();
    let ours = ROUTES
        .iter()
        .map(|route| (route.method.to_string(), route.path.to_owned()))
        .collect();
    assert_eq!(described, ours);
}
