//! The default policy, line by line: class, memory, priority, model, retries, pools.

use super::*;

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
