//! What a stream decodes to, in owned form, and how to have the parser decode it in chunks.

#![allow(dead_code, reason = "each test uses a part of it")]

pub mod body;
pub mod encoding;
pub mod naive;

use ssejet_core::{Event, EventTooLarge, Options, Parser, Sink};

/// An [`Event`] that owns its bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct OwnedEvent {
    pub event_type: Vec<u8>,
    pub data: Vec<u8>,
    pub last_event_id: Option<Vec<u8>>,
    pub retry: Option<u64>,
}

/// All that can be asked after a stream has been read to its end.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Decoded {
    pub events: Vec<OwnedEvent>,
    pub comments: Vec<Vec<u8>>,
    pub reconnection_time: Option<u64>,
    pub last_event_id: Vec<u8>,
    pub too_large: bool,
    /// How many of the events were complete before the end of the input was known.
    pub before_end: usize,
}

impl Sink for Decoded {
    fn event(&mut self, event: Event<'_>) {
        self.events.push(OwnedEvent {
            event_type: event.event_type.to_vec(),
            data: event.data.to_vec(),
            last_event_id: event.last_event_id.map(<[u8]>::to_vec),
            retry: event.retry,
        });
    }

    fn comment(&mut self, text: &[u8]) {
        self.comments.push(text.to_vec());
    }
}

/// Feeds the chunks to a new parser, and then the end of the input.
pub fn decode_chunks<'c>(
    chunks: impl IntoIterator<Item = &'c [u8]>,
    options: Options,
    last_event_id: &[u8],
) -> Decoded {
    let mut parser = Parser::new(options).with_last_event_id(last_event_id);
    decode_connection(&mut parser, chunks)
}

/// The same with a parser that may have read another connection before.
pub fn decode_connection<'c>(parser: &mut Parser, chunks: impl IntoIterator<Item = &'c [u8]>) -> Decoded {
    let mut decoded = Decoded::default();
    decoded.too_large = feed_all(parser, chunks, &mut decoded).is_err();
    decoded.reconnection_time = parser.reconnection_time();
    decoded.last_event_id = parser.last_event_id().to_vec();
    decoded
}

fn feed_all<'c>(
    parser: &mut Parser,
    chunks: impl IntoIterator<Item = &'c [u8]>,
    decoded: &mut Decoded,
) -> Result<(), EventTooLarge> {
    for chunk in chunks {
        let fed = parser.feed(chunk, decoded);
        decoded.before_end = decoded.events.len();
        fed?;
    }
    parser.finish(decoded)
}

/// `stream` in pieces, cut before the bytes at `places`, which are in ascending order.
pub fn cut<'s>(stream: &'s [u8], places: &[usize]) -> Vec<&'s [u8]> {
    let starts = std::iter::once(0).chain(places.iter().copied());
    let ends = places.iter().copied().chain(std::iter::once(stream.len()));
    starts.zip(ends).map(|(start, end)| &stream[start..end]).collect()
}
