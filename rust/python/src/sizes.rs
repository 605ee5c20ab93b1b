//! Sizes in the form in which CPython takes them.

use pyo3::ffi::Py_ssize_t;

/// A size or an offset in memory. Rust makes no object of more than `isize::MAX` bytes, so none becomes
/// negative.
#[allow(clippy::cast_possible_wrap)]
pub const fn signed(size: usize) -> Py_ssize_t {
    size as Py_ssize_t
}
