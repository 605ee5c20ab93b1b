//! What a body reads as, and a naive reader that has all of its bytes.

use ssejet_core::body::{Body, BodyError, Framing};

const MAX_LINES: usize = (100 << 10) + 1;

/// What reading a body gave: the payload, what followed, and how it ended.
#[derive(Debug, PartialEq, Eq)]
pub struct Read<E> {
    pub payload: Vec<u8>,
    pub rest: Vec<u8>,
    pub end: Result<(), E>,
}

/// Feeds the pieces to a new reader, and then the end of the connection.
pub fn read<'i>(framing: Framing, pieces: impl IntoIterator<Item = &'i [u8]>) -> Read<BodyError> {
    let mut body = Body::new(framing);
    let mut read = Read { payload: Vec::new(), rest: Vec::new(), end: Ok(()) };
    for piece in pieces {
        match body.feed(piece, |part| read.payload.extend_from_slice(part)) {
            Ok(rest) => read.rest.extend_from_slice(rest),
            Err(error) => {
                assert_eq!(body.feed(b"more", |_| panic!("nothing follows an error")), Err(error));
                read.end = Err(error);
                assert_eq!(body.finish(), read.end);
                return read;
            }
        }
    }
    assert_eq!(body.excess(), read.rest.len() as u64);
    read.end = body.finish();
    assert_eq!(body.is_complete(), read.end.is_ok());
    read
}

/// Reads a whole body by searching and splitting.
pub fn naive(framing: Framing, input: &[u8]) -> Read<()> {
    let mut payload = Vec::new();
    let rest = match framing {
        Framing::Chunked => chunked(input, &mut payload),
        Framing::UntilClose => Some(take(input, input.len(), &mut payload)),
        Framing::Length(length) => {
            let present = usize::try_from(length).map_or(input.len(), |length| length.min(input.len()));
            let rest = take(input, present, &mut payload);
            (present as u64 == length).then_some(rest)
        }
        _ => unreachable!("all framings are above"),
    };
    let end = rest.map(|_| ()).ok_or(());
    Read { payload, rest: rest.unwrap_or_default().to_vec(), end }
}

fn take<'i>(input: &'i [u8], length: usize, payload: &mut Vec<u8>) -> &'i [u8] {
    payload.extend_from_slice(&input[..length]);
    &input[length..]
}

/// What follows the body, or `None` if it is malformed or unfinished.
fn chunked<'i>(mut input: &'i [u8], payload: &mut Vec<u8>) -> Option<&'i [u8]> {
    loop {
        let end = input.windows(2).position(|pair| pair == b"\r\n")?;
        let size = size(&input[..end])?;
        input = &input[end + 2..];
        if size == 0 {
            return trailers(input);
        }
        let present = usize::try_from(size).map_or(input.len(), |size| size.min(input.len()));
        input = take(input, present, payload);
        if (present as u64) < size {
            return None;
        }
        input = input.strip_prefix(b"\r\n")?;
    }
}

fn size(line: &[u8]) -> Option<u64> {
    let line = std::str::from_utf8(line.split(|&byte| byte == b';').next()?)
        .ok()
        .filter(|_| line.len() + 2 <= MAX_LINES && !line.contains(&b'\n'))
        .map(|size| if line.contains(&b';') { size } else { size.trim_end_matches([' ', '\t']) })?;
    let is_size = (1..=20).contains(&line.len()) && line.bytes().all(|byte| byte.is_ascii_hexdigit());
    if is_size { u64::from_str_radix(line, 16).ok() } else { None }
}

fn trailers(input: &[u8]) -> Option<&[u8]> {
    let mut fields: Vec<Vec<u8>> = Vec::new();
    let mut rest = input;
    loop {
        let end = rest.iter().position(|&byte| byte == b'\n')?;
        let line = rest[..end].strip_suffix(b"\r").unwrap_or(&rest[..end]);
        rest = &rest[end + 1..];
        match line {
            [] => break,
            [b' ' | b'\t', ..] => fields.last_mut()?.extend_from_slice(line),
            _ => fields.push(line.to_vec()),
        }
    }
    let is_short = input.len() - rest.len() <= MAX_LINES;
    (is_short && fields.iter().all(|field| is_field(field))).then_some(rest)
}

fn is_field(line: &[u8]) -> bool {
    let mut parts = line.splitn(2, |&byte| byte == b':');
    let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return false };
    let is_name = !name.is_empty()
        && name.iter().all(|byte| {
            matches!(byte, b'!' | b'#'..=b'\'' | b'*' | b'+' | b'-' | b'.' | b'0'..=b'9'
                                                 | b'A'..=b'Z' | b'^'..=b'z' | b'|' | b'~')
        });
    is_name && !value.iter().any(|byte| matches!(byte, 0 | b'\r' | 0x0B | 0x0C))
}
