//! The default policy, line by line, and the order of precedence.

use serde_json::{Value, json};

use super::*;
use crate::pool::PoolUsage;
use crate::time::Timestamp;
use crate::workflow::limits::Limits;
use crate::workflow::{OnDenied, ResourceClass, typed};

/// 2026-01-15, a Thursday, 12:00 UTC.
const NOON: Timestamp = Timestamp(1_768_478_400_000);

fn policy(yaml: &str) -> Policy {
    let config = typed::read(yaml, &Limits::api()).unwrap();
    Policy::new(&config, surroundings()).unwrap()
}

fn surroundings() -> Surroundings {
    serde_json::from_value(json!({
        "pools": {"licence": 1, "closed": 0},
        "agents": {"slow_agent": {"concurrency": 2, "timeout_ms": 9000}},
    }))
    .unwrap()
}

/// A question in short: everything not named is ordinary.
struct Asked {
    agent: &'static str,
    action: &'static str,
    task: Value,
    params: Value,
    metadata: Value,
    inputs: Value,
    run_priority: Option<u8>,
    task_count: usize,
    pools: Vec<String>,
    approved: bool,
    now: Timestamp,
    usage: Vec<PoolUsage>,
}

fn ask(agent: &'static str, action: &'static str) -> Asked {
    Asked {
        agent,
        action,
        task: json!({}),
        params: json!({}),
        metadata: json!({}),
        inputs: json!({}),
        run_priority: None,
        task_count: 1,
        pools: Vec::new(),
        approved: false,
        now: NOON,
        usage: Vec::new(),
    }
}

