//! The same bytes give the same, whole, byte by byte, or cut anywhere.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ssejet_fuzz::Input;
use ssejet_fuzz::common::decode_chunks;

fuzz_target!(|input: Input| {
    let (options, id) = (input.options(), input.last_event_id());
    let whole = decode_chunks([input.stream], options, id);
    assert_eq!(decode_chunks(input.stream.chunks(1), options, id), whole);
    assert_eq!(decode_chunks(input.chunks(), options, id), whole);
});
