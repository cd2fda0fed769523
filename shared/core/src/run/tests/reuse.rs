//! Results that are kept, reused and taken back.

use std::sync::Arc;

use serde_json::json;

use super::given::{SUCCESS, allowed, expression, failure, pooled, tasks, with};
use super::script::Script;
use crate::ids::RunId;
use crate::policy::Choice;
use crate::pool::LeaseAnswer;
use crate::run::{
    Command, Effect, FailureClass, Found, Lookup, Origin, ReportKind, ResultKey, RunStatus, TaskStatus,
};
use crate::time::Timestamp;
use crate::workflow::Task;

fn cached(lines: &[&str]) -> Vec<Task> {
    let mut tasks = tasks(lines);
    tasks.iter_mut().for_each(|task| task.cache = true);
    tasks
}

fn kept() -> Found {
    Found::Kept(Origin {
        run: RunId::from_parts(9, 9),
        task: "other".to_owned(),
        epoch: 1,
        attempt: 1,
        at: Timestamp(500),
        run_ms: 250,
    })
}

impl Script {
    /// The policy allows the task, and this was found under the key `[key; 32]`.
    fn find_of(
        &self,
        name: &str,
        key: u8,
        found: Found,
        choice: Choice,
        lease: Option<LeaseAnswer>,
    ) -> Command {
        let Command::Answer(mut answers) = self.answer_of(name, choice, lease) else {
            panic!("an answer")
        };
        let is_hit = matches!(found, Found::Kept(_));
        answers[0].output = is_hit.then(|| Arc::new(json!("kept")));
        answers[0].lookup = Some(Arc::new(Lookup {
            key: ResultKey([key; 32]),
            found,
        }));
        Command::Answer(answers)
    }

    pub fn hit_of(&self, name: &str, key: u8) -> Command {
        self.find_of(name, key, kept(), allowed(), None)
    }

    #[track_caller]
    fn find(
        &mut self,
        name: &str,
        key: u8,
        found: Found,
        choice: Choice,
        lease: Option<LeaseAnswer>,
    ) -> &mut Script {
        let command = self.find_of(name, key, found, choice, lease);
        self.run(command)
    }

    #[track_caller]
    fn miss(&mut self, name: &str, key: u8) -> &mut Script {
        self.find(name, key, Found::Nothing, allowed(), None)
    }

    #[track_caller]
    fn hit(&mut self, name: &str, key: u8) -> &mut Script {
        self.find(name, key, kept(), allowed(), None)
    }
}

#[test]
fn a_kept_result_ends_the_task_without_an_attempt() {
    let mut run = Script::of(cached(&["a", "b <- a"]));
    run.hit("a", 1)
        .expect(&["ChoiceMade", "TaskReused a", "TaskReady b"], &["decide"]);
    let entry = run.state.node(run.node("a"));
    assert_eq!((entry.attempt, entry.attempts_total), (0, 0));
    assert_eq!(entry.output.as_deref(), Some(&json!("kept")));
    assert_eq!(entry.reused().map(|origin| origin.run_ms), Some(250));
    run.hit("b", 2).expect_run(RunStatus::Success);
}

#[test]
fn a_result_that_is_found_late_gives_the_place_in_line_back() {
    let mut run = Script::of(cached(&["a"]));
    let waiting = LeaseAnswer::Waiting {
        full: vec!["gpu".to_owned()],
    };
    run.find("a", 1, Found::Nothing, pooled(), Some(waiting));
    run.find("a", 1, kept(), pooled(), None);
    run.expect(&["TaskReused a", "RunSucceeded"], &["release a 1.1"]);
}

