//! Reads JSON, one value at a time.
//!
//! Refuses what Python's `json.loads` refuses, and also rare things that `json.loads` takes: `NaN` and the
//! infinities, integers of more than 18 digits, lone surrogates, and deep nesting. Callers then use
//! `json.loads`.

use std::borrow::Cow;

/// The text is not JSON, or has another kind of value here.
#[derive(Debug)]
pub struct Refused;

/// How deep JSON may be nested. jiter, and so pydantic, has the same limit.
const MAX_DEPTH: u8 = 200;

/// All integers of this many digits fit in 64 bits.
const MAX_DIGITS: usize = 18;

pub enum Number {
    Int(i64),
    Float(f64),
}

/// The kinds of JSON values. The first byte says which.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    String,
    Number,
    Object,
    Array,
    Boolean,
    Null,
}

/// A place in a text.
#[derive(Clone, Copy)]
pub struct Cursor<'a> {
    bytes: &'a [u8],
    at: usize,
    depth: u8,
}

impl<'a> Cursor<'a> {
    pub fn new(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 0 }
    }

    /// For a text that stands in an object.
    pub fn inside_object(bytes: &'a [u8]) -> Self {
        Self { bytes, at: 0, depth: 1 }
    }

    /// The next byte that is not white space.
    #[inline]
    fn peek(&mut self) -> Result<u8, Refused> {
        loop {
            match self.bytes.get(self.at) {
                Some(b' ' | b'\n' | b'\r' | b'\t') => self.at += 1,
                Some(&byte) => return Ok(byte),
                None => return Err(Refused),
            }
        }
    }

    /// Makes sure that the text ends here.
    pub fn end(mut self) -> Result<(), Refused> {
        if self.peek().is_ok() { Err(Refused) } else { Ok(()) }
    }

    /// Whether this is in an object or an array that is in no other.
    #[inline]
    pub fn is_outermost(&self) -> bool {
        self.depth == 1
    }

    #[inline]
    pub fn kind(&mut self) -> Result<Kind, Refused> {
        match self.peek()? {
            b'"' => Ok(Kind::String),
            b'{' => Ok(Kind::Object),
            b'[' => Ok(Kind::Array),
            b'-' | b'0'..=b'9' => Ok(Kind::Number),
            b't' | b'f' => Ok(Kind::Boolean),
            b'n' => Ok(Kind::Null),
            _ => Err(Refused),
        }
    }

    /// Whether no other value than null can come next.
    #[inline]
    pub fn is_null(&mut self) -> Result<bool, Refused> {
        Ok(self.peek()? == b'n')
    }

    #[inline]
    fn expect(&mut self, byte: u8) -> Result<(), Refused> {
        if self.peek()? == byte {
            self.at += 1;
            Ok(())
        } else {
            Err(Refused)
        }
    }

    fn word(&mut self, word: &[u8]) -> Result<(), Refused> {
        if self.bytes[self.at..].starts_with(word) {
            self.at += word.len();
            Ok(())
        } else {
            Err(Refused)
        }
    }

    #[inline]
    pub fn null(&mut self) -> Result<(), Refused> {
        self.peek()?;
        self.word(b"null")
    }

    #[inline]
    pub fn boolean(&mut self) -> Result<bool, Refused> {
        let value = self.peek()? == b't';
        self.word(if value { b"true" } else { b"false" })?;
        Ok(value)
    }

    /// Reads an object's members, or an array's items, by calling `each` at the start of each.
    #[inline]
    fn container<E: From<Refused>>(
        &mut self,
        [open, close]: [u8; 2],
        each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.expect(open)?;
        if self.depth == MAX_DEPTH {
            return Err(Refused.into());
        }
        self.depth += 1;
        if self.peek()? == close {
            self.at += 1;
            self.depth -= 1;
            Ok(())
        } else {
            self.rest(close, each)
        }
    }

    /// Reads the members or items from here to the end of the object or array.
    #[inline]
    fn rest<E: From<Refused>>(
        &mut self,
        close: u8,
        mut each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        loop {
            each(self)?;
            match self.peek()? {
                b',' => self.at += 1,
                byte if byte == close => {
                    self.at += 1;
                    self.depth -= 1;
                    return Ok(());
                }
                _ => return Err(Refused.into()),
            }
        }
    }

    /// Reads this text if it comes next. The text must be a whole token: a string with its quotes, a number
    /// or a word.
    #[inline]
    pub fn token(&mut self, text: &[u8]) -> bool {
        if self.peek().is_err() {
            return false;
        }
        let Some(rest) = self.bytes[self.at..].strip_prefix(text) else { return false };
        // A number ends where no more of it follows. What may follow other tokens is checked when it is read.
        let is_whole = match (text, rest) {
            ([b'-' | b'0'..=b'9', ..], [next, ..]) => {
                !matches!(next, b'0'..=b'9' | b'.' | b'e' | b'E' | b'+' | b'-')
            }
            _ => true,
        };
        if is_whole {
            self.at += text.len();
        }
        is_whole
    }

    /// The bytes from a place that this cursor had before, without the white space in front of them.
    pub fn since(&self, start: &Self) -> &'a [u8] {
        self.bytes[start.at..self.at].trim_ascii_start()
    }

    /// Calls `each` at the start of each member of an object, which it must read with `key` and as a value.
    #[inline]
    pub fn members<E: From<Refused>>(
        &mut self,
        each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.container(*b"{}", each)
    }

    /// Reads a member's key and the colon after it.
    #[inline]
    pub fn key(&mut self) -> Result<Cow<'a, [u8]>, Refused> {
        let key = self.string()?;
        self.expect(b':')?;
        Ok(key)
    }

    /// Calls `each` with each key, at the value, which it must read.
    #[inline]
    pub fn object<E: From<Refused>>(
        &mut self,
        mut each: impl FnMut(&mut Self, Cow<'a, [u8]>) -> Result<(), E>,
    ) -> Result<(), E> {
        self.members(|cursor| {
            let key = cursor.key()?;
            each(cursor, key)
        })
    }

    /// Does what `members` does for an outermost object whose first members have been read before. They end
    /// at `start`, after a comma.
    #[inline]
    pub fn rest_of_members<E: From<Refused>>(
        &mut self,
        start: usize,
        each: impl FnMut(&mut Self) -> Result<(), E>,
    ) -> Result<(), E> {
        self.at = start;
        self.depth = 1;
        self.rest(b'}', each)
    }

    /// Reads a key and the colon after it, if they are written like this.
    #[inline]
    pub fn take_key(&mut self, written: &[u8]) -> bool {
        let found = self.peek().is_ok() && self.bytes[self.at..].starts_with(written);
        self.at += if found { written.len() } else { 0 };
        found
    }

    /// The text from the next value on.
    #[inline]
    pub fn value(&mut self) -> Result<&'a [u8], Refused> {
        self.peek()?;
        Ok(&self.bytes[self.at..])
    }

    /// The index after the comma that comes next, if one does.
    #[inline]
    pub fn after_comma(&mut self) -> Option<usize> {
        matches!(self.peek(), Ok(b',')).then_some(self.at + 1)
    }

    /// Calls `each` at each item, which it must read.
    #[inline]
    pub fn array<E: From<Refused>>(&mut self, each: impl FnMut(&mut Self) -> Result<(), E>) -> Result<(), E> {
        self.container(*b"[]", each)
    }

    /// Reads a string. It is not checked to be UTF-8: no byte of a longer character looks like a quote or a
    /// backslash.
    #[inline]
    pub fn string(&mut self) -> Result<Cow<'a, [u8]>, Refused> {
        self.expect(b'"')?;
        let start = self.at;
        let end = start + plain(&self.bytes[start..]);
        self.at = end + 1;
        match self.bytes.get(end) {
            Some(b'"') => Ok(Cow::Borrowed(&self.bytes[start..end])),
            Some(b'\\') => self.escaped(self.bytes[start..end].to_vec()).map(Cow::Owned),
            _ => Err(Refused),
        }
    }

    /// Reads the rest of a string, after its first backslash.
    #[cold]
    fn escaped(&mut self, mut text: Vec<u8>) -> Result<Vec<u8>, Refused> {
        loop {
            let escape = *self.bytes.get(self.at).ok_or(Refused)?;
            self.at += 1;
            match escape {
                b'"' | b'\\' | b'/' => text.push(escape),
                b'b' => text.push(b'\x08'),
                b'f' => text.push(b'\x0C'),
                b'n' => text.push(b'\n'),
                b'r' => text.push(b'\r'),
                b't' => text.push(b'\t'),
                b'u' => {
                    let character = self.escaped_character()?;
                    text.extend_from_slice(character.encode_utf8(&mut [0; 4]).as_bytes());
                }
                _ => return Err(Refused),
            }
            let rest = &self.bytes[self.at..];
            let (run, rest) = rest.split_at(plain(rest));
            text.extend_from_slice(run);
            self.at += run.len() + 1;
            match rest.first() {
                Some(b'"') => return Ok(text),
                Some(b'\\') => {}
                _ => return Err(Refused),
            }
        }
    }

    fn escaped_character(&mut self) -> Result<char, Refused> {
        let mut units = [self.code_unit()?, 0];
        let mut count = 1;
        if (0xD800..0xDC00).contains(&units[0]) {
            self.word(br"\u")?;
            units[1] = self.code_unit()?;
            count = 2;
        }
        char::decode_utf16(units[..count].iter().copied()).next().ok_or(Refused)?.map_err(|_| Refused)
    }

    fn code_unit(&mut self) -> Result<u16, Refused> {
        let digits = self.bytes.get(self.at..self.at + 4).ok_or(Refused)?;
        self.at += 4;
        digits.iter().try_fold(0, |unit, &digit| {
            let digit = char::from(digit).to_digit(16).ok_or(Refused)?;
            Ok(unit << 4 | u16::try_from(digit).map_err(|_| Refused)?)
        })
    }

    #[inline]
    pub fn number(&mut self) -> Result<Number, Refused> {
        self.peek()?;
        let start = self.at;
        let negative = self.bytes[start] == b'-';
        self.at += usize::from(negative);
        let whole = self.digits()?;
        if whole.len() > 1 && whole[0] == b'0' {
            return Err(Refused);
        }
        let mut is_float = false;
        if self.bytes.get(self.at) == Some(&b'.') {
            self.at += 1;
            self.digits()?;
            is_float = true;
        }
        if let Some(b'e' | b'E') = self.bytes.get(self.at) {
            self.at += 1;
            if let Some(b'+' | b'-') = self.bytes.get(self.at) {
                self.at += 1;
            }
            self.digits()?;
            is_float = true;
        }
        if is_float {
            // The text is ASCII, as checked above. Rust gives the nearest float, as Python does.
            let text = std::str::from_utf8(&self.bytes[start..self.at]).map_err(|_| Refused)?;
            return text.parse().map(Number::Float).map_err(|_| Refused);
        }
        if whole.len() > MAX_DIGITS {
            return Err(Refused);
        }
        let value = whole.iter().fold(0, |value, digit| value * 10 + i64::from(digit - b'0'));
        Ok(Number::Int(if negative { -value } else { value }))
    }

    fn digits(&mut self) -> Result<&'a [u8], Refused> {
        let rest = &self.bytes[self.at..];
        let count = rest.iter().take_while(|byte| byte.is_ascii_digit()).count();
        if count == 0 {
            return Err(Refused);
        }
        self.at += count;
        Ok(&rest[..count])
    }

    /// Reads a value of any kind, and drops it.
    pub fn skip(&mut self) -> Result<(), Refused> {
        match self.kind()? {
            Kind::String => self.string().map(drop),
            Kind::Number => self.number().map(drop),
            Kind::Object => self.object(|cursor, _| cursor.skip()),
            Kind::Array => self.array(Self::skip),
            Kind::Boolean => self.boolean().map(drop),
            Kind::Null => self.null(),
        }
    }
}

/// The number of bytes before a quote, a backslash or a control character.
#[inline]
fn plain(bytes: &[u8]) -> usize {
    const WORD: usize = size_of::<u64>();
    const ONES: u64 = u64::MAX / 255;
    const HIGHS: u64 = ONES << 7;
    // Marks the highest bit of the first byte that is zero. Bytes after that one may be marked, too.
    let zeros = |word: u64| word.wrapping_sub(ONES) & !word;
    let mut at = 0;
    while let Some(word) = bytes.get(at..at + WORD) {
        let word = u64::from_le_bytes(word.try_into().expect("the slice is as long"));
        let control = word.wrapping_sub(ONES * 0x20) & !word;
        let quote = zeros(word ^ (ONES * u64::from(b'"')));
        let backslash = zeros(word ^ (ONES * u64::from(b'\\')));
        let marks = (control | quote | backslash) & HIGHS;
        if marks != 0 {
            return at + marks.trailing_zeros() as usize / 8;
        }
        at += WORD;
    }
    let ends = |byte: &u8| matches!(byte, ..0x20 | b'"' | b'\\');
    at + bytes[at..].iter().position(ends).unwrap_or(bytes.len() - at)
}
