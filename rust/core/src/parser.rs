//! The parser. Only this module reads and changes the parser's state.

use alloc::vec::Vec;
use core::mem;

use crate::lines::{self, Field, Line, Name, Start};
use crate::{Dispatch, Event, EventTooLarge, Options, Sink};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// The most bytes of capacity that a buffer keeps after its event.
const KEPT_CAPACITY: usize = 64 << 10;

/// Where in a line the last chunk stopped.
///
/// | state | next piece of the line | end of the line |
/// |---|---|---|
/// | `Bom` | the mark is skipped; `Bom`, `LineStart` or `Ignored` follows | |
/// | `LineStart` | `Name` | |
/// | `Name` | `Name`, `Colon` or `Ignored` | the field has no value |
/// | `Colon` | `Value` | the value is empty |
/// | `Value` | `Value` | the value is complete |
/// | `Ignored` | `Ignored` | the line is dropped |
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    LineStart,
    /// At the start of the stream, after this many bytes of the byte order mark.
    Bom(usize),
    /// In a name that a known field may have.
    Name(Name),
    /// After the colon. A space that comes next is not part of the value, except in a comment.
    Colon(Field),
    /// In a value. The block's data receives data as it arrives; `tail_bytes` receives other values.
    Value(Field),
    /// In a line without a known field.
    Ignored,
}

/// The fields since the last blank line, as far as they are copied.
#[derive(Clone, Debug, Default)]
struct Block {
    data: Vec<u8>,
    has_data: bool,
    event_type: Vec<u8>,
    id: Vec<u8>,
    has_id: bool,
    retry: Option<u64>,
    has_field: bool,
}

/// The fields since the last blank line that are still borrowed from the chunk.
///
/// At the end of the chunk they are copied to the [`Block`].
#[derive(Clone, Copy, Default)]
struct Borrowed<'c> {
    data: Option<&'c [u8]>,
    event_type: Option<&'c [u8]>,
}

/// An incremental parser of event streams.
///
/// The events do not depend on how the bytes are cut into chunks, and a cut never makes the parser read a
/// byte again.
#[derive(Clone, Debug)]
pub struct Parser {
    options: Options,
    tail: Tail,
    tail_bytes: Vec<u8>,
    /// The last chunk ended with a CR. If an LF comes next, both are one line end.
    open_cr: bool,
    failed: bool,
    block: Block,
    // The fields below outlive blocks and connections.
    last_event_id: Vec<u8>,
    has_last_event_id: bool,
    reconnection_time: Option<u64>,
}

impl Block {
    /// Starts a line of data: joins it to the line before it.
    fn start_data(&mut self) {
        if mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
    }

    /// Copies the borrowed fields, at the end of their chunk.
    #[inline]
    fn copy(&mut self, borrowed: Borrowed<'_>) {
        if let Some(data) = borrowed.data {
            self.start_data();
            self.data.extend_from_slice(data);
        }
        if let Some(event_type) = borrowed.event_type {
            self.event_type.clear();
            self.event_type.extend_from_slice(event_type);
        }
    }

    /// The size of the block in bytes, with an empty line of this field added.
    #[inline]
    fn size_with(&self, borrowed: Borrowed<'_>, field: Field) -> usize {
        let data = borrowed.data.unwrap_or(&self.data);
        let joiner = field == Field::Data && (self.has_data || borrowed.data.is_some());
        let event_type = borrowed.event_type.unwrap_or(&self.event_type);
        data.len() + usize::from(joiner) + event_type.len() + self.id.len()
    }

    /// Whether a blank line dispatches an event.
    #[inline]
    fn is_dispatched(&self, rule: Dispatch, borrowed: Borrowed<'_>, last_event_id: &[u8]) -> bool {
        let has_data = self.has_data || borrowed.data.is_some();
        match rule {
            Dispatch::Data => has_data,
            Dispatch::AnyField => self.has_field,
            Dispatch::AnyState => {
                has_data
                    || !borrowed.event_type.unwrap_or(&self.event_type).is_empty()
                    || !last_event_id.is_empty()
                    || self.retry.is_some()
            }
        }
    }

    /// Whether the block holds nothing that affects an event.
    #[inline]
    fn is_unused(&self) -> bool {
        !self.has_data && !self.has_id && self.retry.is_none() && self.event_type.is_empty()
    }

