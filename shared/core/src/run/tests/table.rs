//! The table of task states: every stimulus on every state, and the documented table against what was seen.

use std::collections::BTreeSet;

use super::given::{SUCCESS, allowed, expression, failure, held, pooled, tasks, undoable, with};
use super::script::Script;
use crate::policy::{Choice, HoldReason, Verdict};
use crate::pool::LeaseAnswer;
use crate::run::{Command, FailureClass, Progress, ReportKind, TaskStatus};
use crate::time::Timestamp;
use crate::workflow::OnDenied;

pub fn denied(on_denied: OnDenied) -> Choice {
    Choice {
        verdict: Verdict::Deny { on_denied },
        ..allowed()
    }
}

pub fn denied_skip() -> Choice {
    denied(OnDenied::Skip)
}

fn waiting() -> Option<LeaseAnswer> {
    Some(LeaseAnswer::Waiting {
        full: vec!["gpu".to_owned()],
    })
}

fn timed() -> Choice {
    Choice {
        timeout_ms: Some(1_000),
        ..allowed()
    }
}

/// A run of `up`, `t <- up`, `other` in which `t` has this status and nothing has ended the run.
fn in_status(status: TaskStatus) -> Script {
    let mut run = Script::of(tasks(&["up", "t <- up", "other"]));
    if status == TaskStatus::Pending {
        return run;
    }
    run.succeed("up");
    match status {
        TaskStatus::Ready => {}
        TaskStatus::Held => drop(run.answer("t", held(HoldReason::Approval, Some(Timestamp(50_000))), None)),
        TaskStatus::Queued => drop(run.answer("t", timed(), None)),
        TaskStatus::Running => drop(run.answer("t", timed(), None).report("t", ReportKind::Started)),
        TaskStatus::RetryWait => {
            run.answer("t", timed(), None)
                .report("t", ReportKind::Failure(failure(FailureClass::Error)));
        }
        TaskStatus::Success => drop(run.succeed("t")),
        TaskStatus::Failed => drop(run.fail("t")),
        TaskStatus::Skipped => drop(run.answer("t", denied_skip(), None)),
        TaskStatus::Cancelled => drop(run.cancel()),
        TaskStatus::Pending => unreachable!("returned above"),
    }
    run
}

