//! From bytes to typed items.

mod decoder;
mod rules;
mod shapes;

pub use decoder::ItemDecoder;
pub use shapes::KnownShapes;
