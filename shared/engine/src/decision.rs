//! Use case `decision`: asks the policy about every task that wants to run, takes its slots, and queues it.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::{Choice, Question, RunFacts, TaskFacts, Verdict, choose};
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, PoolUsage, WaiterOrder};
use orchestrator_core::run::{Answer, Command, Effect, RunState, RunStatus};
use orchestrator_core::time::Timestamp;

use crate::drive::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::messages::Candidates;
use crate::ports::{Pools, Ports};

impl<P: Ports> Engine<P> {
    /// Answers the candidates that still want an answer. At most [`crate::engine::Options::decisions_max`] READY ones per
    /// append, the rest gets a message of its own; waiters are asked about all at once, because most of them keep waiting
    /// and add nothing to the append.
    pub(crate) async fn answer(&self, session: &mut Session, candidates: &Candidates) -> Result<(), Error> {
        self.return_void_grants(session, candidates);
        if session.state().status != RunStatus::Running {
            return Ok(());
        }
        let mut nodes = candidate_nodes(session.state(), candidates);
        if nodes.len() > self.options.decisions_max && *candidates != Candidates::Waiting {
            nodes.truncate(self.options.decisions_max);
            session.owe(Effect::Decide);
        }
        if nodes.is_empty() {
            return Ok(());
        }
        let usage = match self.policy.reads_usage() {
            true => self.ports.pools().usage().await?,
            false => Vec::new(),
        };
        let mut answers: Vec<Answer> = Vec::with_capacity(nodes.len());
        let mut previous: Option<Arc<Choice>> = None;
        for node in nodes {
            let mut answer = self.ask(session.state(), node, session.now(), &usage);
            match &previous {
                Some(same) if **same == *answer.choice => answer.choice = Arc::clone(same),
                _ => previous = Some(Arc::clone(&answer.choice)),
            }
            answers.push(answer);
        }
        self.take_slots(session, &mut answers).await?;
        session.execute(Command::Answer(answers))?;
        Ok(())
    }

    /// The policy's answer about one task.
    fn ask(&self, state: &RunState, node: NodeIx, now: Timestamp, usage: &[PoolUsage]) -> Answer {
        let entry = state.node(node);
        let task = state.task_of(node);
        let params = task
            .params
            .resolve(&state.scope(node))
            .unwrap_or_else(|_| Arc::clone(task.params.raw()));
        let question = Question {
            task: TaskFacts {
                epoch: entry.epoch,
                attempt: entry.attempt + 1,
                approved: entry.approved,
                item: entry.child_of.as_ref().map(|child| (&child.item, child.index)),
                ..TaskFacts::of(task, &params)
            },
            run: run_facts(state),
            now,
            usage,
        };
        let choice = Arc::new(choose(&self.policy, &question));
        Answer {
            node,
            epoch: entry.epoch,
            choice,
            lease: None,
            usage: Vec::new(),
        }
    }

    /// Asks the pools for every allowed answer that needs slots, in one call, the most urgent first.
    async fn take_slots(&self, session: &mut Session, answers: &mut [Answer]) -> Result<(), Error> {
        let wants =
            |answer: &&mut Answer| answer.choice.verdict == Verdict::Allow && !answer.choice.pools.is_empty();
        let mut wanting: Vec<&mut Answer> = answers.iter_mut().filter(wants).collect();
        if wanting.is_empty() {
            return Ok(());
        }
        let requests: Vec<LeaseRequest> = wanting
            .iter()
            .map(|answer| self.lease_request(session.state(), session.now(), answer))
            .collect();
        session.note_taken(requests.iter().map(|request| request.key));
        let taken = self.ports.pools().take(&requests).await?;
        for (answer, taken) in wanting.iter_mut().zip(taken) {
            answer.lease = Some(taken.answer);
            answer.usage = taken.usage;
        }
        Ok(())
    }

    fn lease_request(&self, state: &RunState, now: Timestamp, answer: &Answer) -> LeaseRequest {
        let node = answer.node;
        let current = state.attempt_of(node);
        let queued_at = state.node(node).ready_at.unwrap_or(now);
        LeaseRequest {
            key: AttemptKey {
                attempt: current.attempt + 1,
                ..current
            },
            demands: answer.choice.pools.clone(),
            order: WaiterOrder::new(
                queued_at,
                answer.choice.overrides.priority,
                self.options.ageing_ms,
            ),
        }
    }

    /// Slots granted to a task that no longer waits for them go to the next in line.
    fn return_void_grants(&self, session: &mut Session, candidates: &Candidates) {
        if let Candidates::Granted(keys) = candidates {
            session.note_taken(keys.iter().copied());
        }
    }

    /// Use case `admission`: gets the run its place under the client's concurrent-run limit.
    pub(crate) async fn admit(&self, session: &mut Session) -> Result<(), Error> {
        let state = session.state();
        if state.status != RunStatus::Pending {
            return Ok(());
        }
        let request = LeaseRequest {
            key: AttemptKey::admission(state.id()),
            demands: vec![admission_pool(&state.submission.client_id)],
            order: WaiterOrder::new(
                state.submitted_at,
                state.priority.unwrap_or(5),
                self.options.ageing_ms,
            ),
        };
        let answers = self.ports.pools().take(std::slice::from_ref(&request)).await?;
        match answers.first().map(|taken| &taken.answer) {
            Some(LeaseAnswer::Waiting { .. }) | None => Ok(()),
            Some(LeaseAnswer::Taken | LeaseAnswer::Impossible { .. }) => {
                session.note_taken([request.key]);
                Ok(session.execute(Command::Admit)?)
            }
        }
    }
}

/// The pool whose slots are the places of a client's concurrent runs.
pub fn admission_pool(client_id: &str) -> orchestrator_core::policy::PoolDemand {
    orchestrator_core::policy::PoolDemand {
        pool: format!("runs:{client_id}"),
        slots: 1,
    }
}

fn candidate_nodes(state: &RunState, candidates: &Candidates) -> Vec<NodeIx> {
    let waiting = |node: &NodeIx| state.node(*node).waits_for_pool();
    match candidates {
        Candidates::Ready => state.ready().collect(),
        Candidates::Waiting => state.ready().chain(state.held().filter(waiting)).collect(),
        Candidates::Granted(keys) => {
            let granted = keys.iter().filter(|key| state.get(key.node).is_some());
            let granted = granted.filter(|key| state.lease_key_of(key.node) == Some(**key));
            state
                .ready()
                .chain(granted.map(|key| key.node).filter(waiting))
                .collect()
        }
    }
}

/// What the policy may know of a run.
fn run_facts(state: &RunState) -> RunFacts<'_> {
    RunFacts {
        id: Some(state.id()),
        workflow: &state.workflow.name,
        client_id: Some(&state.submission.client_id),
        priority: state.priority,
        inputs: &state.submission.inputs,
        metadata: &state.submission.metadata,
        task_count: state.workflow.tasks.len(),
        submitted_at: state.submitted_at,
    }
}
