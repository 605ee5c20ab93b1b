#![doc = include_str!("../README.md")]
#![no_std]
#![forbid(unsafe_code)]

extern crate alloc;

pub mod body;
mod encoder;
mod error;
mod event;
mod events;
mod lines;
mod options;
mod parser;
mod queue;

pub use encoder::Block;
pub use error::{EventTooLarge, InvalidField};
pub use event::{Event, OwnedEvent, Sink};
pub use events::Events;
pub use options::{Dispatch, Options};
pub use parser::Parser;
pub use queue::EventQueue;
