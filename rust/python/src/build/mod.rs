//! Builds objects straight from JSON, by a plan.

mod assembler;
mod builder;
mod cursor;
mod growing;
mod layout;
mod maker;
mod opening;
mod plan;
mod shared_values;
mod stamp;

pub use crate::errors::Stop;
pub use assembler::Assembler;
pub use builder::{Builder, Memory};
pub use growing::GrowingJSON;
pub use maker::ModelMaker;
pub use opening::Opening;
pub use stamp::Stamp;
