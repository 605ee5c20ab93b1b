//! `ItemDecoder`: from the bytes of a stream to the items of an SDK.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{EventQueue, Options, Parser};

use super::rules::Rules;
use crate::build::{Assembler, Builder, Memory};
use crate::decoder::{self, Dialect, EventMaker};
use crate::errors::{Stop, event_too_large};

/// Decodes an event stream into the items that an SDK makes of its events.
///
/// This is an iterator over the items of the bytes fed so far. Each event gives an item, or the
/// ``ServerSentEvent`` itself where it is not known what the SDK makes of it. An item is made when it is
/// asked for: if many were made at once, the garbage collector would search them for cycles.
///
/// Args:
///     assembler: builds an item.
///     dialect: the decoder's dialect.
///     only: the types of the events that become items, or None for all.
///     wrapped: the start of the types of events whose items have the fields ``data`` and ``event``.
///     error_key: the key by which the SDK knows an error. Nothing is built of data in which its value is true.
#[pyclass(module = "ssejet._core")]
pub struct ItemDecoder {
    parser: Parser,
    maker: EventMaker,
    /// The events that wait to be made into items.
    queue: EventQueue,
    assembler: Py<Assembler>,
    memory: Memory,
    rules: Rules,
}

#[pymethods]
impl ItemDecoder {
    #[new]
    #[pyo3(signature = (assembler, /, *, dialect, only = None, wrapped = None, error_key = None))]
    fn new(
        assembler: Bound<'_, Assembler>,
        dialect: &str,
        only: Option<Vec<String>>,
        wrapped: Option<String>,
        error_key: Option<String>,
    ) -> PyResult<Self> {
        let dialect = Dialect::named(dialect)?;
        Ok(Self {
            parser: Parser::new(Options::default().with_dispatch(dialect.dispatch)),
            maker: EventMaker::new(assembler.py(), dialect),
            queue: EventQueue::default(),
            memory: Memory::new(assembler.get().plan()),
            assembler: assembler.unbind(),
            rules: Rules { only, wrapped, error_key },
        })
    }

    /// Decode the next bytes of the stream.
    ///
    /// Returns:
    ///     This iterator.
    ///
    /// Raises:
    ///     EventTooLargeError, TypeError: as for ``Decoder.feed``.
    #[pyo3(signature = (chunk, /))]
    fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let bytes = decoder::bytes(chunk)?;
        let mut this = slf.try_borrow_mut()?;
        let Self { parser, queue, .. } = &mut *this;
        match parser.feed(&bytes, queue) {
            Err(error) if queue.is_empty() => Err(event_too_large(slf.py(), error)),
            _ => Ok(slf.clone()),
        }
    }

    /// Decode the end of the stream, which drops an unfinished event.
    ///
    /// Raises:
    ///     EventTooLargeError: as for ``Decoder.finish``.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        self.parser.finish(&mut self.queue).map_err(|error| event_too_large(py, error))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(event) = self.queue.pop() else { return Ok(None) };
        let plan = self.assembler.get().plan();
        let builder = Builder::new(py, plan, &mut self.memory, self.rules.error_key());
        match self.rules.build(builder, event) {
            Ok(item) => Ok(Some(item)),
            Err(Stop::Refused) => self.maker.event(py, event).map(Some),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // The other fields only refer to strings. An object that refers back to this one can be cleared itself.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)
    }
}
