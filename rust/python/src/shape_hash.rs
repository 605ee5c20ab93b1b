//! How the shape of a JSON text is hashed: its keys in order, how they are nested, and of what kind each value is.

/// What kind of value begins here. What Python takes for false, and the word "error", are kinds of their own, as
/// they make the difference between an error and none. So is text whose first character is escaped, which may
/// be any word.
#[inline]
pub fn kind(value: &[u8]) -> u8 {
    match skip_space(value) {
        [b'"', b'"', ..] => b'e',
        [b'"', b'\\', ..] => b'\\',
        [b'"', word @ ..] if is_error(word) => b'E',
        [b'1'..=b'9', ..] => b'1',
        number @ [b'0' | b'-', ..] => {
            if is_zero(number) {
                b'0'
            } else {
                b'1'
            }
        }
        [b'[', rest @ ..] if skip_space(rest).first() == Some(&b']') => b']',
        [first, ..] => *first,
        [] => 0,
    }
}

#[inline]
fn skip_space(mut value: &[u8]) -> &[u8] {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    value
}

/// Whether the word "error", in capitals or not, is all of a text.
#[inline]
fn is_error(text: &[u8]) -> bool {
    matches!(text, [b'e' | b'E', ..])
        && text.get(5) == Some(&b'"')
        && text[..5].eq_ignore_ascii_case(b"error")
}

/// Whether a number is zero, however it is written.
#[inline]
fn is_zero(number: &[u8]) -> bool {
    let after = number.iter().find(|byte| !matches!(byte, b'0' | b'-' | b'.'));
    !after.is_some_and(u8::is_ascii_digit)
}

/// A quick hash; servers that look for collisions only deceive themselves.
#[derive(Clone, Copy, Default, PartialEq, Eq)]
pub struct ShapeHash(pub u64);

impl ShapeHash {
    #[inline]
    pub fn add(&mut self, word: u64) {
        self.0 = (self.0.rotate_left(5) ^ word).wrapping_mul(0x517c_c1b7_2722_0a95);
    }
}
