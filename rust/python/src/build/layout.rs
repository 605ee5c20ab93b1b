//! Makes instances of msgspec Structs without a call of msgspec.

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyString, PyType};

use super::maker::member_offset;
use crate::sizes::signed;

/// Where the instances of a Struct have their fields.
pub struct Layout {
    pub class: Py<PyType>,
    /// The offsets of the fields in an instance, in bytes.
    offsets: Vec<isize>,
    /// The offset of the slot for what an instance was made from.
    source: isize,
}

impl Layout {
    /// Args:
    ///     class: the Struct.
    ///     slots: the descriptors of its fields.
    ///     source: the descriptor of its only other slot.
    ///
    /// # Errors
    ///
    /// `TypeError`: instances have more than these slots, or the garbage collector tracks them.
    pub fn new(
        class: &Bound<'_, PyType>,
        slots: &[Bound<'_, PyAny>],
        source: &Bound<'_, PyAny>,
    ) -> PyResult<Self> {
        let refusal = || PyTypeError::new_err("the class is no Struct of these slots only");
        let offset = |slot: &Bound<'_, PyAny>| member_offset(class, slot).ok_or_else(refusal);
        let offsets = slots.iter().map(offset).collect::<PyResult<Vec<_>>>()?;
        let source = offset(source)?;
        let mut distinct = offsets.clone();
        distinct.push(source);
        distinct.sort_unstable();
        distinct.dedup();
        let size = size_of::<ffi::PyObject>() + distinct.len() * size_of::<*mut ffi::PyObject>();
        let alloc = |alloc: Option<ffi::allocfunc>| alloc.map(|alloc| alloc as usize);
        let free = |free: Option<ffi::freefunc>| free.map(|free| free as usize);
        // SAFETY: both are types that are alive, and their fields may be read while attached.
        let plain = unsafe {
            let flags = ffi::PyType_GetFlags(class.as_type_ptr());
            let class = &*class.as_type_ptr();
            flags & ffi::Py_TPFLAGS_HAVE_GC == 0
                && class.tp_itemsize == 0
                && class.tp_basicsize == signed(size)
                && alloc(class.tp_alloc) == alloc(ffi::PyBaseObject_Type.tp_alloc)
                && free(class.tp_free) == free(ffi::PyBaseObject_Type.tp_free)
        };
        if !plain || distinct.len() != slots.len() + 1 {
            return Err(refusal());
        }
        Ok(Self { class: class.clone().unbind(), offsets, source })
    }

    /// Starts to make an instance.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    #[inline]
    pub fn start<'py>(&self, py: Python<'py>) -> PyResult<Instance<'py, '_>> {
        // SAFETY: `py` shows that this thread is attached. The class is alive, and makes its instances by
        // this function, as `new` has checked. It gives a new reference to an instance that is all zero
        // after its head, or null with an exception set.
        let object = unsafe {
            let object = ffi::PyType_GenericAlloc(self.class.bind(py).as_type_ptr(), 0);
            Bound::from_owned_ptr_or_err(py, object)?
        };
        Ok(Instance { object, layout: self })
    }
}

/// An instance that is being made. No other code has seen it. Its slots hold references or null.
pub struct Instance<'py, 'a> {
    object: Bound<'py, PyAny>,
    layout: &'a Layout,
}

impl<'py> Instance<'py, '_> {
    #[inline]
    pub fn py(&self) -> Python<'py> {
        self.object.py()
    }

    #[inline]
    fn slot(&self, offset: isize) -> *mut *mut ffi::PyObject {
        // SAFETY: `Layout::new` has checked that the class has an object slot at this offset.
        unsafe { self.object.as_ptr().byte_offset(offset).cast() }
    }

    /// Whether a field has a value.
    #[inline]
    pub fn has(&self, place: usize) -> bool {
        // SAFETY: the slot belongs to this instance, which is alive.
        unsafe { !(*self.slot(self.layout.offsets[place])).is_null() }
    }

    /// The value of a field, which must have one.
    #[inline]
    pub fn get(&self, place: usize) -> Bound<'py, PyAny> {
        // SAFETY: the slot belongs to this instance, which is alive, and holds a reference or null. Null
        // makes this panic.
        unsafe { Bound::from_borrowed_ptr(self.object.py(), *self.slot(self.layout.offsets[place])) }
    }

    /// Sets a field, which must have no value yet.
    #[inline]
    pub fn set(&mut self, place: usize, value: Bound<'py, PyAny>) {
        debug_assert!(!self.has(place));
        // SAFETY: the slot belongs to this instance, which is alive. It takes over the reference.
        unsafe { self.slot(self.layout.offsets[place]).write(value.into_ptr()) }
    }

    /// Sets what the instance is made from, once.
    #[inline]
    pub fn set_source(&mut self, text: Bound<'py, PyString>) {
        // SAFETY: as in `set`.
        unsafe { self.slot(self.layout.source).write(text.into_ptr()) }
    }

    /// The instance. All its fields must have values.
    #[inline]
    pub fn finish(self) -> Bound<'py, PyAny> {
        self.object
    }
}
