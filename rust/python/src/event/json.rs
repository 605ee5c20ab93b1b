//! `json.loads`, by orjson where both give the same result.

use pyo3::exceptions::{PyRecursionError, PyUnicodeEncodeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};

use crate::imports::Imported;
use crate::stack;

/// Integers of fewer digits than this fit in 64 bits. orjson makes floats of larger ones.
const LONG: usize = 19;

/// JSON of at most this depth fits on every stack. Usual JSON is less deep.
const SHALLOW: usize = 64;

/// The standard library and orjson take less than this number of bytes of the stack for one level.
const LEVEL_SIZE: usize = 512;

/// The same for msgspec and pydantic, except for models that hold themselves.
const TYPED_LEVEL_SIZE: usize = 1024;

/// Decodes what `json.loads` accepts, with equal results.
///
/// # Errors
///
/// What `json.loads` raises.
pub fn loads<'py>(data: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    static ORJSON: Imported = Imported::new("ssejet._orjson", "loads");
    static STANDARD: Imported = Imported::new("json", "loads");

    let py = data.py();
    let fits_orjson = match data.to_str() {
        Ok(text) => {
            check_depth(text.as_bytes(), LEVEL_SIZE)?;
            !has_long_number(text.as_bytes())
        }
        Err(error) => {
            check_depth(bytes_despite(data, error)?.as_bytes(), LEVEL_SIZE)?;
            false
        }
    };
    if fits_orjson {
        match ORJSON.get(py)?.call1((data,)) {
            Err(error) if error.is_instance_of::<PyValueError>(py) => {}
            result => return result,
        }
    }
    STANDARD.get(py)?.call1((data,))
}

/// The bytes of a text that has no UTF-8 form because of a lone surrogate. orjson refuses such a text, too.
#[cold]
fn bytes_despite<'py>(text: &Bound<'py, PyString>, error: PyErr) -> PyResult<Bound<'py, PyBytes>> {
    if !error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
        return Err(error);
    }
    Ok(text.call_method1(intern!(text.py(), "encode"), ("utf-8", "surrogatepass"))?.cast_into()?)
}

/// Raise RecursionError if the stack is too small for typed decoders to follow the nesting of a JSON text.
#[pyfunction(name = "_check_nesting")]
#[pyo3(signature = (data, /))]
pub fn check_nesting(data: &Bound<'_, PyString>) -> PyResult<()> {
    match data.to_str() {
        Ok(text) => check_depth(text.as_bytes(), TYPED_LEVEL_SIZE),
        Err(error) => check_depth(bytes_despite(data, error)?.as_bytes(), TYPED_LEVEL_SIZE),
    }
}

/// Makes sure that the stack is large enough for a decoder to follow the nesting of the text.
///
/// # Errors
///
/// `RecursionError`.
#[inline]
fn check_depth(bytes: &[u8], level_size: usize) -> PyResult<()> {
    // On a stack of 8 MiB, no text of less than 16 KB needs a closer look.
    if bytes.len() <= SHALLOW || bytes.len() <= stack::left() / level_size || count_openers(bytes) <= SHALLOW
    {
        return Ok(());
    }
    check_exactly(bytes, level_size)
}

#[cold]
fn check_exactly(bytes: &[u8], level_size: usize) -> PyResult<()> {
    let depth = nesting(bytes);
    if depth > SHALLOW && depth > stack::left() / level_size {
        return Err(PyRecursionError::new_err(format!(
            "the JSON is nested {depth} deep, which takes more than this thread's stack has left; \
             decode it in a thread with a larger one, see threading.stack_size()"
        )));
    }
    Ok(())
}

/// How many opening braces and brackets there are, also in strings. This is as fast as reading memory.
fn count_openers(bytes: &[u8]) -> usize {
    // The two differ in one bit. A `u8` can count those in a piece of 255 bytes.
    let opener = |byte: &u8| u8::from(byte | 0x20 == b'{');
    bytes.chunks(255).map(|piece| usize::from(piece.iter().map(opener).sum::<u8>())).sum()
}

/// How deep objects and arrays are nested. In text that is not JSON, at least as deep as up to the first fault.
fn nesting(bytes: &[u8]) -> usize {
    let mut depth = 0_usize;
    let mut deepest = 0;
    let mut in_string = false;
    let mut bytes = bytes.iter();
    while let Some(byte) = bytes.next() {
        match byte {
            b'"' => in_string = !in_string,
            b'\\' if in_string => {
                bytes.next();
            }
            b'{' | b'[' if !in_string => {
                depth += 1;
                deepest = deepest.max(depth);
            }
            b'}' | b']' if !in_string => depth = depth.saturating_sub(1),
            _ => {}
        }
    }
    deepest
}

/// Whether there is a run of digits that is too long for an integer of 64 bits.
fn has_long_number(bytes: &[u8]) -> bool {
    let digits =
        |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| byte.is_ascii_digit()).count();
    // Every such run includes one of these bytes.
    (LONG - 1..bytes.len()).step_by(LONG).any(|place| {
        bytes[place].is_ascii_digit()
            && digits(&mut bytes[..place].iter().rev()) + digits(&mut bytes[place..].iter()) >= LONG
    })
}
