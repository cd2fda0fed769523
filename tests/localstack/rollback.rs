//! Taking runs back: what a consumer of a queue or a job has of it.

use std::sync::{Arc, Mutex};

use serde_json::{Value, json};
use tests::requests::Request;

use crate::agents::{Agents, say, success};
use crate::batch;
use crate::deployment::{Deployment, Wanted, eventually};

/// Asks the function `rollback` and gives its answer.
async fn roll_back(deployment: &Deployment, run: &str, body: Value) -> Value {
    let (path, body) = (format!("/runs/{run}/rollback"), body.to_string());
    let request = Request::new("POST", &path).json(&body);
    let claims = json!({"sub": "ann", "groups": format!("[{}]", crate::deployment::OPERATORS)});
    let event = crate::api::event(&request, json!({"jwt": {"claims": claims, "scopes": null}}));
    let answer = deployment.call("rollback", &event).await.expect("an answer");
    serde_json::from_str(answer["body"].as_str().expect("a body")).expect("JSON")
}

async fn await_task(deployment: &Deployment, run: &str, task: &str, status: &str) -> Value {
    let path = format!("/runs/{run}/tasks/{task}");
    eventually(&format!("{task} becomes {status}"), async || {
        let view = deployment.ask(&Request::new("GET", &path)).await.json();
        (view["status"] == status).then_some(view)
    })
    .await
}

/// How often the history of a run has an event about a task.
async fn count(deployment: &Deployment, run: &str, kind: &str, task: &str) -> usize {
    let events = deployment.history(run).await;
    let is_it = |event: &&Value| event["type"] == kind && event["task"] == task;
    events.iter().filter(is_it).count()
}

const TWO: &str = "\
name: two
tasks:
  - {id: first, agent: noop, action: run}
  - {id: job, agent: slow, action: run, depends_on: [first]}
";

async fn deploy() -> (Deployment, Agents) {
    let deployment = Deployment::new(Wanted {
        agents: &["noop", "slow"],
        ..Wanted::default()
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "noop", 1, |_| vec![success(json!("done"))]);
    (deployment, agents)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_late_success_of_a_consumer_is_refused_and_recorded() {
    let (deployment, mut agents) = deploy().await;
    // Begins and says no more, until it gets the task in its second epoch.
    let first: Arc<Mutex<Option<Value>>> = Arc::default();
    let got = Arc::clone(&first);
    agents.hire(&deployment, "slow", 1, move |envelope| {
        if envelope["epoch"] == 1 {
            *got.lock().expect("nobody panics with it") = Some(envelope.clone());
            return vec![json!({"type": "TASK_STARTED"})];
        }
        vec![success(json!("in time"))]
    });
    let run = deployment.submit(TWO).await;
    await_task(&deployment, &run, "job", "RUNNING").await;
    let preview = roll_back(&deployment, &run, json!({"steps": 1, "dry_run": true})).await;
    assert_eq!(
        preview["plan"]["tasks"][1]["stops"][0]["task"], "job",
        "{preview}"
    );
    let token = &preview["plan"]["plan_token"];
    let body = json!({"steps": 1, "reason": "wrong data", "plan_token": token});
    let applied = roll_back(&deployment, &run, body.clone()).await;
    assert_eq!(
        (&applied["applied"], &applied["plan"]),
        (&json!(true), &preview["plan"]),
        "{applied}"
    );
    let late = first
        .lock()
        .expect("nobody panics with it")
        .take()
        .expect("it has begun");
    say(&deployment, &late, success(json!("late"))).await;
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let task = await_task(&deployment, &run, "job", "SUCCESS").await;
    assert_eq!((&task["output"], &task["epoch"]), (&json!("in time"), &json!(2)));
    eventually("the late report is recorded", async || {
        (count(&deployment, &run, "REPORT_REFUSED", "job").await == 1).then_some(())
    })
    .await;
    assert_eq!(
        roll_back(&deployment, &run, body).await["code"],
        "rollback.plan-changed"
    );
    let path = format!("/runs/{run}/rollbacks");
    let list = deployment.ask(&Request::new("GET", &path)).await.json();
    assert_eq!(
        (&list["rollbacks"][0]["by"], &list["rollbacks"][0]["state"]),
        (&json!("ann"), &json!("done")),
        "{list}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_queued_message_of_a_task_that_was_taken_back_leads_to_nothing() {
    let (deployment, mut agents) = deploy().await;
    let run = deployment.submit(TWO).await;
    await_task(&deployment, &run, "job", "QUEUED").await;
    roll_back(
        &deployment,
        &run,
        json!({"to_task": "first", "reason": "wrong data"}),
    )
    .await;
    // Both messages are there, the old one first; the consumer cannot tell and does both.
    agents.hire(&deployment, "slow", 1, |envelope| {
        vec![success(envelope["epoch"].clone())]
    });
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    let task = await_task(&deployment, &run, "job", "SUCCESS").await;
    assert_eq!((&task["output"], &task["attempts_total"]), (&json!(2), &json!(2)));
    assert_eq!(count(&deployment, &run, "TASK_SUCCEEDED", "job").await, 1);
    eventually("the old report is recorded", async || {
        (count(&deployment, &run, "REPORT_REFUSED", "job").await == 1).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn the_job_of_a_task_that_is_taken_back_is_terminated_and_what_it_undoes_is_done_first() {
    let deployment = batch::deploy(&[("EMULATOR_HANG", "1")], &[]).await;
    let workflow = "\
name: jobs
tasks:
  - {id: first, agent: noop, action: run, compensate: {agent: noop, action: undo}}
  - {id: train, agent: ml_agent, action: train, depends_on: [first]}
";
    let mut agents = Agents::default();
    agents.hire(&deployment, "noop", 1, |_| vec![success(json!("done"))]);
    let run = deployment.submit(workflow).await;
    let job = batch::running(&deployment).await;
    roll_back(&deployment, &run, json!({"steps": 1, "reason": "wrong data"})).await;
    let reason = batch::terminated(&deployment, &job).await;
    assert!(
        !reason.is_empty(),
        "whoever reads the job's history sees why it ended"
    );
    // The next epoch has a job of its own.
    let next = batch::running(&deployment).await;
    assert_ne!(next, job);
    let history = deployment.history(&run).await;
    let place = |kind: &str, task: &str| {
        history
            .iter()
            .rposition(|event| event["type"] == kind && event["task"] == task)
    };
    assert!(place("TASK_SUCCEEDED", "undo:first#1").is_some(), "{history:?}");
    assert!(
        place("TASK_SUCCEEDED", "undo:first#1") < place("TASK_READY", "first"),
        "{history:?}"
    );
    let cancel = format!("/runs/{run}/cancel");
    deployment.ask(&Request::new("POST", &cancel)).await;
    batch::terminated(&deployment, &next).await;
}