type Stimulus = (&'static str, fn(&Script) -> Command);

/// Everything that can be said to a run about its task `t`.
const STIMULI: [Stimulus; 24] = [
    ("allow", |run| run.answer_of("t", allowed(), None)),
    ("slot", |run| {
        run.answer_of("t", pooled(), Some(LeaseAnswer::Taken))
    }),
    ("kept", |run| run.hit_of("t", 1)),
    ("full", |run| run.answer_of("t", pooled(), waiting())),
    ("hold", |run| {
        run.answer_of("t", held(HoldReason::Window, None), None)
    }),
    ("deny-skip", |run| {
        run.answer_of("t", denied(OnDenied::Skip), None)
    }),
    ("deny-fail", |run| {
        run.answer_of("t", denied(OnDenied::Fail), None)
    }),
    ("deny-hold", |run| {
        run.answer_of("t", denied(OnDenied::Hold), None)
    }),
    ("started", |run| report(run, ReportKind::Started)),
    ("progress", |run| {
        report(
            run,
            ReportKind::Progress(
                Progress {
                    percent: None,
                    message: None,
                }
                .into(),
            ),
        )
    }),
    ("success", |run| report(run, SUCCESS)),
    ("transient", |run| {
        report(run, ReportKind::Failure(failure(FailureClass::Transient)))
    }),
    ("permanent", |run| {
        report(run, ReportKind::Failure(failure(FailureClass::Permanent)))
    }),
    ("tick", |_| Command::Tick),
    ("cancel", |_| Command::Cancel {
        by: String::new(),
        reason: String::new(),
    }),
    ("pause", |_| Command::Pause { by: String::new() }),
    ("resume", |_| Command::Resume { by: String::new() }),
    ("retry", |_| Command::Retry { by: String::new() }),
    ("rerun", |run| run.rerun_of("t")),
    ("approve", |run| run.approve_of("t")),
    ("reject", |run| run.reject_of("t")),
    ("rerun-up", |run| run.rerun_of("up")),
    ("rollback", |run| run.rollback_of("to t")),
    ("rollback-up", |run| run.rollback_of("to up")),
];

fn report(run: &Script, kind: ReportKind) -> Command {
    let key = run.key("t");
    Command::Report(crate::run::Report {
        node: key.node,
        epoch: key.epoch,
        attempt: key.attempt,
        kind,
    })
}

/// Which stimuli change which states, and to what. Everything not listed leaves the state as it is or is refused.
const TABLE: &str = "
PENDING     cancel=CANCELLED
READY       allow=QUEUED slot=QUEUED kept=SUCCESS full=HELD hold=HELD deny-skip=SKIPPED deny-fail=FAILED deny-hold=HELD \
            cancel=CANCELLED rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
HELD        allow=QUEUED slot=QUEUED kept=SUCCESS full=HELD hold=HELD deny-skip=SKIPPED deny-fail=FAILED deny-hold=HELD \
            tick=READY cancel=CANCELLED rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING approve=READY reject=FAILED
QUEUED      started=RUNNING progress=RUNNING success=SUCCESS transient=RETRY_WAIT permanent=FAILED \
            cancel=CANCELLED rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
RUNNING     success=SUCCESS transient=RETRY_WAIT permanent=FAILED tick=RETRY_WAIT \
            cancel=CANCELLED rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
RETRY_WAIT  tick=READY cancel=CANCELLED rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
SUCCESS     rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
FAILED      rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
SKIPPED     rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
CANCELLED   retry=READY rerun=READY rerun-up=PENDING \
            rollback=READY rollback-up=PENDING
";

#[test]
fn every_stimulus_on_every_state_does_what_the_table_says() {
    let mut expected = BTreeSet::new();
    for line in TABLE.lines().filter(|line| !line.is_empty()) {
        let mut words = line.split_whitespace();
        let from = words.next().expect("a state");
        expected.extend(words.map(|change| format!("{from} {change}")));
    }
    let mut seen = BTreeSet::new();
    for status in TaskStatus::ALL {
        for (name, command) in STIMULI {
            let mut run = in_status(status);
            assert_eq!(run.status("t"), status);
            let epoch = run.key("t").epoch;
            run.now = run.now + 100_000;
            if run.attempt(command(&run)).is_err() {
                continue;
            }
            let moved = run.status("t") != status || run.key("t").epoch != epoch;
            let held_again = status == TaskStatus::Held && run.events().contains(&"TaskHeld t".to_owned());
            if moved || held_again {
                seen.insert(format!("{status} {name}={}", run.status("t")));
            }
        }
    }
    assert_eq!(seen, expected, "left: the code; right: the table");
}

/// `FROM -> TO` pairs of the table in the module's documentation.
fn documented() -> BTreeSet<(String, String)> {
    let source = include_str!("../mod.rs");
    let words = |text: &str, known: fn(&str) -> bool| -> Vec<String> {
        let states = text.split(|c: char| !(c.is_ascii_uppercase() || c == '_'));
        states.filter(|word| known(word)).map(str::to_owned).collect()
    };
    let is_state = |word: &str| TaskStatus::ALL.iter().any(|status| status.as_str() == word);
    let all = || TaskStatus::ALL.map(|status| status.as_str().to_owned()).to_vec();
    let mut pairs = BTreeSet::new();
    for line in source.lines().filter(|line| line.contains("-->")) {
        let (left, right) = line.split_once("-->").expect("filtered");
        let (from, _) = left.split_once("--").expect("FROM --cause--> TO");
        let from = match from {
            any if any.contains("any open") => TaskStatus::ALL
                .iter()
                .filter(|status| !status.is_terminal())
                .map(|s| s.as_str().to_owned())
                .collect(),
            any if any.contains("any but PENDING") => {
                all().into_iter().filter(|status| status != "PENDING").collect()
            }
            states => words(states, is_state),
        };
        for from in from {
            let to = words(right, is_state).into_iter().filter(|to| *to != from);
            pairs.extend(to.map(|to| (from.clone(), to)));
        }
    }
    pairs
}

/// `FROM -> TO` of every event of scripts that make every kind of transition.
fn seen() -> BTreeSet<(String, String)> {
    let mut pairs = BTreeSet::new();
    let mut watch = |run: &mut Script, command: Command| {
        let before: Vec<TaskStatus> = run.state.nodes().iter().map(|node| node.status).collect();
        let mut state = run.state.clone();
        if run.attempt(command.clone()).is_err() {
            return;
        }
        let mut last = before;
        let outcome = crate::run::decide(&mut state.clone(), command, run.now).expect("accepted above");
        for event in outcome.events {
            state.evolve(&event, run.now);
            for (index, node) in state.nodes().iter().enumerate() {
                let from = last.get(index).copied().unwrap_or_default();
                if from != node.status && !node.retired {
                    pairs.insert((from.as_str().to_owned(), node.status.as_str().to_owned()));
                }
            }
            last = state.nodes().iter().map(|node| node.status).collect();
        }
    };
    for status in TaskStatus::ALL {
        for (_, command) in STIMULI {
            let mut run = in_status(status);
            run.now = run.now + 100_000;
            let command = command(&run);
            watch(&mut run, command);
        }
    }
    // What only upstream tasks, conditions, lists and exhausted retries bring about.
    let last_try = Choice {
        retry: crate::policy::RetryRule {
            max_retries: 0,
            ..timed().retry
        },
        ..timed()
    };
    let mut run = Script::of(tasks(&["t"]));
    run.answer("t", last_try, None).report("t", ReportKind::Started);
    run.now = run.now + 100_000;
    watch(&mut run, Command::Tick);
    for (condition, list) in [
        (Some("false"), None),
        (Some("1"), None),
        (None, Some("[1]")),
        (None, Some("[]")),
    ] {
        let tasks = with(tasks(&["up", "t <- up", "down <- up"]), "t", |task| {
            task.when = condition.and_then(expression);
            task.for_each = list.and_then(expression);
        });
        let mut run = Script::of(tasks);
        run.queue("up");
        let key = run.key("up");
        let report = |kind| crate::run::Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        };
        watch(&mut run, Command::Report(report(SUCCESS)));
        for kind in [SUCCESS, ReportKind::Failure(failure(FailureClass::Permanent))] {
            if run.state.find("t[0]").is_none() {
                continue;
            }
            let mut run = Script::of(with(super::given::tasks(&["t"]), "t", |task| {
                task.for_each = expression("[1]")
            }));
            run.queue("t[0]");
            let key = run.key("t[0]");
            let report = crate::run::Report {
                node: key.node,
                epoch: key.epoch,
                attempt: key.attempt,
                kind,
            };
            watch(&mut run, Command::Report(report));
            let rerun = run.rerun_of("t[0]");
            watch(&mut run, rerun);
        }
    }
    let mut run = Script::of(undoable(tasks(&["t"]), &["t"]));
    run.succeed("t").roll_back("1 step").fail("undo:t#1");
    let approve = run.approve_of("undo:t#1");
    watch(&mut run, approve);
    let mut run = Script::of(with(tasks(&["t"]), "t", |task| task.for_each = expression("[1]")));
    run.cancel();
    watch(&mut run, Command::Retry { by: String::new() });
    let mut run = Script::of(tasks(&["up", "t <- up"]));
    run.queue("up");
    let key = run.key("up");
    let kind = ReportKind::Failure(failure(FailureClass::Permanent));
    watch(
        &mut run,
        Command::Report(crate::run::Report {
            node: key.node,
            epoch: key.epoch,
            attempt: key.attempt,
            kind,
        }),
    );
    pairs
}

#[test]
fn the_documented_table_is_what_the_code_does() {
    let (documented, seen) = (documented(), seen());
    let undocumented: Vec<_> = seen.difference(&documented).collect();
    let unseen: Vec<_> = documented.difference(&seen).collect();
    assert!(
        undocumented.is_empty(),
        "transitions that the table in run/mod.rs lacks: {undocumented:?}"
    );
    assert!(unseen.is_empty(), "transitions that nothing makes: {unseen:?}");
}
