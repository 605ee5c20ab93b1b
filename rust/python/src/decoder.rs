//! `Decoder`: the parser behind Python's interface.

use pyo3::exceptions::{PyRuntimeError, PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyInt, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{EventTooLarge, Options, Parser};

use crate::dialect::Dialect;
use crate::errors::event_too_large;
use crate::iter::EventIterator;
use crate::sink::{Collect, Decoded, Shared, list};
use crate::{buffer, text};

/// Decodes an event stream, incrementally, as the WHATWG HTML standard says.
///
/// The same bytes give the same events however they are cut into chunks. The input is UTF-8,
/// always; malformed sequences become U+FFFD.
///
/// Args:
///     dialect: how events are presented: ``"whatwg"``, or as a peer does: ``"openai"``,
///         ``"anthropic"``, ``"httpx-sse"``, ``"httpx2"``.
///     max_event_size: the bytes that one unfinished event may hold, or None for no limit.
///     last_event_id: the id to resume after.
///     flush_incomplete: whether the end of input dispatches an unfinished event, which the
///         standard discards.
///     on_comment: called with the text of each comment, what follows the colon, unchanged.
///         Comments of a chunk come before ``feed`` returns its events.
///
/// Raises:
///     TypeError: an argument is of the wrong type.
///     ValueError: an unknown dialect, a negative limit, or an id that no stream could carry.
#[pyclass(module = "ssejet", name = "Decoder")]
pub struct Decoder {
    parser: Parser,
    shared: Shared,
    dialect: &'static Dialect,
    on_comment: Option<Py<PyAny>>,
    /// Empty between calls, unless a callback raised: then the next call gives what is here.
    decoded: Decoded,
    /// A callback is running, which must not feed this decoder.
    in_callback: bool,
}

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
        if let Some(callback) = &on_comment
            && !callback.is_callable()
        {
            let found = callback.get_type().qualname()?;
            return Err(PyTypeError::new_err(format!("on_comment must be callable or None, not {found}")));
        }
        let options = Options {
            dispatch: dialect.dispatch,
            max_event_size: max_event_size.map_or(usize::MAX, |limit| limit.0),
            comments: on_comment.is_some(),
            flush_incomplete,
        };
        Ok(Self {
            parser: Parser::new(options).with_last_event_id(last_event_id.as_bytes()),
            shared: Shared::new(py, dialect),
            dialect,
            on_comment: on_comment.map(Bound::unbind),
            decoded: Decoded::default(),
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
    ///     EventTooLargeError: an event outgrew ``max_event_size``. If the chunk also completed
    ///         events, they are returned, and the next call raises.
    ///     RuntimeError: the decoder is in use, by another thread or by the caller of ``on_comment``.
    ///     TypeError: the chunk is something else.
    #[pyo3(signature = (chunk))]
    fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let bytes = buffer::bytes(chunk)?;
        Self::run(slf, |parser, sink| parser.feed(&bytes, sink), |py, events, _| list(py, events))
    }

    /// Decode the end of the stream.
    ///
    /// An unfinished event is discarded, or dispatched with ``flush_incomplete``. The decoder is
    /// then ready for the next connection.
    ///
    /// Raises:
    ///     EventTooLargeError: an event had outgrown ``max_event_size``.
    ///     RuntimeError: as for ``feed``.
    fn finish<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Self::run(slf, |parser, sink| parser.finish(sink), |py, events, _| list(py, events))
    }

    /// Forget everything unfinished, for a new connection or after an ``EventTooLargeError``.
    ///
    /// ``last_event_id`` and ``retry`` stay: they belong to the event source, which outlives its
    /// connections.
    fn reset(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut this = Self::locked(slf)?;
        this.parser.reset();
        this.decoded = Decoded::default();
        Ok(())
    }

    /// The last event ID as of the last blank line, to be sent as ``Last-Event-ID``.
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
    ///     RuntimeError, TypeError: as for ``feed``.
    #[pyo3(signature = (chunks))]
    fn aiter_bytes<'py>(slf: &Bound<'py, Self>, chunks: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        static DRIVER: pyo3::sync::PyOnceLock<Py<PyAny>> = pyo3::sync::PyOnceLock::new();
        DRIVER.import(slf.py(), "ssejet._aiter", "aiter_bytes")?.call1((slf, chunks))
    }

    fn __repr__(&self) -> String {
        format!("Decoder(dialect='{}')", self.dialect.name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Events and comments cannot lead back here.
        visit.call(&self.on_comment)
    }

    fn __clear__(&mut self) {
        self.on_comment = None;
    }
}

impl Decoder {
    /// Lets the parser run, then the callback for comments, and takes the events, knowing whether
    /// one after them was too large.
    #[inline]
    pub fn run<'py, T>(
        slf: &Bound<'py, Self>,
        step: impl FnOnce(&mut Parser, &mut Collect<'py, '_>) -> Result<(), EventTooLarge>,
        take: impl FnOnce(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> PyResult<T> {
        let py = slf.py();
        let mut guard = Self::locked(slf)?;
        let this = &mut *guard;
        let mut sink = Collect { py, shared: &mut this.shared, decoded: &mut this.decoded };
        let result = step(&mut this.parser, &mut sink);
        this.decoded.check()?;
        if !this.decoded.comments.is_empty() {
            guard = Self::call_back(slf, guard)?;
        }
        match result {
            Err(error) if guard.decoded.events.is_empty() => Err(event_too_large(py, error)),
            _ => take(py, &mut guard.decoded.events, result.is_err()),
        }
    }

    /// Gives the comments to the callback. If it raises, what is left waits for the next call.
    #[cold]
    fn call_back<'py>(
        slf: &Bound<'py, Self>,
        mut this: PyRefMut<'py, Self>,
    ) -> PyResult<PyRefMut<'py, Self>> {
        let py = slf.py();
        let callback = this.on_comment.as_ref().map(|callback| callback.clone_ref(py));
        while let (Some(comment), Some(callback)) = (this.decoded.comments.pop_front(), &callback) {
            this.in_callback = true;
            // The callback may look at the decoder.
            drop(this);
            let result = callback.call1(py, (comment,));
            this = Self::reborrowed(slf);
            this.in_callback = false;
            result?;
        }
        Ok(this)
    }

    /// Takes back what was given up for a callback. While `in_callback` is set, all that another
    /// thread can hold is a getter's borrow, and not for long.
    fn reborrowed<'py>(slf: &Bound<'py, Self>) -> PyRefMut<'py, Self> {
        loop {
            match slf.try_borrow_mut() {
                Ok(this) => return this,
                Err(_) => slf.py().detach(std::thread::yield_now),
            }
        }
    }

    fn locked<'py>(slf: &Bound<'py, Self>) -> PyResult<PyRefMut<'py, Self>> {
        match slf.try_borrow_mut() {
            Ok(this) if !this.in_callback => Ok(this),
            _ => Err(in_use()),
        }
    }
}

#[cold]
fn in_use() -> PyErr {
    PyRuntimeError::new_err(
        "this Decoder is in use: it was called from its own on_comment callback, or by two threads at once; \
         give each stream a Decoder of its own",
    )
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
                &*value
            )));
        }
        // More than the address space is no limit.
        Ok(Self(value.extract().unwrap_or(usize::MAX)))
    }
}
