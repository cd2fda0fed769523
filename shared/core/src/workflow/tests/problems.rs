//! What is wrong with a document, and exactly how it is said.

use super::*;

#[test]
fn text_that_is_no_document() {
    check(
        "",
        &["w.yaml:1:1: dsl.empty: the document is empty (a workflow has at least 'name' and 'tasks')"],
    );
    check(
        "# only a comment\n",
        &["w.yaml:1:1: dsl.empty: the document is empty (a workflow has at least 'name' and 'tasks')"],
    );
    check(
        "just text",
        &["w.yaml:1:1: dsl.wrong-type: the document must be an object, but is a text"],
    );
    check(
        "- a\n- b\n",
        &["w.yaml:1:1: dsl.wrong-type: the document must be an object, but is a list"],
    );
    check(
        "name: w\ntasks: [",
        &["w.yaml:2:8: dsl.syntax: unclosed bracket '['"],
    );
    check(
        "{\"name\": \"w\", \"tasks\": [}",
        &["w.yaml:1:24: dsl.syntax: mismatched bracket '[' closed by '}'"],
    );
    check(
        "name: w\n\ttasks: []\n",
        &[
            "w.yaml:1:7: dsl.syntax: while scanning a plain scalar, found a tab (indent with spaces, not with tabs)",
        ],
    );
    check(
        "name: w\nname: v\ntasks:\n- {id: a, agent: noop, action: run}\n",
        &["w.yaml:2:1: dsl.duplicate-key: the key 'name' is given twice (keep one of them)"],
    );
    check(
        "name: w\n---\nname: v\n",
        &[
            "w.yaml:2:1: dsl.unsupported: a second document begins here (write each workflow to a file of its own)",
        ],
    );
    check(
        "name: !!str w\ntasks: [{id: a, agent: noop, action: run}]\n",
        &[
            "w.yaml:1:7: dsl.unsupported: YAML tags are not supported (remove it; quote texts that look like numbers)",
        ],
    );
    check(
        &task("params: {x: .nan, y: -.inf}"),
        &[
            "w.yaml:7:15: dsl.bad-value: the number '.nan' has no JSON form (quote it to make it a text)",
            "w.yaml:7:24: dsl.bad-value: the number '-.inf' has no JSON form (quote it to make it a text)",
        ],
    );
    check(
        &task("params: {x: *nobody}"),
        &[
            "w.yaml:7:15: dsl.syntax: the alias '*nobody' names no anchor (define it before, as in '&name value', or quote the text)",
        ],
    );
    check(
        &task("params: &a {x: *a}"),
        &["w.yaml:7:18: dsl.unsupported: this alias stands inside the value it names (remove it)"],
    );
    check(
        &task("params: {? [1, 2] : x}"),
        &["w.yaml:7:14: dsl.unsupported: a key must be a text, but this is a list (quote the key)"],
    );
    check(
        &task("params: {path: ${inputs.path}}"),
        &[
            "w.yaml:7:19: dsl.syntax: while parsing a flow mapping, did not find expected ',' or '}' (inside {...} and [...], write references in quotes: \"${...}\")",
        ],
    );
    check(
        &task("when: size({'a': 1}) == 1"),
        &[
            "w.yaml:7:18: dsl.syntax: mapping values are not allowed in this context (put a text that contains ': ' in quotes)",
        ],
    );
    check(
        &task("params: {<<: 1}"),
        &[
            "w.yaml:7:16: dsl.wrong-type: '<<' merges objects, but this is a number (give an alias of an object, or a list of such)",
        ],
    );
}

