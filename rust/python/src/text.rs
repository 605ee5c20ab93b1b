//! Python strings from the bytes of a stream.

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::PyString;

/// Decodes UTF-8, each maximal subpart of malformed input replaced by U+FFFD.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
pub fn text<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyString>> {
    let len = bytes.len().cast_signed();
    // SAFETY: `py` shows that this thread is attached. `PyUnicode_New(len, 127)` gives a new
    // string with room for `len` one-byte characters, which nobody else has seen yet, so that
    // filling it is allowed; every byte is ASCII, as was promised by 127. Both functions give a
    // new reference to a `str`, or null with an exception set.
    unsafe {
        let object = if is_ascii(bytes) {
            let object = ffi::PyUnicode_New(len, 127);
            if !object.is_null() && len > 0 {
                let data = ffi::PyUnicode_1BYTE_DATA(object);
                data.copy_from_nonoverlapping(bytes.as_ptr(), bytes.len());
            }
            object
        } else {
            ffi::PyUnicode_DecodeUTF8(bytes.as_ptr().cast(), len, c"replace".as_ptr())
        };
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}

/// What `<[u8]>::is_ascii` says, in strides that the compiler turns into vector instructions: a
/// fifth of its instructions on a chat chunk.
#[inline]
fn is_ascii(bytes: &[u8]) -> bool {
    const STRIDE: usize = 64;
    let stride_is_ascii = |stride: &[u8; STRIDE]| stride.iter().fold(0, |union, byte| union | byte) < 0x80;
    let (strides, rest) = bytes.as_chunks::<STRIDE>();
    match bytes.last_chunk::<STRIDE>() {
        // The last stride overlaps the one before it, so that no byte is looked at alone.
        Some(last) => strides.iter().all(stride_is_ascii) && stride_is_ascii(last),
        None => rest.is_ascii(),
    }
}
