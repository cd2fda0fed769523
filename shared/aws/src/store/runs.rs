//! The index of runs.

use orchestrator_core::ids::RunId;
use orchestrator_core::run::RunState;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::due_index::{DueIndex as _, DueRun};
use orchestrator_engine::ports::run_index::{RunQuery, RunSummary};
use orchestrator_engine::ports::{Clock as _, RunIndex};

use super::summary::{self, CLIENT, DUE_AT, Moment, STATUS, WORKFLOW};
use super::{Store, of_index};
use crate::clock::SystemClock;
use crate::fault::Fault;
use crate::table::item::{Item, Value, text, text_of, time_of};
use crate::table::keys::{CLIENTS, Key, PK, SK, run_partition};
use crate::table::{BY_CLIENT, Query};

/// Pages of 1 MB a list may read.
const PAGES_MAX: usize = 200;
/// Clients whose runs are merged in a list of everybody's.
const CLIENTS_PAGES_MAX: usize = 2;

impl RunIndex for Store {
    async fn summary(&self, run: RunId) -> Result<Option<RunSummary>, HostError> {
        let item = self.table.get(&Key::append(run, 1)).await.map_err(of_index)?;
        match item {
            Some(item) => summary::read(&item).map_err(of_index),
            None => Ok(None),
        }
    }

    async fn list(&self, query: &RunQuery) -> Result<Vec<RunSummary>, HostError> {
        let clients = match &query.client_id {
            Some(client) => vec![client.clone()],
            None => self.clients().await.map_err(of_index)?,
        };
        let mut runs = Vec::new();
        for client in clients {
            runs.extend(self.runs_of(&client, query).await.map_err(of_index)?);
        }
        runs.sort_unstable_by_key(|summary: &RunSummary| std::cmp::Reverse(summary.run));
        runs.truncate(query.limit as usize);
        Ok(runs)
    }

    async fn repair(
        &self,
        summary: &RunSummary,
        seq: u64,
        look_at: Option<Timestamp>,
    ) -> Result<(), HostError> {
        let key = Key::append(summary.run, 1);
        let Some(item) = self.table.get(&key).await.map_err(of_index)? else {
            return Ok(());
        };
        if !summary::shows(&item, summary, seq) {
            self.show(summary, seq, Moment::After).await.map_err(of_index)?;
        }
        let Some(look_at) = look_at else { return Ok(()) };
        // A sweep that is about to postpone a run it has just had recovered knows nothing of the run: whoever is first wins.
        let is_overdue = |at: Timestamp| at <= SystemClock.now();
        match time_of(&item, DUE_AT).map_err(of_index)? {
            Some(at) if !summary.status.is_terminal() && (at > look_at || is_overdue(at)) => {
                let due = DueRun { at, run: summary.run };
                self.postpone(due, look_at).await.map(drop)
            }
            _ => Ok(()),
        }
    }

    async fn looked_at(&self, state: &RunState, now: Timestamp) -> Result<(), HostError> {
        self.note_look(state, now).await;
        Ok(())
    }
}

impl Store {
    /// Notes that the client has runs.
    pub(super) async fn remember_client(&self, client: &str) -> Result<(), Fault> {
        if self.knows(|known| known.clients.contains(client)) {
            return Ok(());
        }
        self.table
            .put(Key::known_client(client).to_item(), 0, None)
            .await?;
        self.remember(|known| known.clients.insert(client.to_owned()));
        Ok(())
    }

    async fn clients(&self) -> Result<Vec<String>, Fault> {
        let mut clients = Vec::new();
        let keep = |page: Vec<Item>| {
            clients.extend(
                page.iter()
                    .filter_map(|item| text_of(item, SK).ok().map(str::to_owned)),
            );
            false
        };
        self.table
            .query(Query::partition(CLIENTS), CLIENTS_PAGES_MAX, keep)
            .await?;
        Ok(clients)
    }

    async fn runs_of(&self, client: &str, query: &RunQuery) -> Result<Vec<RunSummary>, Fault> {
        let limit = query.limit as usize;
        let mut values = vec![(":client".to_owned(), text(client))];
        let mut condition = format!("#{CLIENT} = :client");
        let mut names = vec![(format!("#{CLIENT}"), CLIENT.to_owned())];
        if let Some(before) = query.before {
            condition = format!("{condition} AND {PK} < :before");
            values.push((":before".to_owned(), text(run_partition(before))));
        }
        let mut filters = Vec::new();
        if !query.statuses.is_empty() {
            let statuses: Vec<(String, Value)> = query
                .statuses
                .iter()
                .enumerate()
                .map(|(index, status)| (format!(":status{index}"), text(status.as_str())))
                .collect();
            let list: Vec<&str> = statuses.iter().map(|(name, _)| name.as_str()).collect();
            filters.push(format!("#{STATUS} IN ({})", list.join(", ")));
            names.push((format!("#{STATUS}"), STATUS.to_owned()));
            values.extend(statuses);
        }
        if let Some(workflow) = &query.workflow {
            filters.push(format!("#{WORKFLOW} = :workflow"));
            names.push((format!("#{WORKFLOW}"), WORKFLOW.to_owned()));
            values.push((":workflow".to_owned(), text(workflow)));
        }
        let page = filters
            .is_empty()
            .then(|| i32::try_from(limit).unwrap_or(i32::MAX));
        let query = Query {
            index: Some(BY_CLIENT),
            condition,
            filter: (!filters.is_empty()).then(|| filters.join(" AND ")),
            values: values.into_iter().collect(),
            names: names.into_iter().collect(),
            newest_first: true,
            page,
        };
        let mut runs = Vec::new();
        let mut malformed = None;
        let keep = |page: Vec<Item>| {
            for item in &page {
                match summary::read(item) {
                    Ok(summary) => runs.extend(summary),
                    Err(fault) => malformed = Some(fault),
                }
            }
            runs.len() >= limit
        };
        self.table.query(query, PAGES_MAX, keep).await?;
        match malformed {
            Some(fault) => Err(fault),
            None => {
                runs.truncate(limit);
                Ok(runs)
            }
        }
    }
}
