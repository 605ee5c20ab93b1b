//! `Source`: where a stream that reads without Python's frames gets its bytes.

use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::arrivals::{Arrival, BodyArrivals};
use crate::footprint::Footprint;

/// What an `AsyncDirectChunks` without deadlines that span several waits has.
pub struct Source {
    arrivals: Py<BodyArrivals>,
    response: Py<PyAny>,
    /// How many seconds one wait may last.
    limit: Option<f64>,
}

impl Source {
    pub fn of(chunks: &Bound<'_, PyAny>) -> PyResult<Self> {
        let py = chunks.py();
        Ok(Self {
            arrivals: chunks.getattr(intern!(py, "arrived"))?.cast_into()?.unbind(),
            response: chunks.getattr(intern!(py, "response"))?.unbind(),
            limit: chunks.getattr(intern!(py, "idle"))?.extract()?,
        })
    }

    pub fn clone_ref(&self, py: Python<'_>) -> Self {
        Self {
            arrivals: self.arrivals.clone_ref(py),
            response: self.response.clone_ref(py),
            limit: self.limit,
        }
    }

    pub fn poll<'py>(&self, py: Python<'py>) -> PyResult<Arrival<'py>> {
        BodyArrivals::poll(self.arrivals.bind(py), self.response.bind(py), self.limit)
    }

    /// Takes the footprint of the next read, see `BodyArrivals::take_footprint`.
    pub fn take_footprint(
        &self,
        py: Python<'_>,
        exchange: impl FnOnce(&mut Footprint),
        add: impl FnOnce(&mut Footprint),
    ) {
        BodyArrivals::take_footprint(self.arrivals.bind(py), exchange, |footprint| {
            let response = self.response.bind(py);
            footprint.add_object(response);
            if let Ok(Ok(values)) = response.getattr(intern!(py, "__dict__")).map(Bound::cast_into::<PyDict>)
            {
                footprint.add_dict(&values); // the number of bytes is in it
            }
            add(footprint);
        });
    }

    pub fn traverse(&self, visit: &PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.arrivals)?;
        visit.call(&self.response)
    }
}
