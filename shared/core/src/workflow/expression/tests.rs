//! What expressions accept, what they give, and where their bounds are.

use std::collections::BTreeMap;

use serde_json::json;

use super::*;

/// A scope made of plain values.
pub(in crate::workflow) struct Facts {
    inputs: Value,
    run: Value,
    outputs: BTreeMap<&'static str, Value>,
    item: Value,
}

impl Facts {
    pub(in crate::workflow) fn sample() -> Facts {
        Facts {
            inputs: json!({"rows": 344, "columns": ["a", "b"], "nothing": null, "ratio": 0.5, "big": u64::MAX,
                           "sizes": {"z": 1, "a": 2, "m": 3}}),
            run: json!({"id": "r1", "metadata": {"urgent": true}}),
            outputs: BTreeMap::from([("load", json!({"path": "/data/a.csv", "sizes": [10, 20]}))]),
            item: json!({"name": "gentoo"}),
        }
    }
}

impl Scope for Facts {
    fn inputs(&self) -> &Value {
        &self.inputs
    }

    fn output(&self, task: &str) -> Option<&Value> {
        self.outputs.get(task)
    }

    fn status(&self, task: &str) -> Option<&'static str> {
        match task {
            "load" => Some("SUCCESS"),
            "train" => Some("RUNNING"),
            _ => None,
        }
    }

    fn item(&self) -> Option<(&Value, u32)> {
        Some((&self.item, 2))
    }

    fn run(&self) -> &Value {
        &self.run
    }
}

fn evaluate(source: &str) -> Result<Value, String> {
    let expression = Expression::parse(source).map_err(|error| error.to_string())?;
    expression
        .evaluate(&Facts::sample())
        .map_err(|error| error.to_string())
}

#[test]
fn expressions_see_inputs_tasks_run_and_item() {
    let cases = [
        ("inputs.rows > 100 && run.metadata.urgent", json!(true)),
        ("inputs.rows * 2", json!(688)),
        ("inputs.ratio + 1.0", json!(1.5)),
        ("inputs.nothing == null", json!(true)),
        ("inputs.big", json!(u64::MAX)),
        ("tasks.load.output.sizes[1]", json!(20)),
        ("tasks['load'].status == 'SUCCESS'", json!(true)),
        (
            "tasks.`load`.output",
            json!({"path": "/data/a.csv", "sizes": [10, 20]}),
        ),
        ("has(tasks.train.output)", json!(false)),
        ("has(inputs.other) ? inputs.other : 'none'", json!("none")),
        ("item.name + string(item_index)", json!("gentoo2")),
        (
            "inputs.columns.map(c, {'column': c})",
            json!([{"column": "a"}, {"column": "b"}]),
        ),
        ("inputs.columns + ['c']", json!(["a", "b", "c"])),
        ("inputs.columns == ['a', 'b']", json!(true)),
        ("'b' in inputs.columns && size(inputs.columns) == 2", json!(true)),
        ("inputs.columns.exists(c, c.startsWith('b'))", json!(true)),
        (
            "inputs.sizes.map(name, name + string(inputs.sizes[name]))",
            json!(["a2", "m3", "z1"]),
        ),
        (
            "inputs.sizes.filter(name, inputs.sizes[name] > 1)",
            json!(["a", "m"]),
        ),
        ("type(inputs.rows) == int", json!(true)),
    ];
    for (source, expected) in cases {
        assert_eq!(evaluate(source), Ok(expected), "{source}");
    }
}

#[test]
fn an_error_says_what_is_missing_or_does_not_fit() {
    let cases = [
        (
            "inputs.x",
            "'inputs' has no field 'x' (test with 'has(inputs.x)')",
        ),
        (
            "tasks.train.output.rows > 1",
            "'tasks.train' has no field 'output' (test with 'has(tasks.train.output)')",
        ),
        ("nobody.x", "unknown variable 'nobody'"),
        ("inputs.rows + 'x'", "'add' does not take (int, string)"),
        ("1.0 / 0.0", "the result inf is not a JSON number"),
        ("b'bytes'", "a result of type bytes has no JSON form"),
        ("inputs.columns[9] == 'x'", "Index out of bounds: Int(9)"),
        (
            "matches('a', 'a')",
            "unknown function 'matches' (known are bool, bytes, contains, double, dyn, endsWith, has, \
                               int, size, startsWith, string, type, uint, and the macros all, exists, exists_one, \
                               filter, has, map)",
        ),
        (
            "Point{x: 1}",
            "unknown type 'Point' (write a map as '{\"key\": value}')",
        ),
        ("", "mismatched input"),
        ("1 +", "mismatched input"),
    ];
    for (source, expected) in cases {
        let error = evaluate(source).unwrap_err();
        assert!(error.starts_with(expected), "{source}: {error}");
    }
}

