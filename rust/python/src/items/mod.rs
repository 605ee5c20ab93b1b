//! From bytes to typed items.

mod decoder;
mod rules;
mod shapes;
mod stream;

pub use decoder::ItemDecoder;
pub use shapes::KnownShapes;
pub use stream::{AsyncItemStream, ItemStream};
