//! How much of its stack a thread has left.
//!
//! Reading and writing JSON calls itself for each level of nesting, in this crate and in the libraries
//! below. Threads may have small stacks, and what overflows one ends the process.

use std::cell::Cell;

use pyo3::prelude::*;

/// What is kept free for calls that do not nest: bytes.
const RESERVE: usize = 16 * 1024;

/// The address below which the current thread should not nest any deeper; zero if the system does not say
/// where the stack ends.
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
    // Some libraries run code on stacks of their own.
    if (low..high).contains(&here()) { low + RESERVE } else { 0 }
}

/// An address in the stack at the place of the call. Stacks grow downwards on all systems of today.
#[inline]
pub fn here() -> usize {
    let local = 0_u8;
    (&raw const local).addr()
}

/// The bytes that the current thread's stack has left above its floor.
pub fn left() -> usize {
    here().saturating_sub(floor())
}

/// The bytes that the current thread's stack has left, beside a reserve; a great many, if that is unknown.
#[pyfunction(name = "_stack_left")]
pub fn stack_left() -> usize {
    left()
}

#[cfg(any(target_os = "linux", target_os = "android"))]
fn bounds() -> Option<(usize, usize)> {
    use std::mem::MaybeUninit;
    use std::ptr;

    let mut attributes = MaybeUninit::<libc::pthread_attr_t>::uninit();
    // SAFETY: the first function fills the attributes if it gives zero. The second reads them and writes to
    // the two variables, and the last frees what the first allocated.
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
    // SAFETY: both functions only read what is known of the current thread.
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
    // SAFETY: the function writes two addresses, each of which a usize holds.
    unsafe { GetCurrentThreadStackLimits(&raw mut low, &raw mut high) };
    Some((low, high))
}

#[cfg(not(any(target_os = "linux", target_os = "android", target_vendor = "apple", windows)))]
fn bounds() -> Option<(usize, usize)> {
    None
}
