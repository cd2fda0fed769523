//! The language of these tests.

use std::sync::Arc;

use serde_json::{Value, json};

use super::given::{SUCCESS, allowed, failure};
use crate::ids::{AttemptKey, NodeIx, RunId};
use crate::policy::Choice;
use crate::pool::LeaseAnswer;
use crate::run::rollback::{self, Plan, Request, Target};
use crate::run::{
    self, Answer, Command, Effect, Event, FailureClass, Outcome, Rejection, Report, ReportKind, RunState,
    RunStatus, Submission, TaskStatus, invariants,
};
use crate::sla::SlaSpec;
use crate::time::Timestamp;
use crate::workflow::definition::Header;
use crate::workflow::{Task, Workflow};

/// A run under test, with its journal.
pub struct Script {
    pub state: RunState,
    pub now: Timestamp,
    pub journal: Vec<(Timestamp, Event)>,
    last: Outcome,
}

impl Script {
    /// A submitted and admitted run of the tasks.
    pub fn of(tasks: Vec<Task>) -> Script {
        Script::submitted(tasks, json!({}), false)
    }

    pub fn submitted(tasks: Vec<Task>, inputs: Value, needs_admission: bool) -> Script {
        Script::with_deadlines(tasks, inputs, needs_admission, SlaSpec::default())
    }

    /// With deadlines where the tasks say nothing.
    pub fn with_deadlines(tasks: Vec<Task>, inputs: Value, needs_admission: bool, sla: SlaSpec) -> Script {
        let workflow = Arc::new(Workflow::assemble(
            Header {
                name: "tested".to_owned(),
                ..Header::default()
            },
            tasks,
        ));
        let submission = Submission {
            run: RunId::from_parts(1, 1),
            definition: [0; 32],
            client_id: "tester".to_owned(),
            inputs: Arc::new(inputs),
            metadata: Arc::new(json!({})),
            priority: None,
            trace: Default::default(),
            needs_admission,
            is_fresh: false,
            sla,
        };
        let now = Timestamp(1_000);
        let (state, outcome) = run::submit(workflow, Arc::new(submission), now);
        let mut script = Script {
            state,
            now,
            journal: Vec::new(),
            last: Outcome::default(),
        };
        script.keep(outcome);
        script
    }

    pub fn node(&self, name: &str) -> NodeIx {
        self.state
            .find(name)
            .unwrap_or_else(|| panic!("no task '{name}'"))
    }

    pub fn key(&self, name: &str) -> AttemptKey {
        self.state.attempt_of(self.node(name))
    }

    pub fn status(&self, name: &str) -> TaskStatus {
        self.state.node(self.node(name)).status
    }

    /// `a SUCCESS, b PENDING`, in node order.
    pub fn statuses(&self) -> String {
        let show = |index: usize| {
            let node = NodeIx::new(index);
            let entry = self.state.node(node);
            (!entry.retired).then(|| format!("{} {}", self.state.name_of(node), entry.status))
        };
        (0..self.state.nodes().len())
            .filter_map(show)
            .collect::<Vec<_>>()
            .join(", ")
    }

    /// Carries out a command that must be accepted.
    #[track_caller]
    pub fn run(&mut self, command: Command) -> &mut Script {
        if let Err(rejection) = self.attempt(command.clone()) {
            panic!("{command:?} was refused: {rejection}");
        }
        self
    }

    #[track_caller]
    pub fn refused(&mut self, command: Command) -> Rejection {
        match self.attempt(command.clone()) {
            Ok(()) => panic!("{command:?} was accepted: {:?}", self.events()),
            Err(rejection) => rejection,
        }
    }

    #[track_caller]
    pub fn attempt(&mut self, command: Command) -> Result<(), Rejection> {
        let before = format!("{:?}", self.state);
        match run::decide(&mut self.state, command, self.now) {
            Ok(outcome) => self.keep(outcome),
            Err(rejection) => {
                assert_eq!(
                    before,
                    format!("{:?}", self.state),
                    "a refused command must change nothing"
                );
                return Err(rejection);
            }
        }
        Ok(())
    }

    #[track_caller]
    fn keep(&mut self, outcome: Outcome) {
        self.journal
            .extend(outcome.events.iter().cloned().map(|event| (self.now, event)));
        self.last = outcome;
        invariants::check(&self.state).expect("the invariants hold");
        invariants::check_replay(&self.state, &self.replayed()).expect("the journal gives the same state");
    }

    fn replayed(&self) -> RunState {
        let workflow = Arc::clone(&self.state.workflow);
        let mut state = RunState::submitted(workflow, Arc::clone(&self.state.submission), self.journal[0].0);
        self.journal
            .iter()
            .for_each(|(at, event)| state.evolve(event, *at));
        state
    }

    // What the last command led to.

    pub fn events(&self) -> Vec<String> {
        self.last.events.iter().map(|event| self.brief(event)).collect()
    }

    /// As in `dispatch a 1.1` (epoch 1, attempt 1).
    pub fn effects(&self) -> Vec<String> {
        let key = |key: &AttemptKey| match key.is_admission() {
            true => "the run's place".to_owned(),
            false => format!("{} {}.{}", self.state.name_of(key.node), key.epoch, key.attempt),
        };
        let show = |effect: &Effect| match effect {
            Effect::Admit => "admit".to_owned(),
            Effect::Decide => "decide".to_owned(),
            Effect::Dispatch(attempt) => format!("dispatch {}", key(attempt)),
            Effect::Stop(attempt) => format!("stop {}", key(attempt)),
            Effect::Release(attempt) => format!("release {}", key(attempt)),
            Effect::Keep(attempt) => format!("keep {}", key(attempt)),
            Effect::Forget(result) => format!("forget {}", result.0[0]),
        };
        self.last.effects.iter().map(show).collect()
    }

