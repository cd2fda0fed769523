//! A socket before the function `intake`, as API Gateway has: for the command line, which speaks HTTP.

use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;

use tests::requests::{Reply, Request};
use tokio::runtime::Handle;

use crate::deployment::Deployment;

/// Passes requests on as an operator's, until the test ends; gives the address.
pub fn start(deployment: Arc<Deployment>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").expect("a free port");
    let address = listener.local_addr().expect("an address");
    let runtime = Handle::current();
    thread::spawn(move || {
        for connection in listener.incoming().map_while(Result::ok) {
            let (deployment, runtime) = (Arc::clone(&deployment), runtime.clone());
            thread::spawn(move || pass(connection, &deployment, &runtime));
        }
    });
    format!("http://{address}")
}

fn pass(mut connection: TcpStream, deployment: &Deployment, runtime: &Handle) -> Option<()> {
    let (head, body) = read(&mut connection)?;
    let mut lines = head.lines();
    let mut line = lines.next()?.split(' ');
    let mut request = Request::new(line.next()?, line.next()?);
    request.headers = lines
        .filter_map(|line| line.split_once(':'))
        .map(|(name, value)| (name, value.trim()))
        .collect();
    request.body = &body;
    let reply: Reply = runtime.block_on(deployment.ask(&request));
    let fields = reply.head.split_once("\r\n").map_or("", |(_, fields)| fields);
    let fields = fields
        .lines()
        .filter(|field| !field.to_ascii_lowercase().starts_with("content-length"));
    let mut head = format!(
        "HTTP/1.1 {} X\r\nconnection: close\r\ncontent-length: {}\r\n",
        reply.status,
        reply.body.len()
    );
    for field in fields {
        head.push_str(&format!("{field}\r\n"));
    }
    head.push_str("\r\n");
    connection.write_all(head.as_bytes()).ok()?;
    connection.write_all(&reply.body).ok()
}

/// Head and body of a request.
fn read(connection: &mut TcpStream) -> Option<(String, Vec<u8>)> {
    let mut bytes = Vec::new();
    let mut chunk = [0; 8_192];
    loop {
        if let Some(end) = bytes.windows(4).position(|window| window == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&bytes[..end]).into_owned();
            let length = head.lines().find_map(|line| {
                let (name, value) = line.split_once(':')?;
                name.eq_ignore_ascii_case("content-length")
                    .then(|| value.trim().parse().ok())?
            });
            let length: usize = length.unwrap_or(0);
            if bytes.len() >= end + 4 + length {
                return Some((head, bytes[end + 4..end + 4 + length].to_vec()));
            }
        }
        match connection.read(&mut chunk).ok()? {
            0 => return None,
            count => bytes.extend_from_slice(&chunk[..count]),
        }
    }
}
