//! The bytes of whatever `feed` is given.

use std::borrow::Cow;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyTypeError;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

/// Borrows the bytes of a `bytes`, or copies those of any other contiguous buffer of bytes:
/// another thread could change or free them under the parser's hands.
///
/// # Errors
///
/// `TypeError`, naming the type, for anything else.
#[inline]
pub fn bytes<'a>(object: &'a Bound<'_, PyAny>) -> PyResult<Cow<'a, [u8]>> {
    match object.cast::<PyBytes>() {
        Ok(bytes) => Ok(Cow::Borrowed(bytes.as_bytes())),
        Err(_) => copy(object).map(Cow::Owned),
    }
}

#[cold]
fn copy(object: &Bound<'_, PyAny>) -> PyResult<Vec<u8>> {
    let py = object.py();
    let copied = if let Ok(buffer) = PyBuffer::<u8>::get(object) {
        buffer.to_vec(py).ok().filter(|_| buffer.is_c_contiguous())
    } else if let Ok(buffer) = PyBuffer::<i8>::get(object) {
        let signed = buffer.to_vec(py).ok().filter(|_| buffer.is_c_contiguous());
        signed.map(|bytes| bytes.into_iter().map(i8::cast_unsigned).collect())
    } else {
        None
    };
    copied.ok_or_else(|| {
        let name = object.get_type().qualname().map_or_else(|_| "?".into(), |name| name.to_string());
        PyTypeError::new_err(format!(
            "a chunk must be bytes, bytearray or a contiguous buffer of bytes, not {name}{}",
            match &*name {
                "str" => " (encode it as UTF-8)",
                "memoryview" | "array" => " with larger items or with gaps",
                _ => "",
            }
        ))
    })
}
