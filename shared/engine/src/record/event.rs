//! The persisted form of each event.

use std::borrow::Cow;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use orchestrator_core::ids::{NodeIx, RunId};
use orchestrator_core::run::{Event, SkipReason, Submission};
use orchestrator_core::time::Timestamp;

use super::Error;
use super::carried::Carried;
use super::checkpoint::{self, PersistedFiles};
use super::choice::{self, PersistedChoice};
use super::parts::{Json, PersistedFailure, json, parse, skipped};
use super::reuse::{self, PersistedLookup};
use super::rollback::PersistedRollback;
use super::sla::{self, PersistedAlertKey, PersistedSla};

#[derive(Debug, Encode, Decode)]
#[cbor(flat)]
pub(super) enum Persisted<'a> {
    #[n(0)]
    RunSubmitted {
        #[n(0)]
        run: ByteArray<16>,
        #[n(1)]
        definition: ByteArray<32>,
        #[b(2)]
        client_id: Cow<'a, str>,
        #[b(3)]
        inputs: Json<'a>,
        #[b(4)]
        metadata: Json<'a>,
        #[n(5)]
        priority: Option<u8>,
        #[b(6)]
        traceparent: Option<Cow<'a, str>>,
        #[n(7)]
        needs_admission: bool,
        #[n(8)]
        sla: Option<PersistedSla>,
        #[b(10)]
        carried: Option<Carried<'a>>,
        #[n(11)]
        is_fresh: Option<bool>,
    },
    #[n(1)]
    RunAdmitted,
    #[n(2)]
    RunPaused(#[b(0)] Cow<'a, str>),
    #[n(3)]
    RunResumed(#[b(0)] Cow<'a, str>),
    #[n(4)]
    RunCancelled(#[b(0)] Cow<'a, str>, #[b(1)] Cow<'a, str>),
    #[n(5)]
    RunSucceeded,
    #[n(6)]
    RunFailed,
    #[n(7)]
    RunReopened(#[b(0)] Cow<'a, str>, #[b(1)] Cow<'a, str>),
    #[n(8)]
    RunPriorityChanged(#[b(0)] Cow<'a, str>, #[n(1)] u8),
    #[n(9)]
    TaskReady(#[n(0)] u32),
    #[n(10)]
    TaskExpanded(#[n(0)] u32, #[b(1)] Json<'a>),
    #[n(11)]
    ChoiceMade(#[b(0)] PersistedChoice<'a>),
    #[n(12)]
    TaskQueued(
        #[n(0)] u32,
        #[n(1)] u32,
        #[n(2)] u32,
        #[n(3)] Vec<u32>,
        #[b(4)] Option<PersistedLookup<'a>>,
    ),
    #[n(13)]
    TaskHeld(
        #[n(0)] u32,
        #[n(1)] u32,
        #[n(2)] u8,
        #[n(3)] Option<i64>,
        #[b(4)] Vec<Cow<'a, str>>,
    ),
    #[n(14)]
    TaskApproved(#[n(0)] u32, #[b(1)] Cow<'a, str>),
    #[n(15)]
    TaskStarted(#[n(0)] u32),
    #[n(16)]
    TaskProgressed(#[n(0)] u32, #[b(1)] Json<'a>),
    #[n(17)]
    TaskCheckpointed(#[n(0)] u32, #[b(1)] Json<'a>),
    /// The start is stored as milliseconds before the record's time.
    #[n(18)]
    TaskSucceeded(#[n(0)] u32, #[n(1)] Option<u64>, #[b(2)] Option<Json<'a>>),
    #[n(19)]
    GroupSucceeded(#[n(0)] u32),
    /// The due time is stored as milliseconds after the record's time.
    #[n(20)]
    AttemptFailed(#[n(0)] u32, #[b(1)] PersistedFailure<'a>, #[n(2)] u64),
    #[n(21)]
    TaskFailed(#[n(0)] u32, #[b(1)] PersistedFailure<'a>),
    #[n(22)]
    SkippedByCondition(#[n(0)] u32),
    #[n(23)]
    SkippedByUpstream(#[n(0)] u32, #[n(1)] u32),
    #[n(24)]
    SkippedByPolicy(#[n(0)] u32, #[n(1)] u32),
    #[n(25)]
    TaskCancelled(#[n(0)] u32),
    #[n(26)]
    TaskReset(#[n(0)] u32),
    #[n(27)]
    GroupReopened(#[n(0)] u32),
    #[n(28)]
    ReportRefused(#[n(0)] u32, #[n(1)] u32, #[n(2)] u32, #[b(3)] Cow<'a, str>),
    #[n(29)]
    RolledBack(#[b(0)] PersistedRollback<'a>),
    #[n(30)]
    CompensationPlanned(#[n(0)] u32, #[b(1)] Json<'a>),
    #[n(31)]
    RollbackStopped(#[n(0)] u32),
    #[n(32)]
    CompensationWaived(#[n(0)] u32, #[b(1)] Cow<'a, str>),
    /// The time at which it is over is stored as milliseconds after the record's time.
    #[n(36)]
    SlaWarned(#[n(0)] PersistedAlertKey, #[n(1)] u64, #[n(2)] i64),
    #[n(37)]
    SlaBreached(
        #[n(0)] PersistedAlertKey,
        #[n(1)] u64,
        #[n(2)] i64,
        #[n(3)] u8,
        #[n(4)] u8,
    ),
    #[n(38)]
    SlaResolved(#[n(0)] PersistedAlertKey, #[n(1)] u64),
    /// The value is left out when it is `null`.
    #[n(43)]
    TaskFilesSaved(#[n(0)] u32, #[n(1)] PersistedFiles, #[b(2)] Option<Json<'a>>),
    #[n(44)]
    CheckpointRejected(#[n(0)] u32, #[n(1)] Option<PersistedFiles>, #[b(2)] Cow<'a, str>),
    #[n(45)]
    TaskReused(
        #[n(0)] u32,
        #[n(1)] u32,
        #[b(2)] PersistedLookup<'a>,
        #[b(3)] Option<Json<'a>>,
    ),
}

impl<'a> Persisted<'a> {
    pub(super) fn of(event: &'a Event, at: Timestamp) -> Persisted<'a> {
        match event {
            Event::RunSubmitted(submission) => Persisted::RunSubmitted {
                run: submission.run.to_bytes().into(),
                definition: submission.definition.into(),
                client_id: submission.client_id.as_str().into(),
                inputs: json(&submission.inputs),
                metadata: json(&submission.metadata),
                priority: submission.priority,
                traceparent: submission.trace.parent.as_deref().map(Cow::from),
                needs_admission: submission.needs_admission,
                sla: PersistedSla::of(&submission.sla),
                carried: Carried::of(&submission.trace),
                is_fresh: submission.is_fresh.then_some(true),
            },
            Event::RunAdmitted => Persisted::RunAdmitted,
            Event::RunPaused { by } => Persisted::RunPaused(by.into()),
            Event::RunResumed { by } => Persisted::RunResumed(by.into()),
            Event::RunCancelled { by, reason } => Persisted::RunCancelled(by.into(), reason.into()),
            Event::RunSucceeded => Persisted::RunSucceeded,
            Event::RunFailed => Persisted::RunFailed,
            Event::RunReopened { by, reason } => Persisted::RunReopened(by.into(), reason.into()),
            Event::RunPriorityChanged { by, priority } => Persisted::RunPriorityChanged(by.into(), *priority),
            Event::TaskReady { node } => Persisted::TaskReady(node.0),
            Event::TaskExpanded { node, items } => Persisted::TaskExpanded(node.0, json(items)),
            Event::ChoiceMade { choice } => Persisted::ChoiceMade(PersistedChoice::of(choice)),
            Event::TaskQueued {
                node,
                attempt,
                choice,
                usage,
                lookup,
            } => {
                let lookup = lookup.as_deref().map(PersistedLookup::of);
                Persisted::TaskQueued(node.0, *attempt, *choice, usage.clone(), lookup)
            }
            Event::TaskReused {
                node,
                choice,
                lookup,
                output,
            } => reuse::reused(*node, *choice, lookup, output.as_deref()),
            Event::TaskHeld {
                node,
                choice,
                hold,
                until,
                full,
            } => Persisted::TaskHeld(
                node.0,
                *choice,
                choice::hold_number(*hold),
                until.map(|at| at.0),
                full.iter().map(Cow::from).collect(),
            ),
            Event::TaskApproved { node, by } => Persisted::TaskApproved(node.0, by.into()),
            Event::TaskStarted { node } => Persisted::TaskStarted(node.0),
            Event::TaskProgressed { node, progress } => Persisted::TaskProgressed(node.0, json(progress)),
            Event::TaskCheckpointed { node, checkpoint } => {
                Persisted::TaskCheckpointed(node.0, json(checkpoint))
            }
            Event::TaskFilesSaved { node, saved } => checkpoint::saved(*node, saved),
            Event::CheckpointRejected { node, rejected } => checkpoint::rejected(*node, rejected),
            Event::TaskSucceeded {
                node,
                started_at,
                output,
            } => {
                let started = started_at.map(|started| at - started);
                Persisted::TaskSucceeded(node.0, started, output.as_ref().map(|output| json(output)))
            }
            Event::GroupSucceeded { node } => Persisted::GroupSucceeded(node.0),
            Event::AttemptFailed {
                node,
                failure,
                retry_at,
            } => Persisted::AttemptFailed(node.0, PersistedFailure::of(failure), *retry_at - at),
            Event::TaskFailed { node, failure } => {
                Persisted::TaskFailed(node.0, PersistedFailure::of(failure))
            }
            Event::TaskSkipped { node, reason } => match reason {
                SkipReason::Condition => Persisted::SkippedByCondition(node.0),
                SkipReason::Upstream { task } => Persisted::SkippedByUpstream(node.0, task.0),
                SkipReason::Denied { choice } => Persisted::SkippedByPolicy(node.0, *choice),
            },
            Event::TaskCancelled { node } => Persisted::TaskCancelled(node.0),
            Event::TaskReset { node } => Persisted::TaskReset(node.0),
            Event::GroupReopened { node } => Persisted::GroupReopened(node.0),
            Event::ReportRefused {
                node,
                epoch,
                attempt,
                kind,
            } => Persisted::ReportRefused(node.0, *epoch, *attempt, kind.into()),
            Event::RolledBack { rollback } => Persisted::RolledBack(PersistedRollback::of(rollback)),
            Event::CompensationPlanned { of, params } => Persisted::CompensationPlanned(of.0, json(params)),
            Event::RollbackStopped { node } => Persisted::RollbackStopped(node.0),
            Event::CompensationWaived { node, by } => Persisted::CompensationWaived(node.0, by.into()),
            Event::SlaWarned {
                key,
                max_ms,
                deadline,
            } => sla::warned(*key, *max_ms, *deadline, at),
            Event::SlaBreached {
                key,
                max_ms,
                deadline,
                severity,
                action,
            } => sla::breached(*key, *max_ms, *deadline, (*severity, *action), at),
            Event::SlaResolved { key, late_ms } => sla::resolved(*key, *late_ms),
        }
    }

    pub(super) fn into_event(self, at: Timestamp) -> Result<Event, Error> {
        Ok(match self {
            Persisted::RunSubmitted {
                run,
                definition,
                client_id,
                inputs,
                metadata,
                priority,
                traceparent,
                needs_admission,
                sla,
                carried,
                is_fresh,
            } => Event::RunSubmitted(Arc::new(Submission {
                run: RunId::from_bytes(*run),
                definition: *definition,
                client_id: client_id.into_owned(),
                inputs: Arc::new(parse(&inputs)?),
                metadata: Arc::new(parse(&metadata)?),
                priority,
                needs_admission,
                is_fresh: is_fresh.unwrap_or(false),
                sla: sla.map(PersistedSla::into_spec).transpose()?.unwrap_or_default(),
                trace: Carried::with(carried, traceparent),
            })),
            Persisted::RunAdmitted => Event::RunAdmitted,
            Persisted::RunPaused(by) => Event::RunPaused { by: by.into_owned() },
            Persisted::RunResumed(by) => Event::RunResumed { by: by.into_owned() },
            Persisted::RunCancelled(by, reason) => Event::RunCancelled {
                by: by.into_owned(),
                reason: reason.into_owned(),
            },
            Persisted::RunSucceeded => Event::RunSucceeded,
            Persisted::RunFailed => Event::RunFailed,
            Persisted::RunReopened(by, reason) => Event::RunReopened {
                by: by.into_owned(),
                reason: reason.into_owned(),
            },
            Persisted::RunPriorityChanged(by, priority) => Event::RunPriorityChanged {
                by: by.into_owned(),
                priority,
            },
            Persisted::TaskReady(node) => Event::TaskReady { node: NodeIx(node) },
            Persisted::TaskExpanded(node, items) => Event::TaskExpanded {
                node: NodeIx(node),
                items: Arc::new(parse(&items)?),
            },
            Persisted::ChoiceMade(choice) => Event::ChoiceMade {
                choice: Arc::new(choice.into_choice()?),
            },
            Persisted::TaskQueued(node, attempt, choice, usage, lookup) => Event::TaskQueued {
                node: NodeIx(node),
                attempt,
                choice,
                usage,
                lookup: lookup.map(PersistedLookup::into_lookup).transpose()?,
            },
            Persisted::TaskReused(node, choice, lookup, output) => {
                reuse::into_reused(node, choice, lookup, output)?
            }
            Persisted::TaskHeld(node, choice, hold, until, full) => Event::TaskHeld {
                node: NodeIx(node),
                choice,
                hold: choice::hold_value(hold)?,
                until: until.map(Timestamp),
                full: full.into_iter().map(Cow::into_owned).collect(),
            },
            Persisted::TaskApproved(node, by) => Event::TaskApproved {
                node: NodeIx(node),
                by: by.into_owned(),
            },
            Persisted::TaskStarted(node) => Event::TaskStarted { node: NodeIx(node) },
            Persisted::TaskProgressed(node, progress) => Event::TaskProgressed {
                node: NodeIx(node),
                progress: Arc::new(parse(&progress)?),
            },
            Persisted::TaskCheckpointed(node, checkpoint) => Event::TaskCheckpointed {
                node: NodeIx(node),
                checkpoint: Arc::new(parse(&checkpoint)?),
            },
            Persisted::TaskFilesSaved(node, files, value) => checkpoint::into_saved(node, files, value)?,
            Persisted::CheckpointRejected(node, files, reason) => {
                checkpoint::into_rejected(node, files, reason.into_owned())
            }
            Persisted::TaskSucceeded(node, started, output) => Event::TaskSucceeded {
                node: NodeIx(node),
                started_at: started.map(|before| Timestamp(at.0.saturating_sub_unsigned(before))),
                output: output.map(|output| parse(&output)).transpose()?.map(Arc::new),
            },
            Persisted::GroupSucceeded(node) => Event::GroupSucceeded { node: NodeIx(node) },
            Persisted::AttemptFailed(node, failure, retry_after) => Event::AttemptFailed {
                node: NodeIx(node),
                failure: Arc::new(failure.into_failure()?),
                retry_at: at + retry_after,
            },
            Persisted::TaskFailed(node, failure) => Event::TaskFailed {
                node: NodeIx(node),
                failure: Arc::new(failure.into_failure()?),
            },
            Persisted::SkippedByCondition(node) => skipped(node, SkipReason::Condition),
            Persisted::SkippedByUpstream(node, task) => {
                skipped(node, SkipReason::Upstream { task: NodeIx(task) })
            }
            Persisted::SkippedByPolicy(node, choice) => skipped(node, SkipReason::Denied { choice }),
            Persisted::TaskCancelled(node) => Event::TaskCancelled { node: NodeIx(node) },
            Persisted::TaskReset(node) => Event::TaskReset { node: NodeIx(node) },
            Persisted::GroupReopened(node) => Event::GroupReopened { node: NodeIx(node) },
            Persisted::ReportRefused(node, epoch, attempt, kind) => Event::ReportRefused {
                node: NodeIx(node),
                epoch,
                attempt,
                kind: kind.into_owned(),
            },
            Persisted::RolledBack(rollback) => Event::RolledBack {
                rollback: rollback.into_rollback()?,
            },
            Persisted::CompensationPlanned(of, params) => Event::CompensationPlanned {
                of: NodeIx(of),
                params: Arc::new(parse(&params)?),
            },
            Persisted::RollbackStopped(node) => Event::RollbackStopped { node: NodeIx(node) },
            Persisted::CompensationWaived(node, by) => Event::CompensationWaived {
                node: NodeIx(node),
                by: by.into_owned(),
            },
            alert => sla::into_event(alert, at)?,
        })
    }
}
