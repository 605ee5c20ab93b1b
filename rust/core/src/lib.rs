//! An incremental decoder of server-sent events, and their encoder.
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
//!
//! A [`Block`] is written so that parsers give back what went in, whatever line ends its data has:
//!
//! ```
//! use ssejet_core::Block;
//!
//! let mut out = Vec::new();
//! Block { data: Some(b"hel\r\nlo"), ..Block::default() }.encode(&mut out)?;
//! assert_eq!(out, b"data: hel\ndata: lo\n\n");
//! # Ok::<(), ssejet_core::InvalidField>(())
//! ```

#![forbid(unsafe_code)]

mod encoder;
mod error;
mod event;
mod lines;
mod options;
mod parser;

pub use encoder::Block;
pub use error::{EventTooLarge, InvalidField};
pub use event::{Event, Sink};
pub use options::{Dispatch, Options};
pub use parser::Parser;
