//! `BlockDecoder`: from the bytes of a stream to the items of an SDK that Speakeasy generated.
//!
//! These SDKs cut a stream into blocks, and read each block by itself. A block that is usual is built here. Any
//! other is given as it is, for the SDK's own code.

use std::ops::Range;

use memchr::memchr2;
use pyo3::prelude::*;
use pyo3::types::PyBytes;
use pyo3::{PyTraverseError, PyVisit};

use crate::build::{Assembler, Builder, Memory};
use crate::decoder;
use crate::errors::Stop;

const BOM: &[u8] = b"\xEF\xBB\xBF";

/// Decodes an event stream into items.
///
/// This is an iterator over the items of the bytes fed so far. Each block between two boundaries gives an item,
/// or the block itself, with the boundary after it, where only the SDK knows what becomes of it. An item is made
/// when it is asked for.
///
/// Args:
///     assembler: builds an item of the fields ``data`` and ``event``.
///     boundaries: what separates blocks. At each place, the first of them counts.
///     strips_bom: whether a byte order mark is dropped from a chunk that begins a block.
///     keeps_ids: whether the SDK gives the ID of a block to those that follow it.
#[pyclass(module = "ssejet._core")]
pub struct BlockDecoder {
    assembler: Py<Assembler>,
    memory: Memory,
    boundaries: Vec<Vec<u8>>,
    strips_bom: bool,
    keeps_ids: bool,
    /// The line with the last ID, until the SDK knows it.
    id: Option<Vec<u8>>,
    buffer: Vec<u8>,
    /// Where the next block begins.
    start: usize,
    /// Up to where no boundary begins.
    searched: usize,
    /// The last block that was given.
    last: Range<usize>,
}

#[pymethods]
impl BlockDecoder {
    #[new]
    #[pyo3(signature = (assembler, /, *, boundaries, strips_bom, keeps_ids = false))]
    fn new(
        assembler: Bound<'_, Assembler>,
        boundaries: Vec<Vec<u8>>,
        strips_bom: bool,
        keeps_ids: bool,
    ) -> Self {
        Self {
            memory: Memory::new(assembler.get().plan()),
            assembler: assembler.unbind(),
            boundaries,
            strips_bom,
            keeps_ids,
            id: None,
            buffer: Vec::new(),
            start: 0,
            searched: 0,
            last: 0..0,
        }
    }

    /// Decode the next bytes of the stream.
    ///
    /// Returns:
    ///     This iterator.
    #[pyo3(signature = (chunk, /))]
    fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let bytes = decoder::bytes(chunk)?;
        let mut this = slf.try_borrow_mut()?;
        let start = this.start;
        this.buffer.drain(..start);
        this.searched = this.searched.saturating_sub(start);
        this.start = 0;
        this.last = 0..0;
        let is_new = this.strips_bom && this.buffer.is_empty();
        let bytes = if is_new { bytes.strip_prefix(BOM).unwrap_or(&bytes) } else { &bytes };
        this.buffer.extend_from_slice(bytes);
        Ok(slf.clone())
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let block = loop {
            let Some(block) = self.block() else { return Ok(None) };
            if !block.is_empty() && !is_silent(&self.buffer[block.clone()]) {
                break block;
            }
        };
        self.last = block.start..self.start;
        let block = &self.buffer[block];
        let plan = self.assembler.get().plan();
        let mut id = None;
        match build(Builder::new(py, plan, &mut self.memory, None), block, &mut id) {
            Ok(item) => {
                if let Some(line) = id.filter(|_| self.keeps_ids) {
                    self.id = Some([line, b"\n"].concat());
                }
                Ok(Some(item))
            }
            Err(Stop::Refused) => Ok(Some(self.given(py, self.last.clone()).into_any())),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    /// Take the last block again, with all bytes that follow it.
    fn take_rest<'py>(&mut self, py: Python<'py>) -> Bound<'py, PyBytes> {
        let rest = self.given(py, self.last.start..self.buffer.len());
        self.clear();
        rest
    }

    /// Let ``take_rest`` give the bytes after the last boundary.
    fn finish(&mut self) {
        self.last = self.start..self.start;
    }

    /// Forget the bytes that were not asked for.
    fn clear(&mut self) {
        self.buffer.clear();
        self.start = 0;
        self.searched = 0;
        self.last = 0..0;
    }

    // An object that refers back to this one can be cleared itself.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)
    }
}

