//! One adapter per decoder: its incremental interface, over bytes in memory, without an executor.

use std::convert::Infallible;
use std::error::Error;
use std::hint::black_box;
use std::pin::pin;
use std::task::{Context, Poll, Waker};

use bytes::Bytes;
use futures::{Stream, stream};
use http_body::Frame;
use http_body_util::StreamBody;

use crate::Workload;

type Fallible = Result<(), Box<dyn Error + Send + Sync>>;

/// A decoder, by the name of its crate.
pub struct Contestant {
    pub name: &'static str,
    /// The crate whose version is reported.
    pub package: &'static str,
    decode: fn(&Workload) -> Fallible,
    data: fn(&Workload, &mut Vec<u8>) -> Fallible,
}

impl Contestant {
    const fn new<D: Decoder>(name: &'static str, package: &'static str) -> Self {
        Self {
            name,
            package,
            decode: |workload| {
                D::decode(&workload.chunks, |data| {
                    black_box(data);
                })
            },
            data: |workload, data| {
                D::decode(&workload.chunks, |event| {
                    data.extend_from_slice(event);
                    data.push(0);
                })
            },
        }
    }

    /// Decodes a workload that was found to be decoded right.
    pub fn decode(&self, workload: &Workload) {
        (self.decode)(workload).expect("the workload was checked before");
    }

    /// Whether this one only does part of the work, so that there are no events to check.
    fn is_floor(&self) -> bool {
        self.package == "memchr"
    }

    /// What is wrong with the events that this one gives, if anything is.
    pub fn check(&self, workload: &Workload) -> Result<(), String> {
        let mut data = Vec::new();
        (self.data)(workload, &mut data).map_err(|error| error.to_string())?;
        if data == workload.expected || self.is_floor() {
            Ok(())
        } else {
            Err("other events than expected".to_owned())
        }
    }
}

/// Every contestant, ours first.
pub static CONTESTANTS: &[Contestant] = &[
    Contestant::new::<SsejetString>("ssejet-core", "ssejet-core"),
    Contestant::new::<SsejetStr>("ssejet-core (&str)", "ssejet-core"),
    Contestant::new::<SsejetBytes>("ssejet-core (slices)", "ssejet-core"),
    Contestant::new::<SseStream>("sse-stream", "sse-stream"),
    Contestant::new::<SseCore>("sse-core", "sse-core"),
    Contestant::new::<Sseer>("sseer", "sseer"),
    Contestant::new::<SseParse>("sse-parse", "sse-parse"),
    Contestant::new::<EventsourceStream>("eventsource-stream", "eventsource-stream"),
    Contestant::new::<EventsourceStream2>("eventsource-stream2", "eventsource-stream2"),
    Contestant::new::<SseCodec>("sse-codec", "sse-codec"),
    Contestant::new::<HttpBody>("http-body-server-sent-events", "http-body-server-sent-events"),
    Contestant::new::<Newlines>("memchr newlines", "memchr"),
];

trait Decoder {
    fn decode(chunks: &[&'static [u8]], take: impl FnMut(&[u8])) -> Fallible;
}

/// The data as a `String` of its own, as most of the others give it.
struct SsejetString;

impl Decoder for SsejetString {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        ssejet(chunks, |event| take(event.data_lossy().into_owned().as_bytes()))
    }
}

/// The data checked to be UTF-8, but borrowed.
struct SsejetStr;

impl Decoder for SsejetStr {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        ssejet(chunks, |event| take(event.data_lossy().as_bytes()))
    }
}

/// The parser alone.
struct SsejetBytes;

impl Decoder for SsejetBytes {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        ssejet(chunks, |event| take(event.data))
    }
}

fn ssejet(chunks: &[&'static [u8]], take: impl FnMut(ssejet_core::Event<'_>)) -> Fallible {
    struct Each<F>(F);

    impl<F: FnMut(ssejet_core::Event<'_>)> ssejet_core::Sink for Each<F> {
        #[inline]
        fn event(&mut self, event: ssejet_core::Event<'_>) {
            self.0(event);
        }
    }

    let mut parser = ssejet_core::Parser::new(ssejet_core::Options::default());
    let mut sink = Each(take);
    for chunk in chunks {
        parser.feed(chunk, &mut sink)?;
    }
    Ok(())
}

