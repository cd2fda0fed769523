//! Use cases under way: started, polled one step at a time, finished, or dead in the middle.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::rc::Rc;
use std::task::{Context, Poll};

use futures_util::task::noop_waker_ref;
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Command, Rejection};
use orchestrator_engine::error::Error;
use orchestrator_engine::ports::journal;
use orchestrator_engine::ports::messages::{Body, Candidates, Recovery};
use orchestrator_engine::submit::Request;
use serde_json::json;

use super::ports::Progress;
use super::swarm::Composition;
use super::world::{Delivery, World};

/// A use case under way.
pub struct Handler {
    pub(super) id: u64,
    pub(super) run: RunId,
    pub(super) work: Work,
    pub(super) progress: Progress,
    future: Pin<Box<dyn Future<Output = Result<(), Error>>>>,
}

/// Who wants it done.
#[derive(Debug)]
pub enum Work {
    /// Messages.
    Messages(Vec<Delivery>),
    /// An operator.
    Operator(Command),
    /// A client.
    Submit,
}

impl fmt::Debug for Handler {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "handler {} of {:?}: {:?}", self.id, self.run, self.work)
    }
}

impl World {
    /// Hands messages of one run to a function.
    pub(super) fn start_messages(&mut self, deliveries: Vec<Delivery>) {
        let run = deliveries[0].run;
        let mut bodies: Vec<Body> = deliveries.iter().map(|delivery| delivery.body.clone()).collect();
        let again = deliveries.iter().filter(|delivery| delivery.receives > 0);
        if let Some(since) = again.map(|delivery| delivery.sent_at).min() {
            bodies.push(Body::Recover(self.believed(Recovery::of_message(since))));
        }
        let engine = Rc::clone(&self.engine);
        let future = Box::pin(async move { engine.handle(run, &bodies).await });
        self.start(run, Work::Messages(deliveries), future);
    }

    /// An operator's command.
    pub(super) fn start_operator(&mut self, run: RunId, command: Command) {
        let engine = Rc::clone(&self.engine);
        let asked = command.clone();
        let future = Box::pin(async move { engine.operate(run, asked).await });
        self.start(run, Work::Operator(command), future);
    }

    /// A client's submission.
    pub(super) fn start_submit(&mut self, client: usize) {
        let client = &mut self.clients[client];
        client.is_submitting = true;
        let (run, job) = (client.run, client.job.clone());
        let request = Request {
            run,
            workflow: job.workflow,
            canonical: job.canonical,
            client_id: job.client.to_owned(),
            inputs: std::sync::Arc::new(json!({})),
            metadata: std::sync::Arc::new(json!({})),
            priority: job.priority,
            trace: Default::default(),
            needs_admission: job.needs_admission,
            is_fresh: job.is_fresh,
        };
        let engine = Rc::clone(&self.engine);
        let future = Box::pin(async move { engine.submit(request).await });
        self.start(run, Work::Submit, future);
    }

    fn start(&mut self, run: RunId, work: Work, future: Pin<Box<dyn Future<Output = Result<(), Error>>>>) {
        let id = self.next_handler;
        self.next_handler += 1;
        self.note(|| format!("handler {id} starts on {run}: {}", brief(&work)));
        self.handlers.push(Handler {
            id,
            run,
            work,
            progress: Progress::default(),
            future,
        });
    }

    /// Whether a handler may go on: between an append and the end of what it made due, no other turn of that run comes in.
    pub(super) fn may_go_on(&self, index: usize) -> bool {
        let this = &self.handlers[index];
        let blocks =
            |other: &Handler| other.id != this.id && other.run == this.run && other.progress.appended;
        !self.handlers.iter().any(blocks)
    }

    /// Lets a handler go on to its next wait or to its end.
    pub(super) fn poll(&mut self, index: usize) -> Result<(), String> {
        let handler = &mut self.handlers[index];
        self.faults.switch(handler.progress);
        let polled = handler
            .future
            .as_mut()
            .poll(&mut Context::from_waker(noop_waker_ref()));
        handler.progress = self.faults.switch(Progress::default());
        self.collect();
        self.observe()?;
        match polled {
            Poll::Pending => Ok(()),
            Poll::Ready(result) => {
                let handler = self.handlers.swap_remove(index);
                self.finished(handler, result)
            }
        }
    }

