//! A running emulator.

use std::hash::{BuildHasher, Hasher, RandomState};
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, Stdio};
use std::sync::{OnceLock, mpsc};
use std::thread;
use std::time::Duration;

use crate::{PACKAGES, env_vars, place};

/// How long a start may take. A second usually; much longer while all cores compile.
const START_MAX: Duration = Duration::from_secs(180);

/// How long the end may take before the emulator is killed.
const END_STEPS: u32 = 200;
const END_STEP: Duration = Duration::from_millis(20);

/// AWS for tests. Ends with this value, or with this process, however that ends.
#[derive(Debug)]
pub struct Emulator {
    endpoint: String,
    /// None if somebody else started it.
    process: Option<Child>,
}

impl Emulator {
    /// Uses what `AWS_ENDPOINT_URL` names, or starts an emulator on a free port.
    ///
    /// # Errors
    /// When the emulator is not installed or does not start; the message names the remedy.
    pub fn start() -> Result<Emulator, String> {
        match env_vars::endpoint() {
            Some(endpoint) => Ok(Emulator {
                endpoint,
                process: None,
            }),
            None => Emulator::start_here(&[]),
        }
    }

    /// Starts an emulator, whatever the environment says, with these options of `python -m emulator`.
    ///
    /// # Errors
    /// As [`Emulator::start`].
    pub fn start_here(options: &[&str]) -> Result<Emulator, String> {
        let mut child = Command::new(PACKAGES.python()?)
            .args(["-m", "emulator", "--attached"])
            .args(options)
            .current_dir(place::root().join("infra/localstack"))
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .map_err(|error| format!("the emulator did not start: {error}"))?;
        let output = child.stdout.take().expect("the output was asked for");
        let mut emulator = Emulator {
            endpoint: String::new(),
            process: Some(child),
        };
        let (send, receive) = mpsc::channel();
        thread::spawn(move || {
            let mut line = String::new();
            // A failed read leaves the line empty, which the receiver reports.
            let _ = BufReader::new(output).read_line(&mut line);
            let _ = send.send(line);
        });
        let line = receive
            .recv_timeout(START_MAX)
            .map_err(|_| format!("the emulator did not answer within {} s", START_MAX.as_secs()))?;
        let endpoint = line.trim().strip_prefix("AWS_ENDPOINT_URL=").ok_or_else(|| {
            format!("the emulator ended while it started: its output is '{line}', its errors are above")
        })?;
        emulator.endpoint = endpoint.to_owned();
        Ok(emulator)
    }

    /// The emulator that all tests of this process share. It ends with the process.
    ///
    /// # Panics
    /// When it cannot be started.
    pub fn shared() -> &'static Emulator {
        static SHARED: OnceLock<Emulator> = OnceLock::new();
        SHARED.get_or_init(|| Emulator::start().unwrap_or_else(|problem| panic!("{problem}")))
    }

    /// Where it answers, such as `http://127.0.0.1:40123`.
    pub fn endpoint(&self) -> &str {
        &self.endpoint
    }

    /// A new account: 12 digits. Used as access key id (with any secret) it gives a test a world of its own.
    pub fn new_account() -> String {
        let random = RandomState::new().build_hasher().finish();
        // The first digit is never 0: accounts that start so are for people at the keyboard.
        format!("{}", 100_000_000_000 + random % 900_000_000_000)
    }

    /// Blocks until it ends by itself: for programs that only serve.
    pub fn wait(mut self) {
        if let Some(process) = &mut self.process {
            // Waiting closes its input, which would end it.
            let input = process.stdin.take();
            let _ = process.wait();
            drop(input);
        }
    }
}

impl Drop for Emulator {
    fn drop(&mut self) {
        let Some(process) = &mut self.process else {
            return;
        };
        // The end of its input tells it to end, with all it has started.
        drop(process.stdin.take());
        for _ in 0..END_STEPS {
            if !matches!(process.try_wait(), Ok(None)) {
                return;
            }
            thread::sleep(END_STEP);
        }
        let _ = process.kill();
        let _ = process.wait();
    }
}
