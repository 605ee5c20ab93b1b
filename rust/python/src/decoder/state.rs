//! `Decoder`: its state, and how one call of it runs.

use pyo3::exceptions::{PyBaseException, PyRuntimeError};
use pyo3::ffi;
use pyo3::prelude::*;
use ssejet_core::{EventTooLarge, Parser};

use super::dialect::Dialect;
use super::sink::{Collect, Decoded, EventMaker};
use crate::errors::event_too_large;

/// Decodes an event stream, incrementally, as the WHATWG HTML standard says.
///
/// The same bytes give the same events however they are cut into chunks. The input is always UTF-8;
/// malformed sequences become U+FFFD.
///
/// Args:
///     dialect: how events are presented: ``"whatwg"``, or as another library does: ``"openai"``,
///         ``"anthropic"``, ``"httpx-sse"``, ``"httpx2"``.
///     max_event_size: the number of bytes that one unfinished event may hold, or None for no limit.
///     last_event_id: the id to resume after.
///     flush_incomplete: whether the end of input dispatches an unfinished event, which the
///         standard discards.
///     on_comment: called with the text of each comment, what follows the colon, unchanged.
///         The comments of a chunk come before ``feed`` returns its events. If it raises, no event is
///         lost: first the events before that comment are returned, the next call raises
///         the exception, and the call after that goes on with what followed the comment.
///
/// Raises:
///     TypeError: an argument is of the wrong type.
///     ValueError: an unknown dialect, a negative limit, or an id that no stream can carry.
#[pyclass(module = "ssejet", name = "Decoder")]
pub struct Decoder {
    pub(super) parser: Parser,
    pub(super) maker: EventMaker,
    pub(super) dialect: &'static Dialect,
    pub(super) on_comment: Option<Py<PyAny>>,
    /// What was decoded and not returned. It is empty between calls, unless the callback raised.
    pub(super) decoded: Decoded,
    /// What the callback raised when events before its comment had to be returned first.
    pub(super) deferred: Option<Py<PyBaseException>>,
    /// Whether the callback is running, which must not feed this decoder.
    pub(super) in_callback: bool,
}

/// Why a call returns no events.
pub enum Failure {
    /// The stream cannot go on.
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

impl Decoder {
    /// Runs the parser, then calls back for comments, then lets `take` take the events. `take` is told
    /// whether another call will return more.
    #[inline]
    pub fn run<'py, T>(
        slf: &Bound<'py, Self>,
        step: impl FnOnce(&mut Parser, &mut Collect<'py, '_>) -> Result<(), EventTooLarge>,
        take: impl FnOnce(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> Result<T, Failure> {
        let py = slf.py();
        let mut guard = Self::locked(slf).map_err(Failure::InUse)?;
        let this = &mut *guard;
        let mut sink = Collect { py, maker: &mut this.maker, decoded: &mut this.decoded };
        let result = step(&mut this.parser, &mut sink);
        if result.is_err() || this.on_comment.is_some() || this.decoded.failed() {
            return Self::deliver(slf, guard, result, take);
        }
        take(py, &mut this.decoded.events, false).map_err(Failure::Other)
    }

    /// Does what `_feed` does: `take` takes the events, and is told whether the decoder has paused after them.
    pub fn feed_or_pause<'py, T>(
        slf: &Bound<'py, Self>,
        data: Option<&[u8]>,
        mut take: impl FnMut(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> PyResult<T> {
        let step = |parser: &mut Parser, sink: &mut Collect<'_, '_>| match data {
            Some(data) => parser.feed(data, sink),
            None => parser.finish(sink),
        };
        match Self::run(slf, step, &mut take) {
            Err(Failure::Other(error)) => {
                let mut this = Self::locked(slf)?;
                if this.deferred.is_some() {
                    return Err(error);
                }
                this.deferred = Some(error.into_value(slf.py()));
                drop(this);
                take(slf.py(), &mut Vec::new(), true)
            }
            result => Ok(result?),
        }
    }

    /// Ends a run that may not return all its events: the decoder has a callback, an event was too
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
        this.decoded.check()?;
        if let Some(exception) = this.deferred.take() {
            return Err(PyErr::from_value(exception.into_bound(py).into_any()).into());
        }
        while let Some((place, comment)) = this.decoded.comments.pop_front() {
            let Some(callback) = this.on_comment.as_ref().map(|callback| callback.clone_ref(py)) else {
                break; // the garbage collector has cleared it
            };
            this.in_callback = true;
            // The callback may read the decoder's attributes, so the borrow ends here.
            drop(this);
            let called = callback.call1(py, (comment,));
            this = Self::borrow_again(slf);
            this.in_callback = false;
            let Err(error) = called else { continue };
            if place == 0 {
                return Err(error.into());
            }
            this.deferred = Some(error.into_value(py));
            let mut before = this.decoded.events_before(place);
            let taken = take(py, &mut before, true);
            // If there was no memory to take all of them, the others stay.
            this.decoded.put_back(before);
            return Ok(taken?);
        }
        let this = &mut *this;
        let has_more = result.is_err() && !this.decoded.events.is_empty();
        match result {
            Err(error) if !has_more => Err(Failure::TooLarge(event_too_large(py, error))),
            _ => Ok(take(py, &mut this.decoded.events, has_more)?),
        }
    }

    /// Borrows the decoder again after a callback. While `in_callback` is set, another thread can only
    /// hold the short borrow of a getter, so this waits for that.
    fn borrow_again<'py>(slf: &Bound<'py, Self>) -> PyRefMut<'py, Self> {
        loop {
            match slf.try_borrow_mut() {
                Ok(this) => return this,
                Err(_) => slf.py().detach(std::thread::yield_now),
            }
        }
    }

    /// Borrows the decoder for a call.
    ///
    /// # Errors
    ///
    /// `RuntimeError`: the decoder is in use.
    pub(super) fn locked<'py>(slf: &Bound<'py, Self>) -> PyResult<PyRefMut<'py, Self>> {
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

impl Drop for Decoder {
    /// Reports a deferred exception that no call has raised. Only its text is reported: the garbage
    /// collector may be about to clear the exception, and a report would keep it alive.
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

/// Whether the garbage collector has cleared the exception as part of a cycle. The methods of such an
/// exception must not be called: they do not expect it.
fn was_cleared(exception: &Bound<'_, PyBaseException>) -> bool {
    // SAFETY: every exception starts with this struct, and the exception is alive.
    unsafe { (*exception.as_ptr().cast::<ffi::PyBaseExceptionObject>()).args.is_null() }
}
