//! `encode`: from Python values to the bytes of one event.

mod model;
mod payload;

use pyo3::exceptions::{PyTypeError, PyValueError};
use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyString};
use ssejet_core::Block;

use crate::event::{self, Fields};
use payload::{Payload, utf8};

/// Encode one event, ready to be sent.
///
/// A parser gives back what went in. Data may hold any line ends: each of its lines becomes a ``data:`` line, so
/// CRLF and CR arrive as LF. Nothing in the arguments can start another field or event.
///
/// Args:
///     data: what to send.
///         A ``str`` is sent as it is, and so are bytes, which must be UTF-8, as event streams are.
///         A ``ServerSentEvent`` is sent with its type, unless that is ``"message"``, its id, unless that is empty,
///         and its ``retry``; the other arguments take precedence over its fields.
///         None sends no data: parsers dispatch no event, but take the other fields.
///         Other values are sent as JSON: pydantic models and msgspec Structs in their own way, the models of the
///         OpenAI and Anthropic SDKs without the fields that were never set, and what orjson or ``json`` encodes.
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

/// The UTF-8 of a field that is text.
fn text<'a>(field: &str, value: Option<&'a Bound<'_, PyAny>>) -> PyResult<Option<&'a [u8]>> {
    let Some(value) = value.filter(|value| !value.is_none()) else { return Ok(None) };
    if let Ok(text) = value.cast::<PyString>() {
        return utf8(field, text).map(Some);
    }
    let found = value.get_type().qualname()?;
    Err(PyTypeError::new_err(format!("{field} must be str or None, not {found}")))
}
