//! The standard's algorithm, word by word, on a whole stream at once.

use ssejet_core::{Dispatch, Options};

use super::{Decoded, OwnedEvent};

/// What the lines since the last blank line have set.
#[derive(Default)]
struct Block {
    event_type: Vec<u8>,
    data: Vec<Vec<u8>>,
    id: Option<Vec<u8>>,
    retry: Option<u64>,
    has_valid_field: bool,
}

impl Block {
    fn size(&self) -> usize {
        let id = self.id.as_ref().map_or(0, Vec::len);
        self.event_type.len() + self.data.join(&b'\n').len() + id
    }
}

struct TooLarge;

struct Interpreter {
    options: Options,
    block: Block,
    last_event_id: Option<Vec<u8>>,
    decoded: Decoded,
}

/// Decodes a whole stream.
pub fn decode(stream: &[u8], options: Options, last_event_id: &[u8]) -> Decoded {
    let stream = stream.strip_prefix(b"\xEF\xBB\xBF").unwrap_or(stream);
    let mut interpreter = Interpreter {
        options,
        block: Block::default(),
        last_event_id: (!last_event_id.is_empty()).then(|| last_event_id.to_vec()),
        decoded: Decoded::default(),
    };
    let too_large = interpreter.stream(stream).is_err();
    Decoded { last_event_id: interpreter.last_event_id.unwrap_or_default(), too_large, ..interpreter.decoded }
}

impl Interpreter {
    fn stream(&mut self, stream: &[u8]) -> Result<(), TooLarge> {
        let (lines, unterminated) = split_lines(stream);
        for line in lines {
            self.line(line)?;
            self.decoded.before_end = self.decoded.events.len();
        }
        self.check_size(unterminated)?;
        if self.options.flush_incomplete {
            if !unterminated.is_empty() {
                self.line(unterminated)?;
            }
            if self.block.has_valid_field {
                self.blank_line();
            }
        }
        Ok(())
    }

    fn line(&mut self, line: &[u8]) -> Result<(), TooLarge> {
        self.check_size(line)?;
        if line.is_empty() {
            self.blank_line();
        } else if let Some(comment) = line.strip_prefix(b":") {
            if self.options.comments {
                self.decoded.comments.push(comment.to_vec());
            }
        } else {
            let (name, value) = split_field(line);
            self.field(name, value.unwrap_or_default());
        }
        self.check_size(b"")
    }

    fn field(&mut self, name: &[u8], value: &[u8]) {
        match name {
            b"event" => self.block.event_type = value.to_vec(),
            b"data" => self.block.data.push(value.to_vec()),
            b"id" if !value.contains(&0) => self.block.id = Some(value.to_vec()),
            b"retry" if !value.is_empty() && value.iter().all(u8::is_ascii_digit) => {
                let digits = std::str::from_utf8(value).expect("ASCII is UTF-8");
                let largest = i64::MAX.unsigned_abs();
                // Digits alone fail to parse only when they are too many.
                let retry = Some(digits.parse().map_or(largest, |retry: u64| retry.min(largest)));
                self.block.retry = retry;
                self.decoded.reconnection_time = retry;
            }
            _ => return,
        }
        self.block.has_valid_field = true;
    }

    fn blank_line(&mut self) {
        let block = std::mem::take(&mut self.block);
        if block.id.is_some() {
            self.last_event_id = block.id;
        }
        let dispatched = match self.options.dispatch {
            Dispatch::Data => !block.data.is_empty(),
            Dispatch::AnyField => block.has_valid_field,
            Dispatch::AnyState => {
                !block.event_type.is_empty()
                    || !block.data.is_empty()
                    || block.retry.is_some()
                    || self.last_event_id.as_ref().is_some_and(|id| !id.is_empty())
            }
            unknown => panic!("this parser does not know {unknown:?}"),
        };
        if dispatched {
            self.decoded.events.push(OwnedEvent {
                event_type: block.event_type,
                data: block.data.join(&b'\n'),
                last_event_id: self.last_event_id.clone(),
                retry: block.retry,
            });
        }
    }

    /// Refuses what could not be held at some moment before the end of the line `unfinished`.
    fn check_size(&self, unfinished: &[u8]) -> Result<(), TooLarge> {
        let held = match split_field(unfinished) {
            (b"", Some(_)) if self.options.comments => unfinished.len() - 1,
            (b"data", Some(value)) => usize::from(!self.block.data.is_empty()) + value.len(),
            (b"event" | b"id" | b"retry", Some(value)) => value.len(),
            _ => 0,
        };
        if self.block.size() + held > self.options.max_event_size { Err(TooLarge) } else { Ok(()) }
    }
}

/// The terminated lines, without their ends, and what follows the last of them.
fn split_lines(mut rest: &[u8]) -> (Vec<&[u8]>, &[u8]) {
    let mut lines = Vec::new();
    while let Some(end) = rest.iter().position(|byte| b"\r\n".contains(byte)) {
        lines.push(&rest[..end]);
        let terminator = if rest[end..].starts_with(b"\r\n") { 2 } else { 1 };
        rest = &rest[end + terminator..];
    }
    (lines, rest)
}

/// The name, and what follows the colon, if there is one, less a leading space.
fn split_field(line: &[u8]) -> (&[u8], Option<&[u8]>) {
    match line.iter().position(|&byte| byte == b':') {
        Some(colon) => {
            let value = &line[colon + 1..];
            (&line[..colon], Some(value.strip_prefix(b" ").unwrap_or(value)))
        }
        None => (line, None),
    }
}
