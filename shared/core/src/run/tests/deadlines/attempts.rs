//! Histories of attempts: run time and silence.

use super::case::Step::*;
use super::case::*;
use crate::run::TaskStatus;
use crate::sla::{OnBreach, SlaSpec};

pub(super) const CASES: &[Case] = &[
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
];
