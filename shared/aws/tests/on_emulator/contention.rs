//! Pools under many workers at once.

use crate::world::{World, slot_request as request};
use futures_util::future::join_all;
use orchestrator_aws::pools::TablePools;
use orchestrator_core::pool::{LeaseAnswer, LeaseRequest};
use orchestrator_engine::ports::Pools;
use orchestrator_engine::ports::pools::Taken;

const WORKERS: u32 = 16;
const CAPACITY: u32 = 3;

#[tokio::test]
async fn sixteen_workers_share_three_slots_and_everybody_gets_one() {
    let world = World::new().await;
    let make = || TablePools::new(world.table(), [("gpu".to_owned(), CAPACITY)].into(), 1);
    let workers: Vec<TablePools> = (0..WORKERS).map(|_| make()).collect();
    let requests: Vec<LeaseRequest> = (0..WORKERS).map(request).collect();
    let asks = workers.iter().zip(&requests).map(async |(pools, request)| {
        let taken: Vec<Taken> = pools
            .take(std::slice::from_ref(request))
            .await
            .expect("reachable");
        taken[0].answer == LeaseAnswer::Taken
    });
    let at_once = join_all(asks).await;
    let mut holders: Vec<u32> = (0..WORKERS).filter(|n| at_once[*n as usize]).collect();
    assert_eq!(holders.len(), CAPACITY as usize, "{at_once:?}");
    let mut served = holders.clone();
    while !holders.is_empty() {
        let used = make().usage().await.expect("reachable")[0].used;
        assert_eq!(used as usize, holders.len(), "as many leases as holders");
        // All holders give back at the same moment.
        let releases = holders.iter().map(|n| {
            let pools = &workers[*n as usize];
            let key = request(*n).key;
            async move { pools.release(&[key], 2).await.expect("reachable").granted }
        });
        let granted = join_all(releases).await.concat();
        holders = granted.iter().map(|key| key.node.0).collect();
        assert!(holders.len() <= CAPACITY as usize);
        served.extend(&holders);
    }
    served.sort_unstable();
    assert_eq!(served, (0..WORKERS).collect::<Vec<_>>(), "everybody once");
}

#[tokio::test]
async fn an_operation_costs_the_same_however_long_the_line_is() {
    let world = World::new().await;
    let pools = TablePools::new(world.table(), [("gpu".to_owned(), 1)].into(), 1);
    let units = || world.clients.meter.counts().write_units;
    let mut cost = Vec::new();
    pools.take(&[request(0)]).await.expect("reachable");
    for line in [10, 300] {
        let rest: Vec<LeaseRequest> = (1..=line).map(request).collect();
        pools.take(&rest).await.expect("reachable");
        let before = units();
        let holder = if line == 10 { 0 } else { 1 };
        let released = pools
            .release_in(&["gpu".to_owned()], &[request(holder).key], 2)
            .await;
        assert_eq!(released.expect("reachable").granted, [request(holder + 1).key]);
        cost.push(units() - before);
    }
    assert_eq!(cost[0], cost[1], "write units with 10 and with 300 in line");
    assert!(cost[0] <= 4, "{cost:?}");
}
