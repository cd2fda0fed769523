//! Properties that hold for all documents.

use proptest::collection::{btree_map, vec};
use proptest::prelude::*;
use serde_json::{Map, Value, json};

use super::*;
use crate::workflow::Workflow;
use crate::workflow::document;

/// Texts that tempt a YAML reader.
fn text() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ -~]{0,12}",
        "\\PC{0,8}",
        any::<String>(),
        prop::sample::select(vec![
            "yes", "null", "~", "1e3", ".inf", "- a", "a: b", "a #b", "#", "${", "$${x}", "'", "\"", "{",
            "]", "*a", "&a", "|", "---", "...", "<<", "0x1F", "a\nb", "\t", "\u{85}", "\u{2028}", "\u{feff}",
            "\u{7f}", "é", "🐧",
        ])
        .prop_map(str::to_owned),
    ]
}

fn value() -> impl Strategy<Value = Value> {
    let leaf = prop_oneof![
        Just(Value::Null),
        any::<bool>().prop_map(Value::from),
        any::<i64>().prop_map(Value::from),
        any::<u64>().prop_map(Value::from),
        any::<f64>().prop_map(Value::from),
        text().prop_map(Value::from),
    ];
    leaf.prop_recursive(3, 16, 4, |inner| {
        prop_oneof![
            vec(inner.clone(), 0..4).prop_map(Value::from),
            btree_map(text(), inner, 0..4).prop_map(|fields| Value::Object(fields.into_iter().collect())),
        ]
    })
}

/// A value without `$`, so that it holds no reference.
fn plain_value() -> impl Strategy<Value = Value> {
    value().prop_map(|value| without_dollars(&value))
}

fn without_dollars(value: &Value) -> Value {
    match value {
        Value::String(text) => Value::from(text.replace('$', "S")),
        Value::Array(items) => items.iter().map(without_dollars).collect(),
        Value::Object(fields) => {
            let fields = fields
                .iter()
                .map(|(key, field)| (key.clone(), without_dollars(field)));
            Value::Object(fields.collect())
        }
        other => other.clone(),
    }
}

/// A valid task that may depend on the tasks before it.
fn task(index: usize) -> impl Strategy<Value = Value> {
    let required = (
        btree_map(text(), plain_value(), 0..3),
        vec(0..index.max(1), 0..4),
        any::<bool>(),
    );
    let optional = (
        prop::option::of(prop::sample::select(vec![
            json!("inputs.rows > 1"),
            json!(true),
            json!("run.id == 'x'"),
            json!("size(inputs.list) in [1, 2]"),
        ])),
        prop::option::of(prop::sample::select(vec![
            json!("inputs.list"),
            json!([1, "x", null]),
            json!("${inputs.list}"),
        ])),
        prop::option::of(prop::sample::select(vec![
            "all_success",
            "all_done",
            "none_failed",
        ])),
        prop::option::of((0..=100_u32, 0.0..9.0, 9.0..99.0)),
        prop::option::of(prop_oneof![
            (1..1000).prop_map(Value::from),
            Just(json!("1h0.5m"))
        ]),
        prop::option::of(prop_oneof![(1..=10).prop_map(Value::from), Just(json!("low"))]),
        prop::option::of(prop::sample::select(vec!["cpu", "gpu", "memory", "compute"])),
    );
    (required, optional, any::<bool>()).prop_map(move |((params, upstream, refers), optional, cache)| {
        let (when, for_each, trigger, retry, timeout, priority, class) = optional;
        let mut task = Map::new();
        let mut params: Map<String, Value> = params.into_iter().collect();
        let upstream: Vec<String> = upstream
            .into_iter()
            .filter(|_| index > 0)
            .map(|other| format!("t{other}"))
            .collect();
        if let (true, Some(first)) = (refers, upstream.first()) {
            params.insert(
                "from".to_owned(),
                json!(format!("${{tasks.{first}.output}} $${{")),
            );
        }
        task.insert("id".to_owned(), json!(format!("t{index}")));
        task.insert("agent".to_owned(), json!("noop"));
        task.insert("action".to_owned(), json!("run it"));
        task.insert("params".to_owned(), Value::Object(params));
        task.insert("depends_on".to_owned(), json!(upstream));
        task.insert("when".to_owned(), json!(when));
        task.insert("for_each".to_owned(), json!(for_each));
        task.insert("trigger".to_owned(), json!(trigger));
        if let Some((max_retries, base, max)) = retry {
            let retry = json!({"max_retries": max_retries, "backoff_base_s": base, "backoff_max_s": max});
            task.insert("retry".to_owned(), retry);
        }
        task.insert("timeout".to_owned(), json!(timeout));
        task.insert("priority".to_owned(), json!(priority));
        task.insert("resources".to_owned(), json!({"class": class}));
        task.insert("cache".to_owned(), json!(cache));
        Value::Object(task)
    })
}

/// A valid document.
fn workflow() -> impl Strategy<Value = Value> {
    let tasks = (1..6_usize).prop_flat_map(|count| (0..count).map(task).collect::<Vec<_>>());
    (tasks, text(), btree_map("[a-z]{3}", plain_value(), 0..3)).prop_map(|(tasks, description, inputs)| {
        let mut inputs: Map<String, Value> = inputs
            .into_iter()
            .filter(|(_, default)| !default.is_object())
            .collect();
        inputs.insert("rows".to_owned(), json!(10));
        inputs.insert("list".to_owned(), json!([1, 2]));
        json!({"name": "generated", "description": description, "inputs": inputs, "tasks": tasks})
    })
}

