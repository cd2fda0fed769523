//! What people write, made safe to handle: bounded, and without characters that nobody sees.

/// Longest prompt, characters, unless the configuration says otherwise.
pub const CHARS_MAX: usize = 4_000;

/// A sentence, or some, as they are translated.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Prompt {
    text: String,
}

/// Why a text is no prompt.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PromptFault {
    /// It says nothing.
    #[error("the text is empty (say what is to be done)")]
    Empty,
    /// It is too long.
    #[error(
        "the text has {chars} characters, of at most {chars_max} (say it shorter, or write the workflow yourself)"
    )]
    TooLong {
        /// Characters it has.
        chars: usize,
        /// Characters it may have.
        chars_max: usize,
    },
}

impl Prompt {
    /// Takes a text in: control characters, invisible characters and marks that change the direction of writing are removed, because
    /// they hide from people what a translator reads; white space is one blank, line breaks stay.
    ///
    /// # Errors
    /// When nothing is left, or too much.
    pub fn new(text: &str, chars_max: usize) -> Result<Prompt, PromptFault> {
        let chars = text
            .chars()
            .take(chars_max.saturating_mul(4).saturating_add(1))
            .count();
        if chars > chars_max {
            return Err(PromptFault::TooLong {
                chars: text.chars().count(),
                chars_max,
            });
        }
        let mut clean = String::with_capacity(text.len());
        for letter in text.chars().filter(|letter| !is_hidden(*letter)) {
            let last = clean.chars().next_back();
            match letter {
                '\n' | '\r' if last.is_none_or(|last| last == '\n') => {}
                '\n' | '\r' => clean.push('\n'),
                letter if !letter.is_whitespace() => clean.push(letter),
                _ if last.is_none_or(char::is_whitespace) => {}
                _ => clean.push(' '),
            }
        }
        let text = clean.trim().to_owned();
        match text.chars().any(char::is_alphanumeric) {
            true => Ok(Prompt { text }),
            false => Err(PromptFault::Empty),
        }
    }

    /// The text.
    pub fn text(&self) -> &str {
        &self.text
    }
}

fn is_hidden(letter: char) -> bool {
    let is_break = matches!(letter, '\n' | '\r' | '\t');
    matches!(u32::from(letter),
        0x00ad | 0x034f | 0x061c | 0x115f..=0x1160 | 0x17b4..=0x17b5 | 0x180b..=0x180f | 0x200b..=0x200f | 0x202a..=0x202e
        | 0x2060..=0x206f | 0x3164 | 0xfe00..=0xfe0f | 0xfeff | 0xffa0 | 0xfff0..=0xfffb | 0x1d173..=0x1d17a | 0xe0000..=0xe0fff)
        || letter.is_control() && !is_break
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hidden_characters_go_and_white_space_is_one_blank() {
        let text = "  train\u{200b} a\t\t\u{202e}model\u{0}\r\n\r\n then\u{e0041} report ";
        assert_eq!(
            Prompt::new(text, 100).unwrap().text(),
            "train a model\nthen report"
        );
    }

    #[test]
    fn empty_and_endless_texts_are_refused() {
        for empty in ["", " \n ", "\u{200b}", "?!..."] {
            assert_eq!(Prompt::new(empty, 10), Err(PromptFault::Empty), "{empty:?}");
        }
        assert_eq!(
            Prompt::new(&"x".repeat(11), 10),
            Err(PromptFault::TooLong {
                chars: 11,
                chars_max: 10
            })
        );
        assert!(Prompt::new("训练模型训练模型训练", 10).is_ok());
    }
}
