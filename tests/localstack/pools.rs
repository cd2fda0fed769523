//! Slots of pools, with many workers who would like them.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use tests::requests::Request;

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted};
use crate::workflows::wide;

#[tokio::test(flavor = "multi_thread")]
async fn sixteen_workers_share_three_slots() {
    const SLOTS: usize = 3;
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        configuration: "master_orchestrator: {pools: {licences: 3}}",
        ..Wanted::default()
    })
    .await;
    let working = Arc::new(AtomicUsize::new(0));
    let most = Arc::new(AtomicUsize::new(0));
    let mut agents = Agents::default();
    let (now, peak) = (Arc::clone(&working), Arc::clone(&most));
    agents.hire(&deployment, "writer", 16, move |_| {
        let count = now.fetch_add(1, Ordering::SeqCst) + 1;
        peak.fetch_max(count, Ordering::SeqCst);
        std::thread::sleep(Duration::from_millis(100));
        now.fetch_sub(1, Ordering::SeqCst);
        vec![success(json!(null))]
    });
    let workflow = wide(12, ", pools: [licences]");
    let runs = [
        deployment.submit(&workflow).await,
        deployment.submit(&workflow).await,
    ];
    for run in &runs {
        assert_eq!(deployment.ended(run).await["status"], "SUCCESS");
    }
    let most = most.load(Ordering::SeqCst);
    assert!(most <= SLOTS, "{most} worked at a time");
    assert!(most > 1, "nobody worked beside another");
    let pools = deployment.ask(&Request::new("GET", "/pools")).await.json();
    let pools = pools["pools"].as_array().expect("pools");
    let licences = pools
        .iter()
        .find(|pool| pool["pool"] == "licences")
        .expect("the pool");
    assert_eq!(
        (&licences["capacity"], &licences["used"], &licences["waiting"]),
        (&json!(3), &json!(0), &json!(0)),
        "slots are given back: {licences}"
    );
}
