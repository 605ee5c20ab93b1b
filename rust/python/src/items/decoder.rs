//! `ItemDecoder`: from the bytes of a stream to the items of an SDK.

use pyo3::prelude::*;
use pyo3::types::{PyBytes, PyIterator};
use pyo3::{PyTraverseError, PyVisit};
use ssejet_core::{EventQueue, Options, Parser};

use super::ordinary::{Habits, Ordinary};
use super::rules::Rules;
use super::source::Source;
use crate::build::{Assembler, Builder, Memory, Stamp};
use crate::decoder::{self, Dialect, EventMaker};
use crate::errors::{Stop, event_too_large};
use crate::footprint::Footprint;

/// Decodes an event stream into the items that an SDK makes of its events.
///
/// This is an iterator over the items of the bytes fed so far. Each event gives an item, or the
/// ``ServerSentEvent`` itself where it is not known what the SDK makes of it. An item is made when it is
/// asked for: if many were made at once, the garbage collector would search them for cycles.
///
/// Args:
///     assembler: builds an item.
///     dialect: the decoder's dialect.
///     only: the types of the events that become items, or None for all.
///     wrapped: the start of the types of events whose items have the fields ``data`` and ``event``.
///     error_key: the key by which the SDK knows an error. Nothing is built of data in which its value is true.
///     ordinary: whether only ordinary events are decoded: one line of data that looks like a JSON object, and
///         nothing else. Another reader must go on with ``rest`` when the decoder ``is_odd``.
///     unicode_lines: whether that reader ends lines at other characters than CR and LF.
#[pyclass(module = "ssejet._core")]
pub struct ItemDecoder {
    splitter: Splitter,
    maker: EventMaker,
    /// The events that wait to be made into items.
    queue: EventQueue,
    assembler: Py<Assembler>,
    memory: Memory,
    rules: Rules,
    /// An event that was taken from the queue, of which no item was made.
    refused: Option<Py<PyAny>>,
    stamp: Option<Stamp>,
    /// Where the next bytes are, if an `AsyncItemStream` may read them.
    source: Option<Source>,
    /// The same for an `ItemStream`.
    chunks: Option<Py<PyIterator>>,
}

/// What finds the events in the bytes.
enum Splitter {
    Standard(Parser),
    Ordinary(Ordinary),
}

/// What a decoder has ready.
pub enum Ready<'py> {
    Item(Bound<'py, PyAny>),
    /// No event, or one of which no item is made.
    Nothing,
    Error(PyErr),
}

#[pymethods]
impl ItemDecoder {
    #[new]
    #[pyo3(signature = (
        assembler, /, *, dialect, only = None, wrapped = None, error_key = None, ordinary = false, unicode_lines = true
    ))]
    fn new(
        assembler: Bound<'_, Assembler>,
        dialect: &str,
        only: Option<Vec<String>>,
        wrapped: Option<String>,
        error_key: Option<String>,
        ordinary: bool,
        unicode_lines: bool,
    ) -> PyResult<Self> {
        let dialect = Dialect::named(dialect)?;
        let options = Options::default().with_dispatch(dialect.dispatch);
        Ok(Self {
            splitter: if ordinary {
                Splitter::Ordinary(Ordinary::new(Habits {
                    all_fields: false,
                    unicode_lines,
                    limit: usize::MAX,
                }))
            } else {
                Splitter::Standard(Parser::new(options))
            },
            maker: EventMaker::new(assembler.py(), dialect),
            queue: EventQueue::default(),
            memory: Memory::new(assembler.get().plan()),
            assembler: assembler.unbind(),
            rules: Rules { only, last: 0, wrapped, error_key },
            refused: None,
            stamp: None,
            source: None,
            chunks: None,
        })
    }

    /// Decode the next bytes of the stream.
    ///
    /// Returns:
    ///     This iterator.
    ///
    /// Raises:
    ///     EventTooLargeError, TypeError: as for ``Decoder.feed``.
    #[pyo3(signature = (chunk, /))]
    pub fn feed<'py>(slf: &Bound<'py, Self>, chunk: &Bound<'py, PyAny>) -> PyResult<Bound<'py, Self>> {
        let bytes = decoder::bytes(chunk)?;
        let mut this = slf.try_borrow_mut()?;
        let Self { splitter, queue, .. } = &mut *this;
        match splitter {
            Splitter::Ordinary(ordinary) => ordinary.feed(&bytes, queue),
            Splitter::Standard(parser) => match parser.feed(&bytes, queue) {
                Err(error) if queue.is_empty() => return Err(event_too_large(slf.py(), error)),
                _ => {}
            },
        }
        Ok(slf.clone())
    }

    /// Decode the end of the stream, which drops an unfinished event.
    ///
    /// Raises:
    ///     EventTooLargeError: as for ``Decoder.finish``.
    fn finish(&mut self, py: Python<'_>) -> PyResult<()> {
        let Splitter::Standard(parser) = &mut self.splitter else { return Ok(()) };
        parser.finish(&mut self.queue).map_err(|error| event_too_large(py, error))
    }

    /// Whether something else than an ordinary event came, so that another reader must go on with ``rest``.
    #[getter]
    fn is_odd(&self) -> bool {
        matches!(&self.splitter, Splitter::Ordinary(ordinary) if ordinary.is_odd())
    }

    /// The bytes that were not decoded, if only ordinary events are.
    #[getter]
    fn rest<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        match &self.splitter {
            Splitter::Ordinary(ordinary) => PyBytes::new(py, &ordinary.rest()),
            Splitter::Standard(_) => PyBytes::new(py, b""),
        }
    }

    /// Set a field of each item to a new copy of this model, of whose values dicts are copied, too.
    ///
    /// Raises:
    ///     TypeError: the items have no such field, or it is no model, or one that is more than its fields.
    #[pyo3(signature = (field, model, /))]
    fn stamp(&mut self, field: &str, model: &Bound<'_, PyAny>) -> PyResult<()> {
        self.stamp = Some(Stamp::new(self.assembler.get().plan(), field, model)?);
        Ok(())
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __next__<'py>(&mut self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        match self.take(py) {
            Ready::Item(item) => Ok(Some(item)),
            Ready::Nothing => Ok(self.refused.take().map(|event| event.into_bound(py))),
            Ready::Error(error) => Err(error),
        }
    }

    /// Make items of the events of this type, too.
    #[pyo3(signature = (event_type, /))]
    fn allow(&mut self, event_type: String) {
        if let Some(only) = &mut self.rules.only {
            only.push(event_type);
        }
    }

    /// Let an ``AsyncItemStream`` read on from these chunks.
    ///
    /// Args:
    ///     chunks: an ``AsyncDirectChunks``, without deadlines that span several waits.
    #[pyo3(signature = (chunks, /))]
    fn read_from(&mut self, chunks: &Bound<'_, PyAny>) -> PyResult<()> {
        self.source = Some(Source::of(chunks)?);
        Ok(())
    }

    /// Let an ``ItemStream`` read on from this iterator over bytes.
    ///
    /// The end of the iterator is left to the reader. An error is raised in the reader, where it waits for its
    /// last item to be taken.
    #[pyo3(signature = (chunks, /))]
    fn iterate(&mut self, chunks: Py<PyIterator>) {
        self.chunks = Some(chunks);
    }

    /// Forget the events that were not asked for, and where to read on.
    fn clear(&mut self) {
        self.queue.clear();
        self.refused = None;
        self.source = None;
        self.chunks = None;
    }

    // The other fields only refer to strings. An object that refers back to this one can be cleared itself.
    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.assembler)?;
        self.source.as_ref().map_or(Ok(()), |source| source.traverse(&visit))?;
        visit.call(&self.chunks)?;
        self.stamp.as_ref().map_or(Ok(()), |stamp| stamp.traverse(&visit))
    }
}

