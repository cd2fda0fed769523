//! Processes of agents, found by the ids they leave in files.

use std::fs;
use std::path::Path;

/// The process that left its id in this file.
pub fn recorded(mark: &Path) -> Option<String> {
    let text = fs::read_to_string(mark).ok()?;
    Some(text.trim().to_owned()).filter(|id| !id.is_empty())
}

/// Whether a process exists and is more than an entry that nobody has fetched.
pub fn is_alive(process: &str) -> bool {
    let status = fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let state = status.rsplit(") ").next().and_then(|rest| rest.chars().next());
    !matches!(state, None | Some('Z' | 'X'))
}
