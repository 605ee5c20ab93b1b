//! Blocks, encoded, and what a parser must make of them.

use ssejet_core::{Block, InvalidField};

use super::OwnedEvent;

/// # Errors
///
/// What the first block that cannot be encoded is refused for.
pub fn encode(blocks: &[Block<'_>]) -> Result<Vec<u8>, InvalidField> {
    let mut out = Vec::new();
    for block in blocks {
        block.encode(&mut out)?;
    }
    Ok(out)
}

/// The events of these blocks: ids persist, line ends become LF, and blocks without data give none.
pub fn events(blocks: &[Block<'_>]) -> Vec<OwnedEvent> {
    let mut last_event_id: Option<Vec<u8>> = None;
    let mut events = Vec::new();
    for block in blocks {
        last_event_id = block.id.map(<[u8]>::to_vec).or(last_event_id);
        if let Some(data) = block.data {
            events.push(OwnedEvent {
                event_type: block.event_type.unwrap_or_default().to_vec(),
                data: with_line_feeds(data),
                last_event_id: last_event_id.clone(),
                retry: block.retry,
            });
        }
    }
    events
}

fn with_line_feeds(data: &[u8]) -> Vec<u8> {
    let mut out = Vec::new();
    for (place, byte) in data.iter().enumerate() {
        match byte {
            b'\n' if place > 0 && data[place - 1] == b'\r' => {}
            b'\r' => out.push(b'\n'),
            _ => out.push(*byte),
        }
    }
    out
}
