//! What goes wrong between a function and AWS: a proxy that decides about every call.

use std::fs;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process};

/// A call on its way.
pub struct Call<'a> {
    /// Service and operation, as in `AmazonSQS.SendMessageBatch`.
    pub target: &'a str,
    /// Its body.
    pub body: &'a str,
    /// The invocation that makes it: empty for functions that are not traced.
    pub invocation: &'a str,
}

/// What becomes of a call.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Fate {
    /// It goes through.
    Through,
    /// It goes through twice.
    Twice,
    /// It is refused with this error code.
    Refused(&'static str),
    /// It goes through, and its answer is lost.
    Unanswered,
    /// It gets nowhere, and nobody says so.
    Stuck,
    /// Its process ends, before it goes through.
    KilledBefore,
    /// Its process ends, after it has gone through.
    KilledAfter,
}

/// Time a call gets nowhere: longer than any function that is to die of it may take.
const STUCK: Duration = Duration::from_secs(20);
/// Longest call.
const BYTES_MAX: usize = 4 << 20;

/// A proxy before an endpoint; lives as long as the test program.
pub struct Proxy {
    /// Where it listens.
    pub endpoint: String,
}

impl Proxy {
    /// Starts one; `judge` decides.
    pub fn start(endpoint: &str, judge: impl Fn(&Call<'_>) -> Fate + Send + Sync + 'static) -> Proxy {
        let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
        let address = listener.local_addr().expect("a listener has an address");
        let upstream = endpoint.strip_prefix("http://").expect("plain HTTP");
        let upstream = upstream.trim_end_matches('/').to_owned();
        let judge = Arc::new(judge);
        thread::spawn(move || {
            for connection in listener.incoming().flatten() {
                let (upstream, judge) = (upstream.clone(), Arc::clone(&judge));
                // A connection that breaks is what its function has to cope with.
                thread::spawn(move || pass(connection, &upstream, &*judge));
            }
        });
        Proxy {
            endpoint: format!("http://{address}"),
        }
    }
}

/// One call per connection.
fn pass(mut client: TcpStream, upstream: &str, judge: &dyn Fn(&Call<'_>) -> Fate) -> std::io::Result<()> {
    let (head, body) = read(&mut client)?;
    let header = |name: &str| {
        let fields = head.lines().filter_map(|line| line.split_once(':'));
        let mut found = fields.filter(|(key, _)| key.eq_ignore_ascii_case(name));
        found.next().map_or("", |(_, value)| value.trim())
    };
    let text = String::from_utf8_lossy(&body);
    let call = Call {
        target: header("x-amz-target"),
        body: &text,
        invocation: header("x-amzn-trace-id"),
    };
    match judge(&call) {
        Fate::Through => client.write_all(&forward(&head, &body, upstream)?),
        Fate::Twice => {
            forward(&head, &body, upstream)?;
            client.write_all(&forward(&head, &body, upstream)?)
        }
        Fate::Unanswered => forward(&head, &body, upstream).map(drop),
        Fate::Stuck => {
            thread::sleep(STUCK);
            Ok(())
        }
        Fate::KilledBefore => end_process(&client),
        Fate::KilledAfter => {
            forward(&head, &body, upstream)?;
            end_process(&client)
        }
        Fate::Refused(code) => {
            let body = format!("{{\"__type\":\"com.amazonaws#{code}\",\"message\":\"refused by the test\"}}");
            let answer = format!(
                "HTTP/1.1 400 Bad Request\r\ncontent-type: application/x-amz-json-1.0\r\nx-amzn-errortype: {code}\r\n\
                 connection: close\r\ncontent-length: {}\r\n\r\n{body}",
                body.len()
            );
            client.write_all(answer.as_bytes())
        }
    }
}

/// Ends the process at the other end as the loss of its machine would. Where it is out of reach, because the functions run in
/// containers, it waits for an answer until its time is over.
fn end_process(client: &TcpStream) -> std::io::Result<()> {
    let killed =
        owner(client.peer_addr()?, client.local_addr()?).and_then(|pid| kill_process(pid, Signal::KILL).ok());
    if killed.is_none() {
        thread::sleep(STUCK);
    }
    Ok(())
}

/// The process on this machine at the first end of a connection. Another connection may have the same port at one of its ends.
fn owner(end: SocketAddr, other_end: SocketAddr) -> Option<Pid> {
    let connections = fs::read_to_string("/proc/net/tcp").ok()?;
    let in_hex = |address: SocketAddr| match address {
        SocketAddr::V4(address) => {
            let ip = u32::from_le_bytes(address.ip().octets());
            Some(format!("{ip:08X}:{:04X}", address.port()))
        }
        SocketAddr::V6(_) => None,
    };
    let (end, other_end) = (in_hex(end)?, in_hex(other_end)?);
    let inode = connections.lines().skip(1).find_map(|line| {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let is_it = *fields.get(1)? == end && *fields.get(2)? == other_end;
        is_it.then(|| fields.get(9).copied())?
    })?;
    let socket = format!("socket:[{inode}]");
    let processes = fs::read_dir("/proc").ok()?.flatten();
    let mut ids = processes.filter_map(|entry| entry.file_name().to_str()?.parse::<i32>().ok());
    let has_it = |id: &i32| {
        let files = fs::read_dir(format!("/proc/{id}/fd"))
            .into_iter()
            .flatten()
            .flatten();
        let mut targets = files.filter_map(|file| fs::read_link(file.path()).ok());
        targets.any(|target| target.as_os_str() == socket.as_str())
    };
    ids.find(has_it).and_then(Pid::from_raw)
}

fn read(client: &mut TcpStream) -> std::io::Result<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 16 * 1024];
    loop {
        let end = bytes.windows(4).position(|window| window == b"\r\n\r\n");
        if let Some(end) = end {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head
                .lines()
                .filter_map(|line| line.split_once(':'))
                .find(|(name, _)| name.eq_ignore_ascii_case("content-length"))
                .map_or(0, |(_, value)| value.trim().parse::<usize>().unwrap_or(0));
            if bytes.len() >= end + 4 + length {
                return Ok((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        let count = client.read(&mut chunk)?;
        if count == 0 || bytes.len() > BYTES_MAX {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        bytes.extend_from_slice(&chunk[..count]);
    }
}

/// The answer, with the connection closed after it.
fn forward(head: &str, body: &[u8], upstream: &str) -> std::io::Result<Vec<u8>> {
    let mut server = TcpStream::connect(upstream)?;
    let kept = head
        .lines()
        .filter(|line| !line.to_ascii_lowercase().starts_with("connection:"));
    let head: String = kept.map(|line| format!("{line}\r\n")).collect();
    server.write_all(format!("{head}connection: close\r\n\r\n").as_bytes())?;
    server.write_all(body)?;
    let mut answer = Vec::new();
    server.read_to_end(&mut answer)?;
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n");
    if let (Some(end), false) = (
        end,
        answer
            .windows(17)
            .any(|window| window.eq_ignore_ascii_case(b"connection: close")),
    ) {
        answer.splice(end..end, *b"\r\nconnection: close");
    }
    Ok(answer)
}
