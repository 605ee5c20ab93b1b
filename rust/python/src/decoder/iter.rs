//! The iterator behind `Decoder.iter_bytes`.

use std::borrow::Cow;
use std::mem;

use pyo3::exceptions::PyRuntimeError;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::Parser;

use super::buffer;
use super::sink::Collect;
use super::state::{Decoder, Failure};

/// The step after the decoded events have been given.
enum Next {
    /// Ask for a chunk. If the chunks have ended, the iteration ends.
    Pull,
    /// Feed this chunk.
    Feed(Py<PyAny>),
    /// Ask the decoder for what it kept back.
    AskAgain,
    /// Tell the decoder that the chunks have ended.
    Finish,
}

#[pyclass(module = "ssejet._core", name = "EventIterator")]
pub struct EventIterator {
    decoder: Py<Decoder>,
    /// `None` when the chunks have ended.
    chunks: Option<Py<PyIterator>>,
    /// The events to give, in reverse order.
    events: Vec<Py<PyAny>>,
    next: Next,
}

impl EventIterator {
    pub fn new(decoder: Py<Decoder>, chunks: Bound<'_, PyIterator>) -> Self {
        Self { decoder, chunks: Some(chunks.unbind()), events: Vec::new(), next: Next::Pull }
    }

    /// The step for the next chunk, or for the end of the chunks; `None` after that end.
    fn pull(&mut self, py: Python<'_>) -> PyResult<Option<Next>> {
        let Some(chunks) = &self.chunks else { return Ok(None) };
        if let Some(chunk) = chunks.bind(py).clone().next().transpose()? {
            return Ok(Some(Next::Feed(chunk.unbind())));
        }
        self.chunks = None;
        Ok(Some(Next::Finish))
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
            let next = match mem::replace(&mut this.next, Next::Pull) {
                Next::Pull => match this.pull(py)? {
                    Some(next) => next,
                    None => return Ok(None),
                },
                next => next,
            };
            let bytes = match &next {
                Next::Feed(chunk) => buffer::bytes(chunk.bind(py))?,
                _ => Cow::Borrowed(&b""[..]),
            };
            let step = |parser: &mut Parser, sink: &mut Collect<'_, '_>| match next {
                Next::Finish => parser.finish(sink),
                _ => parser.feed(&bytes, sink),
            };
            let result = Decoder::run(this.decoder.bind(py), step, |_, events, more| {
                mem::swap(events, &mut this.events);
                this.events.reverse();
                if more {
                    this.next = Next::AskAgain;
                }
                Ok(())
            });
            match result {
                Ok(()) => {}
                Err(Failure::TooLarge(error)) => {
                    this.chunks = None;
                    return Err(error);
                }
                Err(Failure::InUse(error)) => {
                    this.next = next;
                    return Err(error);
                }
                Err(Failure::Other(error)) => {
                    this.next = Next::AskAgain;
                    return Err(error);
                }
            }
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        if let Next::Feed(chunk) = &self.next {
            visit.call(chunk)?;
        }
        visit.call(&self.chunks)
    }

    fn __clear__(&mut self) {
        self.chunks = None;
    }
}