#[test]
fn keys_and_types() {
    check(
        "name: w\ntask: []\n",
        &[
            "w.yaml:1:1: dsl.missing-key: 'tasks' is missing (add it)",
            "w.yaml:2:1: dsl.unknown-key: unknown key 'task' (did you mean 'tasks'?)",
        ],
    );
    check(
        &task("dependsOn: [b]"),
        &["w.yaml:7:3: dsl.unknown-key: unknown key 'dependsOn' (did you mean 'depends_on'?)"],
    );
    check(
        &task("needs: [b]"),
        &[
            "w.yaml:7:3: dsl.unknown-key: unknown key 'needs' (known are id, name, agent, action, params, depends_on, when, for_each, trigger, retry, timeout, resources, priority, pools, on_denied, compensate, cache, sla)",
        ],
    );
    check(
        "name: [w]\ntasks: {}\n",
        &[
            "w.yaml:1:7: dsl.wrong-type: 'name' must be a text, but is a list",
            "w.yaml:2:8: dsl.bad-value: there are no tasks (add at least one)",
        ],
    );
    check(
        "name: w\ntasks: 3\n",
        &[
            "w.yaml:2:8: dsl.wrong-type: 'tasks' must be a list of tasks, or an object of ids with tasks, but is a number",
        ],
    );
    check(
        "name: w\ntasks: [3, {}]\n",
        &[
            "w.yaml:2:9: dsl.wrong-type: 'tasks[0]' must be an object, but is a number",
            "w.yaml:2:12: dsl.missing-key: 'id' is missing (add it)",
            "w.yaml:2:12: dsl.missing-key: 'agent' is missing (add it)",
            "w.yaml:2:12: dsl.missing-key: 'action' is missing (add it)",
        ],
    );
    check(
        "name: ''\npriority: 11\nsla: {task_max_seconds: -1}\ninputs: [a]\ntasks: [{id: a, agent: noop, action: run}]\n",
        &[
            "w.yaml:1:7: dsl.bad-value: '' is not a title (1 to 128 characters on one line)",
            "w.yaml:2:11: dsl.bad-value: 11 is out of range (a whole number from 1 to 10)",
            "w.yaml:3:25: dsl.bad-value: -1 is out of range (above 0, at most 2592000)",
            "w.yaml:4:9: dsl.wrong-type: 'inputs' must be an object of names with default values, but is a list",
        ],
    );
    check(
        "workflow: {name: w, sla_minutes: 0, tasks: []}\nname: x\ntasks: []\n",
        &[
            "w.yaml:1:34: dsl.bad-value: 0 is out of range (above 0, at most 2592000)",
            "w.yaml:1:37: dsl.unknown-key: unknown key 'tasks' (known are name, description, client_id, priority, sla, sla_minutes, inputs)",
            "w.yaml:2:1: dsl.unknown-key: unknown key 'name' (known are workflow, inputs, tasks)",
            "w.yaml:3:8: dsl.bad-value: there are no tasks (add at least one)",
        ],
    );
    check(
        "name: w\ninputs: {a b: 1, c: {required: false}, d: {required: true, default: 1}, e: {default: 1, defualt: 2}}\ntasks: [{id: a, agent: noop, action: run}]\n",
        &[
            "w.yaml:2:10: dsl.bad-value: 'a b' is not a valid name of an input (use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128)",
            "w.yaml:2:21: dsl.bad-value: 'inputs.c' is neither required nor has it a default (give it a 'default')",
            "w.yaml:2:43: dsl.bad-value: 'inputs.d' is required and has a default (remove one of them)",
            "w.yaml:2:89: dsl.unknown-key: unknown key 'defualt' (did you mean 'default'?)",
        ],
    );
    check(
        &task("params: [1]"),
        &["w.yaml:7:11: dsl.wrong-type: 'params' must be an object, but is a list"],
    );
    check(
        &task("priority: urgent"),
        &[
            "w.yaml:7:13: dsl.bad-value: 'urgent' is not a priority (1 to 10, 10 most urgent, or low, normal, high, critical)",
        ],
    );
    check(
        &task("priority: 2.5"),
        &["w.yaml:7:13: dsl.bad-value: 2.5 is out of range (a whole number from 1 to 10)"],
    );
    check(
        &task("timeout: soon"),
        &[
            "w.yaml:7:12: dsl.bad-value: 'soon' is not a duration (a number of seconds, or a text like '30s', '5m', '2h', '1h30m', '500ms'; at most 30 days)",
        ],
    );
    check(
        &task("timeout: 0"),
        &[
            "w.yaml:7:12: dsl.bad-value: 0 is not a duration (a number of seconds, or a text like '30s', '5m', '2h', '1h30m', '500ms'; at most 30 days)",
        ],
    );
    check(
        &task("timeout: [1]"),
        &["w.yaml:7:12: dsl.wrong-type: 'timeout' must be a duration, but is a list"],
    );
    check(
        &task("trigger: all_sucess"),
        &["w.yaml:7:12: dsl.bad-value: 'all_sucess' is not allowed here (did you mean 'all_success'?)"],
    );
    check(
        &task("retry: {max_retries: 101, backoff_base_s: 9, backoff_max_s: 1}"),
        &[
            "w.yaml:7:10: dsl.bad-value: 'backoff_base_s' 9 is above 'backoff_max_s' 1 (raise the maximum)",
            "w.yaml:7:24: dsl.bad-value: 101 is out of range (a whole number from 0 to 100)",
        ],
    );
    check(
        &task("resources: {class: tpu, memory_gb: 0}"),
        &[
            "w.yaml:7:22: dsl.bad-value: 'tpu' is not allowed here (did you mean 'cpu'?)",
            "w.yaml:7:38: dsl.bad-value: 0 is out of range (above 0, at most 1000000)",
        ],
    );
    check(
        &task("pools: [ok, not ok, 3]"),
        &[
            "w.yaml:7:15: dsl.bad-value: 'not ok' is not a valid name of a pool (use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128)",
            "w.yaml:7:23: dsl.wrong-type: 'tasks[0].pools[2]' must be a text, but is a number",
        ],
    );
    check(
        &task("compensate: {agent: x}"),
        &["w.yaml:7:15: dsl.missing-key: 'action' is missing (add it)"],
    );
    check(
        &task("cache: yes"),
        &["w.yaml:7:10: dsl.wrong-type: 'cache' must be true or false, but is a text"],
    );
    check(
        &task("sla: {workflow_max_seconds: 1}"),
        &[
            "w.yaml:7:31: dsl.bad-value: 'workflow_max_seconds' has no meaning for one task (move it to the workflow's 'sla')",
        ],
    );
    check(
        &task("on_denied: retry"),
        &["w.yaml:7:14: dsl.bad-value: 'retry' is not allowed here (one of skip, fail, hold)"],
    );
}

