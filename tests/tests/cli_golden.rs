//! Transcripts of the command line: each file in `golden` is a script of commands with what they print.
//!
//! A line that begins with `$ ` is a command; what follows is its standard output, then, after `! `, its standard error, then
//! `? N` when it ends with another exit code than 0. The script runs in an empty folder with a copy of `examples`. What
//! differs from run to run is replaced: ids, times, durations, bars, paths; runs of spaces become two.
//!
//! `ORCHESTRATOR_TEST_WRITE_GOLDEN=1` writes the transcripts instead of comparing them.

use std::path::Path;
use std::process::{Output, Stdio};

use tests::binary::orchestrator;
use tests::repository::root;

/// Write the transcripts instead of comparing them.
const WRITE: &str = "ORCHESTRATOR_TEST_WRITE_GOLDEN";

fn check(name: &str) {
    let file = root().join("tests/golden").join(format!("{name}.txt"));
    let wanted = std::fs::read_to_string(&file).expect("the transcript is there");
    let folder = tempfile::tempdir().expect("there is a temporary directory");
    copy(&root().join("examples"), &folder.path().join("examples"));
    let mut names = Names::default();
    let mut found = String::new();
    for line in wanted.lines() {
        if let Some(comment) = line.strip_prefix("# ") {
            found.push_str(&format!("# {comment}\n"));
        }
        if let Some(command) = line.strip_prefix("$ ") {
            let output = execute(command, folder.path(), &names);
            found.push_str(&format!(
                "$ {command}\n{}",
                transcript(&output, folder.path(), &mut names)
            ));
        }
    }
    if std::env::var_os(WRITE).is_some() {
        std::fs::write(&file, &found).expect("transcripts are writable");
    }
    assert!(found == wanted, "{name} differs; found:\n{found}");
}

/// Runs a command line; `RUN1` stands for the first run id that was printed.
fn execute(command: &str, folder: &Path, names: &Names) -> Output {
    let words = words(command);
    assert_eq!(
        words.first().map(String::as_str),
        Some("orchestrator"),
        "{command}"
    );
    let arguments = words.into_iter().skip(1).map(|word| names.resolve(&word));
    let mut command = orchestrator();
    command.args(arguments).current_dir(folder).stdin(Stdio::null());
    command.output().expect("the program starts")
}

/// Words, with single quotes.
fn words(command: &str) -> Vec<String> {
    let mut words = Vec::new();
    for (index, part) in command.split('\'').enumerate() {
        match index % 2 {
            0 => words.extend(part.split_whitespace().map(str::to_owned)),
            _ => words.push(part.to_owned()),
        }
    }
    words
}

fn transcript(output: &Output, folder: &Path, names: &mut Names) -> String {
    let mut text = String::new();
    for line in String::from_utf8_lossy(&output.stdout).lines() {
        text.push_str(&format!("{}\n", names.normalise(line, folder)));
    }
    for line in String::from_utf8_lossy(&output.stderr).lines() {
        text.push_str(format!("! {}", names.normalise(line, folder)).trim_end());
        text.push('\n');
    }
    match output.status.code() {
        Some(0) => {}
        code => text.push_str(&format!("? {}\n", code.unwrap_or(-1))),
    }
    text
}

/// Run ids in the order they were seen.
#[derive(Default)]
struct Names(Vec<String>);

impl Names {
    fn resolve(&self, word: &str) -> String {
        let index = word
            .strip_prefix("RUN")
            .and_then(|number| number.parse::<usize>().ok());
        match index.and_then(|index| self.0.get(index.checked_sub(1)?)) {
            Some(id) => id.clone(),
            None => word.to_owned(),
        }
    }

    fn normalise(&mut self, line: &str, folder: &Path) -> String {
        let here = folder.canonicalize().expect("the folder is there");
        let line = line.replace(&*here.to_string_lossy(), "HERE");
        let mut normal = String::new();
        let mut rest = line.as_str();
        while let Some(first) = rest.chars().next() {
            let (taken, put) = self.token(rest, normal.chars().last());
            if taken == 0 {
                normal.push(first);
                rest = &rest[first.len_utf8()..];
            } else {
                normal.push_str(&put);
                rest = &rest[taken..];
            }
        }
        squeeze(normal.trim_end())
    }

