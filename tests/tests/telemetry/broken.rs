//! A receiver that is away, slow or broken costs spans and nothing else.

use std::io::{Read, Write};
use std::net::TcpListener;
use std::thread;

use serde_json::{Value, json};

use crate::{Place, configuration, run_workflow};

/// A receiver that does `answer` with every connection; it ends with the test program.
fn receiver(answer: impl Fn(std::net::TcpStream) + Send + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    thread::spawn(move || listener.incoming().flatten().for_each(answer));
    format!("http://{address}")
}

fn read_some(stream: &mut std::net::TcpStream) {
    // Whatever came is enough.
    let _ = stream.read(&mut [0; 65_536]);
}

/// A hundred tasks, whose spans do not fit into a small queue.
fn workflow() -> Value {
    let tasks: Vec<Value> = (0..100)
        .map(|index| json!({"id": format!("t{index}"), "agent": "nothing", "action": "work"}))
        .collect();
    json!({"name": "wide", "tasks": tasks})
}

fn runs_with(endpoint: &str) -> String {
    let agents = json!({"nothing": {"builtin": "noop"}});
    let place = Place::new(&configuration(endpoint, &agents), &workflow());
    let variables = [
        ("OTEL_BSP_MAX_QUEUE_SIZE", "64"),
        ("OTEL_EXPORTER_OTLP_TIMEOUT", "500"),
    ];
    let (run, told) = run_workflow(&place.workflow(), &place.data(), &variables);
    assert_eq!(run["status"], "SUCCESS");
    assert_eq!(run["counts"], json!({"SUCCESS": 100}));
    told
}

#[test]
fn nobody_listens() {
    let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
    let address = listener.local_addr().expect("it is bound");
    drop(listener);
    let told = runs_with(&format!("http://{address}"));
    assert_eq!(told.matches("traces cannot be delivered").count(), 1, "{told}");
}

#[test]
fn the_receiver_never_answers() {
    // Connections are kept, so that they stay open.
    let kept = std::sync::Mutex::new(Vec::new());
    let endpoint = receiver(move |stream| {
        if let Ok(mut kept) = kept.lock() {
            kept.push(stream);
        }
    });
    runs_with(&endpoint);
}

#[test]
fn the_receiver_fails() {
    let endpoint = receiver(|mut stream| {
        read_some(&mut stream);
        let _ = stream.write_all(
            b"HTTP/1.1 500 Internal Server Error\r\nContent-Length: 6\r\nConnection: close\r\n\r\nbroken",
        );
    });
    let told = runs_with(&endpoint);
    assert!(told.contains("500"), "{told}");
}

#[test]
fn the_receiver_speaks_something_else() {
    let endpoint = receiver(|mut stream| {
        read_some(&mut stream);
        let _ = stream.write_all(&[0xff; 4_096]);
    });
    let told = runs_with(&endpoint);
    assert_eq!(told.matches("traces cannot be delivered").count(), 1, "{told}");
}
