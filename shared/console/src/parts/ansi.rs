//! Logs with the colours that terminals show: escape sequences become spans with classes, everything else is text.

use anstyle_parse::{DefaultCharAccumulator, Params, Parser, Perform};
use maud::{Markup, PreEscaped, Render, html};

/// Lines that are put together, so that a browser lays out only those that are in sight.
const LINES_OF_CHUNK: usize = 200;

/// The log, rendered.
pub fn log(text: &str) -> Markup {
    let mut parser = Parser::<DefaultCharAccumulator>::new();
    let mut screen = Screen::default();
    for byte in text.bytes() {
        parser.advance(&mut screen, byte);
    }
    screen.finish()
}

/// A text without what only terminals understand.
pub fn plain(text: &str) -> String {
    struct Letters(String);
    impl Perform for Letters {
        fn print(&mut self, letter: char) {
            self.0.push(letter);
        }

        fn execute(&mut self, byte: u8) {
            if matches!(byte, b'\n' | b'\t') {
                self.0.push(char::from(byte));
            }
        }
    }
    let mut parser = Parser::<DefaultCharAccumulator>::new();
    let mut letters = Letters(String::with_capacity(text.len()));
    for byte in text.bytes() {
        parser.advance(&mut letters, byte);
    }
    letters.0
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Style {
    /// 0 to 15: the colours every terminal has.
    front: Option<u8>,
    back: Option<u8>,
    bold: bool,
    dim: bool,
    italic: bool,
    underlined: bool,
}

#[derive(Default)]
struct Screen {
    style: Style,
    /// Text of the current line in the current style.
    run: String,
    /// The current line so far, already HTML.
    line: String,
    /// The current chunk, already HTML.
    chunk: String,
    lines: usize,
    chunks: Vec<String>,
    /// Progress bars go back to the start of the line and write over it: what is written then replaces the line.
    is_at_start: bool,
}

impl Screen {
    fn close_run(&mut self) {
        if self.run.is_empty() {
            return;
        }
        let text = std::mem::take(&mut self.run);
        let classes = self.style.classes();
        match classes.is_empty() {
            true => text.render_to(&mut self.line),
            false => html! { span class=(classes) { (text) } }.render_to(&mut self.line),
        }
    }

    fn close_line(&mut self) {
        self.close_run();
        self.chunk.push_str(&std::mem::take(&mut self.line));
        self.chunk.push('\n');
        self.lines += 1;
        if self.lines.is_multiple_of(LINES_OF_CHUNK) {
            self.chunks.push(std::mem::take(&mut self.chunk));
        }
    }

    fn finish(mut self) -> Markup {
        self.close_run();
        let rest = format!("{}{}", self.chunk, self.line);
        if !rest.is_empty() {
            self.chunks.push(rest);
        }
        // Chunks hold nothing but what was rendered above: escaped text in spans with classes of ours.
        html! { @for chunk in self.chunks { span.chunk { (PreEscaped(chunk)) } } }
    }

    fn set(&mut self, style: Style) {
        if style != self.style {
            self.close_run();
            self.style = style;
        }
    }
}

impl Perform for Screen {
    fn print(&mut self, letter: char) {
        if std::mem::take(&mut self.is_at_start) {
            self.run.clear();
            self.line.clear();
        }
        self.run.push(letter);
    }

    fn execute(&mut self, byte: u8) {
        match byte {
            b'\n' => {
                self.is_at_start = false;
                self.close_line();
            }
            b'\t' => self.print('\t'),
            b'\r' => self.is_at_start = true,
            _ => {}
        }
    }

    fn csi_dispatch(&mut self, params: &Params, intermediates: &[u8], ignore: bool, action: u8) {
        if action == b'm' && !ignore && intermediates.is_empty() {
            let codes: Vec<u16> = params.iter().flatten().copied().collect();
            self.set(self.style.after(&codes));
        }
    }
}

impl Style {
    fn after(self, codes: &[u16]) -> Style {
        let mut style = self;
        let mut codes = codes.iter().copied();
        while let Some(code) = codes.next() {
            match code {
                0 => style = Style::default(),
                1 => style.bold = true,
                2 => style.dim = true,
                3 => style.italic = true,
                4 => style.underlined = true,
                22 => (style.bold, style.dim) = (false, false),
                23 => style.italic = false,
                24 => style.underlined = false,
                30..=37 => style.front = u8::try_from(code - 30).ok(),
                39 => style.front = None,
                40..=47 => style.back = u8::try_from(code - 40).ok(),
                49 => style.back = None,
                90..=97 => style.front = u8::try_from(code - 82).ok(),
                100..=107 => style.back = u8::try_from(code - 92).ok(),
                38 => style.front = palette(&mut codes),
                48 => style.back = palette(&mut codes),
                _ => {}
            }
        }
        style
    }

    fn classes(self) -> String {
        let mut classes = Vec::new();
        classes.extend(self.front.map(|colour| format!("c{colour}")));
        classes.extend(self.back.map(|colour| format!("k{colour}")));
        let flags = [
            (self.bold, "b"),
            (self.dim, "d"),
            (self.italic, "i"),
            (self.underlined, "u"),
        ];
        classes.extend(
            flags
                .iter()
                .filter(|(is_set, _)| *is_set)
                .map(|(_, name)| (*name).to_owned()),
        );
        classes.join(" ")
    }
}

/// A colour of the large palettes, as the nearest of the sixteen. There are no styles in these pages but those of the style
/// sheet.
fn palette(codes: &mut impl Iterator<Item = u16>) -> Option<u8> {
    let (red, green, blue) = match codes.next()? {
        5 => match codes.next()? {
            basic @ 0..=15 => return u8::try_from(basic).ok(),
            cube @ 16..=231 => {
                let part = |step: u16| (cube - 16) / step % 6 * 51;
                (part(36), part(6), part(1))
            }
            grey => {
                let grey = (grey.min(255) - 232) * 10 + 8;
                (grey, grey, grey)
            }
        },
        2 => (codes.next()?, codes.next()?, codes.next()?),
        _ => return None,
    };
    let bit = |part: u16, weight: u8| if part > 96 { weight } else { 0 };
    let bright = if red.max(green).max(blue) > 200 { 8 } else { 0 };
    Some(bright + bit(red, 1) + bit(green, 2) + bit(blue, 4))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn html(text: &str) -> String {
        log(text).into_string()
    }

    #[test]
    fn colours_become_classes_and_text_stays_text() {
        assert_eq!(
            html("\x1b[1;31mbad\x1b[0m <b>\n"),
            "<span class=\"chunk\"><span class=\"c1 b\">bad</span> &lt;b&gt;\n</span>"
        );
        assert_eq!(
            html("\x1b[38;5;196mx\x1b[39my\x1b[48;2;0;0;255mz"),
            "<span class=\"chunk\"><span class=\"c9\">x</span>y<span class=\"k12\">z</span></span>"
        );
    }

    #[test]
    fn other_sequences_leave_no_trace() {
        let hostile = "\x1b]8;;javascript:alert(1)\x07click\x1b]8;;\x07\x1b[2J\x1b[999999;1m\x1b[?25l\x1bP1;2|x\x1b\\\x07\x1b[38;5m.";
        let shown = html(hostile);
        assert!(
            !shown.contains("javascript") && !shown.contains('\x1b'),
            "{shown}"
        );
        assert_eq!(plain(hostile), "click.");
        assert!(shown.contains("click") && shown.contains('.'), "{shown}");
        // What a terminal would take for a part of the sequence is left out here, too.
        assert_eq!(
            html("\x1b[31\"><script>m"),
            "<span class=\"chunk\">cript&gt;m</span>"
        );
    }

    #[test]
    fn of_a_progress_bar_the_last_state_stays() {
        assert_eq!(
            html("10 %\r20 %\r30 %\r\ndone\r\n"),
            "<span class=\"chunk\">30 %\ndone\n</span>"
        );
    }

    #[test]
    fn long_logs_come_in_chunks() {
        let shown = html(&"line\n".repeat(LINES_OF_CHUNK * 2 + 1));
        assert_eq!(shown.matches("class=\"chunk\"").count(), 3);
        assert_eq!(shown.matches("line").count(), LINES_OF_CHUNK * 2 + 1);
        assert_eq!(html(""), "");
    }
}
