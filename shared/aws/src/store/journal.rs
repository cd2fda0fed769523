//! Appending and loading.

use orchestrator_core::ids::RunId;
use orchestrator_engine::ports::Journal;
use orchestrator_engine::ports::journal::{Append, Error, StoredAppend};
use sha2::{Digest, Sha256};

use super::summary::{self, Moment};
use super::{Store, of_append, unavailable};
use crate::clock::random_bytes;
use crate::fault::Fault;
use crate::table::item::{Item, bytes, bytes_of, hash_of, text_of};
use crate::table::keys::{Key, SK, append_of, append_sort, run_partition};
use crate::table::{Condition, Query, Written};

/// The record of an append.
const RECORD: &str = "rec";
/// The blob that holds the record instead.
const REFERENCE: &str = "ref";
/// Who wrote the append: a number drawn for each, by which a writer knows its own after a lost answer.
const WRITER: &str = "w";

/// Longest record kept in a first append: its item is written again when the run's state changes.
const FIRST_INLINE_MAX: usize = 4 * 1024;
/// Longest record kept in any other append; a longer one costs less in S3.
const INLINE_MAX: usize = 32 * 1024;
/// Largest number of an append that its key has room for.
const APPENDS_MAX: u64 = 9_999_999_999;
/// Pages of 1 MB a journal may have.
const PAGES_MAX: usize = 1_000;

impl Journal for Store {
    async fn load(&self, run: RunId, after: u64) -> Result<Vec<StoredAppend>, Error> {
        let query = Query::between(
            run_partition(run),
            append_sort(after + 1),
            append_sort(APPENDS_MAX),
        );
        let mut items = Vec::new();
        let keep = |page: Vec<Item>| {
            items.extend(page);
            false
        };
        self.table
            .query(query, PAGES_MAX, keep)
            .await
            .map_err(unavailable)?;
        let mut appends = Vec::with_capacity(items.len());
        for item in items {
            let malformed = |fault: Fault| Error::Corrupt {
                run,
                seq: 0,
                detail: fault.detail,
            };
            let sort = text_of(&item, SK).map_err(malformed)?;
            let seq = append_of(sort).ok_or_else(|| Error::Corrupt {
                run,
                seq: 0,
                detail: format!("'{sort}' is not the key of an append"),
            })?;
            let record = self.record(run, seq, &item).await?;
            appends.push(StoredAppend { seq, record });
        }
        Ok(appends)
    }

    async fn append(&self, append: Append) -> Result<(), Error> {
        let Append {
            run,
            seq,
            record,
            summary,
            blobs,
            alerts,
        } = append;
        for blob in blobs {
            self.keep(blob.hash, &blob.bytes).await.map_err(unavailable)?;
        }
        let key = Key::append(run, seq);
        let mut item = key.to_item();
        let writer: [u8; 8] = random_bytes();
        item.insert(WRITER.to_owned(), bytes(writer));
        let inline_max = if seq == 1 { FIRST_INLINE_MAX } else { INLINE_MAX };
        if record.len() <= inline_max {
            item.insert(RECORD.to_owned(), bytes(record));
        } else {
            let hash: [u8; 32] = Sha256::digest(&record).into();
            self.keep(hash, &record).await.map_err(unavailable)?;
            item.insert(REFERENCE.to_owned(), bytes(hash));
        }
        let mut index_entries = 0;
        match &summary {
            Some(summary) if seq == 1 => {
                self.remember_client(&summary.client_id)
                    .await
                    .map_err(unavailable)?;
                index_entries = summary::write_into(&mut item, summary);
            }
            Some(summary) if !summary.status.is_terminal() => {
                self.show(summary, seq, Moment::Before)
                    .await
                    .map_err(unavailable)?;
            }
            _ => {}
        }
        let stored = self
            .table
            .put(item, index_entries, Some(Condition::is_new()))
            .await;
        let is_ours = |item: &Item| bytes_of(item, WRITER) == Ok(&writer[..]);
        match stored {
            Ok(Written::Done) => {}
            // An answer was lost and the request sent again.
            Ok(Written::Refused(Some(item))) if is_ours(&item) => {}
            Ok(Written::Refused(_)) => return Err(Error::Conflict { run, seq }),
            Err(fault) if fault.kind.may_have_worked() => match self.table.get(&key).await {
                Ok(Some(item)) if is_ours(&item) => {}
                Ok(Some(_)) => return Err(Error::Conflict { run, seq }),
                Ok(None) | Err(_) => return Err(of_append(fault)),
            },
            Err(fault) => return Err(of_append(fault)),
        }
        if let Some(summary) = summary.filter(|summary| seq > 1 && summary.status.is_terminal())
            && let Err(fault) = self.show(&summary, seq, Moment::After).await
        {
            tracing::warn!(run_id = %run, %fault, "the index does not show yet that the run has ended; the sweep will repair it");
        }
        self.list_alerts(&alerts).await;
        Ok(())
    }

    async fn blob(&self, hash: [u8; 32]) -> Result<Option<Vec<u8>>, Error> {
        self.fetch(hash).await.map_err(unavailable)
    }
}

impl Store {
    async fn record(&self, run: RunId, seq: u64, item: &Item) -> Result<Vec<u8>, Error> {
        let corrupt = |detail: String| Error::Corrupt { run, seq, detail };
        if !item.contains_key(REFERENCE) {
            let record = bytes_of(item, RECORD).map_err(|fault| corrupt(fault.detail))?;
            return Ok(record.to_vec());
        }
        let hash = hash_of(item, REFERENCE).map_err(|fault| corrupt(fault.detail))?;
        let record = self.fetch(hash).await.map_err(unavailable)?;
        record.ok_or_else(|| corrupt("its record, stored apart, is missing".to_owned()))
    }
}
