//! Events of every kind, drawn by chance.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::policy::{Choice, HoldReason, Overrides, PoolDemand, RetryRule, Verdict};
use orchestrator_core::run::rollback::{PlanToken, Request, RolledBack, Target};
use orchestrator_core::run::{
    Carrier, Event, Failure, FailureClass, Found, Lookup, Origin, Progress, ResultKey, SkipReason, Submission,
};
use orchestrator_core::sla::{AlertKey, DeadlineKind, Lateness, OnBreach, SlaSpec};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{OnDenied, ResourceClass};
use orchestrator_testkit::random::Random;
use serde_json::{Value, json};

/// The time of their records.
pub const AT: Timestamp = Timestamp(1_767_656_400_000);

/// Kinds of event that [`event`] makes.
pub const KINDS: u64 = 41;

fn text(random: &mut Random) -> String {
    (*random.pick(&["", "me", "ünïcödé 🐧", "a \"quoted\" line\nand another", "x"])).to_owned()
}

fn value(random: &mut Random, depth: u32) -> Value {
    match random.below(if depth == 0 { 5 } else { 7 }) {
        0 => Value::Null,
        1 => json!(random.chance(500)),
        2 => json!(random.bits().cast_signed()),
        // Exact in binary: without its `float_roundtrip`, serde_json may read others back with another last bit.
        3 => json!(0.125 * f64::from(u32::try_from(random.below(1_000)).unwrap_or(0))),
        4 => json!(text(random)),
        5 => (0..random.below(4)).map(|_| value(random, depth - 1)).collect(),
        _ => json!({"a": value(random, depth - 1), "": value(random, depth - 1)}),
    }
}

fn small(random: &mut Random) -> u32 {
    *random.pick(&[0, 1, 2, 23, 24, 255, 256, 65_536, u32::MAX])
}

fn failure(random: &mut Random) -> Arc<Failure> {
    let class = *random.pick(&FailureClass::ALL);
    let exit_code = random.chance(500).then(|| *random.pick(&[0, 1, 75, -9]));
    Arc::new(Failure {
        class,
        message: text(random),
        exit_code,
    })
}

fn choice(random: &mut Random) -> Choice {
    let holds = [
        HoldReason::Window,
        HoldReason::Pool,
        HoldReason::Approval,
        HoldReason::Budget,
        HoldReason::Policy,
        HoldReason::Denied,
    ];
    let verdict = match random.below(3) {
        0 => Verdict::Allow,
        1 => Verdict::Deny {
            on_denied: *random.pick(&[OnDenied::Skip, OnDenied::Fail, OnDenied::Hold]),
        },
        _ => Verdict::Hold {
            reason: *random.pick(&holds),
            until: random.chance(500).then_some(Timestamp(-5)),
        },
    };
    let extra = BTreeMap::from([(text(random), value(random, 1))]);
    Choice {
        verdict,
        overrides: Overrides {
            resource_class: *random.pick(&ResourceClass::ALL),
            priority: 7,
            memory_gb: 1.5,
            llm_model: random.chance(500).then(|| text(random)),
            use_distributed: random.chance(500),
            extra: if random.chance(500) {
                extra
            } else {
                BTreeMap::new()
            },
        },
        retry: RetryRule {
            auto: random.chance(500),
            max_retries: small(random),
            backoff_base_ms: 1,
            backoff_max_ms: u64::MAX,
        },
        timeout_ms: random.chance(500).then(|| random.bits()),
        pools: (0..random.below(3))
            .map(|n| PoolDemand {
                pool: format!("pool-{n}"),
                slots: small(random),
            })
            .collect(),
        matched: (0..random.below(3)).map(|_| text(random)).collect(),
        reason: text(random),
        policy_version: "0123456789ab".to_owned(),
    }
}

fn submission(random: &mut Random) -> Submission {
    Submission {
        run: RunId::from_parts(1, u128::from(random.bits())),
        definition: [u8::try_from(random.below(256)).unwrap_or(0); 32],
        client_id: text(random),
        inputs: Arc::new(value(random, 2)),
        metadata: Arc::new(json!({"urgent": true})),
        priority: random.chance(500).then_some(10),
        trace: Carrier {
            parent: random.chance(500).then(|| text(random)),
            ..Carrier::default()
        },
        needs_admission: random.chance(500),
        is_fresh: false,
        sla: SlaSpec::default(),
    }
}

fn rolled_back(random: &mut Random) -> RolledBack {
    let nodes = |random: &mut Random| (0..random.below(4)).map(|_| NodeIx(small(random))).collect();
    let target = match random.below(3) {
        0 => Target::Steps(small(random)),
        1 => Target::ToTask(NodeIx(small(random))),
        _ => Target::Tasks(nodes(random)),
    };
    RolledBack {
        by: text(random),
        reason: text(random),
        request: Request {
            target,
            fresh: random.chance(500),
        },
        seeds: nodes(random),
        token: PlanToken([7; PlanToken::BYTES]),
        compensations: small(random),
    }
}

