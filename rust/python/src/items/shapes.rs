//! `KnownShapes`: tells JSON objects that look like earlier ones from those that need a closer look.

use std::collections::HashMap;
use std::hash::{BuildHasherDefault, Hasher};
use std::sync::{Mutex, PoisonError};

use memchr::memchr_iter;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

/// Servers send a few shapes. With more than this, the set begins anew.
const MOST: usize = 4096;

type Shapes = HashMap<u64, Option<Py<PyAny>>, BuildHasherDefault<Identity>>;

/// Texts with fewer brackets cannot be nested too deep for Python.
const MOST_BRACKETS: usize = 200;

/// Python converts integers of fewer digits than this.
const MOST_DIGITS: usize = 4000;

/// The shapes of JSON texts that were seen before: their keys in order, how they are nested, and of what
/// kind each value is.
///
/// Two valid texts of one shape have the same keys in the same places. A text may be any string.
#[pyclass(module = "ssejet", frozen)]
pub struct KnownShapes {
    shapes: Mutex<Shapes>,
}

#[pymethods]
impl KnownShapes {
    #[new]
    fn new() -> Self {
        Self { shapes: Mutex::default() }
    }

    /// Whether a text of this shape was added without a note. One that may be nested deep, or that may
    /// hold an integer too long for Python, is never known.
    #[pyo3(signature = (text, /))]
    fn knows(&self, text: &Bound<'_, PyString>) -> bool {
        find(text).is_some_and(|shape| matches!(self.lock().get(&shape), Some(None)))
    }

    /// The note with which a text of this shape was added, or None.
    #[pyo3(signature = (text, /))]
    fn note(&self, text: &Bound<'_, PyString>) -> Option<Py<PyAny>> {
        let shape = find(text)?;
        self.lock().get(&shape)?.as_ref().map(|note| note.clone_ref(text.py()))
    }

    /// Add the shape of a text, with a note for those who meet it again.
    #[pyo3(signature = (text, note = None, /))]
    fn add(&self, text: &Bound<'_, PyString>, note: Option<Py<PyAny>>) {
        let Ok(text) = text.to_str() else { return };
        let mut shapes = self.lock();
        // What is dropped may run Python code, which must not find the lock taken.
        let full = if shapes.len() >= MOST { std::mem::take(&mut *shapes) } else { Shapes::default() };
        let replaced = shapes.insert(shape(text.as_bytes()), note);
        drop(shapes);
        drop((full, replaced));
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // A lock that is taken elsewhere is no reason to wait: the collector comes again.
        let Ok(shapes) = self.shapes.try_lock() else { return Ok(()) };
        shapes.values().flatten().try_for_each(|note| visit.call(note))
    }

    fn __clear__(&self) {
        let shapes = std::mem::take(&mut *self.lock());
        drop(shapes);
    }
}

