//! `Decoder`: the parser behind Python's interface.

use std::mem;

use pyo3::exceptions::{PyBaseException, PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyInt, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{Event, EventTooLarge, Options, Parser, Sink};

use crate::dialect::Dialect;
use crate::errors::{event_too_large, shown};
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
///         Comments of a chunk come before ``feed`` returns its events. If it raises, no event is
///         lost: the events complete before that comment are returned first, the next call raises
///         the exception, and the call after that goes on with what followed the comment.
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
    /// What a callback raised while events before its comment were still to be returned.
    deferred: Option<Py<PyBaseException>>,
    /// The next call gives something that was fed before, or raises what was put off.
    waits: bool,
    /// A callback is running, which must not feed this decoder.
    in_callback: bool,
}

/// Why a call gives no events.
pub enum Failure {
    /// Nothing more comes of this stream.
    TooLarge(PyErr),
    /// Nothing was fed.
    InUse(PyErr),
    /// What was fed is kept for the next call.
    Other(PyErr),
}

impl From<PyErr> for Failure {
    fn from(error: PyErr) -> Self {
        Self::Other(error)
    }
}

impl From<Failure> for PyErr {
    fn from(failure: Failure) -> Self {
        match failure {
            Failure::TooLarge(error) | Failure::InUse(error) | Failure::Other(error) => error,
        }
    }
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
            deferred: None,
            waits: false,
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
    ///     Exception: what ``on_comment`` raised, after the events before that comment: if the chunk
    ///         completed any, they are returned, and the next call raises. A call that raises takes
    ///         its chunk all the same; ``feed(b"")`` or ``finish()`` gives what is left.
    ///     RuntimeError: the decoder is in use, by another thread or by the caller of ``on_comment``.
    ///     TypeError: the chunk is something else.
    #[pyo3(signature = (chunk))]
    fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyList>> {
        let bytes = buffer::bytes(chunk)?;
        Ok(Self::run(slf, |parser, sink| parser.feed(&bytes, sink), |py, events, _| list(py, events))?)
    }

    /// Decode the end of the stream.
    ///
    /// An unfinished event is discarded, or dispatched with ``flush_incomplete``. The decoder is
    /// then ready for the next connection.
    ///
    /// Raises:
    ///     EventTooLargeError: an event had outgrown ``max_event_size``.
    ///     Exception: what ``on_comment`` raised, as for ``feed``.
    ///     RuntimeError: as for ``feed``.
    fn finish<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyList>> {
        Ok(Self::run(slf, |parser, sink| parser.finish(sink), |py, events, _| list(py, events))?)
    }

