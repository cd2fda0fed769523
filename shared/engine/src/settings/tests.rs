//! Configuration files: what is accepted, what is refused and where, and what the values become.

use orchestrator_core::policy::{PolicyConfig, cases};
use orchestrator_core::workflow::typed;

use super::*;
use crate::env_vars;

/// The block that users of the predecessor have in their files.
const FULL: &str = r#"
master_orchestrator:
  decision:
    gpu_agents: ["ml_agent", "deep_learning_agent"]
    cpu_agents: ["eda_agent", "data_agent", "analysis_agent"]
    max_task_count: 100
    blocked_actions: []
    priority_agents: ["critical_analysis_agent"]
    maintenance_windows: []
    resource_limits:
      max_concurrent_gpu_tasks: 2
      max_concurrent_cpu_tasks: 10
      max_memory_per_task_gb: 16
  telemetry: {enabled: true, service_name: "master-orchestrator", service_version: "1.0.0", otlp_endpoint: "http://localhost:4318/v1/traces"}
  sla: {task_max_seconds: 600, workflow_max_seconds: 3600, check_interval_seconds: 30}
  cache: {redis_url: "redis://localhost:6379", default_ttl: 3600, task_ttl: 86400}
"#;

#[test]
fn the_full_block_loads_and_every_key_takes_effect() {
    let settings = load(FULL).unwrap();
    assert_eq!(
        settings.policy.version(),
        Settings::without_file().policy.version(),
        "it repeats the default policy"
    );
    let telemetry = Telemetry {
        enabled: Some(true),
        sample_ratio: 1.0,
        service_name: "master-orchestrator".to_owned(),
        service_version: "1.0.0".to_owned(),
        otlp_endpoint: "http://localhost:4318/v1/traces".to_owned(),
    };
    assert_eq!(settings.telemetry, telemetry);
    let defaults = SlaSpec {
        task_max_seconds: Some(600.0),
        workflow_max_seconds: Some(3_600.0),
        ..SlaSpec::default()
    };
    let sla = Sla {
        defaults,
        check_interval_ms: 30_000,
        webhook: None,
    };
    assert_eq!(settings.sla, sla);
    let cache = Cache {
        redis_url: Some("redis://localhost:6379".to_owned()),
        default_ttl_ms: 3_600_000,
        task_ttl_ms: 86_400_000,
    };
    assert_eq!(settings.cache, cache);
    let other = FULL.replace("max_concurrent_gpu_tasks: 2", "max_concurrent_gpu_tasks: 3");
    assert_eq!(load(&other).unwrap().policy.capacities()["gpu"], 3);
}

#[test]
fn the_check_interval_has_a_second_name() {
    let text = "master_orchestrator: {sla: {check_interval_s: 5}}";
    assert_eq!(load(text).unwrap().sla.check_interval_ms, 5_000);
    let both = "master_orchestrator: {sla: {check_interval_s: 5, check_interval_seconds: 6}}";
    assert_eq!(load(both).unwrap_err().len(), 1);
}

#[test]
fn agents_are_those_of_the_file_and_the_built_in_ones() {
    let settings = load(
        r#"
master_orchestrator:
  pools: {licence: 2}
  ageing_s: 10
  intake: {requests_per_minute: 6, requests_per_hour: 60, burst: 2, max_concurrent_runs: 3, on_limit: reject, document_bytes_max: 2048, idempotency_ttl_s: 60}
  limits: {local_document_bytes_max: 4096, depth_max: 20, agent_grace_s: 1.5}
agents:
  worker: {command: ["python3", "worker.py"], concurrency: 4, env: {MODE: fast}, timeout: 5m}
  service: {http: "https://example.org/run", timeout: 1.5}
  sleep: {builtin: noop}
"#,
    )
    .unwrap();
    let names: Vec<&str> = settings.agents.keys().map(String::as_str).collect();
    assert_eq!(names, ["fail", "noop", "service", "sleep", "worker"]);
    let worker = &settings.agents["worker"];
    assert_eq!(
        worker.kind,
        AgentKind::Command(vec!["python3".to_owned(), "worker.py".to_owned()])
    );
    assert_eq!(
        (worker.concurrency, worker.timeout_ms, worker.env["MODE"].as_str()),
        (Some(4), Some(300_000), "fast")
    );
    assert_eq!(settings.agents["service"].timeout_ms, Some(1_500));
    assert_eq!(settings.agents["sleep"].kind, AgentKind::Builtin(Builtin::Noop));
    assert_eq!(settings.policy.capacities()["agent:worker"], 4);
    assert_eq!(settings.policy.capacities()["licence"], 2);
    assert_eq!(settings.ageing_ms, 10_000);
    let rate = RateLimits {
        per_minute: Some(6),
        per_hour: Some(60),
        burst: 2,
    };
    assert_eq!((settings.intake.rate, settings.intake.runs_max), (rate, Some(3)));
    let intake = settings.api_intake();
    assert!(!intake.queues_runs);
    assert_eq!(
        (
            intake.limits.document_bytes,
            intake.limits.depth,
            intake.idempotency_ttl_ms
        ),
        (2048, 20, 60_000)
    );
    assert_eq!(settings.local_limits().document_bytes, 4096);
    assert_eq!(settings.attempts.grace_ms, 1_500);
}

