//! A server of models for tests: it speaks chat completions over a real socket, with answers and faults of the test's choice.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use serde_json::{Value, json};

/// What is answered to one call.
#[derive(Debug, Clone)]
pub enum Said {
    /// A completion with this content, for 100 tokens read and 50 written.
    Content(String),
    /// The same, after a while.
    Slowly(Duration, String),
    /// A status with a body and `Retry-After: 0`.
    Status(u16, &'static str),
    /// Nothing, until the caller gives up.
    Hang,
    /// The head and half of the body; then the connection ends.
    Cut(String),
    /// A body that is not what it should be.
    Raw(Vec<u8>),
}

/// A running server. It ends with the test.
#[derive(Debug)]
pub struct Model {
    /// Its URL, for `translation.openai.endpoint`.
    pub endpoint: String,
    seen: Arc<Seen>,
}

#[derive(Debug, Default)]
struct Seen {
    calls: AtomicUsize,
    requests: Mutex<Vec<Value>>,
}

impl Model {
    /// Starts a server; `answer` gets the body of a call and the number of calls before it.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn start(answer: impl Fn(&Value, usize) -> Said + Send + Sync + 'static) -> Model {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let endpoint = format!("http://{}/v1", listener.local_addr().expect("it is bound"));
        let seen = Arc::<Seen>::default();
        let answer = Arc::new(answer);
        let counted = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&counted), Arc::clone(&answer));
                thread::spawn(move || serve(connection, &seen, &*answer));
            }
        });
        Model { endpoint, seen }
    }

    /// Calls so far.
    pub fn calls(&self) -> usize {
        self.seen.calls.load(Ordering::SeqCst)
    }

    /// The bodies of all calls.
    pub fn requests(&self) -> Vec<Value> {
        self.seen
            .requests
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clone()
    }
}

fn serve(mut connection: TcpStream, seen: &Seen, answer: &dyn Fn(&Value, usize) -> Said) {
    let Some(body) = read(&mut connection) else {
        return;
    };
    let call = seen.calls.fetch_add(1, Ordering::SeqCst);
    seen.requests
        .lock()
        .unwrap_or_else(PoisonError::into_inner)
        .push(body.clone());
    let said = answer(&body, call);
    // Whoever called may have gone; that is their affair.
    let _ = match said {
        Said::Content(content) => send(&mut connection, 200, completion(&content).as_bytes()),
        Said::Slowly(pause, content) => {
            thread::sleep(pause);
            send(&mut connection, 200, completion(&content).as_bytes())
        }
        Said::Status(status, body) => send(&mut connection, status, body.as_bytes()),
        Said::Hang => connection.read(&mut [0]).map(drop),
        Said::Cut(content) => {
            let body = completion(&content);
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\n\r\n", body.len());
            connection
                .write_all(head.as_bytes())
                .and_then(|()| connection.write_all(&body.as_bytes()[..body.len() / 2]))
        }
        Said::Raw(body) => send(&mut connection, 200, &body),
    };
}

/// The body of a request.
fn read(connection: &mut TcpStream) -> Option<Value> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8_192];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).to_ascii_lowercase();
            let length = head
                .lines()
                .find_map(|line| line.strip_prefix("content-length:")?.trim().parse::<usize>().ok())?;
            if bytes.len() >= end + 4 + length {
                return serde_json::from_slice(&bytes[end + 4..end + 4 + length]).ok();
            }
        }
        match connection.read(&mut chunk).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}

fn send(connection: &mut TcpStream, status: u16, body: &[u8]) -> std::io::Result<()> {
    let head = format!(
        "HTTP/1.1 {status} X\r\ncontent-type: application/json\r\nretry-after: 0\r\nconnection: close\r\ncontent-length: {}\r\n\r\n",
        body.len()
    );
    connection.write_all(head.as_bytes())?;
    connection.write_all(body)
}

fn completion(content: &str) -> String {
    json!({
        "id": "chatcmpl-1", "object": "chat.completion", "model": "test",
        "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
        "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
    })
    .to_string()
}
