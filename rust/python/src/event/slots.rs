//! The type of `ServerSentEvent`: its slots, methods and members.

use std::ffi::{CStr, c_int};
use std::mem::{self, offset_of, size_of};
use std::ptr;
use std::sync::atomic::Ordering;

use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyString, PyTuple};

use super::json;
use super::object::{FIELDS, Fields, Object, TYPE};
use crate::calls::slot;
use crate::sizes::signed;

const DOC: &CStr = c"ServerSentEvent(*, event='message', data='', id='', retry=None)
--

One event of an event stream, as dispatched (WHATWG HTML, \"Server-sent events\").

Immutable, equal and hashed by value, picklable; matches ``ServerSentEvent(event, data)``.

Attributes:
    event (str | None): the event type, ``\"message\"`` when the stream gave none, or None in some dialects.
    data (str): the data buffer, its lines joined by LF.
    id (str | None): the last event ID when this event was dispatched, ``\"\"`` when there was none.
    retry (int | None): the reconnection time in milliseconds, if this event's block set it.

Raises:
    TypeError: a field is not of its type.
    ValueError: retry is negative.
";

const JSON_DOC: &CStr = c"json($self, /)
--

Decode the data as JSON.

Accepts all that ``json.loads`` accepts, with equal results. orjson decodes; the standard library decodes
what orjson refuses or would change (NaN, lone surrogates, integers beyond 64 bits).

Raises:
    json.JSONDecodeError: the data is not JSON.
";

/// Makes an event of the values of its fields. Pickles name this function, through `__reduce__`.
#[pyfunction(name = "_restore_event")]
pub fn restore_event<'py>(
    event: Bound<'py, PyAny>,
    data: Bound<'py, PyAny>,
    id: Bound<'py, PyAny>,
    retry: Bound<'py, PyAny>,
) -> PyResult<Bound<'py, PyAny>> {
    let py = event.py();
    Fields([event, data, id, retry]).create(py)
}

// The functions of the slots and methods follow.

unsafe fn new(
    py: Python<'_>,
    _class: *mut ffi::PyTypeObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: Python calls `tp_new` with a tuple, and a dict or null. The type cannot be subclassed, so
    // the class asked for is this type.
    let (args, kwargs) = unsafe { arguments(py, args, kwargs) };
    let event = Fields::defaults(py).replaced("ServerSentEvent()", &args, kwargs.as_ref())?;
    Ok(event.into_ptr())
}

/// Borrows the arguments of a call.
///
/// # Safety
///
/// `args` must be a tuple, and `kwargs` a dict or null.
unsafe fn arguments(
    py: Python<'_>,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> (Bound<'_, PyTuple>, Option<Bound<'_, PyDict>>) {
    // SAFETY: the caller promises the types.
    unsafe {
        let args = Bound::from_borrowed_ptr(py, args).cast_into_unchecked();
        let kwargs = Bound::from_borrowed_ptr_or_opt(py, kwargs).map(|kwargs| kwargs.cast_into_unchecked());
        (args, kwargs)
    }
}

unsafe extern "C" fn dealloc(object: *mut ffi::PyObject) {
    // SAFETY: Python calls `tp_dealloc` attached, once, when nothing refers to the object any more.
    // The object owns its four references, which `create` took over.
    unsafe {
        let fields = object.cast::<Object>();
        ffi::Py_DECREF((*fields).event);
        ffi::Py_DECREF((*fields).data);
        ffi::Py_DECREF((*fields).id);
        ffi::Py_DECREF((*fields).retry);
        ffi::PyObject_Free(object.cast());
    }
}

unsafe fn repr(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: Python calls `tp_repr` with an instance of this type.
    let [event, data, id, retry] = unsafe { Fields::of(py, object) }.0;
    let text = format!(
        "ServerSentEvent(event={}, data={}, id={}, retry={})",
        event.repr()?.to_cow()?,
        data.repr()?.to_cow()?,
        id.repr()?.to_cow()?,
        retry.repr()?.to_cow()?
    );
    Ok(PyString::new(py, &text).into_ptr())
}

