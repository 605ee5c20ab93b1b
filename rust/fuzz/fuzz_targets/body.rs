//! A chunked body gives the same, whole, byte by byte, or cut anywhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ssejet_core::body::{Body, BodyError, Framing};

fn read<'i>(pieces: impl IntoIterator<Item = &'i [u8]>) -> (Vec<u8>, Vec<u8>, Result<(), BodyError>) {
    let mut body = Body::new(Framing::Chunked);
    let (mut payload, mut rest) = (Vec::new(), Vec::new());
    for piece in pieces {
        match body.feed(piece, |part| payload.extend_from_slice(part)) {
            Ok(after) => rest.extend_from_slice(after),
            Err(error) => return (payload, rest, Err(error)),
        }
    }
    let end = body.finish();
    (payload, rest, end)
}

fuzz_target!(|input: (u16, &[u8])| {
    let (place, stream) = input;
    let whole = read([stream]);
    assert_eq!(read(stream.chunks(1)), whole);
    let (first, second) = stream.split_at(usize::from(place) % (stream.len() + 1));
    assert_eq!(read([first, second]), whole);
});
