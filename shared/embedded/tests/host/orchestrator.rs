//! The embedded orchestrator as a whole: real commands, real files, restarts.

use std::fs;
use std::path::Path;

use super::common::{block_on, command, options, request, wait_for};
use orchestrator_core::ids::RunId;
use orchestrator_core::run::{Command, FailureClass, Node, RunState, RunStatus, TaskStatus};
use orchestrator_embedded::{Orchestrator, Reader, StartError, StartOptions, TakesUp};
use orchestrator_engine::ports::RunIndex as _;
use orchestrator_engine::ports::run_index::RunQuery;
use orchestrator_engine::settings::{Agent, AgentKind, Builtin};
use orchestrator_engine::views::Replay;
use serde_json::{Value, json};
use tempfile::TempDir;

/// A directory with agents, each a shell script named in the configuration, and a data directory.
struct Place {
    temp: TempDir,
    options: StartOptions,
}

impl Place {
    fn new(scripts: &[(&str, &str)]) -> Place {
        let temp = tempfile::tempdir().unwrap();
        let mut options = options(temp.path());
        options.limits.log_bytes = 64 << 10;
        options.limits.output_bytes = 4 << 10;
        for (name, script) in scripts {
            let file = format!("{name}.sh");
            fs::write(temp.path().join(&file), script).unwrap();
            options.agents.insert((*name).to_owned(), command(&["sh", &file]));
        }
        Place { temp, options }
    }

    fn path(&self) -> &Path {
        self.temp.path()
    }

    fn start(&self) -> Orchestrator {
        Orchestrator::start(self.options.clone()).unwrap()
    }

    fn read(&self, run: RunId) -> RunState {
        let reader = Reader::open(&self.path().join("data")).unwrap();
        block_on(Replay::state_of(&reader, run)).unwrap().0
    }
}

fn submit(orchestrator: &Orchestrator, tasks: &Value) -> RunId {
    let request = request(tasks);
    let run = request.run;
    block_on(orchestrator.submit(request)).unwrap();
    run
}

/// Runs one task to its end.
fn outcome(place: &Place, agent: &str, params: &Value) -> Node {
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let task =
        json!([{"id": "t", "agent": agent, "action": "work", "params": params, "retry": {"max_retries": 0}}]);
    let run = submit(&orchestrator, &task);
    wait_for(&mut changes, |change| change.run == run && change.has_ended);
    orchestrator.stop();
    let state = place.read(run);
    state.node(state.find("t").unwrap()).clone()
}

fn failure(node: &Node) -> (FailureClass, &str) {
    let failure = node.failure.as_deref().unwrap();
    (failure.class, &failure.message)
}

fn is_alive(pid: &str) -> bool {
    let stat = fs::read_to_string(format!("/proc/{}/stat", pid.trim())).unwrap_or_default();
    !stat.is_empty() && !stat.contains(") Z ")
}

#[test]
fn runs_end_and_are_still_there_after_a_restart() {
    let place = Place::new(&[]);
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let run = submit(
        &orchestrator,
        &json!([
            {"id": "a", "agent": "noop", "action": "x", "params": {"output": {"n": 1}}},
            {"id": "b", "agent": "noop", "action": "x", "depends_on": ["a"], "params": {"output": "${tasks.a.output.n}"}},
        ]),
    );
    let last = wait_for(&mut changes, |change| change.run == run && change.has_ended);
    assert_eq!(last.status, RunStatus::Success);
    drop(orchestrator);
    let state = place.read(run);
    assert_eq!(
        state.node(state.find("b").unwrap()).output.as_deref(),
        Some(&json!(1))
    );
    let orchestrator = place.start();
    assert_eq!(orchestrator.recovered().runs, []);
    let all = RunQuery {
        statuses: Vec::new(),
        client_id: Some("tester".to_owned()),
        workflow: None,
        before: None,
        limit: 10,
    };
    let found = block_on(orchestrator.reader().list(&all)).unwrap();
    assert_eq!(found.iter().map(|summary| summary.run).collect::<Vec<_>>(), [run]);
}

