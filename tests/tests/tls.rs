//! Addresses that begin with `https://`: of agents, of collectors, of servers. The service on the other side is Python's, with a
//! certificate of an authority that only these tests know (`tests/tls`, good for a hundred years).

use std::io::{BufRead, BufReader, Read};
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Output, Stdio};

use serde_json::{Value, json};
use tempfile::TempDir;
use tests::{binary, repository};

/// Says its port, then one line for each request.
const SERVICE: &str = r#"
import http.server, json, ssl, sys
ANSWERS = {"/agent": {"rows": 3}, "/runs": {"runs": []}}
class Service(http.server.BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    def do_POST(self):
        self.rfile.read(int(self.headers.get("content-length", 0)))
        print(self.command, self.path, flush=True)
        body = json.dumps(ANSWERS.get(self.path.split("?")[0], {})).encode()
        self.send_response(200)
        self.send_header("content-type", "application/json")
        self.send_header("content-length", str(len(body)))
        self.end_headers()
        self.wfile.write(body)
    do_GET = do_POST
    def log_message(self, *_):
        pass
server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Service)
context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
context.load_cert_chain(sys.argv[1], sys.argv[2])
server.socket = context.wrap_socket(server.socket, server_side=True)
print(server.server_port, flush=True)
server.serve_forever()
"#;

struct Service {
    process: Child,
    said: BufReader<ChildStdout>,
    endpoint: String,
}

impl Service {
    fn start() -> Service {
        let tls = repository::root().join("tests/tls");
        let mut process = Command::new("python3")
            .args(["-c", SERVICE])
            .args([tls.join("server.pem"), tls.join("server.key")])
            .stdout(Stdio::piped())
            // What clients hang up on is theirs to say.
            .stderr(Stdio::null())
            .spawn()
            .expect("Python 3");
        let mut said = BufReader::new(process.stdout.take().expect("a pipe"));
        let mut port = String::new();
        said.read_line(&mut port).expect("its port");
        Service {
            process,
            said,
            endpoint: format!("https://localhost:{}", port.trim()),
        }
    }

    /// Ends it and tells what it was asked.
    fn asked(mut self) -> String {
        self.process.kill().expect("it runs");
        let mut asked = String::new();
        self.said.read_to_string(&mut asked).expect("what it was asked");
        asked
    }
}

impl Drop for Service {
    fn drop(&mut self) {
        // Killed already, or a test has failed.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}

fn orchestrator(folder: &Path, authorities: &Path) -> Command {
    let mut command = binary::orchestrator();
    command
        .current_dir(folder)
        .env("SSL_CERT_FILE", authorities)
        .env_remove("SSL_CERT_DIR");
    command
}

/// A workflow whose one task is done by the service, which gets the traces, too.
fn run(service: &Service, authorities: &Path) -> (TempDir, Output) {
    let folder = tempfile::tempdir().expect("a folder");
    let write = |name: &str, content: Value| {
        std::fs::write(folder.path().join(name), content.to_string()).expect("writable");
    };
    let agent = format!("{}/agent", service.endpoint);
    write("orchestrator.yaml", json!({"agents": {"far": {"http": agent}}}));
    let task = json!({"id": "ask", "agent": "far", "action": "count", "retry": {"max_retries": 0}});
    write("workflow.yaml", json!({"name": "far", "tasks": [task]}));
    let output = orchestrator(folder.path(), authorities)
        .args(["run", "workflow.yaml", "--data", "data"])
        .env("OTEL_EXPORTER_OTLP_ENDPOINT", &service.endpoint)
        .output()
        .expect("it starts");
    (folder, output)
}

#[test]
fn agents_collectors_and_servers_are_reached_over_tls() {
    let service = Service::start();
    let authority = repository::root().join("tests/tls/authority.pem");
    let (folder, output) = run(&service, &authority);
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{told}");
    let list = orchestrator(folder.path(), &authority)
        .args(["list", "--endpoint", &service.endpoint])
        .output()
        .expect("it starts");
    assert!(list.status.success(), "{}", String::from_utf8_lossy(&list.stderr));
    let asked = service.asked();
    for request in ["POST /agent\n", "POST /v1/traces\n", "GET /runs"] {
        assert!(asked.contains(request), "{request:?} is not in {asked}");
    }
}

#[test]
fn a_service_whose_certificate_nobody_trusts_is_told_nothing() {
    let service = Service::start();
    let nobody = tempfile::NamedTempFile::new().expect("an empty file");
    let (folder, output) = run(&service, nobody.path());
    let told = String::from_utf8_lossy(&output.stdout) + String::from_utf8_lossy(&output.stderr);
    assert!(!output.status.success() && told.contains("certificate"), "{told}");
    let list = orchestrator(folder.path(), nobody.path())
        .args(["list", "--endpoint", &service.endpoint])
        .output()
        .expect("it starts");
    let told = String::from_utf8_lossy(&list.stderr);
    assert!(!list.status.success() && told.contains("certificate"), "{told}");
    assert_eq!(service.asked(), "");
}
