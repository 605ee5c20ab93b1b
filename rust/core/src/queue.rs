//! Events that wait to be read, without an allocation for each.

use alloc::vec::Vec;
use core::mem::size_of;

use crate::{Event, Sink};

/// The number of bytes that an empty queue may keep allocated. Most reads are smaller.
const KEPT_CAPACITY: usize = 1 << 18;

/// An empty queue frees a buffer of fewer bytes. Of many queues that are used in turn, each would find its own
/// buffer out of the processor's cache, while the memory that was freed last is in it.
const FREED_CAPACITY: usize = 1 << 11;

/// A queue of copies of events, first in, first out.
///
/// It is a [`Sink`] that copies the events into one buffer, and gives them back borrowed from it.
///
/// ```
/// use ssejet_core::{EventQueue, Options, Parser};
///
/// let mut parser = Parser::new(Options::default());
/// let mut queue = EventQueue::default();
/// parser.feed(b"data: a\n\ndata: b\n\n", &mut queue)?;
/// while let Some(event) = queue.pop() {
///     println!("{}", event.data_lossy());
/// }
/// # Ok::<(), ssejet_core::EventTooLarge>(())
/// ```
#[derive(Clone, Debug, Default)]
pub struct EventQueue {
    /// The parts of the events, one after the other: type, data, last event ID.
    bytes: Vec<u8>,
    events: Vec<Ends>,
    /// How many events were popped.
    popped: usize,
    /// Where the next event starts in the bytes.
    start: usize,
}

/// Where the parts of an event end in the bytes.
#[derive(Clone, Copy, Debug)]
struct Ends {
    event_type: usize,
    data: usize,
    last_event_id: Option<usize>,
    retry: Option<u64>,
}

impl Ends {
    fn last(&self) -> usize {
        self.last_event_id.unwrap_or(self.data)
    }

    #[inline]
    fn event<'a>(&self, bytes: &'a [u8], start: usize) -> Event<'a> {
        Event {
            event_type: &bytes[start..self.event_type],
            data: &bytes[self.event_type..self.data],
            last_event_id: self.last_event_id.map(|end| &bytes[self.data..end]),
            retry: self.retry,
        }
    }
}

impl EventQueue {
    /// How many events wait.
    #[must_use]
    pub fn len(&self) -> usize {
        self.events.len() - self.popped
    }

    /// Whether no event waits.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Takes the first event.
    #[inline]
    pub fn pop(&mut self) -> Option<Event<'_>> {
        let Some(ends) = self.events.get(self.popped) else {
            self.clear();
            return None;
        };
        self.popped += 1;
        let start = core::mem::replace(&mut self.start, ends.last());
        Some(ends.event(&self.bytes, start))
    }

    /// The events that wait, which stay in the queue.
    pub fn iter(&self) -> impl Iterator<Item = Event<'_>> {
        let mut start = self.start;
        self.events[self.popped..].iter().map(move |ends| {
            let start = core::mem::replace(&mut start, ends.last());
            ends.event(&self.bytes, start)
        })
    }

    /// Forgets all events.
    pub fn clear(&mut self) {
        self.events.clear();
        self.bytes.clear();
        if self.bytes.capacity() < FREED_CAPACITY {
            self.bytes = Vec::new();
        } else {
            self.bytes.shrink_to(KEPT_CAPACITY);
        }
        self.events.shrink_to(KEPT_CAPACITY / size_of::<Ends>());
        self.popped = 0;
        self.start = 0;
    }

    /// Appends a part of an event, and gives its end.
    #[inline]
    fn push(&mut self, part: &[u8]) -> usize {
        self.bytes.extend_from_slice(part);
        self.bytes.len()
    }
}

impl Sink for EventQueue {
    #[inline]
    fn event(&mut self, event: Event<'_>) {
        if self.popped > 0 && self.is_empty() {
            // `pop` could not forget the last event, which it gave borrowed.
            self.clear();
        }
        let ends = Ends {
            event_type: self.push(event.event_type),
            data: self.push(event.data),
            last_event_id: event.last_event_id.map(|id| self.push(id)),
            retry: event.retry,
        };
        self.events.push(ends);
    }
}
