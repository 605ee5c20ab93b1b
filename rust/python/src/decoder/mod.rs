//! From chunks of bytes to events: the class `Decoder` and its iterator.

mod buffer;
mod dialect;
mod iter;
mod methods;
mod sink;
mod state;

pub use buffer::{bytes, is_one_line};
pub use dialect::Dialect;
pub use sink::{EventMaker, list};
pub use state::Decoder;