#[test]
fn the_result_of_a_success_is_kept_and_that_of_a_failure_is_not() {
    let mut run = Script::of(cached(&["a", "b"]));
    run.miss("a", 1).report("a", SUCCESS);
    run.expect(&["TaskSucceeded a"], &["keep a 1.1"]);
    run.miss("b", 2)
        .report("b", ReportKind::Failure(failure(FailureClass::Error)));
    run.expect(&["AttemptFailed b"], &[]);
    run.tick_after(60_000);
    run.hit("b", 2).expect(&["TaskReused b", "RunSucceeded"], &[]);
    assert!(run.state.outstanding().is_empty(), "nothing is kept twice");
}

#[test]
fn tasks_that_are_not_to_be_reused_have_no_part_in_it() {
    let mut run = Script::of(tasks(&["a"]));
    run.succeed("a").expect(&["TaskSucceeded a", "RunSucceeded"], &[]);
    run.roll_back("1 step");
    assert!(!run.effects().iter().any(|effect| effect.starts_with("forget")));
    assert!(!run.state.is_taken_back(run.node("a")));
}

#[test]
fn a_rollback_forgets_what_it_takes_back_and_owes_it_until_it_is_made_again() {
    let mut run = Script::of(cached(&["a", "b <- a"]));
    run.hit("a", 1).miss("b", 2).report("b", SUCCESS);
    let plan = run.plan("to a");
    assert!(plan.tasks.iter().all(|task| task.drops_cached), "{plan:?}");
    assert_eq!(plan.redo_ms, 250, "the time that was saved");
    run.roll_back("to a");
    let effects = run.effects();
    assert!(effects.contains(&"forget 1".to_owned()) && effects.contains(&"forget 2".to_owned()));
    let forget = |key: u8| Effect::Forget(ResultKey([key; 32]));
    assert_eq!(
        run.state.outstanding(),
        [forget(1), forget(2), Effect::Decide],
        "whoever died before it was done"
    );
    assert!(run.state.is_taken_back(run.node("a")));
    run.find("a", 1, Found::TakenBack, allowed(), None)
        .report("a", SUCCESS);
    assert!(run.effects().contains(&"keep a 2.1".to_owned()));
    assert_eq!(run.state.outstanding(), [forget(2), Effect::Decide]);
    run.find("b", 3, Found::TakenBack, allowed(), None)
        .report("b", SUCCESS)
        .expect_run(RunStatus::Success);
    assert_eq!(run.state.outstanding(), [], "what is left expires");
}

#[test]
fn a_task_that_was_taken_back_is_really_done_however_often_it_starts_over() {
    let mut run = Script::of(cached(&["a"]));
    run.hit("a", 1).rerun("a");
    run.find("a", 1, Found::TakenBack, allowed(), None);
    run.report("a", ReportKind::Failure(failure(FailureClass::Permanent)))
        .expect_run(RunStatus::Failed)
        .retry();
    assert!(run.state.is_taken_back(run.node("a")));
}

#[test]
fn items_are_reused_one_by_one_and_taken_back_together() {
    let fan = with(cached(&["each", "join <- each"]), "each", |task| {
        task.for_each = expression("[1, 2]");
    });
    let mut run = Script::of(fan);
    run.hit("each[0]", 1)
        .miss("each[1]", 2)
        .report("each[1]", SUCCESS);
    run.expect_statuses("each SUCCESS, join READY, each[0] SUCCESS, each[1] SUCCESS");
    run.roll_back("to each");
    let forgotten = run.effects();
    assert!(forgotten.contains(&"forget 1".to_owned()) && forgotten.contains(&"forget 2".to_owned()));
    let item = run.node("each[0]");
    assert!(
        run.state.is_taken_back(item),
        "the items that came in their place"
    );
    run.find("each[0]", 1, Found::TakenBack, allowed(), None)
        .report("each[0]", SUCCESS);
    assert_eq!(run.status("each[0]"), TaskStatus::Success);
    let owed = run.state.outstanding();
    assert!(
        !owed.contains(&Effect::Forget(ResultKey([1; 32]))),
        "it was made again"
    );
    assert!(owed.contains(&Effect::Forget(ResultKey([2; 32]))));
}
