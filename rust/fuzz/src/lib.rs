//! What the fuzz targets share: their input, and the tests' naive parser.

#[path = "../../core/tests/common/mod.rs"]
pub mod common;

use arbitrary::Arbitrary;
use ssejet_core::{Dispatch, Options};

/// A stream, how to decode it and where to cut it.
#[derive(Arbitrary, Debug)]
pub struct Input<'a> {
    dispatch: u8,
    max_event_size: Option<u8>,
    comments: bool,
    flush_incomplete: bool,
    has_last_event_id: bool,
    places: [u16; 6],
    /// The last field, so that it takes all the bytes that are left.
    pub stream: &'a [u8],
}

impl Input<'_> {
    pub fn options(&self) -> Options {
        let dispatches = [Dispatch::Data, Dispatch::AnyState, Dispatch::AnyField];
        Options::default()
            .with_dispatch(dispatches[usize::from(self.dispatch) % dispatches.len()])
            .with_max_event_size(self.max_event_size.map_or(usize::MAX, usize::from))
            .with_comments(self.comments)
            .with_flush_incomplete(self.flush_incomplete)
    }

    pub fn last_event_id(&self) -> &'static [u8] {
        if self.has_last_event_id { b"7" } else { b"" }
    }

    /// The stream, cut at the places drawn; a place drawn twice gives an empty chunk.
    pub fn chunks(&self) -> Vec<&[u8]> {
        let mut places = self.places.map(|place| usize::from(place) % (self.stream.len() + 1));
        places.sort_unstable();
        common::cut(self.stream, &places)
    }
}
