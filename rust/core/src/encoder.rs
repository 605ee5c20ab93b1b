//! The other direction: blocks written so that a parser gives back what went in.

use std::io::Write;

use memchr::memchr3;

use crate::InvalidField;
use crate::lines::Line;

/// What one block says, in the order in which it is written.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Block<'a> {
    /// A comment: each of its lines follows a colon and a space.
    pub comment: Option<&'a [u8]>,
    /// The event type.
    pub event_type: Option<&'a [u8]>,
    /// The last event ID from here on; an empty one resets it.
    pub id: Option<&'a [u8]>,
    /// The reconnection time in milliseconds.
    pub retry: Option<u64>,
    /// The data. Its lines may end with CRLF, LF or CR; parsers join them with LF.
    pub data: Option<&'a [u8]>,
}

impl Block<'_> {
    /// Appends the block and the blank line that ends it.
    ///
    /// # Errors
    ///
    /// [`InvalidField`], and nothing is written, if the event type or the id holds a byte that
    /// would end its line, or make parsers ignore it.
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
            // Writing to a Vec cannot fail.
            let _ = writeln!(out, "retry: {retry}");
        }
        if let Some(data) = self.data {
            lines(b"data: ", data, out);
        }
        out.push(b'\n');
        Ok(())
    }
}

fn check(field: &'static str, value: Option<&[u8]>) -> Result<(), InvalidField> {
    match value.and_then(|value| memchr3(b'\r', b'\n', 0, value).map(|place| value[place])) {
        Some(byte) => Err(InvalidField { field, byte }),
        None => Ok(()),
    }
}

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
