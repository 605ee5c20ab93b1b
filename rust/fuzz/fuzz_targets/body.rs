//! A body gives the same, whole, byte by byte, or cut anywhere, and the same as a naive reader gives.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ssejet_core::body::Framing;
use ssejet_fuzz::common::body::{Read, naive, read};
use ssejet_fuzz::common::cut;

#[derive(Arbitrary, Debug)]
struct Input<'a> {
    /// Most bodies are chunked.
    framing: u8,
    places: [u16; 4],
    stream: &'a [u8],
}

fuzz_target!(|input: Input| {
    let stream = input.stream;
    let framing = match input.framing {
        0 => Framing::UntilClose,
        length @ 1..16 => Framing::Length(u64::from(length - 1)),
        _ => Framing::Chunked,
    };
    let mut places = input.places.map(|place| usize::from(place) % (stream.len() + 1));
    places.sort_unstable();

    let whole = read(framing, [stream]);
    assert_eq!(read(framing, stream.chunks(1)), whole);
    assert_eq!(read(framing, cut(stream, &places)), whole);
    let end = whole.end.map_err(|_| ());
    assert_eq!(Read { end, payload: whole.payload, rest: whole.rest }, naive(framing, stream));
});
