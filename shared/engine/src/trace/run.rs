//! The trace of a run: where it belongs, and its intervals as spans.

use std::borrow::Cow;
use std::ops::Range;
use std::sync::{Arc, OnceLock};

use orchestrator_core::ids::{AttemptKey, RunId};
use orchestrator_core::run::{RunState, SkipReason, Submission};
use orchestrator_core::time::Timestamp;
use orchestrator_core::workflow::{Task, Workflow};

use super::attributes::{of_run, request_type, tell_outcome};
use super::context::{Context, Parent, SpanId, TraceId};
use super::ids;
use super::interval::{Interval, Outcome, Phase, Place, Upstreams};
use super::mark::Mark;
use super::sampler::Sampler;
use super::span::{LINKS_MAX, Name, Span, SpanKind, Value, fixed};
use super::timeline::Timeline;
use super::turn::Worked;
use crate::views::task::hold_name;

/// The trace of a run, whether it is exported or not.
pub fn trace_id_of(submission: &Submission) -> TraceId {
    trace_below(parent_of(submission), submission.run)
}

/// The span a run was submitted under.
fn parent_of(submission: &Submission) -> Option<Context> {
    submission.trace.parent.as_deref().and_then(Context::parse)
}

fn trace_below(parent: Option<Context>, run: RunId) -> TraceId {
    parent.map_or_else(|| ids::trace_of(run), |parent| parent.trace)
}

/// Where a run belongs. Follows from its submission alone.
#[derive(Debug, Clone)]
pub struct RunTrace {
    run: RunId,
    trace: TraceId,
    parent: Option<SpanId>,
    is_sampled: bool,
    submitted_at: Timestamp,
    workflow: Arc<Workflow>,
    // Not the submission: it would have to be taken down by whoever exports, and its memory is that of whoever works on the run.
    client_id: String,
    request_type: &'static str,
    state: Option<String>,
    /// What every span says of the run.
    attributes: OnceLock<Vec<u8>>,
}

/// A turn as a place in the trace of its run. Most turns have nobody to tell it to, and then its id is not made.
#[derive(Debug, Clone, Copy)]
pub struct Turn<'a> {
    trace: &'a RunTrace,
    seq: u64,
}

impl Turn<'_> {
    /// The place.
    pub fn context(self) -> Context {
        self.trace.at(ids::turn(self.trace.run, self.seq))
    }
}

impl RunTrace {
    /// The trace of a run: the one its request was part of, or one of its own.
    pub fn of(state: &RunState, sampler: &Sampler) -> RunTrace {
        let submission = &*state.submission;
        let parent = parent_of(submission);
        let trace = trace_below(parent, submission.run);
        RunTrace {
            run: submission.run,
            trace,
            parent: parent.map(|parent| parent.span),
            is_sampled: sampler.samples(trace, parent.map(|parent| parent.is_sampled)),
            submitted_at: state.submitted_at,
            workflow: Arc::clone(&state.workflow),
            client_id: submission.client_id.clone(),
            request_type: request_type(submission),
            state: submission.trace.state.clone(),
            attributes: OnceLock::new(),
        }
    }

    /// The timeline of the run, from its first event on.
    pub(super) fn timeline(&self) -> Timeline {
        Timeline::new(self.submitted_at, &self.workflow)
    }

    /// Shows the timeline of the run its next mark.
    pub(super) fn see(
        &self,
        timeline: &mut Timeline,
        mark: Mark,
        at: Timestamp,
        ended: &mut dyn FnMut(Interval),
    ) {
        timeline.see(mark, at, &self.workflow, ended);
    }

    fn attributes(&self) -> &[u8] {
        self.attributes
            .get_or_init(|| of_run(self.run, &self.workflow, self.request_type))
    }

    /// Whether its spans are exported.
    pub fn is_sampled(&self) -> bool {
        self.is_sampled
    }

    /// The trace.
    pub fn trace_id(&self) -> TraceId {
        self.trace
    }

    /// The run.
    pub fn run(&self) -> RunId {
        self.run
    }

    /// `tracestate` of the trace.
    pub fn state(&self) -> Option<&str> {
        self.state.as_deref()
    }

    /// A place in the trace.
    pub fn at(&self, span: SpanId) -> Context {
        Context {
            trace: self.trace,
            span,
            is_sampled: self.is_sampled,
        }
    }

