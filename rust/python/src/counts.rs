//! `StreamCounts`: the times and counts of `StreamMetrics`, which change at each read.
//!
//! As attributes of a Python object, each would be an object of its own, made anew at each read. If a process has
//! a thousand streams, these are not in the processor's cache.

use std::convert::Infallible;
use std::sync::atomic::{AtomicU64, Ordering::Relaxed};

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyTuple};

/// The base class of ``StreamMetrics``, which documents the attributes.
#[pyclass(module = "ssejet._core", subclass, frozen)]
#[derive(Default)]
pub struct StreamCounts {
    #[pyo3(get)]
    started: Time,
    #[pyo3(get)]
    first_byte: Time,
    #[pyo3(get)]
    first_event: Time,
    #[pyo3(get)]
    last_byte: Time,
    #[pyo3(get)]
    bytes: Count,
    #[pyo3(get)]
    reads: Count,
    #[pyo3(get)]
    events: Count,
    #[pyo3(get)]
    reconnections: Count,
}

#[pymethods]
impl StreamCounts {
    /// Subclasses take arguments, which Python passes to this as well.
    #[new]
    #[pyo3(signature = (*_arguments, **_options))]
    fn new(_arguments: &Bound<'_, PyTuple>, _options: Option<&Bound<'_, PyDict>>) -> Self {
        Self::default()
    }

    /// Count ``size`` bytes, which have just arrived.
    #[pyo3(signature = (size, /))]
    pub fn add_read(&self, py: Python<'_>, size: u64) -> PyResult<()> {
        if size > 0 {
            self.last_byte.set(Some(now(py)?));
            self.first_byte.set_once(&self.last_byte);
            self.bytes.add(size);
            self.reads.add(1);
        }
        Ok(())
    }

    /// Count the events that the latest bytes completed.
    #[pyo3(signature = (count, /))]
    pub fn add_events(&self, count: u64) {
        if count > 0 {
            self.first_event.set_once(&self.last_byte);
            self.events.add(count);
        }
    }

    #[setter]
    fn set_started(&self, seconds: Option<f64>) {
        self.started.set(seconds);
    }

    #[setter]
    fn set_first_byte(&self, seconds: Option<f64>) {
        self.first_byte.set(seconds);
    }

    #[setter]
    fn set_first_event(&self, seconds: Option<f64>) {
        self.first_event.set(seconds);
    }

    #[setter]
    fn set_last_byte(&self, seconds: Option<f64>) {
        self.last_byte.set(seconds);
    }

    #[setter]
    fn set_bytes(&self, count: u64) {
        self.bytes.set(count);
    }

    #[setter]
    fn set_reads(&self, count: u64) {
        self.reads.set(count);
    }

    #[setter]
    fn set_events(&self, count: u64) {
        self.events.set(count);
    }

    #[setter]
    fn set_reconnections(&self, count: u64) {
        self.reconnections.set(count);
    }
}

/// Seconds of `time.perf_counter()`, or none. Without a lock, as other threads may look at any moment.
#[derive(Default)]
struct Time(AtomicU64);

impl Time {
    /// The bits of a time that is not set. They are those of zero.
    const UNSET: u64 = 0;

    fn set(&self, seconds: Option<f64>) {
        self.0.store(seconds.map_or(Self::UNSET, f64::to_bits), Relaxed);
    }

    fn set_once(&self, other: &Self) {
        if self.0.load(Relaxed) == Self::UNSET {
            self.0.store(other.0.load(Relaxed), Relaxed);
        }
    }
}

impl<'py> IntoPyObject<'py> for &Time {
    type Target = PyAny;
    type Output = Bound<'py, PyAny>;
    type Error = PyErr;

    fn into_pyobject(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let bits = self.0.load(Relaxed);
        let seconds = (bits != Time::UNSET).then(|| f64::from_bits(bits));
        seconds.into_pyobject(py).map_err(Into::into)
    }
}

#[derive(Default)]
struct Count(AtomicU64);

impl Count {
    fn set(&self, count: u64) {
        self.0.store(count, Relaxed);
    }

    /// Only the reader of a stream adds, so this need not be one atomic step.
    fn add(&self, more: u64) {
        self.set(self.0.load(Relaxed).wrapping_add(more));
    }
}

impl<'py> IntoPyObject<'py> for &Count {
    type Target = PyInt;
    type Output = Bound<'py, PyInt>;
    type Error = Infallible;

    fn into_pyobject(self, py: Python<'py>) -> Result<Self::Output, Infallible> {
        self.0.load(Relaxed).into_pyobject(py)
    }
}

/// `time.perf_counter()`, or what a test has put in its place in the module of `StreamMetrics`.
fn now(py: Python<'_>) -> PyResult<f64> {
    static MODULE: PyOnceLock<Py<PyModule>> = PyOnceLock::new();
    let module =
        MODULE.get_or_try_init(py, || py.import("ssejet.metrics._stream_metrics").map(Bound::unbind))?;
    module.bind(py).getattr(intern!(py, "perf_counter"))?.call0()?.extract()
}
