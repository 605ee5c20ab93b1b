//! `GrowingJSON`: parses a JSON text that comes in pieces, with the values that jiter gives in its partial mode.

use pyo3::exceptions::PyValueError;
use pyo3::prelude::*;
use pyo3::types::{PyBool, PyBytes, PyDict, PyFloat, PyInt, PyList, PyString};
use pyo3::{PyTraverseError, PyVisit, intern};

/// jiter refuses a text beyond these limits.
const MAX_DEPTH: usize = 201;
const MAX_DIGITS: usize = 4300;

const LITERALS: [&str; 6] = ["true", "false", "null", "NaN", "Infinity", "-Infinity"];

/// What may come next, after blanks.
#[derive(Clone, Copy, PartialEq)]
enum Expect {
    Value,
    ValueOrEnd,
    Key,
    KeyOrEnd,
    Colon,
    CommaOrEnd,
}

/// A list or an object that has not ended. It is added to its parent when it ends.
enum Open {
    List(Py<PyList>),
    /// With the key whose value comes next.
    Object(Py<PyDict>, Py<PyString>),
}

/// A JSON text that grows. A new piece costs no more than its own length.
///
/// The values are jiter's for the same text in its partial mode: an unfinished string, literal or number is left
/// out, as is a key without a value. Finished parts are shared by the values; unfinished ones are copies.
///
/// Args:
///     from_json: jiter's function.
///     check_escapes: says how many bytes of the beginning of an unfinished string are whole characters and
///         escapes, or raises ``ValueError`` if jiter refuses it. It is asked for strings with ``\u``.
#[pyclass(module = "ssejet._core")]
pub struct GrowingJSON {
    text: String,
    /// Up to where the text is read.
    at: usize,
    expect: Expect,
    root: Option<Py<PyAny>>,
    open: Vec<Open>,
    /// Where the unfinished string begins, after its quote.
    string: Option<usize>,
    /// Up to where the escapes in it are known to be valid: jiter refuses others even there.
    checked: usize,
    /// Whether the text is no JSON.
    is_broken: bool,
    from_json: Py<PyAny>,
    check_escapes: Py<PyAny>,
}

#[pymethods]
impl GrowingJSON {
    #[new]
    #[pyo3(signature = (from_json, check_escapes, /))]
    fn new(from_json: Py<PyAny>, check_escapes: Py<PyAny>) -> Self {
        Self {
            text: String::new(),
            at: 0,
            expect: Expect::Value,
            root: None,
            open: Vec::new(),
            string: None,
            checked: 0,
            is_broken: false,
            from_json,
            check_escapes,
        }
    }

    /// The number of bytes so far.
    #[getter]
    fn length(&self) -> usize {
        self.text.len()
    }

    /// How many items the unfinished objects and lists have. Each value has copies of these.
    #[getter]
    fn open_items(&self, py: Python<'_>) -> usize {
        let items = |open: &Open| match open {
            Open::List(list) => list.bind(py).len(),
            Open::Object(object, _) => object.bind(py).len(),
        };
        self.open.iter().map(items).sum()
    }

    /// Whether it is valid so far, and its end is missing.
    #[getter]
    fn is_partial(&self) -> bool {
        !self.is_broken && self.root.is_none()
    }

    /// The text so far.
    #[getter]
    fn encoded<'py>(&self, py: Python<'py>) -> Bound<'py, PyBytes> {
        PyBytes::new(py, self.text.as_bytes())
    }

    /// Add a piece.
    ///
    /// Raises:
    ///     UnicodeEncodeError: it has a lone surrogate.
    #[pyo3(signature = (piece, /))]
    fn add(&mut self, piece: &Bound<'_, PyString>) -> PyResult<()> {
        self.text.push_str(piece.to_str()?);
        let py = piece.py();
        while self.is_partial() {
            let goes_on = if self.string.is_some() { self.read_string(py)? } else { self.read_token(py)? };
            if !goes_on {
                break;
            }
        }
        if self.is_partial() { self.check_new_escapes(py) } else { Ok(()) }
    }

    /// Give the value so far; None if there is none, or if jiter itself must parse the text.
    fn value<'py>(&self, py: Python<'py>) -> PyResult<Option<Bound<'py, PyAny>>> {
        if self.is_broken {
            return Ok(None);
        }
        if let Some(root) = &self.root {
            return Ok(Some(root.bind(py).clone()));
        }
        let rest = if self.string.is_some() { "" } else { &self.text[self.at..] };
        let mut value = match scan_number(rest.as_bytes()) {
            Some((length, is_float)) if length == rest.len() => Some(number(py, rest, is_float)?),
            _ => None,
        };
        for open in self.open.iter().rev() {
            value = Some(match open {
                Open::List(list) => {
                    let list = list.bind(py);
                    let copy = list.get_slice(0, list.len());
                    if let Some(value) = value {
                        copy.append(value)?;
                    }
                    copy.into_any()
                }
                Open::Object(object, key) => {
                    let copy = object.bind(py).copy()?;
                    if let Some(value) = value {
                        copy.set_item(key, value)?;
                    }
                    copy.into_any()
                }
            });
        }
        Ok(value)
    }

    /// Give the value that the text had when it had this many bytes and was partial.
    #[pyo3(signature = (length, /))]
    fn value_at<'py>(&self, py: Python<'py>, length: usize) -> PyResult<Option<Bound<'py, PyAny>>> {
        if length == self.text.len() {
            return self.value(py);
        }
        self.parse(py, &self.text.as_bytes()[..length]).map(Some)
    }

    fn __traverse__(&self, visit: PyVisit<'_>) -> Result<(), PyTraverseError> {
        visit.call(&self.root)?;
        visit.call(&self.from_json)?;
        visit.call(&self.check_escapes)?;
        self.open.iter().try_for_each(|open| match open {
            Open::List(list) => visit.call(list),
            Open::Object(object, _) => visit.call(object),
        })
    }

    fn __clear__(&mut self) {
        self.root = None;
        self.open.clear();
        self.is_broken = true;
    }
}

