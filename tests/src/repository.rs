//! Where the repository is, and which files belong to it.

use std::path::{Path, PathBuf};
use std::process::Command;

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .expect("this package is a folder of the repository")
}

/// All files that are or would be committed, relative to the root, sorted.
///
/// # Panics
/// When git does not answer.
pub fn files() -> Vec<PathBuf> {
    let list = ["ls-files", "--cached", "--others", "--exclude-standard", "-z"];
    let output = Command::new("git")
        .args(list)
        .current_dir(root())
        .output()
        .expect("git starts");
    assert!(
        output.status.success(),
        "git ls-files: {}",
        String::from_utf8_lossy(&output.stderr)
    );
    let text = String::from_utf8(output.stdout).expect("paths are UTF-8");
    let mut files: Vec<PathBuf> = text.split_terminator('\0').map(PathBuf::from).collect();
    // A file that was deleted but not yet committed is still in git's list.
    files.retain(|file| root().join(file).is_file());
    files.sort();
    files.dedup();
    files
}

/// The files with this extension.
pub fn files_with_extension(extension: &str) -> Vec<PathBuf> {
    files()
        .into_iter()
        .filter(|file| file.extension().is_some_and(|found| found == extension))
        .collect()
}

/// The text of a file of the repository.
///
/// # Panics
/// When the file cannot be read or is not UTF-8 text.
pub fn read(file: impl AsRef<Path>) -> String {
    let path = root().join(file);
    std::fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
