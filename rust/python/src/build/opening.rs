//! The opening of an answer: its first fields, which most answers of a stream share.

use pyo3::prelude::*;
use pyo3::{PyTraverseError, PyVisit};

use super::layout::Instance;
use crate::footprint::Footprint;
use crate::shape_hash::ShapeHash;

/// The first fields of the last answer, up to the first one that is a list or an object. The next answer
/// begins with the same bytes, so it has the same values. If only some of these fields are the same, they
/// remain.
#[derive(Default)]
pub struct Opening {
    /// The bytes up to and with the comma after the fields. The comma shows that the last value ends there.
    bytes: Vec<u8>,
    /// The values of the fields, by their indices. A tag has none.
    values: Vec<(usize, Py<PyAny>)>,
    fields: Vec<End>,
    /// Whether an answer has begun with it since it was made.
    is_shared: bool,
    /// The shape of these bytes.
    pub shape: ShapeHash,
}

/// The end of a field.
#[derive(Clone, Copy)]
struct End {
    /// How many bytes there are up to and with the comma.
    bytes: usize,
    /// How many values there are.
    values: usize,
    /// The shape of the bytes.
    shape: ShapeHash,
}

impl Opening {
    /// Where it ends in a text that begins with it; `None` if the text does not, or if there is no opening.
    #[inline]
    pub fn end_in(&mut self, data: &[u8]) -> Option<usize> {
        if self.bytes.is_empty() {
            return None;
        }
        if !data.starts_with(&self.bytes) {
            self.shorten(data)?;
        }
        self.is_shared = true;
        Some(self.bytes.len())
    }

    /// Keeps the fields that the text has, too, unless earlier answers had more of them.
    #[cold]
    fn shorten(&mut self, data: &[u8]) -> Option<()> {
        if self.is_shared {
            return None;
        }
        let same = self.bytes.iter().zip(data).take_while(|(one, other)| one == other).count();
        let count = self.fields.iter().take_while(|end| end.bytes <= same).count();
        let last = *self.fields[..count].last()?;
        self.fields.truncate(count);
        self.values.truncate(last.values);
        self.bytes.truncate(last.bytes);
        self.shape = last.shape;
        Some(())
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
        self.fields.len()
    }

    pub fn clear(&mut self) {
        self.bytes.clear();
        self.values.clear();
        self.fields.clear();
        self.is_shared = false;
    }

    /// Adds a field, whose value is immutable.
    ///
    /// Args:
    ///     value: the index of the field and its value; `None` for a tag.
    ///     text: all bytes up to and with the comma after it.
    ///     shape: their shape.
    pub fn extend(&mut self, value: Option<(usize, Bound<'_, PyAny>)>, text: &[u8], shape: ShapeHash) {
        self.values.extend(value.map(|(place, value)| (place, value.unbind())));
        self.bytes.extend_from_slice(&text[self.bytes.len()..]);
        self.fields.push(End { bytes: text.len(), values: self.values.len(), shape });
        self.shape = shape;
    }

    /// Adds the memory that the next answer will touch.
    pub fn add_footprint(&self, footprint: &mut Footprint) {
        footprint.add_items(&self.bytes);
        footprint.add_items(&self.values);
        for (_, value) in &self.values {
            footprint.add_memory(value.as_ptr(), 1); // its number of references
        }
    }

    /// Shows the Python objects to the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.values.iter().try_for_each(|(_, value)| visit.call(value))
    }
}
