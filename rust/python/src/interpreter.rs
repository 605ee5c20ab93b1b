//! Only one interpreter of a process may use the module.
//!
//! The event type, and the strings and functions that are looked up once, belong to one interpreter.
//! Objects must not be shared with another one.

use std::sync::atomic::{AtomicI64, Ordering};

use pyo3::exceptions::PyImportError;
use pyo3::ffi;
use pyo3::prelude::*;

/// The ID that no interpreter has.
const NONE: i64 = -1;

/// Makes the current interpreter the owner of the module, until the process ends.
///
/// # Errors
///
/// `ImportError`: another interpreter is the owner.
pub fn claim(py: Python<'_>) -> PyResult<()> {
    static OWNER: AtomicI64 = AtomicI64::new(NONE);

    // SAFETY: `py` shows that this thread is attached, so there is a current interpreter.
    let id = unsafe { ffi::PyInterpreterState_GetID(ffi::PyInterpreterState_Get()) };
    if id < 0 {
        return Err(PyErr::fetch(py));
    }
    match OWNER.compare_exchange(NONE, id, Ordering::Relaxed, Ordering::Relaxed) {
        Err(owner) if owner != id => Err(PyImportError::new_err(format!(
            "ssejet works in one interpreter of a process, and interpreter {owner} imported it first; \
             this is interpreter {id}. Use ssejet in interpreter {owner} only, or start another process \
             instead of a subinterpreter (under mod_wsgi: WSGIApplicationGroup %{{GLOBAL}})"
        ))),
        _ => Ok(()),
    }
}
