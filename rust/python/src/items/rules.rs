//! Which items are built of which events.

use pyo3::prelude::*;
use ssejet_core::Event;

use crate::build::{Builder, Stamp};
use crate::errors::Stop;

/// The rules of one SDK.
pub struct Rules {
    /// The types of the events that become items, or `None` for all.
    pub only: Option<Vec<String>>,
    /// Where the last type was found among them. It is looked at first.
    pub last: usize,
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

    /// Whether the events of this type become items.
    #[inline]
    pub fn takes(&mut self, event_type: &[u8]) -> bool {
        let Some(only) = &self.only else { return true };
        if only.get(self.last).is_some_and(|name| name.as_bytes() == event_type) {
            return true;
        }
        let found = only.iter().position(|name| name.as_bytes() == event_type);
        self.last = found.unwrap_or(self.last);
        found.is_some()
    }

    /// Builds the item of an event. `takes` says whether those of its type become items, `stamp` is what all
    /// items get.
    ///
    /// # Errors
    ///
    /// See `Stop`.
    #[inline]
    pub fn build<'py>(
        &self,
        mut builder: Builder<'py, '_>,
        event: Event<'_>,
        takes: bool,
        stamp: Option<&Stamp>,
    ) -> Result<Bound<'py, PyAny>, Stop> {
        let event_type = event.event_type;
        if self.wrapped.as_ref().is_some_and(|prefix| event_type.starts_with(prefix.as_bytes())) {
            builder.wrapped(event_type, event.data)
        } else if takes {
            match stamp {
                Some(stamp) => builder.stamped(event.data, stamp),
                None => builder.item(event.data),
            }
        } else {
            Err(Stop::Refused)
        }
    }
}
