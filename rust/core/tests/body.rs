//! Bodies whole, byte by byte, in every split into two, and at random against a naive reader.

mod common;

use common::body::{Read, naive, read};
use common::cut;
use proptest::collection::vec;
use proptest::prelude::*;
use proptest::sample::select;
use ssejet_core::body::{Body, BodyError, Framing};

#[track_caller]
fn check(framing: Framing, input: &[u8], payload: &[u8], rest: &[u8], end: Result<(), BodyError>) {
    let expected = Read { payload: payload.to_vec(), rest: rest.to_vec(), end };
    let shown = String::from_utf8_lossy(input);
    assert_eq!(read(framing, [input]), expected, "{shown:?} whole");
    assert_eq!(read(framing, input.chunks(1)), expected, "{shown:?} byte by byte");
    if input.len() < 200 {
        for place in 0..=input.len() {
            let (first, second) = input.split_at(place);
            assert_eq!(read(framing, [first, second]), expected, "{shown:?} cut at {place}");
        }
    }
}

#[test]
fn chunked_bodies_give_their_payload_and_what_follows_them() {
    for (input, payload, rest) in [
        ("0\r\n\r\n", "", ""),
        ("5\r\nhello\r\n0\r\n\r\n", "hello", ""),
        ("5\r\nhello\r\n0\r\n\r\nHTTP/1.1", "hello", "HTTP/1.1"),
        ("1\r\na\r\n00a\r\n\r\n0\r\n\r\nxyz\r\n00000000000000000000\r\n\r\n", "a\r\n0\r\n\r\nxyz", ""),
        ("A\r\n0123456789\r\n0\r\n\r\n", "0123456789", ""),
        ("a;name=value;\"q;\"\r\n0123456789\r\n0;last\r\n\r\n", "0123456789", ""),
        ("1;\ra\r\r\nx\r\n0\r\n\r\n", "x", ""),
        ("1 \t\r\nx\r\n0 \r\n\r\n", "x", ""),
        ("1\r\nx\r\n0\r\nX-Sum: 1\r\nempty:\r\nfolded: a\r\n b\r\n\r\nrest", "x", "rest"),
        ("0\r\nX: 1\n\n", "", ""),
        ("0\r\n\n", "", ""),
    ] {
        check(Framing::Chunked, input.as_bytes(), payload.as_bytes(), rest.as_bytes(), Ok(()));
    }
}

#[test]
fn malformed_chunks_are_errors_after_the_payload_before_them() {
    for (input, payload, error) in [
        ("\r\n\r\n", "", BodyError::InvalidSize),
        ("x\r\n", "", BodyError::InvalidSize),
        ("-1\r\n", "", BodyError::InvalidSize),
        ("0x1\r\n", "", BodyError::InvalidSize),
        (" 1\r\n", "", BodyError::InvalidSize),
        ("1 ;a\r\n", "", BodyError::InvalidSize),
        ("1 2\r\n", "", BodyError::InvalidSize),
        ("1\n", "", BodyError::InvalidSize),
        ("1\r\r\n", "", BodyError::InvalidSize),
        (";a\r\n", "", BodyError::InvalidSize),
        ("1;a\nx", "", BodyError::InvalidSize),
        ("000000000000000000000\r\n", "", BodyError::InvalidSize),
        ("10000000000000000\r\n", "", BodyError::SizeTooLarge),
        ("1\r\nab\r\n", "a", BodyError::InvalidChunkEnd),
        ("1\r\na\n", "a", BodyError::InvalidChunkEnd),
        ("1\r\na\r\r", "a", BodyError::InvalidChunkEnd),
        ("1\r\na\r\n0\r\nno colon\r\n", "a", BodyError::InvalidTrailer),
        ("0\r\n folded: 1\r\n\r\n", "", BodyError::InvalidTrailer),
        ("0\r\n: 1\r\n\r\n", "", BodyError::InvalidTrailer),
        ("0\r\na: \r1\r\n\r\n", "", BodyError::InvalidTrailer),
        ("0\r\na: \0\r\n\r\n", "", BodyError::InvalidTrailer),
        ("0\r\n\r\r\n", "", BodyError::InvalidTrailer),
    ] {
        check(Framing::Chunked, input.as_bytes(), payload.as_bytes(), b"", Err(error));
    }
}

