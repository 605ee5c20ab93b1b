//! `Footprint`: the memory that the next read of a stream will touch.
//!
//! If a process has a thousand streams, little of what one of them needs is in the processor's cache, and the
//! processor would wait for one piece of memory after the other. The event loop asks for a buffer just before it
//! reads from the socket. Then the processor begins to fetch all of this memory at once, while the kernel copies the
//! bytes that have arrived. With few streams all of it is in the cache, and nothing is done.

use std::cell::Cell;
use std::mem::size_of_val;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering::Relaxed};

use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::sync::critical_section::with_critical_section;
use pyo3::types::{PyDict, PyList, PySet};

/// The number of bytes that a processor fetches at once.
pub const LINE: usize = 64;

/// The bits of an address that tell the bytes of a line apart.
const LOW_BITS: usize = LINE - 1;

/// Up to this many bytes before an object belong to it: they are for the garbage collector and for `__dict__`.
const HEAD: usize = 4 * size_of::<usize>();

/// An empty table of a dict's keys takes about this many bytes.
const KEYS: usize = 40;

/// Each entry of the table adds this many bytes.
const ENTRY: usize = 3 * size_of::<usize>();

/// A stream of usual answers touches about 90 lines, and its last item has about 60. To fetch many more would
/// drop the first ones again.
const MOST_LINES: usize = 128;

/// Memory moves when it has to grow, so the footprint is taken again once in so many reads.
const PERIOD: u32 = 32;

/// The memory of a stream is still in the cache if other streams had no more than this number of reads since its
/// own last one: the reads of 50 streams touch about half a megabyte.
const FEW_READS: u32 = 50;

thread_local! {
    /// The number of reads of all streams in this thread.
    static READS: Cell<u32> = const { Cell::new(0) };
}

/// The last read of a stream.
#[derive(Default)]
pub struct LastRead {
    number: AtomicU32,
    is_cold: AtomicBool,
}

impl LastRead {
    /// Takes note that the next read begins. Gives whether it is cold.
    #[inline]
    pub fn begin(&self) -> bool {
        let number = READS.get().wrapping_add(1);
        READS.set(number);
        let is_cold = number.wrapping_sub(self.number.load(Relaxed)) > FEW_READS;
        self.number.store(number, Relaxed);
        self.is_cold.store(is_cold, Relaxed);
        is_cold
    }

    /// Whether the memory of the stream may have left the cache before this read.
    pub fn is_cold(&self) -> bool {
        self.is_cold.load(Relaxed)
    }
}

/// Addresses of memory. Nothing reads there, as some of it may have been freed.
#[derive(Default)]
pub struct Footprint {
    /// The address of the first line of each piece, plus the number of its lines: the low bits of the address
    /// are zero. The list is short, because it is out of the cache itself when it is needed.
    pieces: Vec<usize>,
    /// How many lines all pieces have.
    lines: usize,
}

impl Footprint {
    /// Whether the footprint is to be taken at a read: at the second one, when the first has allocated what it
    /// keeps, and once in a while after it.
    pub fn is_due(read: u32) -> bool {
        read % PERIOD == 2
    }

    /// Adds an object, without what it refers to.
    #[inline]
    pub fn add_object(&mut self, object: &Bound<'_, PyAny>) {
        // SAFETY: the object is alive, so its type is, and this thread is attached.
        let (size, flags) = unsafe {
            let class = ffi::Py_TYPE(object.as_ptr());
            ((*class).tp_basicsize.unsigned_abs(), ffi::PyType_GetFlags(class))
        };
        let head = if flags & ffi::Py_TPFLAGS_HAVE_GC == 0 { 0 } else { HEAD };
        self.add_memory(object.as_ptr().cast::<u8>().wrapping_sub(head), head + size);
    }

    /// Adds a dict, without its keys and values.
    #[inline]
    pub fn add_dict(&mut self, dict: &Bound<'_, PyDict>) {
        self.add_object(dict);
        with_critical_section(dict, || {
            // SAFETY: it is a dict and alive, this thread is attached, and no other one changes it meanwhile.
            let keys = unsafe { (*dict.as_ptr().cast::<ffi::PyDictObject>()).ma_keys };
            self.add_memory(keys, KEYS + dict.len() * ENTRY);
        });
    }

    /// Adds a list, without its items.
    #[inline]
    pub fn add_list(&mut self, list: &Bound<'_, PyList>) {
        self.add_object(list);
        with_critical_section(list, || {
            // SAFETY: as in `add_dict`.
            let items = unsafe { (*list.as_ptr().cast::<ffi::PyListObject>()).ob_item };
            self.add_memory(items, list.len() * size_of::<*mut ffi::PyObject>());
        });
    }

    /// Adds a set, without its items.
    #[inline]
    pub fn add_set(&mut self, set: &Bound<'_, PySet>) {
        self.add_object(set);
        with_critical_section(set, || {
            // SAFETY: as in `add_dict`.
            let (table, mask) = unsafe {
                let set = set.as_ptr().cast::<ffi::PySetObject>();
                ((*set).table, (*set).mask.unsigned_abs())
            };
            // A small table is in the object itself.
            if mask >= ffi::PySet_MINSIZE {
                self.add_memory(table, (mask + 1) * size_of::<ffi::setentry>());
            }
        });
    }

    /// Adds the items of a vector.
    pub fn add_items<T>(&mut self, items: &[T]) {
        self.add_memory(items.as_ptr(), size_of_val(items));
    }

    /// Adds the bytes from an address on.
    pub fn add_memory<T>(&mut self, start: *const T, size: usize) {
        let start = start as usize;
        let first = start & !LOW_BITS;
        let count = start.saturating_add(size).saturating_sub(first).div_ceil(LINE);
        let count = count.min(MOST_LINES - self.lines).min(LOW_BITS);
        if size > 0 && count > 0 {
            self.pieces.push(first | count);
            self.lines += count;
        }
    }

    /// Forgets all of it.
    pub fn clear(&mut self) {
        self.pieces.clear();
        self.lines = 0;
    }

    /// Lets the processor fetch the memory.
    #[inline]
    pub fn fetch(&self) {
        for piece in &self.pieces {
            let first = piece & !LOW_BITS;
            for line in 0..piece & LOW_BITS {
                fetch((first + line * LINE) as *const u8);
            }
        }
    }
}

/// Lets the processor fetch the memory at an address. It goes on without waiting for it.
#[cfg(target_arch = "x86_64")]
#[inline]
pub fn fetch<T>(address: *const T) {
    use std::arch::x86_64::{_MM_HINT_T0, _mm_prefetch};

    // SAFETY: any address may be given. Nothing happens if there is no memory.
    unsafe { _mm_prefetch::<_MM_HINT_T0>(address.cast()) }
}

/// Other processors fetch nothing ahead.
#[cfg(not(target_arch = "x86_64"))]
#[inline]
pub fn fetch<T>(_address: *const T) {}
