//! What is encoded, and that a parser gives it back.

use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use ssejet_core::{Block, Event, InvalidField, Options, Parser, Sink};

/// Type, data, last event ID, reconnection time.
type Dispatched = (Vec<u8>, Vec<u8>, Option<Vec<u8>>, Option<u64>);

#[derive(Debug, Default, PartialEq, Eq)]
struct Heard {
    events: Vec<Dispatched>,
    comments: Vec<Vec<u8>>,
}

impl Sink for Heard {
    fn event(&mut self, event: Event<'_>) {
        let id = event.last_event_id.map(<[u8]>::to_vec);
        self.events.push((event.event_type.to_vec(), event.data.to_vec(), id, event.retry));
    }

    fn comment(&mut self, text: &[u8]) {
        self.comments.push(text.to_vec());
    }
}

fn encoded(blocks: &[Block<'_>]) -> Vec<u8> {
    let mut out = Vec::new();
    for block in blocks {
        block.encode(&mut out).unwrap();
    }
    out
}

fn decoded(bytes: &[u8]) -> Heard {
    let mut heard = Heard::default();
    Parser::new(Options { comments: true, ..Options::default() }).feed(bytes, &mut heard).unwrap();
    heard
}

#[test]
fn fields_come_in_a_fixed_order_and_a_blank_line_ends_them() {
    let block = Block {
        comment: Some(b"note"),
        event_type: Some(b"delta"),
        id: Some(b"7"),
        retry: Some(1500),
        data: Some(b"x"),
    };
    assert_eq!(encoded(&[block]), b": note\nevent: delta\nid: 7\nretry: 1500\ndata: x\n\n");
}

#[test]
fn each_line_of_data_becomes_a_line_of_its_own_whatever_ends_it() {
    for (data, expected) in [
        (&b""[..], &b"data: \n\n"[..]),
        (b"a\nb", b"data: a\ndata: b\n\n"),
        (b"a\r\nb\rc", b"data: a\ndata: b\ndata: c\n\n"),
        (b"a\n", b"data: a\ndata: \n\n"),
        (b"\r\n\n\r", b"data: \ndata: \ndata: \ndata: \n\n"),
        (b" a", b"data:  a\n\n"),
        ("a\u{2028}b\u{85}c\x0Bd".as_bytes(), "data: a\u{2028}b\u{85}c\x0Bd\n\n".as_bytes()),
    ] {
        assert_eq!(encoded(&[Block { data: Some(data), ..Block::default() }]), expected, "{data:?}");
    }
}

#[test]
fn a_comment_cannot_become_a_field() {
    let block = Block { comment: Some(b"a\r\ndata: b\rid: c"), ..Block::default() };
    assert_eq!(encoded(&[block]), b": a\n: data: b\n: id: c\n\n");
}

#[test]
fn a_type_or_an_id_that_would_end_its_line_is_refused_and_nothing_is_written() {
    for byte in [b'\r', b'\n', 0] {
        let value = [b'a', byte, b'b'];
        for (field, block) in [
            ("event", Block { event_type: Some(&value), data: Some(b"x"), ..Block::default() }),
            ("id", Block { id: Some(&value), data: Some(b"x"), ..Block::default() }),
        ] {
            let mut out = b"before".to_vec();
            assert_eq!(block.encode(&mut out), Err(InvalidField { field, byte }));
            assert_eq!(out, b"before");
        }
    }
}

#[test]
fn the_refusal_names_the_field_and_the_byte() {
    assert_eq!(
        InvalidField { field: "id", byte: 0 }.to_string(),
        "id must not contain CR, LF or NUL: it contains NUL"
    );
}

/// Bytes as they come out of a parser: without CR, which ends lines.
fn data() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![3 => any::<u8>(), 1 => Just(b'\n'), 1 => Just(b' '), 1 => Just(b':')], 0..40)
        .prop_map(|bytes| bytes.into_iter().filter(|byte| *byte != b'\r').collect())
}

fn one_line() -> impl Strategy<Value = Vec<u8>> {
    data().prop_map(|bytes| bytes.into_iter().filter(|byte| !b"\n\0".contains(byte)).collect())
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_parser_gives_back_what_was_encoded(
        blocks in vec(
            (option::of(one_line()), option::of(one_line()), option::of(0..=i64::MAX.unsigned_abs()), data()),
            0..6,
        )
    ) {
        let written: Vec<_> = blocks
            .iter()
            .map(|(event_type, id, retry, data)| Block {
                comment: None,
                event_type: event_type.as_deref(),
                id: id.as_deref(),
                retry: *retry,
                data: Some(data),
            })
            .collect();
        let bytes = encoded(&written);
        let mut last_id = None;
        let expected: Vec<_> = blocks
            .into_iter()
            .map(|(event_type, id, retry, data)| {
                last_id = id.or(last_id.take());
                (event_type.unwrap_or_default(), data, last_id.clone(), retry)
            })
            .collect();
        prop_assert_eq!(decoded(&bytes).events, expected);
    }

    #[test]
    fn line_ends_arrive_as_line_feeds(data in vec(any::<u8>(), 0..40)) {
        let text = |bytes: &[u8]| bytes.iter().map(|byte| char::from(*byte)).collect::<String>();
        let heard = decoded(&encoded(&[Block { data: Some(&data), ..Block::default() }]));
        prop_assert_eq!(text(&heard.events[0].1), text(&data).replace("\r\n", "\n").replace('\r', "\n"));
    }

    #[test]
    fn comments_dispatch_nothing(comment in vec(any::<u8>(), 0..40)) {
        let heard = decoded(&encoded(&[Block { comment: Some(&comment), ..Block::default() }]));
        prop_assert!(heard.events.is_empty());
        prop_assert!(heard.comments.iter().all(|line| line.starts_with(b" ")));
    }
}
