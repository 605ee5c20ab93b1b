//! `encode`: from Python values to the bytes of one event.

use pyo3::exceptions::{PyTypeError, PyUnicodeEncodeError, PyValueError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyByteArray, PyBytes, PyDict, PyMemoryView, PyString};
use ssejet_core::Block;

use crate::event::{self, Fields};
use crate::{buffer, model, stack};

/// The stack on which every encoder reaches its own limit of nesting before the stack's end: bytes.
const ENOUGH_STACK: usize = 512 * 1024;

/// Encode one event, ready to be sent.
///
/// A parser returns the same event. Each line of the data becomes a ``data:`` line, so CRLF and CR arrive as LF.
/// No argument can begin another field or event.
///
/// Args:
///     data: what to send.
///         A ``str`` is sent as it is, and so are bytes, which must be UTF-8, as event streams are.
///         A ``ServerSentEvent`` is sent with its type, unless that is ``"message"``, its id, unless that is empty,
///         and its ``retry``; the other arguments replace these.
///         None sends no data: parsers dispatch no event, but see the other fields.
///         Anything else is sent as JSON: pydantic models and msgspec Structs as these libraries encode them,
///         models of the OpenAI and Anthropic SDKs without unset fields, and all that orjson or ``json`` encodes.
///     event: the event type.
///     id: the last event ID from this event on; ``""`` resets it.
///     retry: the reconnection time in milliseconds.
///     comment: ignored by parsers; written as ``": comment"``, before the other fields.
///
/// Returns:
///     The bytes, with the blank line at the end.
///
/// Raises:
///     TypeError: an argument is of the wrong type, or the data cannot be JSON.
///     ValueError: ``event`` or ``id`` contains CR, LF or NUL, ``retry`` is not from 0 to 2**63-1, a text holds
///         a lone surrogate or bytes are not UTF-8, or there is nothing to send.
#[pyfunction]
#[pyo3(signature = (data, *, event = None, id = None, retry = None, comment = None))]
pub fn encode<'py>(
    data: &Bound<'py, PyAny>,
    event: Option<&Bound<'py, PyAny>>,
    id: Option<&Bound<'py, PyAny>>,
    retry: Option<&Bound<'py, PyAny>>,
    comment: Option<&Bound<'py, PyAny>>,
) -> PyResult<Bound<'py, PyBytes>> {
    let py = data.py();
    let fields = Fields::of_event(data);
    let [own_event, own_data, own_id, own_retry] = match &fields {
        Some(Fields([event, data, id, retry])) => [Some(event), Some(data), Some(id), Some(retry)],
        None => [None, Some(data), None, None],
    };
    let data = own_data.filter(|data| !data.is_none()).map(Payload::of).transpose()?;
    let retry = retry.or(own_retry.filter(|retry| !retry.is_none()));
    let block = Block {
        comment: text("comment", comment)?,
        event_type: match event {
            None => text("event", own_event)?.filter(|own| *own != event::DEFAULT_TYPE.as_bytes()),
            given => text("event", given)?,
        },
        id: match id {
            None => text("id", own_id)?.filter(|own| !own.is_empty()),
            given => text("id", given)?,
        },
        retry: retry.map(|retry| event::milliseconds(retry)).transpose()?.map(i64::unsigned_abs),
        data: data.as_ref().map(Payload::bytes).transpose()?,
    };
    if block == Block::default() {
        return Err(PyValueError::new_err(
            "there is nothing to send: data is None, which sends no data, and no other argument is given; \
             to send JSON's null, pass \"null\"",
        ));
    }
    let mut out = Vec::new();
    block.encode(&mut out).map_err(|error| PyValueError::new_err(error.to_string()))?;
    Ok(PyBytes::new(py, &out))
}

/// Data, as an object that keeps its bytes alive.
enum Payload<'py> {
    Text(Bound<'py, PyString>),
    Bytes(Bound<'py, PyBytes>),
    Json(Vec<u8>),
}

impl<'py> Payload<'py> {
    fn of(data: &Bound<'py, PyAny>) -> PyResult<Self> {
        let py = data.py();
        if let Ok(text) = data.cast::<PyString>() {
            return Ok(Self::Text(text.clone()));
        }
        let bytes = if let Ok(bytes) = data.cast::<PyBytes>() {
            bytes.clone()
        } else if data.is_instance_of::<PyByteArray>() || data.is_instance_of::<PyMemoryView>() {
            PyBytes::new(py, &buffer::bytes(data)?)
        } else {
            if stack::left() < ENOUGH_STACK {
                return on_small_stack(data).map(Self::Bytes);
            }
            return match model::json(data)? {
                Some(json) => Ok(Self::Json(json)),
                None => json(data).map(Self::Bytes),
            };
        };
        match std::str::from_utf8(bytes.as_bytes()) {
            Ok(_) => Ok(Self::Bytes(bytes)),
            Err(error) => Err(PyValueError::new_err(format!(
                "data must be UTF-8, as event streams are: {error}; send text, or the bytes as Base64"
            ))),
        }
    }

    fn bytes(&self) -> PyResult<&[u8]> {
        match self {
            Self::Text(text) => utf8("data", text),
            Self::Bytes(bytes) => Ok(bytes.as_bytes()),
            Self::Json(json) => Ok(json),
        }
    }
}

#[cold]
fn on_small_stack<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    let py = value.py();
    let dumps = py.import(intern!(py, "ssejet._json"))?.getattr(intern!(py, "dumps_on_small_stack"))?;
    Ok(dumps.call1((value,))?.cast_into()?)
}

fn json<'py>(value: &Bound<'py, PyAny>) -> PyResult<Bound<'py, PyBytes>> {
    static ORJSON: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static BUILTINS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static DUMPS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    static RETRY: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

    let py = value.py();
    let json = if value.is_exact_instance_of::<PyDict>() {
        // What most relays send, worth going without the call of a Python function.
        let builtins = BUILTINS.import(py, "ssejet._json", "builtins")?;
        match ORJSON.import(py, "ssejet._orjson", "dumps")?.call1((value, builtins)) {
            Err(error) if error.is_instance_of::<PyTypeError>(py) => {
                RETRY.import(py, "ssejet._json", "dump_refused")?.call1((value, error))?
            }
            result => result?,
        }
    } else {
        DUMPS.import(py, "ssejet._json", "dumps")?.call1((value,))?
    };
    Ok(json.cast_into()?)
}

fn text<'a>(field: &str, value: Option<&'a Bound<'_, PyAny>>) -> PyResult<Option<&'a [u8]>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    if let Ok(text) = value.cast::<PyString>() {
        return utf8(field, text).map(Some);
    }
    let found = value.get_type().qualname()?;
    Err(PyTypeError::new_err(format!("{field} must be str or None, not {found}")))
}

fn utf8<'a>(field: &str, text: &'a Bound<'_, PyString>) -> PyResult<&'a [u8]> {
    text.to_str().map(str::as_bytes).map_err(|error| {
        if !error.is_instance_of::<PyUnicodeEncodeError>(text.py()) {
            return error;
        }
        PyValueError::new_err(format!(
            "{field} holds a lone surrogate, which UTF-8 cannot carry: {}; \
             replace it: {field}.encode(\"utf-8\", \"replace\").decode()",
            error.value(text.py())
        ))
    })
}
