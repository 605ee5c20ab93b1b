//! The parser against a naive one, on random streams rich in traps, cut at random.

mod common;

use common::{Decoded, cut, decode_chunks, decode_connection, naive};
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ssejet_core::{Dispatch, Options, Parser};

const BOM: &[u8] = b"\xEF\xBB\xBF";

fn one_of(choices: &[&'static [u8]]) -> impl Strategy<Value = Vec<u8>> + Clone + use<> {
    select(choices.to_vec()).prop_map(<[u8]>::to_vec)
}

fn concatenated(parts: impl Strategy<Value = Vec<u8>>, most: usize) -> impl Strategy<Value = Vec<u8>> {
    vec(parts, 0..=most).prop_map(|parts| parts.concat())
}

fn value() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        4 => one_of(&[b"a", b" ", b"  ", b":", b"\t", b"\0", b"7", b"data", b"\x0B", b"\x0C", b"\xC2\x85"]),
        2 => one_of(&[b"\xE2\x80\xA8", b"\xF0\x9F\x98\x80", b"\xFF", b"\xE2\x80", b"\xC0\x8A", b"\xED\xA0\x80"]),
        1 => Just(BOM.to_vec()),
        1 => (1_usize..300).prop_map(|length| vec![b'x'; length]),
    ];
    concatenated(part, 4)
}

fn retry_value() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        any::<u64>().prop_map(|retry| retry.to_string().into_bytes()),
        one_of(&[b"0", b"007", b"9223372036854775808", b"99999999999999999999999", b"+5", b" 5", b"5 "]),
        value(),
    ]
}

fn field() -> impl Strategy<Value = Vec<u8>> {
    let known = one_of(&[b"data", b"data", b"data", b"event", b"id"]);
    let almost = one_of(&[b"Data", b"dat", b"datax", b" data", b"data ", b"ids", b"retr", b"retryx", b"x"]);
    let separator = one_of(&[b":", b": ", b":  "]);
    prop_oneof![
        6 => (known.clone(), separator.clone(), value()),
        1 => (known, Just(vec![]), Just(vec![])),
        1 => (almost, separator.clone(), value()),
        1 => (Just(b"retry".to_vec()), separator, retry_value()),
    ]
    .prop_map(|(name, separator, value)| [name, separator, value].concat())
}

fn line() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        4 => field(),
        1 => value().prop_map(|comment| [b":", &*comment].concat()),
        3 => Just(vec![]),
    ]
}

fn stream() -> impl Strategy<Value = Vec<u8>> {
    let start = one_of(&[b"", b"", b"", BOM, b"\xEF\xBB\xBF\xEF\xBB\xBF", b"\xEF", b"\xEF\xBB"]);
    let line_end = one_of(&[b"\n", b"\n", b"\r", b"\r\n"]);
    let lines = concatenated((line(), line_end).prop_map(|(line, end)| [line, end].concat()), 24);
    let by_the_grammar =
        (start, lines, line()).prop_map(|(start, lines, tail)| [start, lines, tail].concat());
    let soup = vec(select(b"dateivnry:: \n\n\r\r\0\xEF\xBB\xBF".to_vec()), 0..64);
    prop_oneof![5 => by_the_grammar, 1 => soup]
}

/// A stream and places to cut it; a place drawn twice gives an empty chunk.
fn cut_stream() -> impl Strategy<Value = (Vec<u8>, Vec<usize>)> {
    (stream(), vec(any::<proptest::sample::Index>(), 0..12)).prop_map(|(stream, places)| {
        let mut places: Vec<_> = places.iter().map(|place| place.index(stream.len() + 1)).collect();
        places.sort_unstable();
        (stream, places)
    })
}

fn options() -> impl Strategy<Value = Options> {
    (
        select(vec![Dispatch::Data, Dispatch::AnyState, Dispatch::AnyField]),
        prop_oneof![2 => Just(usize::MAX), 1 => 0_usize..12, 1 => 0_usize..700],
        any::<bool>(),
        any::<bool>(),
    )
        .prop_map(|(dispatch, max_event_size, comments, flush_incomplete)| {
            Options::default()
                .with_dispatch(dispatch)
                .with_max_event_size(max_event_size)
                .with_comments(comments)
                .with_flush_incomplete(flush_incomplete)
        })
}

fn id() -> impl Strategy<Value = Vec<u8>> {
    one_of(&[b"", b"", b"7", b"\xE2\x80\xA6"])
}

proptest! {
    #![proptest_config(ProptestConfig { failure_persistence: None, ..ProptestConfig::with_cases(2_000) })]

    #[test]
    fn the_parser_agrees_with_the_naive_one_wherever_the_stream_is_cut(
        (stream, places) in cut_stream(), options in options(), id in id()
    ) {
        let expected = naive::decode(&stream, options, &id);
        prop_assert_eq!(decode_chunks(cut(&stream, &places), options, &id), expected);
    }

    #[test]
    fn each_byte_gives_all_that_it_completes(stream in stream(), options in options(), id in id()) {
        let mut parser = Parser::new(options).with_last_event_id(&id);
        let mut decoded = Decoded::default();
        let until_end = options.with_flush_incomplete(false);
        for end in 0..=stream.len() {
            decoded.too_large = parser.feed(&stream[end.saturating_sub(1)..end], &mut decoded).is_err();
            decoded.before_end = decoded.events.len();
            decoded.reconnection_time = parser.reconnection_time();
            decoded.last_event_id = parser.last_event_id().to_vec();
            prop_assert_eq!(&decoded, &naive::decode(&stream[..end], until_end, &id));
        }
    }

    #[test]
    fn a_parser_that_read_one_connection_reads_the_next_with_its_id_and_nothing_else(
        first in cut_stream(), second in cut_stream(), options in options()
    ) {
        let mut parser = Parser::new(options);
        decode_connection(&mut parser, cut(&first.0, &first.1));
        if parser.failed() {
            parser.reset();
        }
        let id = parser.last_event_id().to_vec();
        let retry = parser.reconnection_time();

        let mut expected = naive::decode(&second.0, options, &id);
        expected.reconnection_time = expected.reconnection_time.or(retry);
        let mut decoded = decode_connection(&mut parser, cut(&second.0, &second.1));
        // An id that was reset to empty stays "empty", where a seed of "" is "none".
        for event in decoded.events.iter_mut().chain(&mut expected.events) {
            event.last_event_id.get_or_insert_default();
        }
        prop_assert_eq!(decoded, expected);
    }
}

#[test]
fn an_lf_that_starts_a_connection_does_not_belong_to_a_cr_that_ended_the_last() {
    let mut parser = Parser::new(Options::default());
    decode_connection(&mut parser, [&b"data: a\r"[..]]);
    // The BOM is not at the start, so it makes the field unknown.
    let decoded = decode_connection(&mut parser, [&b"\n\xEF\xBB\xBFdata: b\n\n"[..]]);
    assert_eq!(decoded, Decoded::default());
}
