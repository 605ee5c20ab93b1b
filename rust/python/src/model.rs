//! JSON of the models of the OpenAI and Anthropic SDKs, which say no more than their attributes do.
//!
//! Servers send one for each token. Following the model's schema, as pydantic does, takes several times as
//! long as writing what is there.

use std::io::Write;

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyBool, PyDict, PyFloat, PyInt, PyList, PySet, PyString};

/// What nests deeper is left to others.
const DEPTH: usize = 32;

/// Most chunks of a chat are shorter than this, in bytes.
const CHUNK: usize = 512;

/// The JSON of a plain model, without the fields that were never set. `None` for any other value, or if the
/// model holds one that has no place here: others can write it, or say what is wrong with it.
#[inline]
pub fn json(value: &Bound<'_, PyAny>) -> Option<Vec<u8>> {
    if !is_plain(value)? {
        return None;
    }
    let mut out = Vec::with_capacity(CHUNK);
    write_model(value, &mut out, DEPTH)?;
    Some(out)
}

fn write_model(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
    let py = value.py();
    let attributes = value.getattr(intern!(py, "__dict__")).ok()?;
    let set = value.getattr(intern!(py, "__pydantic_fields_set__")).ok()?;
    let extra = value.getattr(intern!(py, "__pydantic_extra__")).ok()?;
    let set = set.cast_exact::<PySet>().ok()?;
    out.push(b'{');
    let mut separator = "";
    write_members(attributes.cast_exact().ok()?, Some(set), &mut separator, out, depth)?;
    if !extra.is_none() {
        write_members(extra.cast_exact().ok()?, None, &mut separator, out, depth)?;
    }
    out.push(b'}');
    Some(())
}

/// Writes the members of an object, or those of them that are in a set.
fn write_members(
    members: &Bound<'_, PyDict>,
    only: Option<&Bound<'_, PySet>>,
    separator: &mut &str,
    out: &mut Vec<u8>,
    depth: usize,
) -> Option<()> {
    let depth = depth.checked_sub(1)?;
    for (key, value) in members.iter() {
        if only.is_none_or(|set| set.contains(&key).is_ok_and(|contains| contains)) {
            out.extend_from_slice(separator.as_bytes());
            *separator = ",";
            write_text(key.cast_exact().ok()?, out)?;
            out.push(b':');
            write(&value, out, depth)?;
        }
    }
    Some(())
}

fn write(value: &Bound<'_, PyAny>, out: &mut Vec<u8>, depth: usize) -> Option<()> {
    if let Ok(text) = value.cast_exact::<PyString>() {
        return write_text(text, out);
    }
    if value.is_none() {
        out.extend_from_slice(b"null");
    } else if let Ok(list) = value.cast_exact::<PyList>() {
        let depth = depth.checked_sub(1)?;
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
        write!(out, "{}", value.extract::<i64>().ok()?).ok()?;
    } else if let Ok(float) = value.cast_exact::<PyFloat>() {
        // Rust's shortest form is JSON's, but for the infinities and NaN.
        write!(out, "{:?}", Some(float.value()).filter(|float| float.is_finite())?).ok()?;
    } else if let Ok(members) = value.cast_exact::<PyDict>() {
        out.push(b'{');
        write_members(members, None, &mut "", out, depth)?;
        out.push(b'}');
    } else if is_plain(value)? {
        write_model(value, out, depth)?;
    } else {
        return None;
    }
    Some(())
}

fn write_text(text: &Bound<'_, PyString>, out: &mut Vec<u8>) -> Option<()> {
    // A lone surrogate has no UTF-8 form.
    let text = text.to_str().ok()?;
    out.push(b'"');
    let mut rest = text.as_bytes();
    while let Some(place) = rest.iter().position(|byte| matches!(byte, b'"' | b'\\' | 0..0x20)) {
        out.extend_from_slice(&rest[..place]);
        match rest[place] {
            b'\n' => out.extend_from_slice(b"\\n"),
            byte @ 0..0x20 => write!(out, "\\u{byte:04x}").ok()?,
            byte => out.extend_from_slice(&[b'\\', byte]),
        }
        rest = &rest[place + 1..];
    }
    out.extend_from_slice(rest);
    out.push(b'"');
    Some(())
}

/// Whether the value is a model whose JSON is that of its attributes; asked once for each class.
fn is_plain(value: &Bound<'_, PyAny>) -> Option<bool> {
    static KNOWN: PyOnceLock<Py<PyDict>> = PyOnceLock::new();
    static ASK: PyOnceLock<Py<PyAny>> = PyOnceLock::new();

    let py = value.py();
    let class = value.get_type();
    let known = KNOWN.get_or_init(py, || PyDict::new(py).unbind()).bind(py);
    if let Some(answer) = known.get_item(&class).ok()? {
        return answer.extract().ok();
    }
    let answer = ASK.import(py, "ssejet._dumps", "is_plain").ok()?.call1((&class,)).ok()?;
    known.set_item(&class, &answer).ok()?;
    answer.extract().ok()
}
