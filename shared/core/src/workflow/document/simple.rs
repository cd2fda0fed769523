//! The fast reader for plain documents: JSON, and YAML made of block and flow collections with one-line scalars.
//!
//! It declines (returns `None`) whatever is rare, doubtful or wrong: control characters, anchors, tags, directives,
//! several documents, block and multi-line scalars, complex keys, repeated keys, limits exceeded. What it accepts means
//! the same to a full YAML parser; beyond that it accepts all JSON with characters that YAML does not allow.

mod scalars;

use scalars::Token;
pub(super) use scalars::is_odd;

use super::{Content, Entry, Limits, Node, repeated_key, scalar};

/// Reads `text` when it is plain.
pub(super) fn read<'a>(text: &'a str, limits: &Limits) -> Option<Node<'a>> {
    if scalars::any(text, |byte| byte < b' ' && !matches!(byte, b'\n' | b'\r' | b'\t')) {
        return None;
    }
    let mut reader = Reader {
        text,
        bytes: text.as_bytes(),
        at: 0,
        line_start: 0,
        depth_left: limits.depth,
        nodes_left: limits.nodes,
        text_bytes_max: limits.text_bytes,
        has_oddities: is_odd(text),
        is_flow: false,
        is_doubtful: false,
    };
    reader.next_content();
    let tree = match reader.peek()? {
        b'{' | b'[' => {
            reader.is_flow = true;
            let tree = reader.flow()?;
            reader.end_of_line()?;
            reader.next_content();
            tree
        }
        _ if reader.column() == 0 => reader.block()?,
        _ => return None,
    };
    if reader.peek().is_none() && !reader.is_doubtful {
        Some(tree)
    } else {
        None
    }
}

struct Reader<'a> {
    text: &'a str,
    bytes: &'a [u8],
    at: usize,
    line_start: usize,
    depth_left: usize,
    nodes_left: usize,
    text_bytes_max: usize,
    /// Whether the text as a whole [is odd](is_odd): only then its parts need to be looked at.
    has_oddities: bool,
    /// Whether the document is one flow collection: then tabs and carriage returns separate.
    is_flow: bool,
    /// Something is not right.
    is_doubtful: bool,
}

/// Declines.
type Plain<T> = Option<T>;

impl<'a> Reader<'a> {
    fn peek(&self) -> Option<u8> {
        self.bytes.get(self.at).copied()
    }

    fn peek_second(&self) -> Option<u8> {
        self.bytes.get(self.at + 1).copied()
    }

    fn offset(&self) -> u32 {
        self.at as u32
    }

    fn column(&self) -> usize {
        self.at - self.line_start
    }

    /// Whether the next content stands at `column`.
    fn is_at(&self, column: usize) -> bool {
        self.peek().is_some() && self.column() == column
    }

    /// Whether the next content stands right of `column`.
    fn is_right_of(&self, column: usize) -> bool {
        self.peek().is_some() && self.column() > column
    }

    fn at_dash(&self) -> bool {
        self.peek() == Some(b'-') && matches!(self.peek_second(), None | Some(b' ' | b'\n'))
    }

    fn node(&mut self, at: u32, content: Content<'a>) -> Plain<Node<'a>> {
        self.nodes_left = self.nodes_left.checked_sub(1)?;
        Some(Node { at, content })
    }

    fn object(&mut self, at: u32, entries: Vec<Entry<'a>>) -> Plain<Node<'a>> {
        match repeated_key(&entries) {
            None => self.node(at, Content::Object(entries)),
            Some(_) => None,
        }
    }

    fn nested<T>(&mut self, read: impl FnOnce(&mut Self) -> Plain<T>) -> Plain<T> {
        self.depth_left = self.depth_left.checked_sub(1)?;
        let result = read(self);
        self.depth_left += 1;
        result
    }

    fn skip_spaces(&mut self) {
        while self.peek() == Some(b' ') {
            self.at += 1;
        }
    }

    /// Skips a line break.
    fn skip_break(&mut self) {
        self.at += 1;
        self.line_start = self.at;
    }

    fn skip_comment(&mut self) {
        let start = self.at;
        while self.peek().is_some_and(|byte| byte != b'\n') {
            self.at += 1;
        }
        self.is_doubtful |= self.has_oddities && is_odd(&self.text[start..self.at]);
    }

    /// From the start of a line to the next line with content.
    fn next_content(&mut self) {
        loop {
            self.skip_spaces();
            if self.peek() == Some(b'#') {
                self.skip_comment();
            }
            if self.peek() != Some(b'\n') {
                return;
            }
            self.skip_break();
        }
    }

    /// Skips what may follow a value on its line.
    fn end_of_line(&mut self) -> Plain<()> {
        let from = self.at;
        self.skip_spaces();
        match self.peek() {
            Some(b'#') if self.at > from => self.skip_comment(),
            None | Some(b'\n') => {}
            Some(_) => return None,
        }
        Some(())
    }

    /// Whether nothing but a comment follows on the line.
    fn at_end_of_line(&self) -> bool {
        matches!(self.peek(), None | Some(b'\n'))
            || (self.peek() == Some(b'#') && self.bytes[self.at - 1] == b' ')
    }

    /// A collection in block style, or a scalar, at the start of a line's content; ends at the next content.
    fn block(&mut self) -> Plain<Node<'a>> {
        let column = self.column();
        if self.at_dash() {
            return self.nested(|reader| reader.block_list(column));
        }
        if matches!(self.peek(), Some(b'{' | b'[')) {
            let node = self.flow()?;
            self.end_of_line()?;
            self.next_content();
            return Some(node);
        }
        let token = self.token(false)?;
        if self.at_colon() {
            return self.nested(|reader| reader.block_object(column, token));
        }
        self.end_of_line()?;
        self.next_content();
        self.scalar(token)
    }

    fn at_colon(&self) -> bool {
        self.peek() == Some(b':') && matches!(self.peek_second(), None | Some(b' ' | b'\n'))
    }

    fn block_list(&mut self, column: usize) -> Plain<Node<'a>> {
        let at = self.offset();
        let mut items = Vec::new();
        while self.is_at(column) && self.at_dash() {
            self.at += 1;
            let after_dash = self.offset();
            self.skip_spaces();
            if self.at_end_of_line() {
                self.next_content();
            }
            if self.is_right_of(column) {
                items.push(self.block()?);
            } else {
                items.push(self.node(after_dash, Content::Null)?);
            }
        }
        if self.is_right_of(column) {
            None
        } else {
            self.node(at, Content::List(items))
        }
    }

