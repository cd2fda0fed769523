//! Explanations and comparisons.

use super::*;

#[test]
fn an_explanation_lists_every_step() {
    let policy = policy(
        "rules:\n  - {name: no, when: \"false\", deny: a}\n  - {name: up, set: {priority: 9}, stop: true}\n  - {name: late, deny: b}",
    );
    let question = ask("ml_agent", "train_model").params(json!({"dataset_size": 200_000}));
    let steps = question
        .with(|question| explain::explain(&policy, question))
        .steps;
    let told: Vec<String> = steps
        .iter()
        .map(|step| match &step.effect {
            explain::Effect::Set { key, before, after } => format!("{} {key} {before} -> {after}", step.rule),
            other => format!("{} {other:?}", step.rule),
        })
        .collect();
    let expected = [
        "default:gpu_agents resource_class null -> \"gpu\"",
        "default:memory.base_gb memory_gb null -> 8.0",
        "default:dataset_scaling memory_gb 8.0 -> 12.0",
        "default:dataset_scaling use_distributed false -> true",
        "default:priorities.analyse priority null -> 5",
        "default:retry retry null -> {\"auto\":true,\"backoff_base_ms\":1000,\"backoff_max_ms\":60000,\"max_retries\":3}",
        "rule:no DoesNotApply",
        "rule:up priority 5 -> 9",
        "rule:late NotAsked",
    ];
    assert_eq!(told, expected);
}

#[test]
fn a_candidate_policy_is_compared_on_the_same_question() {
    let (current, candidate) = (policy(""), policy("gpu_agents: []\nmodel_rules: []"));
    let question = ask("ml_agent", "generate_report");
    let differences = question.with(|question| explain::compare(&current, &candidate, question));
    let keys: Vec<&str> = differences
        .iter()
        .map(|difference| difference.key.as_str())
        .collect();
    assert_eq!(
        keys,
        [
            "overrides.llm_model",
            "overrides.memory_gb",
            "overrides.resource_class",
            "pools"
        ]
    );
    let same = ask("eda_agent", "profile").with(|question| explain::compare(&current, &candidate, question));
    assert_eq!(same, []);
}
