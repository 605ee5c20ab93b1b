//! What is encoded, and that a parser gives it back.

mod common;

use common::encoding::{encode, events};
use common::{Decoded, decode_chunks};
use proptest::collection::vec;
use proptest::option;
use proptest::prelude::*;
use proptest::sample::select;
use ssejet_core::{Block, InvalidField, Options};

fn data(data: &[u8]) -> Block<'_> {
    Block { data: Some(data), ..Block::default() }
}

fn decode(bytes: &[u8]) -> Decoded {
    decode_chunks([bytes], Options::default().with_comments(true), b"")
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
    assert_eq!(encode(&[block]).unwrap(), b": note\nevent: delta\nid: 7\nretry: 1500\ndata: x\n\n");
}

#[test]
fn each_line_of_data_becomes_a_line_of_its_own_whatever_ends_it() {
    for (value, expected) in [
        (&b""[..], &b"data: \n\n"[..]),
        (b"a\nb", b"data: a\ndata: b\n\n"),
        (b"a\r\nb\rc", b"data: a\ndata: b\ndata: c\n\n"),
        (b"a\n", b"data: a\ndata: \n\n"),
        (b"\r\n\n\r", b"data: \ndata: \ndata: \ndata: \n\n"),
        (b" a", b"data:  a\n\n"),
        ("a\u{2028}b\u{85}c\x0Bd".as_bytes(), "data: a\u{2028}b\u{85}c\x0Bd\n\n".as_bytes()),
    ] {
        assert_eq!(encode(&[data(value)]).unwrap(), expected, "{value:?}");
    }
}

#[test]
fn a_comment_cannot_become_a_field() {
    let block = Block { comment: Some(b"a\r\ndata: b\rid: c"), ..Block::default() };
    assert_eq!(encode(&[block]).unwrap(), b": a\n: data: b\n: id: c\n\n");
}

#[test]
fn a_type_or_an_id_that_would_end_its_line_is_refused_and_nothing_is_written() {
    for byte in [b'\r', b'\n', 0] {
        let value = [b'a', byte, b'b'];
        for (field, block) in [
            ("event", Block { event_type: Some(&value), ..data(b"x") }),
            ("id", Block { id: Some(&value), ..data(b"x") }),
        ] {
            let mut out = b"before".to_vec();
            let InvalidField { field: refused, byte: found, .. } = block.encode(&mut out).unwrap_err();
            assert_eq!((refused, found), (field, byte));
            assert_eq!(out, b"before");
        }
    }
}

#[test]
fn the_refusal_names_the_field_and_the_byte() {
    let block = Block { id: Some(b"7\0"), ..data(b"x") };
    assert_eq!(
        block.encode(&mut Vec::new()).unwrap_err().to_string(),
        "id must not contain CR, LF or NUL: it contains NUL"
    );
}

fn text() -> impl Strategy<Value = Vec<u8>> {
    vec(prop_oneof![any::<u8>(), select(b"\r\n :\0\xEF\xBB\xBFdata".to_vec())], 0..40)
}

fn one_line() -> impl Strategy<Value = Vec<u8>> {
    text().prop_map(|bytes| bytes.into_iter().filter(|byte| !b"\r\n\0".contains(byte)).collect())
}

/// A block in owned form: comment, type, id, reconnection time, data.
type Parts = (Option<Vec<u8>>, Option<Vec<u8>>, Option<Vec<u8>>, Option<u64>, Option<Vec<u8>>);

fn parts() -> impl Strategy<Value = Parts> {
    (
        option::of(text()),
        option::of(one_line()),
        option::of(one_line()),
        option::of(0..=i64::MAX.unsigned_abs()),
        option::weighted(0.9, text()),
    )
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn a_parser_gives_back_what_was_encoded(parts in vec(parts(), 0..6)) {
        let blocks: Vec<_> = parts
            .iter()
            .map(|(comment, event_type, id, retry, data)| Block {
                comment: comment.as_deref(),
                event_type: event_type.as_deref(),
                id: id.as_deref(),
                retry: *retry,
                data: data.as_deref(),
            })
            .collect();
        prop_assert_eq!(decode(&encode(&blocks).unwrap()).events, events(&blocks));
    }
}
