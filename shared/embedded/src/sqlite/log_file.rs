//! The file of the write-ahead log.

use std::fs::OpenOptions;
use std::io;
use std::os::unix::fs::FileExt as _;
use std::path::Path;

/// Fills the write-ahead log with zeros up to the size at which SQLite begins to reuse it. A flush after overwriting costs
/// about half of a flush after growing a file, so this gives the first commits the speed of all later ones. SQLite ignores
/// what follows the last valid frame. Written page by page: after one large write the page cache of some systems keeps large
/// pieces, and counts a whole one as written whenever a page of it is.
pub(super) fn extend(file: &Path) -> io::Result<()> {
    const BYTES: u64 = 1_000 * (4_096 + 24) + 32;
    const PAGE: u64 = 4_096;
    let mut name = file.as_os_str().to_owned();
    name.push("-wal");
    let log = OpenOptions::new().write(true).open(name)?;
    let length = log.metadata()?.len();
    let mut end = length;
    while end < BYTES {
        let page = (PAGE - end % PAGE).min(BYTES - end);
        log.write_all_at(&[0; PAGE as usize][..usize::try_from(page).unwrap_or(0)], end)?;
        end += page;
    }
    log.sync_all()
}
