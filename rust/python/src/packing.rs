//! Packs bytes in which each event resembles the one before it, as in the stream of an answer.
//!
//! Of an event, only the part that differs from the event before it is stored, between the lengths of the
//! equal parts before and after it. A chunk of a chat completion takes about a tenth of its bytes.

use std::mem;

use memchr::memchr_iter;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyDict, PyTuple};

use crate::decoder::bytes;
use crate::footprint::Footprint;

/// So many bytes are too many. A stream without end may not take more memory than its answer.
const MAX_SIZE: usize = 8 << 20;

/// Keeps the bytes of an event stream, packed.
#[pyclass(module = "ssejet._core", subclass)]
#[derive(Default)]
pub struct KeptBytes {
    packed: Vec<u8>,
    /// The last whole event.
    before: Vec<u8>,
    /// The event that is not whole yet.
    begun: Vec<u8>,
    /// Where its last line starts.
    line: usize,
}

#[pymethods]
impl KeptBytes {
    /// Subclasses take arguments, which Python passes to this as well.
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Add bytes. Returns whether there are too many now.
    ///
    /// Raises:
    ///     RuntimeError: another thread uses this.
    ///     TypeError: the data is not bytes, a bytearray, or a memoryview or other contiguous buffer of bytes.
    #[pyo3(signature = (data, /))]
    fn add(slf: &Bound<'_, Self>, data: &Bound<'_, PyAny>) -> PyResult<bool> {
        Self::push(slf, &bytes(data)?)
    }

    /// Return the bytes, and forget them.
    fn take<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let mut kept = mem::take(self);
        kept.pack_begun();
        let data = unpacked(&kept.packed).expect("the functions here have packed it");
        PyBytes::new(py, &data)
    }

    /// Forget the bytes.
    fn clear(&mut self) {
        *self = Self::default();
    }

    /// How many bytes of memory this takes.
    #[getter]
    fn size(&self) -> usize {
        self.packed.len() + self.before.len() + self.begun.len()
    }
}

impl KeptBytes {
    /// Adds bytes. Gives whether there are too many now.
    pub fn push(slf: &Bound<'_, Self>, data: &[u8]) -> PyResult<bool> {
        let mut this = slf.try_borrow_mut()?;
        this.pack_all(data);
        Ok(this.size() > MAX_SIZE)
    }

    /// Adds the memory that the next call of `push` will touch.
    pub fn add_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        footprint.add_object(slf);
        if let Ok(this) = slf.try_borrow() {
            footprint.add_items(&this.before);
            footprint.add_items(&this.packed[this.packed.len().saturating_sub(1)..]);
        }
    }

    fn pack_all(&mut self, data: &[u8]) {
        if self.begun.is_empty() {
            let (start, line) = self.pack_events(data, 0, 0);
            self.begun.extend_from_slice(&data[start..]);
            self.line = line - start;
        } else {
            let mut joined = mem::take(&mut self.begun);
            let read = joined.len();
            joined.extend_from_slice(data);
            let (start, line) = self.pack_events(&joined, read, self.line);
            joined.drain(..start);
            self.begun = joined;
            self.line = line - start;
        }
    }

    /// Packs the whole events in some data, of which the first bytes were searched before.
    ///
    /// Gives where the event starts that is not whole, and where its last line starts.
    fn pack_events(&mut self, data: &[u8], searched: usize, mut line: usize) -> (usize, usize) {
        let mut start = 0;
        for end in memchr_iter(b'\n', &data[searched..]).map(|place| searched + place) {
            // An event ends with an empty line, which may hold a CR.
            if end - line <= 1 {
                self.pack(&data[start..=end]);
                start = end + 1;
            }
            line = end + 1;
        }
        (start, line)
    }

    fn pack_begun(&mut self) {
        let begun = mem::take(&mut self.begun);
        if !begun.is_empty() {
            self.pack(&begun);
        }
    }

    fn pack(&mut self, event: &[u8]) {
        let before = &mut self.before;
        let head = equal_at_start(before, event);
        let tail = equal_at_end(&before[head..], &event[head..]);
        let middle = head..event.len() - tail;
        for length in [head, tail, middle.len()] {
            write_length(length, &mut self.packed);
        }
        self.packed.extend_from_slice(&event[middle.clone()]);
        if before.len() == event.len() {
            before[middle.clone()].copy_from_slice(&event[middle]);
        } else {
            before.splice(head..before.len() - tail, event[middle].iter().copied());
        }
    }
}

fn unpacked(mut packed: &[u8]) -> Option<Vec<u8>> {
    let mut data = Vec::new();
    let mut before = 0..0;
    while !packed.is_empty() {
        let head = read_length(&mut packed)?;
        let tail = read_length(&mut packed)?;
        let middle = read_length(&mut packed)?;
        if head.checked_add(tail)? > before.len() || middle > packed.len() {
            return None;
        }
        let start = data.len();
        data.extend_from_within(before.start..before.start + head);
        data.extend_from_slice(&packed[..middle]);
        data.extend_from_within(before.end - tail..before.end);
        packed = &packed[middle..];
        before = start..data.len();
    }
    Some(data)
}

/// Writes a length in groups of seven bits, the lowest first. The highest bit of a byte says that more follow.
fn write_length(mut length: usize, target: &mut Vec<u8>) {
    while length >= 0x80 {
        target.push(low_byte(length) | 0x80);
        length >>= 7;
    }
    target.push(low_byte(length));
}

fn low_byte(length: usize) -> u8 {
    length.to_le_bytes()[0]
}

fn read_length(packed: &mut &[u8]) -> Option<usize> {
    let mut length = 0;
    for shift in (0..usize::BITS).step_by(7) {
        let (&byte, rest) = packed.split_first()?;
        *packed = rest;
        length |= usize::from(byte & 0x7F) << shift;
        if byte < 0x80 {
            return Some(length);
        }
    }
    None
}

const WORD: usize = size_of::<u64>();
/// Compilers compare so many bytes by a few instructions.
const BLOCK: usize = 32;

/// The number of bytes at their starts that are equal.
fn equal_at_start(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.chunks_exact(BLOCK).zip(b.chunks_exact(BLOCK));
    let mut count = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    for (a, b) in a[count..].chunks_exact(WORD).zip(b[count..].chunks_exact(WORD)) {
        let difference = word(a) ^ word(b);
        if difference != 0 {
            return count + difference.trailing_zeros() as usize / 8;
        }
        count += WORD;
    }
    let rest = a[count..].iter().zip(&b[count..]);
    count + rest.take_while(|(a, b)| a == b).count()
}

/// The number of bytes at their ends that are equal.
fn equal_at_end(a: &[u8], b: &[u8]) -> usize {
    let blocks = a.rchunks_exact(BLOCK).zip(b.rchunks_exact(BLOCK));
    let mut count = BLOCK * blocks.take_while(|(a, b)| a == b).count();
    let (a, b) = (&a[..a.len() - count], &b[..b.len() - count]);
    let mut more = 0;
    for (a, b) in a.rchunks_exact(WORD).zip(b.rchunks_exact(WORD)) {
        let difference = word(a) ^ word(b);
        if difference != 0 {
            return count + more + difference.leading_zeros() as usize / 8;
        }
        more += WORD;
    }
    count += more;
    let rest = a[..a.len() - more].iter().rev().zip(b[..b.len() - more].iter().rev());
    count + rest.take_while(|(a, b)| a == b).count()
}

fn word(bytes: &[u8]) -> u64 {
    let mut word = [0; WORD];
    word.copy_from_slice(bytes);
    u64::from_le_bytes(word)
}
