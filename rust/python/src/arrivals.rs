//! `BodyArrivals`: what has arrived of a body on asyncio, and the wait for more.
//!
//! The event loop calls this object when it has read, a reader takes what has arrived, and both touch little else.
//! If a process has a thousand streams, none of what a read touches is in the processor's cache.

use std::collections::VecDeque;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyMemoryView};
use pyo3::{PyTraverseError, PyVisit};

use crate::body::BodyReader;
use crate::footprint::{self, Footprint, LastRead};
use crate::imports::Imported;
use crate::read_buffer::ReadBuffer;
use crate::read_wait::ReadWait;

/// The event loop reads no more while so many bytes of the body wait for the consumer.
const MAX_BUFFERED: usize = 64 << 10;

/// The base class of ``Arrivals``, which knows the connection.
///
/// Args:
///     reader: takes the body off its framing.
///     loop: the event loop.
///     buffer: what the event loop reads into.
///     read_timeout: how many seconds the client lets one wait last; None without a limit.
///
/// Attributes:
///     size: how many bytes of the body have arrived and were not taken.
///     due: when the wait has lasted too long, in the event loop's time; infinity if nothing waits or there is no
///         limit.
///     is_client_limit: whether that limit is the client's read timeout.
///     timer_due: when the timer is due that looks at ``due``; infinity if none runs.
///     decrypt: takes what was read, and returns the bytes of the body in it; None if the connection has no TLS.
///     is_released: whether the connection was handed back.
///     is_awaited: whether something waits.
///     pulls: whether ``_pull()`` gets the bytes that another buffer holds. It is called when a reader finds none.
#[pyclass(module = "ssejet._core", subclass)]
pub struct BodyArrivals {
    reader: Py<BodyReader>,
    queue: Queue,
    wait: Option<Py<ReadWait>>,
    read_timeout: f64,
    due: f64,
    is_client_limit: bool,
    #[pyo3(get, set)]
    is_released: bool,
    #[pyo3(get, set)]
    timer_due: f64,
    #[pyo3(get, set)]
    decrypt: Option<Py<PyAny>>,
    #[pyo3(get, set)]
    pulls: bool,
    event_loop: Py<PyAny>,
    buffer: Py<ReadBuffer>,
    /// What a read touches of the stream.
    footprint: Footprint,
    /// What the last item is made of. Mostly the consumer drops it when it has the next one.
    last_item: Footprint,
    last_read: LastRead,
    /// The number of cold reads that ran no Python frame.
    reads: u32,
}

/// The pieces of the body that were not taken.
#[derive(Default)]
struct Queue {
    /// Mostly there is one.
    first: Option<Py<PyBytes>>,
    others: VecDeque<Py<PyBytes>>,
    /// How many bytes they have.
    size: usize,
    /// How many bytes were taken before.
    taken: u64,
    /// Whether the event loop does not read, because there are too many bytes.
    is_paused: bool,
}

impl Queue {
    /// Adds a piece. Gives whether the event loop shall read no more.
    fn push(&mut self, piece: Bound<'_, PyBytes>) -> bool {
        self.size += piece.as_bytes().len();
        if self.first.is_none() {
            self.first = Some(piece.unbind());
        } else {
            self.others.push_back(piece.unbind());
        }
        let pauses = self.size >= MAX_BUFFERED && !self.is_paused;
        self.is_paused |= pauses;
        pauses
    }

    /// Takes the first piece. Gives it, and whether the event loop shall read on.
    fn pop<'py>(&mut self, py: Python<'py>) -> Option<(Bound<'py, PyBytes>, bool)> {
        let piece = self.first.take()?.into_bound(py);
        self.first = self.others.pop_front();
        self.size -= piece.as_bytes().len();
        self.taken += piece.as_bytes().len() as u64;
        let resumes = self.is_paused && self.size < MAX_BUFFERED / 2;
        self.is_paused &= !resumes;
        Some((piece, resumes))
    }
}

