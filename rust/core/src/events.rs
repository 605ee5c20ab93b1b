//! An iterator over the events of chunks.

use core::iter::FusedIterator;

use crate::{EventQueue, EventTooLarge, OwnedEvent, Parser};

/// An iterator over the events of an iterator of chunks; see [`Parser::events`].
#[derive(Debug)]
pub struct Events<'p, I> {
    parser: &'p mut Parser,
    chunks: I,
    queue: EventQueue,
    state: State,
}

/// What comes after the events of the queue.
#[derive(Clone, Copy, Debug)]
enum State {
    /// The events of the next chunk.
    Reading,
    /// An error, and then the end.
    Failed(EventTooLarge),
    /// The end.
    Ended,
}

impl Parser {
    /// Iterates over the events of the chunks of one connection, and of its end.
    ///
    /// A chunk is only asked for when the events before it have been given. An event that is too
    /// large is the last item, after the events before it. If the iterator is dropped early, the
    /// other events of the chunk that it read last are lost. Comments are not given.
    ///
    /// ```
    /// use ssejet_core::{Options, Parser};
    ///
    /// let mut parser = Parser::new(Options::default());
    /// for event in parser.events(["data: hel", "lo\nid: 7\n\n"]) {
    ///     assert_eq!(event?.data_lossy(), "hello");
    /// }
    /// assert_eq!(parser.last_event_id(), b"7");
    /// # Ok::<(), ssejet_core::EventTooLarge>(())
    /// ```
    pub fn events<I>(&mut self, chunks: I) -> Events<'_, I::IntoIter>
    where
        I: IntoIterator<Item: AsRef<[u8]>>,
    {
        Events {
            parser: self,
            chunks: chunks.into_iter(),
            queue: EventQueue::default(),
            state: State::Reading,
        }
    }
}

impl<I: Iterator<Item: AsRef<[u8]>>> Events<'_, I> {
    /// Feeds the next chunk, or the end, to the parser.
    fn read(&mut self) -> Result<(), EventTooLarge> {
        if let Some(chunk) = self.chunks.next() {
            self.parser.feed(chunk.as_ref(), &mut self.queue)
        } else {
            self.state = State::Ended;
            self.parser.finish(&mut self.queue)
        }
    }
}

impl<I: Iterator<Item: AsRef<[u8]>>> Iterator for Events<'_, I> {
    type Item = Result<OwnedEvent, EventTooLarge>;

    fn next(&mut self) -> Option<Self::Item> {
        loop {
            if let Some(event) = self.queue.pop() {
                return Some(Ok(event.to_owned()));
            }
            let result = match self.state {
                State::Ended => return None,
                State::Failed(error) => {
                    self.state = State::Ended;
                    return Some(Err(error));
                }
                State::Reading => self.read(),
            };
            if let Err(error) = result {
                self.state = State::Failed(error);
            }
        }
    }
}

impl<I: Iterator<Item: AsRef<[u8]>>> FusedIterator for Events<'_, I> {}
