//! `AnswerBuilder`: from the events of a stream to its answers.

use pyo3::prelude::*;
use pyo3::types::{PyFrozenSet, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::shapes::KnownShapes;
use crate::build::{Assembler, Builder, Memory, Opening};
use crate::errors::Stop;
use crate::event::{DEFAULT_TYPE, Fields};
use crate::footprint::Footprint;
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
///     shapes: the shapes of texts that are known to be ordinary; None if all that can be built are.
///     types: the types of ordinary events, in addition to ``message``.
#[pyclass(module = "ssejet._core")]
pub struct AnswerBuilder {
    assembler: Py<Assembler>,
    shapes: Option<Py<KnownShapes>>,
    memory: Memory,
    opening: Opening,
    /// The shapes that this stream had, as the builder hashes them.
    known: Vec<ShapeHash>,
    /// The type of the last ordinary event. Events of one type share one string.
    event_type: Py<PyString>,
    types: Option<Py<PyFrozenSet>>,
    /// How many events came since the last ordinary one.
    others: u32,
}

#[pymethods]
impl AnswerBuilder {
    #[new]
    #[pyo3(signature = (assembler, shapes, /, types = None))]
    fn new(
        assembler: Bound<'_, Assembler>,
        shapes: Option<Py<KnownShapes>>,
        types: Option<Py<PyFrozenSet>>,
    ) -> Self {
        Self {
            shapes,
            memory: Memory::new(assembler.get().plan()),
            opening: Opening::default(),
            known: Vec::new(),
            event_type: PyString::intern(assembler.py(), DEFAULT_TYPE).unbind(),
            types,
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
        if let Some(shapes) = &self.shapes {
            visit.call(shapes)?;
        }
        self.opening.traverse(&visit)
    }
}

impl AnswerBuilder {
    /// Gives the footprint of what was built since the last call, and takes another one for it.
    pub fn exchange_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        if let Ok(mut this) = slf.try_borrow_mut() {
            this.memory.exchange_footprint(footprint);
        }
    }

    /// Adds the memory that the next call of `build` will touch.
    pub fn add_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        footprint.add_object(slf);
        if let Ok(this) = slf.try_borrow() {
            footprint.add_items(&this.known);
            this.opening.add_footprint(footprint);
            this.memory.add_footprint(slf.py(), footprint);
        }
    }

    #[inline]
    fn answer<'py>(&mut self, event: &Bound<'py, PyAny>) -> Result<Bound<'py, PyAny>, Stop> {
        let py = event.py();
        let Some(Fields([event_type, data, ..])) = Fields::of_event(event) else {
            return Err(Stop::Refused);
        };
        if !event_type.is(&self.event_type) && !event_type.is_none() {
            self.take_type(&event_type)?;
        }
        let data = data.cast::<PyString>().map_err(|_| Stop::Refused)?;
        // Text with lone surrogates has no UTF-8 form.
        let text = data.to_str().map_err(|_| Stop::Refused)?.as_bytes();
        let mut builder = Builder::new(py, self.assembler.get().plan(), &mut self.memory, None);
        let (answer, shape) = builder.answer(text, data, &mut self.opening)?;
        if let Some(shapes) = &self.shapes {
            if !self.known.contains(&shape) {
                if !shapes.get().knows(data) {
                    return Err(Stop::Refused);
                }
                if self.known.len() == MOST {
                    self.known.clear();
                }
                self.known.push(shape);
            }
        }
        Ok(answer)
    }

    /// Refuses an event that is not of an ordinary type.
    fn take_type(&mut self, event_type: &Bound<'_, PyAny>) -> Result<(), Stop> {
        let event_type = event_type.cast::<PyString>().map_err(|_| Stop::Refused)?;
        let is_ordinary = match &self.types {
            Some(types) => types.bind(event_type.py()).contains(event_type).map_err(Stop::Error)?,
            None => false,
        };
        if is_ordinary || event_type.to_str().is_ok_and(|text| text == DEFAULT_TYPE) {
            self.event_type = event_type.clone().unbind();
            return Ok(());
        }
        Err(Stop::Refused)
    }
}
