//! The exceptions of `ssejet.errors`, where the whole tree is defined, and what messages need.

use pyo3::exceptions::PyValueError;
use pyo3::intern;
use pyo3::prelude::*;
use ssejet_core::EventTooLarge;

/// The class is looked up each time: users catch the one that the module has now, also after they
/// imported the module again.
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
