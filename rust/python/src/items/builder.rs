//! `ItemBuilder`: from JSON texts to items.

use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use crate::build::{Assembler, Builder, Memory};
use crate::errors::Stop;

/// Builds items from JSON texts. It remembers what the last ones looked like, so it is faster than the assembler.
///
/// Args:
///     assembler: builds an item.
#[pyclass(module = "ssejet._core")]
pub struct ItemBuilder {
    assembler: Py<Assembler>,
    memory: Memory,
}

#[pymethods]
impl ItemBuilder {
    #[new]
    #[pyo3(signature = (assembler, /))]
    fn new(assembler: Bound<'_, Assembler>) -> Self {
        Self { memory: Memory::new(assembler.get().plan()), assembler: assembler.unbind() }
    }

    /// Build the item of a text.
    ///
    /// Returns:
    ///     The item, or None if the plan does not say what to build from this text.
    #[pyo3(signature = (text, /))]
    pub fn build<'py>(
        slf: &Bound<'py, Self>,
        text: &Bound<'py, PyAny>,
    ) -> PyResult<Option<Bound<'py, PyAny>>> {
        // If another thread uses this builder, the text takes the longer way.
        let (Ok(mut this), Ok(text)) = (slf.try_borrow_mut(), text.cast::<PyString>()) else {
            return Ok(None);
        };
        // Text with lone surrogates has no UTF-8 form.
        let Ok(text) = text.to_str() else { return Ok(None) };
        let Self { assembler, memory } = &mut *this;
        let mut builder = Builder::new(slf.py(), assembler.get().plan(), memory, None);
        match builder.item(text.as_bytes()) {
            Ok(item) => Ok(Some(item)),
            Err(Stop::Refused) => Ok(None),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // There is no `__clear__`: what this refers to cannot refer back to it.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)
    }
}
