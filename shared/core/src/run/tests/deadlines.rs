//! Deadlines: one table of histories on a simulated clock, and the alerts each must lead to.
//!
//! Every history is lived through twice: with a timer that comes exactly when something is due, as in the embedded host,
//! and with a sweep that looks once a minute. The times may differ, the breaches and what ends well may not.

use std::collections::BTreeSet;

use serde_json::json;

use super::given::{SUCCESS, allowed, expression, failure, held, pooled, tasks, with};
use super::script::Script;
use crate::policy::{Choice, HoldReason};
use crate::pool::LeaseAnswer;
use crate::run::{Command, Event, FailureClass, Progress, ReportKind, RunStatus, TaskStatus};
use crate::sla::{OnBreach, SlaSpec};
use crate::time::Timestamp;

use Step::*;

/// One step of a history. Seconds; the task is `t`.
#[derive(Debug, Clone, Copy)]
enum Step {
    /// Time passes, and whatever is due happens.
    Wait(u64),
    /// Time passes, and nobody looks.
    Unseen(u64),
    /// The clock is set back.
    Back(u64),
    Queue,
    /// Queued by a choice that needs a slot.
    Slot,
    Start,
    Progress,
    /// Success; the start was reported before, if there was one.
    Succeed,
    /// Success, with a start so many seconds ago, of a task that was QUEUED until now.
    SucceedSince(u64),
    Fail,
    HoldForWindow,
    HoldForPool,
    Pause,
    Resume,
    Cancel,
    Rerun,
    Retry,
}

struct Case {
    name: &'static str,
    /// Of the task `t`.
    task: SlaSpec,
    /// Of the run.
    run: SlaSpec,
    steps: &'static [Step],
    /// `SECONDS what`, in order.
    alerts: &'static [&'static str],
    /// State of `t` in the end.
    ends: TaskStatus,
}

const NONE: SlaSpec = SlaSpec {
    task_max_seconds: None,
    workflow_max_seconds: None,
    queue_max_seconds: None,
    heartbeat_seconds: None,
    warn_percent: None,
    on_breach: None,
    on_workflow_breach: None,
};
const QUEUE: SlaSpec = SlaSpec {
    queue_max_seconds: Some(100.0),
    ..NONE
};
const TASK: SlaSpec = SlaSpec {
    task_max_seconds: Some(100.0),
    ..NONE
};
const HEARTBEAT: SlaSpec = SlaSpec {
    heartbeat_seconds: Some(100.0),
    ..NONE
};
const WORKFLOW: SlaSpec = SlaSpec {
    workflow_max_seconds: Some(100.0),
    ..NONE
};

const fn on_breach(spec: SlaSpec, action: OnBreach) -> SlaSpec {
    SlaSpec {
        on_breach: Some(action),
        on_workflow_breach: Some(action),
        ..spec
    }
}

const fn warns_at(spec: SlaSpec, percent: u8) -> SlaSpec {
    SlaSpec {
        warn_percent: Some(percent),
        ..spec
    }
}