pub fn event(kind: u64, random: &mut Random) -> Event {
    let node = NodeIx(small(random));
    let by = text(random);
    match kind {
        0 => Event::RunSubmitted(Arc::new(submission(random))),
        1 => Event::RunAdmitted,
        2 => Event::RunPaused { by },
        3 => Event::RunResumed { by },
        4 => Event::RunCancelled {
            by,
            reason: text(random),
        },
        5 => Event::RunSucceeded,
        6 => Event::RunFailed,
        7 => Event::RunReopened {
            by,
            reason: text(random),
        },
        8 => Event::RunPriorityChanged { by, priority: 10 },
        9 => Event::TaskReady { node },
        10 => Event::TaskExpanded {
            node,
            items: Arc::new((0..random.below(4)).map(|_| value(random, 2)).collect()),
        },
        11 => Event::ChoiceMade {
            choice: Arc::new(choice(random)),
        },
        12 => {
            let usage = (0..random.below(4)).map(|_| small(random)).collect();
            Event::TaskQueued {
                node,
                attempt: small(random),
                choice: small(random),
                usage,
                lookup: None,
            }
        }
        13 => {
            let until = random.chance(500).then_some(Timestamp(AT.0 + 1));
            let full = (0..random.below(3)).map(|_| text(random)).collect();
            Event::TaskHeld {
                node,
                choice: small(random),
                hold: HoldReason::Pool,
                until,
                full,
            }
        }
        14 => Event::TaskApproved { node, by },
        15 => Event::TaskStarted { node },
        16 => {
            let progress = Progress {
                percent: random.chance(500).then_some(12.5),
                message: Some(text(random)),
            };
            Event::TaskProgressed {
                node,
                progress: Arc::new(progress),
            }
        }
        17 => Event::TaskCheckpointed {
            node,
            checkpoint: Arc::new(value(random, 2)),
        },
        18 => {
            let started_at = random
                .chance(500)
                .then(|| Timestamp(AT.0 - i64::from(small(random))));
            let output = random.chance(700).then(|| Arc::new(value(random, 3)));
            Event::TaskSucceeded {
                node,
                started_at,
                output,
            }
        }
        19 => Event::GroupSucceeded { node },
        20 => Event::AttemptFailed {
            node,
            failure: failure(random),
            retry_at: AT + u64::from(small(random)),
        },
        21 => Event::TaskFailed {
            node,
            failure: failure(random),
        },
        22 => Event::TaskSkipped {
            node,
            reason: SkipReason::Condition,
        },
        23 => Event::TaskSkipped {
            node,
            reason: SkipReason::Upstream {
                task: NodeIx(small(random)),
            },
        },
        24 => Event::TaskSkipped {
            node,
            reason: SkipReason::Denied {
                choice: small(random),
            },
        },
        25 => Event::TaskCancelled { node },
        26 => Event::TaskReset { node },
        27 => Event::GroupReopened { node },
        28 => {
            let kind = (*random.pick(&["TASK_SUCCESS", "TASK_FAILURE", "TASK_STARTED"])).to_owned();
            Event::ReportRefused {
                node,
                epoch: small(random),
                attempt: small(random),
                kind,
            }
        }
        29 => Event::RunSubmitted(Arc::new(Submission {
            sla: sla(random),
            ..submission(random)
        })),
        37 => Event::RunSubmitted(Arc::new(Submission {
            trace: Carrier {
                parent: Some(text(random)),
                state: random.chance(500).then(|| text(random)),
                baggage: Some(text(random)),
            },
            ..submission(random)
        })),
        38 => Event::RunSubmitted(Arc::new(Submission {
            is_fresh: true,
            ..submission(random)
        })),
        39 => Event::TaskQueued {
            node,
            attempt: small(random),
            choice: small(random),
            usage: Vec::new(),
            lookup: Some(lookup(random)),
        },
        40 => Event::TaskReused {
            node,
            choice: small(random),
            lookup: lookup(random),
            output: random.chance(700).then(|| Arc::new(value(random, 3))),
        },
        30 => Event::SlaWarned {
            key: alert_key(random),
            max_ms: random.bits(),
            deadline: Timestamp(AT.0 + i64::from(small(random))),
        },
        31 => Event::SlaBreached {
            key: alert_key(random),
            max_ms: u64::from(small(random)),
            deadline: Timestamp(AT.0 - i64::from(small(random))),
            severity: *random.pick(&Lateness::ALL),
            action: *random.pick(&OnBreach::ALL),
        },
        32 => Event::SlaResolved {
            key: alert_key(random),
            late_ms: random.bits(),
        },
        33 => Event::RolledBack {
            rollback: Arc::new(rolled_back(random)),
        },
        34 => Event::CompensationPlanned {
            of: node,
            params: Arc::new(value(random, 2)),
        },
        35 => Event::RollbackStopped { node },
        _ => Event::CompensationWaived { node, by },
    }
}

fn lookup(random: &mut Random) -> Arc<Lookup> {
    let origin = Origin {
        run: RunId::from_parts(1, u128::from(random.bits())),
        task: text(random),
        epoch: small(random),
        attempt: small(random),
        at: Timestamp(AT.0 - i64::from(small(random))),
        run_ms: random.bits(),
    };
    let found = match random.below(5) {
        0 => Found::Nothing,
        1 => Found::Unwanted,
        2 => Found::TakenBack,
        3 => Found::Unreachable,
        _ => Found::Kept(origin),
    };
    let key = ResultKey([u8::try_from(random.below(256)).unwrap_or(0); 32]);
    Arc::new(Lookup { key, found })
}

fn alert_key(random: &mut Random) -> AlertKey {
    AlertKey {
        node: random.chance(700).then_some(NodeIx(small(random))),
        epoch: small(random),
        attempt: small(random),
        kind: *random.pick(&DeadlineKind::ALL),
    }
}

fn sla(random: &mut Random) -> SlaSpec {
    SlaSpec {
        task_max_seconds: random.chance(500).then_some(600.0),
        workflow_max_seconds: random.chance(500).then_some(3_600.5),
        queue_max_seconds: random.chance(500).then_some(0.001),
        heartbeat_seconds: random.chance(500).then_some(30.0),
        warn_percent: random.chance(500).then_some(80),
        on_breach: random.chance(500).then(|| *random.pick(&OnBreach::ALL)),
        on_workflow_breach: random.chance(500).then_some(OnBreach::Cancel),
    }
}
