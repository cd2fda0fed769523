//! Keys of the table.

use orchestrator_core::ids::RunId;
use orchestrator_core::time::Timestamp;

use super::item::{Item, Value};

/// Name of the partition key.
pub const PK: &str = "PK";
/// Name of the sort key.
pub const SK: &str = "SK";
/// Partition of known clients.
pub const CLIENTS: &str = "CLIENTS";
/// Partition of known pools.
pub const POOLS: &str = "POOLS";
/// Name of the attribute by which DynamoDB deletes what has expired, seconds.
pub const TTL: &str = "ttl";

/// Parts of the index of runs that are to be looked at: spreads its writes.
pub const DUE_SHARDS: u8 = 4;

/// The key of an item.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Key {
    /// Partition key.
    pub pk: String,
    /// Sort key.
    pub sk: String,
}

impl Key {
    fn new(pk: impl Into<String>, sk: impl Into<String>) -> Key {
        Key {
            pk: pk.into(),
            sk: sk.into(),
        }
    }

    /// An append.
    pub fn append(run: RunId, seq: u64) -> Key {
        Key::new(run_partition(run), append_sort(seq))
    }

    /// A blob.
    pub fn blob(hash: &[u8; 32]) -> Key {
        Key::new(format!("BLOB#{}", hex::encode(hash)), "B")
    }

    /// A pool's leases and waiters.
    pub fn pool(pool: &str) -> Key {
        Key::new(format!("POOL#{pool}"), "P")
    }

    /// The entry of a pool in the list of pools.
    pub fn known_pool(pool: &str) -> Key {
        Key::new(POOLS, pool)
    }

    /// The entry of a client in the list of clients.
    pub fn known_client(client: &str) -> Key {
        Key::new(CLIENTS, client)
    }

    /// An idempotency key of a client.
    pub fn idempotency(client: &str, key: &str) -> Key {
        Key::new(format!("IDEMPOTENCY#{client}"), key)
    }

    /// The token buckets of a client.
    pub fn rate(client: &str) -> Key {
        Key::new(format!("RATE#{client}"), "R")
    }

    /// The secret that signs task tokens.
    pub fn token_secret() -> Key {
        Key::new("SECRET", "TASK_TOKENS")
    }

    /// Partition of alerts.
    pub fn alerts() -> String {
        "SLA".to_owned()
    }

    /// A missed deadline of what goes on.
    pub fn active_alert(about: &str) -> Key {
        Key::new(Key::alerts(), format!("A#{about}"))
    }

    /// Before and after every sort key of [`Key::active_alert`].
    pub fn active_alerts() -> (String, String) {
        ("A#".to_owned(), "A$".to_owned())
    }

    /// An alert in the list of the last ones.
    pub fn recent_alert(at: Timestamp, id: &str) -> Key {
        Key::new(Key::alerts(), format!("{}#{id}", alert_time(at)))
    }

    /// What the last look at a run has found.
    pub fn look(run: RunId) -> Key {
        Key::new(Key::alerts(), format!("W#{run}"))
    }

    /// Before and after every sort key of [`Key::look`].
    pub fn looks() -> (String, String) {
        ("W#".to_owned(), "W$".to_owned())
    }

    /// Partition of figures.
    pub fn figures() -> String {
        "FIGURES".to_owned()
    }

    /// What has been counted.
    pub fn counts() -> Key {
        Key::new(Key::figures(), "N")
    }

    /// How long the tasks of an agent and action take.
    pub fn agent_figures(agent: &str, action: &str) -> Key {
        Key::new(
            Key::figures(),
            format!("A#{}#{action}", agent.replace('%', "%25").replace('#', "%23")),
        )
    }

    /// Before and after every sort key of [`Key::agent_figures`].
    pub fn all_agent_figures() -> (String, String) {
        ("A#".to_owned(), "A$".to_owned())
    }

    /// The agent and action of a sort key of [`Key::agent_figures`].
    pub fn agent_of_figures(sort: &str) -> Option<(String, String)> {
        let (agent, action) = sort.strip_prefix("A#")?.split_once('#')?;
        let agent = agent.replace("%23", "#").replace("%25", "%");
        Some((agent, action.to_owned()))
    }

    /// A cached value.
    pub fn cache(key: &str) -> Key {
        Key::new(format!("CACHE#{key}"), "C")
    }

    /// As attributes.
    pub fn to_item(&self) -> Item {
        Item::from([
            (PK.to_owned(), Value::S(self.pk.clone())),
            (SK.to_owned(), Value::S(self.sk.clone())),
        ])
    }
}

/// Where the alerts of a time begin.
pub fn alert_time(at: Timestamp) -> String {
    format!("R#{:019}", at.0.max(0))
}

/// Partition of a run.
pub fn run_partition(run: RunId) -> String {
    format!("RUN#{run}")
}

/// The run of a partition.
pub fn run_of(partition: &str) -> Option<RunId> {
    partition.strip_prefix("RUN#")?.parse().ok()
}

/// Sort key of an append.
pub fn append_sort(seq: u64) -> String {
    format!("J#{seq:010}")
}

/// The append of a sort key.
pub fn append_of(sort: &str) -> Option<u64> {
    sort.strip_prefix("J#")?.parse().ok()
}

/// The part of the index of runs to be looked at that a run is in.
pub fn due_shard(run: RunId) -> String {
    let [.., last] = run.to_bytes();
    format!("DUE#{}", last % DUE_SHARDS)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_of_appends_sort_by_number_and_are_read_back() {
        assert!(append_sort(9) < append_sort(10) && append_sort(999) < append_sort(1_000));
        assert_eq!(append_of(&append_sort(1_234)), Some(1_234));
        let run = RunId::from_parts(7, 9);
        assert_eq!(run_of(&run_partition(run)), Some(run));
        assert_eq!((append_of("B"), run_of("BLOB#1")), (None, None));
    }

    #[test]
    fn names_of_agents_and_actions_are_read_back_whatever_is_in_them() {
        for (agent, action) in [("trainer", "fit"), ("a#b", "c#d"), ("%23", "%"), ("", "")] {
            let key = Key::agent_figures(agent, action);
            let read = Key::agent_of_figures(&key.sk);
            assert_eq!(read, Some((agent.to_owned(), action.to_owned())), "{}", key.sk);
        }
    }
}
