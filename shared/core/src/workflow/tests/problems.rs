//! What is wrong with a document, and exactly how it is said.

use super::*;

/// A workflow with this list of tasks.
fn tasks(tasks: &str) -> String {
    format!("name: w\ninputs: {{rows: 10, deep: {{x: 1}}}}\ntasks:\n{tasks}")
}

/// A workflow with one task that has this additional key.
fn task(key: &str) -> String {
    tasks(&format!("- id: a\n  agent: noop\n  action: run\n  {key}\n"))
}

#[track_caller]
fn check(text: &str, expected: &[&str]) {
    let parsed = parse_text(text);
    assert_eq!(rendered(&parsed), expected, "{text}");
}

#[test]
fn text_that_is_no_document() {
    check("", &["w.yaml:1:1: x"]);
    check("# only a comment\n", &["x"]);
    check("just text", &["x"]);
    check("- a\n- b\n", &["x"]);
    check("name: w\ntasks: [", &["x"]);
    check("{\"name\": \"w\", \"tasks\": [}", &["x"]);
    check("name: w\n\ttasks: []\n", &["x"]);
    check(
        "name: w\nname: v\ntasks:\n- {id: a, agent: noop, action: run}\n",
        &["x"],
    );
    check("name: w\n---\nname: v\n", &["x"]);
    check(
        "name: !!str w\ntasks: [{id: a, agent: noop, action: run}]\n",
        &["x"],
    );
    check(&task("params: {x: .nan, y: -.inf}"), &["x"]);
    check(&task("params: {x: *nobody}"), &["x"]);
    check(&task("params: &a {x: *a}"), &["x"]);
    check(&task("params: {? [1, 2] : x}"), &["x"]);
    check(&task("params: {path: ${inputs.path}}"), &["x"]);
    check(&task("params: {<<: 1}"), &["x"]);
}

#[test]
fn keys_and_types() {
    check("name: w\ntask: []\n", &["x"]);
    check(&task("dependsOn: [b]"), &["x"]);
    check(&task("needs: [b]"), &["x"]);
    check("name: [w]\ntasks: {}\n", &["x"]);
    check("name: w\ntasks: 3\n", &["x"]);
    check("name: w\ntasks: [3, {}]\n", &["x"]);
    check(
        "name: ''\npriority: 11\nsla: {task_max_seconds: -1}\ninputs: [a]\ntasks: [{id: a, agent: noop, action: run}]\n",
        &["x"],
    );
    check(
        "workflow: {name: w, sla_minutes: 0, tasks: []}\nname: x\ntasks: []\n",
        &["x"],
    );
    check(
        "name: w\ninputs: {a b: 1, c: {required: false}, d: {required: true, default: 1}, e: {default: 1, defualt: 2}}\ntasks: [{id: a, agent: noop, action: run}]\n",
        &["x"],
    );
    check(&task("params: [1]"), &["x"]);
    check(&task("priority: urgent"), &["x"]);
    check(&task("priority: 2.5"), &["x"]);
    check(&task("timeout: soon"), &["x"]);
    check(&task("timeout: 0"), &["x"]);
    check(&task("timeout: [1]"), &["x"]);
    check(&task("trigger: all_sucess"), &["x"]);
    check(
        &task("retry: {max_retries: 101, backoff_base_s: 9, backoff_max_s: 1}"),
        &["x"],
    );
    check(&task("resources: {class: tpu, memory_gb: 0}"), &["x"]);
    check(&task("pools: [ok, not ok, 3]"), &["x"]);
    check(&task("compensate: {agent: x}"), &["x"]);
    check(&task("cache: yes"), &["x"]);
    check(&task("sla: {workflow_max_seconds: 1}"), &["x"]);
    check(&task("on_denied: retry"), &["x"]);
}

#[test]
fn ids_and_dependencies() {
    check(
        &tasks(
            "- {agent: noop, action: run}\n- {id: a b, agent: noop, action: run}\n- {id: -x, agent: noop, action: run}\n",
        ),
        &["x"],
    );
    check(&tasks("- {id: a, name: b, agent: noop, action: run}\n"), &["x"]);
    check(
        "name: w\ntasks:\n  a: {id: b, agent: noop, action: run}\n  'b c': {agent: noop, action: run}\n",
        &["x"],
    );
    check(
        &tasks("- {id: a, agent: noop, action: run}\n- {id: a, agent: noop, action: run}\n"),
        &["x"],
    );
    check(
        &tasks(
            "- {id: load, agent: noop, action: run}\n- {id: b, agent: noop, action: run, depends_on: [laod, x]}\n",
        ),
        &["x"],
    );
    check(
        &tasks("- {id: a, agent: noop, action: run, depends_on: [a]}\n"),
        &["x"],
    );
    check(
        &tasks(
            "- {id: a, agent: noop, action: run, depends_on: c}
- {id: b, agent: noop, action: run, depends_on: [a]}
- {id: c, agent: noop, action: run, depends_on: [b]}
- {id: d, agent: noop, action: run, depends_on: [c, e]}
- {id: e, agent: noop, action: run, depends_on: [d]}
- {id: f, agent: noop, action: run, depends_on: [e]}
",
        ),
        &["x"],
    );
}

#[test]
fn dead_tasks() {
    check(
        &tasks(
            "- {id: a, agent: noop, action: run, when: 1 > 2}
- {id: b, agent: noop, action: run, depends_on: [a]}
- {id: c, agent: noop, action: run, depends_on: [a, b], trigger: any_success}
- {id: d, agent: noop, action: run, depends_on: [a], trigger: all_done}
",
        ),
        &["x"],
    );
    check(&task("trigger: any_success"), &["x"]);
}

#[test]
fn references() {
    check(
        &task("params: {x: ['${inputs.row} ${inputs.deep.y} ${inputs.rows.z} ${inputs[0]}']}"),
        &["x"],
    );
    check(
        &task("params: {x: '${HOME} ${input.rows} ${', y: '${a b}'}"),
        &["x"],
    );
    check(
        &task("params: {x: '${tasks.b.output} ${tasks.a.output} ${tasks} ${tasks.a.result}'}"),
        &["x"],
    );
    check(&task("params: {x: '${item} ${item_index}'}"), &["x"]);
    check(
        &tasks(
            "- {id: a, agent: noop, action: run, for_each: '[1]'}
- {id: b, agent: noop, action: run, depends_on: a, params: {x: '${tasks.a.output.y}', y: '${tasks.a.status.z}'}}
- {id: c, agent: noop, action: run, depends_on: a, params: {x: '${tasks.b.output}'}}
",
        ),
        &["x"],
    );
}

#[test]
fn expressions() {
    check(&task("when: inputs.rows >"), &["x"]);
    check(
        &task("when: inputs.row > 1 && tasks.b.status == 'SUCCESS' && unknown"),
        &["x"],
    );
    check(&task("when: 1 + 1"), &["x"]);
    check(&task("when: [1]"), &["x"]);
    check(&task("for_each: 3"), &["x"]);
    check(&task("for_each: '3'"), &["x"]);
    check(&task("for_each: item.x"), &["x"]);
    check(&task("when: tasks.filter(t, true) == []"), &["x"]);
    check(&task("when: matches('a', 'b')"), &["x"]);
}