#[test]
fn documents_may_have_as_many_tasks_as_the_policy_allows() {
    let settings = load("master_orchestrator: {decision: {max_task_count: 7}}").unwrap();
    assert_eq!(
        (
            settings.api_limits().task_count,
            settings.local_limits().task_count
        ),
        (7, 7)
    );
}

#[test]
fn problems_name_line_key_and_remedy() {
    let table = [
        (
            "agent: {}\n",
            "f:1:1: config.unknown-key: unknown key 'agent' (did you mean 'agents'?)",
        ),
        (
            "master_orchestrator:\n  decision:\n    gpu_agent: [a]\n",
            "f:3:5: config.unknown-key: master_orchestrator.decision: unknown key 'gpu_agent' (did you mean 'gpu_agents'?)",
        ),
        (
            "master_orchestrator:\n  decision:\n    rules:\n      - {name: r, when: \"task.\", deny: x}\n",
            "f:4:19: config.bad-value: master_orchestrator.decision.rules[0].when: ",
        ),
        (
            "agents:\n  a: {}\n",
            "f:2:3: config.bad-value: agents.a: agent 'a' has nothing to do its work",
        ),
        (
            "agents:\n  a: {command: []}\n",
            "f:2:7: config.bad-value: agents.a.command: the command is empty",
        ),
        (
            "agents: {a: {http: \"nowhere\"}}",
            "f:1:14: config.bad-value: agents.a.http: 'nowhere' is not a usable URL",
        ),
        (
            "agents: {a: {builtin: nop}}",
            "f:1:23: config.bad-value: agents.a.builtin: 'nop' is not known (did you mean 'noop'?)",
        ),
        (
            "agents: {a: {command: [x], http: \"http://h\"}}",
            "f:1:10: config.bad-value: agents.a: agent 'a' has more than one",
        ),
        (
            "agents: {a: {command: [x], env: {TRACEPARENT: y}}}",
            "f:1:34: config.bad-value: agents.a.env.TRACEPARENT: 'TRACEPARENT' is set by",
        ),
        (
            "agents: {a: {command: [x], timeout: soon}}",
            "f:1:37: config.bad-value: agents.a.timeout: expected a duration",
        ),
        (
            "agents: {a: {command: [x], concurrency: 0}}",
            "f:1:28: config.bad-value: agents.a.concurrency: '0' would never",
        ),
        (
            "master_orchestrator: {sla: {task_max_seconds: -1}}",
            "f:1:29: config.bad-value: master_orchestrator.sla.task_max_seconds: '-1' must be",
        ),
        (
            "master_orchestrator: {sla: {task_max_seconds: 0}}",
            "f:1:29: config.bad-value: master_orchestrator.sla.task_max_seconds: '0' must be greater",
        ),
        (
            "master_orchestrator: {cache: {redis_url: \"http://x\"}}",
            "f:1:31: config.bad-value: master_orchestrator.cache.redis_url: 'http://x' is not a usable URL",
        ),
        (
            "master_orchestrator: {telemetry: {otlp_endpoint: \"x\"}}",
            "f:1:35: config.bad-value: master_orchestrator.telemetry.otlp_endpoint: 'x' is not",
        ),
        (
            "master_orchestrator: {pools: {gpu: 1}}",
            "f:1:31: config.bad-value: master_orchestrator.pools.gpu: the name is reserved",
        ),
        (
            "master_orchestrator: {intake: {burst: 0}}",
            "f:1:32: config.bad-value: master_orchestrator.intake.burst: '0' would let nothing in",
        ),
        (
            "master_orchestrator: {limits: {depth_max: 1}}",
            "f:1:32: config.bad-value: master_orchestrator.limits.depth_max: '1' must be 8 to 200",
        ),
    ];
    for (text, expected) in table {
        let problems = load(text).unwrap_err();
        let told = problems[0].in_file("f").to_string();
        assert!(told.starts_with(expected), "{told}");
    }
}

