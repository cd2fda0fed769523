//! What is owed can be recomputed from the state alone.

use serde_json::json;

use super::given::{SUCCESS, allowed, pooled, tasks};
use super::script::Script;
use crate::ids::AttemptKey;
use crate::policy::Choice;
use crate::pool::LeaseAnswer;
use crate::run::{Command, Effect, ReportKind};

#[test]
fn a_dispatch_is_owed_until_the_agent_starts() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a");
    let dispatch = Effect::Dispatch(run.key("a"));
    assert_eq!(run.state.outstanding(), [dispatch]);
    run.report("a", ReportKind::Started);
    assert_eq!(run.state.outstanding(), []);
}

#[test]
fn a_decision_is_owed_while_a_task_is_ready_or_waits_for_a_slot() {
    let mut run = Script::of(tasks(&["a"]));
    assert_eq!(run.state.outstanding(), [Effect::Decide]);
    run.answer(
        "a",
        pooled(),
        Some(LeaseAnswer::Waiting {
            full: vec!["gpu".to_owned()],
        }),
    );
    assert_eq!(run.state.outstanding(), [Effect::Decide]);
    run.pause();
    assert_eq!(run.state.outstanding(), [], "nothing is decided while paused");
}

#[test]
fn admission_is_owed_until_it_comes_and_the_place_is_owed_back_at_the_end() {
    let mut run = Script::submitted(tasks(&["a"]), json!({}), true);
    assert_eq!(run.state.outstanding(), [Effect::Admit]);
    run.run(Command::Admit).succeed("a");
    assert_eq!(
        run.state.outstanding(),
        [Effect::Release(AttemptKey::admission(run.state.id()))]
    );
}

#[test]
fn a_fenced_attempt_is_owed_its_stop_until_it_is_heard_of() {
    let mut run = Script::of(tasks(&["a"]));
    run.answer(
        "a",
        Choice {
            timeout_ms: Some(5),
            ..allowed()
        },
        None,
    )
    .report("a", ReportKind::Started);
    let key = run.key("a");
    run.tick_after(5);
    assert!(
        run.state
            .outstanding()
            .starts_with(&[Effect::Stop(key), Effect::Release(key)])
    );
    run.report_of(key, SUCCESS);
    assert!(!run.state.outstanding().contains(&Effect::Stop(key)));
}

/// The report that ended an attempt is delivered again when its effects are not known to have been carried out.
#[test]
fn a_report_delivered_again_gives_the_slots_back_again() {
    let mut run = Script::of(tasks(&["a", "b"]));
    run.answer("a", pooled(), Some(LeaseAnswer::Taken))
        .report("a", SUCCESS);
    run.expect(&["TaskSucceeded a"], &["release a 1.1"]);
    run.report("a", SUCCESS).expect(&[], &["release a 1.1"]);
}

#[test]
fn effects_that_later_events_overtook_are_not_owed() {
    let mut run = Script::of(tasks(&["a"]));
    run.queue("a");
    let dispatch = Effect::Dispatch(run.key("a"));
    assert!(run.state.still_owes(dispatch));
    run.rerun("a");
    assert!(!run.state.still_owes(dispatch));
    assert!(run.state.still_owes(Effect::Decide));
    run.queue("a");
    assert!(!run.state.still_owes(Effect::Decide));
}
