//! Histories of waits.

use super::case::Step::*;
use super::case::*;
use crate::run::TaskStatus;
use crate::sla::OnBreach;

pub(super) const CASES: &[Case] = &[
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
];