    /// How many bytes of `text` are something that differs from run to run, and what to put there.
    fn token(&mut self, text: &str, before: Option<char>) -> (usize, String) {
        if before.is_some_and(|before| before.is_ascii_alphanumeric() || before == '.') {
            return (0, String::new());
        }
        let id = text.get(..26).filter(|id| {
            id.starts_with("01") && id.bytes().all(|b| b.is_ascii_digit() || b.is_ascii_uppercase())
        });
        if let Some(id) = id {
            let index = match self.0.iter().position(|known| known == id) {
                Some(index) => index,
                None => {
                    self.0.push(id.to_owned());
                    self.0.len() - 1
                }
            };
            return (26, format!("RUN{}", index + 1));
        }
        for (pattern, name) in [
            ("dddd-dd-ddTdd:dd:dd.dddZ", "TIME"),
            ("dddd-dd-dd dd:dd:ddZ", "TIME"),
            ("dd:dd:dd  ", "CLOCK  "),
            ("127.0.0.1:ddddd", "ADDRESS"),
            ("127.0.0.1:dddd", "ADDRESS"),
        ] {
            if has_form(text, pattern) {
                return (pattern.len(), name.to_owned());
            }
        }
        let is_hexadecimal = |byte: u8| byte.is_ascii_digit() || (b'a'..=b'f').contains(&byte);
        match text.bytes().take_while(|byte| is_hexadecimal(*byte)).count() {
            12 => return (12, "VERSION".to_owned()),
            20 => return (20, "TOKEN".to_owned()),
            32 => return (32, "TRACE".to_owned()),
            _ => {}
        }
        // How much time went where, and in which order that is told, differs.
        if let Some(rest) = text.strip_prefix("its time: ") {
            return (
                text.len(),
                format!("its time: {}", if rest.contains('%') { "..." } else { rest }),
            );
        }
        if let Some((bar, _)) = text.strip_prefix('│').and_then(|text| text.split_once('│')) {
            return (bar.len() + 2 * '│'.len_utf8(), "│BAR│".to_owned());
        }
        match duration(text) {
            0 => (0, String::new()),
            taken => (taken, "DURATION".to_owned()),
        }
    }
}

/// Whether `text` begins like `pattern`, where `d` is any digit.
fn has_form(text: &str, pattern: &str) -> bool {
    let fits = |(found, wanted): (u8, u8)| {
        if wanted == b'd' {
            found.is_ascii_digit()
        } else {
            found == wanted
        }
    };
    text.len() >= pattern.len() && text.bytes().zip(pattern.bytes()).all(fits)
}

/// Length of a duration such as `12 ms`, `1.5 s` or `2 min 3 s` at the beginning.
fn duration(text: &str) -> usize {
    let digits = text
        .bytes()
        .take_while(|byte| byte.is_ascii_digit() || *byte == b'.')
        .count();
    if digits == 0 {
        return 0;
    }
    for unit in [" ms", " s", " min "] {
        if let Some(after) = text[digits..].strip_prefix(unit) {
            if unit == " min " {
                return digits + unit.len() + duration(after);
            }
            let ends = after
                .chars()
                .next()
                .is_none_or(|next| !next.is_ascii_alphanumeric());
            return if ends { digits + unit.len() } else { 0 };
        }
    }
    0
}

/// Columns are as wide as what differs: only that there is a gap matters.
fn squeeze(line: &str) -> String {
    let body = line.trim_start_matches(' ');
    let mut squeezed = " ".repeat((line.len() - body.len()).min(2));
    let mut spaces = 0;
    for letter in body.chars() {
        match letter {
            ' ' => spaces += 1,
            letter => {
                squeezed.push_str(&" ".repeat(spaces.min(2)));
                squeezed.push(letter);
                spaces = 0;
            }
        }
    }
    squeezed
}

fn copy(from: &Path, to: &Path) {
    std::fs::create_dir_all(to).expect("the folder is writable");
    for entry in std::fs::read_dir(from).expect("the folder is readable") {
        let entry = entry.expect("the folder is readable");
        let kind = entry.file_type().expect("the entry has a type");
        let target = to.join(entry.file_name());
        if entry.file_name().to_string_lossy().starts_with('.') {
            continue;
        }
        match kind.is_dir() {
            true => copy(&entry.path(), &target),
            false => drop(std::fs::copy(entry.path(), target).expect("the file can be copied")),
        }
    }
}

#[test]
fn a_run_is_planned_watched_and_looked_at() {
    check("for_each");
}

#[test]
fn failures_are_retried_skipped_held_and_explained() {
    check("failures");
}

#[test]
fn the_penguins_are_checked_and_planned() {
    check("penguins");
}

#[test]
fn nonsense_gets_a_clear_error_and_a_documented_exit_code() {
    check("nonsense");
}

#[test]
fn where_the_time_of_a_run_went_is_drawn() {
    check("trace");
}

#[test]
fn a_held_run_is_operated_without_a_server() {
    check("operations");
}

#[test]
fn a_sentence_becomes_a_plan_and_a_run_or_suggestions() {
    check("ask");
}

#[test]
fn a_model_that_is_not_good_enough_is_taken_back_as_previewed_and_goes_on_from_its_checkpoint() {
    check("rollback");
}

#[test]
fn what_was_done_before_is_reused_and_taken_back() {
    check("reuse");
}
