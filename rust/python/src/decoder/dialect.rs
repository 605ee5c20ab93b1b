//! How different libraries present the same events.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use ssejet_core::Dispatch;

/// A way to present events: the values for an absent type and id, and which blocks become events.
#[derive(Debug, PartialEq, Eq)]
pub struct Dialect {
    pub name: &'static str,
    /// The type of an event for which the stream gave none. `None` becomes Python's `None`.
    pub default_type: Option<&'static str>,
    /// The id of an event before the stream sets one.
    pub default_id: Option<&'static str>,
    pub dispatch: Dispatch,
}

static DIALECTS: [Dialect; 5] = [
    Dialect { name: "whatwg", default_type: Some("message"), default_id: Some(""), dispatch: Dispatch::Data },
    Dialect { name: "openai", default_type: None, default_id: None, dispatch: Dispatch::Data },
    Dialect { name: "anthropic", default_type: None, default_id: None, dispatch: Dispatch::Data },
    Dialect {
        name: "httpx-sse",
        default_type: Some("message"),
        default_id: Some(""),
        dispatch: Dispatch::AnyState,
    },
    Dialect {
        name: "httpx2",
        default_type: Some("message"),
        default_id: Some(""),
        dispatch: Dispatch::AnyField,
    },
];

impl Dialect {
    /// The dialect with this name.
    ///
    /// # Errors
    ///
    /// `ValueError`, with the known names.
    pub fn named(name: &str) -> PyResult<&'static Self> {
        DIALECTS.iter().find(|dialect| dialect.name == name).ok_or_else(|| {
            let names = DIALECTS.each_ref().map(|dialect| format!("{:?}", dialect.name)).join(", ");
            PyValueError::new_err(format!("unknown dialect {name:?}: expected one of {names}"))
        })
    }
}