    /// The run as a whole, or a later part of it.
    pub fn part(&self, part: u32) -> Context {
        self.at(ids::part(self.run, part))
    }

    /// The turn that makes append `seq`.
    pub fn turn(&self, seq: u64) -> Turn<'_> {
        Turn { trace: self, seq }
    }

    /// An attempt: the parent of whatever its agent does.
    pub fn attempt(&self, key: AttemptKey) -> Parent {
        Parent::Attempt {
            trace: self.trace,
            key,
            is_sampled: self.is_sampled,
        }
    }

    /// The span of the request that started the run, if it follows from the run: it began the trace.
    pub fn request(&self, at: Timestamp) -> Option<Span<'static>> {
        let id = ids::request(self.run);
        let is_ours = self.parent == Some(id) && self.trace == ids::trace_of(self.run);
        is_ours.then(|| Span {
            context: self.at(id),
            parent: None,
            state: None,
            name: "POST /workflows".into(),
            kind: SpanKind::Server,
            start: at,
            end: at,
            shared: Default::default(),
            attributes: vec![
                ("http.request.method", fixed("POST")),
                ("http.route", fixed("/workflows")),
                ("http.response.status_code", Value::Number(201)),
                ("run.id", self.run.to_string().into()),
            ],
            links: Vec::new(),
            error: None,
        })
    }

    /// A span of this trace.
    pub fn span<'a>(
        &'a self,
        span: SpanId,
        parent: Option<SpanId>,
        name: impl Into<Name<'a>>,
        time: Range<Timestamp>,
    ) -> Span<'a> {
        /// Most spans have fewer attributes of their own.
        const ROOM: usize = 8;
        Span {
            context: self.at(span),
            parent,
            state: self.state().map(Cow::Borrowed),
            name: name.into(),
            kind: SpanKind::Internal,
            start: time.start,
            end: time.end,
            shared: [self.attributes().into(), Default::default()],
            attributes: Vec::with_capacity(ROOM),
            links: Vec::new(),
            error: None,
        }
    }

    /// The span of a turn that began at `start`, in a part of the run.
    pub(crate) fn span_of_turn(&self, start: Timestamp, part: u32, turn: &Worked) -> Span<'_> {
        let seq = u64::from(turn.seq);
        let (id, parent) = (ids::turn(self.run, seq), ids::part(self.run, part));
        let end = start.plus_millis(turn.ms.into());
        let mut span = self.span(id, Some(parent), turn.use_case.as_str(), start..end);
        span.attributes.extend([
            ("journal.seq", Value::from(seq)),
            ("journal.events", turn.events.into()),
        ]);
        span
    }

    /// The span of an interval.
    pub fn span_of<'a>(&'a self, interval: &'a Interval) -> Span<'a> {
        match &interval.place {
            Some(place) => self.of_task(interval, place),
            None => self.of_run(interval),
        }
    }

    fn of_run<'a>(&'a self, interval: &'a Interval) -> Span<'a> {
        let part = ids::part(self.run, interval.part);
        let time = || interval.start..interval.end;
        if interval.phase != Phase::Run {
            let id = ids::wait_of_run(self.run, interval.phase.as_str(), interval.part, interval.start);
            return self.span(id, Some(part), interval.phase.as_str(), time());
        }
        let parent = match interval.part {
            0 => self.parent,
            _ => Some(ids::part(self.run, 0)),
        };
        let mut span = self.span(
            part,
            parent,
            Name("run ", self.workflow.name.as_str().into()),
            time(),
        );
        let status = match &interval.outcome {
            Outcome::Success => "SUCCESS",
            Outcome::Cancelled => "CANCELLED",
            Outcome::Open => "RUNNING",
            _ => "FAILED",
        };
        span.attributes.extend([
            ("run.status", fixed(status)),
            ("run.part", interval.part.into()),
            ("run.tasks", self.workflow.tasks.len().into()),
            ("run.client_id", self.client_id.as_str().into()),
        ]);
        if interval.is_late {
            span.attributes.push(("sla.missed", true.into()));
        }
        if status == "FAILED" {
            span.error = Some("a task failed".into());
        }
        span
    }

    fn of_task<'a>(&'a self, interval: &'a Interval, place: &Place) -> Span<'a> {
        let Place {
            node,
            epoch,
            reopened,
            ..
        } = *place;
        let time = || interval.start..interval.end;
        let task = || ids::task(self.run, node, epoch, reopened);
        let attempt = || ids::attempt(place.key(self.run));
        let name = self.task_name(interval, place);
        let wait = |what: &str| ids::wait(self.run, what, node, epoch, place.waits);
        let mut span = match interval.phase {
            Phase::Task => {
                let parent = match place.item {
                    Some((group, _)) => ids::task(self.run, group, place.group.0, place.group.1),
                    None => ids::part(self.run, interval.part),
                };
                self.span(task(), Some(parent), Name("task ", name.into()), time())
            }
            Phase::Attempt => self.span(attempt(), Some(task()), Name("attempt ", name.into()), time()),
            Phase::Queued => self.span(wait("queued"), Some(attempt()), "queued", time()),
            Phase::Held(reason) => {
                let name = Name("held: ", hold_name(reason).into());
                self.span(wait(&name.to_string()), Some(task()), name, time())
            }
            phase => self.span(wait(phase.as_str()), Some(task()), phase.as_str(), time()),
        };
        self.describe(&mut span, interval, place);
        span
    }

    fn describe<'a>(&'a self, span: &mut Span<'a>, interval: &'a Interval, place: &Place) {
        let attributes = &mut span.attributes;
        attributes.extend([
            ("task.id", Value::from(self.full_name(interval, place))),
            ("task.epoch", place.epoch.into()),
        ]);
        let is_attempt = matches!(interval.phase, Phase::Attempt | Phase::Queued);
        if is_attempt {
            attributes.push(("task.attempt", place.attempt.into()));
        }
        if matches!(interval.phase, Phase::Task | Phase::Attempt) {
            if let Some(task) = self.task_of(place) {
                attributes.extend([
                    ("task.agent", task.agent.as_str().into()),
                    ("task.action", task.action.as_str().into()),
                ]);
            }
            tell_outcome(span, interval);
        }
        if interval.phase == Phase::Attempt
            && let Some(started_at) = interval.started_at
        {
            let waited = started_at.millis_since(interval.start);
            let ran = interval.end.millis_since(started_at);
            span.attributes.extend([
                ("task.queued_ms", Value::from(waited)),
                ("task.run_ms", Value::from(ran)),
            ]);
        }
        if interval.is_late {
            span.attributes.push(("sla.missed", true.into()));
        }
        let is_decided = match interval.phase {
            Phase::Attempt | Phase::Held(_) => true,
            Phase::Task => matches!(
                interval.outcome,
                Outcome::Skipped(SkipReason::Denied { .. }) | Outcome::Failed(_) | Outcome::Reused(_)
            ),
            _ => false,
        };
        if let Some(decision) = interval.decision.as_deref().filter(|_| is_decided) {
            span.shared[1] = decision.into();
        }
        let link = |(node, epoch, reopened)| self.at(ids::task(self.run, node, epoch, reopened));
        span.links = match (&interval.upstream, self.task_of(place)) {
            (Upstreams::These(upstream), _) => upstream.iter().copied().map(link).collect(),
            (Upstreams::First, Some(task)) => {
                let upstream = task.depends_on.iter().take(LINKS_MAX);
                upstream.map(|upstream| link((*upstream, 1, 0))).collect()
            }
            _ => Vec::new(),
        };
    }

    /// The task, or the `for_each` task of an item.
    fn task_of(&self, place: &Place) -> Option<&Task> {
        let node = place.item.map_or(place.node, |(group, _)| group);
        self.workflow.tasks.get(node.index())
    }

    /// The name without the item's index: spans of one kind have one name.
    fn task_name<'a>(&'a self, interval: &'a Interval, place: &Place) -> &'a str {
        let of_task = || self.task_of(place).map(|task| task.id.as_str());
        interval.name.as_deref().or_else(of_task).unwrap_or_default()
    }

    fn full_name<'a>(&'a self, interval: &'a Interval, place: &Place) -> Cow<'a, str> {
        let name = self.task_name(interval, place);
        match place.item {
            Some((_, index)) => format!("{name}[{index}]").into(),
            None => name.into(),
        }
    }
}
