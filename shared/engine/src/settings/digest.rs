//! What tells one set of agents from another.

use std::collections::BTreeMap;
use std::path::Path;

use sha2::{Digest as _, Sha256};

use super::agents::{Agent, AgentKind};
use crate::ports::compute::AgentVersion;

/// A digest of everything that decides what happens when these agents work from the folder `base`: not of how many do so at a
/// time. Runs keep it, so it must not change between versions.
pub fn digest(agents: &BTreeMap<String, Agent>, base: &Path) -> [u8; 32] {
    let mut digest = Sha256::new();
    // Each part with its length, so that parts cannot run into each other.
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add(base.as_os_str().as_encoded_bytes());
    for (name, agent) in agents {
        add_agent(&mut add, name, agent);
    }
    digest.finalize().into()
}

/// What tells an agent from what it was before its configuration was changed: everything that decides what it does, and its
/// `version`. Kept results are bound to it.
pub fn version(name: &str, agent: &Agent) -> AgentVersion {
    let mut digest = Sha256::new();
    let mut add = |part: &[u8]| {
        digest.update((part.len() as u64).to_be_bytes());
        digest.update(part);
    };
    add_agent(&mut add, name, agent);
    add(agent.version.as_deref().unwrap_or_default().as_bytes());
    AgentVersion(digest.finalize().into())
}

fn add_agent(add: &mut impl FnMut(&[u8]), name: &str, agent: &Agent) {
    add(name.as_bytes());
    match &agent.kind {
        AgentKind::Command(words) => {
            add(format!("command {}", words.len()).as_bytes());
            words.iter().for_each(|word| add(word.as_bytes()));
        }
        AgentKind::Http(url) => {
            add(b"http");
            add(url.as_bytes());
        }
        AgentKind::Builtin(builtin) => {
            add(b"builtin");
            add(builtin.as_str().as_bytes());
        }
    }
    add(format!("env {}", agent.env.len()).as_bytes());
    for (variable, value) in &agent.env {
        add(variable.as_bytes());
        add(value.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::super::agents::Builtin;
    use super::*;

    fn one(name: &str, words: &[&str], change: impl FnOnce(&mut Agent)) -> [u8; 32] {
        let words = words.iter().map(|&word| word.to_owned()).collect();
        let mut agent = Agent::new(AgentKind::Command(words));
        change(&mut agent);
        digest(&BTreeMap::from([(name.to_owned(), agent)]), Path::new("/a"))
    }

    #[test]
    fn another_version_is_another_version() {
        let mut agent = Agent::new(AgentKind::Builtin(Builtin::Noop));
        let first = version("a", &agent);
        assert_ne!(first, version("b", &agent));
        agent.concurrency = Some(3);
        assert_eq!(first, version("a", &agent));
        agent.version = Some("2".to_owned());
        assert_ne!(first, version("a", &agent));
    }

    #[test]
    fn what_an_agent_does_counts_and_how_often_it_may_does_not() {
        let same = one("a", &["x", "y"], |_| {});
        assert_eq!(same, one("a", &["x", "y"], |agent| agent.concurrency = Some(1)));
        let others = [
            one("b", &["x", "y"], |_| {}),
            one("a", &["xy"], |_| {}),
            one("a", &["y", "x"], |_| {}),
            one("a", &["x", "y"], |agent| {
                agent.env.insert("K".to_owned(), "v".to_owned());
            }),
        ];
        assert!(!others.contains(&same));
        let elsewhere = BTreeMap::from([(
            "a".to_owned(),
            Agent::new(AgentKind::Command(vec!["x".to_owned(), "y".to_owned()])),
        )]);
        assert_ne!(same, digest(&elsewhere, Path::new("/b")));
    }
}
