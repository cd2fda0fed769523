//! Every environment variable that is read or handed to agents. `docs/configuration.md` describes the same list; a test
//! compares the two.

/// Configuration file, when `--config` does not name one.
pub const ORCHESTRATOR_CONFIG: &str = "ORCHESTRATOR_CONFIG";
/// Data directory, when `--data` does not name one.
pub const ORCHESTRATOR_DATA: &str = "ORCHESTRATOR_DATA";
/// URL of the server to talk to, when `--endpoint` does not name one.
pub const ORCHESTRATOR_ENDPOINT: &str = "ORCHESTRATOR_ENDPOINT";
/// Bearer token for the server, when `--token` does not give one; `serve` asks its clients for it.
pub const ORCHESTRATOR_TOKEN: &str = "ORCHESTRATOR_TOKEN";

/// To agents: path of the task's envelope, a JSON file.
pub const ORCHESTRATOR_ENVELOPE: &str = "ORCHESTRATOR_ENVELOPE";
/// To agents: path where the output is to be written, as JSON.
pub const ORCHESTRATOR_OUTPUT: &str = "ORCHESTRATOR_OUTPUT";
/// To agents: directory shared by all tasks of the run.
pub const ORCHESTRATOR_RUN_DIR: &str = "ORCHESTRATOR_RUN_DIR";
/// To agents: directory of the task's checkpoints; it outlives attempts.
pub const ORCHESTRATOR_CHECKPOINT_DIR: &str = "ORCHESTRATOR_CHECKPOINT_DIR";
/// To agents: id of the run.
pub const ORCHESTRATOR_RUN_ID: &str = "ORCHESTRATOR_RUN_ID";
/// To agents: id of the task.
pub const ORCHESTRATOR_TASK_ID: &str = "ORCHESTRATOR_TASK_ID";
/// To agents: which attempt this is, from 1.
pub const ORCHESTRATOR_ATTEMPT: &str = "ORCHESTRATOR_ATTEMPT";
/// To agents: the data directory that started them, by which left-over processes are found after a crash.
pub const ORCHESTRATOR_DATA_DIR: &str = "ORCHESTRATOR_DATA_DIR";
/// To agents: key of the attempt, by which left-over processes are found after a crash.
pub const ORCHESTRATOR_ATTEMPT_KEY: &str = "ORCHESTRATOR_ATTEMPT_KEY";
/// To agents: W3C trace context of the attempt.
pub const TRACEPARENT: &str = "TRACEPARENT";

/// Read by the program.
pub const READ: [&str; 4] = [
    ORCHESTRATOR_CONFIG,
    ORCHESTRATOR_DATA,
    ORCHESTRATOR_ENDPOINT,
    ORCHESTRATOR_TOKEN,
];

/// Handed to agents, so that a configuration cannot set them.
pub const OF_AGENTS: [&str; 10] = [
    ORCHESTRATOR_ENVELOPE,
    ORCHESTRATOR_OUTPUT,
    ORCHESTRATOR_RUN_DIR,
    ORCHESTRATOR_CHECKPOINT_DIR,
    ORCHESTRATOR_RUN_ID,
    ORCHESTRATOR_TASK_ID,
    ORCHESTRATOR_ATTEMPT,
    ORCHESTRATOR_DATA_DIR,
    ORCHESTRATOR_ATTEMPT_KEY,
    TRACEPARENT,
];
