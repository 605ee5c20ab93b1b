//! How Python calls functions of this module without PyO3's reading of arguments.
//!
//! For a method that does little, reading its arguments in PyO3's way costs more than its work.

use std::ptr;
use std::sync::OnceLock;

use pyo3::PyClass;
use pyo3::exceptions::PyTypeError;
use pyo3::ffi;
use pyo3::prelude::*;

/// Makes a function that Python can call of one that PyO3 can call. The names of the wrappers are those of
/// CPython's function types. PyO3's macros expand to this wrapper; it is not documented.
///
/// The wrappers tell PyO3 that the thread is attached. Without that, PyO3 would release objects at some later
/// call, and dropped exceptions would keep their data alive. The wrappers also turn errors and panics into
/// exceptions.
macro_rules! slot {
    ($wrapper:ident, $function:path) => {
        pyo3::impl_::trampoline::get_trampoline_function!($wrapper, $function)
    };
}
pub(crate) use slot;

/// Lets Python call a method of one argument with less overhead: `speed_up!(py, class, name, function)`. The
/// function is the one that PyO3 calls. The name of the method and its documentation stay, and PyO3 still
/// takes calls with arguments of other number or with names.
macro_rules! speed_up {
    ($py:expr, $class:ty, $name:literal, $function:path) => {{
        use pyo3::ffi;

        static GENERAL: $crate::calls::General = $crate::calls::General::new();

        unsafe fn call(
            py: pyo3::Python<'_>,
            slf: *mut ffi::PyObject,
            arguments: *const *mut ffi::PyObject,
            count: ffi::Py_ssize_t,
            names: *mut ffi::PyObject,
        ) -> pyo3::PyResult<*mut ffi::PyObject> {
            // SAFETY: CPython calls this as a method of the class, in the convention of the wrapper.
            unsafe {
                match $crate::calls::only_argument::<$class>(py, slf, arguments, count, names) {
                    Some((slf, argument)) => $function(&slf, &argument).map(|result| result.into_ptr()),
                    None => Ok(GENERAL.call(slf, arguments, count, names)),
                }
            }
        }

        GENERAL.replace::<$class>($py, $name, $crate::calls::slot!(fastcall_cfunction_with_keywords, call))
    }};
}
pub(crate) use speed_up;

/// The object and the argument of a call of a method, if it has one argument, by position.
///
/// # Safety
///
/// `slf` must be an instance of the class, and the others the arguments of a call.
#[inline]
pub unsafe fn only_argument<'a, T: PyClass>(
    py: Python<'_>,
    slf: *mut ffi::PyObject,
    arguments: *const *mut ffi::PyObject,
    count: ffi::Py_ssize_t,
    names: *mut ffi::PyObject,
) -> Option<(Borrowed<'a, '_, T>, Borrowed<'a, '_, PyAny>)> {
    if count != 1 || !names.is_null() {
        return None;
    }
    // SAFETY: the caller promises the types, and that there is one argument. The caller of the method keeps
    // both alive during the call.
    unsafe { Some((Borrowed::from_ptr(py, slf).cast_unchecked(), Borrowed::from_ptr(py, *arguments))) }
}

/// PyO3's function of a method, which takes arguments in any form.
pub struct General(OnceLock<ffi::PyCFunctionFastWithKeywords>);

impl General {
    pub const fn new() -> Self {
        Self(OnceLock::new())
    }

    /// Calls it. Gives a new reference, or null with an exception set.
    ///
    /// # Safety
    ///
    /// The arguments must be those of a call of the method.
    #[cold]
    pub unsafe fn call(
        &self,
        object: *mut ffi::PyObject,
        arguments: *const *mut ffi::PyObject,
        count: ffi::Py_ssize_t,
        names: *mut ffi::PyObject,
    ) -> *mut ffi::PyObject {
        let function = self.0.get().expect("it is set before the method calls it");
        // SAFETY: the caller promises the arguments.
        unsafe { function(object, arguments, count, names) }
    }

    /// Puts another function in its place.
    ///
    /// # Errors
    ///
    /// `TypeError`: PyO3 has made the method in another way.
    pub fn replace<T: PyClass>(
        &self,
        py: Python<'_>,
        name: &str,
        function: ffi::PyCFunctionFastWithKeywords,
    ) -> PyResult<()> {
        if self.0.get().is_some() {
            return Ok(()); // the module was imported again
        }
        let class = py.get_type::<T>();
        let method = class.getattr(name)?;
        let refusal = || PyTypeError::new_err(format!("PyO3 has made {name} in another way"));
        // SAFETY: the descriptor is alive. If its type is that of method descriptors, it has their layout, and
        // refers to a definition that lives as long as the class. Its flags say which function it has. The
        // new definition is never freed, and its function has the convention that its flags say.
        unsafe {
            if ffi::Py_TYPE(method.as_ptr()) != &raw mut ffi::PyMethodDescr_Type {
                return Err(refusal());
            }
            let old = ptr::read((*method.as_ptr().cast::<ffi::PyMethodDescrObject>()).d_method);
            if old.ml_flags != ffi::METH_FASTCALL | ffi::METH_KEYWORDS {
                return Err(refusal());
            }
            let _ = self.0.set(old.ml_meth.PyCFunctionFastWithKeywords);
            let ml_meth = ffi::PyMethodDefPointer { PyCFunctionFastWithKeywords: function };
            let new = Box::leak(Box::new(ffi::PyMethodDef { ml_meth, ..old }));
            let method = ffi::PyDescr_NewMethod(class.as_type_ptr(), new);
            class.setattr(name, Bound::from_owned_ptr_or_err(py, method)?)
        }
    }
}
