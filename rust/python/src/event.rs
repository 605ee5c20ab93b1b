//! `ServerSentEvent`, a type of our own making.
//!
//! Creating these objects is most of what decoding costs. A `#[pyclass]` is tracked by the
//! garbage collector, which doubles that cost; this type needs no tracking, because it holds
//! only exact `str` and `int` objects and `None`, none of which can lead back to it. And it is a
//! static type, whose instances need not count their references to it: on a free-threaded build
//! all threads would write to that one counter.

use std::ffi::{CStr, c_int};
use std::mem::{self, offset_of, size_of};
use std::ptr;
use std::sync::atomic::{AtomicPtr, Ordering};

use pyo3::exceptions::{PyOverflowError, PyTypeError, PyValueError};
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::sync::PyOnceLock;
use pyo3::types::{PyDict, PyInt, PyString, PyTuple};

use crate::errors::shown;
use crate::json;

#[repr(C)]
struct Object {
    ob_base: ffi::PyObject,
    event: *mut ffi::PyObject,
    data: *mut ffi::PyObject,
    id: *mut ffi::PyObject,
    retry: *mut ffi::PyObject,
}

/// The type of an event that the stream gave none.
pub const DEFAULT_TYPE: &str = "message";

const FIELDS: [&str; 4] = ["event", "data", "id", "retry"];

/// Set once, when the type is made, and never freed.
static TYPE: AtomicPtr<ffi::PyTypeObject> = AtomicPtr::new(ptr::null_mut());

const DOC: &CStr = c"ServerSentEvent(*, event='message', data='', id='', retry=None)
--

One event of an event stream, as dispatched (WHATWG HTML, \"Server-sent events\").

Immutable, equal and hashed by value, picklable; matches ``ServerSentEvent(event, data)``.

Attributes:
    event (str | None): the event type; if the stream has none, ``\"message\"`` or, in some dialects, None.
    data (str): the data, its lines joined by LF.
    id (str | None): the last event ID when this event was dispatched, ``\"\"`` if there was none.
    retry (int | None): the reconnection time in milliseconds, if this event's block set it.

Raises:
    TypeError: a field has a wrong type.
    ValueError: retry is negative.
";

const JSON_DOC: &CStr = c"json($self, /)
--

Decode the data as JSON.

The result is that of ``json.loads``. orjson decodes; the standard library decodes what orjson refuses or
would change: NaN, lone surrogates, integers beyond 64 bits.

Raises:
    json.JSONDecodeError: the data is not JSON.
";

/// Makes an event of exact strings, integers and `None`s, and takes over the references.
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
    // SAFETY: `py` shows that this thread is attached. `class` is the type that `create_type`
    // made: without it there is no module, and so no decoder and no constructor to call this.
    // Its instances have the size of `Object`, no garbage collector's head before it, and
    // `PyObject_Free` as the function that frees them, which matches `PyObject_Malloc`. The
    // memory is checked not to be null, `PyObject_Init` fills the head, and the four fields are
    // filled before anybody else can see the object.
    unsafe {
        let memory = ffi::PyObject_Malloc(size_of::<Object>()).cast::<Object>();
        if memory.is_null() {
            return Err(PyErr::from_value(py.get_type::<pyo3::exceptions::PyMemoryError>().call0()?));
        }
        ffi::PyObject_Init(memory.cast(), class);
        (&raw mut (*memory).event).write(event.into_ptr());
        (&raw mut (*memory).data).write(data.into_ptr());
        (&raw mut (*memory).id).write(id.into_ptr());
        (&raw mut (*memory).retry).write(retry.map_or_else(|| py.None().into_ptr(), Bound::into_ptr));
        Ok(Bound::from_owned_ptr(py, memory.cast()))
    }
}

/// The fields of an event, as new references: the type, the data, the id, `retry`.
pub struct Fields<'py>(pub [Bound<'py, PyAny>; 4]);

impl<'py> Fields<'py> {
    /// The fields of the object, if it is an event.
    #[inline]
    pub fn of_event(object: &Bound<'py, PyAny>) -> Option<Self> {
        let is_event = object.get_type_ptr() == TYPE.load(Ordering::Relaxed);
        // SAFETY: the object was seen to be an instance of the type, which has no subtypes.
        is_event.then(|| unsafe { Self::of(object.py(), object.as_ptr()) })
    }

