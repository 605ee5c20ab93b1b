//! `BodyReader`: takes the body of an HTTP/1.1 response off its framing.

use std::iter;

use pyo3::exceptions::{PyOverflowError, PyRuntimeError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyInt, PyString};
use ssejet_core::body::{Body, BodyError, Framing};

use crate::decoder::bytes;
use crate::errors::shown;
use crate::sizes::signed;

/// What httpx says of a body that was cut: programs look for these texts.
const INCOMPLETE: &str = "peer closed connection without sending complete message body";
const INCOMPLETE_LINE: &str = "peer unexpectedly closed connection";

/// The number of bytes after the body that are kept.
const MAX_EXCESS: usize = 64 << 10;

/// Reads the body of one HTTP/1.1 response from the bytes of its connection.
///
/// Args:
///     framing: ``"chunked"``, ``"until-close"``, or the number of bytes that ``Content-Length`` gives.
///
/// Raises:
///     TypeError: the framing is of another type.
///     ValueError: another text, or a number that is negative or does not fit into 64 bits.
#[pyclass(module = "ssejet._core", name = "BodyReader")]
pub struct BodyReader {
    framing: Framing,
    body: Body,
    /// The number of bytes of payload that were returned.
    received: u64,
    error: Option<BodyError>,
    is_stopped: bool,
    /// The first bytes that followed the body.
    excess: Vec<u8>,
}

#[pymethods]
impl BodyReader {
    #[new]
    #[pyo3(signature = (framing, /))]
    fn new(framing: &Bound<'_, PyAny>) -> PyResult<Self> {
        let framing = parse_framing(framing)?;
        Ok(Self {
            framing,
            body: Body::new(framing),
            received: 0,
            error: None,
            is_stopped: false,
            excess: Vec::new(),
        })
    }

    /// Read the next bytes of the connection.
    ///
    /// Malformed framing raises nothing: the payload before it is returned, and ``error`` is set. What
    /// follows an error is discarded.
    ///
    /// Args:
    ///     data: bytes, bytearray, or a memoryview or other contiguous buffer of bytes.
    ///
    /// Returns:
    ///     The payload in these bytes: the same object if all of it is payload.
    ///
    /// Raises:
    ///     MemoryError, RuntimeError, TypeError: no memory, the reader is in use by another thread, or the
    ///         data is of another type. The reader has then taken nothing.
    #[pyo3(signature = (data, /))]
    fn feed<'py>(slf: &Bound<'py, Self>, data: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
        Self::take(slf, &bytes(data)?, data.cast_exact().ok())
    }

    /// Take the end of the connection. Sets ``is_complete``, or ``error`` if the body has not ended.
    ///
    /// Raises:
    ///     RuntimeError: as for ``feed``.
    fn finish(slf: &Bound<'_, Self>) -> PyResult<()> {
        let mut this = Self::locked(slf)?;
        this.error = this.body.finish().err();
        Ok(())
    }

    /// Whether the body has ended. One that ends with the connection ends at ``finish``.
    #[getter]
    fn is_complete(&self) -> bool {
        self.body.is_complete()
    }

    /// Read no more.
    fn stop(slf: &Bound<'_, Self>) -> PyResult<()> {
        Self::locked(slf)?.is_stopped = true;
        Ok(())
    }

    /// Whether nothing more will be read: the body has ended, or cannot be read, or ``stop()`` was called.
    #[getter]
    pub fn is_over(&self) -> bool {
        self.is_stopped || self.error.is_some() || self.body.is_complete()
    }

    /// Why the body cannot be read, and what was expected; None if there is no error.
    #[getter]
    fn error(&self) -> Option<String> {
        self.error.map(|error| match (error, self.framing) {
            (BodyError::Incomplete, Framing::Length(length)) => {
                format!("{INCOMPLETE} (received {} bytes, expected {length})", self.received)
            }
            (BodyError::Incomplete, _) => format!("{INCOMPLETE} (incomplete chunked read)"),
            (BodyError::IncompleteLine, _) => INCOMPLETE_LINE.to_owned(),
            _ => error.to_string(),
        })
    }

    /// The bytes that followed the body. Only the first 64 KiB are kept.
    #[getter]
    fn excess<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        copied(py, &self.excess)
    }

    /// The number of bytes that followed the body, with those that were not kept.
    #[getter]
    fn excess_size(&self) -> u64 {
        self.body.excess()
    }

    fn __repr__(&self) -> String {
        let framing = match self.framing {
            Framing::Length(length) => length.to_string(),
            Framing::UntilClose => "'until-close'".to_owned(),
            _ => "'chunked'".to_owned(),
        };
        let state = match (self.error, self.is_complete()) {
            (Some(_), _) => "failed",
            (None, true) => "complete",
            (None, false) => "incomplete",
        };
        format!("<BodyReader({framing}): {} bytes, {state}>", self.received)
    }
}