const CASES: &[Case] = &[
    Case {
        name: "queued, never started",
        task: QUEUE,
        run: NONE,
        steps: &[Queue, Wait(1_000)],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low alert",
        ],
        ends: TaskStatus::Queued,
    },
    Case {
        name: "ready, and nobody decides",
        task: QUEUE,
        run: NONE,
        steps: &[Wait(1_000)],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low alert",
        ],
        ends: TaskStatus::Ready,
    },
    Case {
        name: "the wait counts from READY, whatever happens on the way to the start",
        task: QUEUE,
        run: NONE,
        steps: &[Wait(40), Queue, Wait(50), Start, Wait(1_000)],
        alerts: &["80.000 warned t 1.1 queue"],
        ends: TaskStatus::Running,
    },
    Case {
        name: "waiting for a pool counts",
        task: QUEUE,
        run: NONE,
        steps: &[HoldForPool, Wait(120), Slot, Wait(10), Start],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low alert",
            "130.000 resolved t 1.1 queue late by 30.000",
        ],
        ends: TaskStatus::Running,
    },
    Case {
        name: "held by a window does not count",
        task: QUEUE,
        run: NONE,
        steps: &[Wait(50), HoldForWindow, Wait(500), Queue, Wait(40), Start],
        alerts: &["580.000 warned t 1.1 queue"],
        ends: TaskStatus::Running,
    },
    Case {
        name: "queued and never started is retried",
        task: on_breach(QUEUE, OnBreach::Retry),
        run: NONE,
        steps: &[Queue, Wait(120)],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low retry",
            "100.001 resolved t 1.1 queue late by 0.001",
        ],
        ends: TaskStatus::Ready,
    },
    Case {
        name: "what has no attempt cannot be retried",
        task: on_breach(QUEUE, OnBreach::Retry),
        run: NONE,
        steps: &[HoldForPool, Wait(120)],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low alert",
        ],
        ends: TaskStatus::Held,
    },
    Case {
        name: "waiting for too long fails",
        task: on_breach(QUEUE, OnBreach::Fail),
        run: NONE,
        steps: &[HoldForPool, Wait(120)],
        alerts: &[
            "80.000 warned t 1.1 queue",
            "100.001 breached t 1.1 queue low fail",
            "100.001 resolved t 1.1 queue late by 0.001",
        ],
        ends: TaskStatus::Failed,
    },
    Case {
        name: "running too long",
        task: TASK,
        run: NONE,
        steps: &[Wait(50), Queue, Wait(50), Start, Wait(350), Succeed],
        alerts: &[
            "180.000 warned t 1.1 task",
            "200.001 breached t 1.1 task low alert",
            "450.000 resolved t 1.1 task late by 250.000",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "finished exactly at the deadline",
        task: warns_at(TASK, 100),
        run: NONE,
        steps: &[Queue, Start, Wait(100), Succeed],
        alerts: &[],
        ends: TaskStatus::Success,
    },
    Case {
        name: "finished late before anybody looked",
        task: on_breach(TASK, OnBreach::Fail),
        run: NONE,
        steps: &[Queue, Start, Unseen(160), Succeed],
        alerts: &[
            "160.000 breached t 1.1 task high alert",
            "160.000 resolved t 1.1 task late by 60.000",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "start and success in one report: the run was too long, the wait was not",
        task: SlaSpec {
            queue_max_seconds: Some(30.0),
            ..TASK
        },
        run: NONE,
        steps: &[Queue, Unseen(131), SucceedSince(111)],
        alerts: &[
            "131.000 breached t 1.1 task medium alert",
            "131.000 resolved t 1.1 task late by 11.000",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "start and success in one report: the wait was too long, the run was not",
        task: SlaSpec {
            queue_max_seconds: Some(30.0),
            ..TASK
        },
        run: NONE,
        steps: &[Queue, Unseen(131), SucceedSince(100)],
        alerts: &[
            "131.000 breached t 1.1 queue low alert",
            "131.000 resolved t 1.1 queue late by 101.000",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "running too long is retried, and the next attempt has its own deadline",
        task: on_breach(TASK, OnBreach::Retry),
        run: NONE,
        steps: &[Queue, Start, Wait(120), Queue, Start, Wait(90), Succeed],
        alerts: &[
            "80.000 warned t 1.1 task",
            "100.001 breached t 1.1 task low retry",
            "100.001 resolved t 1.1 task late by 0.001",
            "200.000 warned t 1.2 task",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "running too long with no retry left",
        task: on_breach(TASK, OnBreach::Retry),
        run: NONE,
        steps: &[Queue, Start, Wait(120), Queue, Start, Wait(200)],
        alerts: &[
            "80.000 warned t 1.1 task",
            "100.001 breached t 1.1 task low retry",
            "100.001 resolved t 1.1 task late by 0.001",
            "200.000 warned t 1.2 task",
            "220.001 breached t 1.2 task low retry",
            "220.001 resolved t 1.2 task late by 0.001",
        ],
        ends: TaskStatus::Failed,
    },
    Case {
        name: "running too long is cancelled",
        task: on_breach(TASK, OnBreach::Cancel),
        run: NONE,
        steps: &[Queue, Start, Wait(200)],
        alerts: &[
            "80.000 warned t 1.1 task",
            "100.001 breached t 1.1 task low cancel",
            "100.001 resolved t 1.1 task late by 0.001",
        ],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "a paused run's attempts run on, and so does their time",
        task: warns_at(TASK, 100),
        run: NONE,
        steps: &[Queue, Start, Wait(50), Pause, Wait(100)],
        alerts: &["100.001 breached t 1.1 task low alert"],
        ends: TaskStatus::Running,
    },
    Case {
        name: "a paused run's tasks do not wait",
        task: QUEUE,
        run: NONE,
        steps: &[Queue, Wait(50), Pause, Wait(1_000), Resume, Wait(49), Start],
        alerts: &["1080.000 warned t 1.1 queue"],
        ends: TaskStatus::Running,
    },
    Case {
        name: "a task that becomes ready in a paused run waits from its resumption",
        task: warns_at(on_breach(QUEUE, OnBreach::Retry), 100),
        run: NONE,
        steps: &[
            Queue,
            Start,
            Fail,
            Pause,
            Wait(500),
            Resume,
            Wait(99),
            Queue,
            Start,
        ],
        alerts: &[],
        ends: TaskStatus::Running,
    },
    Case {
        name: "heartbeat lost",
        task: HEARTBEAT,
        run: NONE,
        steps: &[Queue, Start, Wait(70), Progress, Wait(120)],
        alerts: &[
            "150.000 warned t 1.1 heartbeat",
            "170.001 breached t 1.1 heartbeat low retry",
            "170.001 resolved t 1.1 heartbeat late by 0.001",
        ],
        ends: TaskStatus::Ready,
    },
    Case {
        name: "heard of again, and silent again: one alert",
        task: on_breach(HEARTBEAT, OnBreach::Alert),
        run: NONE,
        steps: &[Queue, Start, Wait(150), Progress, Wait(300), Progress],
        alerts: &[
            "80.000 warned t 1.1 heartbeat",
            "100.001 breached t 1.1 heartbeat low alert",
            "150.000 resolved t 1.1 heartbeat late by 50.000",
        ],
        ends: TaskStatus::Running,
    },
    Case {
        name: "heard of late before anybody looked: alive, and late",
        task: HEARTBEAT,
        run: NONE,
        steps: &[Queue, Start, Unseen(150), Progress, Wait(50)],
        alerts: &[
            "150.000 breached t 1.1 heartbeat high alert",
            "150.000 resolved t 1.1 heartbeat late by 50.000",
        ],
        ends: TaskStatus::Running,
    },
    Case {
        name: "run too long",
        task: NONE,
        run: WORKFLOW,
        steps: &[Queue, Start, Wait(350), Cancel],
        alerts: &[
            "80.000 warned run 1 workflow",
            "100.001 breached run 1 workflow low alert",
            "350.000 resolved run 1 workflow late by 250.000",
        ],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "run too long is cancelled",
        task: NONE,
        run: on_breach(WORKFLOW, OnBreach::Cancel),
        steps: &[Queue, Start, Wait(350)],
        alerts: &[
            "80.000 warned run 1 workflow",
            "100.001 breached run 1 workflow low cancel",
            "100.001 resolved run 1 workflow late by 0.001",
        ],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "run too long fails",
        task: NONE,
        run: on_breach(WORKFLOW, OnBreach::Fail),
        steps: &[Queue, Start, Wait(350)],
        alerts: &[
            "80.000 warned run 1 workflow",
            "100.001 breached run 1 workflow low fail",
            "100.001 resolved run 1 workflow late by 0.001",
        ],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "a paused run's time stands still",
        task: NONE,
        run: WORKFLOW,
        steps: &[Wait(50), Pause, Wait(1_000), Resume, Wait(49), Cancel],
        alerts: &["1080.000 warned run 1 workflow"],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "a missed deadline is said before the run is paused",
        task: on_breach(QUEUE, OnBreach::Fail),
        run: WORKFLOW,
        steps: &[Unseen(120), Pause, Wait(1_000)],
        alerts: &[
            "120.000 breached run 1 workflow medium alert",
            "120.000 breached t 1.1 queue medium fail",
            "120.000 resolved t 1.1 queue late by 20.000",
        ],
        ends: TaskStatus::Failed,
    },
    Case {
        name: "a run that is opened again has its time again",
        task: NONE,
        run: WORKFLOW,
        steps: &[Wait(150), Cancel, Wait(1_000), Retry, Wait(99), Cancel],
        alerts: &[
            "80.000 warned run 1 workflow",
            "100.001 breached run 1 workflow low alert",
            "150.000 resolved run 1 workflow late by 50.000",
            "1230.000 warned run 2 workflow",
        ],
        ends: TaskStatus::Cancelled,
    },
    Case {
        name: "a task that starts over is resolved, and has its time again",
        task: TASK,
        run: NONE,
        steps: &[
            Queue,
            Start,
            Wait(150),
            Rerun,
            Wait(500),
            Queue,
            Start,
            Wait(99),
            Succeed,
        ],
        alerts: &[
            "80.000 warned t 1.1 task",
            "100.001 breached t 1.1 task low alert",
            "150.000 resolved t 1.1 task late by 50.000",
            "730.000 warned t 2.1 task",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "a task that starts over before anybody looked was late all the same",
        task: TASK,
        run: NONE,
        steps: &[Queue, Start, Unseen(150), Rerun],
        alerts: &[
            "150.000 breached t 1.1 task high alert",
            "150.000 resolved t 1.1 task late by 50.000",
        ],
        ends: TaskStatus::Ready,
    },
    Case {
        name: "a clock that goes backwards alerts once",
        task: TASK,
        run: NONE,
        steps: &[Queue, Start, Wait(150), Back(120), Wait(400), Back(500), Succeed],
        alerts: &[
            "80.000 warned t 1.1 task",
            "100.001 breached t 1.1 task low alert",
            "-70.000 resolved t 1.1 task late by 0.000",
        ],
        ends: TaskStatus::Success,
    },
    Case {
        name: "a clock that goes backwards while a task waits only delays",
        task: warns_at(QUEUE, 100),
        run: NONE,
        steps: &[
            Wait(60),
            Back(50),
            HoldForWindow,
            Wait(10),
            Queue,
            Wait(85),
            Start,
        ],
        alerts: &[],
        ends: TaskStatus::Running,
    },
];

const START: Timestamp = Timestamp(1_000);

struct History {
    run: Script,
    /// Whether somebody looks exactly when something is due; otherwise once a minute.
    has_timer: bool,
}

impl History {
    fn of(case: &Case, has_timer: bool) -> History {
        let tasks = with(tasks(&["t", "other"]), "t", |task| task.sla = case.task);
        let run = Script::with_deadlines(tasks, json!({}), false, case.run);
        assert_eq!(run.now, START);
        History { run, has_timer }
    }

    fn wait(&mut self, until: Timestamp) {
        loop {
            let next = match self.has_timer {
                true => self
                    .run
                    .state
                    .next_due()
                    .filter(|_| !self.run.state.status.is_terminal()),
                false => Some(Timestamp((self.run.now.0 / 60_000 + 1) * 60_000)),
            };
            match next.filter(|next| *next <= until) {
                Some(next) => {
                    self.run.now = next.max(self.run.now);
                    self.run.run(Command::Tick);
                }
                None => {
                    self.run.now = until;
                    return;
                }
            }
        }
    }

    fn step(&mut self, step: Step) {
        let run = &mut self.run;
        match step {
            Wait(seconds) => {
                let until = run.now + seconds * 1_000;
                self.wait(until);
            }
            Unseen(seconds) => run.now = run.now + seconds * 1_000,
            Back(seconds) => run.now = Timestamp(run.now.0 - seconds as i64 * 1_000),
            Queue => drop(run.answer("t", allowed(), None)),
            Slot => drop(run.answer("t", pooled(), Some(LeaseAnswer::Taken))),
            Start => drop(run.report("t", ReportKind::Started)),
            Progress => drop(run.report("t", progress())),
            Succeed => drop(run.report("t", SUCCESS)),
            SucceedSince(seconds) => {
                let started_at = Timestamp(run.now.0 - seconds as i64 * 1_000);
                let kind = ReportKind::Success {
                    started_at: Some(started_at),
                    output: None,
                };
                run.report("t", kind);
            }
            Fail => drop(run.report("t", ReportKind::Failure(failure(FailureClass::Error)))),
            HoldForWindow => drop(run.answer("t", held(HoldReason::Window, None), None)),
            HoldForPool => {
                let full = vec!["gpu".to_owned()];
                run.answer("t", pooled(), Some(LeaseAnswer::Waiting { full }));
            }
            Pause => drop(run.pause()),
            Resume => drop(run.resume()),
            Cancel => drop(run.cancel()),
            Rerun => drop(run.rerun("t")),
            Retry => drop(run.retry()),
        }
    }

    fn alerts(&self) -> Vec<String> {
        let run = &self.run;
        let show = |(at, event): &(Timestamp, Event)| {
            let key = event.alert_key()?;
            let at = (at.0 - START.0) as f64 / 1_000.0;
            let subject = match key.node {
                Some(node) => format!("{} {}.{}", run.state.name_of(node), key.epoch, key.attempt),
                None => format!("run {}", key.epoch),
            };
            let about = format!("{subject} {}", key.kind.as_str());
            Some(match event {
                Event::SlaWarned { .. } => format!("{at:.3} warned {about}"),
                Event::SlaBreached { severity, action, .. } => {
                    format!(
                        "{at:.3} breached {about} {} {}",
                        severity.as_str(),
                        action.as_str()
                    )
                }
                Event::SlaResolved { late_ms, .. } => {
                    format!(
                        "{at:.3} resolved {about} late by {:.3}",
                        *late_ms as f64 / 1_000.0
                    )
                }
                _ => return None,
            })
        };
        run.journal.iter().filter_map(show).collect()
    }
}

fn progress() -> ReportKind {
    ReportKind::Progress(
        Progress {
            percent: None,
            message: None,
        }
        .into(),
    )
}

/// What was breached and what was resolved, whenever it was noticed and however late it was by then.
fn essence(alerts: &[String]) -> BTreeSet<String> {
    let essence = |alert: &String| {
        let words: Vec<&str> = alert
            .split(' ')
            .skip(1)
            .filter(|word| *word != "warned")
            .collect();
        let kind = words
            .iter()
            .position(|word| matches!(*word, "queue" | "task" | "heartbeat" | "workflow"))?;
        matches!(words.first(), Some(&"breached" | &"resolved")).then(|| words[..=kind].join(" "))
    };
    alerts.iter().filter_map(essence).collect()
}

#[test]
fn every_history_leads_to_the_alerts_in_the_table() {
    for case in CASES {
        let mut history = History::of(case, true);
        case.steps.iter().for_each(|step| history.step(*step));
        assert_eq!(history.alerts(), case.alerts, "{}", case.name);
        assert_eq!(history.run.status("t"), case.ends, "{}", case.name);
    }
}

#[test]
fn a_sweep_once_a_minute_finds_the_same() {
    // An attempt that is ended between two looks is ended a little later; what comes after differs.
    let has_next_attempt = |case: &Case| {
        case.steps.iter().filter(|step| matches!(step, Queue)).count() > 1 && case.task.on_breach.is_some()
    };
    for case in CASES.iter().filter(|case| !has_next_attempt(case)) {
        let mut history = History::of(case, false);
        case.steps.iter().for_each(|step| history.step(*step));
        // The last look.
        history.run.run(Command::Tick);
        let expected: Vec<String> = case.alerts.iter().map(|alert| (*alert).to_owned()).collect();
        assert_eq!(essence(&history.alerts()), essence(&expected), "{}", case.name);
    }
}

#[test]
fn what_a_deadline_ends_is_stopped_and_gives_back_its_slots() {
    for (spec, class) in [
        (on_breach(TASK, OnBreach::Retry), FailureClass::Timeout),
        (HEARTBEAT, FailureClass::Lost),
    ] {
        let tasks = with(tasks(&["t", "other"]), "t", |task| task.sla = spec);
        let mut run = Script::of(tasks);
        run.answer("t", pooled(), Some(LeaseAnswer::Taken))
            .report("t", ReportKind::Started);
        run.tick_after(100_001).expect(
            &["SlaBreached t", "AttemptFailed t", "SlaResolved t"],
            &["stop t 1.1", "release t 1.1"],
        );
        let failed = run.state.node(run.node("t")).failure.clone();
        assert_eq!(failed.map(|failure| failure.class), Some(class));
        assert_eq!(
            run.state.fenced().count(),
            1,
            "whoever comes back late is refused"
        );
        let zombie = run.key("t");
        run.report_of(zombie, SUCCESS)
            .expect(&["ReportRefused t"], &["release t 1.1"])
            .expect_statuses("t RETRY_WAIT, other READY");
    }
}

#[test]
fn a_lost_worker_that_its_host_reports_is_not_fenced() {
    let tasks = with(tasks(&["t"]), "t", |task| task.sla = HEARTBEAT);
    let mut run = Script::of(tasks);
    run.start("t")
        .report("t", ReportKind::Failure(failure(FailureClass::Lost)));
    assert_eq!(run.state.fenced().count(), 0);
}

#[test]
fn what_follows_from_a_cancelled_task() {
    let tasks = with(tasks(&["t", "down <- t"]), "t", |task| {
        task.sla = on_breach(TASK, OnBreach::Cancel);
    });
    let mut run = Script::of(tasks);
    run.start("t").tick_after(100_001);
    run.expect_statuses("t CANCELLED, down SKIPPED")
        .expect_run(RunStatus::Failed);
    run.retry()
        .expect_run(RunStatus::Running)
        .expect_statuses("t READY, down PENDING");
}

#[test]
fn a_late_run_is_ended_by_the_sla() {
    for (action, status) in [
        (OnBreach::Cancel, RunStatus::Cancelled),
        (OnBreach::Fail, RunStatus::Failed),
    ] {
        let spec = on_breach(WORKFLOW, action);
        let mut run = Script::with_deadlines(tasks(&["a", "b <- a"]), json!({}), true, spec);
        run.tick_after(100_001)
            .expect_run(status)
            .expect_statuses("a CANCELLED, b CANCELLED");
        assert_eq!(
            run.effects().last().map(String::as_str),
            Some("release the run's place")
        );
    }
}

#[test]
fn children_have_deadlines_of_their_own_and_their_task_has_none() {
    let tasks = with(tasks(&["up", "t <- up"]), "t", |task| {
        task.sla = TASK;
        task.for_each = expression("[1, 2]");
    });
    let mut run = Script::of(tasks);
    run.succeed("up").start("t[0]");
    run.tick_after(50_000).start("t[1]");
    run.tick_after(60_000).expect(&["SlaBreached t[0]"], &[]);
    assert_eq!(run.state.violations().len(), 1);
    run.rerun("up");
    assert_eq!(
        run.state.violations().len(),
        0,
        "children that are left behind are resolved"
    );
    assert_eq!(run.state.next_deadline(), None);
}

#[test]
fn both_a_timer_and_a_deadline_come_in_their_order() {
    let choice = |timeout_ms| Choice {
        timeout_ms: Some(timeout_ms),
        ..allowed()
    };
    let spec = warns_at(TASK, 100);
    for (timeout_ms, expected) in [
        (100_000, vec!["SlaBreached t", "AttemptFailed t", "SlaResolved t"]),
        (200_000, vec!["SlaBreached t"]),
    ] {
        let tasks = with(tasks(&["t"]), "t", |task| task.sla = spec);
        let mut run = Script::of(tasks);
        run.answer("t", choice(timeout_ms), None)
            .report("t", ReportKind::Started)
            .tick_after(150_000);
        assert_eq!(run.events(), expected);
    }
}

#[test]
fn looking_costs_what_is_due() {
    let names: Vec<String> = (0..1_000).map(|n| format!("t{n}")).collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut run = Script::with_deadlines(tasks(&names), json!({}), false, TASK);
    for name in &names[..3] {
        run.start(name);
    }
    run.now = run.now + 50_000;
    for name in &names[3..50] {
        run.start(name);
    }
    assert_eq!(run.state.next_deadline(), Some(START + 80_000));
    run.tick_after(30_000);
    assert_eq!(run.events(), ["SlaWarned t0", "SlaWarned t1", "SlaWarned t2"]);
}
