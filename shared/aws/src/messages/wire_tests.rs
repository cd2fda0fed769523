//! Messages as text.

use orchestrator_core::run::{ContentId, FailureClass};
use serde_json::json;

use super::*;

fn run() -> RunId {
    RunId::from_parts(1_700_000_000_000, 5)
}

fn report(kind: ReportKind) -> Report {
    Report {
        node: NodeIx(3),
        epoch: 1,
        attempt: 2,
        kind,
    }
}

#[test]
fn every_message_is_read_back() {
    let key = AttemptKey {
        run: run(),
        node: NodeIx(7),
        epoch: 2,
        attempt: 1,
    };
    let failure = Failure {
        class: FailureClass::Lost,
        message: "host terminated".to_owned(),
        exit_code: Some(137),
    };
    let progress = Progress {
        percent: Some(12.5),
        message: None,
    };
    let files = SavedFiles {
        list: ContentId::of(b"list"),
        count: 2,
        bytes: 1 << 40,
    };
    let kinds = [
        ReportKind::Started,
        ReportKind::Progress(Arc::new(progress)),
        ReportKind::Checkpoint(Arc::new(json!({"at": 3}))),
        ReportKind::FilesSaved(Arc::new(NewFiles {
            files,
            value: Value::Null,
        })),
        ReportKind::CheckpointRejected(Arc::new(RejectedCheckpoint {
            files: Some(files),
            reason: "a byte differs".to_owned(),
        })),
        ReportKind::Success {
            started_at: Some(Timestamp(12)),
            output: Some(Arc::new(json!({"rows": 1.5, "none": null}))),
        },
        ReportKind::Success {
            started_at: None,
            output: None,
        },
        ReportKind::Success {
            started_at: None,
            output: Some(Arc::new(Value::Null)),
        },
        ReportKind::Failure(Arc::new(failure)),
    ];
    let said = json!({"type": "TASK_STARTED", "epoch": 1, "attempt": 1, "token": "t"});
    let said = Said {
        task: "train".to_owned(),
        report: serde_json::from_value(said).unwrap(),
    };
    let bodies = [
        Body::Admit,
        Body::Tick,
        Body::Recover(Recovery::EVERYTHING),
        Body::Recover(Recovery::look(Timestamp(1_774_000_006_000))),
        Body::Decide(Candidates::Ready),
        Body::Decide(Candidates::Waiting),
        Body::Decide(Candidates::Granted(vec![key])),
        Body::Reports(kinds.into_iter().map(report).collect()),
        Body::Said(vec![said]),
    ];
    for body in bodies {
        let message = Message { run: run(), body };
        let text = encode(&message);
        assert_eq!(decode(&text).unwrap(), message, "{text}");
    }
}

#[test]
fn an_agent_sends_the_body_of_the_http_api_with_its_run_and_task() {
    let sent = json!({
        "run_id": run(), "task_id": "train", "type": "TASK_SUCCESS", "epoch": 1, "attempt": 1, "token": "t",
        "output": {"rows": 3},
    });
    let message = decode(&sent.to_string()).unwrap();
    let Body::Said(said) = message.body else {
        panic!("a report")
    };
    assert_eq!((message.run, said[0].task.as_str()), (run(), "train"));
    assert_eq!(said[0].report.output, Some(json!({"rows": 3})));
}

#[test]
fn what_is_no_message_is_said_so() {
    let table = [
        ("nonsense", "expected"),
        ("{}", "run_id"),
        (r#"{"run_id": "x", "kind": "tick"}"#, "not a run id"),
        (
            r#"{"run_id": "00000000000000000000000000", "kind": "dance"}"#,
            "dance",
        ),
        (r#"{"task_id": "a", "type": "TASK_STARTED"}"#, "'run_id'"),
    ];
    for (text, says) in table {
        let error = decode(text).unwrap_err().to_string();
        assert!(error.contains(says), "{text}: {error}");
    }
}

/// The bodies of the records in a sample event.
fn bodies(sample: &std::path::Path) -> Vec<String> {
    let event: Value = serde_json::from_str(&std::fs::read_to_string(sample).unwrap()).unwrap();
    let records = event["Records"].as_array().cloned().unwrap_or_default();
    records
        .iter()
        .map(|record| record["body"].as_str().unwrap().to_owned())
        .collect()
}

#[test]
fn every_sample_is_a_message_but_for_the_poison_and_the_references() {
    let events = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("../../events");
    let mut decoded = 0;
    for folder in ["decision", "task_events"] {
        for entry in std::fs::read_dir(events.join(folder)).unwrap() {
            let sample = entry.unwrap().path();
            let has_poison = sample.to_string_lossy().contains("poison");
            let mut refused = 0;
            for body in bodies(&sample) {
                match decode(&body) {
                    Ok(message) => {
                        assert!(
                            matches!(message.body, Body::Said(_))
                                || decode(&encode(&message)).unwrap() == message
                        );
                        decoded += 1;
                    }
                    Err(_) if serde_json::from_str::<crate::payloads::Reference>(&body).is_ok() => {}
                    Err(error) if !has_poison => panic!("{}: {error}", sample.display()),
                    Err(_) => refused += 1,
                }
            }
            assert_eq!(refused > 0, has_poison, "{}", sample.display());
        }
    }
    assert!(decoded > 15, "{decoded} messages");
}
