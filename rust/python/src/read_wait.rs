//! `ReadWait`: what a task on asyncio waits for until a connection has bytes.

use pyo3::exceptions::PyRuntimeError;
use pyo3::ffi;
use pyo3::intern;
use pyo3::prelude::*;
use pyo3::types::PyDict;
use pyo3::{PyTraverseError, PyVisit};

use crate::imports::Imported;

/// The wait of one task. It can resume the task at once, without another turn of the event loop.
///
/// A turn costs more than all that is done with a piece of a body. To a task, this object is a future: a task
/// is resumed by the callback that it adds. It has no more than one.
///
/// Args:
///     loop: the event loop of the task.
#[pyclass(module = "ssejet._core")]
pub struct ReadWait {
    event_loop: Py<PyAny>,
    state: State,
    resume: Option<Resume>,
    /// Whether the task has got this object, and must add its callback now. It is asyncio's protocol.
    is_offered: bool,
}

enum State {
    Created,
    Waiting,
    Ended { in_time: bool },
    Cancelled { message: Option<Py<PyAny>> },
}

impl State {
    fn is_pending(&self) -> bool {
        matches!(self, Self::Created | Self::Waiting)
    }
}

/// How the task is resumed.
struct Resume {
    callback: Py<PyAny>,
    context: Option<Py<PyAny>>,
}

#[pymethods]
impl ReadWait {
    #[new]
    #[pyo3(signature = (r#loop, /))]
    pub fn new(r#loop: Py<PyAny>) -> Self {
        Self { event_loop: r#loop, state: State::Created, resume: None, is_offered: false }
    }

    /// End the wait, and run the task until it waits again. Call this from the event loop only, not from a
    /// task.
    ///
    /// Raises:
    ///     BaseException: what ends the event loop: KeyboardInterrupt or SystemExit.
    pub fn end_now(slf: &Bound<'_, Self>) -> PyResult<()> {
        match Self::end(slf, true) {
            None => Ok(()),
            Some(resume) => resume.now(slf),
        }
    }

    /// End the wait; the task goes on in another turn of the event loop.
    ///
    /// Args:
    ///     in_time: False if the task waited too long.
    #[pyo3(signature = (*, in_time))]
    pub fn end_soon(slf: &Bound<'_, Self>, in_time: bool) -> PyResult<()> {
        match Self::end(slf, in_time) {
            None => Ok(()),
            Some(resume) => resume.soon(slf),
        }
    }

    /// Whether the wait has ended before the task waited too long.
    #[getter]
    pub fn in_time(&self) -> bool {
        matches!(self.state, State::Ended { in_time: true })
    }

    /// Whether the wait has ended or was cancelled.
    fn done(&self) -> bool {
        !self.is_pending()
    }

    /// Whether the wait was cancelled.
    fn cancelled(&self) -> bool {
        matches!(self.state, State::Cancelled { .. })
    }

    /// Cancel the wait.
    ///
    /// Returns:
    ///     False if it was over.
    #[pyo3(signature = (msg=None))]
    fn cancel(slf: &Bound<'_, Self>, msg: Option<Py<PyAny>>) -> PyResult<bool> {
        let resume = {
            let mut this = slf.try_borrow_mut()?;
            if !this.state.is_pending() {
                return Ok(false);
            }
            this.state = State::Cancelled { message: msg };
            this.resume.take()
        };
        resume.map_or(Ok(()), |resume| resume.soon(slf))?;
        Ok(true)
    }

    /// None.
    ///
    /// Raises:
    ///     asyncio.CancelledError: the wait was cancelled.
    ///     asyncio.InvalidStateError: it is not over.
    fn result(&self, py: Python<'_>) -> PyResult<()> {
        match &self.state {
            State::Ended { .. } => Ok(()),
            State::Cancelled { message } => {
                static ERROR: Imported = Imported::new("asyncio", "CancelledError");
                let error = ERROR.get(py)?;
                let error = match message {
                    None => error.call0()?,
                    Some(message) => error.call1((message,))?,
                };
                Err(PyErr::from_value(error))
            }
            State::Created | State::Waiting => {
                static ERROR: Imported = Imported::new("asyncio", "InvalidStateError");
                let error = ERROR.get(py)?;
                Err(PyErr::from_value(error.call1(("the wait is not over",))?))
            }
        }
    }

    /// Add the callback that resumes the task.
    ///
    /// Raises:
    ///     RuntimeError: there is one.
    #[pyo3(signature = (callback, /, *, context=None))]
    fn add_done_callback(
        slf: &Bound<'_, Self>,
        callback: Py<PyAny>,
        context: Option<Py<PyAny>>,
    ) -> PyResult<()> {
        let resume = Resume { callback, context };
        let mut this = slf.try_borrow_mut()?;
        if !this.state.is_pending() {
            drop(this);
            return resume.soon(slf);
        }
        if this.resume.is_some() {
            return Err(PyRuntimeError::new_err("another task waits already"));
        }
        this.resume = Some(resume);
        Ok(())
    }

    /// Remove a callback, and return how many were removed.
    #[pyo3(signature = (callback, /))]
    fn remove_done_callback(slf: &Bound<'_, Self>, callback: &Bound<'_, PyAny>) -> PyResult<usize> {
        let py = slf.py();
        let own = slf.try_borrow()?.resume.as_ref().map(|resume| resume.callback.clone_ref(py));
        // The comparison may run any code, so it happens without the borrow.
        if !own.map_or(Ok(false), |own| own.bind(py).eq(callback))? {
            return Ok(0);
        }
        let removed = slf.try_borrow_mut()?.resume.take();
        Ok(usize::from(removed.is_some()))
    }

    /// The event loop of the task.
    fn get_loop(&self, py: Python<'_>) -> Py<PyAny> {
        self.event_loop.clone_ref(py)
    }

    #[getter(_asyncio_future_blocking)]
    fn is_offered(&self) -> bool {
        self.is_offered
    }

    #[setter(_asyncio_future_blocking)]
    fn set_offered(&mut self, is_offered: bool) {
        self.is_offered = is_offered;
    }

    fn __await__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    fn __iter__(slf: PyRef<'_, Self>) -> PyRef<'_, Self> {
        slf
    }

    /// Gives itself to the event loop, then ends.
    fn __next__<'py>(slf: &Bound<'py, Self>) -> PyResult<Option<Bound<'py, Self>>> {
        match Self::wait(slf)? {
            Wait::Begun => Ok(Some(slf.clone())),
            Wait::Over => Ok(None),
        }
    }

