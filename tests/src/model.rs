//! A server of models for tests: it speaks chat completions, or Converse of Amazon Bedrock, over a real socket, with answers and faults of
//! the test's choice.

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
    /// An answer with this content, for 100 tokens read and 50 written.
    Content(String),
    /// The same, after a while.
    Slowly(Duration, String),
    /// A status with a body and `Retry-After: 0`; in the form of Converse, the body is the name of an exception.
    Status(u16, &'static str),
    /// Nothing, until the caller gives up.
    Hang,
    /// The head and half of the body; then the connection ends.
    Cut(String),
    /// A body that is not what it should be.
    Raw(Vec<u8>),
}

/// The form of requests and answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Form {
    Chat,
    Converse,
}

/// A running server. It ends with the test.
#[derive(Debug)]
pub struct Model {
    /// Its URL, for `translation.openai.endpoint`, or as that of Bedrock.
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
        Model::speaking(Form::Chat, answer)
    }

    /// The same in the form of Converse. An answer that is a JSON object is the input of the tool, any other one a text.
    ///
    /// # Panics
    /// When there is no free port.
    pub fn of_bedrock(answer: impl Fn(&Value, usize) -> Said + Send + Sync + 'static) -> Model {
        Model::speaking(Form::Converse, answer)
    }

    fn speaking(form: Form, answer: impl Fn(&Value, usize) -> Said + Send + Sync + 'static) -> Model {
        let listener = TcpListener::bind("127.0.0.1:0").expect("there is a free port");
        let path = match form {
            Form::Chat => "/v1",
            Form::Converse => "",
        };
        let endpoint = format!("http://{}{path}", listener.local_addr().expect("it is bound"));
        let seen = Arc::<Seen>::default();
        let answer = Arc::new(answer);
        let counted = Arc::clone(&seen);
        thread::spawn(move || {
            for connection in listener.incoming().map_while(Result::ok) {
                let (seen, answer) = (Arc::clone(&counted), Arc::clone(&answer));
                thread::spawn(move || serve(connection, form, &seen, &*answer));
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

/// The text a call is about.
pub fn text_of(call: &Value) -> String {
    let told = match call["system"].is_array() {
        true => &call["messages"][0]["content"][0]["text"],
        false => &call["messages"][1]["content"],
    };
    let request: Value = serde_json::from_str(told.as_str().unwrap_or_default()).unwrap_or_default();
    request["request"].as_str().unwrap_or_default().to_owned()
}

/// How many answers were rejected before a call.
pub fn rounds(call: &Value) -> usize {
    // Chat completions have the instructions among the messages.
    call["messages"]
        .as_array()
        .map_or(0, |messages| (messages.len() - 1) / 2)
}

fn serve(mut connection: TcpStream, form: Form, seen: &Seen, answer: &dyn Fn(&Value, usize) -> Said) {
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
        Said::Content(content) => send(&mut connection, 200, form.answer(&content).as_bytes()),
        Said::Slowly(pause, content) => {
            thread::sleep(pause);
            send(&mut connection, 200, form.answer(&content).as_bytes())
        }
        Said::Status(status, body) => send(&mut connection, status, form.fault(body).as_bytes()),
        Said::Hang => connection.read(&mut [0]).map(drop),
        Said::Cut(content) => {
            let body = form.answer(&content);
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

impl Form {
    fn answer(self, content: &str) -> String {
        let answer = match self {
            Form::Chat => json!({
                "id": "chatcmpl-1", "object": "chat.completion", "model": "test",
                "choices": [{"index": 0, "finish_reason": "stop", "message": {"role": "assistant", "content": content}}],
                "usage": {"prompt_tokens": 100, "completion_tokens": 50, "total_tokens": 150},
            }),
            Form::Converse => {
                let input = serde_json::from_str(content).ok().filter(Value::is_object);
                let block = match input {
                    Some(input) => {
                        json!({"toolUse": {"toolUseId": "tooluse_1", "name": "draft", "input": input}})
                    }
                    None => json!({"text": content}),
                };
                json!({
                    "output": {"message": {"role": "assistant", "content": [block]}},
                    "stopReason": "tool_use",
                    "usage": {"inputTokens": 100, "outputTokens": 50, "totalTokens": 150},
                    "metrics": {"latencyMs": 7},
                })
            }
        };
        answer.to_string()
    }

    fn fault(self, body: &str) -> String {
        match self {
            Form::Chat => body.to_owned(),
            Form::Converse => json!({"__type": body, "message": "so the test wants it"}).to_string(),
        }
    }
}
