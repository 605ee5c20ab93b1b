//! The exceptions of `ssejet.errors`, where the whole tree is defined.

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyType;
use ssejet_core::EventTooLarge;

pub fn event_too_large(py: Python<'_>, error: EventTooLarge) -> PyErr {
    static TYPE: PyOnceLock<Py<PyType>> = PyOnceLock::new();
    match TYPE.import(py, "ssejet.errors", "EventTooLargeError") {
        Ok(class) => match class.call1((error.limit,)) {
            Ok(exception) => PyErr::from_value(exception),
            Err(error) => error,
        },
        Err(error) => error,
    }
}
