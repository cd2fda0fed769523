//! Documents that are accepted, and the workflows they become.

use serde_json::json;

use super::*;
use crate::ids::NodeIx;
use crate::workflow::{OnDenied, ResourceClass, Trigger, Workflow};

fn workflow(text: &str) -> Workflow {
    let parsed = parse_text(text);
    assert_eq!(rendered(&parsed), [""; 0], "{text}");
    parsed.workflow.unwrap()
}

#[test]
fn every_key_is_read() {
    let text = "
name: all keys
description: A workflow.
client_id: team-a
priority: high
sla: {task_max_seconds: 60, workflow_max_seconds: 3600.5, queue_max_seconds: 5}
inputs: {path: null, rows: 10}
tasks:
  - id: load
    agent: data_agent
    action: load_dataset
    params: {path: '${inputs.path}'}
  - id: each
    agent: ml_agent
    action: train model
    params: {row: '${item}'}
    depends_on: load
    when: inputs.rows > 1
    for_each: tasks.load.output.rows
    trigger: none_failed
    retry: {max_retries: 3, backoff_base_s: 0, backoff_max_s: 10}
    timeout: 1h30m
    resources: {class: gpu, memory_gb: 1.5}
    priority: 10
    pools: [gpus, licences, gpus]
    on_denied: hold
    compensate: {action: delete_model, params: {model: '${tasks.each.output[0]}'}}
    cache: true
    sla: {task_max_seconds: 5, queue_max_seconds: 6}
";
    let workflow = workflow(text);
    assert_eq!((workflow.name.as_str(), workflow.priority), ("all keys", Some(7)));
    assert_eq!(
        (workflow.description.as_deref(), workflow.client_id.as_deref()),
        (Some("A workflow."), Some("team-a"))
    );
    assert_eq!(workflow.sla.workflow_max_seconds, Some(3600.5));
    assert_eq!(json!(workflow.inputs), json!({"path": null, "rows": 10}));
    assert_eq!(
        workflow.agents().into_iter().collect::<Vec<_>>(),
        ["data_agent", "ml_agent"]
    );

    let task = workflow.task(workflow.find("each").unwrap());
    assert_eq!(
        (task.agent.as_str(), task.action.as_str()),
        ("ml_agent", "train model")
    );
    assert_eq!(task.depends_on, [NodeIx(0)]);
    assert_eq!(task.when.as_ref().unwrap().source(), "inputs.rows > 1");
    assert_eq!(task.for_each.as_ref().unwrap().tasks(), ["load"]);
    assert_eq!(task.trigger, Trigger::NoneFailed);
    assert_eq!(
        (task.retry.max_retries, task.retry.backoff_base_s),
        (Some(3), Some(0.0))
    );
    assert_eq!(task.timeout_ms, Some(5_400_000));
    assert_eq!(
        (task.resources.class, task.resources.memory_gb),
        (Some(ResourceClass::Gpu), Some(1.5))
    );
    assert_eq!(task.pools, ["gpus", "licences"]);
    assert_eq!(
        (task.priority, task.on_denied, task.cache),
        (Some(10), Some(OnDenied::Hold), true)
    );
    let undo = task.compensate.as_ref().unwrap();
    assert_eq!(
        (undo.agent.as_str(), undo.action.as_str()),
        ("ml_agent", "delete_model")
    );
    assert_eq!(task.sla.queue_max_seconds, Some(6.0));
}

#[test]
fn all_spellings_mean_the_same() {
    let spellings = [
        "
name: w
client_id: c
sla: {workflow_max_seconds: 120}
tasks:
  - {id: a, agent: noop, action: run}
  - {id: b, agent: noop, action: run, depends_on: [a], timeout: 60, when: true, for_each: [1, x]}
",
        r#"{"name": "w", "client_id": "c", "sla": {"workflow_max_seconds": 120.0}, "tasks": [
            {"id": "a", "agent": "noop", "action": "run", "depends_on": null, "params": {}},
            {"id": "b", "agent": "noop", "action": "run", "depends_on": "a", "timeout": "1m", "when": "true",
             "for_each": "[1,\"x\"]", "trigger": "all_success"}]}"#,
        "
