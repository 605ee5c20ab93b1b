"""The Decoder against the oracle, on streams rich in traps, however they are cut."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, precondition, rule

import reference
import strategies
from chunks import byte_by_byte, decode_chunks, ways_to_cut
from load_vectors import Vector, all_vectors
from reference import DIALECTS, Event
from ssejet import Decoder, EventTooLargeError, ServerSentEvent


@all_vectors
def test_vectors_decode_the_same_however_they_are_cut(vector: Vector) -> None:
    for chunks in ways_to_cut(vector.stream):
        assert decode_chunks(chunks, **vector.options) == vector.expected, chunks


@given(strategies.chunked_streams(), strategies.options())
def test_the_decoder_agrees_with_the_reference_wherever_the_stream_is_cut(
    chunks: list[bytes], options: dict[str, Any]
) -> None:
    expected = reference.decode(b"".join(chunks), **options)
    assert decode_chunks(chunks, **options) == expected


@given(strategies.short_streams(), strategies.options())
def test_short_streams_decode_the_same_at_every_split(stream: bytes, options: dict[str, Any]) -> None:
    expected = reference.decode(stream, **options)
    for chunks in ways_to_cut(stream):
        assert decode_chunks(chunks, **options) == expected, chunks


@given(strategies.streams(), strategies.options())
def test_each_byte_gives_all_that_it_completes(stream: bytes, options: dict[str, Any]) -> None:
    """No event, comment, id or failure comes later than the byte that decides it, or sooner."""
    options["flush_incomplete"] = False
    comments: list[str] = []
    events: list[Event] = []
    hears_comments = options.pop("comments")
    decoder = Decoder(on_comment=comments.append if hears_comments else None, **options)
    for end, byte in enumerate(byte_by_byte(stream), 1):
        too_large = False
        try:
            events += map(_event, decoder.feed(byte))
        except EventTooLargeError:
            too_large = True
        expected = reference.decode(stream[:end], comments=hears_comments, **options)
        assert (events, comments, too_large) == (expected.events, expected.comments, expected.too_large)
        assert (decoder.retry, decoder.last_event_id) == (expected.retry, expected.last_event_id)


@given(strategies.streams(), st.sampled_from(DIALECTS))
def test_listening_to_comments_changes_no_event(stream: bytes, dialect: str) -> None:
    heard = decode_chunks([stream], dialect=dialect)
    without_comments = decode_chunks([stream], dialect=dialect, comments=False)
    assert without_comments == replace(heard, comments=[])


@given(
    st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\r\n")), min_size=1),
    st.sampled_from(["\n", "\r", "\r\n"]),
)
@example(["\ufeff"], "\n")
@example(["x" * 70_000, "", "y" * 70_000], "\r\n")
def test_data_comes_back_as_it_was_sent(lines: list[str], line_end: str) -> None:
    stream = "".join(f"data: {line}{line_end}" for line in lines) + line_end
    assert Decoder().feed(stream.encode()) == [ServerSentEvent(data="\n".join(lines))]


@given(st.binary())
def test_malformed_utf8_is_replaced_as_python_replaces_it(value: bytes) -> None:
    value = value.translate(None, b"\r\n")
    for chunks in ways_to_cut(b"data: " + value + b"\n\n"):
        [event] = decode_chunks(chunks).events
        assert event.data == value.decode("utf-8", "replace")


def _event(event: ServerSentEvent) -> Event:
    return Event(event.event, event.data, event.id, event.retry)


class Connections(RuleBasedStateMachine):
    """One decoder over connections that end, break off or fail, against a reference decode of each."""

    @initialize(options=strategies.options())
    def start(self, options: dict[str, Any]) -> None:
        self.comments: list[str] = []
        self.hears_comments = options.pop("comments")
        self.options = options
        self.decoder = Decoder(on_comment=self.comments.append if self.hears_comments else None, **options)
        self.connect()

    def connect(self) -> None:
        self.received = b""
        self.events: list[Event] = []
        self.comments.clear()
        self.seed = self.decoder.last_event_id
        self.retry_before = self.decoder.retry

    def expected(self, *, at_end: bool = False) -> reference.Decoded:
        options = self.options | {"last_event_id": self.seed, "comments": self.hears_comments}
        options["flush_incomplete"] = at_end and options["flush_incomplete"]
        return reference.decode(self.received, **options)

    def check(self, expected: reference.Decoded) -> None:
        assert _ids_as_text(self.events) == _ids_as_text(expected.events)
        assert self.comments == expected.comments
        assert self.decoder.last_event_id == expected.last_event_id
        assert self.decoder.retry == (self.retry_before if expected.retry is None else expected.retry)

    @rule(chunk=st.one_of(strategies.streams(), strategies.streams().map(lambda stream: stream[:-1])))
    def feed(self, chunk: bytes) -> None:
        self.received += chunk
        expected = self.expected()
        try:
            self.events += map(_event, self.decoder.feed(chunk))
            self.events += map(_event, self.decoder.feed(b""))
        except EventTooLargeError:
            assert expected.too_large
        else:
            assert not expected.too_large
        self.check(expected)

    @rule()
    def finish(self) -> None:
        expected = self.expected(at_end=True)
        try:
            self.events += map(_event, self.decoder.finish())
        except EventTooLargeError:
            assert expected.too_large
            self.check(expected)
            self.decoder.reset()
        else:
            assert not expected.too_large
            self.check(expected)
        self.connect()

    @rule()
    @precondition(lambda self: self.received)
    def reset(self) -> None:
        self.decoder.reset()
        self.check(self.expected())
        self.connect()


def _ids_as_text(events: list[Event]) -> list[Event]:
    # A decoder knows that its id was reset to "" by an earlier connection; a seed of "" means no id.
    return [event._replace(id=event.id or "") for event in events]


TestConnections = Connections.TestCase
# An example takes as long as the many connections in it.
TestConnections.settings = settings(max_examples=settings.default.max_examples // 4)
