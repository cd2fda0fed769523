//! What the runs in memory tell about deadlines: tasks that take long, and runs that do not move.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::sla::Stall;
use orchestrator_engine::views::{AgentView, AtRiskView, StallView};

use super::ports::EmbeddedPorts;

/// What the runs in memory tell.
#[derive(Debug, Clone, PartialEq, Default)]
pub struct Watched {
    /// Running tasks that have taken longer than theirs usually do, the longest first.
    pub at_risk: Vec<AtRiskView>,
    /// Runs that do not move.
    pub stalled: Vec<StallView>,
    /// How long tasks take, by agent and action.
    pub agents: Vec<AgentView>,
}

/// Entries of each list.
const SHOWN_MAX: usize = 200;

/// Looks at the live attempts of the runs of one client, or of all.
pub(super) fn watched(ports: &EmbeddedPorts, client: Option<&str>, now: Timestamp) -> Watched {
    let tallies = ports.bus.tallies.borrow();
    let mut watched = Watched::default();
    ports.sessions.for_each(|state| {
        if client.is_some_and(|client| client != state.submission.client_id) {
            return;
        }
        if watched.stalled.len() < SHOWN_MAX
            && let Some(stall) = Stall::of(state, now)
        {
            watched.stalled.push(StallView::of(state, &stall));
        }
        for key in state.live() {
            let task = state.task_of(key.node);
            let tally = tallies.get(&task.agent, &task.action);
            watched
                .at_risk
                .extend(tally.and_then(|tally| AtRiskView::of(state, key.node, tally, now)));
        }
    });
    watched
        .at_risk
        .sort_by_key(|risk| std::cmp::Reverse(risk.running_ms));
    watched.at_risk.truncate(SHOWN_MAX);
    watched.agents = AgentView::all(&tallies.all());
    watched
}