    fn finished(&mut self, handler: Handler, result: Result<(), Error>) -> Result<(), String> {
        let Handler { id, run, work, .. } = handler;
        self.note(|| match &result {
            Ok(()) => format!("handler {id} is done"),
            Err(error) => format!("handler {id} failed: {error}"),
        });
        if let Err(Error::Journal(error @ journal::Error::Corrupt { .. })) = &result {
            return Err(format!("JOURNAL broken: {error}"));
        }
        if self.composition == Composition::Embedded {
            let turn_was_lost = result.as_ref().is_err_and(Error::is_transient);
            self.oracle.check_session(&self.ports.sessions, run)?;
            if turn_was_lost {
                self.settle_lost_turn(run);
            }
        }
        match (work, result) {
            (Work::Messages(deliveries), Ok(())) => self.delivered(deliveries),
            (Work::Messages(deliveries), Err(error)) if error.is_transient() => self.redeliver(deliveries),
            (Work::Messages(_), Err(Error::UnknownRun(_))) => {}
            (Work::Messages(deliveries), Err(error)) => {
                return Err(format!("a message was refused: {error}: {deliveries:?}"));
            }
            (Work::Operator(_), Err(Error::Rejected(Rejection::PlanChanged { .. }))) => {
                self.faults.hit("rollback refused: the plan changed");
            }
            (Work::Operator(_), Err(Error::Rejected(Rejection::RollbackUnfinished(_)))) => {
                self.faults.hit("operator refused: a rollback is unfinished");
            }
            (Work::Operator(_), Err(Error::Rejected(Rejection::CannotUndo { .. }))) => {
                self.faults.hit("rollback refused: cannot undo");
            }
            (
                Work::Operator(Command::Rollback {
                    token: Some(shown), ..
                }),
                Ok(()),
            ) => {
                let rollbacks = self.oracle.state(run).rollbacks();
                if !rollbacks.iter().any(|applied| applied.asked.token == shown) {
                    return Err(format!(
                        "RB-2 broken: plan {shown} was shown and another one applied to {run}"
                    ));
                }
                self.faults.hit("rollback as previewed");
            }
            (Work::Operator(_), Ok(())) => self.faults.hit("operator accepted"),
            (Work::Operator(_), Err(_)) => self.faults.hit("operator refused"),
            (Work::Submit, result) => self.submitted(run, result)?,
        }
        Ok(())
    }

    /// The client is told, or asks again later.
    fn submitted(&mut self, run: RunId, result: Result<(), Error>) -> Result<(), String> {
        if let Some(client) = self.clients.iter_mut().find(|client| client.run == run) {
            client.is_submitting = false;
        }
        match result {
            Ok(()) => {
                self.clients.retain(|client| client.run != run);
                self.oracle.acknowledged(run)
            }
            Err(error) if error.is_transient() => Ok(()),
            Err(error) => Err(format!("a submission was refused: {error}")),
        }
    }

    fn delivered(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            if self.random.chance(self.swarm.duplicate) {
                self.faults.hit("message duplicated");
                self.send_again(delivery);
            }
        }
    }

    fn redeliver(&mut self, deliveries: Vec<Delivery>) {
        for delivery in deliveries {
            self.send_again(Delivery {
                receives: delivery.receives + 1,
                ..delivery
            });
        }
    }

    /// What the embedded host does after a turn of which it does not know whether it was stored: whatever is owed is sent
    /// again, and slots taken for nothing are given back.
    fn settle_lost_turn(&mut self, run: RunId) {
        let held = self.ports.pools.inner.holders_of(run);
        if !held.is_empty() {
            self.send(run, Body::Decide(Candidates::Granted(held)));
        }
        self.send(run, Body::Recover(Recovery::EVERYTHING));
    }

    /// A function dies in the middle. Its messages come back; its caller gets no answer.
    pub(super) fn crash(&mut self, index: usize) {
        let Handler {
            id,
            run,
            work,
            progress,
            ..
        } = self.handlers.swap_remove(index);
        self.faults.hit(match progress {
            Progress { appended: true, .. } => "crash after append",
            Progress { took: true, .. } => "crash after taking slots",
            _ => "crash elsewhere",
        });
        self.note(|| format!("handler {id} dies"));
        match work {
            Work::Messages(deliveries) => self.redeliver(deliveries),
            Work::Operator(_) => {}
            Work::Submit => {
                let client = self.clients.iter_mut().find(|client| client.run == run);
                client.into_iter().for_each(|client| client.is_submitting = false);
            }
        }
    }
}

fn brief(work: &Work) -> String {
    match work {
        Work::Messages(deliveries) => {
            let shown: Vec<String> = deliveries
                .iter()
                .map(|delivery| match (&delivery.body, delivery.receives) {
                    (body, 0) => format!("{body:?}"),
                    (body, receives) => format!("{body:?} (again, {receives})"),
                })
                .collect();
            shown.join(", ")
        }
        Work::Operator(command) => format!("operator {command:?}"),
        Work::Submit => "submit".to_owned(),
    }
}
