//! Makes Python strings from the bytes of a stream.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

use crate::sizes::signed;

/// Decodes UTF-8. Each maximal subpart of malformed input becomes U+FFFD.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
pub fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    if is_ascii(bytes) {
        new(py, bytes.len(), '\x7F', |data: *mut u8| {
            // SAFETY: `data` has room for this many one-byte characters, and no other code uses it.
            unsafe { data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len()) }
        })
    } else {
        decode_wide(py, bytes)
    }
}

/// Decodes UTF-8 that contains other characters than ASCII.
///
/// CPython's decoder copies the string to a larger one at each wider character. This function scans the
/// bytes first, and makes a string of the right size and width. In most streams the wide characters are
/// close together, so the ASCII before and after them is only copied.
fn decode_wide<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let (head, rest) = bytes.split_at(leading_ascii(bytes));
    let (rest, tail) = rest.split_at(rest.len() - trailing_ascii(rest));
    let Ok(text) = simdutf8::basic::from_utf8(rest) else {
        return decode_malformed(py, bytes);
    };
    let parts = Parts { head, text, tail };
    let len = head.len() + text.chars().count() + tail.len();
    // SAFETY: `len` is the number of characters of the parts. In valid UTF-8 the highest byte is the
    // first byte of the widest character, and tells its width.
    unsafe {
        match fold(rest, 0, u8::max) {
            ..=0xC3 => join::<u8>(py, len, '\u{FF}', &parts),
            0xC4..=0xEF => join::<u16>(py, len, '\u{FFFF}', &parts),
            0xF0.. => join::<u32>(py, len, '\u{10FFFF}', &parts),
        }
    }
}

/// Joins the parts to a string.
///
/// # Safety
///
/// `len` must be the number of their characters. No character may be wider than `T` or `widest`.
unsafe fn join<'py, T: Unit>(
    py: Python<'py>,
    len: usize,
    widest: char,
    parts: &Parts<'_>,
) -> PyResult<Bound<'py, PyString>> {
    new(py, len, widest, |data: *mut T| {
        // SAFETY: `data` has room for `len` characters of this width.
        unsafe { parts.write(data) }
    })
}

/// Decodes malformed UTF-8.
#[cold]
fn decode_malformed<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    // SAFETY: `py` shows that this thread is attached. The function reads `len` bytes, and returns a
    // new reference to a `str`, or null with an exception set.
    unsafe {
        let len = signed(bytes.len());
        let object = ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), len, c"replace".as_ptr());
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// Makes a string of `len` characters that are no wider than `widest`. `fill` writes them.
#[inline]
fn new<T>(
    py: Python<'_>,
    len: usize,
    widest: char,
    fill: impl FnOnce(*mut T),
) -> PyResult<Bound<'_, PyString>> {
    // SAFETY: `py` shows that this thread is attached. `PyUnicode_New` returns a new reference to a
    // `str` with room for `len` characters as wide as `widest`, or null with an exception set. No
    // other code has seen the string, so this may write to it. The empty string is shared, but this
    // does not write to it.
    unsafe {
        let object = ffi::PyUnicode_New(signed(len), widest.into());
        let string = Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked();
        if len > 0 {
            fill(ffi::PyUnicode_DATA(object).cast());
        }
        Ok(string)
    }
}

/// The same as `<[u8]>::is_ascii`, with a fifth of its instructions for a chat chunk.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    fold(bytes, 0, |union, byte| union | byte) < 0x80
}

/// Folds bytes in blocks of a fixed size, so that the compiler uses vector instructions. The last block can
/// overlap the one before it: the function may get a byte twice.
#[inline]
fn fold(bytes: &[u8], initial: u8, function: impl Fn(u8, u8) -> u8) -> u8 {
    const STRIDE: usize = 64;
    let mut folded = [initial; STRIDE];
    let mut add = |stride: &[u8]| {
        for (folded, &byte) in folded.iter_mut().zip(stride) {
            *folded = function(*folded, byte);
        }
    };
    match bytes.last_chunk::<STRIDE>() {
        Some(last) => {
            bytes.chunks_exact(STRIDE).for_each(&mut add);
            add(last);
            folded.into_iter().fold(initial, &function)
        }
        None => bytes.iter().fold(initial, |folded, &byte| function(folded, byte)),
    }
}

