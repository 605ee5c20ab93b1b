//! Why input is refused.

use core::error::Error;
use core::fmt;

/// One unfinished event is larger than [`Options::max_event_size`](crate::Options::max_event_size).
///
/// The events before it have been delivered. The parser takes no more input until
/// [`Parser::reset`](crate::Parser::reset) is called.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct EventTooLarge {
    /// The number of bytes allowed.
    pub limit: usize,
}

impl fmt::Display for EventTooLarge {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "an event is larger than the limit of {} bytes", self.limit)
    }
}

impl Error for EventTooLarge {}

/// A field of a [`Block`](crate::Block) holds a byte that its line cannot carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct InvalidField {
    /// The name of the field in the format.
    pub field: &'static str,
    /// The first byte that is not allowed: CR, LF or NUL.
    pub byte: u8,
}

impl fmt::Display for InvalidField {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.byte {
            b'\r' => "CR",
            b'\n' => "LF",
            _ => "NUL",
        };
        write!(f, "{} must not contain CR, LF or NUL: it contains {name}", self.field)
    }
}

impl Error for InvalidField {}
