//! `NextItem`: the next item of a stream that reads without Python's frames.
//!
//! | state   | is awaited                                     | an exception is thrown in        |
//! |---------|------------------------------------------------|----------------------------------|
//! | Created | reads, see `Reads::next`                       | ends                             |
//! | Waiting | reads, or General if the wait took too long    | as `Reads::on_exception` says    |
//! | General | goes on with Python's awaitable, until its end | is thrown into the awaitable     |
//! | Ended   | is refused                                     | stays ended                      |
//!
//! A read ends in an item, in a wait, or in an awaitable of Python's, for all that is not ordinary.

use pyo3::exceptions::PyRuntimeError;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::step::Step;
use crate::read_wait::{ReadWait, Wait};

/// What a stream does next.
pub enum Next<'py> {
    Item(Bound<'py, PyAny>),
    /// It waits for bytes.
    Wait(Bound<'py, ReadWait>),
    /// Python goes on, by this awaitable.
    General(Bound<'py, PyAny>),
}

/// How streams of a class read.
pub trait Reads: Sync {
    /// Reads until there is an item, or something that is not ordinary.
    fn next<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>>;

    /// Goes on after a wait that took too long.
    fn on_late<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>>;

    /// Handles an exception that has ended a wait. Gives an awaitable.
    ///
    /// # Errors
    ///
    /// The exception itself, if Python's awaitable need not see it.
    fn on_exception<'py>(&self, stream: &Bound<'py, PyAny>, error: PyErr) -> PyResult<Bound<'py, PyAny>>;

    /// Takes note that a wait was given up.
    fn on_closed(&self, stream: &Bound<'_, PyAny>) -> PyResult<()>;

    /// Takes note that a wait begins or ends.
    fn set_waiting(&self, stream: &Bound<'_, PyAny>, waits: bool);
}

/// The next item of a stream, to be awaited once.
///
/// It has the methods of a coroutine, so a task can run it. It takes the item when it is awaited, so no item is
/// lost if nobody awaits it.
#[pyclass(module = "ssejet._core")]
pub struct NextItem {
    stream: Py<PyAny>,
    reads: &'static dyn Reads,
    state: State,
}

enum State {
    Created,
    Waiting(Py<ReadWait>),
    General(Py<PyAny>),
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
        let (stream, reads, state) = Self::end(slf);
        match state {
            State::General(awaited) => {
                Self::go_on(slf, awaited.into_bound(py), intern!(py, "throw"), exception)
            }
            State::Waiting(_) => {
                let awaitable = reads.on_exception(&stream, PyErr::from_value(exception))?;
                Self::begin(slf, &awaitable)
            }
            State::Created | State::Ended => Err(PyErr::from_value(exception)),
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let (stream, reads, state) = Self::end(slf);
        match state {
            State::General(awaited) => awaited.call_method0(slf.py(), intern!(slf.py(), "close")).map(drop),
            State::Waiting(_) => reads.on_closed(&stream),
            State::Created | State::Ended => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.stream)?;
        match &self.state {
            State::Waiting(wait) => visit.call(wait),
            State::General(awaited) => visit.call(awaited),
            State::Created | State::Ended => Ok(()),
        }
    }
}

impl NextItem {
    /// Makes the awaitable that `__anext__()` returns.
    pub fn of<'py>(stream: &Bound<'py, PyAny>, reads: &'static dyn Reads) -> PyResult<Bound<'py, PyAny>> {
        let next = Self { stream: stream.clone().unbind(), reads, state: State::Created };
        Bound::new(stream.py(), next).map(Bound::into_any)
    }

    /// Sets the state to `Ended`, so that nothing else continues while other code runs.
    ///
    /// Returns:
    ///     The stream, how it reads, and the state before.
    fn end<'py>(slf: &Bound<'py, Self>) -> (Bound<'py, PyAny>, &'static dyn Reads, State) {
        let mut this = slf.borrow_mut();
        let state = std::mem::replace(&mut this.state, State::Ended);
        let (stream, reads) = (this.stream.bind(slf.py()).clone(), this.reads);
        drop(this);
        if let State::Waiting(_) = state {
            reads.set_waiting(&stream, false);
        }
        (stream, reads, state)
    }

    fn step<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = slf.py();
        let (stream, reads, state) = Self::end(slf);
        let next = match state {
            State::Ended => Err(PyRuntimeError::new_err("cannot reuse already awaited __anext__()")),
            State::General(awaited) => {
                let awaited = awaited.into_bound(py);
                return Self::go_on(slf, awaited, intern!(py, "send"), value).map(Step::Waits);
            }
            State::Created => reads.next(&stream),
            State::Waiting(wait) => match ReadWait::wait(wait.bind(py)) {
                Ok(_) if wait.borrow(py).in_time() => reads.next(&stream),
                Ok(_) => reads.on_late(&stream),
                Err(error) => reads.on_exception(&stream, error).map(Next::General),
            },
        };
        match next? {
            Next::Item(item) => Ok(Step::Item(item)),
            Next::General(awaitable) => Self::begin(slf, &awaitable).map(Step::Waits),
            Next::Wait(wait) => {
                // It is new, so it has not ended.
                let begun = ReadWait::wait(&wait)?;
                debug_assert!(matches!(begun, Wait::Begun));
                reads.set_waiting(&stream, true);
                slf.borrow_mut().state = State::Waiting(wait.clone().unbind());
                Ok(Step::Waits(wait.into_any()))
            }
        }
    }

    /// Begins to await an awaitable. Its result comes as `StopIteration`.
    fn begin<'py>(slf: &Bound<'py, Self>, awaitable: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let awaited = awaitable.call_method0(intern!(py, "__await__"))?;
        Self::go_on(slf, awaited, intern!(py, "send"), py.None().into_bound(py))
    }

    /// Continues what is awaited by one of its methods.
    fn go_on<'py>(
        slf: &Bound<'py, Self>,
        awaited: Bound<'py, PyAny>,
        method: &Bound<'py, PyString>,
        argument: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = awaited.call_method1(method, (argument,))?;
        slf.borrow_mut().state = State::General(awaited.unbind());
        Ok(value)
    }
}

impl Drop for NextItem {
    fn drop(&mut self) {
        if let State::Waiting(_) = self.state {
            Python::attach(|py| self.reads.set_waiting(self.stream.bind(py), false));
        }
    }
}
