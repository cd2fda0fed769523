//! `trace`: where the time of a run went, from its journal alone.

use orchestrator_core::run::TaskStatus;
use orchestrator_engine::views::{TaskTraceView, TraceView};

use crate::args::Global;
use crate::client::{Client, run_path};
use crate::exit::{Exit, Failure};
use crate::output::timeline::{Drawing, Marks};
use crate::output::{Output, Page, text};

/// What to draw, and how.
#[derive(Debug, clap::Args)]
pub struct TraceArgs {
    /// The run.
    #[arg(value_name = "RUN")]
    pub run: String,
    /// Tasks to draw: those that matter most; 0 draws all.
    #[arg(short, long, value_name = "N", default_value_t = 40)]
    pub tasks: usize,
    /// The items of for_each tasks too.
    #[arg(long)]
    pub items: bool,
    /// Draw with ASCII characters.
    #[arg(long)]
    pub ascii: bool,
    /// Columns to use; default: those of the terminal.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(60..=1000))]
    pub width: Option<u16>,
}

/// Tasks whose time is looked at; those of a larger run are counted.
const TASKS_MAX: usize = TraceView::TASKS_MAX;

/// Draws the timeline.
pub fn run(global: &Global, args: &TraceArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let items = if args.items { "&items=true" } else { "" };
    let path = run_path(&run, &format!("/trace?limit={TASKS_MAX}{items}"));
    let trace: TraceView = client.get(&path)?;
    let marks = match args.ascii {
        true => &Marks::ASCII,
        false => &Marks::UNICODE,
    };
    let width = args.width.or(output.width).unwrap_or(WIDTH_DEFAULT);
    output.answer(&trace, |trace, page| {
        show(trace, marks, usize::from(width), args.tasks, page);
    });
    Ok(Exit::Success)
}

/// Columns, where there is no terminal.
const WIDTH_DEFAULT: u16 = 100;
/// Names of tasks are cut behind so many characters.
const NAME_MAX: usize = 32;
/// Columns of the bars at least.
const BARS_MIN: usize = 20;
/// Columns for what stands behind the bars.
const NOTES: usize = 28;

fn show(trace: &TraceView, marks: &Marks, width: usize, shown_max: usize, page: &mut Page) {
    page.line(format!(
        "{} {} {} in {}",
        trace.run_id,
        trace.workflow,
        trace.status,
        text::duration(trace.duration_ms)
    ));
    page.line(format!("trace {}", trace.trace_id));
    page.gap();
    let shown = chosen(&trace.tasks, shown_max);
    let names = shown.iter().map(|task| text::width(&task.id)).max().unwrap_or(0);
    let names = names.clamp(4, NAME_MAX);
    let bars = width.saturating_sub(names + NOTES + 6).max(BARS_MIN);
    let drawing = Drawing {
        marks,
        from: trace.submitted_at,
        millis: trace.duration_ms,
        cells: bars,
    };
    page.line(format!("{:names$}   {}", "TASK", drawing.scale()));
    for task in &shown {
        let name: String = task.id.chars().take(names).collect();
        let mark = if task.is_critical { marks.critical } else { ' ' };
        let bar = drawing.bar(task);
        page.line(format!(
            "{name:names$} {mark} {}{bar}{}  {}",
            marks.edge,
            marks.edge,
            notes(task)
        ));
    }
    if let Some(line) = left_out(trace, &shown) {
        page.line(line);
    }
    page.gap();
    page.line(marks.legend());
    if !trace.critical_path.is_empty() {
        page.line(critical(trace, marks, width));
    }
    for wait in &trace.waits {
        let millis = wait.end.millis_since(wait.start);
        page.line(format!("the run: {} {}", wait.phase, text::duration(millis)));
    }
}

/// The tasks that matter most, in the order in which they began: those of the critical path, those that went wrong, then
/// those that took longest.
fn chosen(tasks: &[TaskTraceView], shown_max: usize) -> Vec<&TaskTraceView> {
    let mut order: Vec<usize> = (0..tasks.len()).collect();
    if shown_max > 0 && tasks.len() > shown_max {
        let rank = |index: &usize| {
            let task = &tasks[*index];
            let is_bad = matches!(task.status, TaskStatus::Failed | TaskStatus::Cancelled);
            let took = task.end.millis_since(task.start);
            std::cmp::Reverse((task.is_critical, is_bad, task.attempts > 1, took))
        };
        order.sort_by_key(rank);
        order.truncate(shown_max);
        order.sort_unstable();
    }
    order.into_iter().map(|index| &tasks[index]).collect()
}

fn notes(task: &TaskTraceView) -> String {
    let mut notes = vec![text::duration(task.end.millis_since(task.start))];
    if task.status != TaskStatus::Success {
        notes.push(task.status.to_string());
    }
    if task.is_cached {
        notes.push("cached".to_owned());
    }
    if task.attempts > 1 {
        notes.push(format!("{} attempts", task.attempts));
    }
    let held = task.phases.iter().filter(|phase| phase.phase == "held");
    if let Some(longest) = held.max_by_key(|phase| phase.end.millis_since(phase.start)) {
        notes.push(format!("held: {}", longest.reason.as_deref().unwrap_or_default()));
    }
    notes.join(", ")
}

fn left_out(trace: &TraceView, shown: &[&TaskTraceView]) -> Option<String> {
    let hidden = (trace.tasks_total as usize).saturating_sub(shown.len());
    (hidden > 0).then(|| {
        let states: Vec<String> = trace
            .counts
            .iter()
            .map(|(state, count)| format!("{count} {state}"))
            .collect();
        format!(
            "... and {} more (--tasks 0 shows all); altogether {}",
            text::count(hidden, "task"),
            states.join(", ")
        )
    })
}

/// The critical path and its time, the path cut in the middle where it is long.
fn critical(trace: &TraceView, marks: &Marks, width: usize) -> String {
    let path = &trace.critical_path;
    let arrow = format!(" {} ", marks.arrow);
    let whole = path.join(&arrow);
    let path = if text::width(&whole) + 16 <= 2 * width {
        whole
    } else {
        const ENDS: usize = 3;
        let (first, last) = (
            &path[..ENDS.min(path.len())],
            &path[path.len().saturating_sub(ENDS)..],
        );
        let between = path.len().saturating_sub(2 * ENDS);
        format!(
            "{}{arrow}({between} more){arrow}{}",
            first.join(&arrow),
            last.join(&arrow)
        )
    };
    let mut spent: Vec<(&String, &u64)> = trace.critical_ms.iter().collect();
    spent.sort_by_key(|(_, millis)| std::cmp::Reverse(**millis));
    let spent: Vec<String> = spent
        .into_iter()
        .map(|(phase, millis)| {
            let percent = millis * 100 / trace.duration_ms.max(1);
            format!("{phase} {} ({percent} %)", text::duration(*millis))
        })
        .collect();
    format!("critical path: {path}\nits time: {}", spent.join(", "))
}
