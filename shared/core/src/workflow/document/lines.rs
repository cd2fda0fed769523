//! Offsets to lines and columns.

use crate::workflow::problem::Location;

/// Where the lines of a text begin.
pub(crate) struct Lines<'a> {
    text: &'a str,
    starts: Vec<usize>,
}

impl<'a> Lines<'a> {
    /// Scans the text once.
    pub fn of(text: &'a str) -> Lines<'a> {
        let ends = text
            .bytes()
            .enumerate()
            .filter(|(_, byte)| *byte == b'\n')
            .map(|(at, _)| at + 1);
        Lines {
            text,
            starts: std::iter::once(0).chain(ends).collect(),
        }
    }

    /// The location of the character at or around byte `at`.
    pub fn locate(&self, at: u32) -> Location {
        let mut at = (at as usize).min(self.text.len());
        while !self.text.is_char_boundary(at) {
            at -= 1;
        }
        let line = self.starts.partition_point(|start| *start <= at);
        let column = self.text[self.starts[line - 1]..at].chars().count() + 1;
        let bounded = |count: usize| u32::try_from(count).unwrap_or(u32::MAX);
        Location {
            line: bounded(line),
            column: bounded(column),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn columns_count_characters_not_bytes() {
        let lines = Lines::of("aé\nü: x\n");
        let at = |at| lines.locate(at);
        assert_eq!(at(0), Location { line: 1, column: 1 });
        assert_eq!(at(3), Location { line: 1, column: 3 });
        assert_eq!(at(4), Location { line: 2, column: 1 });
        assert_eq!(at(8), Location { line: 2, column: 4 });
        assert_eq!(at(99), Location { line: 3, column: 1 });
    }
}
