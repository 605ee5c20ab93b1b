/// Which blocks are dispatched as events, at the blank line that ends them.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum Dispatch {
    /// Blocks with at least one `data` line: the standard's rule.
    #[default]
    Data,
    /// Blocks with a `data` line, an event type or a reconnection time, and every block once
    /// the last event ID is not empty: what httpx-sse does.
    AnyState,
    /// Blocks with any valid field, even an empty one: what httpx2 does.
    AnyField,
}

/// How a [`Parser`](crate::Parser) works.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Options {
    /// Which blocks are dispatched.
    pub dispatch: Dispatch,
    /// The bytes that one unfinished event may hold: its data, its type, its id, and the value
    /// of its unfinished line.
    pub max_event_size: usize,
    /// Whether comments are delivered. If not, they are dropped as they arrive.
    pub comments: bool,
    /// Whether the end of input completes an unterminated line and dispatches its block.
    pub flush_incomplete: bool,
}

impl Default for Options {
    fn default() -> Self {
        Self { dispatch: Dispatch::Data, max_event_size: 64 << 20, comments: false, flush_incomplete: false }
    }
}
