//! Denials, holds and windows.

use super::*;

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
