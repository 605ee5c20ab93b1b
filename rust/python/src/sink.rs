//! From the parser's slices to Python objects.

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
}

/// Collects the events, and the comments if they are asked for, of one chunk.
pub struct Collect<'py, 's> {
    py: Python<'py>,
    shared: &'s mut Shared,
    pub events: Vec<Bound<'py, PyAny>>,
    pub comments: Vec<Py<PyString>>,
    /// The first failure to make an object. There is only one cause: no memory.
    error: Option<PyErr>,
}

impl<'py, 's> Collect<'py, 's> {
    pub fn new(py: Python<'py>, shared: &'s mut Shared) -> Self {
        Self { py, shared, events: Vec::new(), comments: Vec::new(), error: None }
    }

    /// # Errors
    ///
    /// `MemoryError`.
    pub fn list(self) -> PyResult<(Bound<'py, PyList>, Vec<Py<PyString>>)> {
        match self.error {
            Some(error) => Err(error),
            None => Ok((PyList::new(self.py, self.events)?, self.comments)),
        }
    }

    fn make(&mut self, event: Event<'_>) -> PyResult<Bound<'py, PyAny>> {
        let py = self.py;
        let event_type = match event.event_type {
            [] => self.shared.default_type.bind(py).clone(),
            bytes => self.shared.event_type.get(py, bytes)?,
        };
        let id = match event.last_event_id {
            None => self.shared.default_id.bind(py).clone(),
            Some([]) => self.shared.empty.bind(py).clone(),
            Some(bytes) => self.shared.id.get(py, bytes)?,
        };
        let data = text(py, event.data)?;
        let retry = event.retry.map(|retry| retry.into_pyobject(py)).transpose()?;
        event::create(py, event_type, data, id, retry)
    }
}

impl Sink for Collect<'_, '_> {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        match self.make(event) {
            Ok(event) => self.events.push(event),
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
    }

    fn comment(&mut self, bytes: &[u8]) {
        match text(self.py, bytes) {
            Ok(comment) => self.comments.push(comment.unbind()),
            Err(error) => self.error = self.error.take().or(Some(error)),
        }
    }
}
