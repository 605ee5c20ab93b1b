use std::borrow::Cow;

/// One dispatched event, borrowed from the chunk or from the parser for the time of the call.
///
/// The bytes are as received: malformed UTF-8 is replaced only when text is made of them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Event<'a> {
    /// The event type buffer; empty when the stream gave no type.
    pub event_type: &'a [u8],
    /// The data buffer, its lines joined by LF, without the last one.
    pub data: &'a [u8],
    /// The last event ID, or `None` if the stream has not set one yet and none was seeded.
    pub last_event_id: Option<&'a [u8]>,
    /// The reconnection time in milliseconds, if this block set it.
    pub retry: Option<u64>,
}

impl<'a> Event<'a> {
    /// The data as text, each maximal subpart of malformed UTF-8 replaced by U+FFFD.
    #[must_use]
    pub fn data_lossy(&self) -> Cow<'a, str> {
        simdutf8::basic::from_utf8(self.data)
            .map_or_else(|_| String::from_utf8_lossy(self.data), Cow::Borrowed)
    }
}

/// Where a [`Parser`](crate::Parser) delivers what is complete.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: Event<'_>);

    /// Takes a comment: what follows the colon, unchanged. Called only when
    /// [`Options::comments`](crate::Options::comments) is set.
    fn comment(&mut self, _text: &[u8]) {}
}
