//! `OrdinaryEvents`: from the bytes of a stream to an SDK's own events.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyList};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::EventQueue;

use super::ordinary::{Habits, Ordinary};
use crate::decoder;
use crate::text::text;

/// Decodes the ordinary events of a stream: comments, known fields, and no more than one line of data.
///
/// Args:
///     make: makes an object of the type, the data, the last ID and the retry time of an event.
///     limit: how many bytes of an event that is not complete are kept.
///     unicode_lines: whether the other reader ends lines at other characters than CR and LF.
#[pyclass(module = "ssejet._core")]
pub struct OrdinaryEvents {
    ordinary: Ordinary,
    queue: EventQueue,
    make: Py<PyAny>,
}

#[pymethods]
impl OrdinaryEvents {
    #[new]
    #[pyo3(signature = (make, /, *, limit, unicode_lines))]
    fn new(make: Py<PyAny>, limit: usize, unicode_lines: bool) -> Self {
        let habits = Habits { all_fields: true, unicode_lines, limit };
        Self { ordinary: Ordinary::new(habits), queue: EventQueue::default(), make }
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
            let (event_type, data) = (text(py, event.event_type)?, text(py, event.data)?);
            let id = text(py, event.last_event_id.unwrap_or_default())?;
            made.append(self.make.bind(py).call1((event_type, data, id, event.retry))?)?;
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
        PyBytes::new(py, &self.ordinary.rest())
    }

    // There is no `__clear__`: what this refers to cannot refer back to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.make)
    }
}
