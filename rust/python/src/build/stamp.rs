//! The field that every item gets from its stream, such as the HTTP response.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString};
use pyo3::{PyTraverseError, PyVisit};

use super::maker::{Maker, copy_of_set};
use super::plan::{Node, Plan};

/// A field that gets a new copy of a model in each item.
pub struct Stamp {
    /// The index of the field in the model of the items.
    pub place: usize,
    maker: Maker,
    values: Py<PyDict>,
    fields_set: Py<PySet>,
    /// The values that are dicts, and are copied too.
    dicts: Vec<(Py<PyString>, Py<PyDict>)>,
}

impl Stamp {
    /// # Errors
    ///
    /// `TypeError`: the items have no such field, or the object is not a pydantic model, or has values besides its
    /// fields.
    pub fn new(plan: &Plan, field: &str, model: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = model.py();
        let place = match &plan.root {
            Node::Model(item) => item.place_of(py, field),
            _ => None,
        };
        let place = place.ok_or_else(|| PyTypeError::new_err(format!("the items have no field {field}")))?;
        let maker = Maker::new(&model.get_type())?;
        for name in ["__pydantic_extra__", "__pydantic_private__"] {
            if !model.getattr(name)?.is_none() {
                return Err(PyTypeError::new_err(format!("the model has {name}")));
            }
        }
        // The caller has the model, and may change it.
        let values = model.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?.copy()?;
        let fields_set = model.getattr(intern!(py, "__pydantic_fields_set__"))?.cast_into::<PySet>()?;
        let mut dicts = Vec::new();
        for (name, value) in &values {
            if let Ok(dict) = value.cast::<PyDict>() {
                dicts.push((name.cast_into::<PyString>()?.unbind(), dict.copy()?.unbind()));
            }
        }
        Ok(Self {
            place,
            maker,
            values: values.unbind(),
            fields_set: copy_of_set(&fields_set)?.unbind(),
            dicts,
        })
    }

    /// Makes the value of the field for an item.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    #[inline]
    pub fn value<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let values = self.values.bind(py).copy()?;
        for (name, dict) in &self.dicts {
            values.set_item(name.bind(py), dict.bind(py).copy()?)?;
        }
        self.maker.make(values, None, copy_of_set(self.fields_set.bind(py))?, None)
    }

    /// Shows the Python objects to the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.maker.class)?;
        visit.call(&self.values)?;
        visit.call(&self.fields_set)?;
        self.dicts.iter().try_for_each(|(_, dict)| visit.call(dict))
    }
}
