//! `AsyncAnswers`: an asynchronous iterator that takes the ordinary answers of a stream without Python's frames.

use std::sync::{Mutex, PoisonError};

use pyo3::call::PyCallArgs;
use pyo3::exceptions::PyException;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PyList, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use super::answers::AnswerBuilder;
use super::next_item::{Next, NextItem, Reads};
use super::source::Source;
use crate::arrivals::Arrival;
use crate::decoder::list;
use crate::footprint::Footprint;
use crate::input::EventInput;

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
        if slf.get().locked().is_some() {
            return NextItem::of(slf, &AnswerReads);
        }
        slf.call_method1(intern!(slf.py(), "_next"), (true,))
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

    /// Adds the memory that the next read will touch.
    fn add_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        let py = slf.py();
        footprint.add_object(slf);
        EventInput::add_footprint(slf.get().input.bind(py), footprint);
        AnswerBuilder::add_footprint(slf.get().builder.bind(py), footprint);
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

/// How `AsyncAnswers` read.
struct AnswerReads;

impl AnswerReads {
    /// Lets the subclass go on in the general way, by one of its coroutines.
    fn leave<'py>(
        answers: &Bound<'py, AsyncAnswers>,
        method: &str,
        arguments: impl PyCallArgs<'py>,
    ) -> PyResult<Bound<'py, PyAny>> {
        answers.get().replace(None);
        answers.call_method1(method, arguments)
    }
}

impl Reads for AnswerReads {
    fn next<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>> {
        let py = stream.py();
        let answers = stream.cast::<AsyncAnswers>()?;
        let reads = answers.get().locked().as_ref().map(|reads| reads.clone_ref(py));
        while let Some(reads) = &reads {
            let chunk = match reads.get().source.poll(py)? {
                Arrival::Bytes(chunk) => chunk,
                Arrival::Nothing(wait) => return Ok(Next::Wait(wait)),
                Arrival::Other => break,
            };
            match reads.get().take(chunk.as_any()) {
                Ok(Taken::Answer(answer)) => {
                    let builder = reads.get().builder.bind(py);
                    reads.get().source.take_footprint(
                        py,
                        |last_item| AnswerBuilder::exchange_footprint(builder, last_item),
                        |footprint| {
                            footprint.add_object(stream);
                            OrdinaryReads::add_footprint(reads.bind(py), footprint);
                        },
                    );
                    return Ok(Next::Item(answer));
                }
                Ok(Taken::Nothing) => {}
                Ok(Taken::Other) => break,
                Err(error) => {
                    return Self::leave(answers, "_on_error", (error.into_value(py),)).map(Next::General);
                }
            }
        }
        Self::leave(answers, "_next", (false,)).map(Next::General)
    }

    fn on_late<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>> {
        Self::leave(stream.cast()?, "_on_late", ()).map(Next::General)
    }

    fn on_exception<'py>(&self, stream: &Bound<'py, PyAny>, error: PyErr) -> PyResult<Bound<'py, PyAny>> {
        let py = stream.py();
        if error.is_instance_of::<PyException>(py) {
            return Self::leave(stream.cast()?, "_on_read_error", (error.into_value(py),));
        }
        self.on_closed(stream)?;
        Err(error)
    }

    fn on_closed(&self, stream: &Bound<'_, PyAny>) -> PyResult<()> {
        Self::leave(stream.cast()?, "_on_interrupted", ()).map(drop)
    }

    /// The wait itself refuses a second reader.
    fn set_waiting(&self, _stream: &Bound<'_, PyAny>, _waits: bool) {}
}