struct SseStream;

impl Decoder for SseStream {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        drain(sse_stream::SseByteStream::new(as_bytes(chunks)), |event| {
            if let Some(data) = event?.data {
                take(data.as_bytes());
            }
            Ok(())
        })
    }
}

struct SseCore;

impl Decoder for SseCore {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        let mut decoder = sse_core::SseDecoder::new();
        for mut chunk in chunks.iter().copied() {
            while let Some(event) = decoder.next(&mut chunk) {
                if let sse_core::SseEvent::Message(message) = event? {
                    take(message.data.as_bytes());
                }
            }
        }
        Ok(())
    }
}

struct Sseer;

impl Decoder for Sseer {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        drain(sseer::EventStream::new(as_bytes(chunks)), |event| {
            take(event.map_err(|error| error.to_string())?.data.as_bytes());
            Ok(())
        })
    }
}

struct SseParse;

impl Decoder for SseParse {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        let mut parser = sse_parse::SseParser::new();
        for chunk in chunks {
            parser.feed(chunk);
            while let Some(event) = parser.next_event() {
                take(event.data.as_bytes());
            }
        }
        Ok(())
    }
}

struct EventsourceStream;

impl Decoder for EventsourceStream {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        use eventsource_stream::Eventsource as _;

        drain(as_bytes(chunks).eventsource(), |event| {
            take(event.map_err(|error| error.to_string())?.data.as_bytes());
            Ok(())
        })
    }
}

struct EventsourceStream2;

impl Decoder for EventsourceStream2 {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        use eventsource_stream2::Eventsource as _;

        drain(as_bytes(chunks).eventsource(), |event| {
            take(event.map_err(|error| error.to_string())?.data.as_bytes());
            Ok(())
        })
    }
}

/// Its codec, without the reader that would hand it 8 KiB at a time.
struct SseCodec;

impl Decoder for SseCodec {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        use futures_codec::Decoder as _;

        let mut codec = sse_codec::SSECodec::default();
        let mut buffer = futures_codec::BytesMut::new();
        for chunk in chunks {
            buffer.extend_from_slice(chunk);
            while let Some(event) = codec.decode(&mut buffer).map_err(|error| error.to_string())? {
                if let sse_codec::Event::Message { data, .. } = event {
                    take(data.as_bytes());
                }
            }
        }
        Ok(())
    }
}

struct HttpBody;

impl Decoder for HttpBody {
    fn decode(chunks: &[&'static [u8]], mut take: impl FnMut(&[u8])) -> Fallible {
        let frames = chunks
            .iter()
            .map(|chunk| Ok::<_, Box<dyn Error + Send + Sync>>(Frame::data(Bytes::from_static(chunk))));
        let body = StreamBody::new(stream::iter(frames));
        drain(http_body_server_sent_events::decode(body).into_event_stream(), |event| {
            if let Some(data) = event?.data {
                take(data.as_bytes());
            }
            Ok(())
        })
    }
}

/// The floor: where the lines end, and nothing else.
struct Newlines;

impl Decoder for Newlines {
    fn decode(chunks: &[&'static [u8]], _take: impl FnMut(&[u8])) -> Fallible {
        for chunk in chunks {
            for position in memchr::memchr_iter(b'\n', chunk) {
                black_box(position);
            }
        }
        Ok(())
    }
}

fn as_bytes(chunks: &[&'static [u8]]) -> impl Stream<Item = Result<Bytes, Infallible>> {
    stream::iter(chunks.iter().map(|chunk| Ok(Bytes::from_static(chunk))))
}

/// Polls a stream to its end. The chunks are in memory, so that it is never pending.
fn drain<S: Stream>(stream: S, mut take: impl FnMut(S::Item) -> Fallible) -> Fallible {
    let mut stream = pin!(stream);
    let mut context = Context::from_waker(Waker::noop());
    while let Poll::Ready(Some(item)) = stream.as_mut().poll_next(&mut context) {
        take(item)?;
    }
    Ok(())
}
