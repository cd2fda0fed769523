//! One-line scalars of plain documents.

use std::borrow::Cow;

use super::{Plain, Reader};

/// A scalar as written.
pub(super) struct Token<'a> {
    pub at: u32,
    pub text: Cow<'a, str>,
    pub plain: bool,
}

impl<'a> Reader<'a> {
    /// A scalar on one line.
    pub(super) fn token(&mut self, in_flow: bool) -> Plain<Token<'a>> {
        let at = self.offset();
        let (text, plain) = match self.peek()? {
            b'"' => (self.double_quoted()?, false),
            b'\'' => (self.single_quoted()?, false),
            _ => (Cow::Borrowed(self.plain(in_flow)?), true),
        };
        if self.has_oddities
            && is_odd(&self.text[at as usize..self.at])
            && !(self.is_flow && is_json_text(&self.text[at as usize..self.at]))
        {
            return None;
        }
        Some(Token { at, text, plain })
    }

    fn plain(&mut self, in_flow: bool) -> Plain<&'a str> {
        let start = self.at;
        let rest = &self.bytes[start..];
        match self.peek()? {
            b'-' if self
                .peek_second()
                .is_some_and(|next| next.is_ascii_alphanumeric() || next == b'.') => {}
            b'-' | b'?' | b':' | b',' | b'[' | b']' | b'{' | b'}' | b'#' | b'&' | b'*' | b'!' | b'|'
            | b'>' | b'\'' | b'"' | b'%' | b'@' | b'`' | b'\n' | b' ' => return None,
            b'.' if rest.starts_with(b"...") => return None,
            _ => {}
        }
        let mut end = 0;
        while let Some(&byte) = rest.get(end) {
            match byte {
                b'\n' => break,
                b':' => match rest.get(end + 1) {
                    None | Some(b' ' | b'\n') => break,
                    Some(b',' | b'[' | b']' | b'{' | b'}') if in_flow => return None,
                    Some(_) => {}
                },
                b'#' if rest[end - 1] == b' ' => break,
                b',' | b'[' | b']' | b'{' | b'}' if in_flow => break,
                _ => {}
            }
            end += 1;
        }
        while rest[end - 1] == b' ' {
            end -= 1;
        }
        self.at = start + end;
        Some(&self.text[start..start + end])
    }

    fn single_quoted(&mut self) -> Plain<Cow<'a, str>> {
        let start = self.at + 1;
        let mut at = start;
        let mut quotes = false;
        loop {
            match self.bytes.get(at)? {
                b'\n' => return None,
                b'\'' if self.bytes.get(at + 1) == Some(&b'\'') => {
                    quotes = true;
                    at += 2;
                }
                b'\'' => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        let text = &self.text[start..at];
        Some(if quotes {
            Cow::Owned(text.replace("''", "'"))
        } else {
            Cow::Borrowed(text)
        })
    }

    fn double_quoted(&mut self) -> Plain<Cow<'a, str>> {
        let start = self.at + 1;
        let mut at = start;
        let mut escapes = false;
        loop {
            match self.bytes.get(at)? {
                b'\n' => return None,
                b'\\' => {
                    escapes = true;
                    at += 2;
                }
                b'"' => break,
                _ => at += 1,
            }
        }
        self.at = at + 1;
        let text = &self.text[start..at];
        if escapes {
            unescape(text).map(Cow::Owned)
        } else {
            Some(Cow::Borrowed(text))
        }
    }
}

/// Whether the text has characters that YAML allows only in few places, or nowhere: tabs, carriage returns, U+007F to
/// U+009F, U+2028, U+2029, byte order marks, non-characters.
pub(in crate::workflow::document) fn is_odd(text: &str) -> bool {
    let bytes = text.as_bytes();
    let follows =
        |at: usize, range: std::ops::RangeInclusive<u8>| bytes.get(at).is_some_and(|b| range.contains(b));
    let is_odd_beyond_ascii = |(at, byte): (usize, &u8)| match byte {
        0xC2 => follows(at + 1, 0x80..=0x9F),
        0xE2 => follows(at + 1, 0x80..=0x80) && follows(at + 2, 0xA8..=0xA9),
        0xEF => follows(at + 1, 0xBB..=0xBB) || follows(at + 1, 0xBF..=0xBF) && follows(at + 2, 0xBE..=0xBF),
        _ => false,
    };
    any(text, |byte| matches!(byte, b'\t' | b'\r' | 0x7F))
        || !text.is_ascii() && bytes.iter().enumerate().any(is_odd_beyond_ascii)
}

/// Whether any byte is such. Looks at all of them, which is faster than to stop early: the compiler uses vector
/// instructions.
pub(super) fn any(text: &str, is_such: impl Fn(u8) -> bool) -> bool {
    text.bytes().fold(false, |found, byte| found | is_such(byte))
}

/// Whether a scalar is a JSON text: then it may have all characters but control characters.
fn is_json_text(scalar: &str) -> bool {
    scalar.starts_with('"') && !scalar.contains(['\t', '\r'])
}

/// Resolves the escapes that JSON has; declines the others.
fn unescape(text: &str) -> Plain<String> {
    let mut result = String::with_capacity(text.len());
    let mut rest = text;
    while let Some(at) = rest.find('\\') {
        result.push_str(&rest[..at]);
        let escape = *rest.as_bytes().get(at + 1)?;
        let mut consumed = 2;
        result.push(match escape {
            b'"' | b'\\' | b'/' => char::from(escape),
            b'b' => '\u{8}',
            b'f' => '\u{c}',
            b'n' => '\n',
            b'r' => '\r',
            b't' => '\t',
            b'u' => {
                let first = hexadecimal(rest, at + 2)?;
                consumed = 6;
                match char::from_u32(first) {
                    Some(character) => character,
                    None => {
                        let second = hexadecimal(rest.get(at + 6..)?.strip_prefix("\\u")?, 0)?;
                        consumed = 12;
                        char::decode_utf16([first, second].map(|unit| unit as u16))
                            .next()?
                            .ok()?
                    }
                }
            }
            _ => return None,
        });
        rest = &rest[at + consumed..];
    }
    result.push_str(rest);
    Some(result)
}

fn hexadecimal(text: &str, at: usize) -> Plain<u32> {
    let digits = text.get(at..at + 4)?;
    if digits.starts_with('+') {
        None
    } else {
        u32::from_str_radix(digits, 16).ok()
    }
}
