//! Where the server works, and with which agents.

use std::fs;
use std::path::PathBuf;

use serde_json::json;
use tempfile::TempDir;
use tests::server::Server;

/// A data directory, its configuration, and a folder for the agents' marks.
pub struct Place {
    pub folder: TempDir,
}

impl Place {
    pub fn new() -> Place {
        let folder = tempfile::tempdir().expect("there is room for a temporary folder");
        let configuration = json!({
            "master_orchestrator": {
                "decision": {
                    "retry": {"max_retries": 100, "backoff_base_s": 0.01, "backoff_max_s": 0.05},
                    "resource_limits": {"max_concurrent_gpu_tasks": 2, "max_concurrent_cpu_tasks": 8},
                },
                "intake": {"requests_per_minute": 1_000_000, "requests_per_hour": 10_000_000, "burst": 100_000},
            },
            "agents": {
                "nothing": {"builtin": "noop"},
                "ml_agent": {"builtin": "noop"},
                "rest": {"builtin": "sleep"},
                "true": {"command": ["/bin/true"]},
                "script": {"command": ["/bin/sh", "-c", SCRIPT]},
                "stuck_once": {"command": ["/bin/sh", "-c", STUCK_ONCE], "env": {"MARKS": marks(&folder)}},
            },
        });
        fs::write(folder.path().join("orchestrator.yaml"), configuration.to_string())
            .expect("it is writable");
        fs::create_dir(folder.path().join("marks")).expect("it is writable");
        Place { folder }
    }

    pub fn data(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    pub fn configuration(&self) -> PathBuf {
        self.folder.path().join("orchestrator.yaml")
    }

    pub fn start(&self) -> Server {
        Server::start(&self.data(), &self.configuration())
    }

    pub fn spawn(&self) -> Server {
        Server::spawn(&self.data(), &self.configuration(), &[])
    }
}

fn marks(folder: &TempDir) -> String {
    folder.path().join("marks").to_string_lossy().into_owned()
}

/// Works for a moment, then says which attempt it was.
const SCRIPT: &str =
    r#"sleep 0.05; printf '{"attempt": %s}' "$ORCHESTRATOR_ATTEMPT" > "$ORCHESTRATOR_OUTPUT""#;

/// Never ends the first time, and has a child that does not either; succeeds the next time.
const STUCK_ONCE: &str = r#"
if [ -e "$MARKS/parent" ]; then exit 0; fi
sleep 1000 & echo $! > "$MARKS/child"
echo $$ > "$MARKS/parent.new"; mv "$MARKS/parent.new" "$MARKS/parent"
wait
"#;
