//! Which items are built of which events.

use pyo3::prelude::*;
use ssejet_core::Event;

use crate::build::Builder;
use crate::errors::Stop;

/// The rules of one SDK.
pub struct Rules {
    /// The types of the events that become items, or `None` for all.
    pub only: Option<Vec<String>>,
    /// The start of the types of events whose items have the fields `data` and `event`.
    pub wrapped: Option<String>,
    /// The key by which the SDK knows an error.
    pub error_key: Option<String>,
}

impl Rules {
    #[inline]
    pub fn error_key(&self) -> Option<&[u8]> {
        self.error_key.as_deref().map(str::as_bytes)
    }

    /// Builds the item of an event.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    #[inline]
    pub fn build<'py>(
        &self,
        mut builder: Builder<'py, '_>,
        event: Event<'_>,
    ) -> Result<Bound<'py, PyAny>, Stop> {
        let event_type = event.event_type;
        if self.wrapped.as_ref().is_some_and(|prefix| event_type.starts_with(prefix.as_bytes())) {
            builder.wrapped(event_type, event.data)
        } else if self.only.as_ref().is_none_or(|only| only.iter().any(|name| name.as_bytes() == event_type))
        {
            builder.item(event.data)
        } else {
            Err(Stop::Refused)
        }
    }
}
