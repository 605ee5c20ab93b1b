//! Finds the ordinary events of a stream. What is not ordinary is left to other code, byte for byte.

use std::borrow::Cow;
use std::mem;

use memchr::{memchr2, memmem};
use ssejet_core::{Event, Sink};

const OBJECT: &[u8] = b"data: {";
/// How many lines an event may have. Its lines are read again when more bytes arrive.
const MOST_LINES: usize = 16;

/// What is ordinary for the other reader.
#[derive(Clone, Copy)]
pub struct Habits {
    /// Whether it knows all fields and comments. Otherwise an event is one line of data that looks like a JSON
    /// object, and a blank line.
    pub all_fields: bool,
    /// Whether it ends lines at other characters than CR and LF, such as U+2028.
    pub unicode_lines: bool,
    /// How many bytes of an event that is not complete may be kept.
    pub limit: usize,
}

/// Splits a stream into its ordinary events, which the other reader reads alike.
///
/// From the first bytes on that are something else, it keeps all bytes, for the other reader.
pub struct Ordinary {
    habits: Habits,
    /// The bytes of an event that is not complete; all bytes once `is_odd`.
    pending: Vec<u8>,
    /// Where a line of these starts, and up to where it is known not to end.
    searched: (usize, usize),
    last_id: Vec<u8>,
    is_odd: bool,
}

/// What comes next.
enum Next<'a> {
    /// An event of this length.
    Event(Fields<'a>, usize),
    /// A comment of this length.
    Comment(usize),
    /// The bytes do not say yet.
    Incomplete,
    Odd,
}

#[derive(Default)]
struct Fields<'a> {
    event_type: &'a [u8],
    data: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    retry: Option<u64>,
}

/// A line, as far as it is known.
enum Line<'a> {
    /// Its text, and where the next one starts.
    Whole(&'a [u8], usize),
    Incomplete,
    Odd,
}

impl Ordinary {
    pub fn new(habits: Habits) -> Self {
        Self { habits, pending: Vec::new(), searched: (0, 0), last_id: Vec::new(), is_odd: false }
    }

    /// Whether something else than an ordinary event came.
    pub fn is_odd(&self) -> bool {
        self.is_odd
    }

    /// The bytes that were not given to the sink, after the ID that is in force.
    pub fn rest(&self) -> Vec<u8> {
        let id = if self.last_id.is_empty() { [].into() } else { [b"id: ", &*self.last_id, b"\n"].concat() };
        [&*id, &*self.pending].concat()
    }

    /// Gives the events that are complete to the sink.
    pub fn feed(&mut self, bytes: &[u8], sink: &mut impl Sink) {
        if self.is_odd {
            self.pending.extend_from_slice(bytes);
            return;
        }
        let input = if self.pending.is_empty() {
            Cow::Borrowed(bytes)
        } else {
            self.pending.extend_from_slice(bytes);
            Cow::Owned(mem::take(&mut self.pending))
        };
        let mut at = 0;
        while at < input.len() {
            let length = match self.next(&input[at..]) {
                Next::Event(fields, length) => {
                    self.give(&fields, sink);
                    length
                }
                Next::Comment(length) => length,
                Next::Incomplete => break,
                Next::Odd => {
                    self.is_odd = true;
                    break;
                }
            };
            at += length;
            self.searched = (0, 0);
        }
        self.pending = match input {
            Cow::Owned(bytes) if at == 0 => bytes,
            input => input[at..].to_vec(),
        };
        self.is_odd = self.is_odd || self.pending.len() > self.habits.limit;
    }

    /// Gives an event to the sink, also if it has no data: the other reader does so.
    fn give(&mut self, fields: &Fields<'_>, sink: &mut impl Sink) {
        if let Some(id) = fields.id {
            id.clone_into(&mut self.last_id);
        }
        let has_fields = fields.data.is_some() || !fields.event_type.is_empty() || fields.retry.is_some();
        if has_fields || !self.last_id.is_empty() {
            let mut event = Event::new(fields.event_type, fields.data.unwrap_or_default());
            event.last_event_id = Some(&self.last_id);
            event.retry = fields.retry;
            sink.event(event);
        }
    }