#[test]
fn ids_and_dependencies() {
    check(
        &tasks(
            "- {agent: noop, action: run}\n- {id: a b, agent: noop, action: run}\n- {id: -x, agent: noop, action: run}\n",
        ),
        &[
            "w.yaml:4:3: dsl.missing-key: 'id' is missing (add it)",
            "w.yaml:5:8: dsl.bad-value: 'a b' is not a valid name (use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128)",
            "w.yaml:6:8: dsl.bad-value: '-x' is not a valid name (use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128)",
        ],
    );
    check(
        &tasks("- {id: a, name: b, agent: noop, action: run}\n"),
        &["w.yaml:4:17: dsl.bad-value: both 'id' and 'name' are given (keep 'id')"],
    );
    check(
        "name: w\ntasks:\n  a: {id: b, agent: noop, action: run}\n  'b c': {agent: noop, action: run}\n",
        &[
            "w.yaml:3:11: dsl.bad-value: 'id' differs from the task's key 'a' (remove 'id')",
            "w.yaml:4:3: dsl.bad-value: 'b c' is not a valid task id (use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128)",
        ],
    );
    check(
        &tasks("- {id: a, agent: noop, action: run}\n- {id: a, agent: noop, action: run}\n"),
        &["w.yaml:5:8: dsl.duplicate-id: two tasks have the id 'a': tasks[0] and tasks[1] (rename one)"],
    );
    check(
        &tasks(
            "- {id: load, agent: noop, action: run}\n- {id: b, agent: noop, action: run, depends_on: [laod, x]}\n",
        ),
        &[
            "w.yaml:5:50: dsl.unknown-dependency: task 'b' depends on 'laod', which does not exist (did you mean 'load'?)",
            "w.yaml:5:56: dsl.unknown-dependency: task 'b' depends on 'x', which does not exist (add the task, or remove the dependency)",
        ],
    );
    check(
        &tasks("- {id: a, agent: noop, action: run, depends_on: [a]}\n"),
        &["w.yaml:4:50: dsl.self-dependency: task 'a' depends on itself (remove it from 'depends_on')"],
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
        &[
            "w.yaml:4:49: dsl.cycle: 3 tasks wait for each other: a -> c -> b -> a ('->' reads 'depends on'; remove one of these dependencies)",
            "w.yaml:7:53: dsl.cycle: 2 tasks wait for each other: d -> e -> d ('->' reads 'depends on'; remove one of these dependencies)",
        ],
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
        &[
            "w.yaml:4:43: warning: dsl.dead-task: task 'a' can never run: its condition is always false (remove it, or change the condition)",
            "w.yaml:5:8: warning: dsl.dead-task: task 'b' can never run: it needs the success of 'a', which never runs (remove it, or change the condition)",
            "w.yaml:6:8: warning: dsl.dead-task: task 'c' can never run: it needs the success of 'a', which never runs (remove it, or change the condition)",
        ],
    );
    check(
        &task("trigger: any_success"),
        &[
            "w.yaml:7:12: dsl.dead-task: task 'a' can never run: 'any_success' of no tasks (add 'depends_on', or remove 'trigger')",
        ],
    );
}
