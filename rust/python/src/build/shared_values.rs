//! The values that the objects of many streams have in common.

use std::sync::{Mutex, PoisonError};

use pyo3::prelude::*;
use pyo3::types::{PyInt, PyString};

/// Longer strings are not kept.
const MAX_LENGTH: usize = 256;

/// The last value of each field of a model, by the index of the field.
///
/// Most streams have the same name of a model, for example. If they share one object for it, that object stays
/// in the processor's cache, however many streams there are.
#[derive(Default)]
pub struct SharedValues(Mutex<Vec<Option<Py<PyAny>>>>);

impl SharedValues {
    /// The object that another stream has for an equal string or integer; if there is none, the value itself.
    pub fn shared<'py>(&self, place: usize, value: Bound<'py, PyAny>) -> Bound<'py, PyAny> {
        let is_short =
            value.cast_exact::<PyString>().is_ok_and(|text| text.len().is_ok_and(|n| n <= MAX_LENGTH));
        if !is_short && !value.is_exact_instance_of::<PyInt>() {
            return value;
        }
        let mut values = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if values.len() <= place {
            values.resize_with(place + 1, || None);
        }
        if let Some(known) = &values[place] {
            let known = known.bind(value.py());
            // Neither type runs other code to compare.
            if known.get_type().is(value.get_type()) && known.eq(&value).unwrap_or(false) {
                return known.clone();
            }
        }
        values[place] = Some(value.clone().unbind());
        value
    }
}
