use std::fmt;

/// One unfinished event outgrew [`Options::max_event_size`](crate::Options::max_event_size).
///
/// Events before it have been delivered. The parser refuses further input until
/// [`Parser::reset`](crate::Parser::reset).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EventTooLarge {
    /// The bytes allowed.
    pub limit: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is larger than the limit of {} bytes", self.limit)
    }
}

impl std::error::Error for EventTooLarge {}
