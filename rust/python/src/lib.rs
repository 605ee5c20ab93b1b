//! The extension module `ssejet._core`: makes Python objects directly from the parser's slices.
//!
//! Imports run one way: `items` → `input` → `packing` → `decoder`; `items` → `build`, `decoder` → `event` → the
//! single files; `encode` → `event`, `decoder`; `items` → `arrivals` → `body`, `read_buffer`, `read_wait`; `body` →
//! `decoder`. All that a read touches imports `footprint`, which imports nothing.

// Docstrings are written for Python.
#![allow(clippy::doc_markdown)]
// Python's calling conventions decide what is passed by value.
#![allow(clippy::needless_pass_by_value)]

mod arrivals;
mod body;
mod build;
mod calls;
mod counts;
mod decoder;
mod encode;
mod errors;
mod event;
mod footprint;
mod imports;
mod input;
mod interpreter;
mod items;
mod packing;
mod read_buffer;
mod read_wait;
mod shape_hash;
mod sizes;
mod stack;
mod text;

use pyo3::prelude::*;

#[pymodule(gil_used = false)]
mod _core {
    use super::calls::speed_up;
    use super::{Bound, PyModule, PyModuleMethods, PyResult, event, interpreter};

    #[pymodule_export]
    use super::arrivals::BodyArrivals;

    #[pymodule_export]
    use super::body::BodyReader;

    #[pymodule_export]
    use super::build::Assembler;

    #[pymodule_export]
    use super::build::{GrowingJSON, ModelMaker};

    #[pymodule_export]
    use super::counts::StreamCounts;

    #[pymodule_export]
    use super::decoder::Decoder;

    #[pymodule_export]
    use super::encode::encode;

    #[pymodule_export]
    use super::event::check_nesting;

    #[pymodule_export]
    use super::event::restore_event;

    #[pymodule_export]
    use super::input::EventInput;

    #[pymodule_export]
    use super::items::{AnswerBuilder, AsyncAnswers};

    #[pymodule_export]
    use super::items::AsyncItemStream;

    #[pymodule_export]
    use super::items::BlockDecoder;

    #[pymodule_export]
    use super::items::ItemBuilder;

    #[pymodule_export]
    use super::items::ItemDecoder;

    #[pymodule_export]
    use super::items::ItemStream;

    #[pymodule_export]
    use super::items::KnownShapes;

    #[pymodule_export]
    use super::items::OrdinaryEvents;

    #[pymodule_export]
    use super::items::UntilError;

    #[pymodule_export]
    use super::packing::KeptBytes;

    #[pymodule_export]
    use super::read_buffer::ReadBuffer;

    #[pymodule_export]
    use super::read_wait::ReadWait;

    #[pymodule_export]
    use super::stack::stack_left;

    /// Whether this is a build without optimisations, which is many times slower.
    #[pymodule_export]
    const DEBUG: bool = cfg!(debug_assertions);

    /// The version of the package, which is that of the crates.
    #[pymodule_export]
    #[allow(non_upper_case_globals)]
    const __version__: &str = env!("CARGO_PKG_VERSION");

    // Python calls this again if the module is deleted from `sys.modules` and imported again.
    #[pymodule_init]
    fn init(module: &Bound<'_, PyModule>) -> PyResult<()> {
        let py = module.py();
        interpreter::claim(py)?;
        speed_up!(py, Decoder, "feed", Decoder::feed)?;
        speed_up!(py, Decoder, "_feed", Decoder::feed_or_finish)?;
        speed_up!(py, EventInput, "feed", EventInput::feed)?;
        speed_up!(py, BodyArrivals, "get_buffer", BodyArrivals::get_buffer)?;
        speed_up!(py, BodyArrivals, "buffer_updated", BodyArrivals::buffer_updated)?;
        speed_up!(py, AnswerBuilder, "build", AnswerBuilder::build)?;
        module.add("ServerSentEvent", event::class(py)?)
    }
}
