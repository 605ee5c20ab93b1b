//! What is imported when it is needed first.

use std::io;
use std::thread::{self, Builder};

use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;

use crate::stack;

/// The number of bytes of the stack with which any module can be imported.
const ENOUGH_STACK: usize = 256 * 1024;

/// The number of bytes of the stack of a thread that does nothing but import.
const LARGE_STACK: usize = 2 * 1024 * 1024;

/// An attribute of a module, which is imported when it is needed first.
pub struct Imported {
    module: &'static str,
    name: &'static str,
    value: PyOnceLock<Py<PyAny>>,
}

impl Imported {
    pub const fn new(module: &'static str, name: &'static str) -> Self {
        Self { module, name, value: PyOnceLock::new() }
    }

    /// The attribute.
    ///
    /// # Errors
    ///
    /// What the import raises.
    #[inline]
    pub fn get<'py>(&self, py: Python<'py>) -> PyResult<&Bound<'py, PyAny>> {
        Ok(self.value.get_or_try_init(py, || self.load(py))?.bind(py))
    }

    /// Imports the attribute, in a thread of its own if this one has a small stack.
    ///
    /// CPython 3.14 refuses to go deeper on a small stack, and orjson, whose import meets that, then reads a
    /// null pointer.
    #[cold]
    fn load(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        if stack::left() < ENOUGH_STACK {
            // Without another thread, the import is tried in this one.
            if let Ok(result) = py.detach(|| self.load_on_large_stack()) {
                return result;
            }
        }
        self.load_here(py)
    }

    fn load_here(&self, py: Python<'_>) -> PyResult<Py<PyAny>> {
        py.import(self.module)?.getattr(self.name).map(Bound::unbind)
    }

    fn load_on_large_stack(&self) -> io::Result<PyResult<Py<PyAny>>> {
        thread::scope(|scope| {
            let load = || Python::attach(|py| self.load_here(py));
            let thread = Builder::new().stack_size(LARGE_STACK).spawn_scoped(scope, load)?;
            thread.join().map_err(|_| io::Error::other("the thread panicked"))
        })
    }
}
