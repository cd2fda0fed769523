//! What pages say when there is nothing, too much or something wrong.

use maud::{Markup, PreEscaped, html};
use orchestrator_engine::api::Problem;
use orchestrator_engine::api::problem::Fault;
use orchestrator_engine::views::At;

/// There is nothing to show: what that means, and what to do.
pub fn empty(title: &str, text: Markup) -> Markup {
    html! { div.empty { h2 { (title) } p { (text) } } }
}

/// A problem, in its own words.
pub fn problem(problem: &Problem) -> Markup {
    html! {
        div.problem role="alert" {
            strong { (sentence(&problem.title)) }
            p { (sentence(&problem.detail)) }
            @if !problem.errors.is_empty() { (faults(&problem.errors)) }
            p.hint { code { (problem.code) } }
        }
    }
}

/// The faults of a document, each with its place.
pub fn faults(faults: &[Fault]) -> Markup {
    html! {
        ul.faults {
            @for fault in faults {
                li class=(fault.severity) {
                    @if let (Some(line), Some(column)) = (fault.line, fault.column) {
                        button.place type="button" data-line=(line) data-column=(column) { "line " (line) ":" (column) }
                    }
                    span.severity { (fault.severity) }
                    " " (sentence(&fault.message))
                    @if !fault.remedy.is_empty() { span.remedy { " " (sentence(&fault.remedy)) } }
                    @if !fault.path.is_empty() { code.path { (fault.path) } }
                }
            }
        }
    }
}

/// A message of ours as a sentence: they are fragments in lower case, with the remedy in parentheses.
pub fn sentence(text: &str) -> String {
    let mut letters = text.chars();
    let first: String = letters
        .next()
        .map(|first| first.to_uppercase().collect())
        .unwrap_or_default();
    let text = format!("{first}{}", letters.as_str());
    match text.ends_with(['.', '!', '?', ')', ':']) || text.is_empty() {
        true => text,
        false => format!("{text}."),
    }
}

/// A sentence of ours: `'names'` in quotes and times are set apart, colours of terminals are left out.
pub fn with_names(text: &str) -> Markup {
    let text = super::ansi::plain(text);
    let mut parts = Vec::new();
    let mut rest = text.as_str();
    while let Some((start, end)) = quoted(rest) {
        parts.push((&rest[..start], Some(&rest[start + 1..end])));
        rest = &rest[end + 1..];
    }
    parts.push((rest, None));
    html! {
        @for (before, name) in parts {
            (with_times(before))
            @if let Some(name) = name { q { (name) } }
        }
    }
}

/// The first pair of quotes: an apostrophe has a letter on both sides.
fn quoted(text: &str) -> Option<(usize, usize)> {
    let is_letter = |letter: Option<char>| letter.is_some_and(char::is_alphanumeric);
    let quotes = text.match_indices('\'').map(|(at, _)| at);
    let opens = |at: &usize| !is_letter(text[..*at].chars().next_back());
    let start = quotes.clone().find(opens)?;
    let closes = |at: &usize| *at > start && !is_letter(text[at + 1..].chars().next());
    Some((start, quotes.clone().find(closes)?))
}

/// Text in which words that are times are shown in the reader's time zone.
fn with_times(text: &str) -> Markup {
    let time = |word: &str| {
        let trimmed = word.trim_end_matches(['.', ',', ';', ':', ')']);
        let is_like = trimmed.len() == 24 && trimmed.ends_with('Z');
        let at = serde_json::from_value::<At>(trimmed.into())
            .ok()
            .filter(|_| is_like)?;
        Some((at, word[trimmed.len()..].to_owned()))
    };
    html! {
        @for word in text.split_inclusive(' ') {
            @match time(word.trim_end_matches(' ')) {
                Some((at, rest)) => { (super::time::at(at)) (rest) @if word.ends_with(' ') { " " } },
                None => (word),
            }
        }
    }
}

/// Links to the previous and the next page.
pub fn pager(shown: &str, previous: Option<&str>, next: Option<&str>) -> Markup {
    html! {
        @if previous.is_some() || next.is_some() {
            nav.pager aria-label="Pages" {
                @if let Some(previous) = previous { a rel="prev" href=(previous) { (PreEscaped("&larr;")) " Back" } }
                span { (shown) }
                @if let Some(next) = next { a rel="next" href=(next) { "Next " (PreEscaped("&rarr;")) } }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_set_apart_and_escaped() {
        assert_eq!(with_names("'<b>' waits").into_string(), "<q>&lt;b&gt;</q> waits");
        assert_eq!(
            with_names("a person's 'approval' and 'it's'").into_string(),
            "a person's <q>approval</q> and <q>it's</q>"
        );
        assert_eq!(with_names("'open \u{1b}[31m<b>").into_string(), "'open &lt;b&gt;");
        assert_eq!(
            with_names("runs since 2026-11-26T20:59:45.641Z.").into_string(),
            "runs since <time datetime=\"2026-11-26T20:59:45.641Z\">2026-11-26 20:59:45 UTC</time>."
        );
        assert_eq!(sentence("there is none"), "There is none.");
        assert_eq!(sentence("there is none (make one)"), "There is none (make one)");
    }
}
