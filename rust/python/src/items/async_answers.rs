//! `AsyncAnswers`: an asynchronous iterator that takes the ordinary answers of a stream without Python's frames.

use std::sync::{Mutex, PoisonError};

use pyo3::exceptions::{PyException, PyRuntimeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyString, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::answers::AnswerBuilder;
use super::source::Source;
use super::step::Step;
use crate::arrivals::Arrival;
use crate::decoder::list;
use crate::input::EventInput;
use crate::read_wait::{ReadWait, Wait};

/// An asynchronous iterator over the answers of a stream.
///
/// A subclass reads the stream in its coroutine ``_next()``. Between two answers it may call
/// ``_read_ordinary()``: then this class waits, reads, decodes and builds, until there is anything out of the
/// ordinary. That is left to ``_next(False)``, which finds all as if it had read itself.
#[pyclass(module = "ssejet._core", subclass, frozen)]
pub struct AsyncAnswers {
    reads: Mutex<Option<Py<OrdinaryReads>>>,
}

/// What the ordinary reads of a stream need.
#[pyclass(module = "ssejet._core", frozen)]
pub struct OrdinaryReads {
    source: Source,
    /// A ``StreamMachine``.
    machine: Py<PyAny>,
    input: Py<EventInput>,
    builder: Py<AnswerBuilder>,
    observe: Option<Py<PyAny>>,
}

#[pymethods]
impl OrdinaryReads {
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        self.source.traverse(&visit)?;
        visit.call(&self.machine)?;
        visit.call(&self.input)?;
        visit.call(&self.builder)?;
        visit.call(&self.observe)
    }
}

#[pymethods]
impl AsyncAnswers {
    /// Subclasses take arguments, which Python passes to this as well.
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self { reads: Mutex::default() }
    }

    fn __aiter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __anext__<'py>(slf: &Bound<'py, Self>) -> PyResult<Bound<'py, PyAny>> {
        let state = if slf.get().locked().is_some() { State::Created } else { return Self::next(slf, true) };
        Bound::new(slf.py(), NextAnswer { answers: slf.clone().unbind(), state }).map(Bound::into_any)
    }

    /// Read ordinary answers from now on. All that has arrived must have been taken.
    ///
    /// Args:
    ///     chunks: an ``AsyncDirectChunks``, without deadlines that span several waits.
    ///     machine: gets the events that are not ordinary.
    ///     input: decodes the bytes.
    ///     builder: builds the answers.
    ///     observe: is called with each answer; or None.
    #[pyo3(signature = (chunks, machine, input, builder, observe, /))]
    fn _read_ordinary(
        slf: &Bound<'_, Self>,
        chunks: &Bound<'_, PyAny>,
        machine: Py<PyAny>,
        input: Py<EventInput>,
        builder: Py<AnswerBuilder>,
        observe: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let reads = OrdinaryReads { source: Source::of(chunks)?, machine, input, builder, observe };
        slf.get().replace(Some(Py::new(slf.py(), reads)?));
        Ok(())
    }

    // There is no `__clear__`: what this refers to can break a cycle.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        match self.reads.try_lock() {
            Ok(reads) => visit.call(&*reads),
            Err(_) => Ok(()),
        }
    }
}

impl AsyncAnswers {
    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Py<OrdinaryReads>>> {
        self.reads.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn replace(&self, reads: Option<Py<OrdinaryReads>>) {
        let before = std::mem::replace(&mut *self.locked(), reads);
        drop(before); // dropping it may run any code, so it happens after the lock
    }

    /// The coroutine that gives the next answer in the general way.
    fn next<'py>(slf: &Bound<'py, Self>, may_be_ordinary: bool) -> PyResult<Bound<'py, PyAny>> {
        slf.call_method1(intern!(slf.py(), "_next"), (may_be_ordinary,))
    }
}

