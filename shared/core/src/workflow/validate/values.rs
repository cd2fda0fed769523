//! Single values: texts, names, numbers, durations, words from a list.

use super::fields::{Place, wrong_type};
use super::report::Report;
use crate::workflow::document::{Content, Node};
use crate::workflow::problem::Code;

/// Longest name (of a task, agent, pool, ...), in characters.
pub(in crate::workflow) const NAME_CHARS_MAX: usize = 128;
/// What [`is_name`] accepts.
pub(super) const NAME_RULE: &str =
    "use letters, digits, '_', '-' and '.', beginning with a letter, a digit or '_', at most 128";
/// Longest duration that can be asked for, in seconds: 30 days.
const SECONDS_MAX: f64 = 30.0 * 24.0 * 3600.0;

/// Any text.
pub(super) fn text<'n>(node: &'n Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<&'n str> {
    match &node.content {
        Content::Text(text) => Some(text),
        _ => {
            wrong_type(node, place, "a text", report);
            None
        }
    }
}

/// A short text for people, on one line.
pub(super) fn title(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<String> {
    let text = text(node, place, report)?;
    if text.trim().is_empty() || text.chars().count() > NAME_CHARS_MAX || text.contains(char::is_control) {
        let message = format!("{} is not a title", quote(text));
        report.error(
            node.at,
            Code::BadValue,
            place,
            message,
            "1 to 128 characters on one line",
        );
        return None;
    }
    Some(text.to_owned())
}

/// A name that is safe in paths, URLs and expressions.
pub(super) fn name<'n>(node: &'n Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<&'n str> {
    let text = text(node, place, report)?;
    if !is_name(text) {
        let message = format!("{} is not a valid name", quote(text));
        report.error(node.at, Code::BadValue, place, message, NAME_RULE);
        return None;
    }
    Some(text)
}

/// Whether `text` may name a task, an agent or a pool.
pub(super) fn is_name(text: &str) -> bool {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-' | b'.');
    text.starts_with(|first: char| first.is_ascii_alphanumeric() || first == '_')
        && text.len() <= NAME_CHARS_MAX
        && text.bytes().all(allowed)
}

