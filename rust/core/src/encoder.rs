//! Encodes blocks. A parser decodes them to the same fields.

use alloc::string::ToString;
use alloc::vec::Vec;

use memchr::memchr3;

use crate::InvalidField;
use crate::lines::Line;

/// The fields of one block, in the order of the output.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// A comment. It may have several lines.
    pub comment: Option<&'a [u8]>,
    /// The event type.
    pub event_type: Option<&'a [u8]>,
    /// The last event ID from this block on. An empty id resets it.
    pub id: Option<&'a [u8]>,
    /// The reconnection time in milliseconds.
    pub retry: Option<u64>,
    /// The data. Its lines may end with CRLF, LF or CR; a parser joins them with LF.
    pub data: Option<&'a [u8]>,
}

impl Block<'_> {
    /// Appends the block and the blank line that ends it.
    ///
    /// # Errors
    ///
    /// [`InvalidField`] if the event type or the id contains CR or LF, which end a line, or NUL, which
    /// makes parsers ignore an id. Then nothing is written.
    pub fn encode(&self, out: &mut Vec<u8>) -> Result<(), InvalidField> {
        check("event", self.event_type)?;
        check("id", self.id)?;
        let parts = [self.comment, self.event_type, self.id, self.data];
        out.reserve(parts.iter().flatten().map(|part| part.len() + "event: \n".len()).sum::<usize>() + 1);
        if let Some(comment) = self.comment {
            lines(b": ", comment, out);
        }
        if let Some(event_type) = self.event_type {
            line(b"event: ", event_type, out);
        }
        if let Some(id) = self.id {
            line(b"id: ", id, out);
        }
        if let Some(retry) = self.retry {
            line(b"retry: ", retry.to_string().as_bytes(), out);
        }
        if let Some(data) = self.data {
            lines(b"data: ", data, out);
        }
        out.push(b'\n');
        Ok(())
    }
}

/// Checks that a value contains no CR, LF or NUL.
fn check(field: &'static str, value: Option<&[u8]>) -> Result<(), InvalidField> {
    match value.and_then(|value| memchr3(b'\r', b'\n', 0, value).map(|index| value[index])) {
        Some(byte) => Err(InvalidField { field, byte }),
        None => Ok(()),
    }
}

/// Writes `start` and a line of the value, for each line.
fn lines(start: &[u8], mut value: &[u8], out: &mut Vec<u8>) {
    while let Some(cut) = Line::cut(value) {
        line(start, cut.content, out);
        value = cut.rest;
    }
    line(start, value, out);
}

#[inline]
fn line(start: &[u8], value: &[u8], out: &mut Vec<u8>) {
    out.extend_from_slice(start);
    out.extend_from_slice(value);
    out.push(b'\n');
}
