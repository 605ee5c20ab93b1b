//! The bytes of the data, made of any Python value.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMemoryView, PyString};

use super::model;
use crate::imports::Imported;
use crate::{decoder, stack};

/// With this much stack, in bytes, every encoder reaches its own limit of nesting before the end of the stack.
const ENOUGH_STACK: usize = 512 * 1024;

/// The data, in an object that keeps its bytes alive.
pub enum Payload<'py> {
    Text(Bound<'py, PyString>),
    Bytes(Bound<'py, PyBytes>),
    Json(Vec<u8>),
}

impl<'py> Payload<'py> {
    /// Takes the data, and encodes what is neither text nor bytes as JSON.
    ///
    /// # Errors
    ///
    /// `ValueError` for bytes that are not UTF-8, and what the encoders raise.
    pub fn of(data: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = data.py();
        if let Ok(text) = data.cast::<PyString>() {
            return Ok(Self::Text(text.clone()));
        }
        let bytes = if let Ok(bytes) = data.cast::<PyBytes>() {
            bytes.clone()
        } else if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
            PyBytes::new(py, &decoder::bytes(data)?)
        } else {
            if stack::left() < ENOUGH_STACK {
                return on_small_stack(data).map(Self::Bytes);
            }
            return match model::json(data)? {
                Some(json) => Ok(Self::Json(json)),
                None => json(data).map(Self::Bytes),
            };
        };
        match std::str::from_utf8(bytes.as_bytes()) {
            Ok(_) => Ok(Self::Bytes(bytes)),
            Err(error) => Err(PyValueError::new_err(format!(
                "data must be UTF-8, as event streams are: {error}; send text, or the bytes as Base64"
            ))),
        }
    }

    /// The UTF-8 of the data.
    ///
    /// # Errors
    ///
    /// `ValueError` for text that holds a lone surrogate.
    pub fn bytes(&self) -> PyResult<&[u8]> {
        match self {
            Self::Text(text) => utf8("data", text),
            Self::Bytes(bytes) => Ok(bytes.as_bytes()),
            Self::Json(json) => Ok(json),
        }
    }
}

/// Encodes JSON in a thread whose stack an encoder could overflow. Deep nesting is refused.
#[cold]
fn on_small_stack<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    static DUMPS: Imported = Imported::new("ssejet._json", "dumps_on_small_stack");

    Ok(DUMPS.get(value.py())?.call1((value,))?.cast_into()?)
}

/// Encodes JSON by orjson, `json`, or the value's own way.
fn json<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    static ORJSON: Imported = Imported::new("ssejet._orjson", "dumps");
    static BUILTINS: Imported = Imported::new("ssejet._json", "builtins");
    static DUMPS: Imported = Imported::new("ssejet._json", "dumps");
    static RETRY: Imported = Imported::new("ssejet._json", "dump_refused");

    let py = value.py();
    let json = if value.is_exact_instance_of::<PyDict>() {
        // Most relays send a dict, so this case saves the call of a Python function.
        let builtins = BUILTINS.get(py)?;
        match ORJSON.get(py)?.call1((value, builtins)) {
            Err(error) if error.is_instance_of::<PyTypeError>(py) => RETRY.get(py)?.call1((value, error))?,
            result => result?,
        }
    } else {
        DUMPS.get(py)?.call1((value,))?
    };
    Ok(json.cast_into()?)
}

/// The UTF-8 of a text.
///
/// # Errors
///
/// `ValueError`, naming the field, for a lone surrogate.
pub fn utf8<'a>(field: &str, text: &'a Bound<'_, PyString>) -> PyResult<&'a [u8]> {
    text.to_str().map(str::as_bytes).map_err(|error| {
        if !error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
            return error;
        }
        PyValueError::new_err(format!(
            "{field} holds a lone surrogate, which UTF-8 cannot carry: {}; \
             replace it: {field}.encode(\"utf-8\", \"replace\").decode()",
            error.value(text.py())
        ))
    })
}