    /// Forget everything unfinished, for a new connection or after an ``EventTooLargeError``.
    ///
    /// What an ``on_comment`` that raised has held up is forgotten, too. ``last_event_id`` and ``retry`` stay: they belong to the event source, which outlives its
    /// connections.
    fn reset(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut this = Self::locked(slf)?;
        this.parser.reset();
        this.waits = false;
        // Dropping an exception may run any code, so it comes after the borrow.
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
    fn _feed<'py>(
        slf: &Bound<'py, Self>,
        chunk: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<(Bound<'py, PyList>, bool)> {
        let bytes = chunk.map(buffer::bytes).transpose()?;
        let step = |parser: &mut Parser, sink: &mut Collect<'_, '_>| match &bytes {
            Some(bytes) => parser.feed(bytes, sink),
            None => parser.finish(sink),
        };
        match Self::run(slf, step, |py, events, more| Ok((list(py, events)?, more))) {
            Err(Failure::Other(error)) => {
                let mut this = Self::locked(slf)?;
                if this.deferred.is_some() {
                    return Err(error);
                }
                this.deferred = Some(error.into_value(slf.py()));
                Ok((PyList::empty(slf.py()), true))
            }
            result => Ok(result?),
        }
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

    /// The data of the event that the end of input would discard as unfinished, or None. Long data,
    /// which no sentinel has, is not given.
    fn _unfinished_data(&self, py: Python<'_>) -> PyResult<Option<Py<PyString>>> {
        let mut sink = LastData(None);
        self.parser.peek_unfinished(SHORT, &mut sink);
        sink.0.map(|data| text::text(py, &data).map(Bound::unbind)).transpose()
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
        static PLAIN: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
        static RESUMABLE: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

        let py = slf.py();
        let calls_back = slf.try_borrow().is_ok_and(|this| this.on_comment.is_some());
        let driver = if calls_back {
            RESUMABLE.import(py, "ssejet._aiter", "ResumableEvents")?
        } else {
            PLAIN.import(py, "ssejet._aiter", "aiter_bytes")?
        };
        driver.call1((slf, chunks))
    }

    fn __repr__(&self) -> String {
        format!("Decoder(dialect='{}')", self.dialect.name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        // Events and comments cannot lead back here.
        visit.call(&self.deferred)?;
        visit.call(&self.on_comment)
    }

    // Not the exception: it breaks such a cycle itself, and is still to be reported.
    fn __clear__(&mut self) {
        self.on_comment = None;
    }
}

impl Drop for Decoder {
    /// Reports an exception that nobody asked for: by its text, as the garbage collector may be about to
    /// empty the exception itself, which must not outlive that.
    fn drop(&mut self) {
        let Some(exception) = self.deferred.take() else { return };
        Python::attach(|py| {
            let exception = exception.bind(py);
            let text =
                if was_cleared(exception) { exception.get_type().qualname() } else { exception.repr() };
            let error = match text {
                Ok(text) => PyRuntimeError::new_err(format!(
                    "on_comment raised {}, but this Decoder was not called again, which would have raised it",
                    text.to_string_lossy()
                )),
                Err(error) => error,
            };
            error.write_unraisable(py, None);
        });
    }
}

/// Whether the garbage collector has emptied the exception, as part of a cycle. Nobody may look at it then:
/// its own methods do not expect that.
fn was_cleared(exception: &Bound<'_, PyBaseException>) -> bool {
    // SAFETY: every exception starts with this struct, and it is alive.
    unsafe { (*exception.as_ptr().cast::<ffi::PyBaseExceptionObject>()).args.is_null() }
}

impl Decoder {
    /// Lets the parser run, then the callback for comments, and takes the events, knowing whether
    /// there is more to get by another call.
    #[inline]
    pub fn run<'py, T>(
        slf: &Bound<'py, Self>,
        step: impl FnOnce(&mut Parser, &mut Collect<'py, '_>) -> Result<(), EventTooLarge>,
        take: impl FnOnce(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> Result<T, Failure> {
        let py = slf.py();
        let mut guard = Self::locked(slf).map_err(Failure::InUse)?;
        let this = &mut *guard;
        let mut sink = Collect { py, shared: &mut this.shared, decoded: &mut this.decoded };
        let result = step(&mut this.parser, &mut sink);
        if result.is_err() || this.on_comment.is_some() || this.decoded.failed() {
            return Self::deliver(slf, guard, result, take);
        }
        this.waits = false;
        take(py, &mut this.decoded.events, false).map_err(Failure::Other)
    }

    /// Ends a run that may not give all its events: the decoder calls back for comments, an event was too
    /// large, or there was no memory for an object.
    #[cold]
    #[inline(never)]
    fn deliver<'py, T>(
        slf: &Bound<'py, Self>,
        mut this: PyRefMut<'py, Self>,
        result: Result<(), EventTooLarge>,
        take: impl FnOnce(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> Result<T, Failure> {
        let py = slf.py();
        // Until all is delivered.
        this.waits = true;
        this.decoded.check()?;
        if let Some(exception) = this.deferred.take() {
            return Err(PyErr::from_value(exception.into_bound(py).into_any()).into());
        }
        while let Some((place, comment)) = this.decoded.comments.pop_front() {
            let Some(callback) = this.on_comment.as_ref().map(|callback| callback.clone_ref(py)) else {
                break; // the garbage collector has taken it
            };
            this.in_callback = true;
            // The callback may look at the decoder.
            drop(this);
            let called = callback.call1(py, (comment,));
            this = Self::reborrowed(slf);
            this.in_callback = false;
            let Err(error) = called else { continue };
            if place == 0 {
                return Err(error.into());
            }
            this.deferred = Some(error.into_value(py));
            let mut before = this.decoded.events_before(place);
            let taken = take(py, &mut before, true);
            // What was not taken, for want of memory, stays.
            this.decoded.put_back(before);
            return Ok(taken?);
        }
        let this = &mut *this;
        this.waits = result.is_err() && !this.decoded.events.is_empty();
        match result {
            Err(error) if !this.waits => Err(Failure::TooLarge(event_too_large(py, error))),
            _ => Ok(take(py, &mut this.decoded.events, this.waits)?),
        }
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

/// What is short enough for a sentinel: bytes.
const SHORT: usize = 1024;

/// Keeps the data of the last event.
struct LastData(Option<Vec<u8>>);

impl Sink for LastData {
    fn event(&mut self, event: Event<'_>) {
        self.0 = Some(event.data.to_vec());
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
            // More than the address space is no limit.
            Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Ok(Self(usize::MAX)),
            Err(error) => Err(error),
        }
    }
}
