//! `Decoder`: its constructor, methods and attributes, as Python sees them.

use std::mem;

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{Event, Options, Parser};

use super::buffer;
use super::dialect::Dialect;
use super::iter::EventIterator;
use super::sink::{Collect, Decoded, EventMaker, list};
use super::state::Decoder;
use crate::errors::shown;
use crate::imports::Imported;
use crate::text;

/// A sentinel is shorter than this number of bytes.
const SHORT: usize = 1024;

#[pymethods]
impl Decoder {
    #[new]
    #[pyo3(signature = (*, dialect = "whatwg", max_event_size = Some(Limit(64 << 20)), last_event_id = "",
                        flush_incomplete = false, on_comment = None),
           text_signature = "(*, dialect='whatwg', max_event_size=67108864, last_event_id='', \
                             flush_incomplete=False, on_comment=None)")]
    fn new(
        py: Python<'_>,
        dialect: &str,
        max_event_size: Option<Limit>,
        last_event_id: &str,
        flush_incomplete: bool,
        on_comment: Option<Bound<'_, PyAny>>,
    ) -> PyResult<Self> {
        let dialect = Dialect::named(dialect)?;
        if last_event_id.contains(['\0', '\r', '\n']) {
            return Err(PyValueError::new_err(
                "last_event_id must not contain CR, LF or NUL: no stream can carry such an id",
            ));
        }
        if let Some(callback) = on_comment.as_ref().filter(|callback| !callback.is_callable()) {
            let found = callback.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!("on_comment must be callable or None, not {found}")));
        }
        let options = Options::default()
            .with_dispatch(dialect.dispatch)
            .with_max_event_size(max_event_size.map_or(usize::MAX, |limit| limit.0))
            .with_comments(on_comment.is_some())
            .with_flush_incomplete(flush_incomplete);
        Ok(Self {
            parser: Parser::new(options).with_last_event_id(last_event_id.as_bytes()),
            maker: EventMaker::new(py, dialect),
            dialect,
            on_comment: on_comment.map(Bound::unbind),
            decoded: Decoded::default(),
            deferred: None,
            in_callback: false,
        })
    }

    /// Decode the next bytes of the stream.
    ///
    /// Args:
    ///     chunk: bytes, bytearray, or a memoryview or other contiguous buffer of bytes.
    ///
    /// Returns:
    ///     The events that these bytes complete.
    ///
    /// Raises:
    ///     EventTooLargeError: an event is larger than ``max_event_size``. If the chunk also completed
    ///         events, they are returned, and the next call raises.
    ///     Exception: what ``on_comment`` raised, after the events before that comment: if the chunk
    ///         completed any, they are returned, and the next call raises. A call that raises has taken
    ///         its chunk; ``feed(b"")`` or ``finish()`` returns what is left.
    ///     RuntimeError: the decoder is in use, by another thread or by the caller of ``on_comment``.
    ///     TypeError: the chunk is of another type.
    #[pyo3(signature = (chunk))]
    pub fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let bytes = buffer::bytes(chunk)?;
        Ok(Self::run(slf, |parser, sink| parser.feed(&bytes, sink), |py, events, _| list(py, events))?)
    }

    /// Decode the end of the stream.
    ///
    /// An unfinished event is discarded, or dispatched with ``flush_incomplete``. The decoder is
    /// then ready for the next connection.
    ///
    /// Raises:
    ///     EventTooLargeError: an event was larger than ``max_event_size``.
    ///     Exception: what ``on_comment`` raised, as for ``feed``.
    ///     RuntimeError: as for ``feed``.
    fn finish<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Ok(Self::run(slf, |parser, sink| parser.finish(sink), |py, events, _| list(py, events))?)
    }

    /// Forget everything unfinished, for a new connection or after an ``EventTooLargeError``.
    ///
    /// What was kept back because ``on_comment`` raised is forgotten, too. ``last_event_id`` and ``retry``
    /// stay: they belong to the event source, which outlives its connections.
    fn reset(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut this = Self::locked(slf)?;
        this.parser.reset();
        // Dropping an exception may run any code, so it happens after the borrow.
        let forgotten = (mem::take(&mut this.decoded), this.deferred.take());
        drop(this);
        drop(forgotten);
        Ok(())
    }

    /// Does what `feed` does, or for None what `finish` does, but raises no exception of `on_comment`:
    /// the decoder pauses there, and `_resume` raises it.
    ///
    /// Returns:
    ///     The events, and whether the decoder has paused after them.
    ///
    /// Raises:
    ///     EventTooLargeError, RuntimeError, TypeError: as for ``feed``.
    #[pyo3(name = "_feed")]
    pub fn feed_or_finish<'py>(
        slf: &Bound<'py, Self>,
        chunk: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyTuple>> {
        let bytes = if chunk.is_none() { None } else { Some(buffer::bytes(chunk)?) };
        Self::feed_or_pause(slf, bytes.as_deref(), |py, events, is_paused| {
            (list(py, events)?, is_paused).into_pyobject(py)
        })
    }

    /// Goes on after a pause of `_feed`.
    ///
    /// Returns:
    ///     The events that follow, and whether the decoder has paused again.
    ///
    /// Raises:
    ///     EventTooLargeError: the next event is over the limit.
    ///     Exception: what `on_comment` raised. The decoder stays paused, as more may follow.
    fn _resume<'py>(slf: &Bound<'py, Self>) -> PyResult<(Bound<'py, PyList>, bool)> {
        let step = |parser: &mut Parser, sink: &mut Collect<'_, '_>| parser.feed(&[], sink);
        Ok(Self::run(slf, step, |py, events, more| Ok((list(py, events)?, more)))?)
    }

    /// The data of the event that the end of input would discard as unfinished, or None. Data that is too
    /// long for a sentinel is not given.
    fn _unfinished_data(&self, py: Python<'_>) -> PyResult<Option<Py<PyString>>> {
        let mut last = None;
        self.parser.peek_unfinished(SHORT, &mut |event: Event<'_>| last = Some(event.data.to_vec()));
        last.map(|data| text::text(py, &data).map(Bound::unbind)).transpose()
    }

    /// The last event ID at the last blank line, to be sent as ``Last-Event-ID``.
    #[getter]
    fn last_event_id<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyString>> {
        text::text(py, self.parser.last_event_id())
    }

    /// The reconnection time in milliseconds, from the last valid ``retry`` line.
    #[getter]
    fn retry(&self) -> Option<u64> {
        self.parser.reconnection_time()
    }

    /// Iterate over the events of an iterable of chunks.
    ///
    /// Raises:
    ///     EventTooLargeError: after the events before it.
    ///     Exception: what ``on_comment`` raised, after the events before that comment. The iterator
    ///         then goes on with what follows the comment.
    ///     RuntimeError, TypeError: as for ``feed``.
    #[pyo3(signature = (chunks))]
    fn iter_bytes(slf: &Bound<'_, Self>, chunks: &Bound<'_, PyAny>) -> PyResult<EventIterator> {
        Ok(EventIterator::new(slf.clone().unbind(), chunks.try_iter()?))
    }

    /// Iterate over the events of an async iterable of chunks.
    ///
    /// If the iteration ends early, an async generator of chunks is closed.
    ///
    /// Raises:
    ///     EventTooLargeError: after the events before it.
    ///     Exception: what ``on_comment`` raised, as for ``iter_bytes``.
    ///     RuntimeError, TypeError: as for ``feed``.
    #[pyo3(signature = (chunks))]
    fn aiter_bytes<'py>(slf: &Bound<'py, Self>, chunks: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        static PLAIN: Imported = Imported::new("ssejet._aiter", "aiter_bytes");
        static RESUMABLE: Imported = Imported::new("ssejet._aiter", "ResumableEvents");

        let py = slf.py();
        let calls_back = slf.try_borrow().is_ok_and(|this| this.on_comment.is_some());
        let driver = if calls_back { &RESUMABLE } else { &PLAIN };
        driver.get(py)?.call1((slf, chunks))
    }

    fn __repr__(&self) -> String {
        format!("Decoder(dialect='{}')", self.dialect.name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Events and comments cannot refer to this object.
        visit.call(&self.deferred)?;
        visit.call(&self.on_comment)
    }

    // The exception stays, because it has to be reported. It can break a cycle itself.
    fn __clear__(&mut self) {
        self.on_comment = None;
    }
}

/// `max_event_size`, in bytes.
struct Limit(usize);

impl<'py> FromPyObject<'_, 'py> for Limit {
    type Error = PyErr;

    fn extract(value: Borrowed<'_, 'py, PyAny>) -> PyResult<Self> {
        if !value.is_instance_of::<PyInt>() {
            let found = value.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!("max_event_size must be int or None, not {found}")));
        }
        if value.lt(0)? {
            return Err(PyValueError::new_err(format!(
                "max_event_size must not be negative: {}; use None for no limit",
                shown(&value)?
            )));
        }
        match value.extract() {
            Ok(limit) => Ok(Self(limit)),
            // A number larger than the address space is no limit.
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(Self(usize::MAX)),
            Err(error) => Err(error),
        }
    }
}
