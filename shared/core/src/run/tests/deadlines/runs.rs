//! Histories of runs, of what starts over, and of clocks that are set back.

use super::case::Step::*;
use super::case::*;
use crate::run::TaskStatus;
use crate::sla::OnBreach;

pub(super) const CASES: &[Case] = &[
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
