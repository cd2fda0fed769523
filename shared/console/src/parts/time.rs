//! Times and durations. What is written here is in UTC and stays true; the script turns it into the reader's time zone and
//! lets running times run.

use maud::{Markup, html};
use orchestrator_engine::views::At;

/// A point in time.
pub fn at(at: At) -> Markup {
    let text = at.to_string();
    let (day, rest) = text.split_once('T').unwrap_or((&text, ""));
    let time = rest.split('.').next().unwrap_or_default();
    html! { time datetime=(text) { (day) " " (time) " UTC" } }
}

/// A point in time, if there is one.
pub fn maybe(time: Option<At>) -> Markup {
    html! { @match time { Some(time) => (at(time)), None => span.none { "–" } } }
}

/// A time that has run since then and goes on.
pub fn running(since: At) -> Markup {
    html! { span.running-time data-since=(since.0.0) { "since " (at(since)) } }
}

/// How long something took: its time, or, when it goes on, a time that runs.
pub fn took(start: At, end: Option<At>) -> Markup {
    match end {
        Some(end) => html! { (duration(end.millis_since(start))) },
        None => running(start),
    }
}

/// As in `328 ms`, `1.4 s`, `2 min 5 s`, `3 h 12 min`, `4 d 2 h`.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..60_000 => format!("{}.{} s", seconds, millis % 1_000 / 100),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {} min", seconds / 3_600, seconds % 3_600 / 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds % 86_400 / 3_600),
    }
}

/// As in `51 B`, `12.3 KB`, `4.0 MB`.
pub fn bytes(bytes: u64) -> String {
    let number = bytes as f64;
    match bytes {
        0..1_000 => format!("{bytes} B"),
        1_000..1_000_000 => format!("{:.1} KB", number / 1e3),
        1_000_000..1_000_000_000 => format!("{:.1} MB", number / 1e6),
        _ => format!("{:.1} GB", number / 1e9),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_have_two_units_at_most() {
        let table = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_450, "1.4 s"),
            (125_999, "2 min 5 s"),
            (11_520_000, "3 h 12 min"),
            (352_800_000, "4 d 2 h"),
        ];
        for (millis, text) in table {
            assert_eq!(duration(millis), text);
        }
    }
}