    fn __repr__(&self) -> &'static str {
        match self.state {
            State::Created | State::Waiting => "<ReadWait pending>",
            State::Ended { .. } => "<ReadWait finished>",
            State::Cancelled { .. } => "<ReadWait cancelled>",
        }
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.event_loop)?;
        if let Some(resume) = &self.resume {
            visit.call(&resume.callback)?;
            visit.call(&resume.context)?;
        }
        match &self.state {
            State::Cancelled { message } => visit.call(message),
            _ => Ok(()),
        }
    }

    fn __clear__(&mut self) {
        self.resume = None;
    }
}

/// How far a wait is.
pub enum Wait {
    /// The event loop must get the object now.
    Begun,
    Over,
}

impl ReadWait {
    pub fn is_pending(&self) -> bool {
        self.state.is_pending()
    }

    /// Begins the wait, or goes on after it.
    ///
    /// # Errors
    ///
    /// `asyncio.CancelledError`: the wait was cancelled. `RuntimeError`: what waits is no task of asyncio.
    pub fn wait(slf: &Bound<'_, Self>) -> PyResult<Wait> {
        let mut this = slf.try_borrow_mut()?;
        match this.state {
            State::Created => {
                this.state = State::Waiting;
                this.is_offered = true;
                Ok(Wait::Begun)
            }
            State::Waiting => Err(PyRuntimeError::new_err("only a task of asyncio can wait for this")),
            State::Ended { .. } | State::Cancelled { .. } => this.result(slf.py()).map(|()| Wait::Over),
        }
    }

    /// Ends the wait if it is not over. Gives what is to be resumed.
    fn end(slf: &Bound<'_, Self>, in_time: bool) -> Option<Resume> {
        let mut this = slf.try_borrow_mut().ok()?; // only a thread that ends it too has it
        if !this.state.is_pending() {
            return None;
        }
        this.state = State::Ended { in_time };
        this.resume.take()
    }
}

impl Resume {
    fn soon(self, wait: &Bound<'_, ReadWait>) -> PyResult<()> {
        let py = wait.py();
        let event_loop = wait.try_borrow()?.event_loop.clone_ref(py);
        let names = PyDict::new(py);
        names.set_item(intern!(py, "context"), self.context)?;
        event_loop.bind(py).call_method(intern!(py, "call_soon"), (self.callback, wait), Some(&names))?;
        Ok(())
    }

    fn now(self, wait: &Bound<'_, ReadWait>) -> PyResult<()> {
        let py = wait.py();
        let Some(context) = &self.context else {
            return self.soon(wait);
        };
        let context = context.clone_ref(py);
        // SAFETY: this thread is attached, and the reference is alive. The function checks that the object is
        // a context.
        if unsafe { ffi::PyContext_Enter(context.as_ptr()) } != 0 {
            drop(PyErr::take(py)); // the context is in use
            return self.soon(wait);
        }
        let result = self.callback.call1(py, (wait,));
        // SAFETY: as above; this thread has entered the context.
        if unsafe { ffi::PyContext_Exit(context.as_ptr()) } != 0 {
            return Err(PyErr::fetch(py));
        }
        result.map(drop)
    }
}
