//! Use case `decision`: asks the policy about every task that wants to run, takes its slots, and queues it.

use std::sync::Arc;

use orchestrator_core::ids::{AttemptKey, NodeIx};
use orchestrator_core::policy::{Choice, Question, RunFacts, TaskFacts, Verdict, choose};
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest, PoolUsage, WaiterOrder};
use orchestrator_core::run::{Answer, Command, Effect, RunState, RunStatus, TaskStatus};
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
        let wanted = self.return_void_grants(session, candidates);
        if session.state().status != RunStatus::Running {
            return Ok(());
        }
        let waiting = waiters(session.state(), candidates);
        let mut left = self.options.decisions_max;
        let mut reused = 0;
        let mut nodes: Vec<NodeIx> = session.state().ready().take(left).collect();
        left -= nodes.len();
        nodes.extend(waiting);
        // A result that was kept ends its task at once, and what depends on it is decided in the same append.
        while !nodes.is_empty() {
            let mut answers = self.ask_all(session, &nodes).await?;
            let is_granted = |node: NodeIx| is_granted(candidates, node);
            let looked_up = self.look_up(session, &mut answers, is_granted, &mut reused).await;
            self.take_slots(session, &mut answers).await?;
            session.execute(Command::Answer(answers))?;
            if !looked_up.has_hits || looked_up.has_left_out {
                break;
            }
            nodes = session.state().ready().take(left).collect();
            left -= nodes.len();
        }
        if session.state().ready_count() > 0 {
            session.owe(Effect::Decide);
        }
        // Whoever was asked about and is held for something else wants its slot no more.
        let is_answered = |key: &AttemptKey| session.state().node(key.node).status != TaskStatus::Ready;
        let answered: Vec<AttemptKey> = wanted.into_iter().filter(is_answered).collect();
        session.note_taken(answered);
        Ok(())
    }

    /// The policy's answers.
    async fn ask_all(&self, session: &Session, nodes: &[NodeIx]) -> Result<Vec<Answer>, Error> {
        let usage = match self.policy.reads_usage() {
            true => self.ports.pools().usage().await?,
            false => Vec::new(),
        };
        let mut answers: Vec<Answer> = Vec::with_capacity(nodes.len());
        let mut previous: Option<Arc<Choice>> = None;
        for &node in nodes {
            let mut answer = self.ask(session.state(), node, session.now(), &usage);
            keep_place(session.state(), &mut answer);
            match &previous {
                Some(same) if **same == *answer.choice => answer.choice = Arc::clone(same),
                _ => previous = Some(Arc::clone(&answer.choice)),
            }
            answers.push(answer);
        }
        Ok(answers)
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
                item: state.item_of(node),
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
            lookup: None,
            output: None,
        }
    }

    /// Asks the pools for every allowed answer that needs slots, in one call, the most urgent first.
    async fn take_slots(&self, session: &mut Session, answers: &mut [Answer]) -> Result<(), Error> {
        let is_hit = |answer: &Answer| answer.lookup.as_ref().is_some_and(|lookup| lookup.is_hit());
        let wants = |answer: &&mut Answer| {
            answer.choice.verdict == Verdict::Allow && !answer.choice.pools.is_empty() && !is_hit(answer)
        };
        let mut wanting: Vec<(LeaseRequest, &mut Answer)> = answers
            .iter_mut()
            .filter(wants)
            .map(|answer| (self.lease_request(session, answer), answer))
            .collect();
        if wanting.is_empty() {
            return Ok(());
        }
        wanting.sort_by_key(|(request, _)| request.order);
        let (requests, wanting): (Vec<LeaseRequest>, Vec<&mut Answer>) = wanting.into_iter().unzip();
        session.note_taken(requests.iter().map(|request| request.key));
        let taken = self.ports.pools().take(&requests).await?;
        for (answer, taken) in wanting.into_iter().zip(taken) {
            answer.lease = Some(taken.answer);
            answer.usage = taken.usage;
            if let Some(pools) = taken.instead {
                Arc::make_mut(&mut answer.choice).pools = pools;
            }
        }
        Ok(())
    }

    fn lease_request(&self, session: &Session, answer: &Answer) -> LeaseRequest {
        let (state, now) = (session.state(), session.now());
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
            seq: session.seq() + 1,
        }
    }

    /// Slots granted to a task that no longer wants them go to the next in line. A READY task is about to be asked about, and
    /// may ask for its own: those are returned.
    fn return_void_grants(&self, session: &mut Session, candidates: &Candidates) -> Vec<AttemptKey> {
        let Candidates::Granted(keys) = candidates else {
            return Vec::new();
        };
        let state = session.state();
        let asks_next = |key: &AttemptKey| {
            let wanted = state
                .get(key.node)
                .filter(|node| node.status == TaskStatus::Ready);
            let is_next =
                wanted.is_some_and(|node| (node.epoch, node.attempt + 1) == (key.epoch, key.attempt));
            is_next && state.status == RunStatus::Running
        };
        let (wanted, void): (Vec<AttemptKey>, Vec<AttemptKey>) = keys.iter().copied().partition(asks_next);
        session.note_taken(void);
        wanted
    }

    /// Use case `admission`: gets the run its place under the client's concurrent-run limit.
    pub(crate) async fn admit(&self, session: &mut Session) -> Result<(), Error> {
        let state = session.state();
        if state.status != RunStatus::Pending {
            let place = AttemptKey::admission(state.id());
            let is_over = state.status.is_terminal();
            session.note_taken(is_over.then_some(place));
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
            seq: session.seq() + 1,
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

/// The tasks among the candidates that stand in line for a slot.
fn waiters(state: &RunState, candidates: &Candidates) -> Vec<NodeIx> {
    let waits = |node: &NodeIx| state.node(*node).waits_for_pool();
    match candidates {
        Candidates::Ready => Vec::new(),
        Candidates::Waiting => state.held().filter(waits).collect(),
        Candidates::Granted(keys) => {
            let known = keys.iter().filter(|key| state.get(key.node).is_some());
            let granted = known.filter(|key| state.lease_key_of(key.node) == Some(**key));
            granted.map(|key| key.node).filter(waits).collect()
        }
    }
}

/// Whether these candidates are those who were granted their slots, and the node is one of them.
fn is_granted(candidates: &Candidates, node: NodeIx) -> bool {
    matches!(candidates, Candidates::Granted(keys) if keys.iter().any(|key| key.node == node))
}

/// Whoever stands in line, or has just been granted what it stood in line for, does so with the choice it waits under: a
/// new one that wants other slots must not be given these.
fn keep_place(state: &RunState, answer: &mut Answer) {
    let known = state.choice_of(answer.node);
    if let Some(known) = known.filter(|_| state.node(answer.node).waits_for_pool())
        && answer.choice.verdict == Verdict::Allow
        && answer.choice.pools != known.pools
    {
        answer.choice = Arc::clone(known);
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