impl BlockDecoder {
    /// Gives bytes to the SDK, after the ID that it does not know yet.
    fn given<'py>(&mut self, py: Python<'py>, range: Range<usize>) -> Bound<'py, PyBytes> {
        let block = &self.buffer[range];
        let id = if has_fields(block) { self.id.take() } else { None };
        PyBytes::new(py, &[id.as_deref().unwrap_or_default(), block].concat())
    }

    /// Finds the next block. As in the SDKs, boundaries may overlap: then the block between them is empty.
    fn block(&mut self) -> Option<Range<usize>> {
        let mut at = self.searched;
        let mut open = None;
        while let Some(found) = memchr2(b'\r', b'\n', &self.buffer[at..]) {
            at += found;
            let rest = &self.buffer[at..];
            if let Some(boundary) = self.boundaries.iter().find(|boundary| rest.starts_with(boundary)) {
                let block = self.start..at;
                self.start = at + boundary.len();
                self.searched = at + 1;
                return Some(block);
            }
            // With the bytes that come next, this may become a boundary.
            if open.is_none() && self.boundaries.iter().any(|boundary| boundary.starts_with(rest)) {
                open = Some(at);
            }
            at += 1;
        }
        self.searched = open.unwrap_or(self.buffer.len());
        None
    }
}

/// Whether a block has nothing but comments. The SDKs raise an error for malformed UTF-8 in them, too.
fn is_silent(block: &[u8]) -> bool {
    lines(block).all(|line| matches!(line, [] | [b':', ..])) && simdutf8::basic::from_utf8(block).is_ok()
}

/// Whether a block has a field that the SDKs know. For malformed UTF-8 they raise an error that has the block.
fn has_fields(block: &[u8]) -> bool {
    let names = [&b"data"[..], b"event", b"id", b"retry"];
    simdutf8::basic::from_utf8(block).is_ok()
        && lines(block).any(|line| names.iter().any(|name| line.starts_with(name)))
}

fn lines(block: &[u8]) -> impl Iterator<Item = &[u8]> {
    block.split(|byte| matches!(byte, b'\r' | b'\n'))
}

/// Whether a line says a usual time to reconnect after. The SDKs cannot read some others.
fn is_retry(line: &[u8]) -> bool {
    let Some(value) = line.strip_prefix(b"retry:") else { return false };
    let value = value.strip_prefix(b" ").unwrap_or(value);
    (1..10).contains(&value.len()) && value.iter().all(u8::is_ascii_digit)
}

/// Builds the item of a block, and finds its line with an ID. The item has no field for that, nor for the time
/// to reconnect after.
fn build<'py, 'a>(
    mut builder: Builder<'py, '_>,
    block: &'a [u8],
    id: &mut Option<&'a [u8]>,
) -> Result<Bound<'py, PyAny>, Stop> {
    let (mut event, mut data) = (None, None);
    let mut rest = block;
    while !rest.is_empty() {
        let end = memchr2(b'\r', b'\n', rest).unwrap_or(rest.len());
        let line = &rest[..end];
        rest = rest.get(end + 1..).unwrap_or_default();
        let (field, value) = if let Some(value) = line.strip_prefix(b"data:") {
            (&mut data, value)
        } else if let Some(value) = line.strip_prefix(b"event:") {
            (&mut event, value)
        } else if line.is_empty() || line.starts_with(b":") || is_retry(line) {
            continue;
        } else if line.starts_with(b"id:") && !line.contains(&0) {
            *id = Some(line);
            continue;
        } else {
            return Err(Stop::Refused);
        };
        if field.replace(value.strip_prefix(b" ").unwrap_or(value)).is_some() {
            return Err(Stop::Refused);
        }
    }
    match data {
        // All of the block must be UTF-8, its comments too. Some versions read only what begins as JSON does.
        Some(data) if data.starts_with(b"{") && simdutf8::basic::from_utf8(block).is_ok() => {
            builder.envelope(event, data)
        }
        _ => Err(Stop::Refused),
    }
}
