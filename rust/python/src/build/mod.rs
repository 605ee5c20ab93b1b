//! Builds objects straight from JSON, by a plan.

mod assembler;
mod builder;
mod cursor;
mod maker;
mod plan;

pub use crate::errors::Stop;
pub use assembler::Assembler;
pub use maker::ModelMaker;
pub use builder::{Builder, Memory};
