//! The iterators that an SDK's streams have: they take the items that are ready straight from the decoder.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};

use super::decoder::{ItemDecoder, Ready};

/// Gives the items of a stream.
///
/// A reader feeds the decoder, and gives what is not ready there. It is a generator: what it has that this
/// object has not, such as ``close()``, is taken from it.
///
/// Args:
///     decoder: has the items of the bytes that were read.
///     reader: a generator that feeds the decoder and yields its items. It clears the decoder at its end.
#[pyclass(module = "ssejet._core", frozen)]
pub struct ItemStream {
    decoder: Py<ItemDecoder>,
    reader: Py<PyIterator>,
}

#[pymethods]
impl ItemStream {
    #[new]
    #[pyo3(signature = (decoder, reader, /))]
    fn new(decoder: Py<ItemDecoder>, reader: Py<PyIterator>) -> Self {
        Self { decoder, reader }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        let reader = this.reader.bind(py);
        match ItemDecoder::ready(this.decoder.bind(py)) {
            Ready::Item(item) => Ok(Some(item)),
            Ready::Nothing => reader.clone().next().transpose(),
            Ready::Error(error) => reader.call_method1(intern!(py, "throw"), (error,)).map(Some),
        }
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).getattr(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.reader)
    }
}

/// Gives the items of an asynchronous stream, see ``ItemStream``.
///
/// Where items are ready, this object is its own awaitable: nothing is made for each item. An item is taken
/// when it is awaited, so that none is lost if nobody does.
#[pyclass(module = "ssejet._core")]
pub struct AsyncItemStream {
    decoder: Py<ItemDecoder>,
    reader: Py<PyAny>,
    /// The item that is awaited.
    item: Option<Py<PyAny>>,
}

#[pymethods]
impl AsyncItemStream {
    #[new]
    #[pyo3(signature = (decoder, reader, /))]
    fn new(decoder: Py<ItemDecoder>, reader: Py<PyAny>) -> Self {
        Self { decoder, reader, item: None }
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.borrow();
        if this.item.is_some() || ItemDecoder::has_events(this.decoder.bind(py)) {
            return Ok(slf.clone().into_any());
        }
        this.next_of_reader(py)
    }

    /// `yield from` asks for an iterator what `__await__` gives.
    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __await__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let mut this = slf.borrow_mut();
        if this.item.is_none() {
            let awaitable = match ItemDecoder::ready(this.decoder.bind(py)) {
                Ready::Item(item) => {
                    this.item = Some(item.unbind());
                    return Ok(slf.clone().into_any());
                }
                Ready::Nothing => this.next_of_reader(py)?,
                Ready::Error(error) => this.reader.bind(py).call_method1(intern!(py, "athrow"), (error,))?,
            };
            return awaitable.call_method0(intern!(py, "__await__"));
        }
        Ok(slf.clone().into_any())
    }

    fn __next__(&mut self, py: Python<'_>) -> PyResult<Option<Py<PyAny>>> {
        let Some(item) = self.item.take() else {
            return Err(PyRuntimeError::new_err("no item is awaited here"));
        };
        // SAFETY: `py` shows that this thread is attached, and the class and the item are alive. The item is a
        // model, so it is neither an exception nor a tuple, which the function would not take as a value.
        // Without a value and with an exception set, this method raises that exception: that is how an
        // awaitable returns its result.
        unsafe { ffi::PyErr_SetObject(py.get_type::<PyStopIteration>().as_ptr(), item.as_ptr()) };
        Ok(None)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).getattr(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.reader)?;
        visit.call(&self.item)
    }
}

impl AsyncItemStream {
    fn next_of_reader<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).call_method0(intern!(py, "__anext__"))
    }
}
