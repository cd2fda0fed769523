//! `events`: what happened in a run.

use orchestrator_engine::views::{EventPage, EventView};

use crate::args::{EventsArgs, Global};
use crate::client::{Client, run_path};
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, text};

/// Shows the events.
pub fn run(global: &Global, args: &EventsArgs, output: &Output) -> Result<Exit, Failure> {
    let client = Client::connect(global)?;
    let run = client.run_id(&args.run)?;
    let path = run_path(&run, "/events");
    match &client {
        Client::Remote(remote) if args.follow => {
            let mut events = remote.events(&path, args.after)?;
            while let Some(event) = events.next()? {
                output.line(&event, line);
            }
        }
        _ => {
            let page = all(&client, &path, args.after)?;
            if args.follow && !page.status.is_terminal() {
                output.note(
                    "note: no process works on this data directory, so nothing follows (orchestrator serve)",
                );
            }
            output.answer(&page, |page, out| {
                let mut table = Table::new(&["SEQ", "AT", "EVENT", "TASK", "STATUS", "WHAT"]);
                for event in &page.events {
                    table.row(cells(event));
                }
                out.table(&table);
            });
        }
    }
    Ok(Exit::Success)
}

/// Every page, as one.
fn all(client: &Client, path: &str, after: u64) -> Result<EventPage, Failure> {
    let mut page: EventPage = client.get(&format!("{path}?after={after}&limit=10000"))?;
    while page.has_more {
        let next: EventPage = client.get(&format!("{path}?after={}&limit=10000", page.next_after))?;
        let events = std::mem::take(&mut page.events);
        page = EventPage {
            events: events.into_iter().chain(next.events).collect(),
            ..next
        };
    }
    Ok(page)
}

fn cells(event: &EventView) -> Vec<String> {
    vec![
        event.seq.to_string(),
        text::time(event.at),
        event.kind.clone(),
        event.task.clone().unwrap_or_default(),
        event.status.clone(),
        event.text.clone(),
    ]
}

fn line(event: &EventView) -> String {
    let task = event.task.as_deref().unwrap_or("-");
    let what = text::one_line(&event.text);
    format!("{}  {:<20}  {task}  {what}", text::time(event.at), event.kind)
}
