//! Packs bytes in which each event resembles the one before it, as in the stream of an answer.
//!
//! Of an event, only the part that differs from the event before it is stored, between the lengths of the
//! equal parts before and after it. A chunk of a chat completion takes about a tenth of its bytes.

use memchr::memchr_iter;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Packs the bytes of an event stream.
#[pyfunction(name = "_pack")]
pub fn pack<'py>(py: Python<'py>, data: &[u8]) -> Bound<'py, PyBytes> {
    PyBytes::new(py, &packed(data))
}

/// Gives the bytes that were packed.
///
/// # Errors
///
/// `ValueError`: `pack` did not make the data.
#[pyfunction(name = "_unpack")]
pub fn unpack<'py>(py: Python<'py>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    match unpacked(data) {
        Some(data) => Ok(PyBytes::new(py, &data)),
        None => Err(PyValueError::new_err("the data was not packed by _pack()")),
    }
}

fn packed(data: &[u8]) -> Vec<u8> {
    let mut target = Vec::with_capacity(data.len() / 8);
    let (mut before, mut start, mut line) = (&data[..0], 0, 0);
    let mut add = |piece| {
        write_difference(before, piece, &mut target);
        before = piece;
    };
    for end in memchr_iter(b'\n', data) {
        // An event ends with an empty line, which may hold a CR.
        if end - line <= 1 {
            add(&data[start..=end]);
            start = end + 1;
        }
        line = end + 1;
    }
    if start < data.len() {
        add(&data[start..]);
    }
    target
}

fn write_difference(before: &[u8], piece: &[u8], target: &mut Vec<u8>) {
    let head = equal_at_start(before, piece);
    let tail = equal_at_end(&before[head..], &piece[head..]);
    let middle = &piece[head..piece.len() - tail];
    for length in [head, tail, middle.len()] {
        write_length(length, target);
    }
    target.extend_from_slice(middle);
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
