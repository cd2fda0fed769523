//! Cases that pass, cases that fail, and the shipped ones.

use serde_json::json;

use super::*;
use crate::policy::{PolicyConfig, Surroundings};

#[test]
fn a_case_passes_when_everything_it_expects_is_so() {
    let cases = read(
        r#"
cases:
  - name: everything at once
    given:
      task: {agent: ml_agent, action: train_model, params: {dataset_size: 200000}, timeout_s: 1.5}
      run: {priority: 7, metadata: {urgent: true}}
      now: 2026-01-15T12:00:00+01:00
      usage: {gpu: {used: 2}}
    expect:
      outcome: allow
      resource_class: gpu
      priority: 9
      memory_gb: 12
      llm_model: none
      use_distributed: true
      timeout_s: 1.5
      max_retries: 3
      auto_retry: true
      pools: [gpu]
      matched: ["default:gpu_agents", "run:priority"]
      reason: gpu_agents
  - name: what differs is told
    given: {task: {agent: eda_agent, action: profile}}
    expect: {outcome: deny, priority: 6, matched: ["rule:x"], reason: because of me}
"#,
    )
    .unwrap();
    let policy = Policy::new(&PolicyConfig::default(), Surroundings::default()).unwrap();
    let results = run(&policy, &cases);
    assert_eq!(results[0].differences, []);
    assert!(results[0].passed());
    let keys: Vec<&str> = results[1]
        .differences
        .iter()
        .map(|difference| difference.key.as_str())
        .collect();
    assert_eq!(keys, ["outcome", "priority", "matched", "reason"]);
    assert_eq!(
        (
            &results[1].differences[1].expected,
            &results[1].differences[1].found
        ),
        (&json!(6), &json!(5))
    );
}

#[test]
fn a_misspelt_expectation_is_an_error_not_a_pass() {
    let text = "cases:\n  - name: a\n    expect: {priorty: 5}\n";
    let problem = read(text).unwrap_err()[0].in_file("cases.yaml").to_string();
    let expected = "cases.yaml:3:14: config.unknown-key: cases[0].expect: unknown key 'priorty' (did you mean 'priority'?)";
    assert_eq!(problem, expected);
}

#[test]
fn the_cases_shipped_as_an_example_pass() {
    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/../../examples/policy/");
    let text = std::fs::read_to_string(format!("{folder}cases.yaml")).unwrap();
    let config = std::fs::read_to_string(format!("{folder}orchestrator.yaml")).unwrap();
    #[derive(Deserialize)]
    struct File {
        master_orchestrator: Block,
    }
    #[derive(Deserialize)]
    struct Block {
        decision: PolicyConfig,
        pools: BTreeMap<String, u32>,
    }
    let File {
        master_orchestrator: Block { decision, pools },
    } = typed::read(&config, &Limits::api()).unwrap();
    let policy = Policy::new(
        &decision,
        Surroundings {
            pools,
            ..Surroundings::default()
        },
    )
    .unwrap();
    let results = run(&policy, &read(&text).unwrap());
    assert!(results.len() > 5);
    for result in results {
        assert!(result.passed(), "{}: {:?}", result.name, result.differences);
    }
}