    fn brief(&self, event: &Event) -> String {
        let debug = format!("{event:?}");
        let kind = debug.split([' ', '(', '{']).next().unwrap_or_default();
        match event.node() {
            Some(node) => format!("{kind} {}", self.state.name_of(node)),
            None => kind.to_owned(),
        }
    }

    #[track_caller]
    pub fn expect(&mut self, events: &[&str], effects: &[&str]) -> &mut Script {
        assert_eq!(self.events(), events, "events");
        assert_eq!(self.effects(), effects, "effects");
        self
    }

    #[track_caller]
    pub fn expect_statuses(&mut self, statuses: &str) -> &mut Script {
        assert_eq!(self.statuses(), statuses);
        self
    }

    #[track_caller]
    pub fn expect_run(&mut self, status: RunStatus) -> &mut Script {
        assert_eq!(self.state.status, status);
        self
    }

    // Steps of histories.

    #[track_caller]
    pub fn answer(&mut self, name: &str, choice: Choice, lease: Option<LeaseAnswer>) -> &mut Script {
        let command = self.answer_of(name, choice, lease);
        self.run(command)
    }

    pub fn answer_of(&self, name: &str, choice: Choice, lease: Option<LeaseAnswer>) -> Command {
        let node = self.node(name);
        let epoch = self.state.node(node).epoch;
        Command::Answer(vec![Answer {
            node,
            epoch,
            choice: Arc::new(choice),
            lease,
            usage: Vec::new(),
            lookup: None,
            output: None,
        }])
    }

    #[track_caller]
    pub fn queue(&mut self, name: &str) -> &mut Script {
        self.answer(name, allowed(), None)
    }

    #[track_caller]
    pub fn start(&mut self, name: &str) -> &mut Script {
        self.queue(name).report(name, ReportKind::Started)
    }

    /// Queues the task and reports its success.
    #[track_caller]
    pub fn succeed(&mut self, name: &str) -> &mut Script {
        self.queue(name).report(name, SUCCESS)
    }

    #[track_caller]
    pub fn succeed_with(&mut self, name: &str, output: Value) -> &mut Script {
        let kind = ReportKind::Success {
            started_at: None,
            output: Some(Arc::new(output)),
        };
        self.queue(name).report(name, kind)
    }

    /// Queues the task and lets it fail for good.
    #[track_caller]
    pub fn fail(&mut self, name: &str) -> &mut Script {
        self.queue(name)
            .report(name, ReportKind::Failure(failure(FailureClass::Permanent)))
    }

    #[track_caller]
    pub fn report(&mut self, name: &str, kind: ReportKind) -> &mut Script {
        let key = self.key(name);
        self.report_of(key, kind)
    }

    #[track_caller]
    pub fn report_of(&mut self, key: AttemptKey, kind: ReportKind) -> &mut Script {
        let AttemptKey {
            node, epoch, attempt, ..
        } = key;
        self.run(Command::Report(Report {
            node,
            epoch,
            attempt,
            kind,
        }))
    }

    #[track_caller]
    pub fn tick_after(&mut self, millis: u64) -> &mut Script {
        self.now = self.now + millis;
        self.run(Command::Tick)
    }

    #[track_caller]
    pub fn cancel(&mut self) -> &mut Script {
        self.run(Command::Cancel {
            by: "me".to_owned(),
            reason: "enough".to_owned(),
        })
    }

    #[track_caller]
    pub fn pause(&mut self) -> &mut Script {
        self.run(Command::Pause { by: "me".to_owned() })
    }

    #[track_caller]
    pub fn resume(&mut self) -> &mut Script {
        self.run(Command::Resume { by: "me".to_owned() })
    }

    #[track_caller]
    pub fn retry(&mut self) -> &mut Script {
        self.run(Command::Retry { by: "me".to_owned() })
    }

    #[track_caller]
    pub fn rerun(&mut self, name: &str) -> &mut Script {
        let command = self.rerun_of(name);
        self.run(command)
    }

    pub fn rerun_of(&self, name: &str) -> Command {
        Command::Rerun {
            node: self.node(name),
            by: "me".to_owned(),
        }
    }

    /// `1 step`, `to a`, `tasks a b`, each with `, fresh` if wanted.
    pub fn request(&self, text: &str) -> Request {
        let (text, fresh) = match text.strip_suffix(", fresh") {
            Some(text) => (text, true),
            None => (text, false),
        };
        let nodes = |names: &str| names.split(' ').map(|name| self.node(name)).collect();
        let target = match text.split_once(' ').expect("two words at least") {
            ("to", task) => Target::ToTask(self.node(task)),
            ("tasks", names) => Target::Tasks(nodes(names)),
            (steps, _) => Target::Steps(steps.parse().expect("a number of steps")),
        };
        Request { target, fresh }
    }

    #[track_caller]
    pub fn plan(&self, request: &str) -> Plan {
        rollback::plan(&self.state, &self.request(request)).expect("a plan")
    }

    pub fn rollback_of(&self, request: &str) -> Command {
        Command::Rollback {
            request: self.request(request),
            token: None,
            by: "me".to_owned(),
            reason: "it was wrong".to_owned(),
        }
    }

    #[track_caller]
    pub fn roll_back(&mut self, request: &str) -> &mut Script {
        let command = self.rollback_of(request);
        self.run(command)
    }

    pub fn approve_of(&self, name: &str) -> Command {
        Command::Approve {
            node: self.node(name),
            by: "me".to_owned(),
        }
    }

    pub fn reject_of(&self, name: &str) -> Command {
        Command::Reject {
            node: self.node(name),
            by: "me".to_owned(),
            reason: "no".to_owned(),
        }
    }
}