#[test]
fn params_reach_a_command_as_data() {
    let place = Place::new(&[("echo", r#"cat > "$ORCHESTRATOR_OUTPUT""#)]);
    let nasty = "$(touch pwned); `touch pwned` | \"touch pwned\" & '\n--help";
    let node = outcome(&place, "echo", &json!({"text": nasty}));
    let envelope = node.output.unwrap();
    assert_eq!(envelope["params"]["text"], nasty);
    assert_eq!(
        (&envelope["task_id"], &envelope["attempt"]),
        (&json!("t"), &json!(1))
    );
    assert!(!place.path().join("pwned").exists());
}

#[test]
fn how_a_command_ends_decides_what_its_attempt_is() {
    use FailureClass as Class;
    let scripts = [
        ("silent", "exit 0"),
        ("invalid", r#"echo '{"a":' > "$ORCHESTRATOR_OUTPUT""#),
        (
            "large",
            r#"head -c 5000 /dev/zero | tr '\0' 1 > "$ORCHESTRATOR_OUTPUT""#,
        ),
        ("code", "echo first; echo the reason >&2; exit 3"),
        ("again", "exit 75"),
        (
            "said",
            r#"echo '{"error":{"class":"validation","message":"no rows"}}' > "$ORCHESTRATOR_OUTPUT"; exit 1"#,
        ),
        ("killed", "kill -9 $$"),
    ];
    let mut place = Place::new(&scripts);
    place
        .options
        .agents
        .insert("missing".to_owned(), command(&["no-such-program"]));
    let silent = outcome(&place, "silent", &json!({}));
    assert_eq!((silent.status, silent.output), (TaskStatus::Success, None));
    for (agent, class, words) in [
        ("invalid", Class::Error, "the output is not JSON"),
        ("large", Class::Permanent, "larger than 4096 bytes"),
        ("code", Class::Error, "exited with code 3: the reason"),
        ("again", Class::Transient, "exited with code 75"),
        ("said", Class::Validation, "no rows"),
        ("killed", Class::Error, "killed by signal 9"),
        ("missing", Class::Permanent, "'no-such-program'"),
        ("unknown", Class::Permanent, "agent 'unknown' is not configured"),
    ] {
        let node = outcome(&place, agent, &json!({}));
        let (found, message) = failure(&node);
        assert_eq!(found, class, "{agent}: {message}");
        assert!(message.contains(words), "{agent}: {message}");
    }
}

#[test]
fn an_agent_that_prints_a_gigabyte_leaves_a_small_log() {
    let place = Place::new(&[(
        "chatty",
        "echo begin; head -c 1000000000 /dev/zero; echo; echo end",
    )]);
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let run = submit(
        &orchestrator,
        &json!([{"id": "t", "agent": "chatty", "action": "work"}]),
    );
    let last = wait_for(&mut changes, |change| change.run == run && change.has_ended);
    assert_eq!(last.status, RunStatus::Success);
    let log = block_on(orchestrator.reader().log(run, "t", None)).unwrap();
    assert!(log.bytes.len() < (4 << 20) + 100, "{}", log.bytes.len());
    assert!(log.bytes.starts_with(b"begin\n") && log.bytes.ends_with(b"end\n"));
}

#[test]
fn cancelling_ends_everything_an_attempt_started() {
    let script = r#"
        trap '' TERM
        sleep 1000 & echo $! > grandchild
        setsid sleep 1000 & echo $! > escaped
        echo $$ > leader.new && mv leader.new leader
        while true; do sleep 1000; done"#;
    let place = Place::new(&[("stubborn", script)]);
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let run = submit(
        &orchestrator,
        &json!([{"id": "t", "agent": "stubborn", "action": "work"}]),
    );
    // The second append tells that it has started; by then it may not have written its files.
    wait_for(&mut changes, |change| change.run == run && change.seq == 2);
    while !place.path().join("leader").exists() {
        std::thread::yield_now();
    }
    let cancel = Command::Cancel {
        by: "tester".to_owned(),
        reason: "enough".to_owned(),
    };
    block_on(orchestrator.operate(run, cancel)).unwrap();
    for file in ["leader", "grandchild", "escaped"] {
        let pid = fs::read_to_string(place.path().join(file)).unwrap();
        assert!(!is_alive(&pid), "{file} {pid} is alive");
    }
    orchestrator.stop();
    assert_eq!(place.read(run).status, RunStatus::Cancelled);
}

#[test]
fn a_grandchild_that_keeps_the_pipe_does_not_keep_the_task() {
    let place = Place::new(&[("leaver", "sleep 1000 & echo $! > grandchild; exit 0")]);
    let node = outcome(&place, "leaver", &json!({}));
    assert_eq!(node.status, TaskStatus::Success);
    let pid = fs::read_to_string(place.path().join("grandchild")).unwrap();
    assert!(!is_alive(&pid));
}

#[test]
fn an_attempt_lost_in_a_restart_is_made_again() {
    let script = r#"
        if [ -e "$ORCHESTRATOR_CHECKPOINT_DIR/half" ]; then echo '"resumed"' > "$ORCHESTRATOR_OUTPUT"; exit 0; fi
        touch "$ORCHESTRATOR_CHECKPOINT_DIR/half"
        sleep 1000"#;
    let place = Place::new(&[("slow", script)]);
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let task = json!([{"id": "t", "agent": "slow", "action": "work", "retry": {"max_retries": 1, "backoff_base_s": 0.0}}]);
    let run = submit(&orchestrator, &task);
    wait_for(&mut changes, |change| change.run == run && change.seq == 2);
    drop(orchestrator);
    assert_eq!(place.read(run).status, RunStatus::Running);
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    let recovered = orchestrator.recovered();
    assert_eq!((recovered.runs.as_slice(), recovered.set_aside), (&[run][..], 0));
    let is_over = |run| block_on(orchestrator.look(run, |_, _| ())).unwrap().is_none();
    if !is_over(run) {
        wait_for(&mut changes, |change| change.run == run && change.has_ended);
    }
    let state = place.read(run);
    let node = state.node(state.find("t").unwrap());
    assert_eq!((state.status, node.attempt), (RunStatus::Success, 2));
    assert_eq!(node.output.as_deref(), Some(&json!("resumed")));
}

#[test]
fn a_run_goes_on_with_the_agents_it_began_with_or_with_others_where_that_is_asked_for() {
    let mut place = Place::new(&[]);
    let slow_is = |place: &mut Place, builtin| {
        let agent = Agent::new(AgentKind::Builtin(builtin));
        place.options.agents.insert("slow".to_owned(), agent);
    };
    let recovered = |place: &Place| {
        let orchestrator = place.start();
        // An answer shows that it has begun to work on what it found.
        block_on(orchestrator.stats()).unwrap();
        orchestrator.recovered().clone()
    };
    slow_is(&mut place, Builtin::Sleep);
    let task = json!([{"id": "t", "agent": "slow", "action": "work", "params": {"seconds": 1000}}]);
    let orchestrator = place.start();
    let run = submit(&orchestrator, &task);
    drop(orchestrator);
    place.options.takes_up = TakesUp::SameAgents;
    let same = recovered(&place);
    assert_eq!((same.runs, same.other_agents), (vec![run], vec![]));

    slow_is(&mut place, Builtin::Noop);
    let left = recovered(&place);
    assert_eq!((left.runs, left.other_agents, left.lost), (vec![], vec![run], 0));
    place.options.takes_up = TakesUp::KnownAgents;
    let taken = recovered(&place);
    assert_eq!((taken.runs, taken.other_agents), (vec![run], vec![run]));
}

#[test]
fn a_run_that_cannot_be_read_is_set_aside_and_the_others_go_on() {
    let place = Place::new(&[]);
    let orchestrator = place.start();
    let sleep = json!([{"id": "t", "agent": "sleep", "action": "work", "params": {"seconds": 1000}}]);
    let (bad, good) = (submit(&orchestrator, &sleep), submit(&orchestrator, &sleep));
    drop(orchestrator);
    let database = rusqlite::Connection::open(place.path().join("data/orchestrator.db")).unwrap();
    let damage = "UPDATE journal SET record = x'00' WHERE run = (SELECT no FROM runs WHERE id = ?1)";
    database.execute(damage, [bad.to_bytes()]).unwrap();
    drop(database);
    let orchestrator = place.start();
    let recovered = orchestrator.recovered();
    assert_eq!((recovered.set_aside, recovered.lost), (1, 1));
    assert_eq!(recovered.runs, [good]);
    let pause = || Command::Pause {
        by: "tester".to_owned(),
    };
    block_on(orchestrator.operate(good, pause())).unwrap();
    let refused = block_on(orchestrator.operate(bad, pause())).unwrap_err();
    assert!(
        refused.to_string().contains("is corrupt at append 1"),
        "{refused}"
    );
}

#[test]
fn without_dispatching_commands_are_carried_out_and_work_waits_for_the_next_owner() {
    let mut place = Place::new(&[]);
    place.options.dispatches = false;
    let orchestrator = place.start();
    let run = submit(
        &orchestrator,
        &json!([{"id": "t", "agent": "noop", "action": "work"}]),
    );
    drop(orchestrator);
    assert_eq!(place.read(run).status, RunStatus::Running);
    place.options.dispatches = true;
    let orchestrator = place.start();
    let mut changes = orchestrator.subscribe();
    if block_on(orchestrator.look(run, |_, _| ())).unwrap().is_some() {
        wait_for(&mut changes, |change| change.run == run && change.has_ended);
    }
    assert_eq!(place.read(run).status, RunStatus::Success);
}

#[test]
fn a_data_directory_has_one_owner() {
    let place = Place::new(&[]);
    let _orchestrator = place.start();
    let second = Orchestrator::start(place.options.clone());
    assert!(matches!(second, Err(StartError::DataDir(_))), "{second:?}");
}
