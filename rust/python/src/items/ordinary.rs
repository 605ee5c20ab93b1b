//! Finds the ordinary events of a stream. What is not ordinary is left to other code, byte for byte.

use std::borrow::Cow;
use std::mem;

use memchr::{memchr, memmem};
use ssejet_core::{Event, Sink};

const EVENT: &[u8] = b"event: ";
const DATA: &[u8] = b"data: {";
const NAME: usize = b"data: ".len();

/// Splits a stream into its ordinary events, which all readers of event streams read alike: one line with the
/// data, which looks like a JSON object, after a line with the type if `typed`; then a blank line.
///
/// From the first bytes on that are something else, it keeps all bytes, for another reader.
pub struct Ordinary {
    typed: bool,
    /// How many bytes of a line may be kept.
    limit: usize,
    /// The bytes of an event that is not complete; all bytes once `is_odd`.
    pending: Vec<u8>,
    /// Where a line of these starts, and up to where it is known not to end.
    searched: (usize, usize),
    is_odd: bool,
}

/// What comes next.
enum Next<'a> {
    /// An event of this length.
    Event(Event<'a>, usize),
    /// A blank line of this length.
    Blank(usize),
    /// The bytes do not say yet.
    Incomplete,
    Odd,
}

/// A line, as far as it is known.
enum Line<'a> {
    /// Its text, and where the next one starts.
    Whole(&'a [u8], usize),
    Incomplete,
    Odd,
}

impl Ordinary {
    pub fn new(typed: bool, limit: usize) -> Self {
        Self { typed, limit, pending: Vec::new(), searched: (0, 0), is_odd: false }
    }

    /// Whether something else than an ordinary event came.
    pub fn is_odd(&self) -> bool {
        self.is_odd
    }

    /// The bytes that were not given to the sink.
    pub fn rest(&self) -> &[u8] {
        &self.pending
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
            match self.next(&input[at..]) {
                Next::Event(event, length) => {
                    sink.event(event);
                    at += length;
                    self.searched = (0, 0);
                }
                Next::Blank(length) => at += length,
                Next::Incomplete => break,
                Next::Odd => {
                    self.is_odd = true;
                    break;
                }
            }
        }
        self.pending = match input {
            Cow::Owned(bytes) if at == 0 => bytes,
            input => input[at..].to_vec(),
        };
        self.is_odd = self.is_odd || self.pending.len() > self.limit;
    }

    fn next<'a>(&mut self, bytes: &'a [u8]) -> Next<'a> {
        match bytes {
            [b'\n', ..] => return Next::Blank(1),
            [b'\r', b'\n', ..] => return Next::Blank(2),
            [b'\r'] => return Next::Incomplete,
            _ => {}
        }
        let mut at = 0;
        let mut event_type: &[u8] = b"";
        if self.typed && begins(bytes, EVENT) != Some(false) {
            match self.line(bytes, 0) {
                Line::Whole(line, end) => {
                    event_type = &line[EVENT.len()..];
                    at = end;
                }
                Line::Incomplete => return Next::Incomplete,
                Line::Odd => return Next::Odd,
            }
            if !event_type.iter().all(u8::is_ascii_graphic) {
                return Next::Odd;
            }
        }
        match begins(&bytes[at..], DATA) {
            Some(true) => {}
            Some(false) => return Next::Odd,
            None => return Next::Incomplete,
        }
        let (data, end) = match self.line(bytes, at) {
            Line::Whole(line, end) => (&line[NAME..], end),
            Line::Incomplete => return Next::Incomplete,
            Line::Odd => return Next::Odd,
        };
        if !is_plain(data) {
            return Next::Odd;
        }
        let length = match &bytes[end..] {
            [b'\n', ..] => end + 1,
            [b'\r', b'\n', ..] => end + 2,
            [] | [b'\r'] => return Next::Incomplete,
            _ => return Next::Odd,
        };
        Next::Event(Event::new(event_type, data), length)
    }

    fn line<'a>(&mut self, bytes: &'a [u8], start: usize) -> Line<'a> {
        let from = if self.searched.0 == start { self.searched.1.max(start) } else { start };
        let Some(found) = memchr(b'\n', &bytes[from..]) else {
            self.searched = (start, bytes.len());
            return Line::Incomplete;
        };
        let end = from + found;
        let line = &bytes[start..end];
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        if line.len() < EVENT.len() { Line::Odd } else { Line::Whole(line, end + 1) }
    }
}

/// Whether bytes begin with a text; `None` if they are its beginning.
fn begins(bytes: &[u8], text: &[u8]) -> Option<bool> {
    if bytes.len() < text.len() && text.starts_with(bytes) { None } else { Some(bytes.starts_with(text)) }
}

/// Whether all readers see one line in this data: some also end lines at other characters than CR and LF, and
/// they differ about malformed text.
fn is_plain(data: &[u8]) -> bool {
    // Without a branch, the compiler looks at many bytes at once.
    let has_control = data.iter().fold(0, |found, &byte| found | u8::from(byte < b' ')) != 0;
    if has_control || data.last() != Some(&b'}') {
        return false;
    }
    data.is_ascii()
        || (simdutf8::basic::from_utf8(data).is_ok()
            && [&b"\xC2\x85"[..], b"\xE2\x80\xA8", b"\xE2\x80\xA9"]
                .iter()
                .all(|separator| memmem::find(data, separator).is_none()))
}
