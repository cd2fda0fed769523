//! Following a run to its end: events in, lines or moving bars out.

pub mod board;
pub mod live;

use std::time::Duration;

use orchestrator_engine::views::EventView;
use tokio::sync::mpsc;

use crate::exit::Failure;
use crate::host::told_to_stop;
use crate::output::{Output, text};
use board::Board;
use live::Live;

/// Events of a run as they come; it closes when the run has ended.
pub type Events = mpsc::Receiver<Result<EventView, Failure>>;

/// How following ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Ended {
    /// The run ended.
    RunEnded,
    /// Ctrl-C or SIGTERM.
    Interrupted,
}

const REDRAW_EVERY: Duration = Duration::from_millis(100);

/// Shows what happens until the run ends or Ctrl-C. Output goes to standard error, so that results on standard output can
/// be used by programs.
pub async fn follow(
    mut events: Events,
    board: Board,
    output: &Output,
    quiet: bool,
) -> Result<Ended, Failure> {
    let mut shown = match (quiet, output.is_live) {
        (true, _) => Shown::Nothing,
        (false, true) => Shown::Live(Live::new(board)),
        (false, false) => Shown::Lines(board),
    };
    let mut redraw = tokio::time::interval(REDRAW_EVERY);
    let mut stop = std::pin::pin!(told_to_stop());
    let ended = loop {
        tokio::select! {
            event = events.recv() => match event {
                Some(Ok(event)) => shown.see(&event, output),
                Some(Err(failure)) => {
                    shown.close();
                    return Err(failure);
                }
                None => break Ended::RunEnded,
            },
            _ = redraw.tick() => shown.redraw(),
            () = &mut stop => break Ended::Interrupted,
        }
    };
    shown.close();
    Ok(ended)
}

enum Shown {
    Nothing,
    Lines(Board),
    Live(Live),
}

impl Shown {
    fn see(&mut self, event: &EventView, output: &Output) {
        match self {
            Shown::Nothing => {}
            Shown::Lines(board) => {
                board.see(event);
                if let Some(line) = line(event, board) {
                    output.note(&line);
                }
            }
            Shown::Live(live) => live.see(event),
        }
    }

    fn redraw(&mut self) {
        if let Shown::Live(live) = self {
            live.draw();
        }
    }

    fn close(&mut self) {
        if let Shown::Live(live) = self {
            live.clear();
        }
    }
}

/// The line for an event; none for what only matters to machines.
fn line(event: &EventView, board: &Board) -> Option<String> {
    let what = match event.kind.as_str() {
        "CHOICE_MADE" | "TASK_READY" | "TASK_PROGRESSED" | "TASK_CHECKPOINTED" | "RUN_ADMITTED"
        | "TASK_QUEUED" => return None,
        "TASK_SUCCEEDED" | "GROUP_SUCCEEDED" => board.time_of(event).map(text::duration).unwrap_or_default(),
        "TASK_STARTED" => board.class_of(event).unwrap_or_default(),
        _ => event.text.clone(),
    };
    let clock = text::time(event.at);
    let clock = clock.get(11..19).unwrap_or(&clock).to_owned();
    let name = event.task.as_deref().unwrap_or("run");
    let name = text::one_line(name);
    let status = match event.kind.as_str() {
        "RUN_SUBMITTED" => "SUBMITTED",
        "ATTEMPT_FAILED" => "RETRY_WAIT",
        _ => event.status.as_str(),
    };
    let line = format!(
        "{clock}  {name:width$}  {status:<10}  {}",
        text::one_line(&what),
        width = board.name_width()
    );
    Some(line.trim_end().to_owned())
}
