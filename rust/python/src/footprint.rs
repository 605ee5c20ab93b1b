//! `Footprint`: the memory that the next read of a stream will touch.
//!
//! If a process has a thousand streams, little of what one of them needs is in the processor's cache, and the
//! processor would wait for one piece of memory after the other. The event loop asks for a buffer just before it
//! reads from the socket. Then the processor begins to fetch all of this memory at once, while the kernel copies the
//! bytes that have arrived.

use std::mem::size_of_val;

use pyo3::ffi;
use pyo3::prelude::*;

/// The number of bytes that a processor fetches at once.
const LINE: usize = 64;

/// A stream of usual answers touches about 70 lines. To fetch many more would drop the first ones again.
const MOST_LINES: usize = 96;

/// Memory moves when it has to grow, so the footprint is taken again once in so many reads.
const PERIOD: u32 = 32;

/// Addresses of memory. Nothing reads there, as some of it may have been freed.
#[derive(Default)]
pub struct Footprint {
    lines: Vec<usize>,
}

impl Footprint {
    /// Whether the footprint is to be taken at a read: at the second one, when the first has allocated what it
    /// keeps, and once in a while after it.
    pub fn is_due(read: u32) -> bool {
        read % PERIOD == 2
    }

    /// Adds an object, without what it refers to.
    pub fn add_object(&mut self, object: &Bound<'_, PyAny>) {
        // SAFETY: the object is alive, so its type is, and this thread is attached.
        let size = unsafe { (*ffi::Py_TYPE(object.as_ptr())).tp_basicsize };
        self.add_memory(object.as_ptr(), size.unsigned_abs());
    }

    /// Adds the items of a vector.
    pub fn add_items<T>(&mut self, items: &[T]) {
        self.add_memory(items.as_ptr(), size_of_val(items));
    }

    /// Adds the bytes from an address on.
    pub fn add_memory<T>(&mut self, start: *const T, size: usize) {
        if size > 0 {
            let start = start as usize;
            let room = MOST_LINES.saturating_sub(self.lines.len());
            self.lines.extend((start & !(LINE - 1)..start.saturating_add(size)).step_by(LINE).take(room));
        }
    }

    /// Lets the processor fetch the memory.
    #[inline]
    pub fn fetch(&self) {
        for line in &self.lines {
            fetch(*line as *const u8);
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
