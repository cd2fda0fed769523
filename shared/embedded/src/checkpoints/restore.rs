//! Giving an attempt the checkpoint it starts from.

use std::fs;
use std::io;
use std::path::Path;

use orchestrator_core::run::RejectedCheckpoint;
use orchestrator_engine::views::CheckpointView;
use serde_json::Value;

use super::COMPLETING;
use super::store::{Damage, RestoreError, Store};

/// What a directory was filled with.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Restored {
    /// Which of the checkpoints; `None` when there is none that can be used.
    pub used: Option<usize>,
    /// What was noted in it.
    pub value: Option<Value>,
    /// Those that were tried before.
    pub rejected: Vec<RejectedCheckpoint>,
}

/// Makes `directory`, with the first of `checkpoints` that is undamaged, or empty. It is there as a whole or not at all.
/// `value` is what was noted in the first one.
///
/// # Errors
/// When a checkpoint cannot be read, or the directory cannot be made, although nothing is known to be damaged.
pub fn restore(
    store: &Store,
    checkpoints: &[CheckpointView],
    value: Option<&Value>,
    directory: &Path,
) -> Result<Restored, RestoreError> {
    let making = directory.with_extension("making");
    let mut rejected = Vec::new();
    let mut found = None;
    for (index, checkpoint) in checkpoints.iter().enumerate() {
        clear(&making)?;
        let value = match index {
            0 => value,
            _ => checkpoint.value.as_ref(),
        };
        match fill(store, checkpoint, value, &making) {
            Ok(noted) => {
                found = Some((index, noted));
                break;
            }
            Err(RestoreError::Damage(damage)) => rejected.push(reject(checkpoint, &damage)),
            Err(other) => return Err(other),
        }
    }
    if found.is_none() {
        clear(&making)?;
    }
    fs::rename(&making, directory).map_err(failed("make", directory))?;
    let (used, value) = found.unzip();
    Ok(Restored {
        used,
        value: value.flatten(),
        rejected,
    })
}

/// Puts one checkpoint into a new directory; what was noted in it.
fn fill(
    store: &Store,
    checkpoint: &CheckpointView,
    value: Option<&Value>,
    directory: &Path,
) -> Result<Option<Value>, RestoreError> {
    let completing = directory.join(COMPLETING);
    let Some(files) = checkpoint.files else {
        if let Some(value) = value.filter(|value| !value.is_null()) {
            fs::write(&completing, value.to_string()).map_err(failed("write", &completing))?;
        }
        return Ok(value.cloned());
    };
    let list = store.list(files.files())?;
    let (last, others): (Vec<_>, Vec<_>) = list.files.iter().partition(|file| file.path == COMPLETING);
    // The file that completes it comes last, as when it was made.
    for file in others.into_iter().chain(last) {
        let path = directory.join(&file.path);
        if let Some(parent) = path.parent().filter(|_| file.path.contains('/')) {
            fs::create_dir_all(parent).map_err(failed("make", parent))?;
        }
        store.copy_out(file, &path)?;
    }
    let noted = fs::read(&completing).ok();
    Ok(noted.and_then(|text| serde_json::from_slice(&text).ok()))
}

fn reject(checkpoint: &CheckpointView, damage: &Damage) -> RejectedCheckpoint {
    let CheckpointView { epoch, attempt, .. } = checkpoint;
    RejectedCheckpoint {
        files: checkpoint.files.map(|files| files.files()),
        reason: format!("of the checkpoint of epoch {epoch}, attempt {attempt}, {damage}"),
    }
}

/// Makes an empty directory.
fn clear(directory: &Path) -> Result<(), RestoreError> {
    match fs::remove_dir_all(directory) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => {
            return Err(failed("remove", directory)(error));
        }
        _ => {}
    }
    fs::create_dir(directory).map_err(failed("make", directory))
}

fn failed(what: &'static str, path: &Path) -> impl FnOnce(io::Error) -> RestoreError {
    let path = path.to_owned();
    move |error| RestoreError::Io { what, path, error }
}
