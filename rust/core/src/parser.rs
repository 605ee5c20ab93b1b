//! The state machine: the only place that knows where in the stream the parser stands.

use std::mem;

use crate::lines::{self, Field, Line, Name, Start};
use crate::{Dispatch, Event, EventTooLarge, Options, Sink};

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Buffers that grew beyond this are given back once their event is over.
const KEPT_CAPACITY: usize = 64 << 10;

/// Where in a line the last chunk stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Tail {
    /// At its start.
    None,
    /// So many bytes into the byte order mark, at the start of the stream.
    Bom(usize),
    /// Within what may become a field's name.
    Name(Name),
    /// Right after the colon: a space that comes next may have to go.
    Colon(Field),
    /// Within a value. Data goes to the data buffer as it comes, the rest to `tail_bytes`.
    Value(Field),
    /// Within a line that means nothing.
    Nothing,
}

/// The fields since the last blank line, as far as they had to be copied.
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

/// The parts of the current block that are still borrowed from the chunk.
///
/// A part stands either here or in [`Block`]; whatever stands here when the chunk ends is copied
/// there.
#[derive(Clone, Copy, Default)]
struct Borrowed<'c> {
    data: Option<&'c [u8]>,
    event_type: Option<&'c [u8]>,
}

/// An incremental parser of event streams.
///
/// The same bytes give the same events however they are cut into chunks, and no byte is looked
/// at twice for being cut.
#[derive(Clone, Debug)]
pub struct Parser {
    options: Options,
    tail: Tail,
    tail_bytes: Vec<u8>,
    /// The last chunk ended with a CR: an LF that comes next belongs to it.
    open_cr: bool,
    failed: bool,
    block: Block,
    // What outlives blocks and connections.
    last_event_id: Vec<u8>,
    has_last_event_id: bool,
    reconnection_time: Option<u64>,
}

impl Block {
    /// Begins a line of the data.
    fn start_data(&mut self) {
        if mem::replace(&mut self.has_data, true) {
            self.data.push(b'\n');
        }
    }

    /// Copies what is borrowed from a chunk that ends.
    #[inline]
    fn keep(&mut self, borrowed: Borrowed<'_>) {
        if let Some(data) = borrowed.data {
            self.start_data();
            self.data.extend_from_slice(data);
        }
        if let Some(event_type) = borrowed.event_type {
            self.event_type.clear();
            self.event_type.extend_from_slice(event_type);
        }
    }

    /// The bytes that the block would hold with an empty line of this field added.
    #[inline]
    fn held(&self, borrowed: Borrowed<'_>, field: Field) -> usize {
        let data = borrowed.data.unwrap_or(&self.data);
        let joiner = field == Field::Data && (self.has_data || borrowed.data.is_some());
        let event_type = borrowed.event_type.unwrap_or(&self.event_type);
        data.len() + usize::from(joiner) + event_type.len() + self.id.len()
    }

    /// Whether the blank line dispatches an event.
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

    /// Whether all that there is, is borrowed.
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

/// Empties a buffer, and gives back its memory if it is large.
#[inline]
fn recycle(buffer: &mut Vec<u8>) {
    buffer.clear();
    if buffer.capacity() > KEPT_CAPACITY {
        *buffer = Vec::new();
    }
}

impl Parser {
    /// A parser at the start of a stream.
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

    /// The same, resuming after the event with this id. An empty id is as good as none.
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

    /// The reconnection time in milliseconds that the last valid `retry` line gave.
    #[must_use]
    pub fn reconnection_time(&self) -> Option<u64> {
        self.reconnection_time
    }

    /// Whether an event was too large, so that nothing more is taken until [`reset`](Self::reset).
    #[must_use]
    pub fn failed(&self) -> bool {
        self.failed
    }