/// What a reader finds.
pub enum Arrival<'py> {
    Bytes(Bound<'py, PyBytes>),
    /// What to await until there is something.
    Nothing(Bound<'py, ReadWait>),
    /// The body has ended or failed, or another reader has it.
    Other,
}

#[pymethods]
impl BodyArrivals {
    /// Subclasses pass these four arguments, and take their own in ``__init__()``.
    #[new]
    #[pyo3(signature = (reader, r#loop, buffer, read_timeout, /))]
    fn new(
        reader: Py<BodyReader>,
        r#loop: Py<PyAny>,
        buffer: Py<ReadBuffer>,
        read_timeout: Option<f64>,
    ) -> Self {
        Self {
            reader,
            queue: Queue::default(),
            wait: None,
            read_timeout: read_timeout.unwrap_or(f64::INFINITY),
            due: f64::INFINITY,
            is_client_limit: true,
            is_released: false,
            timer_due: f64::INFINITY,
            decrypt: None,
            pulls: false,
            event_loop: r#loop,
            buffer,
            footprint: Footprint::default(),
            last_item: Footprint::default(),
            last_read: LastRead::default(),
            reads: 0,
        }
    }

    #[getter]
    fn size(&self) -> usize {
        self.queue.size
    }

    #[getter]
    fn is_paused(&self) -> bool {
        self.queue.is_paused
    }

    #[getter]
    fn due(&self, py: Python<'_>) -> f64 {
        if self.is_awaited(py) { self.due } else { f64::INFINITY }
    }

    #[getter]
    fn is_client_limit(&self) -> bool {
        self.is_client_limit
    }

    #[getter]
    fn is_awaited(&self, py: Python<'_>) -> bool {
        self.wait.as_ref().is_some_and(|wait| wait.try_borrow(py).is_ok_and(|wait| wait.is_pending()))
    }

    /// What the event loop reads into.
    #[pyo3(signature = (_sizehint, /))]
    pub fn get_buffer<'py>(
        slf: &Bound<'py, Self>,
        _sizehint: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyMemoryView>> {
        let this = slf.try_borrow()?;
        if this.last_read.begin() {
            if let Some(wait) = &this.wait {
                footprint::fetch(wait.as_ptr());
                footprint::fetch(wait.as_ptr().wrapping_byte_add(footprint::LINE));
            }
            this.footprint.fetch();
            this.last_item.fetch();
        }
        Ok(this.buffer.get().view(slf.py()))
    }

    /// Take in the first bytes of the buffer.
    #[pyo3(signature = (nbytes, /))]
    pub fn buffer_updated<'py>(
        slf: &Bound<'py, Self>,
        nbytes: &Bound<'py, PyAny>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = slf.py();
        let data = slf.try_borrow()?.buffer.get().copy(nbytes.extract()?)?;
        let payload = Self::unframe(slf, &data);
        Self::put(slf, payload)?;
        Ok(py.None().into_bound(py))
    }

    /// Take in bytes of the socket.
    #[pyo3(signature = (data, /))]
    fn receive(slf: &Bound<'_, Self>, data: &Bound<'_, PyBytes>) -> PyResult<()> {
        let payload = Self::unframe(slf, data.as_bytes());
        Self::put(slf, payload)
    }

    /// Take the next piece of the body; ``b""`` if there is none.
    ///
    /// Args:
    ///     response: gets the number of the bytes that were taken so far; or None.
    #[pyo3(signature = (response = None, /))]
    fn take<'py>(
        slf: &Bound<'py, Self>,
        response: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        Ok(Self::pop(slf, response)?.unwrap_or_else(|| PyBytes::new(slf.py(), b"")))
    }

    /// Wait until something has arrived, or for the client's read timeout.
    ///
    /// Args:
    ///     limit: the most seconds to wait, if that is less.
    ///
    /// Returns:
    ///     What to await. Its ``in_time`` says whether something has arrived in time.
    ///
    /// Raises:
    ///     ConcurrentReadError: another task waits.
    #[pyo3(signature = (limit = None, /))]
    fn wait<'py>(slf: &Bound<'py, Self>, limit: Option<f64>) -> PyResult<Bound<'py, ReadWait>> {
        let py = slf.py();
        let event_loop = {
            let this = slf.try_borrow()?;
            if this.is_awaited(py) {
                return Err(concurrent_read(py)?);
            }
            this.event_loop.clone_ref(py)
        };
        let wait = Bound::new(py, ReadWait::new(event_loop))?;
        let limit = limit.unwrap_or(f64::INFINITY);
        let (before, seconds) = {
            let mut this = slf.try_borrow_mut()?;
            this.is_client_limit = this.read_timeout <= limit;
            this.due = f64::INFINITY;
            (this.wait.replace(wait.clone().unbind()), limit.min(this.read_timeout))
        };
        drop(before); // dropping it may run any code, so it happens after the borrow
        if seconds.is_finite() {
            Self::set_due(slf, seconds)?;
        }
        Ok(wait)
    }

    /// End the wait, if something waits.
    ///
    /// Args:
    ///     in_time: False if it has lasted too long.
    #[pyo3(signature = (*, in_time = true))]
    fn wake(slf: &Bound<'_, Self>, in_time: bool) -> PyResult<()> {
        let wait = slf.try_borrow_mut()?.wait.take();
        wait.map_or(Ok(()), |wait| ReadWait::end_soon(wait.bind(slf.py()), in_time))
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.wait)?;
        visit.call(&self.decrypt)?;
        visit.call(&self.event_loop)
    }

    fn __clear__(&mut self) {
        self.wait = None;
        self.decrypt = None;
    }
}

