//! From messages to use cases. Any number of messages of one run are handled in one turn, with one append.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Command, Rejection, Report};

use crate::drive::Session;
use crate::engine::Engine;
use crate::error::Error;
use crate::ports::Ports;
use crate::ports::messages::{Body, Candidates, Said};
use crate::trace::run::trace_id_of;
use crate::trace::turn::UseCase;

impl<P: Ports> Engine<P> {
    /// Handles messages of `run`. Idempotent: what is done already changes nothing.
    ///
    /// # Errors
    /// When nothing is known to have been done; deliver the messages again if the error is transient.
    pub async fn handle(&self, run: RunId, bodies: &[Body]) -> Result<(), Error> {
        self.drive(run, async |session: &mut Session| {
            session.use_case = bodies.first().map_or(UseCase::default(), use_case);
            for body in bodies {
                self.handle_one(session, body).await?;
            }
            self.decide_in_turn(session).await
        })
        .await
    }

    /// An operator's command.
    ///
    /// # Errors
    /// When the run refuses it, or cannot be read or written.
    pub async fn operate(&self, run: RunId, command: Command) -> Result<(), Error> {
        self.drive(run, async |session: &mut Session| {
            session.use_case = UseCase::Operate;
            session.execute(command.clone())?;
            self.decide_in_turn(session).await
        })
        .await
    }

    async fn handle_one(&self, session: &mut Session, body: &Body) -> Result<(), Error> {
        match body {
            Body::Admit => self.admit(session).await,
            Body::Decide(candidates) => self.answer(session, candidates).await,
            Body::Tick => {
                session.note_woken();
                Ok(session.execute(Command::Tick)?)
            }
            Body::Recover(recovery) => {
                session.owe_again(*recovery);
                session.execute(Command::Tick)?;
                self.answer(session, &Candidates::Waiting).await
            }
            Body::Reports(reports) => reports
                .iter()
                .try_for_each(|report| hear(session, report.clone())),
            Body::Said(said) => said.iter().try_for_each(|said| self.hear_agent(session, said)),
        }
    }

    /// Takes in what an agent sent through a queue. What is not its to say, or makes no sense, is dropped: delivered again
    /// it would be no better.
    fn hear_agent(&self, session: &mut Session, said: &Said) -> Result<(), Error> {
        match said.report.check(session.state(), &said.task, &self.tokens) {
            Ok(report) => hear(session, report),
            Err(problem) => {
                let state = session.state();
                let (epoch, attempt) = (said.report.epoch, said.report.attempt);
                tracing::warn!(
                    run_id = %state.id(),
                    task_id = %said.task,
                    epoch,
                    attempt,
                    trace_id = %trace_id_of(&state.submission),
                    detail = %problem.detail,
                    "a report was dropped"
                );
                Ok(())
            }
        }
    }

    /// Hosts that keep everything in one process decide in the turn that made tasks ready: one append for both.
    pub(crate) async fn decide_in_turn(&self, session: &mut Session) -> Result<(), Error> {
        if self.options.decides_in_turn && session.state().ready().next().is_some() {
            self.answer(session, &Candidates::Ready).await?;
        }
        Ok(())
    }
}

/// What a message asks for.
fn use_case(body: &Body) -> UseCase {
    match body {
        Body::Admit => UseCase::Admit,
        Body::Decide(_) => UseCase::Decide,
        Body::Reports(_) | Body::Said(_) => UseCase::Hear,
        Body::Tick => UseCase::Wake,
        Body::Recover(_) => UseCase::Recover,
    }
}

fn hear(session: &mut Session, report: Report) -> Result<(), Error> {
    match session.execute(Command::Report(report)) {
        Ok(()) | Err(Rejection::UnknownTask(_)) => Ok(()),
        Err(rejection) => Err(rejection.into()),
    }
}
