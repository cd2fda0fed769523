//! `checkpoint.json` in the directory of checkpoints: what the command writes there is reported, so that the next attempt
//! finds it there, on whatever machine it is made.

use std::path::PathBuf;
use std::sync::mpsc::Sender;
use std::sync::{Arc, Mutex, PoisonError};
use std::thread;
use std::time::Duration;

use orchestrator_core::run::ReportKind;
use serde_json::Value;

use super::files::Files;
use super::reporter::Reporter;
use super::watch::{Noticed, Stop};
use crate::exit::{Exit, Failure};

/// The file.
const NAME: &str = "checkpoint.json";
/// Largest checkpoint, bytes; larger state belongs into a store of its own, and its name into the checkpoint.
const BYTES_MAX: u64 = 512 << 10;
/// How often the file is looked at.
const PERIOD: Duration = Duration::from_secs(1);

/// The checkpoint of one attempt.
#[derive(Debug)]
pub(super) struct Checkpoints {
    file: PathBuf,
    reporter: Arc<Reporter>,
    /// The last one the server knows.
    known: Mutex<Option<Value>>,
}

impl Checkpoints {
    /// Puts the last checkpoint of the task where the command looks for it, unless there is one already.
    pub(super) fn restored(files: &Files, reporter: Arc<Reporter>) -> Result<Checkpoints, Failure> {
        let file = files.checkpoints.join(NAME);
        let known = reporter.envelope.checkpoint.clone();
        if let Some(checkpoint) = known.as_ref().filter(|_| !file.exists()) {
            std::fs::write(&file, checkpoint.to_string()).map_err(|error| {
                Failure::unavailable(format!(
                    "cannot write '{}': {error} (is the disk full?)",
                    file.display()
                ))
            })?;
        }
        Ok(Checkpoints {
            file,
            reporter,
            known: Mutex::new(known),
        })
    }

    pub(super) fn reporter(&self) -> &Reporter {
        &self.reporter
    }

    /// Reports the checkpoint if it is new. One that is being written is left for the next time.
    pub(super) fn forward(&self) -> Result<(), Failure> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        let Ok(size) = std::fs::metadata(&self.file).map(|metadata| metadata.len()) else {
            return Ok(());
        };
        if size > BYTES_MAX {
            return Err(Failure::usage(format!(
                "'{NAME}' has {size} bytes, more than {BYTES_MAX} (keep large state elsewhere and its name in the checkpoint)"
            )));
        }
        let text = std::fs::read(&self.file).unwrap_or_default();
        let Ok(checkpoint) = serde_json::from_slice::<Value>(&text) else {
            return Ok(());
        };
        if known.as_ref() == Some(&checkpoint) {
            return Ok(());
        }
        let report = ReportKind::Checkpoint(Arc::new(checkpoint.clone()));
        self.reporter.report(&report)?;
        *known = Some(checkpoint);
        Ok(())
    }
}

/// Forwards checkpoints from a thread of its own, as long as anybody listens. An attempt that is over is noticed.
pub(super) fn forward_while_it_works(checkpoints: Arc<Checkpoints>, noticed: Sender<Noticed>) {
    thread::spawn(move || {
        loop {
            thread::sleep(PERIOD);
            // What cannot be sent now is sent next time.
            if let Err(failure) = checkpoints.forward()
                && failure.exit == Exit::Refused
            {
                // The command may have ended meanwhile.
                let _ = noticed.send(Noticed::Stop(Stop::Stale(failure)));
                return;
            }
        }
    });
}
