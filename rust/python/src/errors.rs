//! What becomes of errors: those of the core as exceptions, and exceptions of other code as refusals.

use pyo3::exceptions::{PyException, PyMemoryError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use ssejet_core::EventTooLarge;

/// Makes an `EventTooLargeError` of `ssejet.errors`, where all exceptions are defined.
///
/// The class is looked up each time: if the module was imported again, users catch the class that it has
/// now.
pub fn event_too_large(py: Python<'_>, error: EventTooLarge) -> PyErr {
    let exception = py
        .import(intern!(py, "ssejet.errors"))
        .and_then(|errors| errors.getattr(intern!(py, "EventTooLargeError")))
        .and_then(|class| class.call1((error.limit,)));
    match exception {
        Ok(exception) => PyErr::from_value(exception),
        Err(error) => error,
    }
}

/// An integer as text for a message. Python refuses to write one of thousands of digits.
///
/// # Errors
///
/// What a subclass of `int` raises when it is asked for its text.
pub fn shown(value: &Bound<'_, PyAny>) -> PyResult<String> {
    match value.str() {
        Ok(text) => Ok(text.to_cow()?.into_owned()),
        Err(error) if error.is_instance_of::<PyValueError>(value.py()) => {
            let bits: u64 = value.call_method0(intern!(value.py(), "bit_length"))?.extract()?;
            Ok(format!("an integer of {bits} bits"))
        }
        Err(error) => Err(error),
    }
}

/// Why nothing was made of a value.
pub enum Stop {
    /// It is not known what to make, or a function refused. Slower code can take over.
    Refused,
    /// An exception that no code is expected to catch, such as `KeyboardInterrupt`, or `MemoryError`.
    Error(PyErr),
}

impl Stop {
    /// What an exception of other code means.
    #[cold]
    pub fn of(py: Python<'_>, error: PyErr) -> Self {
        let is_refusal =
            error.is_instance_of::<PyException>(py) && !error.is_instance_of::<PyMemoryError>(py);
        if is_refusal { Self::Refused } else { Self::Error(error) }
    }
}
