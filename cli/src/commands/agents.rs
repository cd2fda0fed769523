//! `agents`: who there is, and what they can do.

use orchestrator_engine::views::{AgentEntry, AgentList};
use orchestrator_translate::catalogue::Action;

use crate::args::{AgentsArgs, Global};
use crate::client::Client;
use crate::config::Config;
use crate::exit::{Exit, Failure};
use crate::output::table::Table;
use crate::output::{Output, Page};

/// Shows the agents, or one of them.
pub fn run(global: &Global, args: &AgentsArgs, output: &Output) -> Result<Exit, Failure> {
    let mut list = match Client::connect(global)? {
        client @ Client::Remote(_) => client.get("/agents")?,
        Client::Local(_) => Config::load(global, None)?.agents(),
    };
    let Some(name) = &args.agent else {
        output.answer(&list, show);
        return Ok(Exit::Success);
    };
    list.agents.retain(|agent| agent.name == *name);
    match list.agents.first() {
        Some(agent) => output.answer(agent, details),
        None => {
            let message = format!("there is no agent '{name}' (see 'orchestrator agents')");
            return Err(Failure::new(Exit::NotFound, message));
        }
    }
    Ok(Exit::Success)
}

fn show(list: &AgentList, page: &mut Page) {
    let mut table = Table::new(&["AGENT", "ACTION", "PARAMETERS", "WHAT IT DOES"]);
    for agent in &list.agents {
        if agent.actions.is_empty() {
            let does = match agent.description.is_empty() {
                true => "(takes any action)".to_owned(),
                false => format!("{} (takes any action)", agent.description),
            };
            table.row(vec![agent.name.clone(), String::new(), String::new(), does]);
        }
        for (name, action) in &agent.actions {
            table.row(vec![
                agent.name.clone(),
                name.clone(),
                params(action),
                does(agent, name, action),
            ]);
        }
    }
    page.table(&table);
}

fn does(agent: &AgentEntry, name: &str, action: &Action) -> String {
    match agent.blocked.iter().any(|blocked| blocked == name) {
        true => format!("{} (blocked by the policy)", action.description),
        false => action.description.clone(),
    }
}

/// Names of the parameters; those that must be given have a `*`.
fn params(action: &Action) -> String {
    let names = action
        .params
        .iter()
        .map(|(name, param)| match param.is_required() {
            true => format!("{name}*"),
            false => name.clone(),
        });
    names.collect::<Vec<_>>().join(" ")
}

fn details(agent: &AgentEntry, page: &mut Page) {
    page.line(format!("{}: {}", agent.name, agent.description));
    for (name, action) in &agent.actions {
        page.gap();
        page.line(format!("{name}: {}", does(agent, name, action)));
        for example in &action.examples {
            page.line(format!("  as in \"{example}\""));
        }
        let mut table = Table::new(&["  PARAMETER", "TYPE", "DEFAULT", "FROM", "WHAT IT IS"]);
        for (name, param) in &action.params {
            let star = if param.is_required() { "*" } else { "" };
            let values: Vec<String> = param.values.iter().map(ToString::to_string).collect();
            let values = if values.is_empty() {
                String::new()
            } else {
                format!(" One of {}.", values.join(", "))
            };
            table.row(vec![
                format!("  {name}{star}"),
                param.kind.map_or("any", |kind| kind.as_str()).to_owned(),
                param
                    .default
                    .as_ref()
                    .map(ToString::to_string)
                    .unwrap_or_default(),
                param.from.join(" "),
                format!("{}{values}", param.description),
            ]);
        }
        if !action.params.is_empty() {
            page.table(&table);
        }
        let outputs: Vec<&str> = action.outputs.keys().map(String::as_str).collect();
        if !outputs.is_empty() {
            page.line(format!("  puts out {}", outputs.join(", ")));
        }
    }
}
