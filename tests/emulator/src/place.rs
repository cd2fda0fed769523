//! Where things are.

use std::path::{Path, PathBuf};

/// The root of the repository.
pub fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .ancestors()
        .nth(2)
        .expect("this package is two folders below the root")
}

/// The folder of everything that is built: the one above the running program where Cargo notes which compiler it uses.
///
/// # Errors
/// When the running program was not built by Cargo.
pub fn target() -> Result<PathBuf, String> {
    let program =
        std::env::current_exe().map_err(|error| format!("the running program has no path: {error}"))?;
    let target = program
        .ancestors()
        .find(|folder| folder.join(".rustc_info.json").is_file());
    target.map(Path::to_owned).ok_or_else(|| {
        format!(
            "'{}' is in no target folder (run it with cargo)",
            program.display()
        )
    })
}
