//! The opening of an answer: its first fields, which most answers of a stream share.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::layout::Instance;
use crate::shape_hash::ShapeHash;

/// The first fields of the last answer, up to the first one that is a list or an object. The next answer
/// begins with the same bytes, so it has the same values.
#[derive(Default)]
pub struct Opening {
    /// The bytes up to and with the comma after the fields. The comma shows that the last value ends there.
    bytes: Vec<u8>,
    /// The fields, by their indices.
    values: Vec<(usize, Py<PyAny>)>,
    /// The shape of these bytes.
    pub shape: ShapeHash,
}

impl Opening {
    /// Where it ends in a text that begins with it; `None` if the text does not, or if there is no opening.
    #[inline]
    pub fn end_in(&self, data: &[u8]) -> Option<usize> {
        (!self.bytes.is_empty() && data.starts_with(&self.bytes)).then_some(self.bytes.len())
    }

    /// Sets its fields.
    ///
    /// Returns:
    ///     Their number.
    #[inline]
    pub fn fill(&self, instance: &mut Instance<'_, '_>) -> usize {
        for (place, value) in &self.values {
            instance.set(*place, value.bind(instance.py()).clone());
        }
        self.values.len()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
    }

    /// Adds a field, whose value is immutable.
    ///
    /// Args:
    ///     place: the index of the field.
    ///     value: its value.
    ///     text: all bytes up to and with the comma after it.
    ///     shape: their shape.
    pub fn extend(&mut self, place: usize, value: Bound<'_, PyAny>, text: &[u8], shape: ShapeHash) {
        self.values.push((place, value.unbind()));
        self.bytes.extend_from_slice(&text[self.bytes.len()..]);
        self.shape = shape;
    }

    /// Shows the Python objects to the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.values.iter().try_for_each(|(_, value)| visit.call(value))
    }
}
