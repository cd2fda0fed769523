//! The index of runs that are to be looked at.

use futures_util::future::try_join_all;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::error::HostError;
use orchestrator_engine::ports::due_index::{DueIndex, DueRun};

use super::summary::{BYTES_USUAL, DUE_AT, DUE_SHARD};
use super::{Store, of_index};
use crate::fault::Fault;
use crate::table::item::{Item, number, text, text_of, time_of};
use crate::table::keys::{DUE_SHARDS, Key, PK, run_of};
use crate::table::{BY_DUE, Query};

/// Pages read of each part of the index; whatever is left is due at the next sweep.
const PAGES_MAX: usize = 4;

impl DueIndex for Store {
    async fn due(&self, now: Timestamp, limit: usize) -> Result<Vec<DueRun>, HostError> {
        let shards = (0..DUE_SHARDS).map(|shard| self.due_in(format!("DUE#{shard}"), now, limit));
        let mut due = try_join_all(shards).await.map_err(of_index)?.concat();
        due.sort_unstable();
        due.truncate(limit);
        Ok(due)
    }

    async fn postpone(&self, due: DueRun, to: Timestamp) -> Result<bool, HostError> {
        let update = self
            .table
            .update(&Key::append(due.run, 1))
            .update_expression(format!("SET {DUE_AT} = :to"))
            .condition_expression(format!("{DUE_AT} = :seen"))
            .expression_attribute_values(":to", number(to.0))
            .expression_attribute_values(":seen", number(due.at.0));
        // A changed sort key of an index is an entry less and an entry more.
        self.table.apply(update, BYTES_USUAL, 2).await.map_err(of_index)
    }
}

impl Store {
    async fn due_in(&self, shard: String, now: Timestamp, limit: usize) -> Result<Vec<DueRun>, Fault> {
        let query = Query {
            index: Some(BY_DUE),
            condition: format!("{DUE_SHARD} = :shard AND {DUE_AT} <= :now"),
            values: [
                (":shard".to_owned(), text(shard)),
                (":now".to_owned(), number(now.0)),
            ]
            .into(),
            page: Some(i32::try_from(limit).unwrap_or(i32::MAX)),
            ..Query::default()
        };
        let mut due = Vec::new();
        let keep = |page: Vec<Item>| {
            let entry = |item: &Item| {
                let run = run_of(text_of(item, PK).ok()?)?;
                let at = time_of(item, DUE_AT).ok()??;
                Some(DueRun { at, run })
            };
            due.extend(page.iter().filter_map(entry));
            due.len() >= limit
        };
        self.table.query(query, PAGES_MAX, keep).await?;
        Ok(due)
    }
}
