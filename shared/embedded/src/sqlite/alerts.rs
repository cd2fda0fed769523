//! Alerts: a list of them, those that are still to be sent, and tallies of how long tasks take.
//!
//! An alert is listed, and noted to be sent, in the transaction that makes its event durable: it cannot be lost between
//! the two. A row of the list is about one deadline: a breach replaces its warning, a resolution completes its breach.

use orchestrator_core::time::Timestamp;
use orchestrator_engine::sla::Tally;
use orchestrator_engine::views::{AlertType, AlertView};
use rusqlite::{Connection, OptionalExtension as _, Row, params};

use super::error::StoreError;
use super::store::Store;

/// How long a row is kept after it has come to an end, milliseconds: 30 days.
const KEPT_MS: i64 = 30 * 86_400_000;
/// Old rows deleted for a new one.
const OLD_MAX: u32 = 8;
/// Alerts that wait to be sent; older ones are given up.
const TO_SEND_MAX: i64 = 100_000;

/// A row of the list.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ListedAlert {
    /// The breach, or the warning while there is no breach.
    pub alert: AlertView,
    /// When it came to an end.
    pub resolved_at: Option<Timestamp>,
    /// How late it was when it ended.
    pub late_ms: Option<u64>,
}

/// Which rows of the list.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Which {
    /// Missed deadlines of what goes on, oldest first.
    Active,
    /// All, newest first.
    Recent,
}

impl Store {
    /// Enters an alert, and notes it to be sent.
    pub(super) fn alert(&self, alert: &AlertView, is_sent: bool) -> Result<(), rusqlite::Error> {
        let body = serde_json::to_string(alert).unwrap_or_default();
        let (about, at) = (alert.about(), alert.at.0.0);
        match alert.kind {
            AlertType::SlaResolved => {
                self.connection
                    .prepare_cached(
                        "UPDATE alerts SET is_active = 0, resolved_at = ?2, late_ms = ?3 WHERE about = ?1",
                    )?
                    .execute(params![
                        about,
                        at,
                        i64::try_from(alert.late_ms).unwrap_or(i64::MAX)
                    ])?;
            }
            AlertType::SlaWarning | AlertType::SlaBreached => {
                self.connection
                    .prepare_cached(
                        "INSERT INTO alerts (about, client_id, at, is_active, body) VALUES (?1, ?2, ?3, ?4, ?5) \
                         ON CONFLICT (about) DO UPDATE SET at = ?3, is_active = ?4, body = ?5",
                    )?
                    .execute(params![
                        about,
                        alert.client_id,
                        at,
                        alert.kind == AlertType::SlaBreached,
                        body
                    ])?;
                self.connection
                    .prepare_cached(
                        "DELETE FROM alerts WHERE about IN \
                         (SELECT about FROM alerts WHERE at < ?1 AND is_active = 0 ORDER BY at LIMIT ?2)",
                    )?
                    .execute(params![at.saturating_sub(KEPT_MS), OLD_MAX])?;
            }
        }
        if is_sent {
            self.connection
                .prepare_cached("INSERT OR IGNORE INTO alerts_to_send (id, body) VALUES (?1, ?2)")?
                .execute(params![alert.id, body])?;
            self.connection
                .prepare_cached(
                    "DELETE FROM alerts_to_send WHERE no <= (SELECT max(no) FROM alerts_to_send) - ?1",
                )?
                .execute([TO_SEND_MAX])?;
        }
        Ok(())
    }

    /// Notes that an alert was sent, or is given up.
    pub(super) fn sent(&self, id: &str) -> Result<(), rusqlite::Error> {
        self.connection
            .prepare_cached("DELETE FROM alerts_to_send WHERE id = ?1")?
            .execute([id])
            .map(drop)
    }

    /// The alerts that are still to be sent, oldest first.
    pub(crate) fn to_send(&self) -> Result<Vec<(String, String)>, StoreError> {
        let read = || -> Result<Vec<(String, String)>, rusqlite::Error> {
            self.connection
                .prepare_cached("SELECT id, body FROM alerts_to_send ORDER BY no")?
                .query_map([], |row| Ok((row.get(0)?, row.get(1)?)))?
                .collect()
        };
        read().map_err(|error| self.error(&error))
    }

    pub(super) fn tally(&self, agent: &str, action: &str, tally: &Tally) -> Result<(), rusqlite::Error> {
        let body = serde_json::to_string(tally).unwrap_or_default();
        self.connection
            .prepare_cached("INSERT OR REPLACE INTO tallies (agent, action, body) VALUES (?1, ?2, ?3)")?
            .execute(params![agent, action, body])
            .map(drop)
    }

    /// The tallies as they were stored last.
    pub(crate) fn tallies(&self) -> Result<Vec<(String, String, Tally)>, StoreError> {
        tallies(&self.connection).map_err(|error| self.error(&error))
    }
}

/// The tallies as they were stored last.
pub(crate) fn tallies(connection: &Connection) -> Result<Vec<(String, String, Tally)>, rusqlite::Error> {
    let row = |row: &Row<'_>| Ok((row.get(0)?, row.get(1)?, from_json(row, 2)?));
    connection
        .prepare_cached("SELECT agent, action, body FROM tallies ORDER BY agent, action")?
        .query_map([], row)?
        .collect()
}

/// At most `limit` rows of the list, of one client or of all.
pub(crate) fn list(
    connection: &Connection,
    which: Which,
    client: Option<&str>,
    limit: u32,
) -> Result<Vec<ListedAlert>, rusqlite::Error> {
    let (condition, order) = match which {
        Which::Active => ("is_active = 1", "at"),
        Which::Recent => ("1", "at DESC"),
    };
    let sql = format!(
        "SELECT body, resolved_at, late_ms FROM alerts WHERE {condition} AND (?1 IS NULL OR client_id = ?1) \
         ORDER BY {order} LIMIT ?2"
    );
    let row = |row: &Row<'_>| {
        Ok(ListedAlert {
            alert: from_json(row, 0)?,
            resolved_at: row.get::<_, Option<i64>>(1)?.map(Timestamp),
            late_ms: row
                .get::<_, Option<i64>>(2)?
                .map(|late| u64::try_from(late).unwrap_or(0)),
        })
    };
    connection
        .prepare_cached(&sql)?
        .query_map(params![client, limit], row)?
        .collect()
}

/// How many deadlines are missed by what goes on.
pub(crate) fn count_active(connection: &Connection, client: Option<&str>) -> Result<u64, rusqlite::Error> {
    let count: Option<i64> = connection
        .prepare_cached("SELECT count(*) FROM alerts WHERE is_active = 1 AND (?1 IS NULL OR client_id = ?1)")?
        .query_row([client], |row| row.get(0))
        .optional()?;
    Ok(count.and_then(|count| u64::try_from(count).ok()).unwrap_or(0))
}

fn from_json<T: serde::de::DeserializeOwned>(row: &Row<'_>, column: usize) -> Result<T, rusqlite::Error> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(error))
    })
}
