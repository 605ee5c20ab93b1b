//! A parser gives back what was encoded, or the encoder refused it for a reason.

#![no_main]

use arbitrary::Arbitrary;
use libfuzzer_sys::fuzz_target;
use ssejet_core::{Block, Options};
use ssejet_fuzz::common::decode_chunks;
use ssejet_fuzz::common::encoding::{encode, events};

#[derive(Arbitrary, Debug)]
struct Parts<'a> {
    comment: Option<&'a [u8]>,
    event_type: Option<&'a [u8]>,
    id: Option<&'a [u8]>,
    retry: Option<u64>,
    data: Option<&'a [u8]>,
}

impl<'a> Parts<'a> {
    fn block(&self) -> Block<'a> {
        Block {
            comment: self.comment,
            event_type: self.event_type,
            id: self.id,
            retry: self.retry.map(|retry| retry >> 1),
            data: self.data,
        }
    }
}

fuzz_target!(|parts: Vec<Parts>| {
    let blocks: Vec<_> = parts.iter().map(Parts::block).collect();
    match encode(&blocks) {
        Ok(bytes) => assert_eq!(decode_chunks([&*bytes], Options::default(), b"").events, events(&blocks)),
        Err(_) => assert!(blocks.iter().any(|block| {
            let fields = [block.event_type, block.id];
            fields.into_iter().flatten().flatten().any(|byte| b"\r\n\0".contains(byte))
        })),
    }
});
