//! `Step`: the result of one step of an awaitable that has the methods of a coroutine.

use pyo3::exceptions::PyStopIteration;
use pyo3::ffi;
use pyo3::prelude::*;

/// What a step gives.
pub enum Step<'py> {
    /// The step waits. The event loop gets this value.
    Waits(Bound<'py, PyAny>),
    /// The item that was awaited: a model or a Struct.
    Item(Bound<'py, PyAny>),
}

impl<'py> Step<'py> {
    /// What `__next__()` returns or raises.
    #[inline]
    pub fn next(self, py: Python<'py>) -> Option<Bound<'py, PyAny>> {
        match self {
            Self::Waits(value) => Some(value),
            Self::Item(item) => {
                // SAFETY: `py` shows that this thread is attached, and the class and the item are alive. The
                // item is a model or a Struct; the function would treat an exception or a tuple in another way.
                // `__next__()` returns no value, so Python raises the exception: an awaitable returns its
                // result like that.
                unsafe { ffi::PyErr_SetObject(py.get_type::<PyStopIteration>().as_ptr(), item.as_ptr()) };
                None
            }
        }
    }

    /// What `send()` and `throw()` return or raise.
    pub fn sent(self) -> PyResult<Bound<'py, PyAny>> {
        match self {
            Self::Waits(value) => Ok(value),
            Self::Item(item) => Err(PyStopIteration::new_err((item.unbind(),))),
        }
    }
}