/// What the bytes of a read gave.
enum Received<'py> {
    Nothing,
    Event(Bound<'py, PyAny>),
    Events { events: Bound<'py, PyList>, is_paused: bool },
}

impl OrdinaryReads {
    fn receive<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Received<'py>> {
        self.input.get().receive(chunk, |py, events, is_paused| {
            if events.len() > 1 || is_paused {
                return Ok(Received::Events { events: list(py, events)?, is_paused });
            }
            Ok(events.pop().map_or(Received::Nothing, |event| Received::Event(event.into_bound(py))))
        })
    }

    /// Takes the bytes of a read. Gives the answer, unless there is none, or it is not ordinary.
    fn take<'py>(&self, chunk: &Bound<'py, PyAny>) -> PyResult<Taken<'py>> {
        let py = chunk.py();
        let (events, is_paused) = match self.receive(chunk)? {
            Received::Nothing => return Ok(Taken::Nothing),
            Received::Event(event) => {
                let answer = AnswerBuilder::build(self.builder.bind(py), &event)?;
                if !answer.is(&event) {
                    if let Some(observe) = &self.observe {
                        observe.call1(py, (&answer,))?;
                    }
                    return Ok(Taken::Answer(answer));
                }
                (PyList::new(py, [event])?, false)
            }
            Received::Events { events, is_paused } => (events, is_paused),
        };
        self.machine.bind(py).call_method1(intern!(py, "_put"), (events, is_paused))?;
        Ok(Taken::Other)
    }
}

enum Taken<'py> {
    Answer(Bound<'py, PyAny>),
    Nothing,
    Other,
}

/// The next answer, to be awaited once. It has the methods of a coroutine, so a task can run it.
#[pyclass(module = "ssejet._core")]
pub struct NextAnswer {
    answers: Py<AsyncAnswers>,
    state: State,
}

enum State {
    Created,
    /// Bytes have to arrive.
    Waiting(Py<ReadWait>),
    /// A coroutine of the subclass goes on.
    General(Py<PyAny>),
    Ended,
}

#[pymethods]
impl NextAnswer {
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
            State::General(coroutine) => {
                Self::go_on(slf, coroutine.into_bound(py), intern!(py, "throw"), exception)
            }
            State::Waiting(_) => Self::interrupt(slf, PyErr::from_value(exception))?.sent(),
            State::Created | State::Ended => Err(PyErr::from_value(exception)),
        }
    }

    fn close(slf: &Bound<'_, Self>) -> PyResult<()> {
        let py = slf.py();
        match Self::end(slf) {
            State::General(coroutine) => coroutine.call_method0(py, intern!(py, "close")).map(drop),
            State::Waiting(_) => Self::note_interruption(slf),
            State::Created | State::Ended => Ok(()),
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.answers)?;
        match &self.state {
            State::Waiting(wait) => visit.call(wait),
            State::General(coroutine) => visit.call(coroutine),
            State::Created | State::Ended => Ok(()),
        }
    }
}

impl NextAnswer {
    /// Sets the state to `Ended`, so that nothing else continues while other code runs. Gives the state before.
    fn end(slf: &Bound<'_, Self>) -> State {
        std::mem::replace(&mut slf.borrow_mut().state, State::Ended)
    }

