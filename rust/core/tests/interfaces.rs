//! The ways to get events beside a sink of one's own: closures, trait objects, vectors, queues, iterators.

mod common;

use common::{OwnedEvent, decode_chunks};
use ssejet_core::{Event, EventQueue, Options, Parser, Sink};

const STREAM: &[u8] =
    b"event: a\ndata: 1\nretry: 5\n\ndata: 2\nid: 7\n\ndata: 3\ndata: 4\n\ndata: unfinished";

fn owned(event: Event<'_>) -> OwnedEvent {
    let mut events: Vec<ssejet_core::OwnedEvent> = Vec::new();
    events.event(event);
    let event = events.remove(0);
    assert_eq!(event, event.as_event().into());
    OwnedEvent {
        event_type: event.event_type,
        data: event.data,
        last_event_id: event.last_event_id,
        retry: event.retry,
    }
}

fn expected() -> Vec<OwnedEvent> {
    let events = decode_chunks([STREAM], Options::default(), b"").events;
    assert_eq!(events.len(), 3);
    events
}

#[test]
fn a_closure_is_a_sink() {
    let mut events = Vec::new();
    Parser::new(Options::default()).feed(STREAM, &mut |event: Event<'_>| events.push(owned(event))).unwrap();
    assert_eq!(events, expected());
}

#[test]
fn a_trait_object_is_a_sink() {
    let mut events = Vec::new();
    let mut collect = |event: Event<'_>| events.push(owned(event));
    let sink: &mut dyn Sink = &mut collect;
    let mut parser = Parser::new(Options::default());
    parser.feed(STREAM, sink).unwrap();
    parser.peek_unfinished(0, sink);
    parser.finish(sink).unwrap();
    assert_eq!(events, expected());
}

#[test]
fn a_queue_gives_the_events_in_their_order_and_empties() {
    for size in 1..STREAM.len() {
        let mut parser = Parser::new(Options::default());
        let mut queue = EventQueue::default();
        let mut events = Vec::new();
        for (place, chunk) in STREAM.chunks(size).enumerate() {
            parser.feed(chunk, &mut queue).unwrap();
            let waiting: Vec<_> = queue.iter().map(owned).collect();
            assert_eq!(waiting.len(), queue.len());
            assert_eq!(waiting.is_empty(), queue.is_empty());
            // The queue is sometimes left with events in it, and sometimes never asked again after the last.
            for event in waiting.into_iter().take(place % 3) {
                assert_eq!(queue.pop().map(owned).as_ref(), Some(&event));
                events.push(event);
            }
        }
        while let Some(event) = queue.pop() {
            events.push(owned(event));
        }
        assert_eq!(events, expected(), "in reads of {size}");
    }
}

#[test]
fn a_queue_can_be_cleared() {
    let mut queue = EventQueue::default();
    let mut parser = Parser::new(Options::default());
    parser.feed(STREAM, &mut queue).unwrap();
    queue.pop();
    queue.clear();
    assert!(queue.is_empty() && queue.pop().is_none() && queue.iter().next().is_none());
    parser.feed(b"\n\n", &mut queue).unwrap();
    assert_eq!(queue.pop().map(|event| event.data.to_vec()), Some(b"unfinished".to_vec()));
}

#[test]
fn iterating_gives_the_events_of_all_chunks_and_of_the_end() {
    for size in 1..STREAM.len() {
        for flush_incomplete in [false, true] {
            let options = Options::default().with_flush_incomplete(flush_incomplete);
            let mut parser = Parser::new(options);
            let events: Vec<_> = parser
                .events(STREAM.chunks(size))
                .map(|event| owned(event.expect("nothing is too large").as_event()))
                .collect();
            assert_eq!(events, decode_chunks([STREAM], options, b"").events);
            assert_eq!(parser.last_event_id(), b"7");
        }
    }
}

#[test]
fn iterating_ends_with_the_error_after_the_events_before_it() {
    let mut parser = Parser::new(Options::default().with_max_event_size(5));
    let mut events = parser.events(["data: a\n\ndata: toolarge\n\n", "data: b\n\n"]);
    assert_eq!(events.next().unwrap().unwrap().data, b"a");
    assert_eq!(events.next().unwrap().unwrap_err().limit, 5);
    assert!(events.next().is_none());
    assert!(events.next().is_none());
    assert!(parser.failed());
}

#[test]
fn text_replaces_malformed_utf8() {
    let mut parser = Parser::new(Options::default());
    let event = parser.events([&b"event: \xFF\nid: \xE2\x80\ndata: a\xC0b\n\n"[..]]).next().unwrap().unwrap();
    assert_eq!(event.event_type_lossy(), "\u{FFFD}");
    assert_eq!(event.last_event_id_lossy().as_deref(), Some("\u{FFFD}"));
    assert_eq!(event.data_lossy(), "a\u{FFFD}b");
    assert_eq!(event.data, b"a\xC0b");
}
