//! `ItemDecoder`: from the bytes of a stream to the items of an SDK.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{Event, Options, Parser};

use crate::backlog::Backlog;
use crate::buffer;
use crate::build::{Assembler, Builder, Memory, Stop};
use crate::dialect::Dialect;
use crate::errors::event_too_large;
use crate::sink::Shared;

/// Decodes an event stream into what an SDK makes of its events.
///
/// An iterator over the items of the bytes fed so far: an item for each event, or the ``ServerSentEvent``
/// itself where it is not known what the SDK makes of it. An item is made when it is asked for: many that
/// wait together have the garbage collector look for cycles, again and again.
///
/// Args:
///     assembler: what builds an item.
///     dialect: the decoder's.
///     only: the types of the events that items are built of, or None for all.
///     wrapped: what the types of events begin with whose items have the fields ``data`` and ``event``.
///     error_key: a key by which the SDK knows an error. Nothing is built of data where its value is true.
#[pyclass(module = "ssejet._core")]
pub struct ItemDecoder {
    parser: Parser,
    shared: Shared,
    backlog: Backlog,
    assembler: Py<Assembler>,
    memory: Memory,
    rules: Rules,
}

struct Rules {
    only: Option<Vec<String>>,
    wrapped: Option<String>,
    error_key: Option<String>,
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
            parser: Parser::new(Options { dispatch: dialect.dispatch, ..Options::default() }),
            shared: Shared::new(assembler.py(), dialect),
            backlog: Backlog::default(),
            memory: Memory::new(assembler.get()),
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
        let bytes = buffer::bytes(chunk)?;
        let mut this = slf.try_borrow_mut()?;
        let Self { parser, backlog, .. } = &mut *this;
        match parser.feed(&bytes, backlog) {
            Err(error) if backlog.is_empty() => Err(event_too_large(slf.py(), error)),
            _ => Ok(slf.clone()),
        }
    }

    /// Decode the end of the stream, which drops an unfinished event.
    ///
    /// Raises:
    ///     EventTooLargeError: as for ``Decoder.finish``.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        self.parser.finish(&mut self.backlog).map_err(|error| event_too_large(py, error))
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let Some(event) = self.backlog.take() else { return Ok(None) };
        let error_key = self.rules.error_key.as_deref().map(str::as_bytes);
        let assembler = self.assembler.get();
        let builder = Builder::new(py, assembler, &mut self.memory, error_key);
        match self.rules.build(builder, event) {
            Ok(item) => Ok(Some(item)),
            Err(Stop::Refused) => self.shared.event(py, event).map(Some),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // Strings, of which the rest consists, lead nowhere. What leads back here can be cleared itself.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)
    }
}

impl Rules {
    #[inline]
    fn build<'py>(&self, mut builder: Builder<'py, '_>, event: Event<'_>) -> Result<Bound<'py, PyAny>, Stop> {
        let event_type = event.event_type;
        if self.wrapped.as_ref().is_some_and(|prefix| event_type.starts_with(prefix.as_bytes())) {
            builder.wrapped(event_type, event.data)
        } else if self.only.as_ref().is_none_or(|only| only.iter().any(|name| name.as_bytes() == event_type))
        {
            builder.item(event.data)
        } else {
            Err(Stop::Refused)
        }
    }
}
