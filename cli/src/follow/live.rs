//! Moving progress bars on a terminal: a block of lines on standard error that is drawn over again.

use std::io::Write;

use orchestrator_embedded::SystemClock;
use orchestrator_engine::ports::Clock as _;
use orchestrator_engine::views::{At, EventView};

use super::board::{Board, TaskLine};
use crate::output::text;

/// The block of lines.
pub struct Live {
    board: Board,
    lines_drawn: usize,
    turn: usize,
}

const BAR_WIDTH: usize = 24;
/// Most lines of tasks; of larger runs only what is at work is shown.
const LINES_MAX: usize = 16;
const SPINNER: [char; 10] = ['⠋', '⠙', '⠹', '⠸', '⠼', '⠴', '⠦', '⠧', '⠇', '⠏'];

impl Live {
    /// Nothing drawn yet.
    pub fn new(board: Board) -> Live {
        Live {
            board,
            lines_drawn: 0,
            turn: 0,
        }
    }

    /// Takes note of an event.
    pub fn see(&mut self, event: &EventView) {
        self.board.see(event);
    }

    /// Draws the block again.
    pub fn draw(&mut self) {
        self.turn += 1;
        let width = terminal_width();
        let now = At(SystemClock.now());
        let mut lines = vec![self.header(now)];
        lines.extend(self.shown().into_iter().map(|task| self.line(task, now)));
        let hidden = self.board.tasks.len() - (lines.len() - 1);
        if hidden > 0 {
            lines.push(format!("  … and {}", text::count(hidden, "other task")));
        }
        let mut drawing = self.erase();
        for line in &lines {
            drawing.push_str(&clip(line, width));
            drawing.push_str("\x1b[K\n");
        }
        self.lines_drawn = lines.len();
        write(&drawing);
    }

    /// Takes the block away.
    pub fn clear(&mut self) {
        let drawing = format!("{}\x1b[J", self.erase());
        self.lines_drawn = 0;
        write(&drawing);
    }

    fn erase(&self) -> String {
        match self.lines_drawn {
            0 => String::new(),
            lines => format!("\x1b[{lines}A"),
        }
    }

    /// All tasks of a small run; of a larger one those at work first, then what waits, then what ended badly.
    fn shown(&self) -> Vec<&TaskLine> {
        let tasks = &self.board.tasks;
        if tasks.len() <= LINES_MAX {
            return tasks.iter().collect();
        }
        let rank = |task: &TaskLine| match task.status.as_str() {
            "RUNNING" => 0,
            "FAILED" => 1,
            "RETRY_WAIT" => 2,
            "HELD" => 3,
            "QUEUED" => 4,
            _ => 5,
        };
        let mut shown: Vec<&TaskLine> = tasks.iter().filter(|task| rank(task) < 5).collect();
        shown.sort_by_key(|task| rank(task));
        shown.truncate(LINES_MAX);
        shown
    }

    fn header(&self, now: At) -> String {
        let board = &self.board;
        let total = board.workflow_tasks();
        let done = board.ended();
        let percent = if total == 0 {
            100.0
        } else {
            100.0 * done as f64 / total as f64
        };
        let time = text::duration(now.millis_since(board.submitted_at));
        format!(
            "{}  {}  {done}/{total} tasks  {time}",
            bold(&board.workflow),
            bar(percent)
        )
    }

    fn line(&self, task: &TaskLine, now: At) -> String {
        let width = self.board.name_width();
        let sign = match task.status.as_str() {
            "SUCCESS" => "\x1b[32m✓\x1b[0m".to_owned(),
            "FAILED" => "\x1b[31m✗\x1b[0m".to_owned(),
            "SKIPPED" | "CANCELLED" => "\x1b[90m-\x1b[0m".to_owned(),
            "RUNNING" => format!("\x1b[36m{}\x1b[0m", SPINNER[self.turn % SPINNER.len()]),
            "QUEUED" => "\x1b[36m·\x1b[0m".to_owned(),
            "HELD" | "RETRY_WAIT" => "\x1b[33m‖\x1b[0m".to_owned(),
            _ => " ".to_owned(),
        };
        let said = text::one_line(&task.text);
        let rest = match (task.status.as_str(), task.percent) {
            ("RUNNING", Some(percent)) => format!("{} {percent:>3.0} %  {said}", bar(percent)),
            ("RUNNING", None) => {
                let time = task
                    .began_at
                    .map(|began| text::duration(now.millis_since(began)))
                    .unwrap_or_default();
                format!("{}  {time}  {said}", task.class)
            }
            ("SUCCESS", _) => text::maybe_duration(task.time_ms),
            ("PENDING" | "READY" | "QUEUED", _) => String::new(),
            (status, _) => format!("{status}  {said}"),
        };
        format!("{sign} {:width$}  {}", text::one_line(&task.name), rest)
    }
}

fn bar(percent: f64) -> String {
    let filled = ((percent.clamp(0.0, 100.0) / 100.0) * BAR_WIDTH as f64).round() as usize;
    format!(
        "\x1b[36m{}\x1b[90m{}\x1b[0m",
        "━".repeat(filled),
        "━".repeat(BAR_WIDTH - filled)
    )
}

fn bold(text: &str) -> String {
    format!("\x1b[1m{}\x1b[0m", text::one_line(text))
}

/// Cuts a line with colours so that it takes one row of the terminal.
fn clip(line: &str, width: usize) -> String {
    let mut clipped = String::new();
    let mut used = 0;
    let mut letters = line.chars();
    while let Some(letter) = letters.next() {
        if letter == '\x1b' {
            clipped.push(letter);
            for part in letters.by_ref() {
                clipped.push(part);
                if part.is_ascii_alphabetic() {
                    break;
                }
            }
            continue;
        }
        if used + 1 > width {
            clipped.push_str("\x1b[0m");
            break;
        }
        used += 1;
        clipped.push(letter);
    }
    clipped
}

fn terminal_width() -> usize {
    const WIDTH_DEFAULT: usize = 80;
    match rustix::termios::tcgetwinsize(std::io::stderr()) {
        Ok(size) if size.ws_col > 0 => usize::from(size.ws_col),
        _ => WIDTH_DEFAULT,
    }
}

/// What cannot be drawn is no reason to stop the run.
fn write(drawing: &str) {
    let mut stderr = std::io::stderr().lock();
    let _ = stderr.write_all(drawing.as_bytes()).and_then(|()| stderr.flush());
}
