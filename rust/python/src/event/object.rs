//! The memory of a `ServerSentEvent`, and how one is made, read and copied.
//!
//! Creating these objects is most of the cost of decoding. The garbage collector tracks each `#[pyclass]`
//! object, which doubles that cost. This type needs no tracking: it holds only exact `str` and `int` objects
//! and `None`, and none of these can refer back to it. It is also a static type, whose instances do not count
//! their references to it; on a free-threaded build all threads would write to that one counter.

use std::mem::size_of;
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::{PyMemoryError, PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyDict, PyInt, PyString, PyTuple};

use crate::errors::shown;

#[repr(C)]
pub(super) struct Object {
    ob_base: ffi::PyObject,
    pub event: *mut ffi::PyObject,
    pub data: *mut ffi::PyObject,
    pub id: *mut ffi::PyObject,
    pub retry: *mut ffi::PyObject,
}

/// The type of an event for which the stream gave none.
pub const DEFAULT_TYPE: &str = "message";

/// The names of the fields, in their order.
pub(super) const FIELDS: [&str; 4] = ["event", "data", "id", "retry"];

/// The type. `slots` sets it once, and it is never freed.
pub(super) static TYPE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

/// Makes an event of exact strings, integers and `None`, and takes over the references.
///
/// # Errors
///
/// `MemoryError`.
#[inline]
pub fn create<'py>(
    py: Python<'py>,
    event: Bound<'py, PyAny>,
    data: Bound<'py, PyString>,
    id: Bound<'py, PyAny>,
    retry: Option<Bound<'py, PyInt>>,
) -> PyResult<Bound<'py, PyAny>> {
    let class = TYPE.load(Ordering::Relaxed);
    // SAFETY: `py` shows that this thread is attached. `class` is the type that `slots` made: the
    // module makes it before any code can call this. Its instances have the size of `Object`, no
    // head of the garbage collector before them, and `PyObject_Free` frees them, which matches
    // `PyObject_Malloc`. The memory is checked not to be null, `PyObject_Init` fills the head, and
    // the four fields are filled before other code can see the object.
    unsafe {
        let memory = ffi::PyObject_Malloc(size_of::<Object>()).cast::<Object>();
        if memory.is_null() {
            return Err(PyErr::from_value(py.get_type::<PyMemoryError>().call0()?));
        }
        ffi::PyObject_Init(memory.cast(), class);
        (&raw mut (*memory).event).write(event.into_ptr());
        (&raw mut (*memory).data).write(data.into_ptr());
        (&raw mut (*memory).id).write(id.into_ptr());
        (&raw mut (*memory).retry).write(retry.map_or_else(|| py.None().into_ptr(), Bound::into_ptr));
        Ok(Bound::from_owned_ptr(py, memory.cast()))
    }
}

/// The fields of an event, as new references: type, data, id, `retry`.
pub struct Fields<'py>(pub [Bound<'py, PyAny>; 4]);

impl<'py> Fields<'py> {
    /// The fields of the object, if it is an event.
    #[inline]
    pub fn of_event(object: &Bound<'py, PyAny>) -> Option<Self> {
        let is_event = object.get_type_ptr() == TYPE.load(Ordering::Relaxed);
        // SAFETY: the object is an instance of the type, as was checked.
        is_event.then(|| unsafe { Self::of(object.py(), object.as_ptr()) })
    }

    /// The fields of an event.
    ///
    /// # Safety
    ///
    /// `object` must be an instance of the type that `slots` made.
    pub(super) unsafe fn of(py: Python<'py>, object: *mut ffi::PyObject) -> Self {
        // SAFETY: `create` makes every instance, so the four fields are valid references, and
        // nothing ever replaces them.
        unsafe {
            let object = &*object.cast::<Object>();
            Self(
                [object.event, object.data, object.id, object.retry]
                    .map(|field| Bound::from_borrowed_ptr(py, field)),
            )
        }
    }

    /// The fields of an event of which nothing is given.
    pub(super) fn defaults(py: Python<'py>) -> Self {
        let empty = || PyString::intern(py, "").into_any();
        Self([PyString::intern(py, DEFAULT_TYPE).into_any(), empty(), empty(), py.None().into_bound(py)])
    }

    /// Makes an event of these fields, with the keyword arguments of `function` in place of some.
    ///
    /// # Errors
    ///
    /// `TypeError` for positional arguments, unknown names and wrong types, `ValueError` for a
    /// negative `retry`.
    pub(super) fn replaced(
        mut self,
        function: &str,
        args: &Bound<'py, PyTuple>,
        kwargs: Option<&Bound<'py, PyDict>>,
    ) -> PyResult<Bound<'py, PyAny>> {
        let py = args.py();
        if !args.is_empty() {
            return Err(PyTypeError::new_err(format!(
                "{function} takes keyword arguments only: event, data, id, retry"
            )));
        }
        for (name, value) in kwargs.into_iter().flatten() {
            let name = name.cast::<PyString>()?.to_str()?;
            let Some(place) = FIELDS.iter().position(|field| *field == name) else {
                return Err(PyTypeError::new_err(format!(
                    "{function} got an unexpected keyword argument {name:?}: expected event, data, id or retry"
                )));
            };
            self.0[place] = value;
        }
        self.create(py)
    }

    /// Makes an event of values that may be of any type.
    ///
    /// # Errors
    ///
    /// `TypeError`, or `ValueError` for a negative `retry`.
    pub(super) fn create(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
        let [event, data, id, retry] = self.0;
        let optional_text = |name, value: Bound<'py, PyAny>| {
            if value.is_none() {
                return Ok(value);
            }
            exact_text(name, "str or None", value).map(Bound::into_any)
        };
        create(
            py,
            optional_text("event", event)?,
            exact_text("data", "str", data)?,
            optional_text("id", id)?,
            if retry.is_none() { None } else { Some(milliseconds(&retry)?.into_pyobject(py)?) },
        )
    }
}

fn wrong_type(field: &str, expected: &str, value: &Bound<'_, PyAny>) -> PyErr {
    match value.get_type().qualname() {
        Ok(found) => PyTypeError::new_err(format!("{field} must be {expected}, not {found}")),
        Err(error) => error,
    }
}

/// The value as an exact `str`, which cannot refer to other objects.
fn exact_text<'py>(field: &str, expected: &str, value: Bound<'py, PyAny>) -> PyResult<Bound<'py, PyString>> {
    if let Ok(exact) = value.cast_exact::<PyString>() {
        return Ok(exact.clone());
    }
    if !value.is_instance_of::<PyString>() {
        return Err(wrong_type(field, expected, &value));
    }
    // SAFETY: `value` is a live `str`, and `PyUnicode_FromObject` gives a new reference to an
    // exact `str` equal to it, or null with an exception set.
    unsafe {
        let exact = ffi::PyUnicode_FromObject(value.as_ptr());
        Ok(Bound::from_owned_ptr_or_err(value.py(), exact)?.cast_into_unchecked())
    }
}

/// A reconnection time that a stream can carry.
///
/// # Errors
///
/// `TypeError`: it is no `int`. `ValueError`: it is out of range.
pub fn milliseconds(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<PyBool>() {
        return Err(wrong_type("retry", "int or None", value));
    }
    match value.extract::<i64>() {
        Ok(milliseconds @ 0..) => return Ok(milliseconds),
        Err(error) if !error.is_instance_of::<PyOverflowError>(value.py()) => return Err(error),
        _ => {}
    }
    Err(PyValueError::new_err(format!(
        "retry must be a number of milliseconds from 0 to 2**63-1, not {}",
        shown(value)?
    )))
}
