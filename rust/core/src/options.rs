//! What a parser can be told.

/// Which blocks become events. A block is the lines up to a blank line.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum Dispatch {
    /// Blocks with at least one `data` line. This is the standard's rule.
    #[default]
    Data,
    /// Blocks with a `data` line, an event type or a reconnection time. Once the last event ID is
    /// not empty, every block. Some decoders work like this.
    AnyState,
    /// Blocks with any valid field, even an empty one. Some decoders work like this.
    AnyField,
}

/// How a [`Parser`](crate::Parser) works.
///
/// ```
/// use ssejet_core::Options;
///
/// let options = Options::default().with_max_event_size(1 << 20).with_comments(true);
/// assert_eq!(options.max_event_size, 1 << 20);
/// ```
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub struct Options {
    /// Which blocks become events.
    pub dispatch: Dispatch,
    /// The number of bytes that one unfinished event may hold: its data, its type, its id, and
    /// the value of its unfinished line. 64 MiB by default; `usize::MAX` is no limit.
    pub max_event_size: usize,
    /// Whether comments are delivered. If not, they are dropped as they arrive.
    pub comments: bool,
    /// Whether the end of the input completes an unterminated line and dispatches its block.
    pub flush_incomplete: bool,
}

impl Options {
    /// Sets [`dispatch`](Self::dispatch).
    #[must_use]
    pub const fn with_dispatch(mut self, dispatch: Dispatch) -> Self {
        self.dispatch = dispatch;
        self
    }

    /// Sets [`max_event_size`](Self::max_event_size).
    #[must_use]
    pub const fn with_max_event_size(mut self, bytes: usize) -> Self {
        self.max_event_size = bytes;
        self
    }

    /// Sets [`comments`](Self::comments).
    #[must_use]
    pub const fn with_comments(mut self, deliver: bool) -> Self {
        self.comments = deliver;
        self
    }

    /// Sets [`flush_incomplete`](Self::flush_incomplete).
    #[must_use]
    pub const fn with_flush_incomplete(mut self, flush: bool) -> Self {
        self.flush_incomplete = flush;
        self
    }
}

impl Default for Options {
    /// The standard's rules, and 64 MiB for one event.
    fn default() -> Self {
        Self { dispatch: Dispatch::Data, max_event_size: 64 << 20, comments: false, flush_incomplete: false }
    }
}
