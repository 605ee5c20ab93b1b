//! The iterator behind `Decoder.iter_bytes`.

use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyList};
use pyo3::{PyTraverseError, PyVisit};

use crate::buffer;
use crate::decoder::Decoder;

#[pyclass(module = "ssejet._core", name = "EventIterator")]
pub struct EventIterator {
    decoder: Py<Decoder>,
    /// None once the chunks have ended.
    chunks: Option<Py<PyIterator>>,
    events: Option<Py<PyList>>,
    next: usize,
}

impl EventIterator {
    pub fn new(decoder: Py<Decoder>, chunks: Bound<'_, PyIterator>) -> Self {
        Self { decoder, chunks: Some(chunks.unbind()), events: None, next: 0 }
    }

    fn next_event<'py>(&mut self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        let event = self.events.as_ref()?.bind(py).get_item(self.next).ok();
        self.next += 1;
        event
    }
}

#[pymethods]
impl EventIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        loop {
            if let Some(event) = self.next_event(py) {
                return Ok(Some(event));
            }
            self.events = None;
            let Some(chunks) = &self.chunks else { return Ok(None) };
            let decoder = self.decoder.bind(py);
            let failed = decoder.try_borrow().is_ok_and(|decoder| decoder.failed());
            let chunk = if failed { None } else { chunks.bind(py).clone().next().transpose()? };
            let events = match chunk {
                Some(chunk) => {
                    let bytes = buffer::bytes(&chunk)?;
                    Decoder::run(decoder, |parser, sink| parser.feed(&bytes, sink))?
                }
                None => {
                    self.chunks = None;
                    Decoder::run(decoder, |parser, sink| parser.finish(sink))?
                }
            };
            self.events = Some(events.unbind());
            self.next = 0;
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.chunks)?;
        visit.call(&self.events)
    }

    fn __clear__(&mut self) {
        self.chunks = None;
        self.events = None;
    }
}
