//! Given a history of commands, what people get to see.

use std::sync::Arc;

use orchestrator_core::ids::NodeIx;
use orchestrator_core::policy::{Policy, PolicyConfig, Question, RunFacts, Surroundings, TaskFacts, choose};
use orchestrator_core::pool::LeaseAnswer;
use orchestrator_core::run::{self, Answer, Command, Report, ReportKind, RunState};
use orchestrator_core::time::Timestamp;
use serde_json::{Value, json};

use super::run::TaskPage;
use super::{ExplainView, RunView};
use crate::given::submitted;

const NOW: Timestamp = Timestamp(1_000_000);

/// A run whose tasks are answered as the policy says.
struct Given {
    state: RunState,
    policy: Policy,
}

impl Given {
    fn run(decision: Value, tasks: &str) -> Given {
        let document = format!("name: w\ntasks:\n{tasks}");
        let state = submitted(&document, NOW);
        let config: PolicyConfig = serde_json::from_value(decision).unwrap();
        let policy = Policy::new(&config, Surroundings::default()).unwrap();
        Given { state, policy }
    }

    fn node(&self, task: &str) -> NodeIx {
        self.state.find(task).unwrap()
    }

    /// The policy's answer about a task, and the pools'.
    fn answered(mut self, task: &str, lease: LeaseAnswer) -> Given {
        let node = self.node(task);
        let definition = self.state.task_of(node);
        let inputs = json!({});
        let run = RunFacts::planned(&self.state.workflow, &inputs, &inputs, NOW);
        let question = Question {
            task: TaskFacts::of(definition, &inputs),
            run,
            now: NOW,
            usage: &[],
        };
        let choice = Arc::new(choose(&self.policy, &question));
        let answer = Answer {
            node,
            epoch: 1,
            choice,
            lease: Some(lease),
            usage: vec![3],
            lookup: None,
            output: None,
        };
        run::decide(&mut self.state, Command::Answer(vec![answer]), NOW).unwrap();
        self
    }

    fn succeeded(mut self, task: &str, output: Value) -> Given {
        let kind = ReportKind::Success {
            started_at: None,
            output: Some(Arc::new(output)),
        };
        let report = Report {
            node: self.node(task),
            epoch: 1,
            attempt: 1,
            kind,
        };
        run::decide(&mut self.state, Command::Report(report), NOW).unwrap();
        self
    }

    fn explained(&self, task: &str) -> ExplainView {
        ExplainView::of(&self.state, self.node(task), Vec::new(), NOW)
    }
}

fn full(pool: &str) -> LeaseAnswer {
    LeaseAnswer::Waiting {
        full: vec![pool.to_owned()],
    }
}

const CHAIN: &str = "  - {id: a, agent: ml_agent, action: run}
  - {id: b, agent: noop, action: run, depends_on: [a]}
  - {id: c, agent: noop, action: run, depends_on: [b]}\n";

#[test]
fn what_waits_names_what_is_really_open_however_far_up() {
    let given = Given::run(json!({}), CHAIN).answered("a", full("gpu"));
    let why = given.explained("c");
    assert_eq!(why.answer, "'c' waits for 'b'.");
    assert_eq!(why.waits_for.len(), 1);
    assert_eq!(
        (why.waits_for[0].task.as_str(), why.waits_for[0].why.as_str()),
        ("a", "it waits for a free slot of pool 'gpu'")
    );
}

#[test]
fn what_is_held_for_a_pool_tells_which_and_what_was_seen() {
    let why = Given::run(json!({}), CHAIN)
        .answered("a", full("gpu"))
        .explained("a");
    assert_eq!(why.answer, "'a' is HELD: it waits for a free slot of pool 'gpu'.");
    assert!(
        why.next_steps[0].starts_with("orchestrator pools"),
        "{:?}",
        why.next_steps
    );
    assert_eq!(why.choice.unwrap().pools[0].pool, "gpu");
}

#[test]
fn what_runs_tells_why_there_and_how_full_the_pool_was() {
    let why = Given::run(json!({}), CHAIN)
        .answered("a", LeaseAnswer::Taken)
        .explained("a");
    assert!(
        why.answer.starts_with("'a' is QUEUED: it runs on gpu because"),
        "{}",
        why.answer
    );
    assert_eq!(why.choice.unwrap().pools[0].used, Some(3));
}

#[test]
fn a_skip_is_followed_down_to_the_denial_that_began_it() {
    let given = Given::run(json!({"blocked_actions": ["run"], "on_denied": "skip"}), CHAIN)
        .answered("a", LeaseAnswer::Taken);
    let why = given.explained("c");
    assert_eq!(
        why.answer,
        "'c' was SKIPPED: 'b', which it depends on, is SKIPPED."
    );
    assert!(
        why.because[1].contains("'run' is in blocked_actions"),
        "{:?}",
        why.because
    );
}

#[test]
fn a_denied_task_shows_the_choice_that_denied_it() {
    for (on_denied, decision) in [("skip", "deny: skip"), ("hold", "deny: hold")] {
        let config = json!({"blocked_actions": ["run"], "on_denied": on_denied});
        let given = Given::run(config, CHAIN).answered("a", LeaseAnswer::Taken);
        let why = given.explained("a");
        let recorded = format!("said '{decision}': denied because the action 'run' is in blocked_actions");
        assert!(
            why.because.iter().any(|sentence| sentence.contains(&recorded)),
            "{:?}",
            why.because
        );
        assert_eq!(why.choice.unwrap().decision, decision);
    }
}

#[test]
fn a_held_task_offers_the_words_a_person_can_say() {
    let rule = json!({"rules": [{"name": "ask", "when": "true", "require_approval": "somebody must look"}]});
    let why = Given::run(rule, CHAIN)
        .answered("a", LeaseAnswer::Taken)
        .explained("a");
    assert!(why.answer.contains("somebody must look"), "{}", why.answer);
    let verbs: Vec<&str> = why
        .next_steps
        .iter()
        .filter_map(|step| step.split(' ').nth(1))
        .collect();
    assert_eq!(verbs, ["approve", "reject"]);
}

#[test]
fn pages_of_tasks_go_through_all_of_them_and_large_outputs_stay_out() {
    let large = Value::from("x".repeat(5_000));
    let given = Given::run(json!({}), CHAIN)
        .answered("a", LeaseAnswer::Taken)
        .succeeded("a", large);
    let mut seen = Vec::new();
    let mut page = TaskPage {
        limit: 1,
        ..TaskPage::default()
    };
    loop {
        let view = RunView::of(&given.state, 1, page, NOW);
        assert_eq!((view.tasks.len(), view.tasks_total), (1, 3));
        seen.extend(view.tasks);
        match view.tasks_next {
            Some(next) => page.after = next,
            None => break,
        }
    }
    let ids: Vec<&str> = seen.iter().map(|task| task.id.as_str()).collect();
    assert_eq!(ids, ["a", "b", "c"]);
    assert_eq!((&seen[0].output, seen[0].output_bytes), (&None, Some(5_002)));
}