    fn answers<'py>(slf: &Bound<'py, Self>) -> Bound<'py, AsyncAnswers> {
        slf.borrow().answers.bind(slf.py()).clone()
    }

    fn step<'py>(slf: &Bound<'py, Self>, value: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = slf.py();
        match Self::end(slf) {
            State::Ended => Err(PyRuntimeError::new_err("cannot reuse already awaited __anext__()")),
            State::General(coroutine) => {
                let coroutine = coroutine.into_bound(py);
                Self::go_on(slf, coroutine, intern!(py, "send"), value).map(Step::Waits)
            }
            State::Created => Self::read(slf),
            State::Waiting(wait) => match ReadWait::wait(wait.bind(py)) {
                Ok(Wait::Over) if wait.borrow(py).in_time() => Self::read(slf),
                Ok(Wait::Over) => {
                    let answers = Self::answers(slf);
                    answers.get().replace(None);
                    Self::begin(slf, answers.call_method0(intern!(py, "_on_late"))?)
                }
                Ok(Wait::Begun) => unreachable!("a wait begins once"),
                Err(error) => Self::interrupt(slf, error),
            },
        }
    }

    /// Reads until there is an answer, or something that is not ordinary.
    fn read<'py>(slf: &Bound<'py, Self>) -> PyResult<Step<'py>> {
        let py = slf.py();
        let answers = Self::answers(slf);
        let Some(reads) = answers.get().locked().as_ref().map(|reads| reads.clone_ref(py)) else {
            return Self::leave(slf, &answers);
        };
        let reads = reads.get();
        loop {
            match reads.source.poll(py)? {
                Arrival::Bytes(chunk) => match reads.take(chunk.as_any()) {
                    Ok(Taken::Answer(answer)) => return Ok(Step::Item(answer)),
                    Ok(Taken::Nothing) => {}
                    Ok(Taken::Other) => return Self::leave(slf, &answers),
                    Err(error) => return Self::fail(slf, &answers, "_on_error", error),
                },
                Arrival::Nothing(wait) => {
                    return match ReadWait::wait(&wait)? {
                        Wait::Over => continue,
                        Wait::Begun => {
                            slf.borrow_mut().state = State::Waiting(wait.clone().unbind());
                            Ok(Step::Waits(wait.into_any()))
                        }
                    };
                }
                Arrival::Other => return Self::leave(slf, &answers),
            }
        }
    }

    /// Lets the subclass go on in the general way.
    fn leave<'py>(slf: &Bound<'py, Self>, answers: &Bound<'py, AsyncAnswers>) -> PyResult<Step<'py>> {
        answers.get().replace(None);
        let coroutine = AsyncAnswers::next(answers, false)?;
        Self::begin(slf, coroutine)
    }

    /// Lets a coroutine of the subclass handle an error.
    fn fail<'py>(
        slf: &Bound<'py, Self>,
        answers: &Bound<'py, AsyncAnswers>,
        method: &str,
        error: PyErr,
    ) -> PyResult<Step<'py>> {
        answers.get().replace(None);
        let coroutine = answers.call_method1(method, (error.into_value(slf.py()),))?;
        Self::begin(slf, coroutine)
    }

    /// Ends a wait by an exception that was thrown into it.
    fn interrupt<'py>(slf: &Bound<'py, Self>, error: PyErr) -> PyResult<Step<'py>> {
        if error.is_instance_of::<PyException>(slf.py()) {
            return Self::fail(slf, &Self::answers(slf), "_on_read_error", error);
        }
        Self::note_interruption(slf)?;
        Err(error)
    }

    fn note_interruption(slf: &Bound<'_, Self>) -> PyResult<()> {
        let answers = Self::answers(slf);
        answers.get().replace(None);
        answers.call_method0(intern!(slf.py(), "_on_interrupted")).map(drop)
    }

    fn begin<'py>(slf: &Bound<'py, Self>, coroutine: Bound<'py, PyAny>) -> PyResult<Step<'py>> {
        let py = slf.py();
        Self::go_on(slf, coroutine, intern!(py, "send"), py.None().into_bound(py)).map(Step::Waits)
    }

    /// Continues a coroutine by one of its methods. Its result comes as `StopIteration`.
    fn go_on<'py>(
        slf: &Bound<'py, Self>,
        coroutine: Bound<'py, PyAny>,
        method: &Bound<'py, PyString>,
        argument: Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let value = coroutine.call_method1(method, (argument,))?;
        slf.borrow_mut().state = State::General(coroutine.unbind());
        Ok(value)
    }
}