impl KnownShapes {
    fn lock(&self) -> std::sync::MutexGuard<'_, Shapes> {
        self.shapes.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// The shape of a text, unless Python could reach a limit of its own with it. Text with lone surrogates has no
/// UTF-8 form, so that it has no shape.
fn find(text: &Bound<'_, PyString>) -> Option<u64> {
    let json = text.to_str().ok()?.as_bytes();
    is_harmless(json).then(|| shape(json))
}

/// Whether Python can take the text without reaching a limit of its own.
fn is_harmless(json: &[u8]) -> bool {
    let has_long_number = || {
        json.chunks(MOST_DIGITS / 2)
            .any(|part| part.len() == MOST_DIGITS / 2 && part.iter().all(u8::is_ascii_digit))
    };
    (json.len() < MOST_BRACKETS || brackets(json) < MOST_BRACKETS)
        && (json.len() < MOST_DIGITS || !has_long_number())
}

/// The number of opening brackets, those inside of strings included.
#[inline]
fn brackets(json: &[u8]) -> usize {
    // The count of such a short part fits into a byte, so the compiler counts many bytes at once.
    json.chunks(u8::MAX.into())
        .map(|part| usize::from(part.iter().map(|byte| u8::from(matches!(byte, b'[' | b'{'))).sum::<u8>()))
        .sum()
}

/// A hash of the shape of a JSON text.
///
/// Each key ends with a quote and a colon, with space between them at most. The brackets and commas
/// right before a key tell how it is nested.
fn shape(json: &[u8]) -> u64 {
    let mut hash = Hash(0);
    for colon in memchr_iter(b':', json) {
        let mut end = colon;
        while end > 0 && json[end - 1].is_ascii_whitespace() {
            end -= 1;
        }
        if end == 0 || json[end - 1] != b'"' {
            continue; // inside a string
        }
        end -= 1;
        let escapes = json[..end].iter().rev().take_while(|&&byte| byte == b'\\').count();
        if escapes % 2 == 1 {
            continue; // an escaped quote inside a string
        }
        let start = hash.add_key(&json[..end]);
        let mut structure = 1;
        for &byte in json[..start.saturating_sub(1)].iter().rev() {
            match byte {
                b' ' | b'\t' | b'\r' | b'\n' => {}
                b',' | b'{' | b'}' | b'[' | b']' => {
                    structure = structure << 8 ^ structure >> 56 ^ u64::from(byte);
                }
                _ => break,
            }
        }
        hash.add(structure << 8 ^ u64::from(kind(&json[colon + 1..])));
    }
    hash.0
}

/// What kind of value begins here. Empty texts, zero and the word "error" are kinds of their own, as they
/// make the difference between an error and none.
#[inline]
fn kind(mut value: &[u8]) -> u8 {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    match value {
        [b'"', b'"', ..] => b'e',
        [b'"', b'e', ..] if value.starts_with(b"\"error\"") => b'E',
        [b'1'..=b'9' | b'-', ..] => b'1',
        [first, ..] => *first,
        [] => 0,
    }
}

/// A quick hash; servers that look for collisions only deceive themselves.
struct Hash(u64);

impl Hash {
    #[inline]
    fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }

    /// Adds the key that ends where the text ends, and gives the index of its first byte. The key is read
    /// backwards, eight bytes at a time, because only its end is known.
    #[inline]
    fn add_key(&mut self, text: &[u8]) -> usize {
        let mut left = text;
        while let Some((rest, &last)) = left.split_last_chunk() {
            let word = u64::from_le_bytes(last);
            let quotes = quotes(word);
            if quotes != 0 {
                let size = quotes.leading_zeros() / 8;
                // Without the quote and what is before it.
                let word = word.checked_shr(u64::BITS - 8 * size).unwrap_or(0);
                return self.end_key(word, text, left.len() - size as usize);
            }
            self.add(word);
            left = rest;
        }
        let start = left.iter().rposition(|&byte| byte == b'"').map_or(0, |quote| quote + 1);
        let key = &left[start..];
        let mut word = [0; 8];
        word[..key.len()].copy_from_slice(key);
        self.end_key(u64::from_le_bytes(word), text, start)
    }

    #[inline]
    fn end_key(&mut self, word: u64, text: &[u8], start: usize) -> usize {
        self.add(word << 8 | (text.len() - start) as u64 & 0xff);
        start
    }
}

/// The high bits of the bytes that are quotes.
#[inline]
fn quotes(word: u64) -> u64 {
    const LOW_BITS: u64 = u64::from_ne_bytes([0x7f; 8]);
    let differences = word ^ u64::from_ne_bytes([b'"'; 8]);
    // No byte of the sum overflows into the next one.
    !(((differences & LOW_BITS) + LOW_BITS) | differences | LOW_BITS)
}

/// What is a hash already needs no other.
#[derive(Default)]
struct Identity(u64);

impl Hasher for Identity {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _: &[u8]) {
        unreachable!("only words are hashed");
    }

    fn write_u64(&mut self, word: u64) {
        self.0 = word;
    }
}
