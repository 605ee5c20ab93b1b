//! Events, borrowed and owned, and where the parser delivers them.

use alloc::borrow::Cow;
use alloc::string::String;
use alloc::vec::Vec;

/// One event, borrowed from the chunk or from the parser for the time of the call.
///
/// The bytes are as received. The methods that give text replace malformed UTF-8.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Event<'a> {
    /// The event type; empty when the stream gave no type, which the standard presents as `message`.
    pub event_type: &'a [u8],
    /// The data: the lines joined by LF, without an LF at the end.
    pub data: &'a [u8],
    /// The last event ID, or `None` if the stream has not set one and the parser was given none.
    pub last_event_id: Option<&'a [u8]>,
    /// The reconnection time in milliseconds, if this block set it.
    pub retry: Option<u64>,
}

impl<'a> Event<'a> {
    /// An event of a type and data only.
    #[must_use]
    pub fn new(event_type: &'a [u8], data: &'a [u8]) -> Self {
        Self { event_type, data, last_event_id: None, retry: None }
    }

    /// The data as text. Each maximal subpart of malformed UTF-8 is replaced by U+FFFD.
    #[must_use]
    pub fn data_lossy(&self) -> Cow<'a, str> {
        lossy(self.data)
    }

    /// The event type as text, as [`data_lossy`](Self::data_lossy).
    #[must_use]
    pub fn event_type_lossy(&self) -> Cow<'a, str> {
        lossy(self.event_type)
    }

    /// The last event ID as text, as [`data_lossy`](Self::data_lossy).
    #[must_use]
    pub fn last_event_id_lossy(&self) -> Option<Cow<'a, str>> {
        self.last_event_id.map(lossy)
    }

    /// A copy that owns its bytes.
    #[must_use]
    pub fn to_owned(&self) -> OwnedEvent {
        OwnedEvent {
            event_type: self.event_type.to_vec(),
            data: self.data.to_vec(),
            last_event_id: self.last_event_id.map(<[u8]>::to_vec),
            retry: self.retry,
        }
    }
}

fn lossy(bytes: &[u8]) -> Cow<'_, str> {
    simdutf8::basic::from_utf8(bytes).map_or_else(|_| String::from_utf8_lossy(bytes), Cow::Borrowed)
}

/// One event that owns its bytes. The fields are those of [`Event`].
#[derive(Clone, Debug, Default, PartialEq, Eq, Hash)]
#[non_exhaustive]
pub struct OwnedEvent {
    /// See [`Event::event_type`].
    pub event_type: Vec<u8>,
    /// See [`Event::data`].
    pub data: Vec<u8>,
    /// See [`Event::last_event_id`].
    pub last_event_id: Option<Vec<u8>>,
    /// See [`Event::retry`].
    pub retry: Option<u64>,
}

impl OwnedEvent {
    /// The event, borrowed.
    #[must_use]
    pub fn as_event(&self) -> Event<'_> {
        Event {
            event_type: &self.event_type,
            data: &self.data,
            last_event_id: self.last_event_id.as_deref(),
            retry: self.retry,
        }
    }

    /// See [`Event::data_lossy`].
    #[must_use]
    pub fn data_lossy(&self) -> Cow<'_, str> {
        self.as_event().data_lossy()
    }

    /// See [`Event::event_type_lossy`].
    #[must_use]
    pub fn event_type_lossy(&self) -> Cow<'_, str> {
        self.as_event().event_type_lossy()
    }

    /// See [`Event::last_event_id_lossy`].
    #[must_use]
    pub fn last_event_id_lossy(&self) -> Option<Cow<'_, str>> {
        self.as_event().last_event_id_lossy()
    }
}

impl From<Event<'_>> for OwnedEvent {
    fn from(event: Event<'_>) -> Self {
        event.to_owned()
    }
}

/// Where a [`Parser`](crate::Parser) delivers what is complete.
///
/// A closure that takes an [`Event`] is a sink, and so are [`EventQueue`](crate::EventQueue) and
/// `Vec<OwnedEvent>`. `&mut dyn Sink` can be given wherever a `&mut` sink is asked for.
pub trait Sink {
    /// Takes an event.
    fn event(&mut self, event: Event<'_>);

    /// Takes a comment: what follows the colon, unchanged. It is only called if
    /// [`Options::comments`](crate::Options::comments) is set.
    fn comment(&mut self, _text: &[u8]) {}
}

impl<F: FnMut(Event<'_>)> Sink for F {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        self(event);
    }
}

impl Sink for Vec<OwnedEvent> {
    fn event(&mut self, event: Event<'_>) {
        self.push(event.to_owned());
    }
}
