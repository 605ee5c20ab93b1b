//! Bodies fed whole, byte by byte, and in every split into two, with bytes after their end.

use ssejet_core::body::{Body, BodyError, Framing};

/// What reading a body gave: the payload, what followed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
struct Read {
    payload: Vec<u8>,
    rest: Vec<u8>,
    end: Result<(), BodyError>,
}

fn read<'i>(framing: Framing, pieces: impl IntoIterator<Item = &'i [u8]>) -> Read {
    let mut body = Body::new(framing);
    let mut read = Read { payload: Vec::new(), rest: Vec::new(), end: Ok(()) };
    for piece in pieces {
        match body.feed(piece, |part| read.payload.extend_from_slice(part)) {
            Ok(rest) => read.rest.extend_from_slice(rest),
            Err(error) => {
                assert_eq!(body.feed(b"more", |_| panic!("nothing follows an error")), Err(error));
                read.end = Err(error);
                assert_eq!(body.finish(), read.end);
                return read;
            }
        }
    }
    assert_eq!(body.excess(), read.rest.len() as u64);
    read.end = body.finish();
    read
}

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
        ("\r\n", "", BodyError::InvalidSize),
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
    let long = "a".repeat(16 << 10);
    let error = Err(BodyError::LineTooLong);
    check(Framing::Chunked, format!("1;{long}").as_bytes(), b"", b"", error);
    check(Framing::Chunked, format!("1{}", " ".repeat(16 << 10)).as_bytes(), b"", b"", error);
    check(Framing::Chunked, format!("0\r\n{long}:").as_bytes(), b"", b"", error);
    check(Framing::Chunked, format!("0\r\n{}", "a:b\r\n".repeat(4 << 10)).as_bytes(), b"", b"", error);
    let chunk = format!("4000\r\n{long}\r\n");
    let input = format!("{chunk}{chunk}0\r\n\r\n");
    check(Framing::Chunked, input.as_bytes(), long.repeat(2).as_bytes(), b"", Ok(()));
}

#[test]
fn a_body_that_ends_early_is_an_error_unless_it_ends_with_the_connection() {
    let whole = b"5;x\r\nhello\r\n0\r\nA: b\r\n\r\n";
    for end in 0..whole.len() {
        let payload = &b"hello"[..end.saturating_sub(5).min(5)];
        check(Framing::Chunked, &whole[..end], payload, b"", Err(BodyError::Incomplete));
    }
    check(Framing::Length(3), b"ab", b"ab", b"", Err(BodyError::Incomplete));
    check(Framing::Length(3), b"abcde", b"abc", b"de", Ok(()));
    check(Framing::Length(0), b"", b"", b"", Ok(()));
    check(Framing::Length(0), b"ab", b"", b"ab", Ok(()));
    check(Framing::UntilClose, b"abc", b"abc", b"", Ok(()));
    check(Framing::UntilClose, b"", b"", b"", Ok(()));
}
