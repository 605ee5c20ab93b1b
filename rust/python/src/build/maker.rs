//! Makes instances of pydantic models without a call of pydantic.

use std::ptr;

use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyDict, PySet, PyType};
use pyo3::{PyTraverseError, PyVisit};

/// The slots of pydantic's base class, beside `__dict__`.
const SLOTS: [&str; 3] = ["__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"];

/// Makes the instances of a model. They are in the state in which pydantic's own `model_construct` leaves
/// them: no code of the class is called, not even `__init__`.
pub struct Maker {
    pub class: Py<PyType>,
    /// The offsets of the slots in an instance, in bytes. If a class has a value in place of a slot, an instance
    /// has this member in its `__dict__`.
    offsets: [Option<isize>; SLOTS.len()],
}

impl Maker {
    /// # Errors
    ///
    /// `TypeError`: the class is no model, or has its own way to make instances.
    pub fn new(class: &Bound<'_, PyType>) -> PyResult<Self> {
        let mut offsets = [None; SLOTS.len()];
        for (offset, name) in offsets.iter_mut().zip(SLOTS) {
            *offset = slot_offset(class, name)?;
        }
        if offsets[1..].contains(&None) {
            return Err(PyTypeError::new_err("the class has values in place of slots"));
        }
        let address = |new: Option<ffi::newfunc>| new.map(|new| new as usize);
        // SAFETY: both are types that are alive, and their fields may be read while attached.
        let plain = unsafe {
            address((*class.as_type_ptr()).tp_new) == address(ffi::PyBaseObject_Type.tp_new)
                && (*class.as_type_ptr()).tp_alloc.is_some()
        };
        if !plain {
            return Err(PyTypeError::new_err("the class makes its instances itself"));
        }
        Ok(Self { class: class.clone().unbind(), offsets })
    }

    /// Makes an instance, which takes over its parts. `extra` is given if the model allows other values,
    /// `private` if it has private attributes.
    ///
    /// # Errors
    ///
    /// `MemoryError`.
    #[inline]
    pub fn make<'py>(
        &self,
        values: Bound<'py, PyDict>,
        extra: Option<Bound<'py, PyDict>>,
        fields_set: Bound<'py, PySet>,
        private: Option<Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = values.py();
        let class = self.class.bind(py).as_type_ptr();
        let or_none =
            |part: Option<Bound<'py, PyDict>>| part.map_or_else(|| py.None().into_bound(py), Bound::into_any);
        let parts = [or_none(extra), fields_set.into_any(), or_none(private)];
        if self.offsets[0].is_none() {
            values.set_item(SLOTS[0], &parts[0])?;
        }
        // SAFETY: `py` shows that this thread is attached. `class` is a type that is alive, and that
        // makes instances as `object` does, by `tp_alloc`: this gives a new reference to an instance
        // that is all zero after its head, or null with an exception set. The offsets are those of
        // members that hold a reference or null. They are null now, and no other code has seen the
        // object yet. Setting `__dict__` takes a reference of its own.
        unsafe {
            let allocate = (*class).tp_alloc.expect("`new` has checked it");
            let object = Bound::from_owned_ptr_or_err(py, allocate(class, 0))?;
            if ffi::PyObject_GenericSetDict(object.as_ptr(), values.as_ptr(), ptr::null_mut()) != 0 {
                return Err(PyErr::fetch(py));
            }
            for (offset, part) in self.offsets.into_iter().zip(parts) {
                if let Some(offset) = offset {
                    object.as_ptr().byte_offset(offset).cast::<*mut ffi::PyObject>().write(part.into_ptr());
                }
            }
            Ok(object)
        }
    }
}

/// Makes instances of a pydantic model from their parts, without validation and without a call of pydantic.
///
/// Args:
///     class: the model.
///
/// Raises:
///     TypeError: it is no model, or it makes its instances itself.
#[pyclass(module = "ssejet._core", frozen)]
pub struct ModelMaker {
    maker: Maker,
}

#[pymethods]
impl ModelMaker {
    #[new]
    #[pyo3(signature = (class, /))]
    fn new(class: &Bound<'_, PyType>) -> PyResult<Self> {
        Ok(Self { maker: Maker::new(class)? })
    }

    /// Make an instance, which takes over its parts.
    ///
    /// Args:
    ///     values: the values of all fields.
    ///     extra: the values that are not of a field.
    ///     fields_set: the names of the fields that are set.
    #[pyo3(signature = (values, extra, fields_set, /))]
    fn make<'py>(
        &self,
        values: Bound<'py, PyDict>,
        extra: Bound<'py, PyDict>,
        fields_set: Bound<'py, PySet>,
    ) -> PyResult<Bound<'py, PyAny>> {
        self.maker.make(values, Some(extra), fields_set, None)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.maker.class)
    }
}

/// A copy of a set. It is made faster than a new set is filled.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
pub fn copy_of_set<'py>(set: &Bound<'py, PySet>) -> PyResult<Bound<'py, PySet>> {
    // SAFETY: `set` shows that this thread is attached. The function takes any iterable, and gives a new
    // reference to a set, or null with an exception.
    unsafe {
        let copy = ffi::PySet_New(set.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(set.py(), copy)?.cast_into_unchecked())
    }
}

/// The offset of a slot in the instances of a class; `None` if a plain value hides it.
fn slot_offset(class: &Bound<'_, PyType>, name: &str) -> PyResult<Option<isize>> {
    let Ok(descriptor) = class.getattr(name) else {
        return Err(PyTypeError::new_err(format!("the class has no {name}")));
    };
    let offset = member_offset(class, &descriptor);
    // An attribute whose class has no `__set__` does not keep a value out of the `__dict__` of an instance.
    if offset.is_none() && descriptor.get_type().hasattr("__set__")? {
        return Err(PyTypeError::new_err(format!("{name} is no slot of the class")));
    }
    Ok(offset)
}

/// The offset of the slot of a member descriptor, if this is one, in the instances of a class.
pub fn member_offset(class: &Bound<'_, PyType>, descriptor: &Bound<'_, PyAny>) -> Option<isize> {
    // SAFETY: the descriptor is alive. If its type is that of member descriptors, it has their layout.
    // It then refers to a definition that lives as long as it does, and to the type whose instances
    // have the member. Instances of subclasses have the member at the same offset.
    let definition = unsafe {
        if ffi::Py_TYPE(descriptor.as_ptr()) != &raw mut ffi::PyMemberDescr_Type {
            return None;
        }
        let descriptor = descriptor.as_ptr().cast::<ffi::PyMemberDescrObject>();
        if ffi::PyType_IsSubtype(class.as_type_ptr(), (*descriptor).d_common.d_type) == 0 {
            return None;
        }
        &*(*descriptor).d_member.cast::<ffi::PyMemberDef>()
    };
    let plain = definition.type_code == ffi::Py_T_OBJECT_EX && definition.flags == 0;
    plain.then_some(definition.offset)
}
