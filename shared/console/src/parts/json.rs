//! Values as people read them.

use maud::{Markup, html};
use serde_json::Value;

/// Longest text of a value that a page shows, bytes.
const SHOWN_MAX: usize = 64 * 1024;

/// A value, in several lines when it has parts.
pub fn block(value: &Value) -> Markup {
    let text = serde_json::to_string_pretty(value).expect("a value is plain data with text keys");
    let (shown, rest) = cut(&text, SHOWN_MAX);
    html! {
        pre.value tabindex="0" { (shown) }
        @if rest > 0 {
            p.hint { (super::time::bytes(rest as u64)) " more are not shown here: ask the API for the task to get all of it." }
        }
    }
}

/// A value in one line.
pub fn line(value: &Value) -> Markup {
    const LINE_MAX: usize = 200;
    let text = match value {
        Value::String(text) => text.clone(),
        other => other.to_string(),
    };
    let (shown, rest) = cut(&text, LINE_MAX);
    html! { code { (shown) @if rest > 0 { "…" } } }
}

/// Whether there is nothing to show.
pub fn is_empty(value: &Value) -> bool {
    match value {
        Value::Null => true,
        Value::Object(map) => map.is_empty(),
        Value::Array(list) => list.is_empty(),
        _ => false,
    }
}

/// The beginning of a text, and how many bytes follow it.
fn cut(text: &str, max: usize) -> (&str, usize) {
    let end = text.floor_char_boundary(max);
    (&text[..end], text.len() - end)
}
