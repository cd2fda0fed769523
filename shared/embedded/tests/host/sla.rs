//! Deadlines in the embedded host: timers, what a breach leads to, the list of alerts, the webhook.

use std::io::{BufRead as _, BufReader, Read as _, Write as _};
use std::net::{TcpListener, TcpStream};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

use super::common::{block_on, command, options, request, wait_for};
use orchestrator_core::guard::RateLimits;
use orchestrator_core::run::{Event, RunStatus};
use orchestrator_embedded::{HostBackend, Orchestrator, Reader, StartOptions, Webhook};
use orchestrator_engine::api::{Backend as _, Intake};
use orchestrator_engine::ports::Journal as _;
use orchestrator_engine::record;
use orchestrator_engine::sla::AlertKeySecret;
use orchestrator_engine::submit::Request;
use orchestrator_engine::views::{AlertType, AlertView, SlaView};
use serde_json::{Value, json};
use tempfile::TempDir;

struct Place {
    temp: TempDir,
    options: StartOptions,
}

impl Place {
    fn new() -> Place {
        let temp = tempfile::tempdir().unwrap();
        let mut options = options(temp.path());
        let sleep = command(&["sh", "-c", "sleep 0.6; echo done > $ORCHESTRATOR_RUN_DIR/done"]);
        options.agents.insert("sleeper".to_owned(), sleep);
        Place { temp, options }
    }

    fn start(&self) -> HostBackend {
        let orchestrator = Orchestrator::start(self.options.clone()).unwrap();
        HostBackend::new(
            orchestrator,
            Intake::default(),
            RateLimits {
                per_minute: None,
                per_hour: None,
                burst: 1,
            },
        )
    }

    fn events(&self, run: orchestrator_core::ids::RunId) -> Vec<Event> {
        let reader = Reader::open(&self.temp.path().join("data")).unwrap();
        let appends = block_on(reader.load(run, 0)).unwrap();
        let decode = |append: orchestrator_engine::ports::journal::StoredAppend| {
            record::decode(&append.record).unwrap().1
        };
        appends.into_iter().flat_map(decode).collect()
    }
}

fn late(sla: &Value) -> Request {
    request(
        &json!([{"id": "t", "agent": "sleeper", "action": "sleep", "sla": sla, "retry": {"max_retries": 0}}]),
    )
}

/// Runs one workflow until it has ended.
fn run(host: &HostBackend, sla: &Value) -> (orchestrator_core::ids::RunId, RunStatus) {
    let request = late(sla);
    let run = request.run;
    let mut changes = host.orchestrator().subscribe();
    block_on(async {
        host.orchestrator().submit(request).await.unwrap();
    });
    let end = wait_for(&mut changes, |change| change.run == run && change.has_ended);
    (run, end.status)
}

fn board(host: &HostBackend) -> SlaView {
    block_on(host.sla(None, 50)).unwrap()
}

fn alerts(events: &[Event]) -> Vec<&'static str> {
    events
        .iter()
        .filter_map(AlertType::of)
        .map(AlertType::as_str)
        .collect()
}

#[test]
fn a_task_that_runs_too_long_is_said_on_time_listed_and_resolved() {
    let place = Place::new();
    let host = place.start();
    let (id, status) = run(&host, &json!({"task_max_seconds": 0.2}));
    assert_eq!(status, RunStatus::Success);
    let events = place.events(id);
    assert_eq!(alerts(&events), ["SlaWarning", "SlaBreached", "SlaResolved"]);
    let lateness = events.iter().find_map(|event| match event {
        Event::SlaResolved { late_ms, .. } => Some(*late_ms),
        _ => None,
    });
    assert!(lateness.is_some_and(|late| late > 0), "{lateness:?}");
    let board = board(&host);
    assert_eq!((board.active_total, board.recent.len()), (0, 1), "{board:?}");
    let late = &board.recent[0];
    assert!(late.resolved_at.is_some() && late.late_ms == lateness, "{late:?}");
    assert_eq!(late.alert.task.as_deref(), Some("t"));
    let tallied = &board.agents[0];
    assert_eq!((tallied.agent.as_str(), tallied.attempts), ("sleeper", 1));
    assert!(tallied.run.p50_ms >= 500, "{tallied:?}");
    assert!((tallied.within_percent - 0.0).abs() < 0.1);
}

#[test]
fn a_task_that_is_to_fail_when_late_is_stopped() {
    let place = Place::new();
    let host = place.start();
    let (id, status) = run(
        &host,
        &json!({"task_max_seconds": 0.1, "on_breach": "fail", "warn_percent": 100}),
    );
    assert_eq!(status, RunStatus::Failed);
    assert_eq!(alerts(&place.events(id)), ["SlaBreached", "SlaResolved"]);
    thread::sleep(Duration::from_millis(1_000));
    let done = place
        .temp
        .path()
        .join("data/runs")
        .join(id.to_string())
        .join("done");
    assert!(!done.exists(), "the process is gone");
}

