//! The bytes of a chunk, whatever its type.

use std::borrow::Cow;

use pyo3::buffer::{Element, PyBuffer};
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::errors::Stop;

/// Borrows the bytes of a `bytes` object. Copies those of any other contiguous buffer of bytes, because
/// another thread could change or free them while the parser reads.
///
/// # Errors
///
/// `TypeError`, naming the type: the object is no such buffer.
#[inline]
pub fn bytes<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    match object.cast::<PyBytes>() {
        Ok(bytes) => Ok(Cow::Borrowed(bytes.as_bytes())),
        Err(_) => copy(object).map(Cow::Owned),
    }
}

/// Whether a chunk is one line and a blank line, both ended by LF, and nothing else.
pub fn is_one_line(chunk: &Bound<'_, PyBytes>) -> bool {
    let bytes = chunk.as_bytes();
    bytes.ends_with(b"\n\n") && memchr::memchr2(b'\n', b'\r', bytes) == Some(bytes.len() - 2)
}

#[cold]
fn copy(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let copied = match items::<u8>(object)? {
        None => items::<i8>(object)?.map(|signed| signed.into_iter().flat_map(i8::to_ne_bytes).collect()),
        unsigned => unsigned,
    };
    if let Some(bytes) = copied {
        return Ok(bytes);
    }
    let name = object.get_type().qualname()?.to_string();
    Err(PyTypeError::new_err(format!(
        "a chunk must be bytes, bytearray or a contiguous buffer of bytes, not {name}{}",
        match &*name {
            "str" => " (encode it as UTF-8)",
            "memoryview" | "array" => " with larger items or with gaps",
            _ => "",
        }
    )))
}

/// A copy of the items of a contiguous buffer; `None` if the object is no such buffer.
fn items<T: Element>(object: &Bound<'_, PyAny>) -> PyResult<Option<Vec<T>>> {
    let py = object.py();
    match PyBuffer::<T>::get(object) {
        Ok(buffer) if buffer.is_c_contiguous() => buffer.to_vec(py).map(Some),
        Ok(_) => Ok(None),
        Err(error) => match Stop::of(py, error) {
            Stop::Refused => Ok(None),
            Stop::Error(error) => Err(error),
        },
    }
}
