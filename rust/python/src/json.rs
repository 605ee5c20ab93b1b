//! `json.loads`, at the speed of orjson where both give the same.

use pyo3::exceptions::{PyUnicodeEncodeError, PyValueError};
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::PyString;

/// Integers of fewer digits than this fit in 64 bits; orjson makes floats of larger ones.
const LONG: usize = 19;

/// Decodes what `json.loads` accepts, with equal results.
///
/// # Errors
///
/// What `json.loads` raises.
pub fn loads<'py>(data: &Bound<'py, PyString>) -> PyResult<Bound<'py, PyAny>> {
    static ORJSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static STANDARD: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

    let py = data.py();
    let fits_orjson = match data.to_str() {
        Ok(text) => !has_long_number(text.as_bytes()),
        // A lone surrogate has no UTF-8 form; orjson refuses it as well.
        Err(error) if error.is_instance_of::<PyUnicodeEncodeError>(py) => false,
        Err(error) => return Err(error),
    };
    if fits_orjson {
        match ORJSON.import(py, "orjson", "loads")?.call1((data,)) {
            Err(error) if error.is_instance_of::<PyValueError>(py) => {}
            result => return result,
        }
    }
    STANDARD.import(py, "json", "loads")?.call1((data,))
}

/// Whether there is a run of digits as long as that of an integer beyond 64 bits.
fn has_long_number(bytes: &[u8]) -> bool {
    let digits =
        |bytes: &mut dyn Iterator<Item = &u8>| bytes.take_while(|byte| byte.is_ascii_digit()).count();
    // Every such run covers one of these places.
    (LONG - 1..bytes.len()).step_by(LONG).any(|place| {
        bytes[place].is_ascii_digit()
            && digits(&mut bytes[..place].iter().rev()) + digits(&mut bytes[place..].iter()) >= LONG
    })
}