/// `true` or `false`.
pub(super) fn boolean(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<bool> {
    match node.content {
        Content::Bool(value) => Some(value),
        _ => {
            wrong_type(node, place, "true or false", report);
            None
        }
    }
}

/// A number above 0, or from 0 on when `zero` is allowed.
fn amount(node: &Node<'_>, place: &Place<'_>, zero: bool, max: f64, report: &mut Report) -> Option<f64> {
    let Content::Number(number) = &node.content else {
        wrong_type(node, place, "a number", report);
        return None;
    };
    let value = number.as_f64().unwrap_or(f64::NAN);
    if !(value > 0.0 || zero && value == 0.0) || value > max {
        let remedy = if zero {
            format!("0 to {max}")
        } else {
            format!("above 0, at most {max}")
        };
        report.error(
            node.at,
            Code::BadValue,
            place,
            format!("{number} is out of range"),
            remedy,
        );
        return None;
    }
    Some(value)
}

/// A number of seconds above 0.
pub(super) fn seconds(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<f64> {
    amount(node, place, false, SECONDS_MAX, report)
}

/// A number of seconds that may be 0.
pub(super) fn delay_seconds(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<f64> {
    amount(node, place, true, SECONDS_MAX, report)
}

/// A number of gigabytes above 0.
pub(super) fn gigabytes(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<f64> {
    amount(node, place, false, 1_000_000.0, report)
}

/// A whole number in a range.
pub(super) fn whole(
    node: &Node<'_>,
    place: &Place<'_>,
    range: std::ops::RangeInclusive<u32>,
    report: &mut Report,
) -> Option<u32> {
    let Content::Number(number) = &node.content else {
        wrong_type(node, place, "a whole number", report);
        return None;
    };
    match number
        .as_u64()
        .and_then(|value| u32::try_from(value).ok())
        .filter(|value| range.contains(value))
    {
        Some(value) => Some(value),
        None => {
            let remedy = format!("a whole number from {} to {}", range.start(), range.end());
            report.error(
                node.at,
                Code::BadValue,
                place,
                format!("{number} is out of range"),
                remedy,
            );
            None
        }
    }
}

/// The priorities that have a name.
pub(in crate::workflow) const PRIORITIES: [(&str, u8); 4] =
    [("low", 3), ("normal", 5), ("high", 7), ("critical", 9)];

/// 1 to 10, or a word.
pub(super) fn priority(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<u8> {
    match &node.content {
        Content::Text(word) => match PRIORITIES.iter().find(|(name, _)| name == word) {
            Some((_, priority)) => Some(*priority),
            None => {
                let message = format!("{} is not a priority", quote(word));
                let remedy = "1 to 10, 10 most urgent, or low, normal, high, critical";
                report.error(node.at, Code::BadValue, place, message, remedy);
                None
            }
        },
        _ => whole(node, place, 1..=10, report).and_then(|value| u8::try_from(value).ok()),
    }
}

/// A duration in milliseconds: a number of seconds, or texts like `30s`, `1h30m`, `500ms`.
pub(super) fn duration_ms(node: &Node<'_>, place: &Place<'_>, report: &mut Report) -> Option<u64> {
    let milliseconds = match &node.content {
        Content::Number(number) => number.as_f64().map(|seconds| seconds * 1000.0),
        Content::Text(text) => parse_duration_ms(text),
        _ => {
            wrong_type(node, place, "a duration", report);
            return None;
        }
    };
    match milliseconds {
        Some(milliseconds) if (1.0..=SECONDS_MAX * 1000.0).contains(&milliseconds) => {
            Some(milliseconds.round() as u64)
        }
        _ => {
            let shown = match &node.content {
                Content::Text(text) => quote(text),
                _ => node.to_json().to_string(),
            };
            let remedy =
                "a number of seconds, or a text like '30s', '5m', '2h', '1h30m', '500ms'; at most 30 days";
            report.error(
                node.at,
                Code::BadValue,
                place,
                format!("{shown} is not a duration"),
                remedy,
            );
            None
        }
    }
}

fn parse_duration_ms(text: &str) -> Option<f64> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return None;
    }
    let mut total = 0.0;
    while !rest.is_empty() {
        let digits = rest
            .find(|c: char| !c.is_ascii_digit() && c != '.')
            .unwrap_or(rest.len());
        let (amount, tail) = rest.split_at(digits);
        let letters = tail
            .find(|c: char| !c.is_ascii_alphabetic())
            .unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(letters);
        let factor = match unit {
            "ms" => 1.0,
            "s" => 1000.0,
            "m" => 60_000.0,
            "h" => 3_600_000.0,
            "d" => 86_400_000.0,
            _ => return None,
        };
        total += amount.parse::<f64>().ok()? * factor;
        rest = tail;
    }
    Some(total)
}

/// One of a few words.
pub(super) fn word<T: Copy>(
    node: &Node<'_>,
    place: &Place<'_>,
    words: &[(&'static str, T)],
    report: &mut Report,
) -> Option<T> {
    let text = text(node, place, report)?;
    if let Some((_, value)) = words.iter().find(|(word, _)| *word == text) {
        return Some(*value);
    }
    let names: Vec<&str> = words.iter().map(|(word, _)| *word).collect();
    let remedy = match report.nearest(text, names.iter().copied()) {
        Some(word) => format!("did you mean '{word}'?"),
        None => format!("one of {}", names.join(", ")),
    };
    report.error(
        node.at,
        Code::BadValue,
        place,
        format!("{} is not allowed here", quote(text)),
        remedy,
    );
    None
}

/// The text in quotes, shortened, with control characters escaped.
pub(super) fn quote(text: &str) -> String {
    const CHARS_MAX: usize = 60;
    let shown: String = text
        .chars()
        .take(CHARS_MAX)
        .flat_map(char::escape_debug)
        .collect();
    let dots = if text.chars().nth(CHARS_MAX).is_some() {
        "..."
    } else {
        ""
    };
    format!("'{}{dots}'", shown.replace("\\'", "'").replace("\\\"", "\""))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_add_up_their_parts() {
        let cases = [
            ("30s", Some(30_000.0)),
            ("5m", Some(300_000.0)),
            ("2h", Some(7_200_000.0)),
            ("1h30m", Some(5_400_000.0)),
            ("500ms", Some(500.0)),
            ("1.5s", Some(1_500.0)),
            ("1d", Some(86_400_000.0)),
            ("", None),
            ("30", None),
            ("s", None),
            ("-1s", None),
            ("1 s", None),
            ("1s1", None),
            ("1.2.3s", None),
            ("soon", None),
        ];
        for (text, expected) in cases {
            assert_eq!(parse_duration_ms(text), expected, "{text:?}");
        }
    }
}
