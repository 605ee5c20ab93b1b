//! From bytes to typed items.

mod answers;
mod async_answers;
mod blocks;
mod builder;
mod decoder;
mod events;
mod next_item;
mod ordinary;
mod rules;
mod shapes;
mod source;
mod step;
mod stream;
mod until_error;

pub use answers::AnswerBuilder;
pub use async_answers::AsyncAnswers;
pub use blocks::BlockDecoder;
pub use builder::ItemBuilder;
pub use decoder::ItemDecoder;
pub use events::OrdinaryEvents;
pub use shapes::KnownShapes;
pub use stream::{AsyncItemStream, ItemStream};
pub use until_error::UntilError;