#[test]
fn all_values_that_cannot_be_used_are_reported_at_once() {
    let text = "master_orchestrator:\n  decision: {default_priority: 0}\n  sla: {task_max_seconds: -1}\nagents: {a: {}, b: {command: []}}\n";
    let keys: Vec<String> = load(text)
        .unwrap_err()
        .into_iter()
        .map(|problem| problem.path)
        .collect();
    let expected = [
        "agents.a",
        "agents.b.command",
        "master_orchestrator.decision.default_priority",
        "master_orchestrator.sla.task_max_seconds",
    ];
    assert_eq!(keys, expected);
}

#[test]
fn a_decision_block_changes_the_default_policy_key_by_key() {
    let settings = load("master_orchestrator: {decision: {gpu_agents: [vision]}}").unwrap();
    let config: PolicyConfig = PolicyConfig {
        gpu_agents: Some(vec!["vision".to_owned()]),
        ..Default::default()
    };
    let same = Policy::new(&config, Default::default()).unwrap();
    assert_eq!(settings.policy.version(), same.version());
}

/// The document that describes every key.
const REFERENCE: &str = include_str!("../../../../docs/configuration.md");

/// The names of all keys, anywhere in a schema.
fn keys_of(schema: &serde_json::Value, keys: &mut std::collections::BTreeSet<String>) {
    match schema {
        serde_json::Value::Object(fields) => {
            if let Some(serde_json::Value::Object(properties)) = fields.get("properties") {
                keys.extend(properties.keys().cloned());
            }
            fields.values().for_each(|field| keys_of(field, keys));
        }
        serde_json::Value::Array(items) => items.iter().for_each(|item| keys_of(item, keys)),
        _ => {}
    }
}

#[test]
fn every_key_is_documented() {
    let mut keys = std::collections::BTreeSet::new();
    keys_of(&raw::json_schema(), &mut keys);
    assert!(keys.len() > 80, "{keys:?}");
    let missing: Vec<&String> = keys
        .iter()
        .filter(|key| !REFERENCE.contains(&format!("| `{key}` |")))
        .collect();
    assert!(missing.is_empty(), "not in docs/configuration.md: {missing:?}");
}

#[test]
fn every_environment_variable_is_documented() {
    for name in env_vars::READ.iter().chain(&env_vars::OF_AGENTS) {
        assert!(REFERENCE.contains(&format!("| `{name}` |")), "{name}");
    }
}

/// The fenced blocks of `text` that are marked with `mark`.
fn blocks<'a>(text: &'a str, mark: &str) -> Vec<&'a str> {
    let fence = format!("```yaml {mark}\n");
    let starts = text.match_indices(&fence).map(|(at, _)| at + fence.len());
    starts
        .map(|start| &text[start..start + text[start..].find("```").unwrap()])
        .collect()
}

#[test]
fn the_examples_in_the_documents_are_valid() {
    let policy = include_str!("../../../../docs/policy.md");
    let configurations = blocks(REFERENCE, "config");
    assert_eq!(configurations.len(), 2);
    load(configurations[1]).unwrap();
    let settings = load(configurations[0]).unwrap();
    let defaults = Settings::without_file();
    assert_eq!(
        (settings.ageing_ms, &settings.intake),
        (defaults.ageing_ms, &defaults.intake),
        "it shows defaults"
    );
    assert_eq!(
        (settings.sla, settings.attempts),
        (defaults.sla, defaults.attempts),
        "it shows defaults"
    );
    let policies = blocks(policy, "policy");
    assert_eq!(policies.len(), 2);
    for text in policies {
        let config: PolicyConfig = typed::read(text, &Limits::api()).unwrap();
        Policy::new(&config, Default::default()).unwrap();
    }
    for text in blocks(policy, "cases") {
        let results = cases::run(&defaults.policy, &cases::read(text).unwrap());
        assert!(results.iter().all(cases::CaseResult::passed), "{results:?}");
    }
}

#[test]
fn the_example_configurations_are_valid() {
    for example in ["penguins", "failures", "for_each", "policy"] {
        let path = format!(
            "{}/../../examples/{example}/orchestrator.yaml",
            env!("CARGO_MANIFEST_DIR")
        );
        if let Ok(text) = std::fs::read_to_string(&path) {
            load(&text).unwrap_or_else(|problems| panic!("{}", problems[0].in_file(&path)));
        }
    }
}
