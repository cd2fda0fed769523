//! What must hold of a server's runs.

use std::collections::BTreeSet;

use serde_json::Value;
use tests::http::Endpoint;
use tests::server::eventually;

pub fn get(endpoint: &Endpoint, path: &str) -> Value {
    let answer = endpoint
        .get(path)
        .unwrap_or_else(|error| panic!("{path}: {error}"));
    assert_eq!(answer.status, 200, "{path}: {}", answer.body);
    answer.body
}

pub fn ends_in_success(endpoint: &Endpoint, run: &str) {
    let status = eventually("a run ends", || {
        let status = get(endpoint, &format!("/runs/{run}"))["status"]
            .as_str()
            .unwrap_or_default()
            .to_owned();
        ["SUCCESS", "FAILED", "CANCELLED"]
            .contains(&status.as_str())
            .then_some(status)
    });
    assert_eq!(
        status,
        "SUCCESS",
        "{run}: {}",
        get(endpoint, &format!("/runs/{run}/events"))
    );
}

pub fn all_runs(endpoint: &Endpoint) -> Vec<String> {
    let mut runs = Vec::new();
    let mut path = "/runs?limit=100".to_owned();
    loop {
        let page = get(endpoint, &path);
        let ids = page["runs"]
            .as_array()
            .into_iter()
            .flatten()
            .filter_map(|run| run["id"].as_str());
        runs.extend(ids.map(str::to_owned));
        match page["next_cursor"].as_str() {
            Some(cursor) => path = format!("/runs?limit=100&cursor={cursor}"),
            None => return runs,
        }
    }
}

/// How many tasks the journal says succeeded; each of them once, and the run too.
pub fn successes(endpoint: &Endpoint, run: &str) -> usize {
    let mut seen = BTreeSet::new();
    let mut after = 0;
    loop {
        let page = get(endpoint, &format!("/runs/{run}/events?after={after}"));
        for event in page["events"].as_array().into_iter().flatten() {
            let kind = event["type"].as_str().unwrap_or_default();
            if ["TASK_SUCCEEDED", "GROUP_SUCCEEDED", "RUN_SUCCEEDED"].contains(&kind) {
                let what = event["task"].as_str().unwrap_or("the run").to_owned();
                assert!(
                    seen.insert(what.clone()),
                    "{run}: '{what}' succeeded twice: {event}"
                );
            }
        }
        if page["has_more"] != true {
            break;
        }
        after = page["next_after"].as_u64().expect("a page says where to go on");
    }
    assert!(seen.remove("the run"), "{run} has ended without saying so");
    seen.len()
}

pub fn no_slot_is_used(endpoint: &Endpoint) {
    eventually("no slot is used or waited for", || {
        let pools = get(endpoint, "/pools");
        let pools = pools["pools"]
            .as_array()
            .expect("there is a list of pools")
            .clone();
        pools
            .iter()
            .all(|pool| pool["used"] == 0 && pool["waiting"] == 0)
            .then_some(())
    });
}