fn accepted(text: &str) -> Workflow {
    let parsed = parse_text(text);
    assert_eq!(rendered(&parsed), [""; 0], "{text}");
    parsed.workflow.unwrap()
}

/// A JSON value as YAML, which allows fewer characters unescaped.
fn escaped(value: &Value) -> String {
    let is_odd = |c: char| {
        matches!(
            c,
            '\u{7f}'..='\u{9f}' | '\u{2028}' | '\u{2029}' | '\u{feff}' | '\u{fffe}' | '\u{ffff}'
        )
    };
    let escape = |c: char| {
        if is_odd(c) {
            format!("\\u{:04x}", u32::from(c))
        } else {
            c.to_string()
        }
    };
    value.to_string().chars().map(escape).collect()
}

/// Block style, all texts quoted.
fn to_yaml(value: &Value, indent: usize, out: &mut String) {
    let margin = " ".repeat(indent);
    match value {
        Value::Array(items) if !items.is_empty() => {
            for item in items {
                out.push_str(&format!("\n{margin}-"));
                to_yaml(item, indent + 2, out);
            }
        }
        Value::Object(fields) if !fields.is_empty() => {
            for (key, field) in fields {
                out.push_str(&format!("\n{margin}{}:", escaped(&Value::from(key.as_str()))));
                to_yaml(field, indent + 2, out);
            }
        }
        other => out.push_str(&format!(" {} # comment", escaped(other))),
    }
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(200) })]

    #[test]
    fn no_bytes_make_it_panic(bytes in vec(any::<u8>(), 0..200)) {
        let _ = parse(&bytes, &Limits::api());
    }

    #[test]
    fn no_text_makes_it_panic(
        pieces in vec(prop_oneof![text(), prop::sample::select(vec!["\n", "\n  ", "- ", ": ", ", ", "a", "[", "}"]).prop_map(str::to_owned)], 0..30)
    ) {
        let _ = parse_text(&pieces.concat());
    }

    #[test]
    fn no_expression_makes_it_panic(
        source in prop_oneof!["[a-c0-9 .()\\[\\]{}+*/%<>=!&|?:,'\"-]{0,60}", any::<String>()]
    ) {
        if let Ok(expression) = crate::workflow::Expression::parse(&source) {
            let one = json!({"b": [1, 2, {"c": "x"}]});
            let _ = expression.evaluate_with(&[("a", &one), ("b", &json!(3)), ("c", &json!("y"))]);
        }
    }

    #[test]
    fn the_canonical_form_reads_back_equal(document in workflow()) {
        let workflow = accepted(&document.to_string());
        let canonical = workflow.canonical();
        let again = Workflow::from_canonical(&canonical).unwrap();
        prop_assert_eq!(&again, &workflow);
        prop_assert_eq!(again.canonical(), canonical);
    }

    #[test]
    fn json_flow_and_block_spellings_are_equal(document in workflow()) {
        let workflow = accepted(&document.to_string());
        let mut block = String::new();
        to_yaml(&document, 0, &mut block);
        prop_assert_eq!(&accepted(&block), &workflow);
        prop_assert_eq!(&accepted(&format!("{document:#}")), &workflow);
    }

    #[test]
    fn problems_point_into_the_document(document in workflow(), at in any::<prop::sample::Index>(), with in text(), cut in 0..9_usize) {
        let mut block = String::new();
        to_yaml(&document, 0, &mut block);
        let start = block.floor_char_boundary(at.index(block.len()));
        let end = block.ceil_char_boundary((start + cut).min(block.len()));
        block.replace_range(start..end, &with);
        let parsed = parse_text(&block);
        let lines: Vec<&str> = block.split('\n').collect();
        for problem in parsed.workflow.err().into_iter().flatten().chain(parsed.warnings) {
            let location = problem.location.expect("every problem of a text has a location");
            let line = lines.get(location.line as usize - 1).copied();
            prop_assert!(line.is_some_and(|line| location.column as usize <= line.chars().count() + 1), "{:?}", problem);
        }
    }

    /// What the fast reader accepts means the same to the complete one.
    #[test]
    fn both_readers_agree(
        lines in vec((0..4_usize, prop::sample::select(vec![
            "a: ", "b: ", "'c': ", "\"d\": ", "- ", "a", "b", "1", "-1", "~", "'x y'", "\"x\\ty\"", "\"\\u00e9\"", "[", "]", "{", "}",
            ", ", "[a, b]", "{a: b}", "{\"a\":1}", "# c", " # c", ":", "x:y", "a b", "?", "-", "--- ", "\n", "\n", "\n", "  ", " ",
        ])), 0..14)
    ) {
        let text: String = lines.iter().map(|(indent, piece)| format!("{}{piece}", " ".repeat(if *piece == "\n" { 0 } else { *indent / 2 }))).collect();
        prop_assert!(document::readers_agree(&text), "{:?}", text);
    }

    #[test]
    fn both_readers_agree_on_documents(document in value(), style in 0..3_u8) {
        let mut text = String::new();
        match style {
            0 => to_yaml(&document, 0, &mut text),
            1 => text = document.to_string(),
            _ => text = format!("{document:#}"),
        }
        prop_assert!(document::readers_agree(&text), "{:?}", text);
    }
}
