//! A directory of an attempt and its store, for tests.

mod restoring;
mod taking;

use std::fs::{self, File};
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use orchestrator_core::run::NewFiles;
use orchestrator_core::time::Timestamp;
use orchestrator_engine::views::{At, CheckpointView, FilesView};
use serde_json::Value;

use super::restore::{Restored, restore};
use super::saver::{Saver, Taken, When};
use super::store::Store;

const MIB: u64 = 1 << 20;
const ENDED: When = When::Ended { well: true };

/// A directory of an attempt, and a store.
struct Place {
    temp: tempfile::TempDir,
    known: Vec<CheckpointView>,
    value: Option<Value>,
}

impl Place {
    fn new() -> Place {
        let temp = tempfile::tempdir().unwrap();
        fs::create_dir(temp.path().join("work")).unwrap();
        Place {
            temp,
            known: Vec::new(),
            value: None,
        }
    }

    fn work(&self) -> PathBuf {
        self.temp.path().join("work")
    }

    fn store(&self) -> Store {
        Store::new(self.temp.path().join("saved"))
    }

    fn stored(&self) -> usize {
        fs::read_dir(self.temp.path().join("saved")).map_or(0, Iterator::count)
    }

    fn write(&self, path: &str, content: &[u8]) {
        let path = self.work().join(path);
        fs::create_dir_all(path.parent().unwrap()).unwrap();
        // What was taken at an end is not written to any more: it may be the stored file itself.
        let _ = fs::remove_file(&path);
        fs::write(path, content).unwrap();
    }

    /// Writes a file, at a second of the past.
    fn write_at(&self, path: &str, content: &[u8], seconds: u64) {
        self.write(path, content);
        let at = SystemTime::UNIX_EPOCH + Duration::from_secs(1_700_000_000 + seconds);
        File::options()
            .write(true)
            .open(self.work().join(path))
            .unwrap()
            .set_modified(at)
            .unwrap();
    }

    fn saver(&self) -> Saver {
        Saver::new(self.work(), self.store(), MIB, &self.known, self.value.as_ref()).of_unknown()
    }

    /// Takes a checkpoint of files, as the journal then has it.
    fn take(&mut self) -> NewFiles {
        let Some(Taken::Files(saved)) = self.saver().take(ENDED).unwrap() else {
            panic!("no files were taken")
        };
        self.known.insert(0, view(&saved));
        self.known.truncate(3);
        self.value = Some(saved.value.clone());
        saved
    }

    fn restore(&self) -> (Restored, PathBuf) {
        let directory = self.temp.path().join("restored");
        let _ = fs::remove_dir_all(&directory);
        let restored = restore(&self.store(), &self.known, self.value.as_ref(), &directory).unwrap();
        (restored, directory)
    }

    /// Where a file of a checkpoint is stored.
    fn stored_file(&self, saved: &NewFiles, path: &str) -> PathBuf {
        let list = self.store().list(saved.files).unwrap();
        let file = list.files.iter().find(|file| file.path == path).unwrap();
        self.store().path(file.sha256)
    }
}

fn view(saved: &NewFiles) -> CheckpointView {
    CheckpointView {
        epoch: 1,
        attempt: 1,
        saved_at: At(Timestamp(0)),
        files: Some(FilesView::of(saved.files)),
        value: None,
    }
}

/// Every file below a directory.
fn tree(directory: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files = Vec::new();
    let mut open = vec![directory.to_owned()];
    while let Some(next) = open.pop() {
        for entry in fs::read_dir(next).unwrap() {
            let path = entry.unwrap().path();
            match path.is_dir() {
                true => open.push(path),
                false => {
                    let name = path.strip_prefix(directory).unwrap().to_str().unwrap().to_owned();
                    files.push((name, fs::read(path).unwrap()));
                }
            }
        }
    }
    files.sort();
    files
}
