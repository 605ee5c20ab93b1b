//! An incremental decoder of server-sent events.
//!
//! Bytes go in, in chunks cut anywhere; each complete event comes out through a [`Sink`] as
//! slices borrowed from the chunk wherever it arrived whole. The format is the one of the
//! [WHATWG HTML standard](https://html.spec.whatwg.org/multipage/server-sent-events.html).
//! There is no I/O, no unsafe code, and no allocation for lines that say nothing.
//!
//! ```
//! use ssejet_core::{Event, Options, Parser, Sink};
//!
//! #[derive(Default)]
//! struct Collect(Vec<String>);
//!
//! impl Sink for Collect {
//!     fn event(&mut self, event: Event<'_>) {
//!         self.0.push(event.data_lossy().into_owned());
//!     }
//! }
//!
//! let mut parser = Parser::new(Options::default());
//! let mut events = Collect::default();
//! parser.feed(b"data: hel", &mut events)?;
//! parser.feed(b"lo\n\n", &mut events)?;
//! assert_eq!(events.0, ["hello"]);
//! # Ok::<(), ssejet_core::EventTooLarge>(())
//! ```

#![forbid(unsafe_code)]

mod error;
mod event;
mod lines;
mod options;
mod parser;

pub use error::EventTooLarge;
pub use event::{Event, Sink};
pub use options::{Dispatch, Options};
pub use parser::Parser;
