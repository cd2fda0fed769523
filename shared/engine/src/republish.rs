//! Publishing again, for hosts that may die between an append and its publication.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use crate::engine::Engine;
use crate::error::Error;
use crate::ports::event_bus::Committed;
use crate::ports::{EventBus, Journal, Ports};
use crate::views::Replay;

impl<P: Ports> Engine<P> {
    /// Publishes what was appended to `run` at `since` or later. For messages that are delivered again: whoever handled one
    /// before may have appended what it led to and died before it was published. Receivers know a repeat by the number of
    /// its append and its place in it, an alert by its id.
    ///
    /// # Errors
    /// When the run cannot be read, or something is not known to have been published.
    pub async fn publish_again(&self, run: RunId, since: Timestamp) -> Result<(), Error> {
        let journal = self.ports().journal();
        let mut replay = Replay::new(run);
        for append in journal.load(run, 0).await.map_err(Error::Journal)? {
            let (at, events) = replay.take_in(journal, &append).await?;
            let Some(state) = replay.state().filter(|_| at >= since) else {
                continue;
            };
            let committed = Committed {
                run,
                seq: append.seq,
                at,
                events: &events,
                status: state.status,
                state,
                turn: None,
                is_repeat: true,
            };
            self.ports().event_bus().publish(committed).await?;
        }
        Ok(())
    }
}