/// A unit of one, two or four bytes, which holds a character.
trait Unit {
    fn of(character: u32) -> Self;
}

impl Unit for u8 {
    #[allow(clippy::cast_possible_truncation)]
    fn of(character: u32) -> Self {
        character as Self
    }
}

impl Unit for u16 {
    #[allow(clippy::cast_possible_truncation)]
    fn of(character: u32) -> Self {
        character as Self
    }
}

impl Unit for u32 {
    fn of(character: u32) -> Self {
        character
    }
}

/// The number of bytes that `not_ascii` checks at once.
const BLOCK: usize = 16;

/// The high bits of the bytes in a block, in the order of the bytes, the first byte lowest.
#[inline]
fn not_ascii(block: &[u8]) -> u128 {
    const HIGH_BITS: u128 = u128::from_ne_bytes([0x80; BLOCK]);
    u128::from_le_bytes(block.try_into().expect("blocks have this size")) & HIGH_BITS
}

/// The number of bytes before the first one that is not ASCII.
#[inline]
fn leading_ascii(bytes: &[u8]) -> usize {
    for (place, block) in bytes.chunks_exact(BLOCK).enumerate() {
        let found = not_ascii(block);
        if found != 0 {
            return place * BLOCK + found.trailing_zeros() as usize / 8;
        }
    }
    let rest = bytes.chunks_exact(BLOCK).remainder();
    bytes.len() - rest.len() + rest.iter().take_while(|byte| byte.is_ascii()).count()
}

/// The number of bytes after the last one that is not ASCII.
#[inline]
fn trailing_ascii(bytes: &[u8]) -> usize {
    for (place, block) in bytes.rchunks_exact(BLOCK).enumerate() {
        let found = not_ascii(block);
        if found != 0 {
            return place * BLOCK + found.leading_zeros() as usize / 8;
        }
    }
    let rest = bytes.rchunks_exact(BLOCK).remainder();
    bytes.len() - rest.len() + rest.iter().rev().take_while(|byte| byte.is_ascii()).count()
}

/// A text, and the ASCII before and after it.
struct Parts<'a> {
    head: &'a [u8],
    text: &'a str,
    tail: &'a [u8],
}

impl Parts<'_> {
    /// Writes the characters of all parts.
    ///
    /// # Safety
    ///
    /// `data` must have room for all of them, and none may be wider than `T`.
    #[inline]
    unsafe fn write<T: Unit>(&self, mut data: *mut T) {
        // SAFETY: the caller promises room for every character, and each byte of ASCII is a character.
        unsafe {
            data = write_ascii(self.head, data);
            let mut rest = self.text.as_bytes();
            while !rest.is_empty() {
                let (character, after) = split_first_char(rest);
                data.write(T::of(character));
                data = data.add(1);
                rest = after;
            }
            write_ascii(self.tail, data);
        }
    }
}

/// Writes ASCII, and returns the address after it.
///
/// # Safety
///
/// `data` must have room for all of it.
#[inline]
unsafe fn write_ascii<T: Unit>(ascii: &[u8], data: *mut T) -> *mut T {
    for (place, &byte) in ascii.iter().enumerate() {
        // SAFETY: the caller promises room for `ascii.len()` characters.
        unsafe { data.add(place).write(T::of(byte.into())) };
    }
    // SAFETY: as above.
    unsafe { data.add(ascii.len()) }
}

/// Splits off the first character of valid UTF-8.
#[inline]
fn split_first_char(utf8: &[u8]) -> (u32, &[u8]) {
    let six = |byte: &u8| u32::from(byte & 0x3F);
    match utf8 {
        [a @ ..0x80, rest @ ..] => (u32::from(*a), rest),
        [a @ ..0xE0, b, rest @ ..] => (u32::from(a & 0x1F) << 6 | six(b), rest),
        [a @ ..0xF0, b, c, rest @ ..] => (u32::from(a & 0x0F) << 12 | six(b) << 6 | six(c), rest),
        [a, b, c, d, rest @ ..] => (u32::from(a & 0x07) << 18 | six(b) << 12 | six(c) << 6 | six(d), rest),
        _ => unreachable!("the caller has checked that this is UTF-8"),
    }
}