    /// # Safety
    ///
    /// `object` must be an instance of the type that `create_type` made.
    unsafe fn of(py: Python<'py>, object: *mut ffi::PyObject) -> Self {
        // SAFETY: every instance is made by `create`, so the four fields are valid references,
        // and nothing ever replaces them.
        unsafe {
            let object = &*object.cast::<Object>();
            Self(
                [object.event, object.data, object.id, object.retry]
                    .map(|field| Bound::from_borrowed_ptr(py, field)),
            )
        }
    }

    fn defaults(py: Python<'py>) -> Self {
        let empty = || PyString::intern(py, "").into_any();
        Self([PyString::intern(py, DEFAULT_TYPE).into_any(), empty(), empty(), py.None().into_bound(py)])
    }

    /// # Errors
    ///
    /// `TypeError` for positional arguments, unknown names and wrong types, `ValueError` for a
    /// negative `retry`.
    fn replaced(
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

    fn create(self, py: Python<'py>) -> PyResult<Bound<'py, PyAny>> {
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
/// `TypeError` for anything but an `int`, `ValueError` for one out of range.
pub fn milliseconds(value: &Bound<'_, PyAny>) -> PyResult<i64> {
    if !value.is_instance_of::<PyInt>() || value.is_instance_of::<pyo3::types::PyBool>() {
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

/// What `__reduce__` names: makes an event again of the values of its fields.
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

// The functions behind the slots and methods. PyO3's own wrappers call them, through `slot!`: these
// tell PyO3 that the thread is attached. Without that, PyO3 puts off each release of an object to
// some later call, and exceptions that are dropped keep the data they tell of. The wrappers also turn
// errors and panics into exceptions.

/// A function that Python can call, of one that PyO3 can. The names of the wrappers are those of
/// CPython's function types; they are what PyO3's macros expand to, and not documented.
macro_rules! slot {
    ($wrapper:ident, $function:path) => {
        pyo3::impl_::trampoline::get_trampoline_function!($wrapper, $function)
    };
}

unsafe fn new(
    py: Python<'_>,
    _class: *mut ffi::PyTypeObject,
    args: *mut ffi::PyObject,
    kwargs: *mut ffi::PyObject,
) -> PyResult<*mut ffi::PyObject> {
    // SAFETY: Python calls `tp_new` with a tuple, and a dict or null. The type is final, so that the
    // class asked for is ours.
    let (args, kwargs) = unsafe { arguments(py, args, kwargs) };
    let event = Fields::defaults(py).replaced("ServerSentEvent()", &args, kwargs.as_ref())?;
    Ok(event.into_ptr())
}

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
    // SAFETY: Python calls `tp_dealloc` attached, once, when nobody refers to the object any more;
    // its four references were taken over by `create`.
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
    // SAFETY: Python calls `tp_richcompare` with an instance of this type first, and the other is
    // read as one only after its type was seen to be the same.
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

/// The type, made when it is first asked for: however often the module is imported, there is one.
///
/// # Errors
///
/// `MemoryError`.
pub fn class(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    static CLASS: PyOnceLock<Py<PyAny>> = PyOnceLock::new();
    Ok(CLASS.get_or_try_init(py, || create_type(py).map(Bound::unbind))?.bind(py).clone())
}

/// Makes the type, for `class`.
///
/// # Errors
///
/// `MemoryError`.
fn create_type(py: Python<'_>) -> PyResult<Bound<'_, PyAny>> {
    const fn member(name: &'static CStr, offset: usize) -> ffi::PyMemberDef {
        ffi::PyMemberDef {
            name: name.as_ptr(),
            type_code: ffi::Py_T_OBJECT_EX,
            offset: offset.cast_signed(),
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
    // The type refers to its tables for as long as it lives, which is for ever.
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

    // SAFETY: all-zero is how C code begins a type: no functions, no tables, null pointers.
    let mut class: ffi::PyTypeObject = unsafe { mem::zeroed() };
    class.ob_base = ffi::PyVarObject { ob_base: ffi::PyObject_HEAD_INIT, ob_size: 0 };
    class.tp_name = c"ssejet.ServerSentEvent".as_ptr();
    class.tp_doc = DOC.as_ptr();
    class.tp_basicsize = size_of::<Object>().cast_signed();
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

    // SAFETY: the type lives for ever, its tables end with empty entries, its members' offsets are
    // those of object pointers within its size, and its functions do what their slots ask for.
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
