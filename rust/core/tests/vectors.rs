//! The vectors that the Python tests read too; `tests/vectors/README.md` gives their schema.

mod common;

use std::path::Path;

use common::{Decoded, OwnedEvent, cut, decode_chunks, naive};
use serde::Deserialize;
use ssejet_core::{Dispatch, Options};

/// Up to this length all splits into three are tried.
const SHORT: usize = 40;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Theme {
    #[serde(rename = "about")]
    _about: String,
    vectors: Vec<Vector>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Vector {
    name: String,
    input: Option<String>,
    input_latin1: Option<String>,
    #[serde(default)]
    options: VectorOptions,
    #[serde(default)]
    events: Vec<VectorEvent>,
    #[serde(default)]
    comments: Vec<String>,
    retry: Option<u64>,
    #[serde(default)]
    last_event_id: String,
    #[serde(default)]
    too_large: bool,
    #[serde(default)]
    events_at_end: usize,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields, default)]
struct VectorOptions {
    dialect: String,
    max_event_size: Option<usize>,
    last_event_id: String,
    flush_incomplete: bool,
    comments: bool,
}

impl Default for VectorOptions {
    fn default() -> Self {
        Self {
            dialect: "whatwg".into(),
            max_event_size: None,
            last_event_id: String::new(),
            flush_incomplete: false,
            comments: true,
        }
    }
}

#[derive(Clone, Debug, Deserialize, PartialEq, Eq)]
#[serde(deny_unknown_fields)]
struct VectorEvent {
    #[serde(default = "message")]
    event: Option<String>,
    data: String,
    #[serde(default = "empty")]
    id: Option<String>,
    #[serde(default)]
    retry: Option<u64>,
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn message() -> Option<String> {
    Some("message".into())
}

#[expect(clippy::unnecessary_wraps, reason = "serde wants the field's type")]
fn empty() -> Option<String> {
    Some(String::new())
}

impl Vector {
    fn stream(&self) -> Vec<u8> {
        match (&self.input, &self.input_latin1) {
            (Some(text), None) => text.clone().into_bytes(),
            (None, Some(bytes)) => bytes.chars().map(|byte| u8::try_from(byte).expect("one byte")).collect(),
            _ => panic!("{}: either input or input_latin1", self.name),
        }
    }

    fn options(&self) -> Options {
        let dispatch = match &*self.options.dialect {
            "whatwg" | "openai" | "anthropic" => Dispatch::Data,
            "httpx-sse" => Dispatch::AnyState,
            "httpx2" => Dispatch::AnyField,
            unknown => panic!("{}: no dialect {unknown}", self.name),
        };
        Options::default()
            .with_dispatch(dispatch)
            .with_max_event_size(self.options.max_event_size.unwrap_or(usize::MAX))
            .with_comments(self.options.comments)
            .with_flush_incomplete(self.options.flush_incomplete)
    }

    /// An event in the words of the vector's dialect, which the parser does not know.
    fn presented(&self, event: &OwnedEvent) -> VectorEvent {
        let says_none = matches!(&*self.options.dialect, "openai" | "anthropic");
        let event_type = text(&event.event_type);
        let id = event.last_event_id.as_deref().map(text);
        VectorEvent {
            event: match &*event_type {
                "" if says_none => None,
                "" => message(),
                _ => Some(event_type),
            },
            data: text(&event.data),
            id: if says_none { id } else { Some(id.unwrap_or_default()) },
            retry: event.retry,
        }
    }

    #[track_caller]
    fn check(&self, decoded: &Decoded, how: &str) {
        let name = &self.name;
        let events: Vec<_> = decoded.events.iter().map(|event| self.presented(event)).collect();
        let comments: Vec<_> = decoded.comments.iter().map(|comment| text(comment)).collect();
        assert_eq!(events, self.events, "{name}, {how}: events");
        assert_eq!(comments, self.comments, "{name}, {how}: comments");
        assert_eq!(decoded.reconnection_time, self.retry, "{name}, {how}: retry");
        assert_eq!(text(&decoded.last_event_id), self.last_event_id, "{name}, {how}: last event ID");
        assert_eq!(decoded.too_large, self.too_large, "{name}, {how}: too large");
        assert_eq!(decoded.before_end + self.events_at_end, events.len(), "{name}, {how}: at end");
    }
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

fn vectors() -> Vec<Vector> {
    // In the package the vectors are beside this file; in the repository that is a symbolic link, which not
    // every checkout can make.
    let directory = ["tests/vectors", "../../tests/vectors"]
        .map(|directory| Path::new(env!("CARGO_MANIFEST_DIR")).join(directory))
        .into_iter()
        .find(|directory| directory.is_dir())
        .expect("the directory of vectors");
    let mut vectors = Vec::new();
    for entry in std::fs::read_dir(directory).expect("the directory of vectors") {
        let path = entry.expect("an entry").path();
        if path.extension().is_some_and(|extension| extension == "json") {
            let json = std::fs::read(&path).expect("a file of vectors");
            let theme: Theme =
                serde_json::from_slice(&json).unwrap_or_else(|error| panic!("{}: {error}", path.display()));
            vectors.extend(theme.vectors);
        }
    }
    assert!(!vectors.is_empty());
    vectors
}

#[test]
fn the_naive_parser_agrees_with_the_vectors() {
    for vector in vectors() {
        let seed = vector.options.last_event_id.as_bytes();
        vector.check(&naive::decode(&vector.stream(), vector.options(), seed), "naive");
    }
}

#[test]
fn vectors_decode_the_same_however_they_are_cut() {
    for vector in vectors() {
        let stream = vector.stream();
        let end = stream.len();
        let check = |places: &[usize]| {
            let seed = vector.options.last_event_id.as_bytes();
            let decoded = decode_chunks(cut(&stream, places), vector.options(), seed);
            vector.check(&decoded, &format!("cut at {places:?}"));
        };
        check(&[]);
        check(&(1..end).collect::<Vec<_>>());
        for first in 0..=end {
            check(&[first]);
            if end <= SHORT {
                (first..=end).for_each(|second| check(&[first, second]));
            }
        }
    }
}
