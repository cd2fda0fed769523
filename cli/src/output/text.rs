//! Small pieces of text: times, durations, colours.

use orchestrator_engine::views::At;

/// A duration for people: `12 ms`, `1.5 s`, `2 min 3 s`, `4 h 5 min`, `2 d 3 h`.
pub fn duration(millis: u64) -> String {
    let seconds = millis / 1_000;
    match millis {
        0..1_000 => format!("{millis} ms"),
        1_000..10_000 => format!("{:.1} s", millis as f64 / 1_000.0),
        10_000..60_000 => format!("{seconds} s"),
        60_000..3_600_000 => format!("{} min {} s", seconds / 60, seconds % 60),
        3_600_000..86_400_000 => format!("{} h {} min", seconds / 3_600, seconds / 60 % 60),
        _ => format!("{} d {} h", seconds / 86_400, seconds / 3_600 % 24),
    }
}

/// A point in time in seconds: `2026-11-22 18:34:21Z`.
pub fn time(at: At) -> String {
    let text = at.to_string();
    match text.get(..19) {
        Some(seconds) if text.ends_with('Z') => format!("{}Z", seconds.replacen('T', " ", 1)),
        _ => text,
    }
}

/// An optional point in time.
pub fn maybe_time(at: Option<At>) -> String {
    at.map(time).unwrap_or_default()
}

/// An optional duration.
pub fn maybe_duration(millis: Option<u64>) -> String {
    millis.map(duration).unwrap_or_default()
}

/// A size for people: `312 B`, `1.5 KiB`, `2.0 MiB`.
pub fn bytes(count: u64) -> String {
    match count {
        0..1_024 => format!("{count} B"),
        1_024..1_048_576 => format!("{:.1} KiB", count as f64 / 1_024.0),
        _ => format!("{:.1} MiB", count as f64 / 1_048_576.0),
    }
}

/// `1 task`, `2 tasks`.
pub fn count(number: usize, noun: &str) -> String {
    match number {
        1 => format!("1 {noun}"),
        number => format!("{number} {noun}s"),
    }
}

/// A text on one line, shortened, without control characters: what agents print cannot play with the terminal.
pub fn one_line(text: &str) -> String {
    const LENGTH_MAX: usize = 160;
    let mut line = String::with_capacity(text.len().min(LENGTH_MAX));
    for (index, letter) in text.trim_end().chars().enumerate() {
        if index == LENGTH_MAX {
            line.push('…');
            break;
        }
        line.push(if letter.is_control() { ' ' } else { letter });
    }
    line
}

/// A text without control characters besides line breaks and tabs.
pub fn printable(text: &str) -> String {
    let keep = |letter: char| !letter.is_control() || letter == '\n' || letter == '\t';
    text.chars()
        .map(|letter| if keep(letter) { letter } else { '\u{fffd}' })
        .collect()
}

/// Columns a text takes on a terminal; one for each character is right for what we print.
pub fn width(text: &str) -> usize {
    text.chars().count()
}

/// Whether a cell is a number, perhaps with a unit or a percent sign.
pub fn is_quantity(cell: &str) -> bool {
    const UNITS: [&str; 12] = ["", "ms", "s", "min", "h", "d", "B", "KiB", "MiB", "GB", "%", "/"];
    let mut words = cell.split(' ').filter(|word| !word.is_empty());
    words.all(|word| word.parse::<f64>().is_ok() || UNITS.contains(&word))
}

/// Words that name states get the colour of the state.
pub fn status(cell: &str, has_color: bool) -> String {
    let color = match cell {
        _ if !has_color => None,
        "SUCCESS" | "run" => Some("32"),
        "FAILED" | "deny: fail" => Some("31"),
        "RUNNING" | "QUEUED" | "READY" => Some("36"),
        "HELD" | "RETRY_WAIT" | "PAUSED" | "deny: hold" => Some("33"),
        "SKIPPED" | "CANCELLED" | "PENDING" | "deny: skip" => Some("90"),
        cell if cell.starts_with("hold: ") => Some("33"),
        _ => None,
    };
    match color {
        Some(color) => format!("\x1b[{color}m{cell}\x1b[0m"),
        None => cell.to_owned(),
    }
}

/// Less prominent.
pub fn dim(text: &str, has_color: bool) -> String {
    match has_color {
        true => format!("\x1b[2m{text}\x1b[0m"),
        false => text.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_well() {
        let cases = [
            (0, "0 ms"),
            (999, "999 ms"),
            (1_500, "1.5 s"),
            (59_999, "59 s"),
            (61_000, "1 min 1 s"),
            (3_700_000, "1 h 1 min"),
            (90_000_000, "1 d 1 h"),
        ];
        for (millis, text) in cases {
            assert_eq!(duration(millis), text);
        }
    }

    #[test]
    fn what_agents_print_cannot_play_with_the_terminal() {
        assert_eq!(printable("a\x1b[2Jb\nc"), "a\u{fffd}[2Jb\nc");
        assert_eq!(one_line("a\nb\x07"), "a b ");
    }
}
