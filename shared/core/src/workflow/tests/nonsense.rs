//! Documents made to hurt: each ends in a clear problem, quickly.

use super::*;

fn first_problem(bytes: &[u8], limits: &Limits) -> String {
    let parsed = parse(bytes, limits);
    let problems = parsed.workflow.expect_err("nonsense is refused");
    problems[0].in_file("w.yaml").to_string()
}

#[track_caller]
fn check(bytes: &[u8], expected: &str) {
    assert_eq!(first_problem(bytes, &Limits::api()), expected);
}

#[test]
fn a_body_of_10_mib_is_refused_unread() {
    check(
        &vec![b'['; 10 * 1024 * 1024],
        "w.yaml: dsl.too-large: the document has 10485760 bytes, more than the 1048576 allowed (split the workflow, or raise the limit)",
    );
}

#[test]
fn bytes_that_are_no_text() {
    check(
        b"name: \xff\xfe\n",
        "w.yaml: dsl.encoding: the document is not UTF-8 text (line 1, column 7) (save it as UTF-8)",
    );
    check(
        b"na\0me: w\n",
        "w.yaml:1:3: dsl.syntax: unexpected character: `\\u{0}'",
    );
    check(
        b"name: \"\x01\"\n",
        "w.yaml:1:8: dsl.syntax: unexpected character: `\\u{1}'",
    );
    check(
        &[0; 1000],
        "w.yaml:1:1: dsl.syntax: unexpected character: `\\u{0}'",
    );
}

#[test]
fn alias_bombs_do_not_expand() {
    let mut bomb = "a: &a [x, x, x, x, x, x, x, x, x, x]\n".to_owned();
    for (from, to) in "abcdefghijklmn".chars().zip("bcdefghijklmno".chars()) {
        bomb.push_str(&format!(
            "{to}: &{to} [{}]\n",
            vec![format!("*{from}"); 9].join(", ")
        ));
    }
    check(
        bomb.as_bytes(),
        "w.yaml:6:12: dsl.limit: aliases make the document too large (write the values out)",
    );
    let many = format!("a: &a x\nb: [{}]\n", "*a, ".repeat(2000));
    check(
        many.as_bytes(),
        "w.yaml:2:4005: dsl.limit: more than 1000 uses of aliases (write the values out)",
    );
    let long = format!("a: &a {}\nb: [{}]\n", "x".repeat(200_000), "*a, ".repeat(900));
    check(
        long.as_bytes(),
        "w.yaml:2:21: dsl.limit: aliases make the document too large (write the values out)",
    );
    let merged = format!("a: &a {{{}}}\nb: [{}]\n", keys(1000), "{<<: *a}, ".repeat(900));
    check(
        merged.as_bytes(),
        "w.yaml:2:2470: dsl.limit: aliases make the document too large (write the values out)",
    );
}

fn keys(count: usize) -> String {
    (0..count).map(|index| format!("k{index}: 1, ")).collect()
}

#[test]
fn deep_nesting_is_refused_in_every_style() {
    for (open, close) in [("[", "]"), ("{\"a\":", "}"), ("[{a: ", "}]"), ("- ", "")] {
        let deep = format!("{}1{}", open.repeat(5_000), close.repeat(5_000));
        let problem = first_problem(deep.as_bytes(), &Limits::api());
        assert!(
            problem.contains("dsl.limit: nested more than 64 levels deep"),
            "{problem}"
        );
    }
    let block: String = (0..500)
        .map(|depth| format!("{}a:\n", " ".repeat(depth)))
        .collect();
    assert!(
        first_problem(block.as_bytes(), &Limits::api())
            .contains("dsl.limit: nested more than 64 levels deep")
    );
}

#[test]
fn too_much_of_anything_is_refused() {
    let nodes = format!("[{}1]", "1,".repeat(300_000));
    check(
        nodes.as_bytes(),
        "w.yaml:1:500000: dsl.limit: the document has more than 250000 values (split the workflow)",
    );
    let text = "x".repeat(300_000);
    check(
        text.as_bytes(),
        "w.yaml:1:1: dsl.limit: a text of 300000 bytes (at most 262144 are allowed) (pass large data as a file)",
    );
    let tasks = format!(
        "name: w\ntasks: [{}]\n",
        "{id: a, agent: noop, action: run}, ".repeat(101)
    );
    check(
        tasks.as_bytes(),
        "w.yaml:2:8: dsl.limit: there are 101 tasks, more than the 100 allowed (split the workflow, or raise 'max_task_count')",
    );
}

#[test]
fn problems_are_counted_but_not_all_listed() {
    let text = format!("name: w\ntasks: [{}]\n", "1, ".repeat(100));
    let limits = Limits {
        problems: 10,
        ..Limits::api()
    };
    let problems = parse(text.as_bytes(), &limits).workflow.unwrap_err();
    assert_eq!(problems.len(), 11);
    assert_eq!(problems[10].message, "90 more problems are not shown");
}

#[test]
fn a_large_faulty_graph_is_judged_in_linear_time() {
    let count = 20_000;
    let wrong: String = (0..count)
        .map(|index| {
            format!(
                "- {{id: t{index}, agent: noop, action: run, depends_on: [x{index}, t{}]}}\n",
                (index + 1) % count
            )
        })
        .collect();
    let limits = Limits::local_file().with_task_count(count);
    let problems = parse(format!("name: w\ntasks:\n{wrong}").as_bytes(), &limits)
        .workflow
        .unwrap_err();
    assert_eq!(problems.len(), limits.problems + 1);
}

#[test]
fn far_references_are_checked_within_bounds() {
    let count = 20_000;
    let chain: String = (0..count)
        .map(|index| {
            let upstream = if index == 0 {
                String::new()
            } else {
                format!("depends_on: t{}, ", index - 1)
            };
            let far = if index < 2 {
                "x: 1".to_owned()
            } else {
                format!("x: '${{tasks.t0.output}} ${{tasks.t{}.status}}'", index / 2)
            };
            format!("- {{id: t{index}, agent: noop, action: run, {upstream}params: {{{far}}}}}\n")
        })
        .collect();
    let limits = Limits::local_file().with_task_count(count);
    let parsed = parse(format!("name: w\ntasks:\n{chain}").as_bytes(), &limits);
    let problems = parsed.workflow.unwrap_err();
    assert!(
        problems
            .iter()
            .all(|problem| problem.message.contains("is too far away to check")),
        "{}",
        problems[0]
    );
}