impl BodyReader {
    /// Does what `feed` does.
    ///
    /// Args:
    ///     object: the object that has the input, if it is one of `bytes`.
    pub fn take<'py>(
        slf: &Bound<'py, Self>,
        input: &[u8],
        object: Option<&Bound<'py, PyBytes>>,
    ) -> PyResult<Bound<'py, PyBytes>> {
        let mut guard = Self::locked(slf)?;
        let this = &mut *guard;
        // The reader goes on only when there was memory for the result.
        let mut body = this.body.clone();
        let mut parts = Parts::default();
        let result = body.feed(input, |part| parts.push(part));
        let payload = match object {
            Some(object) if parts.length == input.len() => object.clone(),
            _ => parts.join(slf.py())?,
        };
        this.body = body;
        this.received += parts.length as u64;
        match result {
            Ok([]) => {}
            Ok(rest) => this.keep(rest),
            Err(error) => this.error = Some(error),
        }
        Ok(payload)
    }

    /// Borrows the reader for a call.
    ///
    /// # Errors
    ///
    /// `RuntimeError`: the reader is in use.
    fn locked<'py>(slf: &Bound<'py, Self>) -> PyResult<PyRefMut<'py, Self>> {
        slf.try_borrow_mut().map_err(|_| {
            PyRuntimeError::new_err(
                "this BodyReader is in use by another thread; give each response a BodyReader of its own",
            )
        })
    }

    #[cold]
    fn keep(&mut self, rest: &[u8]) {
        let length = rest.len().min(MAX_EXCESS - self.excess.len());
        self.excess.extend_from_slice(&rest[..length]);
    }
}

fn parse_framing(value: &Bound<'_, PyAny>) -> PyResult<Framing> {
    if let Ok(name) = value.cast::<PyString>() {
        return match &*name.to_string_lossy() {
            "chunked" => Ok(Framing::Chunked),
            "until-close" => Ok(Framing::UntilClose),
            _ => Err(PyValueError::new_err(format!(
                "framing must be 'chunked', 'until-close' or a number of bytes, not {}",
                name.repr()?.to_string_lossy()
            ))),
        };
    }
    if !value.is_instance_of::<PyInt>() {
        let found = value.get_type().qualname()?;
        return Err(PyTypeError::new_err(format!("framing must be str or int, not {found}")));
    }
    match value.extract() {
        Ok(length) => Ok(Framing::Length(length)),
        Err(error) if error.is_instance_of::<PyOverflowError>(value.py()) => Err(PyValueError::new_err(
            format!("a body's length must be from 0 to 2**64 - 1, not {}", shown(value)?),
        )),
        Err(error) => Err(error),
    }
}

/// The parts of the payload in one input. Most inputs have one.
#[derive(Default)]
struct Parts<'i> {
    first: &'i [u8],
    others: Vec<&'i [u8]>,
    length: usize,
}

impl<'i> Parts<'i> {
    fn push(&mut self, part: &'i [u8]) {
        if self.length == 0 {
            self.first = part;
        } else {
            self.others.push(part);
        }
        self.length += part.len();
    }

    /// Copies the parts into one object.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    fn join<'py>(&self, py: Python<'py>) -> PyResult<Bound<'py, PyBytes>> {
        if self.others.is_empty() {
            return copied(py, self.first);
        }
        PyBytes::new_with(py, self.length, |mut room| {
            for part in iter::once(&self.first).chain(&self.others) {
                let (start, after) = room.split_at_mut(part.len());
                start.copy_from_slice(part);
                room = after;
            }
            Ok(())
        })
    }
}

/// Copies bytes into an object.
///
/// # Errors
///
/// `MemoryError`, where `PyBytes::new` panics.
fn copied<'py>(py: Python<'py>, bytes: &[u8]) -> PyResult<Bound<'py, PyBytes>> {
    // SAFETY: `py` shows that this thread is attached. The function reads `len` bytes, and returns a
    // new reference to a `bytes` object, or null with an exception set.
    unsafe {
        let object = ffi::PyBytes_FromStringAndSize(bytes.as_ptr().cast(), signed(bytes.len()));
        Ok(Bound::from_owned_ptr_or_err(py, object)?.cast_into_unchecked())
    }
}