    #[inline]
    fn clear(&mut self) {
        self.has_data = false;
        self.has_id = false;
        self.has_field = false;
        self.retry = None;
        recycle(&mut self.data);
        recycle(&mut self.event_type);
        recycle(&mut self.id);
    }
}

/// Empties a buffer, and frees its memory if it is large.
#[inline]
fn recycle(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}

impl Parser {
    /// Makes a parser at the start of a stream.
    #[must_use]
    pub fn new(options: Options) -> Self {
        Self {
            options,
            tail: Tail::Bom(0),
            tail_bytes: Vec::new(),
            open_cr: false,
            failed: false,
            block: Block::default(),
            last_event_id: Vec::new(),
            has_last_event_id: false,
            reconnection_time: None,
        }
    }

    /// Sets the last event ID, to resume after the event with this id. An empty id means no id.
    #[must_use]
    pub fn with_last_event_id(mut self, id: &[u8]) -> Self {
        self.last_event_id = id.to_vec();
        self.has_last_event_id = !id.is_empty();
        self
    }

    /// The last event ID as of the last blank line; empty if there is none.
    #[must_use]
    pub fn last_event_id(&self) -> &[u8] {
        &self.last_event_id
    }

    /// The reconnection time in milliseconds, from the last valid `retry` line.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    /// Whether an event was too large. The parser then refuses input until [`reset`](Self::reset).
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Parses the next bytes of the stream, and calls the sink with the events that they complete.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if an event is larger than the limit, and at each later call until
    /// [`reset`](Self::reset).
    #[inline]
    pub fn feed(&mut self, chunk: &[u8], sink: &mut (impl Sink + ?Sized)) -> Result<(), EventTooLarge> {
        if self.failed {
            return Err(self.too_large());
        }
        let mut rest = chunk;
        if self.open_cr && !rest.is_empty() {
            self.open_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if self.tail != Tail::LineStart {
            rest = self.resume(rest, sink)?;
        }
        if rest.is_empty() { Ok(()) } else { self.lines(rest, sink) }
    }

    /// Ends the stream. An unfinished event is dropped, or dispatched if
    /// [`Options::flush_incomplete`] is set. Then the parser is ready for the next connection.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if an event was too large before.
    pub fn finish(&mut self, sink: &mut (impl Sink + ?Sized)) -> Result<(), EventTooLarge> {
        if self.failed {
            return Err(self.too_large());
        }
        if self.options.flush_incomplete {
            self.end_tail(sink)?;
            if self.block.has_field {
                self.dispatch(Borrowed::default(), sink);
            }
        }
        self.reset();
        Ok(())
    }

    /// Calls the sink with the event that [`finish`](Self::finish) would dispatch with
    /// [`Options::flush_incomplete`], without changing the parser. This copies the event, so an event of
    /// more than `limit` bytes is skipped.
    pub fn peek_unfinished(&self, limit: usize, sink: &mut (impl Sink + ?Sized)) {
        let size = self.tail_bytes.len() + self.block.data.len() + self.block.event_type.len();
        if self.failed || size > limit {
            return;
        }
        let mut copy = self.clone();
        copy.options.flush_incomplete = true;
        // If the event is too large, there is no event to deliver.
        let _ = copy.finish(sink);
    }

    /// Drops an unfinished event, for a new connection or after an error. The last event ID and the
    /// reconnection time stay: they belong to the event source, not to the connection.
    pub fn reset(&mut self) {
        self.tail = Tail::Bom(0);
        self.open_cr = false;
        self.failed = false;
        self.block.clear();
        recycle(&mut self.tail_bytes);
    }

    /// Parses bytes that begin with the start of a line.
    #[inline]
    fn lines(&mut self, mut rest: &[u8], sink: &mut (impl Sink + ?Sized)) -> Result<(), EventTooLarge> {
        let mut borrowed = Borrowed::default();
        // Most chunks end with a line, so a search of the empty rest would cost a call for each chunk.
        while !rest.is_empty() {
            let Some(cut) = Line::cut(rest) else { break };
            rest = cut.rest;
            self.open_cr = cut.open_cr;
            if let Some((event_type, data, after)) = self.short_event(&cut, borrowed) {
                rest = after;
                borrowed.event_type = None;
                self.block.has_field = false;
                self.emit(event_type, data, None, sink);
            } else if cut.content.is_empty() {
                self.dispatch(mem::take(&mut borrowed), sink);
            } else if let Some((field, value)) = lines::field(cut.content) {
                self.field(field, value, &mut borrowed, sink)?;
            }
        }
        self.block.copy(borrowed);
        if rest.is_empty() { Ok(()) } else { self.start_tail(rest) }
    }

    /// If this line and a blank line after it complete a short event: its type, its data, and the bytes
    /// after it. Most events are one line of data, perhaps with a type. They need no block.
    #[inline]
    fn short_event<'c>(
        &self,
        line: &Line<'c>,
        borrowed: Borrowed<'c>,
    ) -> Option<(&'c [u8], &'c [u8], &'c [u8])> {
        let [b'\n', after @ ..] = line.rest else { return None };
        let data = lines::data(line.content)?;
        if borrowed.data.is_some() || !self.block.is_unused() {
            return None;
        }
        let event_type = borrowed.event_type.unwrap_or_default();
        let fits = data.len() + event_type.len() <= self.options.max_event_size;
        fits.then_some((event_type, data, after))
    }