#[test]
fn the_largest_size_is_that_of_64_bits() {
    let mut body = Body::new(Framing::Chunked);
    let mut payload = Vec::new();
    body.feed(b"0000ffffffffffffffff\r\nabc", |part| payload.extend_from_slice(part)).unwrap();
    assert_eq!(payload, b"abc");
    assert_eq!(body.finish(), Err(BodyError::Incomplete));
}

#[test]
fn long_lines_are_errors_and_long_payload_is_not() {
    const MOST: usize = (100 << 10) + 1;
    for [start, filler, end] in [["1;", "a", "\r\nx\r\n0\r\n\r\n"], ["1", " ", "\r\nx\r\n0\r\n\r\n"]] {
        let longest = start.to_owned() + &filler.repeat(MOST - start.len() - 2);
        check(Framing::Chunked, (longest.clone() + end).as_bytes(), b"x", b"", Ok(()));
        let too_long = longest + filler + end;
        check(Framing::Chunked, too_long.as_bytes(), b"", b"", Err(BodyError::LineTooLong));
    }
    let fields = "a:b\r\n".repeat(MOST / 5 - 1);
    let last = format!("c:{}\r\n\r\n", "d".repeat(MOST - fields.len() - 6));
    check(Framing::Chunked, format!("0\r\n{fields}{last}rest").as_bytes(), b"", b"rest", Ok(()));
    let too_long = format!("0\r\n{fields}x{last}");
    check(Framing::Chunked, too_long.as_bytes(), b"", b"", Err(BodyError::LineTooLong));

    let long = "a".repeat(0x20000);
    let chunk = format!("20000\r\n{long}\r\n");
    let input = format!("{chunk}{chunk}0\r\n\r\n");
    check(Framing::Chunked, input.as_bytes(), long.repeat(2).as_bytes(), b"", Ok(()));
}

#[test]
fn a_body_that_ends_early_is_an_error_unless_it_ends_with_the_connection() {
    let whole = b"5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..whole.len() {
        let payload = &b"hello"[..end.saturating_sub(5).min(5)];
        let error = match end {
            1..=4 | 13..=14 | 16..=22 => BodyError::IncompleteLine,
            _ => BodyError::Incomplete,
        };
        check(Framing::Chunked, &whole[..end], payload, b"", Err(error));
    }
    check(Framing::Length(3), b"ab", b"ab", b"", Err(BodyError::Incomplete));
    check(Framing::Length(3), b"abcde", b"abc", b"de", Ok(()));
    check(Framing::Length(0), b"", b"", b"", Ok(()));
    check(Framing::Length(0), b"ab", b"", b"ab", Ok(()));
    check(Framing::UntilClose, b"abc", b"abc", b"", Ok(()));
    check(Framing::UntilClose, b"", b"", b"", Ok(()));
}

#[test]
fn a_body_that_has_failed_stays_so_whatever_comes() {
    fn check_all_fail(body: &mut Body, error: BodyError) {
        for input in [&b""[..], b"5\r\nhello\r\n0\r\n\r\n"] {
            assert_eq!(body.feed(input, |part| panic!("{part:?} is no payload")), Err(error));
            assert_eq!(body.finish(), Err(error));
            assert!(!body.is_complete());
        }
    }

    let mut body = Body::new(Framing::Chunked);
    assert_eq!(body.feed(b"x\r\n", |_| ()), Err(BodyError::InvalidSize));
    check_all_fail(&mut body, BodyError::InvalidSize);
    for (framing, start, error) in [
        (Framing::Chunked, &b"5\r\nhello\r\n"[..], BodyError::Incomplete),
        (Framing::Chunked, b"5", BodyError::IncompleteLine),
        (Framing::Length(9), b"hello", BodyError::Incomplete),
    ] {
        let mut body = Body::new(framing);
        body.feed(start, |_| ()).unwrap();
        assert_eq!(body.finish(), Err(error));
        check_all_fail(&mut body, error);
    }
}

