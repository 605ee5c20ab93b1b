//! From bytes to typed items.

mod answers;
mod decoder;
mod rules;
mod shapes;
mod stream;

pub use answers::AnswerBuilder;
pub use decoder::ItemDecoder;
pub use shapes::KnownShapes;
pub use stream::{AsyncItemStream, ItemStream};
