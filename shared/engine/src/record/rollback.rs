//! The persisted form of rollbacks.

use std::borrow::Cow;
use std::sync::Arc;

use minicbor::bytes::ByteArray;
use minicbor::{Decode, Encode};
use orchestrator_core::ids::NodeIx;
use orchestrator_core::run::rollback::{PlanToken, Request, RolledBack, Target};

use super::Error;

#[derive(Debug, Encode, Decode)]
#[cbor(array)]
pub(super) struct PersistedRollback<'a> {
    #[b(0)]
    by: Cow<'a, str>,
    #[b(1)]
    reason: Cow<'a, str>,
    /// 0: so many steps, 1: to a task, 2: tasks.
    #[n(2)]
    target: u8,
    /// The number of steps, or the tasks.
    #[n(3)]
    asked: Vec<u32>,
    #[n(4)]
    fresh: bool,
    #[n(5)]
    seeds: Vec<u32>,
    #[n(6)]
    token: ByteArray<{ PlanToken::BYTES }>,
    #[n(7)]
    compensations: u32,
}

impl<'a> PersistedRollback<'a> {
    pub(super) fn of(rollback: &'a RolledBack) -> PersistedRollback<'a> {
        let numbers = |nodes: &[NodeIx]| nodes.iter().map(|node| node.0).collect();
        let (target, asked) = match &rollback.request.target {
            Target::Steps(steps) => (0, vec![*steps]),
            Target::ToTask(node) => (1, vec![node.0]),
            Target::Tasks(nodes) => (2, numbers(nodes)),
        };
        PersistedRollback {
            by: rollback.by.as_str().into(),
            reason: rollback.reason.as_str().into(),
            target,
            asked,
            fresh: rollback.request.fresh,
            seeds: numbers(&rollback.seeds),
            token: rollback.token.0.into(),
            compensations: rollback.compensations,
        }
    }

    pub(super) fn into_rollback(self) -> Result<Arc<RolledBack>, Error> {
        let nodes = |numbers: &[u32]| numbers.iter().copied().map(NodeIx).collect::<Vec<_>>();
        let target = match (self.target, self.asked.as_slice()) {
            (0, [steps]) => Target::Steps(*steps),
            (1, [node]) => Target::ToTask(NodeIx(*node)),
            (2, asked) => Target::Tasks(nodes(asked)),
            (other, _) => return Err(Error::Malformed(format!("{other} is no target of a rollback"))),
        };
        Ok(Arc::new(RolledBack {
            by: self.by.into_owned(),
            reason: self.reason.into_owned(),
            request: Request {
                target,
                fresh: self.fresh,
            },
            seeds: nodes(&self.seeds),
            token: PlanToken(*self.token),
            compensations: self.compensations,
        }))
    }
}
