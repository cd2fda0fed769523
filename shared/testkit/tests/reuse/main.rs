//! Tasks with `cache: true` over ports in memory, in both compositions: what is reused, what is not, and what a broken cache costs.

mod world;

use orchestrator_core::run::rollback::Target;
use orchestrator_core::run::{RunStatus, TaskStatus};
use orchestrator_engine::ports::cache::VALUE_BYTES_MAX;
use orchestrator_engine::ports::compute::AgentVersion;
use serde_json::{Value, json};

use world::{Given, World, both};

/// What is different, and how.
type Change = (&'static str, fn(&mut Given));

fn one() -> Value {
    json!([{"id": "t", "agent": "worker", "action": "work", "params": {"n": 1}, "cache": true}])
}

fn chain() -> Value {
    json!([
        {"id": "a", "agent": "worker", "action": "work", "cache": true},
        {"id": "b", "agent": "worker", "action": "work", "params": {"of": "${tasks.a.output}"}, "depends_on": ["a"], "cache": true},
        {"id": "c", "agent": "worker", "action": "join", "depends_on": ["b"]},
    ])
}

#[test]
fn the_same_again_is_answered_without_an_attempt() {
    both(|world| {
        let first = world.run(Given::tasks(chain()));
        assert_eq!(world.done(), ["a", "b", "c"]);
        let again = world.run(Given::tasks(chain()));
        assert_eq!(world.done(), ["c"], "only what may not be reused is done");
        let state = world.state(again);
        assert_eq!(state.status, RunStatus::Success);
        for task in ["a", "b"] {
            let node = state.node(state.find(task).expect("there is such a task"));
            let origin = node.reused().expect("it was reused");
            assert_eq!(
                (origin.run, origin.task.as_str(), origin.epoch, origin.attempt),
                (first, task, 1, 1)
            );
            assert_eq!(
                (node.attempts_total, &node.output),
                (0, &world.output(first, task))
            );
        }
        let reused = world.events(again, "TaskReused");
        assert_eq!(reused[0].0, reused[1].0, "a chain of results is one append");
    });
}

#[test]
fn whatever_a_result_depends_on_makes_another_result() {
    let with = |change: fn(&mut Given)| {
        let mut given = Given::tasks(one());
        change(&mut given);
        given
    };
    let others: [Change; 5] = [
        ("parameters", |given| given.tasks[0]["params"]["n"] = json!(2)),
        ("the action", |given| given.tasks[0]["action"] = json!("play")),
        ("the agent", |given| given.tasks[0]["agent"] = json!("other")),
        ("inputs", |given| given.inputs = json!({"day": 2})),
        ("the client", |given| given.client = "bob"),
    ];
    let same: [Change; 3] = [
        ("the name of the task", |given| {
            given.tasks[0]["id"] = json!("other")
        }),
        ("the name of the workflow", |given| given.name = "other"),
        ("the priority", |given| given.tasks[0]["priority"] = json!(9)),
    ];
    both(|world| {
        world.run(Given::tasks(one()));
        world.done();
        for (what, change) in same {
            world.run(with(change));
            assert!(world.done().is_empty(), "{what} changes nothing");
        }
        for (what, change) in others {
            world.run(with(change));
            assert_eq!(world.done().len(), 1, "{what}");
        }
        world.ports.compute.inner.set_version(AgentVersion([1; 32]));
        world.run(Given::tasks(one()));
        assert_eq!(world.done().len(), 1, "the agent's version");
    });
}

#[test]
fn another_output_upstream_makes_another_result() {
    both(|world| {
        let tasks = json!([
            {"id": "a", "agent": "worker", "action": "count"},
            {"id": "b", "agent": "worker", "action": "work", "depends_on": ["a"], "cache": true},
        ]);
        world.run(Given::tasks(tasks.clone()));
        assert_eq!(world.done(), ["a", "b"]);
        world.run(Given::tasks(tasks));
        assert_eq!(world.done(), ["a", "b"], "'count' gives another number each time");
    });
}

#[test]
fn a_broken_cache_costs_an_execution_and_nothing_else() {
    both(|world| {
        world.break_cache(true);
        for _ in 0..2 {
            let run = world.run(Given::tasks(chain()));
            assert_eq!(world.state(run).status, RunStatus::Success);
            assert_eq!(world.done(), ["a", "b", "c"]);
        }
        world.break_cache(false);
        world.run(Given::tasks(chain()));
        assert_eq!(world.done(), ["a", "b", "c"], "nothing was kept");
        world.run(Given::tasks(chain()));
        assert_eq!(world.done(), ["c"]);
    });
}

#[test]
fn what_cannot_be_read_is_done_again_and_kept_anew() {
    both(|world| {
        world.run(Given::tasks(one()));
        world.spoil();
        world.done();
        world.run(Given::tasks(one()));
        assert_eq!(world.done().len(), 1);
        world.run(Given::tasks(one()));
        assert!(world.done().is_empty());
    });
}

#[test]
fn a_rollback_takes_results_back_for_everybody() {
    for is_broken in [false, true] {
        both(|world| {
            let run = world.run(Given::tasks(chain()));
            world.done();
            world.break_cache(is_broken);
            let plan = world.plan(run, Target::Steps(3));
            let drops: Vec<bool> = plan.tasks.iter().map(|task| task.drops_cached).collect();
            assert_eq!(drops, [true, true, false]);
            assert_eq!(world.kept(), 2);
            world.roll_back(run, Target::Steps(3));
            if !is_broken {
                assert_eq!(world.kept(), 0, "what the plan drops is dropped");
            }
            world.work();
            assert_eq!(world.done(), ["a", "b", "c"], "it is really done");
            assert_eq!(world.state(run).status, RunStatus::Success);
            world.break_cache(false);
            let other = world.run(Given::tasks(chain()));
            let epoch = if is_broken { 1 } else { 2 };
            let state = world.state(other);
            let node = state.node(state.find("a").expect("there is such a task"));
            assert_eq!(node.reused().map(|origin| origin.epoch), Some(epoch));
        });
    }
}

#[test]
fn what_was_forgotten_by_a_dead_process_is_forgotten_by_the_next() {
    both(|world| {
        let run = world.run(Given::tasks(one()));
        world.done();
        world.break_cache(true);
        world.roll_back(run, Target::Steps(1));
        world.break_cache(false);
        assert_eq!(world.kept(), 1, "the first one could not");
        world.recover(run);
        assert_eq!(world.kept(), 0);
        world.work();
        assert_eq!((world.done().len(), world.kept()), (1, 1));
    });
}

#[test]
fn a_rerun_is_really_done() {
    both(|world| {
        let run = world.run(Given::tasks(one()));
        let again = world.run(Given::tasks(one()));
        world.done();
        world.rerun(again, "t");
        world.work();
        assert_eq!(world.done(), ["t"]);
        assert_eq!(world.state(again).status, RunStatus::Success);
        assert!(
            world.state(run).taken_back().next().is_none(),
            "the other run keeps its own"
        );
    });
}

#[test]
fn a_run_that_wants_everything_done_leaves_results_alone_and_keeps_its_own() {
    both(|world| {
        world.run(Given::tasks(one()));
        world.done();
        let fresh = world.run(Given {
            is_fresh: true,
            ..Given::tasks(one())
        });
        assert_eq!(world.done(), ["t"]);
        let after = world.run(Given::tasks(one()));
        let state = world.state(after);
        let origin = state.nodes()[0].reused().map(|origin| origin.run);
        assert_eq!(origin, Some(fresh));
    });
}

#[test]
fn a_hit_needs_no_slot() {
    both(|world| {
        let tasks = |task: &str, cache: bool| json!([{"id": task, "agent": "worker", "action": "work", "pools": ["tiny"], "cache": cache}]);
        world.run(Given::tasks(tasks("first", true)));
        let holder = world.start(Given::tasks(tasks("holder", false)));
        assert_eq!(world.state(holder).live().count(), 1, "the only slot is taken");
        let hit = world.start(Given::tasks(tasks("second", true)));
        assert_eq!(world.state(hit).status, RunStatus::Success);
    });
}

#[test]
fn who_waits_in_line_for_long_is_looked_for_again() {
    both(|world| {
        let tasks =
            json!([{"id": "t", "agent": "worker", "action": "work", "pools": ["tiny"], "cache": true}]);
        let first = world.start(Given::tasks(tasks.clone()));
        let second = world.start(Given::tasks(tasks));
        let waits = world.state(second).held().count();
        assert_eq!(waits, 1);
        world.work();
        assert_eq!(world.done(), ["t"], "the second is answered by the first");
        for run in [first, second] {
            assert_eq!(world.state(run).status, RunStatus::Success);
        }
        assert!(world.is_free("tiny"));
    });
}

#[test]
fn the_policy_comes_first() {
    both(|world| {
        let tasks = |action: &str| json!([{"id": "t", "agent": "worker", "action": action, "on_denied": "skip", "cache": true}]);
        let asked = world.start(Given::tasks(tasks("ask")));
        world.approve(asked, "t");
        world.work();
        assert_eq!(world.done(), ["t"]);
        let again = world.start(Given::tasks(tasks("ask")));
        assert_eq!(world.state(again).nodes()[0].status, TaskStatus::Held);
        world.approve(again, "t");
        assert!(world.state(again).nodes()[0].reused().is_some());
        let denied = world.run(Given::tasks(tasks("blocked")));
        assert_eq!(world.state(denied).nodes()[0].status, TaskStatus::Skipped);
    });
}

#[test]
fn a_failure_is_not_kept() {
    both(|world| {
        let tasks = json!([{"id": "t", "agent": "worker", "action": "fail", "cache": true}]);
        for _ in 0..2 {
            let run = world.run(Given::tasks(tasks.clone()));
            assert_eq!(world.state(run).status, RunStatus::Failed);
            assert_eq!(world.done(), ["t"]);
        }
        assert_eq!(world.kept(), 0);
    });
}

#[test]
fn results_expire() {
    both(|world| {
        world.run(Given::tasks(one()));
        world.done();
        world.ports.clock.advance(World::KEPT_MS);
        world.run(Given::tasks(one()));
        assert_eq!(world.done(), ["t"]);
    });
}

#[test]
fn what_is_too_large_is_not_kept() {
    both(|world| {
        let tasks = json!([{"id": "t", "agent": "worker", "action": "echo", "params": {"text": "x".repeat(VALUE_BYTES_MAX)}, "cache": true}]);
        for _ in 0..2 {
            world.run(Given::tasks(tasks.clone()));
            assert_eq!(world.done(), ["t"]);
        }
    });
}

#[test]
fn large_results_are_spread_over_several_appends() {
    both(|world| {
        let text = "x".repeat(VALUE_BYTES_MAX - 1_000);
        let task = |n: usize| json!({"id": format!("t{n}"), "agent": "worker", "action": "echo", "params": {"n": n, "text": text}, "cache": true});
        let tasks: Value = (0..12).map(task).collect();
        world.run(Given::tasks(tasks.clone()));
        assert_eq!(world.done().len(), 12);
        let run = world.run(Given::tasks(tasks));
        assert_eq!(
            (world.done().len(), world.state(run).status),
            (0, RunStatus::Success)
        );
        let reused = world.events(run, "TaskReused");
        let appends: std::collections::BTreeSet<u64> = reused.iter().map(|(seq, _)| *seq).collect();
        assert!((reused.len(), appends.len() > 1) == (12, true), "{appends:?}");
    });
}

#[test]
fn items_are_reused_one_by_one() {
    both(|world| {
        let tasks = |list: &str| json!([{"id": "each", "for_each": list, "agent": "worker", "action": "work", "params": {"of": "${item}"}, "cache": true}]);
        world.run(Given::tasks(tasks("[1, 2, 2]")));
        assert_eq!(
            world.done(),
            ["each[0]", "each[1]", "each[2]"],
            "twins that begin together are both done"
        );
        let run = world.run(Given::tasks(tasks("[3, 2, 1]")));
        assert_eq!(world.done(), ["each[0]"]);
        let output = world.output(run, "each");
        assert_eq!(output.as_deref().and_then(Value::as_array).map(Vec::len), Some(3));
    });
}

#[test]
fn tasks_that_may_not_be_reused_never_touch_the_cache() {
    both(|world| {
        let tasks = json!([{"id": "a", "agent": "worker", "action": "work"}, {"id": "b", "agent": "worker", "action": "fail", "depends_on": ["a"]}]);
        let run = world.run(Given::tasks(tasks));
        world.roll_back(run, Target::Steps(1));
        world.work();
        assert_eq!(world.cache_calls(), 0);
        let queued = world.events(run, "TaskQueued");
        assert!(
            queued.iter().all(|(_, event)| event.contains("lookup: None")),
            "{queued:?}"
        );
    });
}