impl ItemDecoder {
    /// Gives the footprint of what was built since the last call, and takes another one for it.
    pub fn exchange_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        if let Ok(mut this) = slf.try_borrow_mut() {
            this.memory.exchange_footprint(footprint);
        }
    }

    /// Adds the memory that the next bytes will touch.
    pub fn add_footprint(slf: &Bound<'_, Self>, footprint: &mut Footprint) {
        footprint.add_object(slf);
        if let Ok(this) = slf.try_borrow() {
            this.memory.add_footprint(slf.py(), footprint);
        }
    }

    /// Whether events wait.
    pub fn has_events(slf: &Bound<'_, Self>) -> bool {
        slf.try_borrow().is_ok_and(|this| this.refused.is_none() && !this.queue.is_empty())
    }

    /// Where to read on, if there is nothing to take.
    pub fn source(slf: &Bound<'_, Self>) -> Option<Source> {
        let this = slf.try_borrow().ok().filter(|this| this.needs_bytes())?;
        this.source.as_ref().map(|source| source.clone_ref(slf.py()))
    }

    /// Where a synchronous stream reads on, if there is nothing to take.
    #[inline]
    pub fn chunks<'py>(slf: &Bound<'py, Self>) -> Option<Bound<'py, PyIterator>> {
        let this = slf.try_borrow().ok().filter(|this| this.needs_bytes())?;
        this.chunks.as_ref().map(|chunks| chunks.bind(slf.py()).clone())
    }

    /// Whether there is nothing to take, and what follows may be decoded.
    #[inline]
    fn needs_bytes(&self) -> bool {
        self.refused.is_none() && self.queue.is_empty() && !self.is_odd()
    }

    /// Takes the next item if it can be made here. An event of which none is made is what is asked for next.
    #[inline]
    pub fn ready<'py>(slf: &Bound<'py, Self>) -> Ready<'py> {
        match slf.try_borrow_mut() {
            Ok(mut this) => this.take(slf.py()),
            Err(error) => Ready::Error(error.into()),
        }
    }

    #[inline]
    fn take<'py>(&mut self, py: Python<'py>) -> Ready<'py> {
        if self.refused.is_some() {
            return Ready::Nothing;
        }
        let Some(event) = self.queue.pop() else { return Ready::Nothing };
        let plan = self.assembler.get().plan();
        let takes = self.rules.takes(event.event_type);
        let builder = Builder::new(py, plan, &mut self.memory, self.rules.error_key());
        match self.rules.build(builder, event, takes, self.stamp.as_ref()) {
            Ok(item) => Ready::Item(item),
            Err(Stop::Refused) => match self.maker.event(py, event) {
                Ok(event) => {
                    self.refused = Some(event.unbind());
                    Ready::Nothing
                }
                Err(error) => Ready::Error(error),
            },
            Err(Stop::Error(error)) => Ready::Error(error),
        }
    }
}
