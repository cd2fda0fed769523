//! What is wrong with references and expressions, and exactly how it is said.

use super::*;

#[test]
fn references() {
    check(
        &task("params: {x: ['${inputs.row} ${inputs.deep.y} ${inputs.rows.z} ${inputs[0]}']}"),
        &[
            "w.yaml:7:16: dsl.bad-reference: unknown input 'row' (did you mean 'rows'?)",
            "w.yaml:7:16: dsl.bad-reference: 'inputs.deep.y': the default of 'deep' has no such part, it is an object (correct the path, or the default)",
            "w.yaml:7:16: dsl.bad-reference: 'inputs.rows.z': the default of 'rows' has no such part, it is a number (correct the path, or the default)",
            "w.yaml:7:16: dsl.bad-reference: 'inputs[0]': 'inputs' is no list (write 'inputs.name')",
        ],
    );
    check(
        &task("params: {x: '${HOME} ${input.rows} ${', y: '${a b}'}"),
        &[
            "w.yaml:7:15: dsl.bad-reference: unknown variable 'HOME' (known are inputs, tasks, run, item, item_index; '$${' is the text '${')",
            "w.yaml:7:15: dsl.bad-reference: unknown variable 'input' (did you mean 'inputs'?)",
            "w.yaml:7:15: dsl.bad-reference: unclosed '${' (close it with '}', or write '$${' for the text '${')",
            "w.yaml:7:46: dsl.bad-reference: malformed reference 'a b' (only '.key', '[index]' and '[\"key\"]' may follow; use 'when' to compute)",
        ],
    );
    check(
        &task("params: {x: '${tasks.b.output} ${tasks.a.output} ${tasks} ${tasks.a.result}'}"),
        &[
            "w.yaml:7:15: dsl.bad-reference: 'tasks.b.output' refers to the unknown task 'b' (add the task, or remove the reference)",
            "w.yaml:7:15: dsl.bad-reference: 'tasks.a.output' is the task's own result (refer to an upstream task)",
            "w.yaml:7:15: dsl.bad-reference: 'tasks' names no task (write 'tasks.id.output' or 'tasks[\"id\"].output')",
            "w.yaml:7:15: dsl.bad-reference: 'tasks.a.result': a task has only 'output' and 'status' (write 'tasks.a.output' or 'tasks.a.status')",
        ],
    );
    check(
        &task("params: {x: '${run.ID} ${run.started}'}"),
        &[
            "w.yaml:7:15: dsl.bad-reference: unknown fact of the run 'ID' (did you mean 'id'?)",
            "w.yaml:7:15: dsl.bad-reference: unknown fact of the run 'started' (known are id, workflow, client_id, inputs, metadata, submitted_at)",
        ],
    );
    check(
        &task("params: {x: '${item} ${item_index}'}"),
        &[
            "w.yaml:7:15: dsl.bad-reference: 'item' exists only in a task with 'for_each' (add 'for_each', or refer to something else)",
            "w.yaml:7:15: dsl.bad-reference: 'item_index' exists only in a task with 'for_each' (add 'for_each', or refer to something else)",
        ],
    );
    check(
        &tasks(
            "- {id: a, agent: noop, action: run, for_each: '[1]'}
- {id: b, agent: noop, action: run, depends_on: a, params: {x: '${tasks.a.output.y}', y: '${tasks.a.status.z}'}}
- {id: c, agent: noop, action: run, depends_on: a, params: {x: '${tasks.b.output}'}}
",
        ),
        &["w.yaml:5:64: dsl.bad-reference: 'tasks.a.output.y': 'a' has 'for_each', so its output is a list (write 'tasks.a.output' or 'tasks.a.output[0]')", "w.yaml:5:90: dsl.bad-reference: 'tasks.a.status.z': a task has only 'output' and 'status' (write 'tasks.a.output' or 'tasks.a.status')", "w.yaml:6:64: dsl.bad-reference: task 'c' refers to 'b', which does not run before it (add 'b' to 'depends_on')"],
    );
}

#[test]
fn expressions() {
    check(
        &task("when: inputs.rows >"),
        &[
            "w.yaml:7:9: dsl.bad-expression: 'inputs.rows >' does not compile: mismatched input '<EOF>' expecting expression (at 1:14 of the expression) (see the CEL section of the DSL reference)",
        ],
    );
    check(
        &task("when: inputs.row > 1 && tasks.b.status == 'SUCCESS' && unknown"),
        &[
            "w.yaml:7:9: dsl.bad-reference: unknown input 'row' (did you mean 'rows'?)",
            "w.yaml:7:9: dsl.bad-reference: 'tasks.b.status' refers to the unknown task 'b' (add the task, or remove the reference)",
            "w.yaml:7:9: dsl.bad-reference: unknown variable 'unknown' (known are inputs, tasks, run, item, item_index)",
        ],
    );
    check(
        &task("when: 1 + 1"),
        &["w.yaml:7:9: dsl.bad-expression: the condition is always 2 (it must give true or false)"],
    );
    check(
        &task("when: [1]"),
        &["w.yaml:7:9: dsl.bad-expression: the condition is always [1] (it must give true or false)"],
    );
    check(
        &task("for_each: 3"),
        &["w.yaml:7:13: dsl.wrong-type: 'for_each' must be a CEL expression or a list, but is a number"],
    );
    check(
        &task("for_each: '3'"),
        &["w.yaml:7:13: dsl.bad-expression: this is always 3 (it must give a list)"],
    );
    check(
        &task("for_each: item.x"),
        &["w.yaml:7:13: dsl.bad-reference: 'item.x' has no value here (it exists only in 'params')"],
    );
    check(
        &task("when: tasks.filter(t, true) == []"),
        &[
            "w.yaml:7:9: dsl.bad-reference: 'tasks' names no task (write 'tasks.id.output' or 'tasks[\"id\"].output')",
        ],
    );
    check(
        &task("when: matches('a', 'b')"),
        &[
            "w.yaml:7:9: dsl.bad-expression: 'matches('a', 'b')' does not compile: unknown function 'matches' (known are bool, bytes, contains, double, dyn, endsWith, has, int, size, startsWith, string, type, uint, and the macros all, exists, exists_one, filter, has, map) (see the CEL section of the DSL reference)",
        ],
    );
}
