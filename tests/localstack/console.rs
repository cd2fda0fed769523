//! The console behind API Gateway: the same pages as on the embedded host, for whom the authorizer lets in.

use serde_json::{Value, json};
use tests::requests::{Reply, Request};

use crate::agents::{Agents, success};
use crate::deployment::{Deployment, Wanted};

const WORKFLOW: &str = "name: shown\ndescription: '<script>alert(1)</script>'\ntasks:\n  - {id: first, agent: writer, action: write}\n  - {id: second, agent: writer, action: write, depends_on: [first]}\n";

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

#[tokio::test(flavor = "multi_thread")]
async fn pages_are_served_by_the_function_intake() {
    let deployment = Deployment::new(Wanted {
        agents: &["writer"],
        ..Wanted::default()
    })
    .await;
    let mut agents = Agents::default();
    agents.hire(&deployment, "writer", 1, |_| vec![success(json!({"rows": 7}))]);
    let run = deployment.submit(WORKFLOW).await;
    deployment.ended(&run).await;

    let list = deployment.ask(&Request::new("GET", "/ui/runs")).await;
    assert_eq!(list.status, 200, "{}", text(&list));
    assert!(text(&list).contains("shown") && text(&list).contains("data-live=\"poll\""));
    for (view, shown) in [
        ("", "writer.write"),
        ("/timeline", "Critical path"),
        ("/tasks", "SUCCESS"),
        ("/events", "task succeeded"),
        ("/rollback?steps=1", "What it would do"),
        ("/tasks/second", "What shaped it, in order"),
        (
            "/tasks/second/logs",
            "Nothing was printed, or it was kept elsewhere",
        ),
    ] {
        let path = format!("/ui/runs/{run}{view}");
        let page = deployment.ask(&Request::new("GET", &path)).await;
        assert_eq!(page.status, 200, "{path}: {}", text(&page));
        assert!(text(&page).contains(shown), "{path}: {}", text(&page));
        assert!(!text(&page).contains("<script>alert"), "{path}");
    }
    for path in [
        "/ui/pools",
        "/ui/sla",
        "/ui/policy",
        "/ui/new",
        "/ui/agents",
        "/ui/stats",
    ] {
        let page = deployment.ask(&Request::new("GET", path)).await;
        assert_eq!(page.status, 200, "{path}: {}", text(&page));
    }
    let page = deployment.ask(&Request::new("GET", "/ui/stats")).await;
    assert!(text(&page).contains("attempts handed out"));

    // What has not changed is not sent again.
    let path = format!("/ui/runs/{run}");
    let tag = list.header("etag").expect("a page has a tag").to_owned();
    let again = Request::new("GET", "/ui/runs").header("if-none-match", &tag);
    let again = deployment.ask(&again).await;
    assert_eq!((again.status, again.body.len()), (304, 0));

    // Nobody, and another client.
    let nobody = deployment.ask_as(&Request::new("GET", &path), Value::Null).await;
    assert_eq!(nobody.status, 401, "{}", text(&nobody));
    let other = deployment.ask_as_client(&Request::new("GET", &path), "eve").await;
    assert_eq!(other.status, 404, "{}", text(&other));

    // Actions go through the API, from pages of this console only.
    let act = format!("/ui/runs/{run}/tasks/first/rerun");
    let form = |site: &'static str| {
        Request::new("POST", &act)
            .header("content-type", "application/x-www-form-urlencoded")
            .header("sec-fetch-site", site)
    };
    let foreign = deployment.ask(&form("cross-site")).await;
    assert_eq!(foreign.status, 403, "{}", text(&foreign));
    let own = deployment.ask(&form("same-origin")).await;
    assert_eq!(own.status, 303, "{}", text(&own));
    assert_eq!(
        own.header("location"),
        Some(format!("/ui/runs/{run}/tasks/first?did=rerun").as_str())
    );
    let view = deployment.ended(&run).await;
    let tasks = view["tasks"].as_array().expect("a run has tasks");
    let epochs: Vec<&Value> = tasks.iter().map(|task| &task["epoch"]).collect();
    assert_eq!(epochs, [&json!(2), &json!(2)], "{view}");
}