impl Asked {
    fn with<R>(&self, put: impl FnOnce(&Question<'_>) -> R) -> R {
        let read = |key: &str| self.task.get(key).cloned().unwrap_or(Value::Null);
        let question = Question {
            task: TaskFacts {
                id: "t",
                agent: self.agent,
                action: self.action,
                params: &self.params,
                priority: serde_json::from_value(read("priority")).unwrap(),
                retry: serde_json::from_value::<Option<_>>(read("retry"))
                    .unwrap()
                    .unwrap_or_default(),
                timeout_ms: serde_json::from_value(read("timeout_ms")).unwrap(),
                resources: serde_json::from_value::<Option<_>>(read("resources"))
                    .unwrap()
                    .unwrap_or_default(),
                pools: &self.pools,
                on_denied: serde_json::from_value(read("on_denied")).unwrap(),
                epoch: 1,
                attempt: 1,
                approved: self.approved,
                item: None,
            },
            run: RunFacts {
                id: None,
                workflow: "w",
                client_id: Some("team"),
                priority: self.run_priority,
                inputs: &self.inputs,
                metadata: &self.metadata,
                task_count: self.task_count,
                submitted_at: NOON,
            },
            now: self.now,
            usage: &self.usage,
        };
        put(&question)
    }

    fn choice(&self, policy: &Policy) -> Choice {
        self.with(|question| {
            let choice = choose(policy, question);
            assert_eq!(
                explain::explain(policy, question).choice,
                choice,
                "an explanation explains the same choice"
            );
            choice
        })
    }

    fn task(mut self, task: Value) -> Asked {
        self.task = task;
        self
    }

    fn params(mut self, params: Value) -> Asked {
        self.params = params;
        self
    }

    fn metadata(mut self, metadata: Value) -> Asked {
        self.metadata = metadata;
        self
    }
}

fn pools(choice: &Choice) -> Vec<&str> {
    choice.pools.iter().map(|demand| demand.pool.as_str()).collect()
}

#[test]
fn classes_follow_the_default_policy() {
    use ResourceClass::{Compute, Cpu, Gpu, Memory};
    let policy = policy("");
    let table = [
        ("ml_agent", "predict", Gpu, "default:gpu_agents"),
        ("deep_learning_agent", "train_model", Gpu, "default:gpu_agents"),
        (
            "data_agent",
            "load_large_dataset",
            Memory,
            "default:action_classes",
        ),
        (
            "other_agent",
            "feature_engineering",
            Memory,
            "default:action_classes",
        ),
        (
            "other_agent",
            "data_transformation",
            Memory,
            "default:action_classes",
        ),
        ("other_agent", "train_model", Compute, "default:action_classes"),
        (
            "other_agent",
            "hyperparameter_tuning",
            Compute,
            "default:action_classes",
        ),
        (
            "analysis_agent",
            "cross_validation",
            Compute,
            "default:action_classes",
        ),
        ("eda_agent", "profile", Cpu, "default:cpu_agents"),
        ("data_agent", "load_dataset", Cpu, "default:cpu_agents"),
        ("other_agent", "anything", Cpu, "default:class"),
    ];
    for (agent, action, class, matched) in table {
        let choice = ask(agent, action).choice(&policy);
        assert_eq!(choice.overrides.resource_class, class, "{agent} {action}");
        assert!(
            choice.matched.contains(&matched.to_owned()),
            "{agent} {action}: {:?}",
            choice.matched
        );
        assert_eq!(pools(&choice), [if class == Gpu { "gpu" } else { "cpu" }]);
        assert_eq!(choice.verdict, Verdict::Allow);
    }
}

#[test]
fn memory_follows_class_action_data_set_and_cap() {
    let policy = policy("resource_limits: {max_memory_per_task_gb: 40}");
    let size = |size: u64| json!({"dataset_size": size});
    let table = [
        (ask("eda_agent", "profile"), 2.0, false),
        (ask("ml_agent", "predict"), 8.0, false),
        (ask("other", "feature_engineering"), 16.0, false),
        (ask("other", "train_model"), 4.0, false),
        (ask("other", "hyperparameter_tuning"), 6.0, false),
        (ask("eda_agent", "profile").params(size(100_000)), 2.0, false),
        (ask("eda_agent", "profile").params(size(100_001)), 3.0, false),
        (ask("eda_agent", "profile").params(size(1_000_000)), 3.0, false),
        (ask("eda_agent", "profile").params(size(1_000_001)), 4.0, false),
        (ask("ml_agent", "predict").params(size(100_001)), 12.0, true),
        (ask("ml_agent", "predict").params(size(5_000_000)), 16.0, true),
        (ask("my_ml_agent", "predict").params(size(100_001)), 3.0, true),
        (
            ask("eda_agent", "profile").params(json!({"dataset_size": "200000"})),
            3.0,
            false,
        ),
        (
            ask("eda_agent", "profile").params(json!({"dataset_size": "big"})),
            2.0,
            false,
        ),
        (ask("eda_agent", "profile").metadata(size(2_000_000)), 4.0, false),
        (
            ask("eda_agent", "profile")
                .params(size(1))
                .metadata(size(2_000_000)),
            2.0,
            false,
        ),
        (
            ask("other", "feature_engineering").params(size(5_000_000)),
            32.0,
            false,
        ),
        (
            ask("other", "x")
                .task(json!({"resources": {"memory_gb": 5}}))
                .params(size(5_000_000)),
            5.0,
            false,
        ),
        (
            ask("other", "x").task(json!({"resources": {"memory_gb": 500}})),
            40.0,
            false,
        ),
    ];
    for (question, gb, distributed) in table {
        let choice = question.choice(&policy);
        let asked = (
            question.agent,
            question.action,
            &question.params,
            &question.metadata,
        );
        assert_eq!(choice.overrides.memory_gb, gb, "{asked:?}");
        assert_eq!(choice.overrides.use_distributed, distributed, "{asked:?}");
    }
    let mut inputs = ask("eda_agent", "profile");
    inputs.inputs = size(200_000);
    assert_eq!(
        inputs.choice(&policy).overrides.memory_gb,
        3.0,
        "run inputs are the last source"
    );
}

#[test]
fn no_task_gets_more_than_the_cap_and_the_choice_says_so() {
    let policy = policy("");
    let big = json!({"dataset_size": 5_000_000});
    let choice = ask("other", "feature_engineering").params(big).choice(&policy);
    assert_eq!(choice.overrides.memory_gb, 16.0);
    assert!(
        choice
            .matched
            .contains(&"default:max_memory_per_task_gb".to_owned())
    );
}

#[test]
fn priorities_follow_the_default_policy() {
    let policy = policy("");
    let urgent = || json!({"urgent": true});
    let run = |priority, question: Asked| Asked {
        run_priority: Some(priority),
        ..question
    };
    let table = [
        (ask("any", "emergency_stop"), 9),
        (ask("any", "report").metadata(json!({"emergency": true})), 9),
        (ask("critical_analysis_agent", "report"), 8),
        (ask("critical_analysis_agent", "emergency_stop"), 9),
        (ask("any", "load_dataset"), 7),
        (ask("any", "clean_data"), 7),
        (ask("any", "validate_data"), 7),
        (ask("any", "analyze_data"), 5),
        (ask("any", "analyse"), 5),
        (ask("any", "train_model"), 5),
        (ask("any", "evaluate_models"), 5),
        (ask("any", "visualize"), 3),
        (ask("any", "create_visualisation"), 3),
        (ask("any", "generate_report"), 3),
        (ask("any", "something"), 5),
        (ask("any", "load_dataset").metadata(urgent()), 9),
        (ask("any", "emergency_stop").metadata(urgent()), 10),
        (ask("any", "load_dataset").metadata(json!({"urgent": false})), 7),
        (
            ask("critical_analysis_agent", "load_dataset").task(json!({"priority": 2})),
            2,
        ),
        (
            ask("any", "load_dataset")
                .task(json!({"priority": 2}))
                .metadata(urgent()),
            4,
        ),
        (run(5, ask("any", "load_dataset")), 7),
        (run(7, ask("any", "report")), 5),
        (run(1, ask("any", "report")), 1),
        (run(10, ask("any", "load_dataset")), 10),
    ];
    for (question, priority) in table {
        let asked = (
            question.agent,
            question.action,
            question.run_priority,
            &question.metadata,
        );
        assert_eq!(question.choice(&policy).overrides.priority, priority, "{asked:?}");
    }
}

#[test]
fn models_follow_the_default_policy() {
    let policy = policy("");
    let table = [
        ("generate_report", Some("llm-small")),
        ("summarize", Some("llm-small")),
        ("complex_analysis", Some("llm-large")),
        ("interpret_results", Some("llm-large")),
        ("train_model", None),
    ];
    for (action, model) in table {
        assert_eq!(
            ask("any", action).choice(&policy).overrides.llm_model.as_deref(),
            model,
            "{action}"
        );
    }
}

#[test]
fn retries_are_the_tasks_own_else_the_policys_and_never_automatic_for_destructive_actions() {
    let policy = policy("");
    let default = RetryRule {
        auto: true,
        max_retries: 3,
        backoff_base_ms: 1_000,
        backoff_max_ms: 60_000,
    };
    assert_eq!(ask("any", "load").choice(&policy).retry, default);
    let own = ask("any", "load")
        .task(json!({"retry": {"max_retries": 1, "backoff_base_s": 0.5}}))
        .choice(&policy);
    assert_eq!(
        own.retry,
        RetryRule {
            max_retries: 1,
            backoff_base_ms: 500,
            ..default
        }
    );
    for action in ["delete_rows", "drop_table", "truncate_table", "purge_cache"] {
        let choice = ask("any", action).choice(&policy);
        assert!(!choice.retry.auto, "{action}");
        assert!(choice.matched.contains(&"default:destructive_actions".to_owned()));
    }
}

#[test]
fn a_timeout_is_the_tasks_own_else_the_agents() {
    let policy = policy("");
    assert_eq!(ask("slow_agent", "x").choice(&policy).timeout_ms, Some(9000));
    assert_eq!(
        ask("slow_agent", "x")
            .task(json!({"timeout_ms": 5}))
            .choice(&policy)
            .timeout_ms,
        Some(5)
    );
    assert_eq!(ask("any", "x").choice(&policy).timeout_ms, None);
}

#[test]
fn pools_are_those_of_the_class_the_agent_and_the_task_each_once_in_order() {
    let policy = policy("");
    let mut question = ask("slow_agent", "x");
    question.pools = vec!["licence".to_owned(), "cpu".to_owned()];
    assert_eq!(
        pools(&question.choice(&policy)),
        ["agent:slow_agent", "cpu", "licence"]
    );
    let capacities: Vec<(&str, u32)> = policy
        .capacities()
        .iter()
        .map(|(pool, n)| (pool.as_str(), *n))
        .collect();
    assert_eq!(
        capacities,
        [
            ("agent:slow_agent", 2),
            ("closed", 0),
            ("cpu", 10),
            ("gpu", 2),
            ("licence", 1)
        ]
    );
}

#[test]
fn a_pool_that_cannot_ever_be_had_holds_the_task() {
    let policy = policy("");
    for (pool, reason) in [
        ("unknown", "there is no pool 'unknown'"),
        ("closed", "the pool 'closed' has no slots"),
    ] {
        let mut question = ask("any", "x");
        question.pools = vec![pool.to_owned()];
        let choice = question.choice(&policy);
        assert_eq!(hold_of(&choice).0, HoldReason::Policy);
        assert!(choice.reason.contains(reason), "{}", choice.reason);
    }
}

fn hold_of(choice: &Choice) -> (HoldReason, Option<u64>) {
    match &choice.verdict {
        Verdict::Hold { reason, until } => (*reason, until.map(|until| until - NOON)),
        other => panic!("not held: {other:?}"),
    }
}

fn denied(choice: &Choice) -> OnDenied {
    match &choice.verdict {
        Verdict::Deny { on_denied } => *on_denied,
        other => panic!("not denied: {other:?}"),
    }
}

#[test]
fn blocked_actions_are_denied_and_on_denied_is_the_tasks_else_the_policys() {
    let blocking = policy("blocked_actions: [\"drop_*\"]");
    let choice = ask("any", "drop_table").choice(&blocking);
    assert_eq!(denied(&choice), OnDenied::Skip);
    assert_eq!(
        choice.reason,
        "denied because the action 'drop_table' is in blocked_actions"
    );
    let failing = policy("blocked_actions: [\"drop_*\"]\non_denied: fail");
    assert_eq!(denied(&ask("any", "drop_table").choice(&failing)), OnDenied::Fail);
    let own = ask("any", "drop_table").task(json!({"on_denied": "hold"}));
    assert_eq!(denied(&own.choice(&failing)), OnDenied::Hold);
    let approved = Asked {
        approved: true,
        ..own
    };
    let choice = approved.choice(&failing);
    assert_eq!(choice.verdict, Verdict::Allow, "an operator let it pass");
    assert!(choice.matched.contains(&"operator:approval".to_owned()));
}

#[test]
fn a_workflow_with_too_many_tasks_fails() {
    let question = Asked {
        task_count: 101,
        ..ask("any", "x")
    };
    assert_eq!(denied(&question.choice(&policy(""))), OnDenied::Fail);
    assert_eq!(
        question.choice(&policy("max_task_count: 101")).verdict,
        Verdict::Allow
    );
}

#[test]
fn cpu_agents_never_get_a_gpu_and_other_agents_get_the_class_they_ask_for() {
    let policy = policy("");
    let gpu = || json!({"resources": {"class": "gpu"}});
    let refused = ask("eda_agent", "train_model").task(gpu()).choice(&policy);
    assert_eq!(refused.overrides.resource_class, ResourceClass::Compute);
    assert!(refused.matched.contains(&"default:cpu_agents".to_owned()));
    assert_eq!(
        ask("other", "x")
            .task(gpu())
            .choice(&policy)
            .overrides
            .resource_class,
        ResourceClass::Gpu
    );
    let cpu = ask("ml_agent", "x")
        .task(json!({"resources": {"class": "cpu"}}))
        .choice(&policy);
    assert_eq!(
        (cpu.overrides.resource_class, cpu.overrides.memory_gb),
        (ResourceClass::Cpu, 2.0)
    );
}

#[test]
fn windows_hold_until_their_end_or_skip() {
    let window = "maintenance_windows:\n  - {start: \"11:00\", end: \"13:30\", name: lunch}";
    let choice = ask("any", "x").choice(&policy(window));
    assert_eq!(hold_of(&choice), (HoldReason::Window, Some(90 * 60_000)));
    assert!(choice.matched.contains(&"window:lunch".to_owned()));
    let zone = "time_zone: Europe/Berlin\nmaintenance_windows:\n  - {start: \"13:00\", end: \"13:30\"}";
    assert_eq!(
        hold_of(&ask("any", "x").choice(&policy(zone))),
        (HoldReason::Window, Some(30 * 60_000))
    );
    let skip = "maintenance_windows:\n  - {start: \"11:00\", end: \"13:30\", mode: skip, actions: [x]}";
    assert_eq!(denied(&ask("any", "x").choice(&policy(skip))), OnDenied::Skip);
    assert_eq!(ask("any", "y").choice(&policy(skip)).verdict, Verdict::Allow);
}

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

#[test]
fn the_strictest_comes_first_a_denial_then_rules_then_windows() {
    let policy = policy(
        r#"
blocked_actions: [blocked]
maintenance_windows: [{start: "00:00", end: "24:00"}]
rules:
  - {name: approval, when: "task.action != 'plain'", require_approval: "always"}
"#,
    );
    assert_eq!(denied(&ask("any", "blocked").choice(&policy)), OnDenied::Skip);
    assert_eq!(hold_of(&ask("any", "x").choice(&policy)).0, HoldReason::Approval);
    assert_eq!(
        hold_of(&ask("any", "plain").choice(&policy)).0,
        HoldReason::Window
    );
    let approved = Asked {
        approved: true,
        ..ask("any", "x")
    }
    .choice(&policy);
    assert_eq!(
        hold_of(&approved).0,
        HoldReason::Window,
        "an approval is no pass for a window"
    );
}

#[test]
fn an_override_replaces_its_key_and_nothing_else() {
    let policy = policy(
        "gpu_agents: [vision_agent]\nmemory: {base_gb: {gpu: 12}}\nresource_limits: {max_concurrent_gpu_tasks: 1}",
    );
    assert_eq!(
        ask("ml_agent", "x").choice(&policy).overrides.resource_class,
        ResourceClass::Cpu
    );
    let vision = ask("vision_agent", "x").choice(&policy);
    assert_eq!(
        (vision.overrides.resource_class, vision.overrides.memory_gb),
        (ResourceClass::Gpu, 12.0)
    );
    assert_eq!(
        ask("other", "train_model").choice(&policy).overrides.memory_gb,
        4.0
    );
    assert_eq!((policy.capacities()["gpu"], policy.capacities()["cpu"]), (1, 10));
}

#[test]
fn the_version_is_a_hash_of_what_the_policy_says() {
    let (first, same, other) = (
        policy(""),
        policy("max_task_count: 100"),
        policy("max_task_count: 99"),
    );
    assert_eq!(first.version().len(), 12);
    assert_eq!(
        first.version(),
        same.version(),
        "saying what is the default changes nothing"
    );
    assert_ne!(first.version(), other.version());
    let stored = Policy::from_canonical(other.canonical()).unwrap();
    assert_eq!((stored.version(), stored.max_task_count()), (other.version(), 99));
    assert_eq!(ask("any", "x").choice(&other).policy_version, other.version());
}

#[test]
fn values_that_cannot_be_used_are_refused_with_their_key() {
    let table = [
        (
            "gpu_agents: [a]\ncpu_agents: [b, a]",
            "cpu_agents[1]: 'a' is in gpu_agents too",
        ),
        ("default_priority: 11", "default_priority: '11' is not a priority"),
        (
            "priorities: [{name: p, priority: 0}]",
            "priorities[0].priority: '0' is not",
        ),
        (
            "memory: {base_gb: {gpu: 0}}",
            "memory.base_gb.gpu: '0' must be greater than 0",
        ),
        (
            "resource_limits: {max_memory_per_task_gb: -1}",
            "resource_limits.max_memory_per_task_gb: '-1' must",
        ),
        (
            "retry: {max_retries: 101}",
            "retry.max_retries: '101' is too many",
        ),
        (
            "retry: {backoff_max_s: -1}",
            "retry.backoff_max_s: '-1' must be 0 to",
        ),
        ("time_zone: Mars", "time_zone: 'Mars' is not a time zone"),
        (
            "maintenance_windows: [{start: x, end: \"06:00\"}]",
            "maintenance_windows[0].start: 'x' is not",
        ),
        ("rules: [{name: r}]", "rules[0]: the rule does nothing"),
        (
            "rules: [{name: r, deny: a, hold: b}]",
            "rules[0]: a rule has one of deny, hold and require_approval",
        ),
        (
            "rules: [{name: r, deny: a}, {name: r, deny: a}]",
            "rules[1].name: 'r' names two rules",
        ),
        ("rules: [{name: r, when: \"task.\", deny: a}]", "rules[0].when: "),
        (
            "rules: [{name: r, when: \"tasks.x\", deny: a}]",
            "rules[0].when: there is no variable 'tasks'",
        ),
        (
            "rules: [{name: r, when: \"task.colour == 1\", deny: a}]",
            "rules[0].when: 'task' has no field 'colour'",
        ),
        (
            "rules: [{name: r, hold: {reason: a, for: soon}}]",
            "rules[0].hold.for: 'soon' is not a duration",
        ),
        (
            "rules: [{name: r, set: {priority: 0}}]",
            "rules[0].set.priority: '0' is not a priority",
        ),
        (
            "rules: [{name: r, set: {pools: [nope]}}]",
            "rules[0].set.pools: there is no pool 'nope'",
        ),
    ];
    for (yaml, expected) in table {
        let config = typed::read(yaml, &Limits::api()).unwrap();
        let error = Policy::new(&config, surroundings()).unwrap_err().to_string();
        assert!(error.starts_with(expected), "{yaml}: {error}");
    }
    let reserved = Surroundings {
        pools: [("gpu".to_owned(), 1)].into(),
        ..Surroundings::default()
    };
    let error = Policy::new(&PolicyConfig::default(), reserved).unwrap_err();
    assert!(error.to_string().starts_with("pools.gpu: the name is reserved"));
}

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

#[test]
fn a_policy_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
}
