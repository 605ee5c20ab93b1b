//! From bytes to typed items.

mod answers;
mod blocks;
mod decoder;
mod rules;
mod shapes;
mod stream;

pub use answers::AnswerBuilder;
pub use blocks::BlockDecoder;
pub use decoder::ItemDecoder;
pub use shapes::KnownShapes;
pub use stream::{AsyncItemStream, ItemStream};
