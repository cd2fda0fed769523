//! The one table, and calls to it that count what they cost.
//!
//! | PK | SK | what |
//! |---|---|---|
//! | `RUN#<run>` | `J#<append, 10 digits>` | one append: `rec` its record, or `ref` the hash of a blob that holds it; `w` who wrote it |
//! | `RUN#<run>` | `J#0000000001` | in addition the run's summary: `client`, `workflow`, `status`, `status_seq`, `tasks`, `submitted_at`, `finished_at`; while it has not ended `due_shard`, `due_at` |
//! | `BLOB#<hash>` | `B` | `bytes`: a definition or a large record; in S3 under `blobs/<hash>` when large |
//! | `POOL#<pool>` | `P` | `v` version, `w` who wrote it, `leases` |
//! | `POOL#<pool>` | `W#<order>#<attempt>` | a place in the line: `demands`, `for_append` |
//! | `POOLS` | `<pool>` | a pool that was ever used, so that pools of clients are found |
//! | `CLIENTS` | `<client>` | a client that has ever submitted a run |
//! | `IDEMPOTENCY#<client>` | `<key>` | the run a request created |
//! | `RATE#<client>` | `R` | token buckets |
//! | `SLA` | `A#<about>` | an alert about what goes on; `R#<time>#<id>` one of the last 30 days; `W#<run>` what the last look at a run has found |
//! | `FIGURES` | `A#<agent>#<action>`, `N` | how long tasks take, and counts: see [`crate::figures`] |
//! | `CACHE#<key>` | `C` | a cached value |
//! | `SECRET` | `TASK_TOKENS` | the secret that signs task tokens, if no environment variable gives one |
//!
//! Index `by_client` (`client`, `PK`) lists runs, newest last; it holds only first appends, because no other item has a
//! `client`. Index `by_due` (`due_shard`, `due_at`) is sparse: runs that have not ended. `ttl` (seconds) lets DynamoDB
//! delete what has expired; readers look at `expires_at` (milliseconds) themselves, because deletion may be days late.

pub mod item;
pub mod keys;

use std::collections::HashMap;

use aws_sdk_dynamodb::Client;
use aws_sdk_dynamodb::error::SdkError;
use aws_sdk_dynamodb::operation::put_item::PutItemError;
use aws_sdk_dynamodb::operation::update_item::builders::UpdateItemFluentBuilder;
use aws_sdk_dynamodb::types::ReturnValuesOnConditionCheckFailure;

use crate::fault::{Fault, Kind};
use crate::meter::Meter;
use item::{Item, Value, size};
use keys::{Key, PK, SK};

/// Name of the index that lists runs by client.
pub const BY_CLIENT: &str = "by_client";
/// Name of the index of runs that are to be looked at.
pub const BY_DUE: &str = "by_due";

/// Longest item DynamoDB stores is 400 KB; this leaves room for the other attributes.
pub const BYTES_MAX: usize = 350 * 1024;

/// The table.
#[derive(Debug, Clone)]
pub struct Table {
    pub(crate) client: Client,
    pub(crate) name: String,
    pub(crate) meter: Meter,
}

/// What became of a conditional write.
#[derive(Debug, Clone, PartialEq)]
pub enum Written {
    /// It was done.
    Done,
    /// The condition did not hold; the item as it is, if there is one.
    Refused(Option<Item>),
}

impl Table {
    /// The table of this name.
    pub fn new(client: Client, name: String, meter: Meter) -> Table {
        Table { client, name, meter }
    }