    /// `first` is the first key; the reader stands at its colon.
    fn block_object(&mut self, column: usize, first: Token<'a>) -> Plain<Node<'a>> {
        let at = first.at;
        let mut entries = Vec::new();
        let mut key = first;
        loop {
            self.at += 1;
            let value = self.block_value(column)?;
            if key.plain && key.text == "<<" || key.text.len() > self.text_bytes_max {
                return None;
            }
            entries.push(Entry {
                key_at: key.at,
                key: key.text,
                value,
            });
            if !self.is_at(column) {
                break;
            }
            key = self.token(false)?;
            if !self.at_colon() {
                return None;
            }
        }
        if self.is_right_of(column) {
            None
        } else {
            self.object(at, entries)
        }
    }

    /// The value behind a key's colon; ends at the next content.
    fn block_value(&mut self, column: usize) -> Plain<Node<'a>> {
        let after_key = self.offset();
        self.skip_spaces();
        if self.at_end_of_line() {
            self.next_content();
            return if self.is_right_of(column) {
                self.block()
            } else if self.is_at(column) && self.at_dash() {
                self.nested(|reader| reader.block_list(column))
            } else {
                self.node(after_key, Content::Null)
            };
        }
        let node = match self.peek() {
            Some(b'{' | b'[') => self.flow()?,
            _ => {
                let token = self.token(false)?;
                self.scalar(token)?
            }
        };
        self.end_of_line()?;
        self.next_content();
        if self.is_right_of(column) {
            None
        } else {
            Some(node)
        }
    }

    fn flow(&mut self) -> Plain<Node<'a>> {
        match self.peek()? {
            b'[' => self.nested(Self::flow_list),
            b'{' => self.nested(Self::flow_object),
            _ => {
                let token = self.token(true)?;
                self.scalar(token)
            }
        }
    }

    fn flow_list(&mut self) -> Plain<Node<'a>> {
        let at = self.offset();
        let mut items = Vec::new();
        self.at += 1;
        loop {
            self.skip_flow_space()?;
            if self.peek()? == b']' {
                break;
            }
            items.push(self.flow()?);
            self.skip_flow_space()?;
            match self.peek()? {
                b',' => self.at += 1,
                b']' => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.node(at, Content::List(items))
    }

    fn flow_object(&mut self) -> Plain<Node<'a>> {
        let at = self.offset();
        let mut entries = Vec::new();
        self.at += 1;
        loop {
            self.skip_flow_space()?;
            if self.peek()? == b'}' {
                break;
            }
            let key = self.token(true)?;
            self.skip_spaces();
            if self.peek()? != b':' || key.plain && key.text == "<<" || key.text.len() > self.text_bytes_max {
                return None;
            }
            self.at += 1;
            self.skip_flow_space()?;
            let value = self.flow()?;
            entries.push(Entry {
                key_at: key.at,
                key: key.text,
                value,
            });
            self.skip_flow_space()?;
            match self.peek()? {
                b',' => self.at += 1,
                b'}' => break,
                _ => return None,
            }
        }
        self.at += 1;
        self.object(at, entries)
    }

    /// Skips spaces, line breaks and comments inside a flow collection.
    fn skip_flow_space(&mut self) -> Plain<()> {
        loop {
            match self.peek() {
                Some(b' ') => self.at += 1,
                Some(b'\t' | b'\r') if self.is_flow => self.at += 1,
                Some(b'\n') => self.skip_break(),
                Some(b'#') if matches!(self.bytes[self.at - 1], b' ' | b'\n') => self.skip_comment(),
                Some(b'#') => return None,
                _ => return Some(()),
            }
        }
    }

    fn scalar(&mut self, token: Token<'a>) -> Plain<Node<'a>> {
        if token.text.len() > self.text_bytes_max {
            return None;
        }
        let content = if token.plain {
            scalar::resolve(token.text)?
        } else {
            Content::Text(token.text)
        };
        self.node(token.at, content)
    }
}