unsafe fn hash(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<ffi::Py_hash_t> {
    // SAFETY: Python calls `tp_hash` with an instance of this type.
    PyTuple::new(py, unsafe { Fields::of(py, object) }.0)?.hash()
}

unsafe fn richcompare(
    py: Python<'_>,
    object: *mut ffi::PyObject,
    other: *mut ffi::PyObject,
    operator: c_int,
) -> PyResult<*mut ffi::PyObject> {
    let wanted = match operator {
        ffi::Py_EQ => true,
        ffi::Py_NE => false,
        _ => return Ok(py.NotImplemented().into_ptr()),
    };
    // SAFETY: Python calls `tp_richcompare` with an instance of this type first. The other object is
    // read as an instance only if its type is the same.
    let (mine, theirs) = unsafe {
        if ffi::Py_TYPE(object) != ffi::Py_TYPE(other) {
            return Ok(py.NotImplemented().into_ptr());
        }
        (Fields::of(py, object), Fields::of(py, other))
    };
    for (mine, theirs) in mine.0.into_iter().zip(theirs.0) {
        if !mine.eq(theirs)? {
            return Ok((!wanted).into_pyobject(py)?.to_owned().into_ptr());
        }
    }
    Ok(wanted.into_pyobject(py)?.to_owned().into_ptr())
}

unsafe fn method_json(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: Python calls the method with an instance of this type, whose data is always an exact
    // `str`.
    unsafe {
        let [_, data, _, _] = Fields::of(py, object).0;
        Ok(json::loads(&data.cast_into_unchecked())?.into_ptr())
    }
}

unsafe fn method_reduce(py: Python<'_>, object: *mut ffi::PyObject) -> PyResult<*mut ffi::PyObject> {
    let restore = py.import(intern!(py, "ssejet._core"))?.getattr(intern!(py, "_restore_event"))?;
    // SAFETY: Python calls the method with an instance of this type.
    let fields = unsafe { Fields::of(py, object) };
    Ok((restore, PyTuple::new(py, fields.0)?).into_pyobject(py)?.into_ptr())
}

unsafe fn method_replace(
    py: Python<'_>,
    object: *mut ffi::PyObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: Python calls the method with an instance of this type, a tuple, and a dict or null.
    let (fields, (args, kwargs)) = unsafe { (Fields::of(py, object), arguments(py, args, kwargs)) };
    Ok(fields.replaced("__replace__()", &args, kwargs.as_ref())?.into_ptr())
}

/// The type. It is made at the first call, and is the same for every import of the module.
///
/// # Errors
///
/// `MemoryError`.
pub fn class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(CLASS.get_or_try_init(py, || create_type(py).map(Bound::unbind))?.bind(py).clone())
}

/// Makes the type.
///
/// # Errors
///
/// `MemoryError`.
fn create_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    const fn member(name: &'static CStr, offset: usize) -> ffi::PyMemberDef {
        ffi::PyMemberDef {
            name: name.as_ptr(),
            type_code: ffi::Py_T_OBJECT_EX,
            offset: signed(offset),
            flags: ffi::Py_READONLY,
            doc: ptr::null(),
        }
    }
    let method = |name: &'static CStr, ml_meth, ml_flags, doc: &'static CStr| ffi::PyMethodDef {
        ml_name: name.as_ptr(),
        ml_meth,
        ml_flags,
        ml_doc: doc.as_ptr(),
    };
    // The type is never freed and refers to its tables, so these must not be freed either.
    let methods = Box::leak(Box::new([
        method(
            c"json",
            ffi::PyMethodDefPointer { PyCFunction: slot!(noargs, method_json) },
            ffi::METH_NOARGS,
            JSON_DOC,
        ),
        method(
            c"__reduce__",
            ffi::PyMethodDefPointer { PyCFunction: slot!(noargs, method_reduce) },
            ffi::METH_NOARGS,
            c"",
        ),
        method(
            c"__replace__",
            ffi::PyMethodDefPointer {
                PyCFunctionWithKeywords: slot!(cfunction_with_keywords, method_replace),
            },
            ffi::METH_VARARGS | ffi::METH_KEYWORDS,
            c"",
        ),
        ffi::PyMethodDef::zeroed(),
    ]));
    let members = Box::leak(Box::new([
        member(c"event", offset_of!(Object, event)),
        member(c"data", offset_of!(Object, data)),
        member(c"id", offset_of!(Object, id)),
        member(c"retry", offset_of!(Object, retry)),
        ffi::PyMemberDef::default(),
    ]));
    let dict = PyDict::new(py);
    dict.set_item("__match_args__", PyTuple::new(py, FIELDS)?)?;

    // SAFETY: C code also starts with a type that is all zero: no functions, no tables, null pointers.
    let mut class: ffi::PyTypeObject = unsafe { mem::zeroed() };
    class.ob_base = ffi::PyVarObject { ob_base: ffi::PyObject_HEAD_INIT, ob_size: 0 };
    class.tp_name = c"ssejet.ServerSentEvent".as_ptr();
    class.tp_doc = DOC.as_ptr();
    class.tp_basicsize = signed(size_of::<Object>());
    #[allow(clippy::useless_conversion)] // the field is an atomic on a free-threaded build
    {
        class.tp_flags = ffi::Py_TPFLAGS_DEFAULT.into();
    }
    class.tp_new = Some(slot!(newfunc, new));
    class.tp_dealloc = Some(dealloc);
    class.tp_repr = Some(slot!(reprfunc, repr));
    class.tp_hash = Some(slot!(hashfunc, hash));
    class.tp_richcompare = Some(slot!(richcmpfunc, richcompare));
    class.tp_methods = methods.as_mut_ptr();
    class.tp_members = members.as_mut_ptr();
    class.tp_dict = dict.into_ptr();

    // SAFETY: the type is never freed, its tables end with empty entries, the offsets of its members
    // are those of object pointers within its size, and its functions do what their slots ask for.
    let class = unsafe {
        let class = ptr::from_mut(Box::leak(Box::new(class)));
        if ffi::PyType_Ready(class) < 0 {
            return Err(PyErr::fetch(py));
        }
        TYPE.store(class, Ordering::Relaxed);
        Bound::from_borrowed_ptr(py, class.cast())
    };
    Ok(class)
}
