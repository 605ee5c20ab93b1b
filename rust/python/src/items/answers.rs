//! `AnswerBuilder`: from the events of a stream to its answers.

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use super::shapes::KnownShapes;
use crate::build::{Assembler, Builder, Memory, Opening};
use crate::errors::Stop;
use crate::event::{DEFAULT_TYPE, Fields};
use crate::shape_hash::ShapeHash;

/// A stream has a few shapes. With more than this, the list begins anew.
const MOST: usize = 16;

/// After this many events in a row that are not ordinary, only one of as many is tried: some servers send a
/// field of their own in each chunk.
const MANY: u32 = 16;

/// Builds the answers of one stream from its events, if they are ordinary: all of known fields, and no error.
///
/// Args:
///     assembler: builds an answer.
///     shapes: the shapes of texts that are known to be ordinary.
#[pyclass(module = "ssejet._core")]
pub struct AnswerBuilder {
    assembler: Py<Assembler>,
    shapes: Py<KnownShapes>,
    memory: Memory,
    opening: Opening,
    /// The shapes that this stream had, as the builder hashes them.
    known: Vec<ShapeHash>,
    /// The type of ordinary events.
    event_type: Py<PyString>,
    /// How many events came since the last ordinary one.
    others: u32,
}

#[pymethods]
impl AnswerBuilder {
    #[new]
    #[pyo3(signature = (assembler, shapes, /))]
    fn new(assembler: Bound<'_, Assembler>, shapes: Py<KnownShapes>) -> Self {
        Self {
            shapes,
            memory: Memory::new(assembler.get().plan()),
            opening: Opening::default(),
            known: Vec::new(),
            event_type: PyString::intern(assembler.py(), DEFAULT_TYPE).unbind(),
            others: 0,
            assembler: assembler.unbind(),
        }
    }

    /// Build the answer of an event.
    ///
    /// Returns:
    ///     The answer, or the event itself if it needs a closer look.
    #[pyo3(signature = (event, /))]
    pub fn build<'py>(slf: &Bound<'py, Self>, event: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        // If another thread uses this builder, the event takes the longer way.
        let Ok(mut this) = slf.try_borrow_mut() else { return Ok(event.clone()) };
        this.others = this.others.wrapping_add(1);
        if this.others > MANY && this.others % MANY != 0 {
            return Ok(event.clone());
        }
        match this.answer(event) {
            Ok(answer) => {
                this.others = 0;
                Ok(answer)
            }
            Err(Stop::Refused) => Ok(event.clone()),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // There is no `__clear__`: what this refers to cannot refer back to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)?;
        visit.call(&self.shapes)?;
        self.opening.traverse(&visit)
    }
}

impl AnswerBuilder {
    #[inline]
    fn answer<'py>(&mut self, event: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Stop> {
        let py = event.py();
        let Some(Fields([event_type, data, ..])) = Fields::of_event(event) else {
            return Err(Stop::Refused);
        };
        if !event_type.is(&self.event_type) && !event_type.is_none() {
            return Err(Stop::Refused);
        }
        let data = data.cast::<PyString>().map_err(|_| Stop::Refused)?;
        // Text with lone surrogates has no UTF-8 form.
        let text = data.to_str().map_err(|_| Stop::Refused)?.as_bytes();
        let mut builder = Builder::new(py, self.assembler.get().plan(), &mut self.memory, None);
        let (answer, shape) = builder.answer(text, data, &mut self.opening)?;
        if !self.known.contains(&shape) {
            if !self.shapes.get().knows(data) {
                return Err(Stop::Refused);
            }
            if self.known.len() == MOST {
                self.known.clear();
            }
            self.known.push(shape);
        }
        Ok(answer)
    }
}