    /// Stores an item, under a condition if one is given. `index_entries`: entries of indexes that it adds or changes.
    ///
    /// # Errors
    /// When it is not known to be stored; a condition that does not hold is no error.
    pub async fn put(
        &self,
        item: Item,
        index_entries: u64,
        condition: Option<Condition>,
    ) -> Result<Written, Fault> {
        self.meter.write(size(&item), index_entries);
        let mut request = self.client.put_item().table_name(&self.name).set_item(Some(item));
        if let Some(Condition { expression, values }) = condition {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_values((!values.is_empty()).then_some(values))
                .return_values_on_condition_check_failure(ReturnValuesOnConditionCheckFailure::AllOld);
        }
        match request.send().await {
            Ok(_) => Ok(Written::Done),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                let item = match error.into_err() {
                    PutItemError::ConditionalCheckFailedException(failed) => failed.item,
                    _ => None,
                };
                Ok(Written::Refused(item))
            }
            Err(error) => Err(Fault::of(&error)),
        }
    }

    /// Reads an item, strongly consistent.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.get_as(key, true).await
    }

    /// Reads an item as it was a moment ago, for half the cost.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn get_soon(&self, key: &Key) -> Result<Option<Item>, Fault> {
        self.get_as(key, false).await
    }

    async fn get_as(&self, key: &Key, is_consistent: bool) -> Result<Option<Item>, Fault> {
        let request = self
            .client
            .get_item()
            .table_name(&self.name)
            .consistent_read(is_consistent);
        let output = request
            .set_key(Some(key.to_item()))
            .send()
            .await
            .map_err(|error| Fault::of(&error))?;
        self.meter
            .read(output.item.as_ref().map_or(0, size), is_consistent);
        Ok(output.item)
    }

    /// Deletes an item, if it is there and meets the condition.
    ///
    /// # Errors
    /// When it is not known to be gone.
    pub async fn delete(&self, key: &Key, condition: Option<Condition>) -> Result<(), Fault> {
        self.meter.write(0, 0);
        let request = self.client.delete_item().table_name(&self.name);
        let mut request = request.set_key(Some(key.to_item()));
        if let Some(Condition { expression, values }) = condition {
            request = request
                .condition_expression(expression)
                .set_expression_attribute_values((!values.is_empty()).then_some(values));
        }
        match request.send().await {
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(())
            }
            other => other.map(drop).map_err(|error| Fault::of(&error)),
        }
    }

    /// An update of the item with this key, to be completed and handed to [`Table::apply`].
    pub fn update(&self, key: &Key) -> UpdateItemFluentBuilder {
        self.client
            .update_item()
            .table_name(&self.name)
            .set_key(Some(key.to_item()))
    }

    /// Carries out an update; `false`: its condition did not hold. `bytes` and `index_entries` are what it is expected to
    /// touch.
    ///
    /// # Errors
    /// When it is not known to be done.
    pub async fn apply(
        &self,
        update: UpdateItemFluentBuilder,
        bytes: usize,
        index_entries: u64,
    ) -> Result<bool, Fault> {
        self.meter.write(bytes, index_entries);
        match update.send().await {
            Ok(_) => Ok(true),
            Err(SdkError::ServiceError(error)) if error.err().is_conditional_check_failed_exception() => {
                Ok(false)
            }
            Err(error) => Err(Fault::of(&error)),
        }
    }

    /// Follows a query page by page until `enough` says so.
    ///
    /// # Errors
    /// When a page cannot be read, or there are more than `pages_max`.
    pub async fn query(
        &self,
        query: Query,
        pages_max: usize,
        mut enough: impl FnMut(Vec<Item>) -> bool,
    ) -> Result<(), Fault> {
        let Query {
            index,
            condition,
            filter,
            values,
            names,
            newest_first,
            page,
        } = query;
        let is_consistent = index.is_none();
        let mut start = None;
        for _ in 0..pages_max {
            let request = self
                .client
                .query()
                .table_name(&self.name)
                .consistent_read(is_consistent);
            let output = request
                .set_index_name(index.map(str::to_owned))
                .key_condition_expression(&condition)
                .set_filter_expression(filter.clone())
                .set_expression_attribute_values(Some(values.clone()))
                .set_expression_attribute_names((!names.is_empty()).then(|| names.clone()))
                .scan_index_forward(!newest_first)
                .set_limit(page)
                .set_exclusive_start_key(start)
                .send()
                .await
                .map_err(|error| Fault::of(&error))?;
            let items = output.items.unwrap_or_default();
            self.meter.read(items.iter().map(size).sum(), is_consistent);
            let is_enough = enough(items);
            start = output.last_evaluated_key.filter(|key| !key.is_empty());
            if is_enough || start.is_none() {
                return Ok(());
            }
        }
        Err(Fault {
            kind: Kind::Fatal,
            detail: format!("the answer has more than {pages_max} pages (ask for less)"),
        })
    }
}

/// A condition of a write.
#[derive(Debug, Clone, Default)]
pub struct Condition {
    /// The expression.
    pub expression: String,
    /// Its values.
    pub values: HashMap<String, Value>,
}

impl Condition {
    /// There is no item with this key yet.
    pub fn is_new() -> Condition {
        Condition {
            expression: format!("attribute_not_exists({PK})"),
            values: HashMap::new(),
        }
    }

    /// A condition with values.
    pub fn new(expression: &str, values: impl IntoIterator<Item = (&'static str, Value)>) -> Condition {
        let values = values.into_iter().map(|(name, value)| (name.to_owned(), value));
        Condition {
            expression: expression.to_owned(),
            values: values.collect(),
        }
    }
}

/// A query of one partition.
#[derive(Debug, Clone, Default)]
pub struct Query {
    /// Of this index; of the table, strongly consistent, when there is none.
    pub index: Option<&'static str>,
    /// Condition on the keys.
    pub condition: String,
    /// Condition on other attributes: what does not fit is read and paid for, but not returned.
    pub filter: Option<String>,
    /// Values of the expressions.
    pub values: HashMap<String, Value>,
    /// Names in the expressions that are reserved words.
    pub names: HashMap<String, String>,
    /// From the largest sort key to the smallest.
    pub newest_first: bool,
    /// Items per page, before the filter.
    pub page: Option<i32>,
}

impl Query {
    /// The items of a partition whose sort key lies between two.
    pub fn between(partition: String, first: String, last: String) -> Query {
        Query {
            condition: format!("{PK} = :p AND {SK} BETWEEN :a AND :z"),
            values: HashMap::from([
                (":p".to_owned(), Value::S(partition)),
                (":a".to_owned(), Value::S(first)),
                (":z".to_owned(), Value::S(last)),
            ]),
            ..Query::default()
        }
    }

    /// All items of a partition.
    pub fn partition(partition: &str) -> Query {
        Query {
            condition: format!("{PK} = :p"),
            values: HashMap::from([(":p".to_owned(), Value::S(partition.to_owned()))]),
            ..Query::default()
        }
    }
}
