//! `pools`: who holds slots, who waits.

use orchestrator_engine::views::{LeaseView, PoolList};

use crate::args::Global;
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::Output;
use crate::output::table::Table;

/// Shows the pools.
pub fn run(global: &Global, output: &Output) -> Result<Exit, Failure> {
    let list: PoolList = Client::connect(global)?.get("/pools")?;
    output.answer(&list, |list, page| {
        let mut table = Table::new(&["POOL", "SLOTS", "USED", "WAITING", "HOLDERS", "WAITERS"]);
        for pool in &list.pools {
            table.row(vec![
                pool.pool.clone(),
                pool.capacity.to_string(),
                pool.used.to_string(),
                pool.waiting.to_string(),
                names(&pool.holders),
                names(&pool.waiters),
            ]);
        }
        page.table(&table);
    });
    Ok(Exit::Success)
}

/// The first few, as `task (…LAST6)`.
fn names(leases: &[LeaseView]) -> String {
    const SHOWN: usize = 4;
    let name = |lease: &LeaseView| {
        let run = lease.run_id.to_string();
        let end = run.get(20..).unwrap_or_default();
        format!("{} (…{end})", lease.task.as_deref().unwrap_or("run"))
    };
    let mut names: Vec<String> = leases.iter().take(SHOWN).map(name).collect();
    if leases.len() > SHOWN {
        names.push(format!("{} more", leases.len() - SHOWN));
    }
    names.join(", ")
}
