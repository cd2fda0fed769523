//! What looks at runs have found: tasks that take long, and runs that do not move.
//!
//! No function knows all runs, so whoever recovers one looks at it and notes what it found, until the next look. A run in which
//! there is nothing to note costs half a read unit per look.

use std::collections::BTreeMap;
use std::sync::Arc;

use orchestrator_core::run::{RunState, TaskStatus};
use orchestrator_core::time::Timestamp;
use orchestrator_engine::sla::{Stall, Tally};
use orchestrator_engine::sweep::CHECK_LAST_MS;
use orchestrator_engine::views::{AtRiskView, StallView};
use serde::{Deserialize, Serialize};

use super::Store;
use super::alerts::{BODY, PAGES_MAX};
use crate::fault::Fault;
use crate::table::Query;
use crate::table::item::{Item, number, seconds, text, text_of, time_of};
use crate::table::keys::{Key, TTL};

/// Until when an item counts; see [`crate::table`].
const EXPIRES_AT: &str = "expires_at";
/// How long after its time the next look may come before this one no longer counts, milliseconds.
const GRACE_MS: u64 = 150_000;
/// Tasks noted of one run.
const TASKS_MAX: usize = 20;
/// How long the usual times of agents are kept, milliseconds.
const USUAL_KEPT_MS: u64 = 60_000;

/// What one look has found.
#[derive(Debug, Clone, PartialEq, Default, Serialize, Deserialize)]
pub(super) struct Look {
    /// Whose run it is.
    pub(super) client_id: String,
    /// The run, if it does not move.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub(super) stalled: Option<StallView>,
    /// Its tasks that take long.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub(super) at_risk: Vec<AtRiskView>,
}

/// How long tasks take, as it was read at a time.
pub(super) type Usual = Option<(Timestamp, Arc<BTreeMap<(String, String), Tally>>)>;

impl Store {
    /// Looks at a run and notes what there is. It is a list for people: what cannot be noted now is only missing from it.
    pub(super) async fn note_look(&self, state: &RunState, now: Timestamp) {
        if let Err(fault) = self.try_note_look(state, now).await {
            tracing::warn!(run_id = %state.id(), %fault, "what a look at a run has found is missing from the list");
        }
    }

    async fn try_note_look(&self, state: &RunState, now: Timestamp) -> Result<(), Fault> {
        let key = Key::look(state.id());
        let look = self.look(state, now).await?;
        if look.stalled.is_none() && look.at_risk.is_empty() {
            if self.table.get_soon(&key).await?.is_some() {
                self.table.delete(&key, None).await?;
            }
            return Ok(());
        }
        let expires_at = now.plus_millis(CHECK_LAST_MS + GRACE_MS);
        let mut item = key.to_item();
        item.insert(
            BODY.to_owned(),
            text(serde_json::to_string(&look).unwrap_or_default()),
        );
        item.insert(EXPIRES_AT.to_owned(), number(expires_at.0));
        item.insert(TTL.to_owned(), seconds(expires_at));
        self.table.put(item, 0, None).await.map(drop)
    }

    async fn look(&self, state: &RunState, now: Timestamp) -> Result<Look, Fault> {
        let running = || {
            let nodes = state.live().map(|key| key.node);
            nodes.filter(|node| state.node(*node).status == TaskStatus::Running)
        };
        let mut at_risk = Vec::new();
        if running().next().is_some() {
            let usual = self.usual(now).await?;
            let risk = |node| {
                let task = state.task_of(node);
                let tally = usual.get(&(task.agent.clone(), task.action.clone()))?;
                AtRiskView::of(state, node, tally, now)
            };
            at_risk.extend(running().filter_map(risk).take(TASKS_MAX));
        }
        Ok(Look {
            client_id: state.submission.client_id.clone(),
            stalled: Stall::of(state, now).map(|stall| StallView::of(state, &stall)),
            at_risk,
        })
    }

    /// How long tasks take; not older than [`USUAL_KEPT_MS`].
    async fn usual(&self, now: Timestamp) -> Result<Arc<BTreeMap<(String, String), Tally>>, Fault> {
        let kept = self.knows(|known| known.usual.clone());
        if let Some((read_at, usual)) = kept
            && now.millis_since(read_at) < USUAL_KEPT_MS
        {
            return Ok(usual);
        }
        let usual = Arc::new(self.figures.tallies().await?);
        self.knows(|known| known.usual = Some((now, Arc::clone(&usual))));
        Ok(usual)
    }

    /// What the last looks have found.
    pub(super) async fn looks(&self, now: Timestamp) -> Result<Vec<Look>, Fault> {
        let (first, last) = Key::looks();
        let mut looks = Vec::new();
        let keep = |page: Vec<Item>| {
            let read = |item: &Item| {
                let counts = time_of(item, EXPIRES_AT).ok()?? > now;
                let look = serde_json::from_str(text_of(item, BODY).ok()?).ok()?;
                counts.then_some(look)
            };
            looks.extend(page.iter().filter_map(read));
            false
        };
        let query = Query::between(Key::alerts(), first, last);
        self.table.query(query, PAGES_MAX, keep).await?;
        Ok(looks)
    }
}