#[test]
fn references_are_the_free_variables_with_their_constant_paths() {
    let source = "tasks['a'].output.x[0] > 1 && has(inputs.y) && inputs.list.map(i, i.z + tasks.b.status)[0] == run.id \
                  && inputs[run.key] && type(item) == string";
    let expression = Expression::parse(source).unwrap();
    let listed: Vec<String> = expression.references().iter().map(Reference::to_string).collect();
    assert_eq!(
        listed,
        [
            "tasks.a.output.x[0]",
            "inputs.y",
            "inputs.list",
            "tasks.b.status",
            "run.id",
            "inputs",
            "run.key",
            "item"
        ]
    );
    assert_eq!(expression.tasks(), ["a", "b"]);
}

#[test]
fn only_an_expression_that_reads_nothing_is_constant() {
    let constant = |source| Expression::parse(source).unwrap().constant();
    assert_eq!(constant("1 > 2"), Some(json!(false)));
    assert_eq!(constant("[1, 2].map(x, x * 2)"), Some(json!([2, 4])));
    assert_eq!(constant("inputs.x > 2"), None);
    assert_eq!(constant("1 / 0"), None);
}

/// Runs `check` on a thread with the small stack of a worker thread.
fn on_a_small_stack(check: impl FnOnce() + Send + 'static) {
    std::thread::Builder::new()
        .stack_size(2 << 20)
        .spawn(check)
        .unwrap()
        .join()
        .unwrap();
}

#[test]
fn hostile_expressions_end_in_an_error_not_in_a_crash() {
    on_a_small_stack(|| {
        let fill = |unit: &str| unit.repeat(SOURCE_BYTES_MAX / unit.len());
        let hostile = [
            fill("("),
            fill("["),
            fill("{1:"),
            fill("!"),
            fill("-"),
            fill("!-"),
            fill("a."),
            fill("1+"),
            fill("1?"),
            fill("a["),
            fill("f("),
            fill("\"\\"),
            fill("x.map(x,"),
            fill("a?b:"),
            fill("1?1:"),
            fill("&&"),
            fill("`"),
            format!("a{}", ".a".repeat(2000)),
            format!("1{}", "+1".repeat(2000)),
            format!("a{}", "[0]".repeat(1000)),
            format!("{}1{}", "[".repeat(2000), "]".repeat(2000)),
            format!("true{}", "?1:1".repeat(1000)),
            format!("a{}", ".size()".repeat(500)),
            "x".repeat(SOURCE_BYTES_MAX + 1),
        ];
        for source in hostile {
            assert!(evaluate(&source).is_err(), "{}", &source[..20]);
        }
    });
}

#[test]
fn the_deepest_accepted_expression_fits_a_small_stack() {
    on_a_small_stack(|| {
        let sum = format!("1{}", "+1".repeat(63));
        assert_eq!(evaluate(&sum), Ok(json!(64)));
        assert_eq!(
            evaluate(&format!("[1]{}", ".map(x, x)".repeat(15))),
            Ok(json!([1]))
        );
        assert_eq!(
            evaluate(&format!("true{}", "&& true".repeat(500))),
            Ok(json!(true))
        );
    });
}

#[test]
fn loops_are_bounded_in_steps_and_in_memory() {
    let list = format!("[{}]", ["1"; 100].join(","));
    let years = format!("{list}.all(a, {list}.all(b, {list}.all(c, {list}.all(d, {list}.all(e, true)))))");
    let memory = format!("['{}']{}", "x".repeat(100), ".map(x, x + x)".repeat(30));
    for source in [years, memory] {
        let error = evaluate(&source).unwrap_err();
        assert_eq!(
            error,
            "the expression walks over too much data (do such work in a task)"
        );
    }
}
