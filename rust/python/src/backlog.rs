//! Events that wait to be made into objects.

use ssejet_core::{Event, Sink};

/// What an allocation may keep between two chunks: bytes. A usual read is smaller.
const MAX_IDLE: usize = 1 << 18;

/// A queue of copies of events.
#[derive(Default)]
pub struct Backlog {
    /// What the events consist of, one after the other: type, data, last event ID.
    bytes: Vec<u8>,
    events: Vec<Waiting>,
    /// How many events were taken, and where in the bytes the next one starts.
    taken: usize,
    start: usize,
}

/// Where the parts of an event end.
struct Waiting {
    event_type: usize,
    data: usize,
    last_event_id: Option<usize>,
    retry: Option<u64>,
}

impl Backlog {
    pub fn is_empty(&self) -> bool {
        self.taken == self.events.len()
    }

    /// Takes the next event.
    #[inline]
    pub fn take(&mut self) -> Option<Event<'_>> {
        if self.is_empty() {
            self.clear();
            return None;
        }
        let ends = &self.events[self.taken];
        let event = Event {
            event_type: &self.bytes[self.start..ends.event_type],
            data: &self.bytes[ends.event_type..ends.data],
            last_event_id: ends.last_event_id.map(|end| &self.bytes[ends.data..end]),
            retry: ends.retry,
        };
        self.taken += 1;
        self.start = ends.last_event_id.unwrap_or(ends.data);
        Some(event)
    }

    fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
        self.bytes.shrink_to(MAX_IDLE);
        self.events.shrink_to(MAX_IDLE / size_of::<Waiting>());
        self.taken = 0;
        self.start = 0;
    }

    #[inline]
    fn push(&mut self, part: &[u8]) -> usize {
        self.bytes.extend_from_slice(part);
        self.bytes.len()
    }
}

impl Sink for Backlog {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        let waiting = Waiting {
            event_type: self.push(event.event_type),
            data: self.push(event.data),
            last_event_id: event.last_event_id.map(|id| self.push(id)),
            retry: event.retry,
        };
        self.events.push(waiting);
    }
}
