//! The iterator behind `Decoder.iter_bytes`.

use std::mem;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};

use crate::buffer;
use crate::decoder::Decoder;

#[pyclass(module = "ssejet._core", name = "EventIterator")]
pub struct EventIterator {
    decoder: Py<Decoder>,
    /// None once the chunks have ended.
    chunks: Option<Py<PyIterator>>,
    /// The last one comes first.
    events: Vec<Py<PyAny>>,
    /// An event was too large: no more chunks are asked for.
    failed: bool,
}

impl EventIterator {
    pub fn new(decoder: Py<Decoder>, chunks: Bound<'_, PyIterator>) -> Self {
        Self { decoder, chunks: Some(chunks.unbind()), events: Vec::new(), failed: false }
    }
}

#[pymethods]
impl EventIterator {
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__(slf: &Bound<'_, Self>) -> PyResult<Option<Py<PyAny>>> {
        let py = slf.py();
        let mut guard = slf.try_borrow_mut().map_err(|_| {
            PyRuntimeError::new_err(
                "this iterator is in use: its own source, or another thread, asked it for an event; \
                 let one reader hand the events on",
            )
        })?;
        let this = &mut *guard;
        loop {
            if let Some(event) = this.events.pop() {
                return Ok(Some(event));
            }
            let Some(chunks) = &this.chunks else { return Ok(None) };
            let chunk = if this.failed { None } else { chunks.bind(py).clone().next().transpose()? };
            let decoder = this.decoder.bind(py);
            let take = |_: Python<'_>, events: &mut Vec<_>, failed| {
                mem::swap(events, &mut this.events);
                this.events.reverse();
                this.failed = failed;
                Ok(())
            };
            if let Some(chunk) = chunk {
                let bytes = buffer::bytes(&chunk)?;
                Decoder::run(decoder, |parser, sink| parser.feed(&bytes, sink), take)?;
            } else {
                this.chunks = None;
                Decoder::run(decoder, |parser, sink| parser.finish(sink), take)?;
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.chunks)
    }

    fn __clear__(&mut self) {
        self.chunks = None;
    }
}
