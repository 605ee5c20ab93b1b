//! Makes Python objects of what the parser delivers.

use std::collections::VecDeque;
use std::mem;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use ssejet_core::{Event, Sink};

use super::dialect::Dialect;
use crate::event;
use crate::sizes::signed;
use crate::text::text;

/// Makes the objects of events. It keeps the strings that many events share.
pub struct EventMaker {
    default_type: Py<PyAny>,
    default_id: Py<PyAny>,
    empty: Py<PyAny>,
    event_type: Last,
    id: Last,
}

/// The string of the last bytes, which is used again while the bytes stay the same.
struct Last {
    bytes: Vec<u8>,
    text: Py<PyAny>,
}

impl Last {
    fn get<'py>(&mut self, py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        if self.bytes != bytes {
            self.text = text(py, bytes)?.into_any().unbind();
            self.bytes.clear();
            self.bytes.extend_from_slice(bytes);
        }
        Ok(self.text.bind(py).clone())
    }
}

impl EventMaker {
    pub fn new(py: Python<'_>, dialect: &Dialect) -> Self {
        let string = |value: Option<&str>| {
            value.map_or_else(|| py.None(), |value| PyString::intern(py, value).into_any().unbind())
        };
        let last = || Last { bytes: Vec::new(), text: string(Some("")) };
        Self {
            default_type: string(dialect.default_type),
            default_id: string(dialect.default_id),
            empty: string(Some("")),
            event_type: last(),
            id: last(),
        }
    }

    /// Makes the object of an event.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    #[inline]
    pub fn event<'py>(&mut self, py: Python<'py>, event: Event<'_>) -> PyResult<Bound<'py, PyAny>> {
        let event_type = match event.event_type {
            [] => self.default_type.bind(py).clone(),
            bytes => self.event_type.get(py, bytes)?,
        };
        let id = match event.last_event_id {
            None => self.default_id.bind(py).clone(),
            Some([]) => self.empty.bind(py).clone(),
            Some(bytes) => self.id.get(py, bytes)?,
        };
        let data = text(py, event.data)?;
        let retry = event.retry.map(|retry| retry.into_pyobject(py)).transpose()?;
        event::create(py, event_type, data, id, retry)
    }
}

/// What has been decoded and not been returned.
#[derive(Default)]
pub struct Decoded {
    pub events: Vec<Py<PyAny>>,
    /// Each comment has the number of events that come before it.
    pub comments: VecDeque<(usize, Py<PyString>)>,
    /// Why an object could not be made. The only cause is that there is no memory.
    error: Option<PyErr>,
}

impl Decoded {
    /// Whether an object could not be made.
    #[inline]
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Takes this number of events from the start. The others, and the comments, stay.
    pub fn events_before(&mut self, place: usize) -> Vec<Py<PyAny>> {
        for (before, _) in &mut self.comments {
            *before -= place;
        }
        let rest = self.events.split_off(place);
        mem::replace(&mut self.events, rest)
    }

    /// Undoes `events_before` for these events.
    pub fn put_back(&mut self, mut events: Vec<Py<PyAny>>) {
        for (before, _) in &mut self.comments {
            *before += events.len();
        }
        events.append(&mut self.events);
        self.events = events;
    }

    /// Raises the error of an object that could not be made.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    pub fn check(&mut self) -> PyResult<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

/// Collects the objects of one call.
pub struct Collect<'py, 's> {
    pub py: Python<'py>,
    pub maker: &'s mut EventMaker,
    pub decoded: &'s mut Decoded,
}

impl Sink for Collect<'_, '_> {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        match self.maker.event(self.py, event) {
            Ok(event) => self.decoded.events.push(event.unbind()),
            Err(error) => self.decoded.error = Some(error),
        }
    }

    fn comment(&mut self, bytes: &[u8]) {
        match text(self.py, bytes) {
            Ok(comment) => {
                let place = self.decoded.events.len();
                self.decoded.comments.push_back((place, comment.unbind()));
            }
            Err(error) => self.decoded.error = Some(error),
        }
    }
}

/// Makes a list of the items, and empties the vector, which keeps its allocation.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
pub fn list<'py>(py: Python<'py>, items: &mut Vec<Py<PyAny>>) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: `py` shows that this thread is attached. `PyList_New` gives a new reference to a
    // list with `items.len()` empty places, or null with an exception set; each place is filled
    // once, with a reference that the list takes over, before other code can see the list.
    unsafe {
        let list = ffi::PyList_New(signed(items.len()));
        let list = Bound::from_owned_ptr_or_err(py, list)?;
        if items.is_empty() {
            return Ok(list.cast_into_unchecked()); // most reads of a few bytes complete no event
        }
        for (place, item) in (0..).zip(items.drain(..)) {
            ffi::PyList_SET_ITEM(list.as_ptr(), place, item.into_ptr());
        }
        Ok(list.cast_into_unchecked())
    }
}
