//! The iterators that an SDK's streams have: they take the items that are ready straight from the decoder.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

use pyo3::exceptions::{PyRuntimeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyIterator;
use pyo3::{PyTraverseError, PyVisit};

use super::decoder::{ItemDecoder, Ready};
use super::next_item::{Next, NextItem, Reads};
use crate::arrivals::Arrival;

/// Gives the items of a stream.
///
/// A reader feeds the decoder, and gives the items that are not ready there. If the decoder has an iterator over
/// the bytes, this object takes them from it: the reader does not run for such a read. The reader is a generator.
/// Its other attributes, such as ``close()``, are attributes of this object too.
///
/// Args:
///     decoder: has the items of the bytes that were read.
///     reader: a generator that feeds the decoder and yields its items. It clears the decoder at its end.
#[pyclass(module = "ssejet._core", frozen)]
pub struct ItemStream {
    decoder: Py<ItemDecoder>,
    reader: Py<PyIterator>,
    /// Whether a thread reads here, while the reader waits.
    is_reading: AtomicBool,
}

#[pymethods]
impl ItemStream {
    #[new]
    #[pyo3(signature = (decoder, reader, /))]
    fn new(decoder: Py<ItemDecoder>, reader: Py<PyIterator>) -> Self {
        Self { decoder, reader, is_reading: AtomicBool::new(false) }
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, PyAny>>> {
        let py = slf.py();
        let this = slf.get();
        let decoder = this.decoder.bind(py);
        loop {
            match ItemDecoder::ready(decoder) {
                Ready::Item(item) => return Ok(Some(item)),
                Ready::Error(error) => return this.throw(py, error),
                Ready::Nothing => {}
            }
            let Some(chunks) = ItemDecoder::chunks(decoder) else { break };
            if this.is_reading.swap(true, Relaxed) {
                return Err(already_executing());
            }
            let chunk = chunks.clone().next();
            this.is_reading.store(false, Relaxed);
            let fed = match chunk {
                Some(Ok(chunk)) => ItemDecoder::feed(decoder, &chunk),
                Some(Err(error)) => Err(error),
                None => break,
            };
            if let Err(error) = fed {
                return this.throw(py, error);
            }
        }
        this.reader.bind(py).clone().next().transpose()
    }

    fn __getattr__<'py>(&self, py: Python<'py>, name: &str) -> PyResult<Bound<'py, PyAny>> {
        // The reader seems to wait for its next item to be taken, and would end.
        if matches!(name, "close" | "throw" | "send") && self.is_reading.load(Relaxed) {
            return Err(already_executing());
        }
        self.reader.bind(py).getattr(name)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.reader)
    }
}

impl ItemStream {
    /// Raises an exception in the reader, where it waits for its next item to be taken.
    fn throw<'py>(&self, py: Python<'py>, error: PyErr) -> PyResult<Option<Bound<'py, PyAny>>> {
        self.reader.bind(py).call_method1(intern!(py, "throw"), (error,)).map(Some)
    }
}

/// The error of a generator that is asked for an item, or closed, while it makes one.
fn already_executing() -> PyErr {
    PyValueError::new_err("generator already executing")
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
            return NextItem::of(slf, &ItemReads);
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

    /// Raises an exception in the reader, where it waits for its next item to be taken.
    fn throw<'py>(&self, py: Python<'py>, error: PyErr) -> PyResult<Bound<'py, PyAny>> {
        self.reader.bind(py).call_method1(intern!(py, "athrow"), (error.into_value(py),))
    }
}

/// How `AsyncItemStream` reads.
struct ItemReads;

impl Reads for ItemReads {
    fn next<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>> {
        let py = stream.py();
        let this = stream.cast::<AsyncItemStream>()?.get();
        let decoder = this.decoder.bind(py);
        loop {
            match ItemDecoder::ready(decoder) {
                Ready::Item(item) => return Ok(Next::Item(item)),
                Ready::Error(error) => return this.throw(py, error).map(Next::General),
                Ready::Nothing => {}
            }
            let Some(source) = ItemDecoder::source(decoder) else { break };
            if this.is_reading.load(Relaxed) {
                return Err(PyRuntimeError::new_err("anext(): asynchronous generator is already running"));
            }
            if this.reader.bind(py).getattr(intern!(py, "ag_running"))?.is_truthy()? {
                break; // it raises that error itself
            }
            match source.poll(py)? {
                Arrival::Nothing(wait) => return Ok(Next::Wait(wait)),
                Arrival::Other => break,
                Arrival::Bytes(chunk) => {
                    if let Err(error) = ItemDecoder::feed(decoder, chunk.as_any()) {
                        return this.throw(py, error).map(Next::General);
                    }
                    source.take_footprint(
                        py,
                        |last_item| ItemDecoder::exchange_footprint(decoder, last_item),
                        |footprint| {
                            footprint.add_object(stream);
                            ItemDecoder::add_footprint(decoder, footprint);
                        },
                    );
                }
            }
        }
        this.next_of_reader(py).map(Next::General)
    }

    fn on_late<'py>(&self, stream: &Bound<'py, PyAny>) -> PyResult<Next<'py>> {
        self.next(stream)
    }

    fn on_exception<'py>(&self, stream: &Bound<'py, PyAny>, error: PyErr) -> PyResult<Bound<'py, PyAny>> {
        stream.cast::<AsyncItemStream>()?.get().throw(stream.py(), error)
    }

    fn on_closed(&self, _stream: &Bound<'_, PyAny>) -> PyResult<()> {
        Ok(())
    }

    fn set_waiting(&self, stream: &Bound<'_, PyAny>, waits: bool) {
        if let Ok(stream) = stream.cast::<AsyncItemStream>() {
            stream.get().is_reading.store(waits, Relaxed);
        }
    }
}
