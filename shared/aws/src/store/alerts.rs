//! Alerts: those that are active, and the last ones. Written only when there is one, so tasks that are in time cost nothing.
//!
//! `SLA` / `A#about`: a missed deadline of what goes on. `SLA` / `R#time#id`: an alert, for 30 days. This is a list for
//! people, written after the append: EventBridge has the alerts, and the journals have the truth.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::views::{AgentView, AlertType, AlertView, AtRiskView, LateView, SlaView};

use super::looks::Look;
use super::{Store, of_index};
use crate::fault::Fault;
use crate::table::Query;
use crate::table::item::{Item, seconds, text, text_of};
use crate::table::keys::{Key, TTL, alert_time};

pub(super) const BODY: &str = "body";
/// How long the last alerts are kept, milliseconds: 30 days.
const KEPT_MS: u64 = 30 * 86_400_000;
/// Pages read of each list.
pub(super) const PAGES_MAX: usize = 20;
/// Entries of each list that are shown.
const SHOWN_MAX: usize = 200;

impl Store {
    /// Lists the alerts of an append. What cannot be listed now is only missing from the list.
    pub(super) async fn list_alerts(&self, alerts: &[AlertView]) {
        for alert in alerts {
            if let Err(fault) = self.list_alert(alert).await {
                tracing::warn!(id = alert.id, %fault, "an alert is missing from the list");
            }
        }
    }

    async fn list_alert(&self, alert: &AlertView) -> Result<(), Fault> {
        let body = serde_json::to_string(alert).unwrap_or_default();
        let mut recent = Key::recent_alert(alert.at.0, &alert.id).to_item();
        recent.insert(BODY.to_owned(), text(body.clone()));
        recent.insert(TTL.to_owned(), seconds(alert.at.0.plus_millis(KEPT_MS)));
        self.table.put(recent, 0, None).await?;
        let active = Key::active_alert(alert.about());
        match alert.kind {
            AlertType::SlaWarning => Ok(()),
            AlertType::SlaBreached => {
                let mut item = active.to_item();
                item.insert(BODY.to_owned(), text(body));
                self.table.put(item, 0, None).await.map(drop)
            }
            AlertType::SlaResolved => self.table.delete(&active, None).await,
        }
    }

    /// What goes on and has missed a deadline, of one client or of all, the oldest first.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub async fn late(&self, client: Option<&str>, now: Timestamp) -> Result<Vec<LateView>, HostError> {
        let (first, last) = Key::active_alerts();
        let query = Query::between(Key::alerts(), first, last);
        let active = self.alerts(query, client, usize::MAX).await.map_err(of_index)?;
        let view = |alert| LateView::of(alert, None, None, now);
        let mut active: Vec<LateView> = active.into_iter().map(view).collect();
        active.sort_by_key(|late| late.alert.at.0);
        Ok(active)
    }

    /// What is late, of one client or of all; at most `limit` recent ones.
    ///
    /// # Errors
    /// When the list cannot be read.
    pub async fn sla(&self, client: Option<&str>, limit: u32, now: Timestamp) -> Result<SlaView, HostError> {
        let mut active = self.late(client, now).await?;
        let (first, last) = (alert_time(Timestamp(0)), alert_time(Timestamp(i64::MAX)));
        let query = Query {
            newest_first: true,
            ..Query::between(Key::alerts(), first, last)
        };
        let limit = usize::try_from(limit).unwrap_or(usize::MAX);
        let recent = self.alerts(query, client, limit).await.map_err(of_index)?;
        let active_total = active.len() as u64;
        active.truncate(SHOWN_MAX);
        let view = |alert: AlertView| {
            let late_ms = (alert.kind != AlertType::SlaWarning).then_some(alert.late_ms);
            LateView::of(alert, None, late_ms, now)
        };
        let is_own = |look: &Look| client.is_none_or(|client| look.client_id == client);
        let looks = self.looks(now).await.map_err(of_index)?;
        let looks: Vec<Look> = looks.into_iter().filter(is_own).collect();
        let stalled = looks.iter().filter_map(|look| look.stalled.clone());
        let mut at_risk: Vec<AtRiskView> = looks.iter().flat_map(|look| look.at_risk.clone()).collect();
        at_risk.sort_by_key(|risk| std::cmp::Reverse(risk.running_ms));
        at_risk.truncate(SHOWN_MAX);
        Ok(SlaView {
            active,
            active_total,
            at_risk,
            stalled: stalled.take(SHOWN_MAX).collect(),
            recent: recent.into_iter().map(view).collect(),
            agents: AgentView::all(&self.figures.tallies().await.map_err(of_index)?),
            note: Some(
                "'at_risk' and 'stalled' are as the last look at each run found them, at most 10 minutes ago; 'agents' may \
                 lack the last 10 seconds"
                    .to_owned(),
            ),
        })
    }

    async fn alerts(
        &self,
        query: Query,
        client: Option<&str>,
        limit: usize,
    ) -> Result<Vec<AlertView>, Fault> {
        let mut alerts = Vec::new();
        let keep = |page: Vec<Item>| {
            let read = |item: &Item| serde_json::from_str(text_of(item, BODY).ok()?).ok();
            let own = |alert: &AlertView| client.is_none_or(|client| alert.client_id == client);
            alerts.extend(page.iter().filter_map(read).filter(own));
            alerts.len() >= limit
        };
        self.table.query(query, PAGES_MAX, keep).await?;
        alerts.truncate(limit);
        Ok(alerts)
    }
}
