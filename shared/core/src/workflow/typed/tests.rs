//! Reading values, and what is said about bad ones.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::*;

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Sample {
    #[serde(default)]
    colour: Option<Colour>,
    #[serde(default)]
    sizes: Vec<u8>,
    #[serde(default)]
    ratio: f64,
    #[serde(default)]
    inner: BTreeMap<String, Inner>,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(rename_all = "snake_case")]
enum Colour {
    Red,
    Green,
}

#[derive(Debug, PartialEq, Deserialize)]
#[serde(deny_unknown_fields)]
struct Inner {
    command: Vec<String>,
}

fn problem(text: &str) -> String {
    let problems = read::<Sample>(text, &Limits::api()).unwrap_err();
    problems[0].in_file("f.yaml").to_string()
}

#[test]
fn reads_into_types() {
    let sample: Sample = read(
        "colour: green\nsizes: [1, 2]\nratio: 3\ninner: {a: {command: [x]}}\n",
        &Limits::api(),
    )
    .unwrap();
    assert_eq!(sample.colour, Some(Colour::Green));
    assert_eq!((sample.sizes, sample.ratio), (vec![1, 2], 3.0));
    assert_eq!(
        sample.inner["a"],
        Inner {
            command: vec!["x".to_owned()]
        }
    );
    assert_eq!(
        read::<Sample>("# nothing\n", &Limits::api()).unwrap().sizes,
        Vec::<u8>::new()
    );
}

#[test]
fn errors_name_the_place_the_key_and_the_remedy() {
    let table = [
        (
            "colour: red\ncolor: red\n",
            "f.yaml:2:1: config.unknown-key: unknown key 'color' (did you mean 'colour'?)",
        ),
        (
            "colour: blue\n",
            "f.yaml:1:9: config.bad-value: colour: 'blue' is not known (use one of red, green)",
        ),
        (
            "sizes: [1, 300]\n",
            "f.yaml:1:12: config.bad-value: sizes[1]: expected a whole number, 0 or greater, found '300'",
        ),
        (
            "sizes: 1\n",
            "f.yaml:1:8: config.wrong-type: sizes: expected a list, found '1'",
        ),
        (
            "inner:\n  a.b:\n    cmd: []\n",
            "f.yaml:3:5: config.unknown-key: inner.a.b: unknown key 'cmd' (use one of command)",
        ),
        (
            "inner:\n  a: {}\n",
            "f.yaml:2:6: config.missing-key: inner.a: the key 'command' is missing",
        ),
    ];
    for (text, expected) in table {
        assert_eq!(problem(text), expected);
    }
    assert!(problem("a: [").starts_with("f.yaml:"));
}

#[test]
fn a_path_is_found_in_the_text_also_through_keys_with_dots() {
    let text = "inner:\n  a.b:\n    command: [x, y]\n";
    let at = |path| locate(text, &Limits::api(), path).map(|place| (place.line, place.column));
    assert_eq!(at("inner.a.b.command[1]"), Some((3, 18)));
    assert_eq!(at("inner.a.b.absent"), Some((2, 3)));
    assert_eq!(at("elsewhere"), Some((1, 1)));
}