workflow: {name: w, client_id: c, sla_minutes: 2}
tasks:
  - {name: a, agent: noop, action: run}
  - {name: b, agent: noop, action: run, depends_on: [a, a], timeout: 60000ms, when: '${true}', for_each: '[1,\"x\"]'}
",
        "
name: w
client_id: c
sla:
  workflow_max_seconds: 120
tasks:
  a:
    agent: &agent noop
    action: &action run
  b:
    agent: *agent
    action: *action
    depends_on:
    - a
    timeout: 1m
    when: True
    for_each:
      - 1
      - x
",
        "
name: w
client_id: c
sla: {workflow_max_seconds: 120}
tasks:
  a: &base {agent: noop, action: run}
  b: {<<: *base, depends_on: a, timeout: 0.5m30s, when: true, for_each: [1, x]}
",
    ];
    let first = workflow(spellings[0]);
    for spelling in spellings {
        let other = workflow(spelling);
        assert_eq!(
            String::from_utf8(other.canonical()),
            String::from_utf8(first.canonical()),
            "{spelling}"
        );
    }
    assert_eq!(
        String::from_utf8(first.canonical()).unwrap(),
        r#"{"name":"w","client_id":"c","sla":{"workflow_max_seconds":120.0},"tasks":[{"id":"a","agent":"noop","action":"run"},{"id":"b","agent":"noop","action":"run","depends_on":["a"],"when":"true","for_each":"[1,\"x\"]","timeout":"60000ms"}]}"#
    );
}

#[test]
fn a_reference_around_a_whole_expression_is_the_same_as_the_expression() {
    let text = "
name: w
tasks:
  - {id: load-it, agent: noop, action: run}
  - {id: b, agent: noop, action: run, depends_on: load-it, for_each: '${tasks.load-it.output.rows}'}
";
    let workflow = workflow(text);
    assert_eq!(
        workflow.tasks[1].for_each.as_ref().unwrap().source(),
        r#"tasks["load-it"].output.rows"#
    );
}

#[test]
fn references_may_go_to_any_upstream_task() {
    let text = "
name: w
inputs: {list: [1], object: {}, nothing: null}
tasks:
  - {id: c, agent: noop, action: run, depends_on: b, params: {x: '${tasks.a.output.x[0].y} ${tasks.b.status}'}}
  - {id: b, agent: noop, action: run, depends_on: a, when: tasks.a.status == 'SUCCESS'}
  - {id: a, agent: noop, action: run, params: {x: '${inputs.list[5]} ${inputs.object.y} ${inputs.nothing.z} ${run.id}'}}
";
    let workflow = workflow(text);
    assert_eq!(workflow.topological(), [NodeIx(2), NodeIx(1), NodeIx(0)]);
}

#[test]
fn shell_metacharacters_and_yaml_1_1_words_are_data() {
    let text = r#"
name: w
tasks:
  - id: a
    agent: noop
    action: run
    params:
      command: '; rm -rf / && $(reboot) `id` | tee > x # "quoted"'
      on: yes
      time: 1:30
      money: $$${literal} $$ $5
      block: |
        line 1
          line 2
"#;
    let params = workflow(text).tasks[0].params.raw().as_ref().clone();
    let expected = json!({
        "command": "; rm -rf / && $(reboot) `id` | tee > x # \"quoted\"", "on": "yes", "time": "1:30",
        "money": "$$${literal} $$ $5", "block": "line 1\n  line 2\n",
    });
    assert_eq!(params, expected);
}

#[test]
fn a_byte_order_mark_and_windows_line_ends_are_fine() {
    workflow("\u{feff}name: w\r\ntasks:\r\n  - id: a\r\n    agent: noop\r\n    action: run\r\n");
    workflow("\u{feff}{\"name\": \"w\", \"tasks\": {\"a\": {\"agent\": \"noop\", \"action\": \"run\"}}}");
}
