//! `ItemDecoder`: from the bytes of a stream to the items of an SDK.

use pyo3::prelude::*;
use pyo3::types::PyList;
use ssejet_core::{Event, EventTooLarge, Options, Parser, Sink};

use crate::buffer;
use crate::build::{Assembler, Builder, Memory, Stop};
use crate::dialect::Dialect;
use crate::errors::event_too_large;
use crate::sink::{Collect, Decoded, Shared, list};

/// Decodes an event stream into what an SDK makes of its events.
///
/// Args:
///     assembler: what builds an item.
///     dialect: the decoder's.
///     only: the types of the events that items are built of, or None for all.
///     wrapped: what the types of events begin with whose items have the fields ``data`` and ``event``.
///     telltale: a key by which the SDK knows an error. Nothing is built of data where its value is true.
#[pyclass(module = "ssejet._core")]
pub struct ItemDecoder {
    parser: Parser,
    shared: Shared,
    decoded: Decoded,
    assembler: Py<Assembler>,
    memory: Memory,
    rules: Rules,
}

struct Rules {
    only: Option<Vec<String>>,
    wrapped: Option<String>,
    telltale: Option<String>,
}

#[pymethods]
impl ItemDecoder {
    #[new]
    #[pyo3(signature = (assembler, /, *, dialect, only = None, wrapped = None, telltale = None))]
    fn new(
        assembler: Bound<'_, Assembler>,
        dialect: &str,
        only: Option<Vec<String>>,
        wrapped: Option<String>,
        telltale: Option<String>,
    ) -> PyResult<Self> {
        let dialect = Dialect::named(dialect)?;
        Ok(Self {
            parser: Parser::new(Options { dispatch: dialect.dispatch, ..Options::default() }),
            shared: Shared::new(assembler.py(), dialect),
            decoded: Decoded::default(),
            memory: Memory::new(assembler.get()),
            assembler: assembler.unbind(),
            rules: Rules { only, wrapped, telltale },
        })
    }

    /// Decode the next bytes of the stream.
    ///
    /// Returns:
    ///     An item for each event that these bytes complete, or the ``ServerSentEvent`` itself where it is not
    ///     known what the SDK makes of it.
    ///
    /// Raises:
    ///     EventTooLargeError, TypeError: as for ``Decoder.feed``.
    #[pyo3(signature = (chunk, /))]
    fn feed<'py>(&mut self, py: Python<'py>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let bytes = buffer::bytes(chunk)?;
        self.run(py, |parser, sink| parser.feed(&bytes, sink))
    }

    /// Decode the end of the stream.
    ///
    /// Raises:
    ///     EventTooLargeError: as for ``Decoder.finish``.
    fn finish<'py>(&mut self, py: Python<'py>) -> PyResult<Bound<'py, PyList>> {
        self.run(py, |parser, sink| parser.finish(sink))
    }
}

impl ItemDecoder {
    #[inline]
    fn run<'py>(
        &mut self,
        py: Python<'py>,
        step: impl FnOnce(&mut Parser, &mut CollectItems<'py, '_>) -> Result<(), EventTooLarge>,
    ) -> PyResult<Bound<'py, PyList>> {
        let assembler = self.assembler.get();
        let telltale = self.rules.telltale.as_deref().map(str::as_bytes);
        let mut sink = CollectItems {
            builder: Builder { py, assembler, memory: &mut self.memory, telltale },
            collect: Collect { py, shared: &mut self.shared, decoded: &mut self.decoded },
            rules: &self.rules,
            error: None,
        };
        let result = step(&mut self.parser, &mut sink);
        let error = sink.error;
        self.decoded.check()?;
        match (error, result) {
            (Some(error), _) => {
                self.decoded.events.clear();
                Err(error)
            }
            (None, Err(error)) if self.decoded.events.is_empty() => Err(event_too_large(py, error)),
            _ => list(py, &mut self.decoded.events),
        }
    }
}

struct CollectItems<'py, 'a> {
    builder: Builder<'py, 'a>,
    collect: Collect<'py, 'a>,
    rules: &'a Rules,
    error: Option<PyErr>,
}

impl Sink for CollectItems<'_, '_> {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        let Rules { only, wrapped, .. } = self.rules;
        let event_type = event.event_type;
        let item = if wrapped.as_ref().is_some_and(|prefix| event_type.starts_with(prefix.as_bytes())) {
            self.builder.wrapped(event_type, event.data)
        } else if only.as_ref().is_none_or(|only| only.iter().any(|name| name.as_bytes() == event_type)) {
            self.builder.item(event.data)
        } else {
            Err(Stop::Refused)
        };
        match item {
            Ok(item) => self.collect.decoded.events.push(item.unbind()),
            Err(Stop::Refused) => self.collect.event(event),
            Err(Stop::Error(error)) => self.error = Some(error),
        }
    }
}
