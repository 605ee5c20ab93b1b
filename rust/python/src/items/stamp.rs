//! The field that every item gets from its stream, such as the HTTP response.

use pyo3::exceptions::PyTypeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyString, PyType};
use pyo3::{PyTraverseError, PyVisit};

use crate::build::Maker;

/// A field that gets a new copy of a model in each item.
pub struct Stamp {
    field: Py<PyString>,
    maker: Maker,
    values: Py<PyDict>,
    fields_set: Py<PySet>,
    /// The fields that are dicts, and are copied too.
    dicts: Vec<Py<PyString>>,
}

impl Stamp {
    /// # Errors
    ///
    /// `TypeError`: the object is not a pydantic model, or has values besides its fields.
    pub fn new(field: &Bound<'_, PyString>, model: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = field.py();
        for name in ["__pydantic_extra__", "__pydantic_private__"] {
            if !model.getattr(name)?.is_none() {
                return Err(PyTypeError::new_err(format!("the model has {name}")));
            }
        }
        let values = model.getattr(intern!(py, "__dict__"))?.cast_into::<PyDict>()?;
        let mut dicts = Vec::new();
        for (name, value) in &values {
            if value.is_instance_of::<PyDict>() {
                dicts.push(name.cast_into::<PyString>()?.unbind());
            }
        }
        let class: Bound<'_, PyType> = model.get_type();
        Ok(Self {
            field: field.clone().unbind(),
            maker: Maker::new(&class)?,
            values: values.copy()?.unbind(),
            fields_set: model.getattr(intern!(py, "__pydantic_fields_set__"))?.cast_into::<PySet>()?.unbind(),
            dicts,
        })
    }

    /// Sets the field of an item, as an assignment does.
    ///
    /// # Errors
    ///
    /// `MemoryError`, or an error if the item is not a pydantic model.
    #[inline]
    pub fn set(&self, item: &Bound<'_, PyAny>) -> PyResult<()> {
        let py = item.py();
        let values = self.values.bind(py).copy()?;
        for name in &self.dicts {
            let name = name.bind(py);
            if let Some(value) = values.get_item(name)? {
                values.set_item(name, value.cast::<PyDict>()?.copy()?)?;
            }
        }
        let fields_set = PySet::new(py, self.fields_set.bind(py))?;
        let model = self.maker.make(values, None, fields_set, None)?;
        let field = self.field.bind(py);
        item.getattr(intern!(py, "__dict__"))?.cast::<PyDict>()?.set_item(field, model)?;
        item.getattr(intern!(py, "__pydantic_fields_set__"))?.cast::<PySet>()?.add(field)
    }

    /// Shows the Python objects to the garbage collector.
    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.maker.class)?;
        visit.call(&self.values)
    }
}
