//! How much of its stack a thread has left.
//!
//! JSON readers and writers, here and in other libraries, call themselves for each level of nesting.
//! Threads may have small stacks, and an overflow ends the process.

use std::cell::Cell;

use pyo3::prelude::*;

/// The number of bytes kept free for calls that do not nest.
///
/// CPython 3.14 ends the process if Python code is called within the last 20 KiB.
const RESERVE: usize = 24 * 1024;

/// The address below which the current thread should not nest deeper. Zero if the system does not say where
/// the stack ends.
#[inline]
pub fn floor() -> usize {
    thread_local! {
        /// The lowest and the highest address of the stack, looked up once.
        static BOUNDS: Cell<Option<(usize, usize)>> = const { Cell::new(None) };
    }

    let (low, high) = BOUNDS.get().unwrap_or_else(|| {
        let bounds = bounds().unwrap_or_default();
        BOUNDS.set(Some(bounds));
        bounds
    });
    // Some libraries run code on stacks of their own, whose bounds are not known.
    if (low..high).contains(&here()) { low + RESERVE } else { 0 }
}

/// An address in the stack frame of this call. Stacks grow downwards on all current systems.
#[inline]
pub fn here() -> usize {
    let local = 0_u8;
    (&raw const local).addr()
}

/// The number of bytes that the current thread's stack has left above its floor.
pub fn left() -> usize {
    here().saturating_sub(floor())
}

/// The number of bytes that the current thread's stack has left, less a reserve. Very large if unknown.
#[pyfunction(name = "_stack_left")]
pub fn stack_left() -> usize {
    left()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bounds() -> Option<(usize, usize)> {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the first function fills the attributes if it gives zero. The second one reads them and
    // writes to the two variables. The last one frees what the first one allocated.
    unsafe {
        if libc::pthread_getattr_np(libc::pthread_self(), attributes.as_mut_ptr()) != 0 {
            return None;
        }
        let mut low = ptr::null_mut();
        let mut size = 0;
        let result = libc::pthread_attr_getstack(attributes.as_ptr(), &raw mut low, &raw mut size);
        libc::pthread_attr_destroy(attributes.as_mut_ptr());
        (result == 0).then(|| (low.addr(), low.addr() + size))
    }
}

#[cfg(target_vendor = "apple")]
fn bounds() -> Option<(usize, usize)> {
    // SAFETY: both functions only read the data of the current thread.
    unsafe {
        let thread = libc::pthread_self();
        let high = libc::pthread_get_stackaddr_np(thread).addr();
        Some((high - libc::pthread_get_stacksize_np(thread), high))
    }
}

#[cfg(windows)]
fn bounds() -> Option<(usize, usize)> {
    #[link(name = "kernel32")]
    unsafe extern "system" {
        fn GetCurrentThreadStackLimits(low: *mut usize, high: *mut usize);
    }
    let (mut low, mut high) = (0, 0);
    // SAFETY: the function writes two addresses, and a `usize` holds an address.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    Some((low, high))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
fn bounds() -> Option<(usize, usize)> {
    None
}
