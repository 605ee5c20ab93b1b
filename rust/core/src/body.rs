//! Takes HTTP/1.1 message bodies off their framing: chunked, of a known length, or until the connection closes.

use core::error::Error;
use core::fmt;

/// The number of bytes that the line of a chunk's size may have, and all lines of the trailers together.
const MAX_LINES: usize = (100 << 10) + 1;

/// The number of digits that a chunk's size may have, leading zeros included.
const MAX_DIGITS: u8 = 20;

/// How the end of a body is known.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum Framing {
    /// `Transfer-Encoding: chunked`.
    Chunked,
    /// `Content-Length`.
    Length(u64),
    /// The end of the connection is the end of the body.
    UntilClose,
}

/// Why a body cannot be read. The connection must not be used again.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[non_exhaustive]
pub enum BodyError {
    /// The line of a chunk's size is not as HTTP says.
    InvalidSize,
    /// A chunk's size does not fit into 64 bits.
    SizeTooLarge,
    /// The data of a chunk is not followed by CRLF.
    InvalidChunkEnd,
    /// A line of the trailers is not a header field.
    InvalidTrailer,
    /// The line of a chunk's size, or the trailers, are too long.
    LineTooLong,
    /// The connection ended before the body.
    Incomplete,
    /// The connection ended inside the line of a chunk's size, or inside the trailers.
    IncompleteLine,
}

impl fmt::Display for BodyError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::InvalidSize => {
                "the line of a chunk's size is malformed: \
                 expected 1 to 20 hexadecimal digits, then an extension after ';' or nothing, then CRLF"
            }
            Self::SizeTooLarge => "a chunk's size is too large: expected one that fits into 64 bits",
            Self::InvalidChunkEnd => "the data of a chunk is longer than its size: expected CRLF after it",
            Self::InvalidTrailer => {
                "a line after the last chunk is malformed: expected a header field or an empty line"
            }
            Self::LineTooLong => {
                "the line of a chunk's size, or the lines after the last chunk, are too long: \
                 expected at most 100 KiB"
            }
            Self::Incomplete => "the connection ended before the end of the body",
            Self::IncompleteLine => {
                "the connection ended inside the line of a chunk's size, or inside the lines after the last chunk"
            }
        })
    }
}

impl Error for BodyError {}

/// Where in the body the last input stopped.
///
/// | state | input | next state |
/// |---|---|---|
/// | `Size` | digit | `Size` |
/// | | `;` | `Extension` |
/// | | space, tab | `SizeSpace` |
/// | | CR | `SizeLf` |
/// | `SizeSpace` | space, tab | `SizeSpace` |
/// | | CR | `SizeLf` |
/// | `Extension` | any byte but LF | `Extension` |
/// | | LF after CR | `Data`, or `Trailer` if the size is 0 |
/// | `SizeLf` | LF | `Data`, or `Trailer` if the size is 0 |
/// | `Data` | all of the data | `DataCr` |
/// | `DataCr` | CR | `DataLf` |
/// | `DataLf` | LF | `Size` |
/// | `Trailer` | part of a header field | `Trailer` |
/// | | the end of an empty line | `Complete` |
/// | `Length` | all of the data | `Complete` |
/// | `UntilClose` | the end of the connection | `Complete` |
///
/// Any other input is an error, and the state is then `Failed`.
///
/// The grammar accepts more than the standard where servers need it: spaces after a size, a bare LF at the
/// end of a trailer, folded trailers. A size ends at CRLF only, and what trailers say is ignored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Size { digits: u8, size: u64 },
    SizeSpace { size: u64 },
    Extension { size: u64, after_cr: bool },
    SizeLf { size: u64 },
    Data { left: u64 },
    DataCr,
    DataLf,
    Trailer(Trailer),
    Length { left: u64 },
    UntilClose,
    Complete,
    Failed(BodyError),
}

/// Where in the trailers the last input stopped.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Trailer {
    /// At the start of a line. The first line cannot continue one before it.
    Start { is_first: bool },
    /// After a CR at the start of a line.
    BlankCr,
    /// In the name of a field.
    Name,
    /// In the value of a field.
    Value,
    /// After a CR in the value of a field.
    ValueCr,
}

const START: State = State::Size { digits: 0, size: 0 };

/// Takes the bytes of an HTTP/1.1 message body off their framing.
///
/// ```
/// use ssejet_core::body::{Body, Framing};
///
/// let mut body = Body::new(Framing::Chunked);
/// let mut payload = Vec::new();
/// let rest = body.feed(b"5\r\nhello\r\n0\r\n\r\nHTTP/1.1 200 OK", |part| payload.extend_from_slice(part))?;
///
/// assert_eq!(payload, b"hello");
/// assert!(body.is_complete());
/// assert_eq!(rest, b"HTTP/1.1 200 OK");
/// # Ok::<(), ssejet_core::body::BodyError>(())
/// ```
#[derive(Clone, Debug)]
pub struct Body {
    state: State,
    /// The number of bytes of the current line of a size, or of the trailers.
    line: usize,
    excess: u64,
}

impl Body {
    /// Makes a reader at the start of a body.
    #[must_use]
    pub fn new(framing: Framing) -> Self {
        let state = match framing {
            Framing::Chunked => START,
            Framing::Length(0) => State::Complete,
            Framing::Length(left) => State::Length { left },
            Framing::UntilClose => State::UntilClose,
        };
        Self { state, line: 0, excess: 0 }
    }

