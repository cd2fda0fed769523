//! The examples, with their agents at queues.

use std::path::{Path, PathBuf};

use serde_json::Value;
use tests::requests::Request;

use crate::agents::{Agents, command};
use crate::deployment::{Deployment, Wanted};

fn example(name: &str) -> PathBuf {
    emulator::place::root().join("examples").join(name)
}

fn text(path: &Path) -> String {
    std::fs::read_to_string(path).expect("a file of the repository")
}

fn statuses(run: &Value) -> Vec<(&str, &str)> {
    let tasks = run["tasks"].as_array().expect("a run has tasks");
    let status = |task| -> (&str, &str) {
        let task: &Value = task;
        (
            task["id"].as_str().unwrap_or_default(),
            task["status"].as_str().unwrap_or_default(),
        )
    };
    tasks.iter().map(status).collect()
}

#[tokio::test(flavor = "multi_thread")]
async fn penguins_are_told_apart() {
    const AGENTS: [&str; 5] = [
        "data_agent",
        "eda_agent",
        "ml_agent",
        "analysis_agent",
        "report_agent",
    ];
    let deployment = Deployment::new(Wanted {
        agents: &AGENTS,
        ..Wanted::default()
    })
    .await;
    let files = tempfile::tempdir().expect("a folder");
    let mut agents = Agents::default();
    for agent in AGENTS {
        let (folder, files) = (example("penguins"), files.path().to_owned());
        agents.hire(&deployment, agent, 1, move |envelope| {
            command(&format!("agents/{agent}.py"), &folder, &files, envelope)
        });
    }
    let run = deployment
        .submit(&text(&example("penguins").join("workflow.yaml")))
        .await;
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    assert!(
        statuses(&view).iter().all(|(_, status)| *status == "SUCCESS"),
        "{view}"
    );
    let report = files.path().join(&run).join("files/report.html");
    assert!(text(&report).contains("<html"), "{}", report.display());
    // What agents say reaches the history and the answers unchanged.
    let path = format!("/runs/{run}/tasks/train_knn");
    let task = deployment.ask(&Request::new("GET", &path)).await.json();
    assert!(task["output"].is_object(), "{task}");
    assert_eq!(task["attempts"][0]["status"], "SUCCESS");
}

#[tokio::test(flavor = "multi_thread")]
async fn failures_are_retried_denied_skipped_and_approved() {
    const AGENTS: [&str; 2] = ["data_agent", "report_agent"];
    let folder = example("failures");
    let deployment = Deployment::new(Wanted {
        agents: &AGENTS,
        configuration: &text(&folder.join("orchestrator.yaml")),
        ..Wanted::default()
    })
    .await;
    let files = tempfile::tempdir().expect("a folder");
    let mut agents = Agents::default();
    for agent in AGENTS {
        let (folder, files) = (folder.clone(), files.path().to_owned());
        agents.hire(&deployment, agent, 1, move |envelope| {
            command("agents/nightly.py", &folder, &files, envelope)
        });
    }
    let workflow = text(&folder.join("workflow.yaml"));
    let body = serde_json::json!({"dsl": workflow, "inputs": {"needs_approval": true}}).to_string();
    let reply = deployment
        .ask(&Request::new("POST", "/workflows").json(&body))
        .await;
    assert_eq!(reply.status, 201, "{}", reply.json());
    let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    let publish = format!("/runs/{run}/tasks/publish");
    crate::deployment::eventually("publish waits for a person", async || {
        let task = deployment.ask(&Request::new("GET", &publish)).await.json();
        (task["held"]["reason"] == "approval").then_some(())
    })
    .await;
    let approve = format!("{publish}/approve");
    let approved = deployment.ask(&Request::new("POST", &approve)).await;
    assert_eq!(approved.status, 200, "{}", approved.json());
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    assert_eq!(
        statuses(&view),
        [
            ("fetch", "SUCCESS"),
            ("delete_download", "SKIPPED"),
            ("record_space", "SKIPPED"),
            ("publish", "SUCCESS"),
            ("summary", "SUCCESS"),
        ]
    );
    let path = format!("/runs/{run}/tasks/fetch");
    let fetch = deployment.ask(&Request::new("GET", &path)).await.json();
    let classes: Vec<&str> = fetch["attempts"]
        .as_array()
        .expect("attempts")
        .iter()
        .map(|attempt| attempt["error"]["class"].as_str().unwrap_or("none"))
        .collect();
    assert_eq!(classes, ["transient", "transient", "none"], "{fetch}");
}
