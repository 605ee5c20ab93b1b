//! The iterators that an SDK's streams have: they take the items that are ready straight from the decoder.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyIterator, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::decoder::{ItemDecoder, Ready};
use super::step::Step;
use crate::arrivals::Arrival;
use crate::read_wait::{ReadWait, Wait};

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
///
/// If the decoder has a source, this object reads on itself: no frame of Python's runs for such a read. All else
/// is left to the reader, which finds it in the decoder, or reads itself.
#[pyclass(module = "ssejet._core", frozen)]
pub struct AsyncItemStream {
    decoder: Py<ItemDecoder>,
    reader: Py<PyAny>,
    /// Whether a task waits for bytes here.
    is_reading: AtomicBool,
}

#[pymethods]
impl AsyncItemStream {
    #[new]
    #[pyo3(signature = (decoder, reader, /))]
    fn new(decoder: Py<ItemDecoder>, reader: Py<PyAny>) -> Self {
        Self { decoder, reader, is_reading: AtomicBool::new(false) }
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let this = slf.get();
        let decoder = this.decoder.bind(py);
        if ItemDecoder::has_events(decoder) || ItemDecoder::source(decoder).is_some() {
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

/// The next thing that a stream has to do.
enum Next<'py> {
    Item(Bound<'py, PyAny>),
    /// Wait for bytes.
    Wait(Bound<'py, ReadWait>),
    /// Let the reader go on, by this awaitable.
    Reader(Bound<'py, PyAny>),
}

impl AsyncItemStream {
    fn next_of_reader<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).call_method0(intern!(py, "__anext__"))
    }

    /// Raises an exception in the reader, where it waits for its next item to be taken.
    fn throw<'py>(&self, py: Python<'py>, exception: impl IntoPyObject<'py>) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).call_method1(intern!(py, "athrow"), (exception,))
    }

    fn next<'py>(&self, py: Python<'py>) -> PyResult<Next<'py>> {
        let decoder = self.decoder.bind(py);
        loop {
            match ItemDecoder::ready(decoder) {
                Ready::Item(item) => return Ok(Next::Item(item)),
                Ready::Error(error) => return self.throw(py, error).map(Next::Reader),
                Ready::Nothing => {}
            }
            let Some(source) = ItemDecoder::source(decoder) else { break };
            if self.is_reading.load(Relaxed) {
                return Err(PyRuntimeError::new_err("anext(): asynchronous generator is already running"));
            }
            if self.reader.bind(py).getattr(intern!(py, "ag_running"))?.is_truthy()? {
                break; // it raises that error itself
            }
            match source.poll(py)? {
                Arrival::Nothing(wait) => return Ok(Next::Wait(wait)),
                Arrival::Other => break,
                Arrival::Bytes(chunk) => {
                    if let Err(error) = ItemDecoder::feed(decoder, chunk.as_any()) {
                        return self.throw(py, error).map(Next::Reader);
                    }
                }
            }
        }
        self.next_of_reader(py).map(Next::Reader)
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
    /// Bytes have to arrive.
    Waiting(Py<ReadWait>),
    /// The awaitable of the reader, which is being awaited.
    Reading(Py<PyAny>),
    Ended,
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
        Ok(Self::step(slf, py.None().into_bound(py))?.next(py))
    }

    #[pyo3(signature = (value, /))]
    fn send<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        Self::step(slf, value)?.sent()
    }

    #[pyo3(signature = (exception, /, *_rest))]
    fn throw<'py>(
        slf: &Bound<'py, Self>,
        exception: Bound<'py, PyAny>,
        _rest: &Bound<'py, PyTuple>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        match Self::end(slf) {
            NextState::Reading(awaited) => {
                Self::wait(slf, awaited.into_bound(py), intern!(py, "throw"), exception)
            }
            NextState::Waiting(_) => {
                let awaitable = slf.borrow().stream.get().throw(py, exception)?;
                Self::begin(slf, awaitable)
            }
            NextState::Created | NextState::Ended => Err(PyErr::from_value(exception)),
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match Self::end(slf) {
            NextState::Reading(awaited) => awaited.call_method0(py, intern!(py, "close")).map(drop),
            NextState::Created | NextState::Waiting(_) | NextState::Ended => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        match &self.state {
            NextState::Waiting(wait) => visit.call(wait),
            NextState::Reading(awaited) => visit.call(awaited),
            NextState::Created | NextState::Ended => Ok(()),
        }
    }
}

impl NextItem {
    /// Ends the wait.
    ///
    /// Returns:
    ///     The state before.
    fn end(slf: &Bound<'_, Self>) -> NextState {
        let mut this = slf.borrow_mut();
        this.stop_reading();
        std::mem::replace(&mut this.state, NextState::Ended)
    }

    fn stop_reading(&self) {
        if let NextState::Waiting(_) = self.state {
            self.stream.get().is_reading.store(false, Relaxed);
        }
    }

    fn step<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = slf.py();
        // While other code runs, the state is `Ended`, so that nothing else continues this step.
        match Self::end(slf) {
            NextState::Ended => Err(PyRuntimeError::new_err("the next item was awaited before")),
            NextState::Reading(awaited) => {
                Self::wait(slf, awaited.into_bound(py), intern!(py, "send"), value).map(Step::Waits)
            }
            NextState::Created => Self::go_on(slf),
            NextState::Waiting(wait) => match ReadWait::wait(wait.bind(py)) {
                Ok(_) => Self::go_on(slf),
                Err(error) => {
                    let awaitable = slf.borrow().stream.get().throw(py, error)?;
                    Self::begin(slf, awaitable).map(Step::Waits)
                }
            },
        }
    }

    fn go_on<'py>(slf: &Bound<'py, Self>) -> PyResult<Step<'py>> {
        let py = slf.py();
        let stream = slf.borrow().stream.clone_ref(py);
        loop {
            return match stream.get().next(py)? {
                Next::Item(item) => Ok(Step::Item(item)),
                Next::Reader(awaitable) => Self::begin(slf, awaitable).map(Step::Waits),
                Next::Wait(wait) => match ReadWait::wait(&wait)? {
                    Wait::Over => continue,
                    Wait::Begun => {
                        stream.get().is_reading.store(true, Relaxed);
                        slf.borrow_mut().state = NextState::Waiting(wait.clone().unbind());
                        Ok(Step::Waits(wait.into_any()))
                    }
                },
            };
        }
    }

    /// Begins to await an awaitable of the reader.
    fn begin<'py>(slf: &Bound<'py, Self>, awaitable: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let awaited = awaitable.call_method0(intern!(py, "__await__"))?;
        Self::wait(slf, awaited, intern!(py, "send"), py.None().into_bound(py))
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

impl Drop for NextItem {
    fn drop(&mut self) {
        self.stop_reading();
    }
}