    /// Takes the next bytes of the stream and delivers what they complete.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if the unfinished event outgrows the limit, and from then on.
    #[inline]
    pub fn feed(&mut self, chunk: &[u8], sink: &mut impl Sink) -> Result<(), EventTooLarge> {
        if self.failed {
            return Err(self.too_large());
        }
        let mut rest = chunk;
        if self.open_cr && !rest.is_empty() {
            self.open_cr = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        if self.tail != Tail::None {
            rest = self.resume(rest, sink)?;
        }
        if rest.is_empty() { Ok(()) } else { self.lines(rest, sink) }
    }

    /// Takes the end of the stream. What is unfinished is discarded, or dispatched if
    /// [`Options::flush_incomplete`] says so. The parser is then ready for the next connection.
    ///
    /// # Errors
    ///
    /// [`EventTooLarge`] if that had happened before.
    pub fn finish(&mut self, sink: &mut impl Sink) -> Result<(), EventTooLarge> {
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

    /// Gives the event that the end of input would dispatch with [`Options::flush_incomplete`], and
    /// changes nothing. One that holds more than `limit` bytes is not given, as it would be copied.
    pub fn peek_unfinished(&self, limit: usize, sink: &mut impl Sink) {
        let held = self.tail_bytes.len() + self.block.data.len() + self.block.event_type.len();
        if self.failed || held > limit {
            return;
        }
        let mut copy = self.clone();
        copy.options.flush_incomplete = true;
        // It can only be too large, and then there is no event.
        let _ = copy.finish(sink);
    }

    /// Forgets what is unfinished, for a new connection or after a failure. The last event ID and
    /// the reconnection time stay: they belong to the event source, not to the connection.
    pub fn reset(&mut self) {
        self.tail = Tail::Bom(0);
        self.open_cr = false;
        self.failed = false;
        self.block.clear();
        recycle(&mut self.tail_bytes);
    }

    /// Parses from the start of a line.
    #[inline]
    fn lines(&mut self, mut rest: &[u8], sink: &mut impl Sink) -> Result<(), EventTooLarge> {
        let mut borrowed = Borrowed::default();
        while let Some(cut) = Line::cut(rest) {
            rest = cut.rest;
            self.open_cr = cut.open_cr;
            // Most events are one line of data, perhaps with a type: no need for the block.
            if let [b'\n', after @ ..] = rest
                && let Some(data) = lines::data(cut.content)
                && borrowed.data.is_none()
                && self.block.is_unused()
                && let event_type = borrowed.event_type.unwrap_or_default()
                && data.len() + event_type.len() <= self.options.max_event_size
            {
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
        self.block.keep(borrowed);
        if rest.is_empty() { Ok(()) } else { self.start_tail(rest) }
    }

    /// Takes a complete field.
    #[inline]
    fn field<'c>(
        &mut self,
        field: Field,
        value: &'c [u8],
        borrowed: &mut Borrowed<'c>,
        sink: &mut impl Sink,
    ) -> Result<(), EventTooLarge> {
        if field == Field::Comment && !self.options.comments {
            return Ok(());
        }
        self.check_size(self.block.held(*borrowed, field) + value.len())?;
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

    /// Takes the blank line that ends a block.
    #[inline]
    fn dispatch(&mut self, borrowed: Borrowed<'_>, sink: &mut impl Sink) {
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
    fn emit(&self, event_type: &[u8], data: &[u8], retry: Option<u64>, sink: &mut impl Sink) {
        let last_event_id = self.has_last_event_id.then_some(&self.last_event_id[..]);
        sink.event(Event { event_type, data, last_event_id, retry });
    }

    /// Takes the start of a line whose end has not come.
    fn start_tail(&mut self, line: &[u8]) -> Result<(), EventTooLarge> {
        self.tail = Tail::Name(Name::default());
        self.extend_tail(line)
    }

    /// Takes the next piece of a line whose start had come before, and gives what follows the
    /// line: nothing, if its end is still to come.
    fn resume<'c>(&mut self, chunk: &'c [u8], sink: &mut impl Sink) -> Result<&'c [u8], EventTooLarge> {
        let chunk = match self.tail {
            Tail::Bom(_) => self.resume_bom(chunk),
            _ => chunk,
        };
        if self.tail == Tail::None {
            return Ok(chunk);
        }
        let cut = Line::cut(chunk);
        let piece = cut.as_ref().map_or(chunk, |cut| cut.content);
        match self.tail {
            // Where the middle of a long event goes, so not by way of a call.
            Tail::Value(Field::Data) => self.extend_value(Field::Data, piece)?,
            _ => self.extend_tail(piece)?,
        }
        let Some(cut) = cut else { return Ok(&[]) };
        self.end_tail(sink)?;
        self.open_cr = cut.open_cr;
        Ok(cut.rest)
    }

    /// Skips the byte order mark, and gives what follows.
    fn resume_bom<'c>(&mut self, chunk: &'c [u8]) -> &'c [u8] {
        let Tail::Bom(seen) = self.tail else { return chunk };
        let missing = &BOM[seen..];
        let common = missing.iter().zip(chunk).take_while(|(a, b)| a == b).count();
        self.tail = if common == missing.len() {
            Tail::None
        } else if common == chunk.len() {
            Tail::Bom(seen + common)
        } else if seen + common == 0 {
            Tail::None
        } else {
            // Part of the mark and then something else: no known field begins like that.
            Tail::Nothing
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
                Start::Nothing => {
                    self.tail = Tail::Nothing;
                    Ok(())
                }
            },
            Tail::Nothing | Tail::None | Tail::Bom(_) => Ok(()),
        }
    }

    /// Takes what follows the colon, of a line whose end has not come.
    fn start_value(&mut self, field: Field, after_colon: &[u8]) -> Result<(), EventTooLarge> {
        if field == Field::Comment && !self.options.comments {
            self.tail = Tail::Nothing;
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

    /// Takes the end of a line whose start had come before.
    fn end_tail(&mut self, sink: &mut impl Sink) -> Result<(), EventTooLarge> {
        let tail = mem::replace(&mut self.tail, Tail::None);
        if let Tail::Colon(Field::Data) | Tail::Value(Field::Data) = tail {
            // Its value is in the data already.
            self.block.has_field = true;
            return Ok(());
        }
        let value = mem::take(&mut self.tail_bytes);
        let parsed = match &tail {
            Tail::Colon(field) | Tail::Value(field) => Some((*field, &value[..])),
            Tail::Name(name) => lines::field(name.as_bytes()),
            Tail::Nothing | Tail::None | Tail::Bom(_) => None,
        };
        let mut borrowed = Borrowed::default();
        let result = match parsed {
            Some((field, value)) => self.field(field, value, &mut borrowed, sink),
            None => Ok(()),
        };
        self.block.keep(borrowed);
        self.tail_bytes = value;
        result
    }

    #[inline]
    fn check_size(&mut self, held: usize) -> Result<(), EventTooLarge> {
        if held > self.options.max_event_size {
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
