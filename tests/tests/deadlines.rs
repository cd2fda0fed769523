//! Deadlines as a user sees them, through the API of a server that may be killed.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::requests::Request;
use tests::server::{Server, eventually};

/// A folder with a configuration.
struct Place {
    folder: TempDir,
}

impl Place {
    fn new(configuration: &Value) -> Place {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let file = folder.path().join("orchestrator.yaml");
        std::fs::write(file, configuration.to_string()).expect("it is writable");
        Place { folder }
    }

    fn serve(&self) -> Server {
        let configuration = self.folder.path().join("orchestrator.yaml");
        Server::start(&self.folder.path().join("data"), &configuration)
    }
}

/// An agent that runs a script of the shell.
fn script(text: &str) -> Value {
    json!({"command": ["/bin/sh", "-c", text]})
}

fn board(server: &Server) -> Value {
    Request::new("GET", "/sla").send(&server.endpoint).json()
}

#[test]
fn a_task_that_takes_longer_than_its_like_is_at_risk_before_it_is_late() {
    let agents = json!({"worker": script("case $ORCHESTRATOR_TASK_ID in slow) sleep 1000;; esac")});
    let place = Place::new(&json!({"agents": agents}));
    let server = place.serve();
    let mut tasks: Vec<Value> = (0..20)
        .map(|n| json!({"id": format!("t{n}"), "agent": "worker", "action": "work"}))
        .collect();
    let all: Vec<String> = (0..20).map(|n| format!("t{n}")).collect();
    tasks.push(json!({"id": "slow", "agent": "worker", "action": "work", "depends_on": all}));
    let run = server.submit(&json!({"name": "usual", "tasks": tasks}));
    let at_risk = eventually("the task is at risk", || {
        let at_risk = board(&server)["at_risk"].clone();
        at_risk
            .as_array()
            .is_some_and(|tasks| !tasks.is_empty())
            .then_some(at_risk)
    });
    let [risk] = at_risk.as_array().expect("a list").as_slice() else {
        panic!("{at_risk}")
    };
    assert_eq!((&risk["run_id"], &risk["task"]), (&json!(run), &json!("slow")));
    assert!(risk["running_ms"].as_u64() > risk["usual_ms"].as_u64(), "{risk}");
    let board = board(&server);
    assert_eq!(board["active"], json!([]), "it is not late: {board}");
    assert_eq!(board["agents"][0]["attempts"], 20, "{board}");
}

#[test]
fn an_alert_that_nobody_has_taken_survives_kill_9() {
    // Nobody listens here yet.
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("a listener has an address");
    drop(listener);
    let place = Place::new(&json!({
        "master_orchestrator": {"sla": {"webhook": {"url": format!("http://{address}/alerts")}}},
        "agents": {"slow": script("sleep 1000")},
    }));
    let mut server = place.serve();
    let task = json!({"id": "a", "agent": "slow", "action": "work", "sla": {"task_max_seconds": 0.2, "warn_percent": 100}});
    let run = server.submit(&json!({"name": "late", "tasks": [task]}));
    eventually("the task is late", || {
        (board(&server)["active_total"] == 1).then_some(())
    });
    server.kill();
    let taken = std::thread::spawn(move || take_one(address));
    let _server = place.serve();
    let alert = taken.join().expect("the alert arrives");
    assert_eq!(
        (&alert["type"], &alert["run_id"]),
        (&json!("SlaBreached"), &json!(run))
    );
    assert_eq!(alert["task"], "a");
}

/// Takes the first request and gives its body.
fn take_one(address: SocketAddr) -> Value {
    let listener = TcpListener::bind(address).expect("nobody has taken the port");
    let (mut stream, _) = listener.accept().expect("somebody comes");
    let mut reader = BufReader::new(stream.try_clone().expect("there is a file handle left"));
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).expect("a head");
        match line
            .trim_end()
            .to_ascii_lowercase()
            .strip_prefix("content-length: ")
        {
            Some(number) => length = number.parse().expect("a number"),
            None if line.trim_end().is_empty() => break,
            None => {}
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).expect("a body");
    let answer = "HTTP/1.1 204 No Content\r\ncontent-length: 0\r\nconnection: close\r\n\r\n";
    stream.write_all(answer.as_bytes()).expect("an answer");
    serde_json::from_slice(&body).expect("JSON")
}
