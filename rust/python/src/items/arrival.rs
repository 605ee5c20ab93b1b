//! `Arrival`: what `AsyncDirectChunks.poll()` finds.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyBytes;

use crate::read_wait::ReadWait;

/// What has arrived of a body.
pub enum Arrival<'py> {
    Bytes(Bound<'py, PyBytes>),
    /// What to await until there is something.
    Nothing(Bound<'py, ReadWait>),
    /// The body has ended or failed, or a deadline spans several waits.
    Other,
}

impl<'py> Arrival<'py> {
    /// Takes what has arrived of the body of these `AsyncDirectChunks`.
    pub fn at(chunks: &Bound<'py, PyAny>) -> PyResult<Self> {
        let found = chunks.call_method0(intern!(chunks.py(), "poll"))?;
        Ok(match found.cast_into_exact::<ReadWait>() {
            Ok(wait) => Self::Nothing(wait),
            Err(error) => error.into_inner().cast_into().map_or(Self::Other, Self::Bytes),
        })
    }
}
