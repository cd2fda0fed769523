//! `sla`: what is late, what may become late, and how long tasks take.

use orchestrator_engine::views::{AgentView, AtRiskView, DeadlineView, LateView, SlaView, StallView};

use crate::args::{Global, SlaArgs};
use crate::client::Client;
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, Page, text};

/// Shows the board.
pub fn run(global: &Global, args: &SlaArgs, output: &Output) -> Result<Exit, Failure> {
    let board: SlaView = Client::connect(global)?.get(&format!("/sla?limit={}", args.limit))?;
    output.answer(&board, show);
    Ok(Exit::Success)
}

fn show(board: &SlaView, page: &mut Page) {
    page.line(format!("late now: {}", board.active_total));
    if !board.active.is_empty() {
        page.table(&late_table(&board.active));
    }
    if !board.at_risk.is_empty() {
        page.gap();
        page.line("may become late:");
        page.table(&risk_table(&board.at_risk));
    }
    if !board.stalled.is_empty() {
        page.gap();
        page.line("runs that do not move:");
        page.table(&stall_table(&board.stalled));
    }
    if !board.recent.is_empty() {
        page.gap();
        page.line("recently:");
        page.table(&late_table(&board.recent));
    }
    if !board.agents.is_empty() {
        page.gap();
        page.table(&agent_table(&board.agents));
    }
    if let Some(note) = &board.note {
        page.gap();
        page.line(format!("note: {note}"));
    }
}

fn late_table(rows: &[LateView]) -> Table {
    let mut table = Table::new(&[
        "SEVERITY", "WHAT", "RUN", "TASK", "LIMIT", "LATE", "SINCE", "RESOLVED", "DONE",
    ]);
    for LateView {
        alert,
        severity,
        late_ms,
        resolved_at,
    } in rows
    {
        table.row(vec![
            severity
                .map_or("warning", |severity| severity.as_str())
                .to_owned(),
            alert.deadline_kind.as_str().to_owned(),
            alert.run_id.to_string(),
            alert.task.clone().unwrap_or_else(|| "-".to_owned()),
            text::maybe_duration(alert.limit_ms),
            text::maybe_duration(*late_ms),
            text::maybe_time(alert.deadline),
            text::maybe_time(*resolved_at),
            alert.done.map_or("", |done| done.as_str()).to_owned(),
        ]);
    }
    table
}

fn risk_table(rows: &[AtRiskView]) -> Table {
    let mut table = Table::new(&[
        "RUN", "TASK", "AGENT", "ACTION", "RUNS FOR", "USUALLY", "DEADLINE",
    ]);
    for row in rows {
        table.row(vec![
            row.run_id.to_string(),
            row.task.clone(),
            row.agent.clone(),
            row.action.clone(),
            text::duration(row.running_ms),
            text::duration(row.usual_ms),
            text::time(row.deadline),
        ]);
    }
    table
}

fn stall_table(rows: &[StallView]) -> Table {
    let mut table = Table::new(&["RUN", "WORKFLOW", "TASK", "TASKS", "SINCE", "WHY"]);
    for row in rows {
        table.row(vec![
            row.run_id.to_string(),
            row.workflow.clone(),
            row.task.clone(),
            row.tasks.to_string(),
            text::time(row.since),
            row.text.clone(),
        ]);
    }
    table
}

fn agent_table(rows: &[AgentView]) -> Table {
    let mut table = Table::new(&[
        "AGENT",
        "ACTION",
        "ATTEMPTS",
        "IN TIME",
        "QUEUE P50",
        "P95",
        "P99",
        "RUN P50",
        "P95",
        "P99",
    ]);
    for row in rows {
        let times = [row.queue, row.run].map(|times| [times.p50_ms, times.p95_ms, times.p99_ms]);
        let mut cells = vec![
            row.agent.clone(),
            row.action.clone(),
            row.attempts.to_string(),
            format!("{} %", row.within_percent),
        ];
        cells.extend(times.into_iter().flatten().map(text::duration));
        table.row(cells);
    }
    table
}

/// Deadlines in force, one line each.
pub fn deadline_table(deadlines: &[DeadlineView]) -> Table {
    let mut table = Table::new(&["DEADLINE", "LIMIT", "AT", "THEN", "LATE", "SEVERITY"]);
    for deadline in deadlines {
        table.row(vec![
            deadline.kind.as_str().to_owned(),
            text::duration(deadline.limit_ms),
            text::time(deadline.deadline),
            deadline.on_breach.as_str().to_owned(),
            text::maybe_duration(deadline.late_ms),
            deadline
                .severity
                .map_or("", |severity| severity.as_str())
                .to_owned(),
        ]);
    }
    table
}