impl BodyArrivals {
    /// Takes what has arrived, for a response, or begins a wait, see `wait`.
    pub fn poll<'py>(
        slf: &Bound<'py, Self>,
        response: &Bound<'py, PyAny>,
        limit: Option<f64>,
    ) -> PyResult<Arrival<'py>> {
        let py = slf.py();
        if slf.try_borrow()?.is_released {
            return Ok(Arrival::Other);
        }
        if let Some(piece) = Self::pop(slf, Some(response))? {
            return Ok(Arrival::Bytes(piece));
        }
        if slf.try_borrow()?.pulls {
            slf.call_method0(intern!(py, "_pull"))?;
            if let Some(piece) = Self::pop(slf, Some(response))? {
                return Ok(Arrival::Bytes(piece));
            }
        }
        if slf.try_borrow()?.reader.try_borrow(py)?.is_over() {
            return Ok(Arrival::Other);
        }
        Self::wait(slf, limit).map(Arrival::Nothing)
    }

    /// Takes the footprint of the next read, unless few streams are read. A reader calls this after each read.
    ///
    /// Its errors are ignored, so that no item is lost because of them.
    ///
    /// Args:
    ///     exchange: takes the footprint of the item before, and gives that of the item.
    ///     add: adds what the reader itself will touch. It is called once in a while.
    pub fn take_footprint(
        slf: &Bound<'_, Self>,
        exchange: impl FnOnce(&mut Footprint),
        add: impl FnOnce(&mut Footprint),
    ) {
        let py = slf.py();
        let (reader, event_loop) = {
            let Ok(mut this) = slf.try_borrow_mut() else { return };
            if !this.last_read.is_cold() {
                return;
            }
            exchange(&mut this.last_item);
            this.reads = this.reads.wrapping_add(1);
            if !Footprint::is_due(this.reads) {
                return;
            }
            (this.reader.clone_ref(py), this.event_loop.clone_ref(py))
        };
        let mut footprint = Footprint::default();
        footprint.add_object(reader.bind(py));
        add(&mut footprint);
        if let Ok(task) = current_task(event_loop.bind(py)) {
            add_task(&task, &mut footprint);
        }
        if let Ok(mut this) = slf.try_borrow_mut() {
            this.footprint = footprint;
        }
    }

    fn pop<'py>(
        slf: &Bound<'py, Self>,
        response: Option<&Bound<'py, PyAny>>,
    ) -> PyResult<Option<Bound<'py, PyBytes>>> {
        let py = slf.py();
        let (popped, taken) = {
            let queue = &mut slf.try_borrow_mut()?.queue;
            (queue.pop(py), queue.taken)
        };
        let Some((piece, resumes)) = popped else { return Ok(None) };
        if resumes {
            slf.call_method0(intern!(py, "_resume"))?;
        }
        if let Some(response) = response {
            response.setattr(intern!(py, "_num_bytes_downloaded"), taken)?;
        }
        Ok(Some(piece))
    }

    /// The bytes of the body in what was read.
    fn unframe<'py>(slf: &Bound<'py, Self>, data: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
        let py = slf.py();
        let this = slf.try_borrow()?;
        if let Some(decrypt) = this.decrypt.as_ref().map(|decrypt| decrypt.bind(py).clone()) {
            drop(this);
            return Ok(decrypt.call1((PyBytes::new(py, data),))?.cast_into()?);
        }
        BodyReader::take(this.reader.bind(py), data, None)
    }

    /// Takes in bytes of the body, or why there are none, and resumes the task that waits.
    fn put(slf: &Bound<'_, Self>, payload: PyResult<Bound<'_, PyBytes>>) -> PyResult<()> {
        let py = slf.py();
        match payload {
            // An event loop only logs the error of a callback, and the task would wait for ever.
            Err(error) => {
                slf.call_method1(intern!(py, "_fail"), (error.into_value(py),))?;
            }
            Ok(payload) if !payload.as_bytes().is_empty() => {
                let pauses = slf.try_borrow_mut()?.queue.push(payload);
                if pauses {
                    slf.call_method0(intern!(py, "_pause"))?;
                }
            }
            Ok(_) => {}
        }
        let Some(wait) = slf.try_borrow_mut()?.wait.take() else { return Ok(()) };
        let wait = wait.bind(py);
        let current = current_task(slf.try_borrow()?.event_loop.bind(py))?;
        if !current.is_none() {
            return ReadWait::end_soon(wait, true);
        }
        // uvloop takes an error in a protocol for a fault of the transport.
        ReadWait::end_now(wait)
            .or_else(|error| slf.call_method1(intern!(py, "_raise_soon"), (error.into_value(py),)).map(drop))
    }

    /// Lets the wait end after so many seconds. Most waits are short, so one timer serves many.
    fn set_due(slf: &Bound<'_, Self>, seconds: f64) -> PyResult<()> {
        let py = slf.py();
        let event_loop = slf.try_borrow()?.event_loop.bind(py).clone();
        let due = event_loop.call_method0(intern!(py, "time"))?.extract::<f64>()? + seconds;
        let mut this = slf.try_borrow_mut()?;
        this.due = due;
        if due < this.timer_due {
            drop(this);
            slf.call_method1(intern!(py, "_start_timer"), (due,))?;
        }
        Ok(())
    }
}

fn current_task<'py>(event_loop: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyAny>> {
    static FUNCTION: Imported = Imported::new("asyncio", "current_task");
    FUNCTION.get(event_loop.py())?.call1((event_loop,))
}

/// Adds a task, and the coroutine that it runs, with its frame.
fn add_task(task: &Bound<'_, PyAny>, footprint: &mut Footprint) {
    let py = task.py();
    footprint.add_object(task);
    // Tasks of other libraries may have no such method.
    let Ok(coroutine) = task.call_method0(intern!(py, "get_coro")) else { return };
    let size = coroutine.call_method0(intern!(py, "__sizeof__")).and_then(|size| size.extract());
    footprint.add_memory(coroutine.as_ptr(), size.unwrap_or(0));
}

fn concurrent_read(py: Python<'_>) -> PyResult<PyErr> {
    static ERROR: Imported = Imported::new("ssejet._http.exclusive", "ConcurrentReadError");
    Ok(PyErr::from_value(ERROR.get(py)?.call0()?))
}
