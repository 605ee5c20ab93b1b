//! `ReadBuffer`: the memory that an event loop reads into.

use std::ptr;

use pyo3::buffer::PyBuffer;
use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyMemoryView};

/// Memory that an event loop reads into.
///
/// All connections of an event loop share one, as each uses up what was read at once. So a read needs no memory
/// of its own, and this memory stays in the processor's cache.
///
/// Args:
///     size: the number of bytes.
#[pyclass(module = "ssejet._core", frozen)]
pub struct ReadBuffer {
    /// What the event loop gets.
    view: Py<PyMemoryView>,
    memory: PyBuffer<u8>,
}

#[pymethods]
impl ReadBuffer {
    #[new]
    #[pyo3(signature = (size, /))]
    fn new(py: Python<'_>, size: usize) -> PyResult<Self> {
        let memory = py.get_type::<PyByteArray>().call1((size,))?;
        let view = PyMemoryView::from(&memory)?;
        Ok(Self { view: view.unbind(), memory: PyBuffer::get(&memory)? })
    }
}

impl ReadBuffer {
    pub fn view<'py>(&self, py: Python<'py>) -> Bound<'py, PyMemoryView> {
        self.view.bind(py).clone()
    }

    /// Copies the first bytes: another thread could change them while they are looked at.
    ///
    /// # Errors
    ///
    /// `ValueError`: there are not so many.
    pub fn copy(&self, length: usize) -> PyResult<Vec<u8>> {
        if length > self.memory.len_bytes() {
            return Err(PyValueError::new_err("the buffer has not so many bytes"));
        }
        let mut bytes = Vec::with_capacity(length);
        // SAFETY: the buffer keeps its memory alive, which is contiguous, as a bytearray's is, and has at least
        // so many bytes. The vector has room for them, and they are initialized by the copy. What another thread
        // might write meanwhile is bytes, too.
        unsafe {
            ptr::copy_nonoverlapping(self.memory.buf_ptr().cast::<u8>(), bytes.as_mut_ptr(), length);
            bytes.set_len(length);
        }
        Ok(bytes)
    }
}
