//! From chunks of bytes to events: the class `Decoder` and its iterator.

mod buffer;
mod dialect;
mod input;
mod iter;
mod methods;
mod sink;
mod state;

pub use buffer::bytes;
pub use dialect::Dialect;
pub use input::EventInput;
pub use sink::{EventMaker, list};
pub use state::Decoder;
