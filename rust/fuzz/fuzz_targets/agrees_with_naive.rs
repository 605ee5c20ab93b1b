//! The parser gives what the naive parser gives.

#![no_main]

use libfuzzer_sys::fuzz_target;
use ssejet_fuzz::Input;
use ssejet_fuzz::common::{decode_chunks, naive};

fuzz_target!(|input: Input| {
    let (options, id) = (input.options(), input.last_event_id());
    assert_eq!(decode_chunks(input.chunks(), options, id), naive::decode(input.stream, options, id));
});
