//! Overrides, versions, and values that cannot be used.

use super::*;
use crate::policy::config::DEFAULT_POLICY;

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
fn a_policy_can_be_shared_between_threads() {
    fn shared<T: Send + Sync>() {}
    shared::<Policy>();
}

proptest::proptest! {
    /// A few characters of the default policy replaced by others that mean something in YAML, numbers and patterns.
    #[test]
    fn a_damaged_policy_is_refused_or_answers_but_never_panics(
        edits in proptest::collection::vec((0..DEFAULT_POLICY.len(), "[-:{}\\[\\]\"' #*0-9.a\n]{0,3}"), 1..6),
    ) {
        let mut text = DEFAULT_POLICY.to_owned();
        for (at, replacement) in edits {
            let at = at.min(text.len() - 1);
            text.replace_range(at..=at, &replacement);
        }
        if let Ok(config) = typed::read(&text, &Limits::api())
            && let Ok(policy) = Policy::new(&config, Surroundings::default())
        {
            let choice = ask("ml_agent", "train_model").params(json!({"dataset_size": 2_000_000})).choice(&policy);
            proptest::prop_assert!((1..=10).contains(&choice.overrides.priority));
            proptest::prop_assert!(choice.overrides.memory_gb > 0.0);
            let stored = Policy::from_canonical(policy.canonical()).unwrap();
            proptest::prop_assert_eq!(stored.version(), policy.version());
        }
    }
}
