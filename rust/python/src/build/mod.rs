//! Building objects straight from JSON, by a plan.

mod builder;
mod cursor;
mod object;
mod plan;

use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

pub use builder::{Builder, Memory, Stop};
use plan::{Node, Reader, check_definitions};

/// Builds the items of one type from JSON texts.
///
/// Args:
///     plan: what to build, in the tuples that ``ssejet.swap._plan.builder`` makes.
///     definitions: the plans that it refers to.
///
/// Raises:
///     TypeError: something is of the wrong type.
///     ValueError: it is no plan, it refers to itself, or it is too large or too deep.
#[pyclass(module = "ssejet._core", frozen)]
pub struct Assembler {
    root: Node,
    definitions: Vec<Node>,
    /// How many models there are in the plan, and how many choices by tag.
    models: usize,
    tagged: usize,
}

#[pymethods]
impl Assembler {
    #[new]
    #[pyo3(signature = (plan, definitions, /))]
    fn new(plan: &Bound<'_, PyAny>, definitions: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        let mut reader = Reader::default();
        let root = reader.node(plan)?;
        let definitions = definitions.iter().map(|plan| reader.node(plan)).collect::<PyResult<Vec<_>>>()?;
        check_definitions(&definitions)?;
        Ok(Self { root, definitions, models: reader.models, tagged: reader.tagged })
    }

    /// Build an item.
    ///
    /// Returns:
    ///     The item, or None if the text is nothing that the plan can say what to build from.
    #[pyo3(signature = (data, /))]
    fn build<'py>(&self, data: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let text = match data.to_str() {
            Ok(text) => text,
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(data.py()) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut memory = Memory::new(self);
        let mut builder = Builder::new(data.py(), self, &mut memory, None);
        match builder.item(text.as_bytes()) {
            Ok(item) => Ok(Some(item)),
            Err(Stop::Refused) => Ok(None),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // There is no `__clear__`: what leads back here was changed after this was made, so that it can be
    // cleared itself.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.root.traverse(&visit)?;
        self.definitions.iter().try_for_each(|node| node.traverse(&visit))
    }
}
