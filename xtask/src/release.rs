//! `cargo xtask release`: the functions as they are deployed: how large they are, how quickly they start, what memory they take.
//!
//! Every program is started as Lambda starts it, by itself, and asked for its first `next` at a runtime API of ours. Once with
//! the secret of task tokens in the environment, so that nothing is asked of AWS before; once as the template deploys it, with the
//! secret in the table, which the emulator holds.

use std::fs;
use std::io::{BufRead, BufReader};
use std::net::{TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::mpsc::{self, Receiver};
use std::thread;
use std::time::{Duration, Instant};

use emulator::{Emulator, PACKAGES, Stack};

use crate::run::{cargo, in_foreground, program, quietly, root, target};

/// The programs, as in `functions/Cargo.toml`.
const FUNCTIONS: [&str; 6] = [
    "intake",
    "decision",
    "task_events",
    "sla_sweep",
    "rollback",
    "translator",
];
/// Starts of each program.
const STARTS: usize = 21;
/// How long a start may take before it is given up.
const START_MAX: Duration = Duration::from_secs(30);
/// Root certificates in one file, as Lambda's image has them. Debian has each in a file of its own as well, and a program that is not
/// told otherwise reads both.
const ROOTS: [&str; 2] = [
    "/etc/pki/tls/certs/ca-bundle.crt",
    "/etc/ssl/certs/ca-certificates.crt",
];
/// The account on the emulator.
const ACCOUNT: &str = "000000000042";

/// Builds, packs, measures and prints a table.
pub fn verb() -> Result<(), String> {
    let python = PACKAGES.install()?;
    let place = target().join("functions");
    let folder = place.join("release");
    let mut build = cargo(["build", "--locked", "--release", "--bins", "--target-dir"]);
    // There is a configuration of Cargo for them, which SAM uses too.
    build.arg(&place).current_dir(root().join("functions"));
    if !in_foreground(&mut build) {
        return Err("the functions were not built; what went wrong is above".to_owned());
    }
    let zips = folder.join("zips");
    fs::create_dir_all(&zips).map_err(|error| format!("{}: {error}", zips.display()))?;
    for function in FUNCTIONS {
        pack(
            &python,
            &folder.join(function),
            &zips.join(format!("{function}.zip")),
        )?;
    }
    let aws = Emulator::start_here(&[])?;
    let outputs = aws.deploy(Stack {
        name: "release",
        account: ACCOUNT,
        functions: &zips,
        parameters: &[],
    })?;
    let output =
        |name: &str| text_of(&outputs, name).ok_or_else(|| format!("the stack has no output {name}"));
    let mut deployed: Vec<(&str, String)> = vec![
        ("AWS_ENDPOINT_URL", aws.endpoint().to_owned()),
        ("AWS_REGION", "us-east-1".to_owned()),
        ("AWS_ACCESS_KEY_ID", ACCOUNT.to_owned()),
        ("AWS_SECRET_ACCESS_KEY", "secret".to_owned()),
        ("AWS_LAMBDA_FUNCTION_MEMORY_SIZE", "256".to_owned()),
        ("AWS_LAMBDA_FUNCTION_VERSION", "$LATEST".to_owned()),
        ("ORCHESTRATOR_TABLE", output("TableName")?),
        ("ORCHESTRATOR_BUCKET", output("BucketName")?),
        ("ORCHESTRATOR_DECISIONS_QUEUE", output("DecisionsQueueUrl")?),
        ("ORCHESTRATOR_TASK_EVENTS_QUEUE", output("TaskEventsQueueUrl")?),
        ("ORCHESTRATOR_SWEEPS_QUEUE", output("SweepsQueueUrl")?),
        ("ORCHESTRATOR_TRANSLATIONS_QUEUE", output("TranslationsQueueUrl")?),
        (
            "ORCHESTRATOR_BATCH",
            output("BatchTargets")?.replace("\\\"", "\""),
        ),
        ("ORCHESTRATOR_EVENT_BUS", output("EventBusName")?),
        // Where a collector's Lambda layer listens: traces are on.
        ("OTEL_EXPORTER_OTLP_ENDPOINT", "http://localhost:4318".to_owned()),
    ];
    let roots = ROOTS.into_iter().find(|path| Path::new(path).exists());
    deployed.extend(roots.map(|path| ("SSL_CERT_FILE", path.to_owned())));
    println!(
        "{:12} {:>10} {:>8} {:>22} {:>22} {:>9}",
        "function", "program KB", "zip KB", "ms to next, no AWS", "ms to next, table read", "RSS MB"
    );
    for function in FUNCTIONS {
        deployed.retain(|(name, _)| *name != "AWS_LAMBDA_FUNCTION_NAME");
        deployed.push(("AWS_LAMBDA_FUNCTION_NAME", function.to_owned()));
        let alone: Vec<_> = deployed
            .iter()
            .cloned()
            .chain([("ORCHESTRATOR_TOKEN_SECRET", "a secret of measurements".to_owned())])
            .collect();
        let path = folder.join(function);
        let alone = starts(&path, &alone)?;
        let whole = starts(&path, &deployed)?;
        println!(
            "{function:12} {:>10} {:>8} {:>22} {:>22} {:>9.1}",
            kilobytes(&path)?,
            kilobytes(&zips.join(format!("{function}.zip")))?,
            alone.times(),
            whole.times(),
            whole.resident_kb as f64 / 1024.0
        );
    }
    println!("median of {STARTS} starts, smallest and largest; zips are what is uploaded");
    Ok(())
}

/// A zip as SAM makes it: the program compressed, under the name that Lambda looks for. Returns its path.
pub fn pack(python: &Path, function: &Path, zip: &Path) -> Result<PathBuf, String> {
    const PACK: &str = "import sys, zipfile
with zipfile.ZipFile(sys.argv[2], 'w', zipfile.ZIP_DEFLATED) as zip:
    zip.write(sys.argv[1], 'bootstrap')";
    let mut pack = program(python);
    let packed = quietly(pack.args(["-c", PACK]).arg(function).arg(zip));
    match packed.success {
        true => Ok(zip.to_owned()),
        false => Err(packed.output),
    }
}

/// The size of a file.
pub fn kilobytes(path: &Path) -> Result<u64, String> {
    let metadata = fs::metadata(path).map_err(|error| format!("{}: {error}", path.display()))?;
    Ok(metadata.len() / 1000)
}

/// What some starts of a program took.
struct Starts {
    /// Sorted.
    millis: Vec<f64>,
    /// Of the last one.
    resident_kb: u64,
}

impl Starts {
    fn times(&self) -> String {
        let first = self.millis.first().copied().unwrap_or_default();
        let last = self.millis.last().copied().unwrap_or_default();
        format!("{:.1} ({first:.1}-{last:.1})", self.millis[self.millis.len() / 2])
    }
}

fn starts(program: &Path, environment: &[(&str, String)]) -> Result<Starts, String> {
    let mut starts = Starts {
        millis: Vec::new(),
        resident_kb: 0,
    };
    for _ in 0..STARTS {
        let (millis, resident_kb) = start(program, environment)?;
        starts.millis.push(millis);
        starts.resident_kb = resident_kb;
    }
    starts.millis.sort_by(f64::total_cmp);
    Ok(starts)
}

/// Starts the program, waits for its first `next`, and ends it: milliseconds, and resident memory in KB.
#[expect(clippy::disallowed_methods, reason = "this is measuring code")]
fn start(program: &Path, environment: &[(&str, String)]) -> Result<(f64, u64), String> {
    let listener = TcpListener::bind("127.0.0.1:0").map_err(|error| error.to_string())?;
    let api = listener.local_addr().map_err(|error| error.to_string())?;
    let asked = first_request(listener);
    let mut command = Command::new(program);
    command
        .env_clear()
        .envs(environment.iter().map(|(name, value)| (*name, value.as_str())))
        .env("AWS_LAMBDA_RUNTIME_API", api.to_string())
        .current_dir(root())
        .stdin(Stdio::null())
        .stdout(Stdio::null());
    let begin = Instant::now();
    let mut child = command
        .spawn()
        .map_err(|error| format!("{}: {error}", program.display()))?;
    let request = asked.recv_timeout(START_MAX);
    let resident_kb = resident_kb(child.id());
    let _ = child.kill();
    let _ = child.wait();
    let (at, line, _open) = request.map_err(|_| format!("{} does not ask for work", program.display()))?;
    if !line.contains("/runtime/invocation/next") {
        return Err(format!("{} asks for '{}' first", program.display(), line.trim()));
    }
    Ok((at.duration_since(begin).as_secs_f64() * 1e3, resident_kb))
}

/// When the first request came, its first line, and its connection, which stays open: there is never any work.
#[expect(clippy::disallowed_methods, reason = "this is measuring code")]
fn first_request(listener: TcpListener) -> Receiver<(Instant, String, TcpStream)> {
    let (send, receive) = mpsc::channel();
    thread::spawn(move || {
        let Ok((stream, _)) = listener.accept() else {
            return;
        };
        let mut line = String::new();
        if BufReader::new(&stream).read_line(&mut line).is_ok() {
            // Nobody listens if it took too long.
            let _ = send.send((Instant::now(), line, stream));
        }
    });
    receive
}

fn resident_kb(process: u32) -> u64 {
    let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"));
    let number = line.and_then(|line| line.split_whitespace().next());
    number.and_then(|number| number.parse().ok()).unwrap_or(0)
}

/// A text in a JSON object that has one line for each.
fn text_of(json: &str, name: &str) -> Option<String> {
    let start = format!("\"{name}\": \"");
    let line = json.lines().find_map(|line| line.trim().strip_prefix(&start))?;
    Some(line.trim_end_matches(',').strip_suffix('"')?.to_owned())
}

#[cfg(test)]
mod tests {
    use super::text_of;

    #[test]
    fn outputs_of_a_stack_are_read() {
        let outputs = "{\n  \"A\": \"x\",\n  \"Bc\": \"http://y\"\n}\n";
        assert_eq!(text_of(outputs, "A"), Some("x".to_owned()));
        assert_eq!(text_of(outputs, "Bc"), Some("http://y".to_owned()));
        assert_eq!(text_of(outputs, "B"), None);
    }
}
