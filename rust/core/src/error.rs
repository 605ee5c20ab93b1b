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

/// A [`Block`](crate::Block) holds what no line of its field can carry.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct InvalidField {
    /// The field's name in the format.
    pub field: &'static str,
    /// The first offending byte: CR, LF or NUL.
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

impl std::error::Error for InvalidField {}
