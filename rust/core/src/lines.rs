//! Where a line ends, and which field it holds.

use memchr::memchr2;

/// A field of the format, or a comment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) enum Field {
    Data,
    Event,
    Id,
    Retry,
    Comment,
}

/// A comment is a line whose field name is empty.
const FIELDS: [(&[u8], Field); 5] = [
    (b"data", Field::Data),
    (b"event", Field::Event),
    (b"id", Field::Id),
    (b"retry", Field::Retry),
    (b"", Field::Comment),
];

const LONGEST_NAME: usize = 5;

impl Field {
    fn named(name: &[u8]) -> Option<Self> {
        FIELDS.iter().find(|(known, _)| *known == name).map(|&(_, field)| field)
    }

    /// The value in what follows the colon: one leading space is removed, except in comments.
    pub(crate) fn value(self, after_colon: &[u8]) -> &[u8] {
        match after_colon {
            [b' ', value @ ..] if self != Self::Comment => value,
            _ => after_colon,
        }
    }
}

/// A line without its terminator, and the bytes after it.
pub(crate) struct Line<'c> {
    pub(crate) content: &'c [u8],
    pub(crate) rest: &'c [u8],
    /// The terminator was a CR at the end of the chunk, so an LF that comes next belongs to it.
    pub(crate) open_cr: bool,
}

impl<'c> Line<'c> {
    /// Cuts the first line, or gives `None` if no line ends in these bytes.
    #[inline]
    pub(crate) fn cut(bytes: &'c [u8]) -> Option<Self> {
        let end = match bytes {
            // A blank line follows every event, and a search costs more than this look.
            [b'\n' | b'\r', ..] => 0,
            _ => memchr2(b'\n', b'\r', bytes)?,
        };
        let (content, terminated) = bytes.split_at(end);
        let (rest, open_cr) = match terminated {
            [b'\r', b'\n', rest @ ..] => (rest, false),
            [b'\r'] => (&[][..], true),
            _ => (&terminated[1..], false),
        };
        Some(Self { content, rest, open_cr })
    }
}

/// The value of a line of data with a colon.
#[inline]
pub(crate) fn data(line: &[u8]) -> Option<&[u8]> {
    line.strip_prefix(b"data:").map(|after_colon| Field::Data.value(after_colon))
}

/// Splits a complete, non-empty line into its field and value. `None` if the field is unknown.
#[inline]
pub(crate) fn field(line: &[u8]) -> Option<(Field, &[u8])> {
    if let Some(value) = data(line) {
        return Some((Field::Data, value));
    }
    if let Some(colon) = colon(line) {
        let field = Field::named(&line[..colon])?;
        return Some((field, field.value(&line[colon + 1..])));
    }
    Field::named(line).map(|field| (field, &[][..]))
}

/// The start of a line whose colon has not arrived. It is the start of a known field's name.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Name {
    bytes: [u8; LONGEST_NAME],
    len: usize,
}

/// What the start of a line can still become.
pub(crate) enum Start<'c> {
    /// There is no colon yet, and the name of a known field begins like this.
    Name(Name),
    /// The field is known. `after_colon` may start with the space that is not part of the value.
    Value { field: Field, after_colon: &'c [u8] },
    /// The field is not a known one.
    Unknown,
}

impl Name {
    pub(crate) fn as_bytes(&self) -> &[u8] {
        &self.bytes[..self.len]
    }

    /// Takes the next piece of the line.
    pub(crate) fn extend(self, piece: &[u8]) -> Start<'_> {
        // These bytes decide: the longest name and its colon.
        let mut start = [0; LONGEST_NAME + 1];
        let len = start.len().min(self.len + piece.len());
        start[..self.len].copy_from_slice(self.as_bytes());
        start[self.len..len].copy_from_slice(&piece[..len - self.len]);
        let start = &start[..len];
        match colon(start) {
            Some(colon) => match Field::named(&start[..colon]) {
                Some(field) => Start::Value { field, after_colon: &piece[colon + 1 - self.len..] },
                None => Start::Unknown,
            },
            None if FIELDS.iter().any(|(name, _)| name.starts_with(start)) => {
                let mut name = Self { len, ..Self::default() };
                name.bytes[..len].copy_from_slice(start);
                Start::Name(name)
            }
            None => Start::Unknown,
        }
    }
}

/// The index of the colon, if the name before it is short enough to be known.
fn colon(line: &[u8]) -> Option<usize> {
    line.iter().take(LONGEST_NAME + 1).position(|&byte| byte == b':')
}

/// The milliseconds of a `retry` value. `None` if it is not ASCII digits only. A value that does
/// not fit into a signed 64-bit integer becomes the largest one.
pub(crate) fn milliseconds(value: &[u8]) -> Option<u64> {
    if value.is_empty() || !value.iter().all(u8::is_ascii_digit) {
        return None;
    }
    let clamped =
        value.iter().fold(0_u64, |sum, digit| sum.saturating_mul(10).saturating_add(u64::from(digit - b'0')));
    Some(clamped.min(i64::MAX.unsigned_abs()))
}