    fn next<'a>(&mut self, bytes: &'a [u8]) -> Next<'a> {
        let mut fields = Fields::default();
        let mut at = 0;
        for number in 0..MOST_LINES {
            let is_blank_expected = number > 0 || matches!(bytes[at..], [b'\r' | b'\n', ..]);
            if !self.habits.all_fields && !is_blank_expected && !begins(&bytes[at..], OBJECT) {
                return Next::Odd;
            }
            let (line, end) = match self.line(bytes, at) {
                Line::Whole(line, end) => (line, end),
                Line::Incomplete => return Next::Incomplete,
                Line::Odd => return Next::Odd,
            };
            if line.is_empty() {
                return Next::Event(fields, end);
            }
            let is_known = if self.habits.all_fields {
                if number == 0 && line[0] == b':' && self.is_plain(line) {
                    return Next::Comment(end);
                }
                self.read(line, &mut fields)
            } else {
                number == 0 && self.read_object(line, &mut fields)
            };
            if !is_known {
                return Next::Odd;
            }
            at = end;
        }
        Next::Odd
    }

    /// Reads a line with one JSON object.
    fn read_object<'a>(&self, line: &'a [u8], fields: &mut Fields<'a>) -> bool {
        fields.data = line.get(OBJECT.len() - 1..);
        line.last() == Some(&b'}') && self.is_plain(line)
    }

    /// Reads a line of any field; false if it is unknown what it means for the other reader.
    fn read<'a>(&self, line: &'a [u8], fields: &mut Fields<'a>) -> bool {
        if !self.is_plain(line) {
            return false;
        }
        let Some(colon) = line.iter().position(|&byte| byte == b':') else { return false };
        let value = &line[colon + 1..];
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match &line[..colon] {
            b"" => true,
            b"data" => fields.data.replace(value).is_none(),
            b"event" => {
                fields.event_type = value;
                is_word(value)
            }
            b"id" => {
                fields.id = Some(value);
                is_word(value)
            }
            b"retry" if value.len() < 10 && value.iter().all(u8::is_ascii_digit) => {
                fields.retry = std::str::from_utf8(value).ok().and_then(|digits| digits.parse().ok());
                fields.retry.is_some()
            }
            _ => false,
        }
    }

    fn line<'a>(&mut self, bytes: &'a [u8], start: usize) -> Line<'a> {
        let from = if self.searched.0 == start { self.searched.1.max(start) } else { start };
        let Some(found) = memchr2(b'\r', b'\n', &bytes[from..]) else {
            self.searched = (start, bytes.len());
            return Line::Incomplete;
        };
        let end = from + found;
        match &bytes[end..] {
            [b'\n', ..] => Line::Whole(&bytes[start..end], end + 1),
            [b'\r', b'\n', ..] => Line::Whole(&bytes[start..end], end + 2),
            [b'\r'] => {
                self.searched = (start, end);
                Line::Incomplete
            }
            _ => Line::Odd,
        }
    }

    /// Whether the other reader sees one line in this one, and the same text: it may read malformed UTF-8 in
    /// another way.
    fn is_plain(&self, line: &[u8]) -> bool {
        if self.habits.unicode_lines {
            // Without a branch, the compiler looks at many bytes at once.
            let has_control = line.iter().fold(0, |found, &byte| found | u8::from(byte < b' ')) != 0;
            if has_control {
                return false;
            }
        }
        line.is_ascii()
            || (simdutf8::basic::from_utf8(line).is_ok()
                && !(self.habits.unicode_lines
                    && [&b"\xC2\x85"[..], b"\xE2\x80\xA8", b"\xE2\x80\xA9"]
                        .iter()
                        .any(|separator| memmem::find(line, separator).is_some())))
    }
}

/// Whether bytes begin with a text, or are its beginning.
fn begins(bytes: &[u8], text: &[u8]) -> bool {
    bytes.starts_with(text) || text.starts_with(bytes)
}

/// Whether a value is text without spaces.
fn is_word(value: &[u8]) -> bool {
    !value.is_empty() && value.iter().all(u8::is_ascii_graphic)
}
