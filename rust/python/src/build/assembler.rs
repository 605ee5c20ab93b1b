//! `Assembler`: a plan, as Python sees it.

use pyo3::exceptions::PyUnicodeEncodeError;
use pyo3::prelude::*;
use pyo3::types::PyString;
use pyo3::{PyTraverseError, PyVisit};

use super::builder::{Builder, Memory};
use super::plan::Plan;
use crate::errors::Stop;

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
    plan: Plan,
}

impl Assembler {
    pub fn plan(&self) -> &Plan {
        &self.plan
    }
}

#[pymethods]
impl Assembler {
    #[new]
    #[pyo3(signature = (plan, definitions, /))]
    fn new(plan: &Bound<'_, PyAny>, definitions: Vec<Bound<'_, PyAny>>) -> PyResult<Self> {
        Ok(Self { plan: Plan::read(plan, &definitions)? })
    }

    /// Build an item.
    ///
    /// Returns:
    ///     The item, or None if the plan does not say what to build from this text.
    #[pyo3(signature = (data, /))]
    fn build<'py>(&self, data: &Bound<'py, PyString>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let text = match data.to_str() {
            Ok(text) => text,
            Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(data.py()) => return Ok(None),
            Err(error) => return Err(error),
        };
        let mut memory = Memory::new(&self.plan);
        let mut builder = Builder::new(data.py(), &self.plan, &mut memory, None);
        match builder.item(text.as_bytes()) {
            Ok(item) => Ok(Some(item)),
            Err(Stop::Refused) => Ok(None),
            Err(Stop::Error(error)) => Err(error),
        }
    }

    // This class needs no `__clear__`. An object that refers back to this one was changed after this one was
    // made, so the garbage collector can clear that object.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.plan.traverse(&visit)
    }
}