#[test]
fn each_byte_in_each_place_reads_as_a_naive_reader_reads_it() {
    let stream = b"1;e\r\nx\r\n0 \r\nA: b\r\n c\r\n\r\n";
    for place in 0..stream.len() {
        for byte in 0..=u8::MAX {
            for after in [place, place + 1] {
                let changed = [&stream[..place], &[byte], &stream[after..]].concat();
                let Read { payload, rest, end } = read(Framing::Chunked, [&changed[..]]);
                let shown = changed.escape_ascii();
                let found = Read { payload, rest, end: end.map_err(|_| ()) };
                assert_eq!(found, naive(Framing::Chunked, &changed), "{shown}");
            }
        }
    }
}

fn framing() -> impl Strategy<Value = Framing> {
    prop_oneof![
        8 => Just(Framing::Chunked),
        1 => Just(Framing::UntilClose),
        1 => prop_oneof![0..64_u64, Just(u64::MAX)].prop_map(Framing::Length),
    ]
}

fn chunk() -> impl Strategy<Value = Vec<u8>> {
    const DATA_ENDS: &[&str] = &["\r\n", "\r\n", "\r\n", "\n", "\r"];
    const ENDS: &[&str] =
        &["\r\n", "\r\n", "\r\n", " \r\n", ";\r\n", ";a=\"b\"\r\n", ";\r\r\n", ";\n\r\n", "\n"];
    (0..40_usize, 0..3_usize, select(ENDS), select(DATA_ENDS)).prop_map(|(size, zeros, line_end, end)| {
        format!("{}{size:x}{line_end}{}{end}", "0".repeat(zeros), "d".repeat(size)).into_bytes()
    })
}

fn end() -> impl Strategy<Value = Vec<u8>> {
    const LINES: &[&str] = &[
        "A: b\r\n",
        "a:\n",
        " folded\r\n",
        "\t\r\n",
        "a:\x01é\r\n",
        "no colon\r\n",
        "a: \x0B\n",
        "a:\r\r\n",
    ];
    vec(select(LINES), 0..4)
        .prop_map(|lines| ["0\r\n", &lines.concat(), "\r\nHTTP/1.1 200 OK\r\n"].concat().into_bytes())
}

fn noise() -> impl Strategy<Value = Vec<u8>> {
    const TOKENS: &[&str] = &[
        "0",
        "1",
        "a",
        "F",
        "\r\n",
        "\r",
        "\n",
        "\r\n\r\n",
        ";",
        " ",
        "\t",
        ":",
        "A:b",
        "x",
        "\0",
        "ffffffffffffffff",
    ];
    select(TOKENS).prop_map(|token| token.as_bytes().to_vec())
}

/// Bodies that are mostly well formed, and some with noise.
fn input() -> impl Strategy<Value = Vec<u8>> {
    prop_oneof![
        (vec(chunk(), 0..4), end()).prop_map(|(chunks, end)| [chunks.concat(), end].concat()),
        vec(prop_oneof![chunk(), end(), noise(), noise()], 0..8).prop_map(|parts| parts.concat()),
        vec(noise(), 0..12).prop_map(|parts| parts.concat()),
    ]
}

proptest! {
    #[test]
    fn bodies_read_as_a_naive_reader_reads_them_however_they_are_cut(
        framing in framing(),
        input in input(),
        places in vec(any::<prop::sample::Index>(), 0..6),
        kept in any::<prop::sample::Index>(),
        is_whole in any::<bool>(),
    ) {
        let input = if is_whole { &input[..] } else { &input[..kept.index(input.len() + 1)] };
        let mut places: Vec<_> = places.iter().map(|place| place.index(input.len() + 1)).collect();
        places.sort_unstable();
        let whole = read(framing, [input]);
        prop_assert_eq!(&read(framing, cut(input, &places)), &whole);
        prop_assert_eq!(&read(framing, input.chunks(1)), &whole);
        let Read { payload, rest, end } = whole;
        prop_assert_eq!(Read { payload, rest, end: end.map_err(|_| ()) }, naive(framing, input));
    }
}
