//! Results that are reused: across functions, runs and rollbacks, and where there is no cache to be reached.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use serde_json::{Value, json};
use tests::requests::Request;

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted, eventually};

const TWO: &str = "\
name: two
tasks:
  - {id: load, agent: worker, action: load, params: {day: 1}, cache: true}
  - {id: use, agent: worker, action: use, params: {of: '${tasks.load.output.number}'}, depends_on: [load], cache: true}
";

/// Functions with an agent that counts what it is asked to do, and answers with the number.
async fn deploy(environment: Vec<(&'static str, String)>) -> (Deployment, Agents, Arc<AtomicUsize>) {
    let wanted = Wanted {
        agents: &["worker"],
        environment,
        ..Wanted::default()
    };
    let deployment = Deployment::new(wanted).await;
    let mut agents = Agents::default();
    let asked: Arc<AtomicUsize> = Arc::default();
    let count = Arc::clone(&asked);
    agents.hire(&deployment, "worker", 1, move |_| {
        let number = count.fetch_add(1, Ordering::SeqCst) + 1;
        vec![success(json!({"number": number}))]
    });
    (deployment, agents, asked)
}

/// Runs it to its end, and tells how often the agent was asked.
async fn run(deployment: &Deployment, asked: &AtomicUsize) -> (String, usize) {
    let before = asked.load(Ordering::SeqCst);
    let run = deployment.submit(TWO).await;
    let view = deployment.ended(&run).await;
    assert_eq!(view["status"], "SUCCESS", "{view}");
    (run, asked.load(Ordering::SeqCst) - before)
}

async fn task(deployment: &Deployment, run: &str, task: &str) -> Value {
    let path = format!("/runs/{run}/tasks/{task}");
    deployment.ask(&Request::new("GET", &path)).await.json()
}

#[tokio::test(flavor = "multi_thread")]
async fn the_second_run_asks_no_agent_until_it_is_taken_back() {
    let (deployment, _agents, asked) = deploy(Vec::new()).await;
    let (first, times) = run(&deployment, &asked).await;
    assert_eq!(times, 2);
    let (second, times) = run(&deployment, &asked).await;
    assert_eq!(times, 0);
    for name in ["load", "use"] {
        let view = task(&deployment, &second, name).await;
        assert_eq!(
            (
                &view["cache"]["outcome"],
                &view["cache"]["from"]["run_id"],
                &view["attempts_total"]
            ),
            (&json!("hit"), &json!(first), &json!(0)),
            "{view}"
        );
    }
    let body = json!({"to_task": "load", "reason": "wrong data"}).to_string();
    let path = format!("/runs/{second}/rollback");
    let request = Request::new("POST", &path).json(&body);
    let claims = json!({"sub": "ann", "groups": format!("[{}]", crate::deployment::OPERATORS)});
    let event = crate::api::event(&request, json!({"jwt": {"claims": claims, "scopes": null}}));
    let answer = deployment.call("rollback", &event).await.expect("an answer");
    assert_eq!(answer["statusCode"], 200, "{answer}");
    eventually("it is done again", async || {
        let view = task(&deployment, &second, "use").await;
        (view["status"] == "SUCCESS" && view["epoch"] == 2).then_some(())
    })
    .await;
    assert_eq!(asked.load(Ordering::SeqCst), 4, "it is really done");
    let (third, times) = run(&deployment, &asked).await;
    assert_eq!(times, 0);
    let view = task(&deployment, &third, "load").await;
    assert_eq!(
        view["output"],
        json!({"number": 3}),
        "the new result took the place of the old one: {view}"
    );
    let stats = deployment.ask(&Request::new("GET", "/stats")).await.json();
    assert_eq!(
        stats["tasks"]["result_lookups"],
        json!({"hit": 4, "miss": 2, "taken_back": 2}),
        "{stats}"
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn a_cache_that_is_not_there_costs_executions_and_nothing_else() {
    let nowhere = ("ORCHESTRATOR_CACHE", "redis://127.0.0.1:1".to_owned());
    let (deployment, _agents, asked) = deploy(vec![nowhere]).await;
    for _ in 0..2 {
        let (_, times) = run(&deployment, &asked).await;
        assert_eq!(times, 2);
    }
}
