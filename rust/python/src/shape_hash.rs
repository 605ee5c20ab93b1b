//! How the shape of a JSON text is hashed: its keys in order, how they are nested, and of what kind each value is.

/// What kind of value begins here. Empty texts, zero and the word "error" are kinds of their own, as they
/// make the difference between an error and none.
#[inline]
pub fn kind(mut value: &[u8]) -> u8 {
    while let [b' ' | b'\t' | b'\r' | b'\n', rest @ ..] = value {
        value = rest;
    }
    match value {
        [b'"', b'"', ..] => b'e',
        [b'"', b'e', ..] if value.starts_with(b"\"error\"") => b'E',
        [b'1'..=b'9' | b'-', ..] => b'1',
        [first, ..] => *first,
        [] => 0,
    }
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
