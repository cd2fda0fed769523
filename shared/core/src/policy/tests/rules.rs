//! Rules and what their conditions see.

use super::*;

#[test]
fn rules_apply_in_order_and_see_what_earlier_ones_set() {
    let policy = policy(
        r#"
rules:
  - {name: big, when: "task.action == 'x'", set: {memory_gb: 12, llm_model: m, extra: {shards: 4}}}
  - {name: seen, when: "task.memory_gb == 12.0", set: {priority: 9, timeout_s: 1.5}, retry: {max_retries: 7}}
  - {name: other, when: "task.action == 'y'", set: {priority: 1}}
  - {name: last, set: {use_distributed: true, pools: [licence]}, stop: true}
  - {name: never, deny: "not reached"}
"#,
    );
    let choice = ask("any", "x").choice(&policy);
    assert_eq!(choice.verdict, Verdict::Allow);
    assert_eq!((choice.overrides.memory_gb, choice.overrides.priority), (12.0, 9));
    assert_eq!(choice.overrides.llm_model.as_deref(), Some("m"));
    assert_eq!(choice.overrides.extra["shards"], 4);
    assert_eq!((choice.timeout_ms, choice.retry.max_retries), (Some(1500), 7));
    assert!(choice.overrides.use_distributed);
    assert_eq!(pools(&choice), ["cpu", "licence"]);
    let rules: Vec<&String> = choice
        .matched
        .iter()
        .filter(|label| label.starts_with("rule:"))
        .collect();
    assert_eq!(rules, ["rule:big", "rule:seen", "rule:last"]);
}

#[test]
fn a_rule_that_changes_the_class_changes_pool_and_memory_with_it() {
    let policy =
        policy("rules:\n  - {name: gpu, when: \"task.action == 'render'\", set: {resource_class: gpu}}");
    let choice = ask("any", "render")
        .params(json!({"dataset_size": 200_000}))
        .choice(&policy);
    assert_eq!((choice.overrides.memory_gb, pools(&choice)), (12.0, vec!["gpu"]));
    let capped = ask("any", "render")
        .task(json!({"resources": {"memory_gb": 6}}))
        .choice(&policy);
    assert_eq!(capped.overrides.memory_gb, 6.0, "what a task asks for stays");
}

#[test]
fn rules_deny_hold_and_ask_for_approval() {
    let policy = policy(
        r#"
rules:
  - {name: no, when: "task.action == 'no'", deny: "not here"}
  - {name: later, when: "task.action == 'later'", hold: {reason: "wait a bit", for: 10m}}
  - {name: busy, when: "task.action == 'busy'", hold: "wait"}
  - {name: ask, when: "task.action == 'ask'", require_approval: "costs money", set: {priority: 1}}
"#,
    );
    let no = ask("any", "no").choice(&policy);
    assert_eq!(
        (denied(&no), no.reason.as_str()),
        (OnDenied::Skip, "denied by rule 'no': not here")
    );
    assert_eq!(
        hold_of(&ask("any", "later").choice(&policy)),
        (HoldReason::Policy, Some(600_000))
    );
    assert_eq!(
        hold_of(&ask("any", "busy").choice(&policy)),
        (HoldReason::Policy, Some(300_000))
    );
    let waits = ask("any", "ask").choice(&policy);
    assert_eq!(hold_of(&waits), (HoldReason::Approval, None));
    assert_eq!(
        waits.reason,
        "waits for approval required by rule 'ask': costs money"
    );
    let approved = Asked {
        approved: true,
        ..ask("any", "ask")
    }
    .choice(&policy);
    assert_eq!(
        (&approved.verdict, approved.overrides.priority),
        (&Verdict::Allow, 1)
    );
}

#[test]
fn conditions_see_task_run_usage_and_now() {
    let conditions = [
        "!has(task.dataset_size) && !has(task.item) && has(run.client_id) && !has(run.priority)",
        "task.params.rows > 10 && task.agent == 'any' && task.attempt == 1 && !task.approved",
        "run.metadata.team == 'blue' && run.client_id == 'team' && run.workflow == 'w' && run.inputs.x == 1",
        "usage.gpu.used == 2 && usage.gpu.free == 0 && usage.gpu.waiting == 3 && usage.cpu.free == 10",
        "now.hour == 13 && now.minute == 0 && now.weekday == 'thu' && now.epoch_ms == 1768478400000",
        "now.rfc3339 == '2026-01-15T12:00:00.000Z' && now.year == 2026 && now.month == 1 && now.day == 15",
        "task.resource_class == 'cpu' && task.priority == 5 && task.memory_gb == 2.0 && task.max_retries == 3",
    ];
    for condition in conditions {
        let yaml = format!(
            "time_zone: Europe/Berlin\nrules:\n  - {{name: r, when: \"{condition}\", deny: \"yes\"}}"
        );
        let mut question = ask("any", "x")
            .params(json!({"rows": 11}))
            .metadata(json!({"team": "blue"}));
        question.inputs = json!({"x": 1});
        question.usage = vec![PoolUsage {
            pool: "gpu".to_owned(),
            capacity: 2,
            used: 2,
            waiting: 3,
        }];
        let choice = question.choice(&policy(&yaml));
        assert_eq!(denied(&choice), OnDenied::Skip, "{condition}: {}", choice.reason);
    }
}

#[test]
fn a_rule_that_cannot_be_evaluated_holds_the_task_and_says_why() {
    for (condition, why) in [
        ("task.params.absent > 1", "absent"),
        ("task.dataset_size > 1", "dataset_size"),
        ("task.priority + 1", "neither true nor false"),
    ] {
        let yaml = format!("rules:\n  - {{name: r, when: \"{condition}\", set: {{priority: 9}}}}");
        let choice = ask("any", "x").choice(&policy(&yaml));
        assert_eq!(hold_of(&choice).0, HoldReason::Policy);
        assert!(
            choice
                .reason
                .starts_with("held because rule 'r' could not be evaluated: "),
            "{}",
            choice.reason
        );
        assert!(choice.reason.contains(why), "{}", choice.reason);
    }
}