#[test]
fn deadlines_and_tallies_survive_a_restart() {
    let place = Place::new();
    let host = place.start();
    let request = late(&json!({"queue_max_seconds": 60}));
    let id = request.run;
    block_on(host.orchestrator().submit(request)).unwrap();
    host.orchestrator().stop();
    drop(host);
    let host = place.start();
    block_on(async {
        let mut changes = host.orchestrator().subscribe();
        while !changes.recv().await.unwrap().has_ended {}
    });
    host.orchestrator().stop();
    drop(host);
    assert_eq!(alerts(&place.events(id)), [] as [&str; 0]);
    let host = place.start();
    assert_eq!(board(&host).agents.len(), 1, "what was counted is known again");
}

/// A service that takes alerts.
struct Receiving {
    url: String,
    requests: Receiver<(Vec<String>, String)>,
}

impl Receiving {
    fn at(listener: TcpListener, statuses: &'static [u16]) -> Receiving {
        let url = format!("http://{}/alerts", listener.local_addr().unwrap());
        let (sender, requests) = channel();
        thread::spawn(move || {
            for (index, stream) in listener.incoming().enumerate() {
                let status = statuses.get(index).copied().unwrap_or(204);
                let request = read(stream.unwrap(), status);
                if sender.send(request).is_err() {
                    return;
                }
            }
        });
        Receiving { url, requests }
    }

    fn next(&self) -> (Vec<String>, String) {
        self.requests.recv_timeout(Duration::from_secs(20)).unwrap()
    }
}

fn read(stream: TcpStream, status: u16) -> (Vec<String>, String) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut head = Vec::new();
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        match line.trim_end() {
            "" => break,
            line => head.push(line.to_owned()),
        }
    }
    let length: usize = header(&head, "content-length").unwrap().parse().unwrap();
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let answer = format!("HTTP/1.1 {status} X\r\ncontent-length: 0\r\nconnection: close\r\n\r\n");
    let mut stream = stream;
    stream.write_all(answer.as_bytes()).unwrap();
    (head, String::from_utf8(body).unwrap())
}

fn header<'a>(head: &'a [String], name: &str) -> Option<&'a str> {
    let split = |line: &'a String| line.split_once(": ");
    let mut found = head.iter().filter_map(split);
    found
        .find(|(found, _)| found.eq_ignore_ascii_case(name))
        .map(|(_, value)| value)
}

#[test]
fn alerts_are_sent_signed_in_order_and_again_until_they_are_taken() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let receiving = Receiving::at(listener, &[503, 204]);
    let secret = AlertKeySecret::new("key");
    let mut place = Place::new();
    place.options.webhook = Some(Webhook {
        url: receiving.url.clone(),
        secret: Some(secret.clone()),
    });
    let host = place.start();
    run(&host, &json!({"task_max_seconds": 0.2}));
    let taken: Vec<_> = (0..4).map(|_| receiving.next()).collect();
    let ids: Vec<&str> = taken
        .iter()
        .map(|(head, _)| header(head, "idempotency-key").unwrap())
        .collect();
    assert_eq!(
        ids[0], ids[1],
        "the one that was refused comes again, with its key"
    );
    let kinds: Vec<AlertType> = taken[1..]
        .iter()
        .map(|(_, body)| serde_json::from_str::<AlertView>(body).unwrap().kind)
        .collect();
    assert_eq!(
        kinds,
        [
            AlertType::SlaWarning,
            AlertType::SlaBreached,
            AlertType::SlaResolved
        ]
    );
    for (head, body) in &taken {
        let seconds = header(head, "x-orchestrator-timestamp").unwrap().parse().unwrap();
        let signature = header(head, "x-orchestrator-signature").unwrap();
        assert_eq!(signature, secret.sign(seconds, body.as_bytes()));
    }
}

#[test]
fn alerts_that_were_not_taken_are_sent_by_the_next_process() {
    // Nobody listens here yet.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let mut place = Place::new();
    place.options.webhook = Some(Webhook {
        url: format!("http://{address}/alerts"),
        secret: None,
    });
    let host = place.start();
    run(&host, &json!({"task_max_seconds": 0.2, "warn_percent": 100}));
    host.orchestrator().stop();
    drop(host);
    let receiving = Receiving::at(TcpListener::bind(address).unwrap(), &[]);
    let host = place.start();
    let taken = [receiving.next(), receiving.next()];
    let kinds = taken
        .each_ref()
        .map(|(_, body)| serde_json::from_str::<AlertView>(body).unwrap().kind);
    assert_eq!(kinds, [AlertType::SlaBreached, AlertType::SlaResolved]);
    // The next alert leaves after the host was told that the one before was taken.
    run(&host, &json!({"task_max_seconds": 0.2, "warn_percent": 100}));
    receiving.next();
    host.orchestrator().stop();
    drop(host);
    let host = place.start();
    let id = |head: &[String]| header(head, "idempotency-key").unwrap().to_owned();
    while let Ok((head, _)) = receiving.requests.recv_timeout(Duration::from_millis(1_500)) {
        let again = taken.iter().any(|(known, _)| id(known) == id(&head));
        assert!(!again, "what was taken is not sent again: {head:?}");
    }
    drop(host);
}
