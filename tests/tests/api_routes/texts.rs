//! The routes of texts, and how they refuse.

use serde_json::json;
use tests::requests::Request;

use super::caller::{Caller, await_status, start};

/// The routes of texts.
pub fn take(caller: &mut Caller<'_>) {
    let agents = caller.json("/agents", &Request::new("GET", "/agents"));
    let names: Vec<&str> = agents["agents"]
        .as_array()
        .into_iter()
        .flatten()
        .filter_map(|agent| agent["name"].as_str())
        .collect();
    assert_eq!(names, ["data_agent", "fail", "noop", "patient", "sleep"]);
    let text = r#"{"natural_language": "load data/x.csv", "metadata": {"urgent": true}}"#;
    let proposal = caller.json("/workflows", &Request::new("POST", "/workflows").json(text));
    assert_eq!(proposal["plan"]["tasks"][0]["id"], "load_dataset");
    assert_eq!(
        proposal["plan"]["tasks"][0]["choice"]["priority"], 9,
        "loading has 7, and it is urgent"
    );
    let plan = format!(r#"{{"plan_token": {}}}"#, proposal["plan_token"]);
    let started = caller.send("/workflows", &Request::new("POST", "/workflows").json(&plan));
    assert_eq!(started.status, 201, "{}", started.json());
    let run = started.json()["id"].as_str().expect("a run has an id").to_owned();
    let done = await_status(caller.server, &format!("/runs/{run}"), "SUCCESS");
    assert_eq!(done["metadata"]["translation"]["translator"], "offline");
    let accepted = caller.json(
        "/workflows/translate",
        &Request::new("POST", "/workflows/translate").json(text),
    );
    let path = format!(
        "/translation/{}",
        accepted["token"].as_str().expect("it is named")
    );
    let translation = caller.json("/translation/{token}", &Request::new("GET", &path));
    assert_eq!(
        (&translation["status"], &translation["dsl"]["tasks"][0]["id"]),
        (&json!("done"), &json!("load_dataset"))
    );
    let suggest =
        Request::new("POST", "/workflows/suggest").json(r#"{"natural_language": "cleaning", "count": 1}"#);
    let suggestions = caller.json("/workflows/suggest", &suggest);
    assert_eq!(suggestions["suggestions"][0]["action"], "clean_data");
    let cleared = caller.json("/cache/clear", &Request::new("POST", "/cache/clear").json("{}"));
    assert_eq!(cleared["forgotten"], 1);
}

#[test]
fn texts_that_come_to_nothing_are_refused_in_the_same_form() {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let server = start(folder.path());
    let post = |path| Request::new("POST", path);
    let get = |path| Request::new("GET", path);
    let cases = [
        (
            post("/workflows").json(r#"{"natural_language": " "}"#),
            400,
            "request.malformed",
        ),
        (
            post("/workflows").json(r#"{"natural_language": "fly me to the moon"}"#),
            422,
            "translation.needs-human",
        ),
        (
            post("/workflows").json(r#"{"natural_language": "load x.csv", "dsl": {}}"#),
            400,
            "request.malformed",
        ),
        (
            post("/workflows").json(r#"{"natural_language": 7}"#),
            400,
            "request.malformed",
        ),
        (
            post("/workflows").json(r#"{"plan_token": "0123456789abcdef0123"}"#),
            404,
            "plan.unknown",
        ),
        (
            post("/workflows").json(r#"{"plan_token": "../../x"}"#),
            404,
            "plan.unknown",
        ),
        (post("/workflows").json(r#"{"metadata": {}}"#), 422, "dsl.invalid"),
        (post("/workflows/translate").json("{}"), 400, "request.malformed"),
        (
            post("/workflows/suggest").json(r#"{"count": 0}"#),
            400,
            "request.malformed",
        ),
        (get("/translation/nothing"), 404, "translation.unknown"),
        (
            get("/translation/01M82FFMEKJRHBMCWK9DYD26GY"),
            404,
            "translation.unknown",
        ),
        (
            post("/policy/explain").json(r#"{"natural_language": "load x.csv"}"#),
            400,
            "request.malformed",
        ),
    ];
    for (request, status, code) in cases {
        let reply = request.send(&server.endpoint);
        assert_eq!(
            (reply.status, reply.code().as_str()),
            (status, code),
            "{} {}: {}",
            request.method,
            request.path,
            reply.json()
        );
    }
    let nothing = post("/workflows")
        .json(r#"{"metadata": {}}"#)
        .send(&server.endpoint)
        .json();
    assert!(
        !nothing["suggestions"].as_array().expect("suggestions").is_empty(),
        "{nothing}"
    );
}
