//! The class `ServerSentEvent`.

mod json;
mod object;
mod slots;

pub use json::check_nesting;
pub use object::{DEFAULT_TYPE, Fields, create, milliseconds};
pub use slots::{class, restore_event};
