//! The wire format of protocol buffers, as far as OTLP needs it:
//! <https://protobuf.dev/programming-guides/encoding/>. Fields with the default value are left out.

/// A message that is being written.
#[derive(Debug, Default)]
pub(crate) struct Message(Vec<u8>);

const VARINT: u32 = 0;
const FIXED64: u32 = 1;
const BYTES: u32 = 2;
const FIXED32: u32 = 5;

impl Message {
    /// Writes into this memory, over whatever it has held.
    pub(crate) fn new(mut memory: Vec<u8>) -> Message {
        memory.clear();
        Message(memory)
    }

    pub(crate) fn into_bytes(self) -> Vec<u8> {
        self.0
    }

    fn tag(&mut self, field: u32, wire_type: u32) {
        self.raw_varint(u64::from(field << 3 | wire_type));
    }

    #[inline]
    fn raw_varint(&mut self, value: u64) {
        match u8::try_from(value) {
            // Nearly all are: tags, and lengths of names.
            Ok(value) if value < 0x80 => self.0.push(value),
            _ => self.long_varint(value),
        }
    }

    #[cold]
    fn long_varint(&mut self, value: u64) {
        let (bytes, taken) = varint(value);
        self.0.extend_from_slice(&bytes[..taken]);
    }

    /// `int64`, `uint32`, `enum`, `bool`.
    pub(crate) fn varint(&mut self, field: u32, value: u64) {
        if value != 0 {
            self.tag(field, VARINT);
            self.raw_varint(value);
        }
    }

    /// A member of a `oneof`, which is written even if it has the default value.
    pub(crate) fn chosen_varint(&mut self, field: u32, value: u64) {
        self.tag(field, VARINT);
        self.raw_varint(value);
    }

    /// `fixed64`, `sfixed64`, `double`; written even if 0, because some are members of a `oneof`.
    pub(crate) fn fixed64(&mut self, field: u32, value: u64) {
        self.tag(field, FIXED64);
        self.0.extend_from_slice(&value.to_le_bytes());
    }

    /// `fixed32`.
    pub(crate) fn fixed32(&mut self, field: u32, value: u32) {
        if value != 0 {
            self.tag(field, FIXED32);
            self.0.extend_from_slice(&value.to_le_bytes());
        }
    }

    /// `string`, `bytes`.
    pub(crate) fn bytes(&mut self, field: u32, value: &[u8]) {
        if !value.is_empty() {
            self.chosen_bytes(field, value);
        }
    }

    /// A member of a `oneof`.
    pub(crate) fn chosen_bytes(&mut self, field: u32, value: &[u8]) {
        self.tag(field, BYTES);
        self.raw_varint(value.len() as u64);
        self.0.extend_from_slice(value);
    }

    /// A `string` in pieces.
    pub(crate) fn text_of(&mut self, field: u32, pieces: [&str; 2]) {
        self.tag(field, BYTES);
        self.raw_varint(pieces.iter().map(|piece| piece.len() as u64).sum());
        for piece in pieces {
            self.0.extend_from_slice(piece.as_bytes());
        }
    }

    /// Fields of this message that were written before.
    pub(crate) fn fields(&mut self, fields: &[u8]) {
        self.0.extend_from_slice(fields);
    }

    /// A message within this one, of less than 128 bytes most of the time.
    pub(crate) fn message(&mut self, field: u32, write: impl FnOnce(&mut Message)) {
        self.message_with_room(1, field, write);
    }

    /// The same, where the length mostly takes `room` bytes.
    pub(crate) fn message_with_room(&mut self, room: usize, field: u32, write: impl FnOnce(&mut Message)) {
        let open = self.open(room, field);
        write(self);
        self.close(open);
    }

    /// Begins a message within this one: what is written from now on is part of it, until it is closed.
    pub(crate) fn open(&mut self, room: usize, field: u32) -> Open {
        self.tag(field, BYTES);
        let start = self.0.len();
        self.0.resize(start + room, 0);
        Open { start, room }
    }

    /// Ends a message within this one. It was written in place, and is moved when its length does not fit.
    #[inline]
    pub(crate) fn close(&mut self, open: Open) {
        let length = self.0.len() - open.start - open.room;
        match u8::try_from(length) {
            Ok(length) if length < 0x80 && open.room == 1 => self.0[open.start] = length,
            _ => self.close_long(open),
        }
    }

    fn close_long(&mut self, Open { start, room }: Open) {
        let (begin, end) = (start + room, self.0.len());
        let (length, taken) = varint((end - begin) as u64);
        if taken != room {
            self.0.resize(end.max(end + taken - room), 0);
            self.0.copy_within(begin..end, start + taken);
            self.0.truncate(end + taken - room);
        }
        self.0[start..start + taken].copy_from_slice(&length[..taken]);
    }
}

/// A message within another that is still written.
#[derive(Debug)]
pub(crate) struct Open {
    start: usize,
    room: usize,
}

/// A number as it is written, and how many bytes that takes.
fn varint(mut value: u64) -> ([u8; 10], usize) {
    let mut bytes = [0; 10];
    let mut taken = 0;
    while value >= 0x80 {
        bytes[taken] = u8::try_from(value & 0x7f).unwrap_or(0) | 0x80;
        value >>= 7;
        taken += 1;
    }
    bytes[taken] = u8::try_from(value).unwrap_or(0);
    (bytes, taken + 1)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The examples of the specification, and a number that takes ten bytes.
    #[test]
    fn the_examples_of_the_specification_are_written_as_it_says() {
        let mut message = Message::default();
        message.varint(1, 150);
        message.bytes(2, b"testing");
        message.message(3, |inner| inner.varint(1, 150));
        message.chosen_varint(4, u64::MAX);
        message.varint(5, 0);
        message.bytes(6, b"");
        let expected =
            b"\x08\x96\x01\x12\x07testing\x1a\x03\x08\x96\x01\x20\xff\xff\xff\xff\xff\xff\xff\xff\xff\x01";
        assert_eq!(message.into_bytes(), expected);
    }

    #[test]
    fn lengths_of_any_size_stand_before_what_they_count() {
        let lengths = [
            0, 1, 120, 124, 125, 126, 127, 128, 129, 16_380, 16_382, 16_384, 3_000_000,
        ];
        for (length, room) in lengths
            .into_iter()
            .flat_map(|length| [1, 2, 3].map(|room| (length, room)))
        {
            let text = vec![b'x'; length];
            let mut message = Message::new(vec![7; 3]);
            message.message_with_room(room, 1, |outer| {
                outer.message_with_room(room, 2, |inner| inner.chosen_bytes(3, &text));
                outer.varint(4, 1);
            });
            message.varint(5, 1);

            let [mut inner, mut outer, mut expected] = [(); 3].map(|()| Message::default());
            inner.chosen_bytes(3, &text);
            outer.chosen_bytes(2, &inner.0);
            outer.varint(4, 1);
            expected.chosen_bytes(1, &outer.0);
            expected.varint(5, 1);
            assert!(message.0 == expected.0, "{length}");
        }
    }
}
