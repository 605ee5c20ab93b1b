//! The iterators that an SDK's streams have: they take the items that are ready straight from the decoder.

use pyo3::exceptions::{PyRuntimeError, PyStopIteration};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::decoder::{ItemDecoder, Ready};

/// Gives the items of a stream.
///
/// A reader feeds the decoder, and gives the items that are not ready there. The reader is a generator. Its
/// other attributes, such as ``close()``, are attributes of this object too.
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
#[pyclass(module = "ssejet._core", frozen)]
pub struct AsyncItemStream {
    decoder: Py<ItemDecoder>,
    reader: Py<PyAny>,
}

#[pymethods]
impl AsyncItemStream {
    #[new]
    #[pyo3(signature = (decoder, reader, /))]
    fn new(decoder: Py<ItemDecoder>, reader: Py<PyAny>) -> Self {
        Self { decoder, reader }
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        if ItemDecoder::has_events(this.decoder.bind(py)) {
            let next = NextItem { stream: slf.clone().unbind(), state: NextState::Created };
            return Bound::new(py, next).map(Bound::into_any);
        }
        this.next_of_reader(py)
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).getattr(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.reader)
    }
}

impl AsyncItemStream {
    fn next_of_reader<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).call_method0(intern!(py, "__anext__"))
    }
}

/// The next item of an ``AsyncItemStream``, to be awaited once.
///
/// It has the methods of a coroutine, so a task can run it, like the awaitables of an async generator. It takes
/// the item when it is awaited, so no item is lost if nobody awaits it.
#[pyclass(module = "ssejet._core")]
pub struct NextItem {
    stream: Py<AsyncItemStream>,
    state: NextState,
}

enum NextState {
    Created,
    /// The awaitable of the reader, which is being awaited.
    Reading(Py<PyAny>),
    Ended,
}

/// The result of a step.
enum Step<'py> {
    /// The step waits. The event loop gets this value.
    Waits(Bound<'py, PyAny>),
    Item(Bound<'py, PyAny>),
}

#[pymethods]
impl NextItem {
    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        match Self::step(slf, py.None().into_bound(py))? {
            Step::Waits(value) => Ok(Some(value)),
            Step::Item(item) => {
                // SAFETY: `py` shows that this thread is attached, and the class and the item are alive. The
                // item is a model; the function would treat an exception or a tuple in another way. This method
                // returns no value, so Python raises the exception: an awaitable returns its result like that.
                unsafe { ffi::PyErr_SetObject(py.get_type::<PyStopIteration>().as_ptr(), item.as_ptr()) };
                Ok(None)
            }
        }
    }

    #[pyo3(signature = (value, /))]
    fn send<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        match Self::step(slf, value)? {
            Step::Waits(value) => Ok(value),
            Step::Item(item) => Err(PyStopIteration::new_err((item.unbind(),))),
        }
    }

    #[pyo3(signature = (exception, /, *_rest))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        exception: Bound<'py, PyAny>,
        _rest: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        match Self::end(slf) {
            NextState::Reading(awaited) => {
                Self::wait(slf, awaited.into_bound(slf.py()), intern!(slf.py(), "throw"), exception)
            }
            NextState::Created | NextState::Ended => Err(PyErr::from_value(exception)),
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match Self::end(slf) {
            NextState::Reading(awaited) => awaited.call_method0(py, intern!(py, "close")).map(drop),
            NextState::Created | NextState::Ended => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        if let NextState::Reading(awaited) = &self.state { visit.call(awaited) } else { Ok(()) }
    }
}

impl NextItem {
    /// Ends the wait.
    ///
    /// Returns:
    ///     The state before.
    fn end(slf: &Bound<'_, Self>) -> NextState {
        std::mem::replace(&mut slf.borrow_mut().state, NextState::Ended)
    }

    fn step<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = slf.py();
        // While other code runs, the state is `Ended`, so that nothing else continues this step.
        let awaited = match Self::end(slf) {
            NextState::Ended => return Err(PyRuntimeError::new_err("the next item was awaited before")),
            NextState::Reading(awaited) => awaited.into_bound(py),
            NextState::Created => {
                let stream = slf.borrow().stream.clone_ref(py);
                let stream = stream.get();
                let awaitable = match ItemDecoder::ready(stream.decoder.bind(py)) {
                    Ready::Item(item) => return Ok(Step::Item(item)),
                    Ready::Nothing => stream.next_of_reader(py)?,
                    Ready::Error(error) => {
                        stream.reader.bind(py).call_method1(intern!(py, "athrow"), (error,))?
                    }
                };
                awaitable.call_method0(intern!(py, "__await__"))?
            }
        };
        Self::wait(slf, awaited, intern!(py, "send"), value).map(Step::Waits)
    }

    /// Continues the awaitable of the reader, by one of its methods.
    fn wait<'py>(
        slf: &Bound<'py, Self>,
        awaited: Bound<'py, PyAny>,
        method: &Bound<'py, PyString>,
        argument: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = awaited.call_method1(method, (argument,))?;
        slf.borrow_mut().state = NextState::Reading(awaited.unbind());
        Ok(value)
    }
}
