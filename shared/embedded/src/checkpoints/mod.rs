//! Checkpoints in files: what an attempt leaves in its checkpoint directory becomes a checkpoint, and the next attempt gets
//! it in a directory of its own, byte for byte or not at all.
//!
//! When a checkpoint is taken:
//! - The directory has `checkpoint.json`: that file completes a checkpoint. Whenever it is new and no other file is newer, the
//!   directory is saved, while the attempt works (within a second) and at its end. A directory that is newer than its
//!   `checkpoint.json` is a checkpoint half made, and is not taken.
//! - It has none: the directory is saved as it is at the end of the attempt, however it ends.
//!
//! Files whose names end in `.tmp` or `.part` are being written and are left out. While the directory is copied nothing in it
//! may change; a copy during which something did is thrown away and made again later.
//!
//! What is saved is named after its content:
//!
//! ```text
//! TASK/saved/SHA256        a file; or the list of the files of a checkpoint, with the length and the SHA-256 of each
//! ```
//!
//! The journal has the SHA-256 of the list. So whatever is damaged, cut off, exchanged or missing is found before it is used:
//! the checkpoint is rejected, and the one before it is tried. Saved files are not flushed to the disk: a power cut may
//! damage the newest checkpoint, which is then found to be so; a crash of the process does not.
//!
//! Reading order: [`scan`], [`list`], [`store`], [`saver`], [`restore`].

pub mod list;
pub mod restore;
pub mod saver;
pub mod scan;
pub mod store;

#[cfg(test)]
mod tests;

/// The file that completes a checkpoint.
pub const COMPLETING: &str = "checkpoint.json";
/// Largest `checkpoint.json`, bytes; it goes to the journal.
pub const VALUE_BYTES_MAX: u64 = 512 << 10;
/// Most files of a checkpoint.
pub const FILES_MAX: usize = 10_000;
/// Deepest directory of a checkpoint, and longest path in it.
const DEPTH_MAX: usize = 16;
const PATH_BYTES_MAX: usize = 1_024;