impl GrowingJSON {
    fn parse<'py>(&self, py: Python<'py>, text: &[u8]) -> PyResult<Bound<'py, PyAny>> {
        let options = PyDict::new(py);
        options.set_item(intern!(py, "partial_mode"), true)?;
        self.from_json.bind(py).call((PyBytes::new(py, text),), Some(&options))
    }

    /// Reads a token, or the beginning of a string; false if its end is missing.
    fn read_token(&mut self, py: Python<'_>) -> PyResult<bool> {
        let rest = &self.text.as_bytes()[self.at..];
        let blanks = rest.iter().take_while(|byte| b" \t\n\r".contains(byte)).count();
        self.at += blanks;
        let Some(&byte) = rest.get(blanks) else { return Ok(false) };
        let is_object = matches!(self.open.last(), Some(Open::Object(..)));
        match (self.expect, byte) {
            (Expect::Colon | Expect::CommaOrEnd, b'"') => self.is_broken = true,
            (_, b'"') => {
                self.at += 1;
                self.string = Some(self.at);
                self.checked = self.at;
                return Ok(true);
            }
            (Expect::CommaOrEnd, b',') => self.expect = if is_object { Expect::Key } else { Expect::Value },
            (Expect::CommaOrEnd | Expect::KeyOrEnd, b'}') if is_object => self.close(py)?,
            (Expect::CommaOrEnd | Expect::ValueOrEnd, b']') if !is_object => self.close(py)?,
            (Expect::Colon, b':') => self.expect = Expect::Value,
            (Expect::Value | Expect::ValueOrEnd, b'{' | b'[') => {
                if self.open.len() == MAX_DEPTH {
                    self.is_broken = true;
                } else if byte == b'{' {
                    let key = PyString::new(py, "").unbind();
                    self.open.push(Open::Object(PyDict::new(py).unbind(), key));
                    self.expect = Expect::KeyOrEnd;
                } else {
                    self.open.push(Open::List(PyList::empty(py).unbind()));
                    self.expect = Expect::ValueOrEnd;
                }
            }
            (Expect::Value | Expect::ValueOrEnd, _) => return self.read_scalar(py),
            _ => self.is_broken = true,
        }
        self.at += 1;
        Ok(true)
    }

    fn read_scalar(&mut self, py: Python<'_>) -> PyResult<bool> {
        let rest = &self.text[self.at..];
        if let Some(literal) = LITERALS.iter().find(|&&literal| rest.starts_with(literal)) {
            let value = match *literal {
                "true" | "false" => PyBool::new(py, *literal == "true").to_owned().into_any(),
                "null" => py.None().into_bound(py),
                "NaN" => PyFloat::new(py, f64::NAN).into_any(),
                "Infinity" => PyFloat::new(py, f64::INFINITY).into_any(),
                _ => PyFloat::new(py, f64::NEG_INFINITY).into_any(),
            };
            self.at += literal.len();
            self.add_value(value)?;
            return Ok(true);
        }
        let is_open = LITERALS.iter().any(|literal| literal.starts_with(rest))
            || (rest.len() <= MAX_DIGITS && is_number_prefix(rest.as_bytes()));
        if is_open {
            return Ok(false);
        }
        match scan_number(rest.as_bytes()) {
            Some((length, is_float)) if length <= MAX_DIGITS => {
                let value = number(py, &rest[..length], is_float)?;
                self.at += length;
                self.add_value(value)?;
            }
            _ => self.is_broken = true,
        }
        Ok(true)
    }

    /// Reads on in a string; false if its end is missing.
    fn read_string(&mut self, py: Python<'_>) -> PyResult<bool> {
        let start = self.string.unwrap_or_default();
        let bytes = self.text.as_bytes();
        let end = loop {
            let rest = &bytes[self.at..];
            let Some(found) = rest.iter().position(|&byte| matches!(byte, b'"' | b'\\' | 0..=0x1f)) else {
                self.at = bytes.len();
                return Ok(false);
            };
            self.at += found;
            match bytes[self.at] {
                b'"' => break self.at,
                b'\\' if self.at + 1 == bytes.len() => return Ok(false), // what it escapes comes later
                b'\\' => self.at += 2,
                _ => {
                    self.is_broken = true;
                    return Ok(true);
                }
            }
        };
        let string = if memchr::memchr(b'\\', &bytes[start..end]).is_none() {
            PyString::new(py, &self.text[start..end])
        } else {
            match self.parse(py, &bytes[start - 1..=end]) {
                Ok(string) => string.cast_into()?,
                Err(error) if error.is_instance_of::<PyValueError>(py) => {
                    self.is_broken = true;
                    return Ok(true);
                }
                Err(error) => return Err(error),
            }
        };
        self.string = None;
        self.at = end + 1;
        match (self.expect, self.open.last_mut()) {
            (Expect::Key | Expect::KeyOrEnd, Some(Open::Object(_, key))) => {
                *key = string.unbind();
                self.expect = Expect::Colon;
                Ok(true)
            }
            _ => self.add_value(string.into_any()).map(|()| true),
        }
    }

    /// Checks the escapes in the new end of an unfinished string.
    fn check_new_escapes(&mut self, py: Python<'_>) -> PyResult<()> {
        if self.string.is_none() {
            return Ok(());
        }
        let bytes = self.text.as_bytes();
        while let Some(found) = memchr::memchr(b'\\', &bytes[self.checked..]) {
            self.checked += found;
            match bytes.get(self.checked + 1) {
                None => return Ok(()),
                Some(b'"' | b'\\' | b'/' | b'b' | b'f' | b'n' | b'r' | b't') => self.checked += 2,
                Some(b'u') => {
                    match self.check_escapes.bind(py).call1((&self.text[self.checked..],)) {
                        Ok(length) => self.checked += length.extract::<usize>()?,
                        Err(error) if error.is_instance_of::<PyValueError>(py) => self.is_broken = true,
                        Err(error) => return Err(error),
                    }
                    return Ok(());
                }
                Some(_) => {
                    self.is_broken = true;
                    return Ok(());
                }
            }
        }
        self.checked = bytes.len();
        Ok(())
    }

    fn close(&mut self, py: Python<'_>) -> PyResult<()> {
        let value = match self.open.pop() {
            Some(Open::List(list)) => list.into_bound(py).into_any(),
            Some(Open::Object(object, _)) => object.into_bound(py).into_any(),
            None => return Ok(()),
        };
        self.add_value(value)
    }

    fn add_value(&mut self, value: Bound<'_, PyAny>) -> PyResult<()> {
        self.expect = Expect::CommaOrEnd;
        match self.open.last() {
            None => self.root = Some(value.unbind()),
            Some(Open::List(list)) => list.bind(value.py()).append(value)?,
            Some(Open::Object(object, key)) => object.bind(value.py()).set_item(key, value)?,
        }
        Ok(())
    }
}

