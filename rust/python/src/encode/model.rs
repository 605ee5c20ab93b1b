//! JSON of those models of the OpenAI and Anthropic SDKs whose JSON has just their attributes.
//!
//! Servers send one for each token. Following the model's schema, as pydantic does, takes about twice as
//! long as writing what is there.

use std::io::Write;

use pyo3::exceptions::{PyOverflowError, PyUnicodeEncodeError};
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySet, PyString, PyType, PyWeakrefReference};

use crate::build::Stop;
use crate::imports::Imported;

/// What is nested deeper is left to pydantic.
const DEPTH: usize = 32;

/// Most chunks of a chat are shorter than this, in bytes.
const CHUNK: usize = 512;

/// How many classes are remembered.
const MAX_CLASSES: usize = 256;

type Written = Result<(), Stop>;

/// The JSON of a plain model, without the fields that were never set. `None` for any other value, or if the
/// model holds a value that this code does not write: another encoder writes it, or says what is wrong with it.
///
/// # Errors
///
/// What no code is expected to catch, such as a `KeyboardInterrupt`, and `MemoryError`.
#[inline]
pub fn json(value: &Bound<'_, PyAny>) -> PyResult<Option<Vec<u8>>> {
    if !is_plain(value)? {
        return Ok(None);
    }
    let mut out = Vec::with_capacity(CHUNK);
    match write_model(value, &mut out, DEPTH) {
        Ok(()) => Ok(Some(out)),
        Err(Stop::Refused) => Ok(None),
        Err(Stop::Error(error)) => Err(error),
    }
}

fn write_model(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Written {
    let py = value.py();
    let attribute = |name| value.getattr(name).map_err(|error| Stop::of(py, error));
    let attributes = attribute(intern!(py, "__dict__"))?;
    let set = attribute(intern!(py, "__pydantic_fields_set__"))?;
    let extra = attribute(intern!(py, "__pydantic_extra__"))?;
    let set = exact::<PySet>(&set)?;
    out.push(b'{');
    let mut separator = "";
    write_members(exact(&attributes)?, Some(set), &mut separator, out, depth)?;
    if !extra.is_none() {
        write_members(exact(&extra)?, None, &mut separator, out, depth)?;
    }
    out.push(b'}');
    Ok(())
}

/// Writes the members of an object, or those of them that are in a set.
fn write_members(
    members: &Bound<'_, PyDict>,
    only: Option<&Bound<'_, PySet>>,
    separator: &mut &str,
    out: &mut Vec<u8>,
    depth: usize,
) -> Written {
    let depth = depth.checked_sub(1).ok_or(Stop::Refused)?;
    for (key, value) in members.iter() {
        let key = exact::<PyString>(&key)?;
        let is_wanted = match only {
            Some(set) => set.contains(key).map_err(Stop::Error)?,
            None => true,
        };
        if is_wanted {
            out.extend_from_slice(separator.as_bytes());
            *separator = ",";
            write_text(key, out)?;
            out.push(b':');
            write(&value, out, depth)?;
        }
    }
    Ok(())
}

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Written {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return write_text(text, out);
    }
    if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        let depth = depth.checked_sub(1).ok_or(Stop::Refused)?;
        out.push(b'[');
        for (place, item) in list.iter().enumerate() {
            if place > 0 {
                out.push(b',');
            }
            write(&item, out, depth)?;
        }
        out.push(b']');
    } else if let Ok(truth) = value.cast_exact::<PyBool>() {
        out.extend_from_slice(if truth.is_true() { b"true" } else { b"false" });
    } else if value.is_exact_instance_of::<PyInt>() {
        let int = value.extract::<i64>().map_err(|error| refused_if::<PyOverflowError>(value.py(), error))?;
        print(out, format_args!("{int}"));
    } else if let Ok(float) = value.cast_exact::<PyFloat>() {
        // Rust's shortest form is valid JSON, except for infinity and NaN.
        let float = Some(float.value()).filter(|float| float.is_finite()).ok_or(Stop::Refused)?;
        print(out, format_args!("{float:?}"));
    } else if let Ok(members) = value.cast_exact::<PyDict>() {
        out.push(b'{');
        write_members(members, None, &mut "", out, depth)?;
        out.push(b'}');
    } else if is_plain(value).map_err(Stop::Error)? {
        write_model(value, out, depth)?;
    } else {
        return Err(Stop::Refused);
    }
    Ok(())
}

fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> Written {
    // A lone surrogate has no UTF-8 form.
    let text = text.to_str().map_err(|error| refused_if::<PyUnicodeEncodeError>(text.py(), error))?;
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        out.extend_from_slice(&rest[..place]);
        match rest[place] {
            b'\n' => out.extend_from_slice(b"\\n"),
            byte @ 0..0x20 => print(out, format_args!("\\u{byte:04x}")),
            byte => out.extend_from_slice(&[b'\\', byte]),
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
    Ok(())
}

fn print(out: &mut Vec<u8>, text: std::fmt::Arguments<'_>) {
    // Writing to a Vec cannot fail.
    let _ = out.write_fmt(text);
}

fn exact<'a, 'py, T: pyo3::PyTypeInfo>(value: &'a Bound<'py, PyAny>) -> Result<&'a Bound<'py, T>, Stop> {
    value.cast_exact().map_err(|_| Stop::Refused)
}

#[cold]
fn refused_if<E: pyo3::PyTypeInfo>(py: Python<'_>, error: PyErr) -> Stop {
    if error.is_instance_of::<E>(py) { Stop::Refused } else { Stop::Error(error) }
}

/// Whether the value is a model whose JSON is that of its attributes; asked once for each class, but
/// without keeping the class alive.
fn is_plain(value: &Bound<'_, PyAny>) -> PyResult<bool> {
    static KNOWN: PyOnceLock<Py<PyDict>> = PyOnceLock::new();

    let py = value.py();
    let class = value.get_type();
    // This reference is kept as long as the answer, and CPython gives the same one again.
    let key = PyWeakrefReference::new(&class)?;
    let known = KNOWN.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    match known.get_item(&key)? {
        Some(answer) => answer.extract(),
        None => ask(&class, &key, known),
    }
}

#[cold]
fn ask(
    class: &Bound<'_, PyType>,
    key: &Bound<'_, PyWeakrefReference>,
    known: &Bound<'_, PyDict>,
) -> PyResult<bool> {
    static ASK: Imported = Imported::new("ssejet._json", "is_plain");

    let answer = ASK.get(class.py())?.call1((class,))?;
    // An entry whose class is gone is never found again.
    if known.len() >= MAX_CLASSES {
        known.clear();
    }
    known.set_item(key, &answer)?;
    answer.extract()
}
