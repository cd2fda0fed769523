//! What people and programs get to read.

pub mod table;
pub mod text;
pub mod timeline;
pub mod tree;
pub mod yaml;

use std::io::{IsTerminal, Write};

use serde::Serialize;

use crate::args::Form;
use crate::exit::Failure;
use table::Table;

/// Where and how to print.
#[derive(Debug, Clone, Copy)]
pub struct Output {
    form: Form,
    /// Whether standard output understands colours.
    pub has_color: bool,
    /// Whether standard error can redraw what it shows.
    pub is_live: bool,
    /// Columns of the terminal that standard output is.
    pub width: Option<u16>,
}

impl Output {
    /// Looks at the terminal once.
    pub fn new(form: Form, no_color: bool) -> Output {
        Output {
            form,
            has_color: !no_color && std::io::stdout().is_terminal(),
            is_live: !no_color && std::io::stderr().is_terminal(),
            width: rustix::termios::tcgetwinsize(std::io::stdout())
                .ok()
                .map(|size| size.ws_col)
                .filter(|columns| *columns > 0),
        }
    }

    /// Whether people read it.
    pub fn is_table(&self) -> bool {
        self.form == Form::Table
    }

    /// Prints an answer: the tables made of it for people, the answer itself for programs.
    pub fn answer<T: Serialize>(&self, answer: &T, tables: impl FnOnce(&T, &mut Page)) {
        match self.form {
            Form::Table => {
                let mut page = Page {
                    text: String::new(),
                    has_color: self.has_color,
                };
                tables(answer, &mut page);
                self.print(&page.text);
            }
            Form::Json => {
                let text =
                    serde_json::to_string_pretty(answer).expect("answers are plain data with text keys");
                self.print(&format!("{text}\n"));
            }
            Form::Yaml => self.print(&yaml::to_string(answer)),
        }
    }

    /// Prints one answer of many on a line of its own.
    pub fn line<T: Serialize>(&self, answer: &T, line: impl FnOnce(&T) -> String) {
        match self.form {
            Form::Table => self.print(&format!("{}\n", line(answer))),
            Form::Json => {
                let text = serde_json::to_string(answer).expect("answers are plain data with text keys");
                self.print(&format!("{text}\n"));
            }
            Form::Yaml => self.print(&format!("---\n{}", yaml::to_string(answer))),
        }
    }

    /// Prints to standard output; whoever stops reading has read enough.
    pub fn print(&self, text: &str) {
        let mut stdout = std::io::stdout().lock();
        let _ = stdout.write_all(text.as_bytes()).and_then(|()| stdout.flush());
    }

    /// Prints a note to standard error.
    pub fn note(&self, text: &str) {
        let _ = writeln!(std::io::stderr().lock(), "{text}");
    }

    /// Prints why a command could not be carried out.
    pub fn failure(&self, failure: &Failure) {
        let mut stderr = std::io::stderr().lock();
        for detail in &failure.details {
            let _ = writeln!(stderr, "{detail}");
        }
        let _ = match (&failure.problem, self.form) {
            (Some(problem), Form::Json) => writeln!(
                stderr,
                "{}",
                serde_json::to_string(problem).expect("problems are plain data with text keys")
            ),
            _ => writeln!(stderr, "error: {}", failure.message),
        };
    }
}

/// A page of tables and lines.
#[derive(Debug)]
pub struct Page {
    text: String,
    has_color: bool,
}

impl Page {
    /// Adds a line.
    pub fn line(&mut self, line: impl AsRef<str>) {
        self.text.push_str(line.as_ref());
        self.text.push('\n');
    }

    /// Adds an empty line.
    pub fn gap(&mut self) {
        self.text.push('\n');
    }

    /// Adds a table.
    pub fn table(&mut self, table: &Table) {
        self.text.push_str(&table.render(self.has_color));
    }

    /// Adds names and values, aligned.
    pub fn pairs(&mut self, pairs: &[(&str, String)]) {
        let width = pairs.iter().map(|(name, _)| name.len()).max().unwrap_or(0);
        for (name, value) in pairs.iter().filter(|(_, value)| !value.is_empty()) {
            let mut lines = value.lines();
            let first = lines.next().unwrap_or_default();
            self.line(format!("{name:width$}  {first}"));
            for line in lines {
                self.line(format!("{:width$}  {line}", ""));
            }
        }
    }
}
