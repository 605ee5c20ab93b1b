//! From the parser's slices to Python objects.

use std::collections::VecDeque;
use std::mem;

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyList, PyString};
use ssejet_core::{Event, Sink};

use crate::dialect::Dialect;
use crate::event;
use crate::text::text;

/// Strings that many events share, made once.
pub struct Shared {
    default_type: Py<PyAny>,
    default_id: Py<PyAny>,
    empty: Py<PyAny>,
    event_type: Last,
    id: Last,
}

/// The last string made, for as long as the bytes stay the same.
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

impl Shared {
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

/// What has been decoded and not yet been given to the caller.
#[derive(Default)]
pub struct Decoded {
    pub events: Vec<Py<PyAny>>,
    /// Each with the number of the events that come before it.
    pub comments: VecDeque<(usize, Py<PyString>)>,
    /// The last failure to make an object. There is only one cause: no memory.
    error: Option<PyErr>,
}

impl Decoded {
    /// Whether an object could not be made.
    #[inline]
    pub fn failed(&self) -> bool {
        self.error.is_some()
    }

    /// Takes the first events. The others, and the comments, stay.
    pub fn events_before(&mut self, place: usize) -> Vec<Py<PyAny>> {
        for (before, _) in &mut self.comments {
            *before -= place;
        }
        let rest = self.events.split_off(place);
        mem::replace(&mut self.events, rest)
    }

    /// Undoes `events_before` for the events that are given back.
    pub fn put_back(&mut self, mut events: Vec<Py<PyAny>>) {
        for (before, _) in &mut self.comments {
            *before += events.len();
        }
        events.append(&mut self.events);
        self.events = events;
    }

    /// # Errors
    ///
    /// `MemoryError`.
    pub fn check(&mut self) -> PyResult<()> {
        self.error.take().map_or(Ok(()), Err)
    }
}

/// Makes the objects.
pub struct Collect<'py, 's> {
    pub py: Python<'py>,
    pub shared: &'s mut Shared,
    pub decoded: &'s mut Decoded,
}

impl Sink for Collect<'_, '_> {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        match self.shared.event(self.py, event) {
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

/// Makes a list of the right size at once, and empties the vector, whose allocation stays.
#[inline]
pub fn list<'py>(py: Python<'py>, items: &mut Vec<Py<PyAny>>) -> PyResult<Bound<'py, PyList>> {
    // SAFETY: `py` shows that this thread is attached. `PyList_New` gives a new reference to a
    // list with `items.len()` empty places, or null with an exception set; each place is filled
    // once, with a reference that the list takes over, before anybody else can see the list.
    unsafe {
        let list = ffi::PyList_New(items.len().cast_signed());
        let list = Bound::from_owned_ptr_or_err(py, list)?;
        for (place, item) in (0..).zip(items.drain(..)) {
            ffi::PyList_SET_ITEM(list.as_ptr(), place, item.into_ptr());
        }
        Ok(list.cast_into_unchecked())
    }
}