fn digits(bytes: &[u8], from: usize) -> usize {
    from + bytes[from..].iter().take_while(|byte| byte.is_ascii_digit()).count()
}

/// The length of the integer at the start, with its sign.
fn integer(bytes: &[u8]) -> Option<usize> {
    let start = usize::from(bytes.first() == Some(&b'-'));
    match bytes.get(start) {
        Some(b'0') => Some(start + 1),
        Some(b'1'..=b'9') => Some(digits(bytes, start)),
        _ => None,
    }
}

/// Where the digits of an exponent begin, if there is one.
fn exponent(bytes: &[u8], at: usize) -> Option<usize> {
    match bytes.get(at..)? {
        [b'e' | b'E', b'+' | b'-', ..] => Some(at + 2),
        [b'e' | b'E', ..] => Some(at + 1),
        _ => None,
    }
}

/// The length of the number at the start, and whether it is a float; None if it is none.
fn scan_number(bytes: &[u8]) -> Option<(usize, bool)> {
    let mut end = integer(bytes)?;
    let whole = end;
    if bytes.get(end) == Some(&b'.') && digits(bytes, end + 1) > end + 1 {
        end = digits(bytes, end + 1);
    }
    if let Some(start) = exponent(bytes, end).filter(|&start| digits(bytes, start) > start) {
        end = digits(bytes, start);
    }
    let goes_on = bytes.get(end).is_some_and(|byte| b"-+.0123456789eE".contains(byte));
    if goes_on { None } else { Some((end, end > whole)) }
}

/// Whether all of the text may be the beginning of a number.
fn is_number_prefix(bytes: &[u8]) -> bool {
    let Some(mut end) = integer(bytes) else { return bytes == b"-" };
    if bytes.get(end) == Some(&b'.') {
        let start = end + 1;
        end = digits(bytes, start);
        if end == start {
            return end == bytes.len();
        }
    }
    exponent(bytes, end).map_or(end, |start| digits(bytes, start)) == bytes.len()
}

fn number<'py>(py: Python<'py>, text: &str, is_float: bool) -> PyResult<Bound<'py, PyAny>> {
    if is_float {
        return Ok(PyFloat::new(py, text.parse()?).into_any());
    }
    match text.parse::<i64>() {
        Ok(value) => Ok(value.into_pyobject(py)?.into_any()),
        Err(_) => py.get_type::<PyInt>().call1((text,)),
    }
}
