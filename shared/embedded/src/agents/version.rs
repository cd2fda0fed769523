//! What tells an agent of this machine from what it was: its configuration, and the files its command names.
//!
//! A word of the command that names a file below the configuration's directory, or by an absolute path, counts with the
//! file's content. What such a file loads in turn is not known here: that is what the key `version` is for.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::fs::{self, File};
use std::io;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

use orchestrator_engine::ports::compute::AgentVersion;
use orchestrator_engine::settings::{self, Agent, AgentKind};
use sha2::{Digest as _, Sha256};

/// Larger files count with their length and time of writing only.
const FILE_BYTES_MAX: u64 = 16 << 20;

/// The versions of configured agents. What was read is read again when a file's length or time of writing has changed.
#[derive(Debug)]
pub(super) struct Versions {
    base: PathBuf,
    agents: BTreeMap<String, Agent>,
    known: RefCell<BTreeMap<String, (Vec<Look>, AgentVersion)>>,
}

/// A file at a glance.
#[derive(Debug, Clone, PartialEq, Eq)]
struct Look {
    path: PathBuf,
    bytes: u64,
    written: Option<SystemTime>,
}

impl Versions {
    pub(super) fn new(base: PathBuf, agents: BTreeMap<String, Agent>) -> Versions {
        Versions {
            base,
            agents,
            known: RefCell::default(),
        }
    }

    /// The version of an agent as it is now.
    pub(super) fn of(&self, name: &str) -> AgentVersion {
        let Some(agent) = self.agents.get(name) else {
            return AgentVersion::default();
        };
        let looks = self.looks(agent);
        if let Some((seen, version)) = self.known.borrow().get(name)
            && *seen == looks
        {
            return *version;
        }
        let mut digest = Sha256::new();
        digest.update(self.base.as_os_str().as_encoded_bytes());
        digest.update(settings::version(name, agent).0);
        for look in &looks {
            digest.update(content(look));
        }
        let version = AgentVersion(digest.finalize().into());
        self.known.borrow_mut().insert(name.to_owned(), (looks, version));
        version
    }

    fn looks(&self, agent: &Agent) -> Vec<Look> {
        let AgentKind::Command(words) = &agent.kind else {
            return Vec::new();
        };
        let named = words.iter().map(|word| self.base.join(word));
        named.filter_map(|path| look(&path)).collect()
    }
}

fn look(path: &Path) -> Option<Look> {
    let found = fs::metadata(path).ok().filter(|found| found.is_file())?;
    Some(Look {
        path: path.to_owned(),
        bytes: found.len(),
        written: found.modified().ok(),
    })
}

/// The hash of a file, or of what is known of it.
fn content(look: &Look) -> [u8; 32] {
    let mut digest = Sha256::new();
    let read = match look.bytes <= FILE_BYTES_MAX {
        true => File::open(&look.path).and_then(|mut file| io::copy(&mut file, &mut Feed(&mut digest))),
        false => Err(io::ErrorKind::FileTooLarge.into()),
    };
    if read.is_err() {
        digest.update(format!("{} {:?}", look.bytes, look.written));
    }
    digest.finalize().into()
}

struct Feed<'a>(&'a mut Sha256);

impl io::Write for Feed<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        self.0.update(bytes);
        Ok(bytes.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_script_is_another_version_and_an_unchanged_one_is_not() {
        let folder = tempfile::tempdir().unwrap();
        let script = folder.path().join("agent.py");
        fs::write(&script, "print(1)").unwrap();
        let words = ["python3", "agent.py", "--fast"].map(str::to_owned).to_vec();
        let agent = Agent::new(AgentKind::Command(words));
        let agents = BTreeMap::from([("a".to_owned(), agent)]);
        let versions = Versions::new(folder.path().to_owned(), agents.clone());
        let first = versions.of("a");
        assert_eq!(first, versions.of("a"));
        fs::write(&script, "print(22)").unwrap();
        let second = versions.of("a");
        assert_ne!(first, second, "the same process sees the change");
        let other = Versions::new(folder.path().to_owned(), agents);
        assert_eq!(second, other.of("a"), "another process sees the same");
        assert_eq!(versions.of("unknown"), AgentVersion::default());
    }
}
