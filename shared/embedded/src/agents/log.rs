//! A bounded log: the beginning and the end of what an agent prints.
//!
//! The first half of the limit goes straight to the file. What follows goes to two segments of a quarter each, used in
//! turn, so that they always hold the latest quarter to half; at the end they are appended behind a notice.

use std::fs::{self, File, OpenOptions};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

/// Last bytes kept in memory, for messages about failures.
const TAIL_BYTES: usize = 2_048;

/// Writes the log of one attempt. The file appears with the first byte.
#[derive(Debug)]
pub(super) struct LogWriter {
    path: PathBuf,
    limit: u64,
    head: Option<File>,
    head_bytes: u64,
    tail: Option<Tail>,
    total: u64,
    last: Vec<u8>,
    /// Why the log is incomplete, once it is.
    broken: Option<io::Error>,
}

#[derive(Debug)]
struct Tail {
    /// The segment being written, and the full one before it.
    current: File,
    current_bytes: u64,
    previous: Option<u64>,
    uses_first: bool,
}

impl LogWriter {
    pub(super) fn new(path: &Path, limit: u64) -> LogWriter {
        LogWriter {
            path: path.to_owned(),
            limit: limit.max(4),
            head: None,
            head_bytes: 0,
            tail: None,
            total: 0,
            last: Vec::new(),
            broken: None,
        }
    }

    /// Adds what the agent printed. A log that cannot be written (a full disk) does not stop the agent: the rest is
    /// dropped and the log says so if it can.
    pub(super) fn write(&mut self, bytes: &[u8]) {
        self.remember(bytes);
        self.add(bytes);
    }

    /// Adds a line of the orchestrator, which is not taken for the last words of the agent.
    pub(super) fn note(&mut self, text: &str) {
        self.add(format!("orchestrator: {text}\n").as_bytes());
    }

    fn add(&mut self, bytes: &[u8]) {
        self.total += bytes.len() as u64;
        if self.broken.is_none()
            && let Err(error) = self.store(bytes)
        {
            self.broken = Some(error);
        }
    }

    /// The last bytes, as text.
    pub(super) fn last_text(&self) -> String {
        String::from_utf8_lossy(&self.last).trim().to_owned()
    }

    /// Puts the tail behind the head.
    pub(super) fn finish(mut self) {
        let result = self.join();
        if let Some(error) = self.broken.or(result.err()) {
            tracing::warn!(log = %self.path.display(), %error, "a log is incomplete");
        }
    }

    fn remember(&mut self, bytes: &[u8]) {
        let bytes = &bytes[bytes.len().saturating_sub(TAIL_BYTES)..];
        let keep = (TAIL_BYTES - bytes.len()).min(self.last.len());
        self.last.drain(..self.last.len() - keep);
        self.last.extend_from_slice(bytes);
    }

    fn store(&mut self, bytes: &[u8]) -> io::Result<()> {
        let room = usize::try_from(self.limit / 2 - self.head_bytes).unwrap_or(usize::MAX);
        let (head, tail) = bytes.split_at(room.min(bytes.len()));
        if !head.is_empty() {
            let file = match &mut self.head {
                Some(file) => file,
                None => self.head.insert(create(&self.path)?),
            };
            file.write_all(head)?;
            self.head_bytes += head.len() as u64;
        }
        match tail {
            [] => Ok(()),
            tail => self.store_tail(tail),
        }
    }

    fn store_tail(&mut self, mut bytes: &[u8]) -> io::Result<()> {
        let segment_max = self.limit / 4;
        while !bytes.is_empty() {
            let tail = match &mut self.tail {
                Some(tail) if tail.current_bytes < segment_max => tail,
                full => {
                    let (previous, uses_first) = match full {
                        Some(tail) => (Some(tail.current_bytes), !tail.uses_first),
                        None => (None, true),
                    };
                    let current = create(&segment(&self.path, uses_first))?;
                    full.insert(Tail {
                        current,
                        current_bytes: 0,
                        previous,
                        uses_first,
                    })
                }
            };
            let room = usize::try_from(segment_max - tail.current_bytes).unwrap_or(usize::MAX);
            let (now, later) = bytes.split_at(room.min(bytes.len()));
            tail.current.write_all(now)?;
            tail.current_bytes += now.len() as u64;
            bytes = later;
        }
        Ok(())
    }

    fn join(&mut self) -> io::Result<()> {
        let (Some(head), Some(tail)) = (&mut self.head, &self.tail) else {
            return Ok(());
        };
        let kept = self.head_bytes + tail.current_bytes + tail.previous.unwrap_or(0);
        if self.total > kept {
            let left_out = self.total - kept;
            writeln!(head, "\n[... {left_out} bytes left out by the orchestrator ...]")?;
        }
        let first = segment(&self.path, tail.uses_first);
        let second = segment(&self.path, !tail.uses_first);
        if tail.previous.is_some() {
            io::copy(&mut File::open(&second)?, head)?;
            fs::remove_file(&second)?;
        }
        io::copy(&mut File::open(&first)?, head)?;
        fs::remove_file(&first)
    }
}

fn create(path: &Path) -> io::Result<File> {
    OpenOptions::new()
        .create(true)
        .write(true)
        .truncate(true)
        .open(path)
}

fn segment(path: &Path, first: bool) -> PathBuf {
    path.with_extension(if first { "tail-a" } else { "tail-b" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn log_of(chunks: &[&[u8]], limit: u64) -> (Option<Vec<u8>>, usize) {
        let temp = tempfile::tempdir().unwrap();
        let path = temp.path().join("log.txt");
        let mut log = LogWriter::new(&path, limit);
        for chunk in chunks {
            log.write(chunk);
        }
        log.finish();
        let files = fs::read_dir(temp.path()).unwrap().count();
        (fs::read(&path).ok(), files)
    }

    #[test]
    fn a_short_log_is_kept_whole_and_an_empty_one_makes_no_file() {
        assert_eq!(log_of(&[], 16), (None, 0));
        assert_eq!(log_of(&[b"ab", b"cd"], 16), (Some(b"abcd".to_vec()), 1));
        let whole = b"0123456789abcdef";
        assert_eq!(log_of(&[whole], 16), (Some(whole.to_vec()), 1));
    }

    #[test]
    fn a_long_log_keeps_its_beginning_and_its_end() {
        let long: Vec<u8> = (0..1_000_u32)
            .flat_map(|n| format!("{n:03}\n").into_bytes())
            .collect();
        for size in [1, 7, 4_000] {
            let chunks: Vec<&[u8]> = long.chunks(size).collect();
            let (log, files) = log_of(&chunks, 100);
            let log = String::from_utf8(log.unwrap()).unwrap();
            assert!(
                log.starts_with("000\n001\n") && log.ends_with("998\n999\n"),
                "{log}"
            );
            let kept = log.lines().find(|line| line.contains("left out")).unwrap();
            assert!(log.len() <= 100 + kept.len() + 2 && files == 1, "{log}");
        }
    }

    #[test]
    fn the_last_bytes_are_remembered() {
        let temp = tempfile::tempdir().unwrap();
        let mut log = LogWriter::new(&temp.path().join("log.txt"), 1_000);
        for n in 0..5_000 {
            log.write(format!("line {n}\n").as_bytes());
        }
        assert!(log.last_text().ends_with("line 4998\nline 4999"));
        assert!(log.last.len() <= TAIL_BYTES);
    }
}
