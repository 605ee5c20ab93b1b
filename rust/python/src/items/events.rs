//! `OrdinaryEvents`: from the bytes of a stream to an SDK's own events.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::EventQueue;

use super::ordinary::Ordinary;
use crate::decoder;
use crate::text::text;

/// Decodes the ordinary events of a stream: a type, and data in one line that looks like a JSON object.
///
/// Args:
///     make: makes an object of the type and the data of an event.
///     limit: how many bytes of an event that is not complete are kept.
#[pyclass(module = "ssejet._core")]
pub struct OrdinaryEvents {
    ordinary: Ordinary,
    queue: EventQueue,
    make: Py<PyAny>,
}

#[pymethods]
impl OrdinaryEvents {
    #[new]
    #[pyo3(signature = (make, /, *, limit))]
    fn new(make: Py<PyAny>, limit: usize) -> Self {
        Self { ordinary: Ordinary::new(true, limit), queue: EventQueue::default(), make }
    }

    /// Decode the next bytes of the stream.
    ///
    /// Returns:
    ///     What was made of the events that are complete.
    #[pyo3(signature = (chunk, /))]
    fn feed<'py>(&mut self, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let py = chunk.py();
        self.ordinary.feed(&decoder::bytes(chunk)?, &mut self.queue);
        let made = PyList::empty(py);
        while let Some(event) = self.queue.pop() {
            made.append(self.make.bind(py).call1((text(py, event.event_type)?, text(py, event.data)?))?)?;
        }
        Ok(made)
    }

    /// Whether something else came, so that another reader must go on with ``rest``.
    #[getter]
    fn is_odd(&self) -> bool {
        self.ordinary.is_odd()
    }

    /// The bytes that were not decoded.
    #[getter]
    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.ordinary.rest())
    }

    // There is no `__clear__`: what this refers to cannot refer back to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.make)
    }
}