    /// Whether the body has ended. One that ends with the connection never does.
    #[must_use]
    pub fn is_complete(&self) -> bool {
        self.state == State::Complete
    }

    /// The number of bytes that followed the body.
    #[must_use]
    pub fn excess(&self) -> u64 {
        self.excess
    }

    /// Takes the next bytes of the connection. Calls `take` with each part of the payload, borrowed from
    /// the input, and gives the bytes that follow the body.
    ///
    /// # Errors
    ///
    /// The framing is malformed. The payload before the error has been taken. Each further call gives the
    /// same error.
    pub fn feed<'i>(
        &mut self,
        mut input: &'i [u8],
        mut take: impl FnMut(&'i [u8]),
    ) -> Result<&'i [u8], BodyError> {
        while let Some((&byte, after)) = input.split_first() {
            match &mut self.state {
                State::Failed(error) => return Err(*error),
                State::Complete => break,
                State::UntilClose => {
                    take(input);
                    input = &[];
                }
                State::Length { left } | State::Data { left } => {
                    let length = usize::try_from(*left).map_or(input.len(), |left| left.min(input.len()));
                    let (part, rest) = input.split_at(length);
                    *left -= length as u64;
                    if *left == 0 {
                        let is_chunk = matches!(self.state, State::Data { .. });
                        self.state = if is_chunk { State::DataCr } else { State::Complete };
                    }
                    take(part);
                    input = rest;
                }
                _ => {
                    input = after;
                    if let Err(error) = self.step(byte) {
                        self.state = State::Failed(error);
                        return Err(error);
                    }
                }
            }
        }
        if let State::Failed(error) = self.state {
            return Err(error);
        }
        self.excess += input.len() as u64;
        Ok(input)
    }

    /// Takes the end of the connection.
    ///
    /// # Errors
    ///
    /// [`BodyError::Incomplete`] or [`BodyError::IncompleteLine`] if the body has not ended, or the error of
    /// an earlier call.
    pub fn finish(&mut self) -> Result<(), BodyError> {
        match self.state {
            State::Complete | State::UntilClose => {
                self.state = State::Complete;
                Ok(())
            }
            State::Failed(error) => Err(error),
            state => {
                let is_in_line = self.line > 0 && !matches!(state, State::DataLf);
                let error = if is_in_line { BodyError::IncompleteLine } else { BodyError::Incomplete };
                self.state = State::Failed(error);
                Err(error)
            }
        }
    }

    /// Takes a byte that is not payload.
    fn step(&mut self, byte: u8) -> Result<(), BodyError> {
        self.line += 1;
        if self.line > MAX_LINES {
            return Err(BodyError::LineTooLong);
        }
        self.state = match (self.state, byte) {
            (State::Size { digits, size }, _) if byte.is_ascii_hexdigit() => {
                if digits == MAX_DIGITS {
                    return Err(BodyError::InvalidSize);
                }
                let digit = char::from(byte).to_digit(16).unwrap_or_default();
                let size = size.checked_mul(16).ok_or(BodyError::SizeTooLarge)? + u64::from(digit);
                State::Size { digits: digits + 1, size }
            }
            (State::Size { digits: 1.., size }, b';') => State::Extension { size, after_cr: false },
            (State::Size { digits: 1.., size } | State::SizeSpace { size }, b' ' | b'\t') => {
                State::SizeSpace { size }
            }
            (State::Size { digits: 1.., size } | State::SizeSpace { size }, b'\r') => State::SizeLf { size },
            (State::SizeLf { size } | State::Extension { size, after_cr: true }, b'\n') => {
                self.line = 0;
                match size {
                    0 => State::Trailer(Trailer::Start { is_first: true }),
                    left => State::Data { left },
                }
            }
            (State::Extension { .. }, b'\n') => return Err(BodyError::InvalidSize),
            (State::Extension { size, .. }, _) => State::Extension { size, after_cr: byte == b'\r' },
            (State::DataCr, b'\r') => State::DataLf,
            (State::DataLf, b'\n') => {
                self.line = 0;
                START
            }
            (State::DataCr | State::DataLf, _) => return Err(BodyError::InvalidChunkEnd),
            (State::Trailer(trailer), _) => trailer.step(byte).ok_or(BodyError::InvalidTrailer)?,
            _ => return Err(BodyError::InvalidSize),
        };
        Ok(())
    }
}

impl Trailer {
    /// The next state, or `None` if the byte is malformed.
    fn step(self, byte: u8) -> Option<State> {
        let next = match (self, byte) {
            (Self::Start { .. } | Self::BlankCr, b'\n') => return Some(State::Complete),
            (Self::Start { .. }, b'\r') => Self::BlankCr,
            (Self::Start { .. } | Self::Name, _) if is_token(byte) => Self::Name,
            (Self::Value | Self::ValueCr, b'\n') => Self::Start { is_first: false },
            (Self::Value, b'\r') => Self::ValueCr,
            (Self::Value, 0 | 0x0B | 0x0C) => return None,
            // A line that starts with a space continues the value of the line before.
            (Self::Start { is_first: false }, b' ' | b'\t') | (Self::Name, b':') | (Self::Value, _) => {
                Self::Value
            }
            _ => return None,
        };
        Some(State::Trailer(next))
    }
}

/// Whether a byte may be part of a field's name.
fn is_token(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte)
}
