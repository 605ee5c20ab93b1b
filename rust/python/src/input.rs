//! `EventInput`: takes in the bytes of one event stream.

use std::sync::atomic::{AtomicBool, Ordering::Relaxed};
use std::sync::{Mutex, PoisonError};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBytes, PyTuple};
use pyo3::{PyTraverseError, PyVisit};

use crate::counts::StreamCounts;
use crate::decoder::{Decoder, bytes, is_one_line, list};
use crate::footprint::Footprint;
use crate::packing::KeptBytes;

/// Decodes the bytes of a stream, counts them, and keeps what errors need of them.
///
/// Args:
///     decoder: decodes them.
///     counts: counts the reads, the bytes and the events.
///     tail: an ``InputTail``, which keeps the last bytes.
///
/// Attributes:
///     kept: keeps all bytes; None if they are not kept.
#[pyclass(module = "ssejet._core", frozen)]
pub struct EventInput {
    decoder: Py<Decoder>,
    counts: Py<StreamCounts>,
    tail: Py<PyAny>,
    /// Whether the tail is a blank line. It mostly is, and then need not be looked at.
    is_tail_blank: AtomicBool,
    kept: Mutex<Option<Py<KeptBytes>>>,
}

#[pymethods]
impl EventInput {
    #[new]
    #[pyo3(signature = (decoder, counts, tail, /))]
    fn new(decoder: Py<Decoder>, counts: Py<StreamCounts>, tail: Py<PyAny>) -> Self {
        Self { decoder, counts, tail, is_tail_blank: AtomicBool::new(false), kept: Mutex::default() }
    }

    /// Take in the next bytes.
    ///
    /// Returns:
    ///     The events, and whether the decoder has paused after them; see ``Decoder._feed()``.
    ///
    /// Raises:
    ///     EventTooLargeError, RuntimeError, TypeError: as for ``Decoder.feed()``.
    #[pyo3(signature = (chunk, /))]
    pub fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyTuple>> {
        slf.get().receive(chunk, |py, events, is_paused| (list(py, events)?, is_paused).into_pyobject(py))
    }

    #[getter]
    fn get_kept(&self, py: Python<'_>) -> Option<Py<KeptBytes>> {
        self.locked().as_ref().map(|kept| kept.clone_ref(py))
    }

    #[setter]
    fn set_kept(&self, kept: Option<Py<KeptBytes>>) {
        let before = std::mem::replace(&mut *self.locked(), kept);
        drop(before); // dropping it may run any code, so it happens after the lock
    }

    // There is no `__clear__`: the decoder can break a cycle.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.decoder)?;
        visit.call(&self.counts)?;
        visit.call(&self.tail)?;
        match self.kept.try_lock() {
            Ok(kept) => visit.call(&*kept),
            Err(_) => Ok(()),
        }
    }
}

impl EventInput {
    /// Takes in the next bytes; `take` takes the events, as in `Decoder::run`.
    pub fn receive<'py, T>(
        &self,
        chunk: &Bound<'py, PyAny>,
        take: impl FnMut(Python<'py>, &mut Vec<Py<PyAny>>, bool) -> PyResult<T>,
    ) -> PyResult<T> {
        let py = chunk.py();
        let mut take = take;
        let data = bytes(chunk)?;
        self.counts.get().add_read(py, data.len() as u64)?;
        if let Some(kept) = self.get_kept(py) {
            let kept = kept.bind(py);
            if KeptBytes::push(kept, &data)? {
                kept.call_method0(intern!(py, "condense"))?;
            }
        }
        let mut count = 0;
        let taken = Decoder::feed_or_pause(self.decoder.bind(py), Some(&data), |py, events, is_paused| {
            count = events.len();
            take(py, events, is_paused)
        })?;
        self.counts.get().add_events(count as u64);
        self.keep_tail(chunk, count > 0)?;
        Ok(taken)
    }

    /// Adds the memory that the next read will touch.
    pub fn add_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        let py = slf.py();
        footprint.add_object(slf);
        footprint.add_object(slf.get().counts.bind(py));
        footprint.add_object(slf.get().decoder.bind(py));
        if let Some(kept) = slf.get().get_kept(py) {
            KeptBytes::add_footprint(kept.bind(py), footprint);
        }
    }

    fn keep_tail(&self, chunk: &Bound<'_, PyAny>, ends_event: bool) -> PyResult<()> {
        static BLANK_LINE: PyOnceLock<Py<PyBytes>> = PyOnceLock::new();

        let py = chunk.py();
        let tail = self.tail.bind(py);
        // To keep all of a whole event would take memory that is out of the processor's cache when the next one
        // replaces it.
        if ends_event && chunk.cast_exact::<PyBytes>().is_ok_and(is_one_line) {
            if !self.is_tail_blank.swap(true, Relaxed) {
                let blank = BLANK_LINE.get_or_init(py, || PyBytes::new(py, b"\n\n").unbind());
                tail.setattr(intern!(py, "data"), blank)?;
            }
            return Ok(());
        }
        self.is_tail_blank.store(false, Relaxed);
        let method = if ends_event { intern!(py, "restart") } else { intern!(py, "add") };
        tail.call_method1(method, (chunk,)).map(drop)
    }

    fn locked(&self) -> std::sync::MutexGuard<'_, Option<Py<KeptBytes>>> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
