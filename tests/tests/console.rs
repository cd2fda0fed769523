//! The console over a socket, without a browser: what pages send, to whom, and what they refuse. `tests/console` has the rest.

use sha2::{Digest, Sha256};
use tests::repository::root;
use tests::requests::{Reply, Request};
use tests::server::{Server, eventually};

const HOSTILE: &str = "<script>alert(1)</script><img src=x onerror=alert(2)>";

fn start(flags: &[&str]) -> (tempfile::TempDir, Server) {
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    let file = folder.path().join("orchestrator.yaml");
    std::fs::write(&file, "").expect("the folder is writable");
    let server = Server::start_with(&folder.path().join("data"), &file, flags);
    (folder, server)
}

fn text(reply: &Reply) -> String {
    String::from_utf8_lossy(&reply.body).into_owned()
}

/// A run whose texts are hostile, once it has ended.
fn ended(server: &Server) -> String {
    let document = format!(
        "name: shown\ndescription: '{HOSTILE}'\ntasks:\n  - {{id: a, agent: fail, action: run, params: {{class: permanent, message: '{HOSTILE}'}}}}\n"
    );
    let reply = Request::new("POST", "/workflows")
        .yaml(&document)
        .send(&server.endpoint);
    let run = reply.json()["id"].as_str().expect("a run has an id").to_owned();
    eventually("the run ends", || {
        let path = format!("/runs/{run}");
        let view = Request::new("GET", &path).send(&server.endpoint).json();
        (view["status"] == "FAILED").then_some(())
    });
    run
}

#[test]
fn every_page_answers_and_nothing_from_outside_becomes_markup() {
    let (_folder, server) = start(&[]);
    let run = ended(&server);
    let of_run = [
        "",
        "/timeline",
        "/tasks",
        "/events",
        "/rollback",
        "/tasks/a",
        "/tasks/a/logs",
    ];
    let of_run = of_run.map(|view| format!("/ui/runs/{run}{view}"));
    let others = ["runs", "pools", "sla", "policy", "new", "ask", "agents", "stats"];
    let others = others.map(|page| format!("/ui/{page}"));
    for path in of_run.iter().chain(&others) {
        let reply = Request::new("GET", path).send(&server.endpoint);
        let page = text(&reply);
        assert_eq!(reply.status, 200, "{path}: {page}");
        assert!(page.starts_with("<!DOCTYPE html>"), "{path}");
        assert!(
            !page.contains("<script>") && !page.contains("<img"),
            "{path}: {page}"
        );
        // Nothing is loaded from elsewhere, and no style or handler stands in a page.
        for banned in ["src=\"http", "href=\"http", " style=", " onclick=", "javascript:"] {
            assert!(!page.contains(banned), "{path}: {banned}");
        }
        let policy = reply.header("content-security-policy").unwrap_or_default();
        assert!(
            policy.contains("default-src 'none'") && !policy.contains("unsafe"),
            "{path}: {policy}"
        );
    }
    let page = text(&Request::new("GET", &of_run[0]).send(&server.endpoint));
    assert!(page.contains("&lt;script&gt;alert(1)"), "{page}");
}

#[test]
fn browsers_are_led_to_the_console_and_programs_are_not() {
    let (_folder, server) = start(&[]);
    let browser = Request::new("GET", "/").header("accept", "text/html,*/*");
    let browser = browser.send(&server.endpoint);
    assert_eq!(
        (browser.status, browser.header("location")),
        (303, Some("/ui/runs"))
    );
    let program = Request::new("GET", "/").send(&server.endpoint);
    assert_eq!(
        (program.status, program.code().as_str()),
        (404, "request.no-route")
    );
}

#[test]
fn what_has_not_changed_is_not_sent_again() {
    let (_folder, server) = start(&[]);
    let run = ended(&server);
    let path = format!("/ui/runs/{run}");
    let first = Request::new("GET", &path).send(&server.endpoint);
    let tag = first.header("etag").expect("a page has a tag");
    let again = Request::new("GET", &path).header("if-none-match", tag);
    let again = again.send(&server.endpoint);
    assert_eq!((again.status, again.body.len()), (304, 0));
    let part = Request::new("GET", &path)
        .header("if-none-match", tag)
        .header("hx-request", "true");
    let part = part.send(&server.endpoint);
    assert_eq!(part.status, 200);
    assert!(text(&part).starts_with("<title>") && part.body.len() < first.body.len());
}

#[test]
fn nonsense_gets_a_page_that_says_so() {
    let (_folder, server) = start(&[]);
    let run = ended(&server);
    let form = "application/x-www-form-urlencoded";
    let cases = [
        ("GET", "/ui/nonsense".to_owned(), "", 404),
        ("GET", "/ui/runs/%ff".to_owned(), "", 404),
        ("GET", "/ui/runs/nobody".to_owned(), "", 404),
        ("GET", format!("/ui/runs/{run}/tasks/nobody"), "", 404),
        ("GET", format!("/ui/runs/{run}/rollback?steps=x"), "", 200),
        ("GET", format!("/ui/runs/{run}/timeline?skip=999999999"), "", 200),
        (
            "GET",
            format!("/ui/runs/{run}/tasks?skip=9999&shape=77&status=%3Cb%3E"),
            "",
            200,
        ),
        ("GET", "/ui/runs?status=NEVER".to_owned(), "", 400),
        ("GET", "/ui/runs?cursor=x".to_owned(), "", 400),
        ("PUT", "/ui/runs".to_owned(), "", 405),
        ("POST", format!("/ui/runs/{run}/priority"), "priority=urgent", 400),
        ("POST", format!("/ui/runs/{run}/pause"), "", 409),
        ("POST", format!("/ui/runs/{run}/explode"), "", 404),
        ("POST", "/ui/new".to_owned(), "do=start&dsl=name%3A+x", 422),
        ("POST", "/ui/new".to_owned(), "do=start&dsl=&inputs=%5B", 400),
        ("POST", "/ui/policy".to_owned(), "task=%7B&metadata=nonsense", 200),
    ];
    for (method, path, body, status) in cases {
        let request = Request {
            body: body.as_bytes(),
            ..Request::new(method, &path)
        };
        let request = request
            .header("content-type", form)
            .header("sec-fetch-site", "same-origin");
        let reply = request.send(&server.endpoint);
        assert_eq!(reply.status, status, "{method} {path} {body}: {}", text(&reply));
        assert!(text(&reply).contains("<main"), "{method} {path}");
    }
    let other_type = Request::new("POST", "/ui/new")
        .json("{}")
        .header("sec-fetch-site", "same-origin");
    assert_eq!(other_type.send(&server.endpoint).status, 415);
}

#[test]
fn what_is_not_ours_is_what_its_makers_published() {
    // SHA-256 of the files in the packages that `assets/README.md` names.
    let files = [
        (
            "htmx.min.js",
            "d6fdc75f204e6bdefa99b69bf1e6d4ac69b8a364f77929f45c13476b4000f717",
        ),
        (
            "idiomorph-ext.min.js",
            "5811b9a7eda14878b7dab4378bf60432e1bb6f11fcfb970cc26540642650181e",
        ),
    ];
    for (name, wanted) in files {
        let path = root().join("shared/console/assets").join(name);
        let digest = Sha256::digest(std::fs::read(path).expect("the file is there"));
        let digest: String = digest.iter().map(|byte| format!("{byte:02x}")).collect();
        assert_eq!(digest, wanted, "{name}");
    }
}
