//! `UntilError`: the pieces of a body up to an error, which another reader raises later.

use std::sync::OnceLock;

use pyo3::exceptions::{PyBaseException, PyException};
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};

/// Iterates over what another iterator gives. The iteration ends at an error, which is kept in ``error``.
///
/// Args:
///     items: the other iterator.
#[pyclass(module = "ssejet._core", frozen)]
pub struct UntilError {
    items: Py<PyIterator>,
    error: OnceLock<Py<PyBaseException>>,
}

#[pymethods]
impl UntilError {
    #[new]
    #[pyo3(signature = (items, /))]
    fn new(items: Py<PyIterator>) -> Self {
        Self { items, error: OnceLock::new() }
    }

    /// The error that ended the iteration, if one did.
    #[getter]
    fn error<'py>(&self, py: Python<'py>) -> Option<Bound<'py, PyBaseException>> {
        self.error.get().map(|error| error.bind(py).clone())
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        if this.error.get().is_some() {
            return Ok(None);
        }
        match this.items.bind(py).clone().next().transpose() {
            Err(error) if error.is_instance_of::<PyException>(py) => {
                // If two threads get an error at once, the first one counts.
                let _ = this.error.set(error.into_value(py));
                Ok(None)
            }
            item => item,
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.items)?;
        self.error.get().map_or(Ok(()), |error| visit.call(error))
    }
}