    /// Adds a complete field to the block.
    #[inline]
    fn field<'c>(
        &mut self,
        field: Field,
        value: &'c [u8],
        borrowed: &mut Borrowed<'c>,
        sink: &mut (impl Sink + ?Sized),
    ) -> Result<(), EventTooLarge> {
        if field == Field::Comment && !self.options.comments {
            return Ok(());
        }
        self.check_size(self.block.size_with(*borrowed, field) + value.len())?;
        match field {
            Field::Data => {
                self.block.has_field = true;
                if let Some(first) = borrowed.data.take() {
                    self.block.start_data();
                    self.block.data.extend_from_slice(first);
                }
                if self.block.has_data {
                    self.block.start_data();
                    self.block.data.extend_from_slice(value);
                } else {
                    borrowed.data = Some(value);
                }
            }
            Field::Event => {
                self.block.has_field = true;
                borrowed.event_type = Some(value);
            }
            Field::Id if !value.contains(&0) => {
                self.block.has_field = true;
                self.block.has_id = true;
                self.block.id.clear();
                self.block.id.extend_from_slice(value);
            }
            Field::Retry => {
                if let Some(retry) = lines::milliseconds(value) {
                    self.block.has_field = true;
                    self.block.retry = Some(retry);
                    self.reconnection_time = Some(retry);
                }
            }
            Field::Id => {}
            Field::Comment => sink.comment(value),
        }
        Ok(())
    }

    /// Ends a block at its blank line.
    #[inline]
    fn dispatch(&mut self, borrowed: Borrowed<'_>, sink: &mut (impl Sink + ?Sized)) {
        if self.block.has_id {
            mem::swap(&mut self.last_event_id, &mut self.block.id);
            self.has_last_event_id = true;
        }
        if self.block.is_dispatched(self.options.dispatch, borrowed, &self.last_event_id) {
            let event_type = borrowed.event_type.unwrap_or(&self.block.event_type);
            let data = borrowed.data.unwrap_or(&self.block.data);
            self.emit(event_type, data, self.block.retry, sink);
        }
        self.block.clear();
    }

    #[inline]
    fn emit(&self, event_type: &[u8], data: &[u8], retry: Option<u64>, sink: &mut (impl Sink + ?Sized)) {
        let last_event_id = self.has_last_event_id.then_some(&self.last_event_id[..]);
        sink.event(Event { event_type, data, last_event_id, retry });
    }

    /// Starts a line whose end has not arrived.
    fn start_tail(&mut self, line: &[u8]) -> Result<(), EventTooLarge> {
        self.tail = Tail::Name(Name::default());
        self.extend_tail(line)
    }

    /// Continues a line that started in an earlier chunk. Returns the bytes after the line; there are none
    /// if its end has not arrived.
    fn resume<'c>(
        &mut self,
        chunk: &'c [u8],
        sink: &mut (impl Sink + ?Sized),
    ) -> Result<&'c [u8], EventTooLarge> {
        let chunk = match self.tail {
            Tail::Bom(_) => self.resume_bom(chunk),
            _ => chunk,
        };
        if self.tail == Tail::LineStart {
            return Ok(chunk);
        }
        let cut = Line::cut(chunk);
        let piece = cut.as_ref().map_or(chunk, |cut| cut.content);
        match self.tail {
            // This branch handles the middle of a long event, so it must not cost a function call.
            Tail::Value(Field::Data) => self.extend_value(Field::Data, piece)?,
            _ => self.extend_tail(piece)?,
        }
        let Some(cut) = cut else { return Ok(&[]) };
        self.end_tail(sink)?;
        self.open_cr = cut.open_cr;
        Ok(cut.rest)
    }

    /// Skips the byte order mark, and returns the bytes after it.
    fn resume_bom<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let Tail::Bom(seen) = self.tail else { return chunk };
        let missing = &BOM[seen..];
        let common = missing.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        self.tail = if common == missing.len() {
            Tail::LineStart
        } else if common == chunk.len() {
            Tail::Bom(seen + common)
        } else if seen + common == 0 {
            Tail::LineStart
        } else {
            // A line that begins with a part of the mark has no known field.
            Tail::Ignored
        };
        &chunk[common..]
    }

    fn extend_tail(&mut self, piece: &[u8]) -> Result<(), EventTooLarge> {
        match self.tail {
            Tail::Value(field) => self.extend_value(field, piece),
            Tail::Colon(field) => {
                if !piece.is_empty() {
                    self.tail = Tail::Value(field);
                }
                self.extend_value(field, field.value(piece))
            }
            Tail::Name(name) => match name.extend(piece) {
                Start::Value { field, after_colon } => self.start_value(field, after_colon),
                Start::Name(name) => {
                    self.tail = Tail::Name(name);
                    Ok(())
                }
                Start::Unknown => {
                    self.tail = Tail::Ignored;
                    Ok(())
                }
            },
            Tail::Ignored | Tail::LineStart | Tail::Bom(_) => Ok(()),
        }
    }

    /// Starts the value of a line whose end has not arrived.
    fn start_value(&mut self, field: Field, after_colon: &[u8]) -> Result<(), EventTooLarge> {
        if field == Field::Comment && !self.options.comments {
            self.tail = Tail::Ignored;
            return Ok(());
        }
        if field == Field::Data {
            self.block.start_data();
        }
        self.tail_bytes.clear();
        self.tail = Tail::Colon(field);
        self.extend_tail(after_colon)
    }

    #[inline]
    fn extend_value(&mut self, field: Field, piece: &[u8]) -> Result<(), EventTooLarge> {
        if field == Field::Data {
            self.block.data.extend_from_slice(piece);
        } else {
            self.tail_bytes.extend_from_slice(piece);
        }
        let block = &self.block;
        self.check_size(block.data.len() + block.event_type.len() + block.id.len() + self.tail_bytes.len())
    }

    /// Ends a line that started in an earlier chunk.
    fn end_tail(&mut self, sink: &mut (impl Sink + ?Sized)) -> Result<(), EventTooLarge> {
        let tail = mem::replace(&mut self.tail, Tail::LineStart);
        if let Tail::Colon(Field::Data) | Tail::Value(Field::Data) = tail {
            // The value is already in the data.
            self.block.has_field = true;
            return Ok(());
        }
        let value = mem::take(&mut self.tail_bytes);
        let parsed = match &tail {
            Tail::Colon(field) | Tail::Value(field) => Some((*field, &value[..])),
            Tail::Name(name) => lines::field(name.as_bytes()),
            Tail::Ignored | Tail::LineStart | Tail::Bom(_) => None,
        };
        let mut borrowed = Borrowed::default();
        let result = match parsed {
            Some((field, value)) => self.field(field, value, &mut borrowed, sink),
            None => Ok(()),
        };
        self.block.copy(borrowed);
        self.tail_bytes = value;
        result
    }

    #[inline]
    fn check_size(&mut self, size: usize) -> Result<(), EventTooLarge> {
        if size > self.options.max_event_size {
            self.failed = true;
            self.block.clear();
            recycle(&mut self.tail_bytes);
            return Err(self.too_large());
        }
        Ok(())
    }

    fn too_large(&self) -> EventTooLarge {
        EventTooLarge { limit: self.options.max_event_size }
    }
}
