//! What pages say when there is nothing, too much or something wrong.

use maud::{Markup, PreEscaped, html};
use orchestrator_engine::api::Problem;
use orchestrator_engine::api::problem::Fault;

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

/// Text of ours with `'names'` in quotes, set as code. The text is escaped first.
pub fn with_names(text: &str) -> Markup {
    let parts: Vec<&str> = text.split('\'').collect();
    // An odd quote is an apostrophe, and then nothing is certain.
    if parts.len() % 2 == 0 {
        return html! { (text) };
    }
    html! {
        @for (index, part) in parts.iter().enumerate() {
            @if index % 2 == 1 { q { (part) } } @else { (part) }
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
        assert_eq!(with_names("it's <b>").into_string(), "it's &lt;b&gt;");
        assert_eq!(sentence("there is none"), "There is none.");
        assert_eq!(sentence("there is none (make one)"), "There is none (make one)");
    }
}
