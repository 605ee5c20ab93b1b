"""The Decoder's interface: what it takes, what it raises, what it keeps."""

from __future__ import annotations

import array
import asyncio
import gc
import mmap
import sys
import threading
import weakref
from typing import TYPE_CHECKING, Any

import pytest

from ssejet import Decoder, EventTooLargeError, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

A = ServerSentEvent(data="a")
B = ServerSentEvent(data="b")
C = ServerSentEvent(data="c")
STREAM = b"data: a\n\ndata: b\n\n"


# What feed takes


def _mapped(content: bytes) -> mmap.mmap:
    mapped = mmap.mmap(-1, len(content))
    mapped[:] = content
    return mapped


@pytest.mark.parametrize(
    "chunk",
    [
        pytest.param(STREAM, id="bytes"),
        pytest.param(bytearray(STREAM), id="bytearray"),
        pytest.param(memoryview(STREAM), id="memoryview"),
        pytest.param(memoryview(bytearray(STREAM)), id="writable memoryview"),
        pytest.param(memoryview(b"x\n\n" + STREAM)[3:], id="slice of a memoryview"),
        pytest.param(memoryview(STREAM).cast("c"), id="memoryview of chars"),
        pytest.param(memoryview(STREAM).cast("b"), id="memoryview of signed bytes"),
        pytest.param(array.array("B", STREAM), id="array of bytes"),
        pytest.param(array.array("b", STREAM), id="array of signed bytes"),
        pytest.param(_mapped(STREAM), id="mmap"),
        pytest.param(type("Chunk", (bytes,), {})(STREAM), id="subclass of bytes"),
    ],
)
def test_any_contiguous_buffer_of_bytes_is_a_chunk(chunk: Any) -> None:
    assert Decoder().feed(chunk) == [A, B]


@pytest.mark.parametrize(
    ("chunk", "named"),
    [
        pytest.param("data: a\n\n", "str", id="str"),
        pytest.param(None, "None", id="None"),
        pytest.param(1, "int", id="int"),
        pytest.param([1, 2], "list", id="list"),
        pytest.param(array.array("H", [1, 2]), "array", id="array of shorts"),
        pytest.param(array.array("f", [1, 2]), "array", id="array of floats"),
        pytest.param(memoryview(STREAM)[::2], "memoryview", id="memoryview with gaps"),
        pytest.param(memoryview(STREAM)[::-1], "memoryview", id="memoryview backwards"),
        pytest.param(object(), "object", id="object"),
        pytest.param(bytes, "type", id="a type"),
    ],
)
def test_anything_else_is_a_type_error_that_names_its_type(chunk: Any, named: str) -> None:
    decoder = Decoder()
    decoder.feed(b"data: ")
    with pytest.raises(TypeError, match=rf"bytes.*\b{named}"):
        decoder.feed(chunk)
    assert decoder.feed(b"a\n\n") == [A], "a refused chunk leaves the decoder as it was"


def test_text_is_refused_with_the_remedy() -> None:
    with pytest.raises(TypeError, match="encode"):
        Decoder().feed("data: a\n\n")


def test_a_released_memoryview_is_refused() -> None:
    view = memoryview(STREAM)
    view.release()
    with pytest.raises((TypeError, ValueError)):
        Decoder().feed(view)


def test_feed_wants_one_chunk() -> None:
    assert Decoder().feed(b"data\n\n") == Decoder().feed(chunk=b"data\n\n")
    with pytest.raises(TypeError):
        Decoder().feed()
    with pytest.raises(TypeError):
        Decoder().feed(b"", b"")


def test_a_chunk_may_change_after_it_was_fed() -> None:
    decoder = Decoder()
    chunk = bytearray(b"event: e\nid: 1\ndata: a")
    assert decoder.feed(chunk) == []
    chunk[:] = b"x" * len(chunk)
    del chunk[:]
    assert decoder.feed(b"\n\n") == [ServerSentEvent(event="e", data="a", id="1")]


def test_a_chunk_is_not_kept() -> None:
    chunk = bytearray(b"data: a")
    decoder = Decoder()
    decoder.feed(chunk)
    chunk.extend(b"would raise BufferError if the buffer were still exported")


def test_empty_chunks_change_nothing() -> None:
    decoder = Decoder()
    assert decoder.feed(b"") == []
    assert decoder.feed(b"\xef\xbb\xbfdata: a\r") == []
    assert decoder.feed(bytearray()) == []
    assert decoder.feed(b"\n\r") == [A]
    assert decoder.feed(memoryview(b"")) == []
    assert decoder.feed(b"\ndata: b\n\n") == [B]


# What it gives


def test_feed_gives_a_new_list_of_events() -> None:
    decoder = Decoder()
    first = decoder.feed(STREAM)
    first.clear()
    second = decoder.feed(STREAM)
    assert type(second) is list
    assert second == [A, B]
    assert {type(event) for event in second} == {ServerSentEvent}
    assert type(decoder.finish()) is list


def test_fields_are_exact_strings_and_integers() -> None:
    [event] = Decoder().feed(b"event: e\nid: 1\nretry: 5\ndata: \xe2\x80\xa6\n\n")
    assert [type(field) for field in (event.event, event.data, event.id, event.retry)] == [str, str, str, int]


@pytest.mark.parametrize("text", ["", "a", "é", "…", "😀", "\0", "a" * 100, "é" * 100, "…" * 100, "😀" * 100])
def test_strings_are_made_in_the_narrowest_form(text: str) -> None:
    stream = f"event: {text}\nid: {text}\ndata: {text}\n\n".encode()
    comments: list[str] = []
    decoder = Decoder(on_comment=comments.append)
    [event] = decoder.feed(f":{text}\n".encode() + stream)
    for made in (event.data, *comments):
        assert made == text
        # Decoded anew: a string that has been encoded keeps those bytes, which count as its size.
        assert len(text) < 2 or made.__sizeof__() == text.encode().decode().__sizeof__()
        assert hash(made) == hash(text)


def test_a_huge_event_in_small_chunks() -> None:
    value = ("0123456789abcdef…" * 64 + "\n") * 1024
    stream = "".join(f"data: {line}\n" for line in value.split("\n")).encode() + b"\n"
    decoder = Decoder()
    assert list(decoder.iter_bytes(stream[start : start + 61] for start in range(0, len(stream), 61))) == [
        ServerSentEvent(data=value)
    ]
    assert decoder.feed(STREAM) == [A, B]


def test_a_chunk_of_many_events() -> None:
    count = 50_000
    stream = b"".join(b"id: %d\ndata: %d\n\n" % (number, number) for number in range(count))
    events = Decoder().feed(stream)
    assert len(events) == count
    assert events[-1] == ServerSentEvent(data=str(count - 1), id=str(count - 1))


def test_long_lines_that_mean_nothing_need_no_limit() -> None:
    decoder = Decoder(max_event_size=8)
    for _ in range(100):
        assert decoder.feed(b"x" * 100_000) == []
    assert decoder.feed(b"\n:") == []
    for _ in range(100):
        assert decoder.feed(b"x" * 100_000) == []
    assert decoder.feed(b"\ndata: a\n\n") == [A]


# Its arguments and attributes


def test_a_decoder_has_the_documented_defaults() -> None:
    decoder = Decoder()
    assert decoder.last_event_id == ""
    assert decoder.retry is None
    assert decoder.feed(STREAM + b"data: c\n") == [A, B]
    assert decoder.finish() == []
    with pytest.raises(EventTooLargeError, match="67,108,864"):
        decoder.feed(b"data: " + b"x" * (64 * 2**20 + 1))


def test_an_event_of_just_the_default_limit_is_accepted() -> None:
    [event] = Decoder().feed(b"data: " + b"x" * (64 * 2**20) + b"\n\n")
    assert len(event.data) == 64 * 2**20


def test_a_decoder_may_have_no_limit() -> None:
    [event] = Decoder(max_event_size=None).feed(b"data: " + b"x" * (64 * 2**20 + 1) + b"\n\n")
    assert len(event.data) == 64 * 2**20 + 1


def test_a_limit_beyond_the_address_space_is_no_limit() -> None:
    assert Decoder(max_event_size=2**200).feed(STREAM) == [A, B]


def test_arguments_are_keywords() -> None:
    with pytest.raises(TypeError):
        Decoder("whatwg")


# PyO3 tells it in a note, which errors have had since 3.11.
NAME_OF = "{}" if sys.version_info >= (3, 11) else "is not an instance of 'str'"


@pytest.mark.parametrize(
    ("arguments", "error", "message"),
    [
        ({"dialect": "mozilla"}, ValueError, r"mozilla.*whatwg.*openai.*anthropic.*httpx-sse.*httpx2"),
        ({"dialect": ""}, ValueError, "dialect"),
        ({"dialect": "WHATWG"}, ValueError, "WHATWG"),
        ({"dialect": None}, TypeError, NAME_OF.format("dialect")),
        ({"max_event_size": -1}, ValueError, r"max_event_size.*-1.*None"),
        ({"max_event_size": -(2**100)}, ValueError, "max_event_size"),
        ({"max_event_size": 1.5}, TypeError, r"max_event_size.*float"),
        ({"max_event_size": "1"}, TypeError, r"max_event_size.*str"),
        ({"last_event_id": "a\0"}, ValueError, "last_event_id"),
        ({"last_event_id": "a\n"}, ValueError, "last_event_id"),
        ({"last_event_id": "a\r"}, ValueError, "last_event_id"),
        ({"last_event_id": None}, TypeError, NAME_OF.format("last_event_id")),
        ({"last_event_id": b"a"}, TypeError, NAME_OF.format("last_event_id")),
        ({"on_comment": "print"}, TypeError, r"on_comment.*callable.*str"),
        ({"no_such": 1}, TypeError, "no_such"),
    ],
)
def test_a_bad_argument_is_named(arguments: dict[str, Any], error: type[Exception], message: str) -> None:
    with pytest.raises(error, match=message):
        Decoder(**arguments)


def test_a_last_event_id_that_is_no_unicode_is_refused() -> None:
    with pytest.raises((ValueError, TypeError)):
        Decoder(last_event_id="\ud800")


def test_last_event_id_and_retry_are_read_only() -> None:
    decoder = Decoder()
    for name in ("last_event_id", "retry"):
        with pytest.raises(AttributeError):
            setattr(decoder, name, "1")
        with pytest.raises(AttributeError):
            delattr(decoder, name)


def test_last_event_id_changes_at_the_blank_line_and_retry_at_the_line_end() -> None:
    decoder = Decoder(last_event_id="0")
    decoder.feed(b"id: 1\nretry: 5")
    assert (decoder.last_event_id, decoder.retry) == ("0", None)
    decoder.feed(b"\n")
    assert (decoder.last_event_id, decoder.retry) == ("0", 5)
    decoder.feed(b"\n")
    assert (decoder.last_event_id, decoder.retry) == ("1", 5)


def test_repr_names_the_class() -> None:
    assert repr(Decoder()).startswith("Decoder(")


# The end of input, and a new start


def test_finish_makes_ready_for_the_next_connection() -> None:
    decoder = Decoder()
    assert decoder.feed(b"\xef\xbb\xbfid: 1\nretry: 5\ndata: a\n\nid: 2\nevent: e\ndata: lost\nda") == [
        ServerSentEvent(data="a", id="1", retry=5)
    ]
    assert decoder.finish() == []
    assert (decoder.last_event_id, decoder.retry) == ("1", 5)
    assert decoder.feed(b"\xef\xbb\xbfdata: b\n\n") == [ServerSentEvent(data="b", id="1")]


def test_finish_twice_gives_nothing_twice() -> None:
    decoder = Decoder(flush_incomplete=True)
    decoder.feed(b"data: a")
    assert decoder.finish() == [A]
    assert decoder.finish() == []
    assert decoder.finish() == []


@pytest.mark.parametrize("end", ["finish", "reset"])
def test_a_lf_that_starts_a_connection_does_not_belong_to_a_cr_that_ended_the_last(end: str) -> None:
    decoder = Decoder()
    decoder.feed(b"data: a\r")
    getattr(decoder, end)()
    # The BOM is not at the start, so it makes the field unknown.
    assert decoder.feed(b"\n\xef\xbb\xbfdata: b\n\n") == []


@pytest.mark.parametrize("end", ["finish", "reset"])
@pytest.mark.parametrize(
    "unfinished",
    [
        *[b"\xef", b"\xef\xbb", b"d", b"data", b"data:", b"data: ", b"data: x", b"data: x\r"],
        *[b"data: \xe2\x80", b"data: x\r\nid: 9\r", b"event: e\n", b"id: 9\n"],
        *[b"retry", b"retry: ", b"retry: 7"],
        *[b":", b": x", b"nonsense"],
    ],
)
def test_what_is_unfinished_leaves_no_trace(end: str, unfinished: bytes) -> None:
    decoder = Decoder(last_event_id="1", on_comment=lambda _: None)
    assert decoder.feed(unfinished) == []
    getattr(decoder, end)()
    assert decoder.last_event_id == "1"
    assert decoder.retry is None
    assert decoder.feed(b"\xef\xbb\xbfdata: a\n\n") == [ServerSentEvent(data="a", id="1")]


def test_reset_keeps_the_id_and_the_retry() -> None:
    decoder = Decoder()
    decoder.feed(b"id: 1\nretry: 5\n\nid: 2\n")
    decoder.reset()
    assert (decoder.last_event_id, decoder.retry) == ("1", 5)


def test_an_unfinished_id_does_not_count_as_a_first_id() -> None:
    decoder = Decoder(dialect="openai")
    decoder.feed(b"id: 1\n")
    decoder.reset()
    [event] = decoder.feed(b"data: a\n\n")
    assert event.id is None


# Events too large


def test_events_before_the_oversized_one_are_returned_and_the_next_call_raises() -> None:
    decoder = Decoder(max_event_size=4)
    assert decoder.feed(b"data: a\n\ndata: b\n\ndata: 12345\n\ndata: c\n\n") == [A, B]
    for chunk in (b"", b"data: c\n\n"):
        with pytest.raises(EventTooLargeError):
            decoder.feed(chunk)
    for _ in range(2):
        with pytest.raises(EventTooLargeError):
            decoder.finish()


def test_without_events_before_it_the_same_call_raises() -> None:
    decoder = Decoder(max_event_size=4)
    assert decoder.feed(b"data: 1234") == []
    with pytest.raises(EventTooLargeError, match=r"reset\(\)"):
        decoder.feed(b"5")


def test_reset_makes_a_failed_decoder_usable() -> None:
    decoder = Decoder(max_event_size=4)
    decoder.feed(b"id: 1\nretry: 5\n\n")
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"id: 2\ndata: 12345")
    decoder.reset()
    assert (decoder.last_event_id, decoder.retry) == ("1", 5)
    assert decoder.feed(b"\xef\xbb\xbfdata: 1234\n\n") == [ServerSentEvent(data="1234", id="1")]
    assert decoder.finish() == []


def test_finish_raises_a_failure_that_the_last_feed_put_off() -> None:
    decoder = Decoder(max_event_size=4)
    assert decoder.feed(b"data: a\n\ndata: 12345") == [A]
    with pytest.raises(EventTooLargeError):
        decoder.finish()


def test_flushing_at_the_end_may_be_too_much() -> None:
    decoder = Decoder(max_event_size=4, flush_incomplete=True)
    decoder.feed(b"data: abc\ndata: \ndata")
    with pytest.raises(EventTooLargeError):
        decoder.finish()
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"")
    decoder.reset()
    assert decoder.finish() == []


def test_comments_before_the_oversized_event_are_delivered() -> None:
    comments: list[str] = []
    decoder = Decoder(max_event_size=4, on_comment=comments.append)
    with pytest.raises(EventTooLargeError):
        decoder.feed(b":a\ndata: 12345\n:b\n")
    assert comments == ["a"]


# Comments


def test_comments_of_a_chunk_come_in_order_before_its_events_are_returned() -> None:
    comments: list[str] = []
    decoder = Decoder(on_comment=comments.append)
    assert decoder.feed(b":1\ndata: a\n:2\n\n: 3\n:") == [A]
    assert comments == ["1", "2", " 3"]
    assert decoder.feed(b"4") == []
    assert comments == ["1", "2", " 3"]
    assert decoder.feed(b"\n") == []
    assert comments == ["1", "2", " 3", "4"]


def test_what_the_callback_returns_is_ignored() -> None:
    assert Decoder(on_comment=lambda comment: comment).feed(b":x\ndata: a\n\n") == [A]


class _RefusalError(Exception):
    pass


class _Refusing:
    """A callback that raises at some of the comments."""

    def __init__(self, *refused: str) -> None:
        self.refused = refused
        self.heard: list[str] = []

    def __call__(self, comment: str) -> None:
        self.heard.append(comment)
        if comment in self.refused:
            raise _RefusalError(comment)


def test_events_before_a_callback_that_raises_come_first_and_those_after_it_last() -> None:
    callback = _Refusing("2")
    decoder = Decoder(on_comment=callback)
    assert decoder.feed(b":1\ndata: a\n\n:2\ndata: b\n\n:3\n") == [A]
    assert callback.heard == ["1", "2"]
    with pytest.raises(_RefusalError, match="2"):
        decoder.feed(b":4\ndata: c\n\n")
    assert callback.heard == ["1", "2"], "comments after it keep their place"
    assert decoder.feed(b"") == [B, C]
    assert callback.heard == ["1", "2", "3", "4"]
    assert decoder.feed(b"") == []


def test_a_callback_that_raises_with_no_event_before_it_raises_at_once() -> None:
    decoder = Decoder(on_comment=_Refusing("1"))
    with pytest.raises(_RefusalError):
        decoder.feed(b":1\ndata: a\n\n")
    assert decoder.feed(b"data: b\n\n") == [A, B]


def log_of(decoder: Decoder, call: Callable[[], list[ServerSentEvent]]) -> list[str]:
    """What a call gives: the data of its events, or the exception's text."""
    try:
        return [event.data for event in call()]
    except (_RefusalError, EventTooLargeError) as error:
        return [f"!{error}" if isinstance(error, _RefusalError) else "too large"]


@pytest.mark.parametrize("cut", range(1, 60, 7))
def test_exceptions_of_the_callback_stand_where_their_comments_do_however_the_input_is_cut(cut: int) -> None:
    stream = b":1\n:2\ndata: a\n\n:3\ndata: b\n\ndata: c\n\n:4\n:5\n\ndata: d\n:6\n\n:7"
    decoder = Decoder(on_comment=_Refusing("1", "2", "4", "5", "6", "7"), flush_incomplete=True)
    log: list[str] = []
    for start in range(0, len(stream), cut):
        log += log_of(decoder, lambda start=start: decoder.feed(stream[start : start + cut]))  # type: ignore[misc]
    for _ in range(12):
        log += log_of(decoder, decoder.finish)
    # 6 stands within its event, which is complete with the blank line after it.
    assert log == ["!1", "!2", "a", "b", "c", "!4", "!5", "!6", "d", "!7"]


def test_a_callback_may_raise_again_and_again() -> None:
    callback = _Refusing("1", "2", "4")
    decoder = Decoder(on_comment=callback)
    with pytest.raises(_RefusalError, match="1"):
        decoder.feed(b":1\n:2\n:3\ndata: a\n\n")
    with pytest.raises(_RefusalError, match="2"):
        decoder.feed(b"data: b\n\n:4\n")
    assert decoder.feed(b"") == [A, B]
    with pytest.raises(_RefusalError, match="4"):
        decoder.finish()
    assert callback.heard == ["1", "2", "3", "4"]
    assert decoder.finish() == []


def test_an_exception_that_no_call_raises_is_reported() -> None:
    def callback(comment: str) -> None:
        raise _RefusalError(comment)

    reported: list[str] = []
    decoder = Decoder(on_comment=callback)
    assert decoder.feed(b"data: a\n\n:1\n") == [A]
    hook, sys.unraisablehook = sys.unraisablehook, lambda args: reported.append(str(args.exc_value))
    try:
        del decoder
    finally:
        sys.unraisablehook = hook
    assert len(reported) == 1
    assert "on_comment raised _RefusalError('1')" in reported[0]


def test_finish_delivers_what_a_raising_callback_held_back() -> None:
    decoder = Decoder(on_comment=_Refusing("1"), flush_incomplete=True)
    assert decoder.feed(b"data: a\n\n:1\ndata: b") == [A]
    with pytest.raises(_RefusalError):
        decoder.finish()
    assert decoder.finish() == [B]


def test_a_callback_that_raises_at_an_unterminated_comment_loses_no_event() -> None:
    decoder = Decoder(on_comment=_Refusing("1"), flush_incomplete=True)
    decoder.feed(b"data: a\n:1")
    with pytest.raises(_RefusalError):
        decoder.finish()
    assert decoder.feed(b"data: b\n\n") == [A, B]


def test_reset_drops_what_a_raising_callback_held_back() -> None:
    callback = _Refusing("1")
    decoder = Decoder(on_comment=callback)
    with pytest.raises(_RefusalError):
        decoder.feed(b":1\n:2\ndata: a\n\n")
    decoder.reset()
    assert decoder.feed(b"data: b\n\n") == [B]
    assert callback.heard == ["1"]


def test_a_callback_that_raises_does_not_hide_an_event_too_large() -> None:
    decoder = Decoder(max_event_size=4, on_comment=_Refusing("1"))
    assert decoder.feed(b"data: a\n\n:1\ndata: b\n\ndata: 12345") == [A]
    with pytest.raises(_RefusalError):
        decoder.feed(b"")
    assert decoder.feed(b"") == [B], "events first"
    with pytest.raises(EventTooLargeError):
        decoder.feed(b"")


def test_a_base_exception_from_the_callback_loses_no_event() -> None:
    def interrupt(_: str) -> None:
        raise KeyboardInterrupt

    decoder = Decoder(on_comment=interrupt)
    with pytest.raises(KeyboardInterrupt):
        decoder.feed(b":\ndata: a\n\n:\ndata: b\n\n")
    assert decoder.feed(b"") == [A]
    with pytest.raises(KeyboardInterrupt):
        decoder.feed(b"")
    assert decoder.feed(b"") == [B]


@pytest.mark.parametrize("call", ["feed", "finish", "reset"])
def test_a_callback_that_uses_its_decoder_is_refused_and_nothing_is_lost(call: str) -> None:
    refusals: list[Exception] = []

    def callback(_: str) -> None:
        try:
            getattr(decoder, call)(*[b"data: x\n\n"][: call == "feed"])
        except RuntimeError as error:
            refusals.append(error)

    decoder = Decoder(on_comment=callback)
    assert decoder.feed(b"data: a\n:1\n\ndata: b\n") == [A]
    assert decoder.feed(b":2\n\n") == [B]
    assert len(refusals) == 2
    assert "on_comment" in str(refusals[0])


def test_a_callback_may_look_at_its_decoder_and_feed_another() -> None:
    other = Decoder()
    seen: list[tuple[str, int | None, list[ServerSentEvent]]] = []

    def callback(comment: str) -> None:
        events = other.feed(b"data: " + comment.encode() + b"\n\n")
        seen.append((decoder.last_event_id, decoder.retry, events))

    decoder = Decoder(on_comment=callback)
    decoder.feed(b"id: 7\nretry: 5\n\n:a\n")
    assert seen == [("7", 5, [A])]


# Threads


def test_a_decoder_that_is_in_use_by_another_thread_says_so() -> None:
    inside, go_on = threading.Event(), threading.Event()

    def callback(_: str) -> None:
        inside.set()
        assert go_on.wait(200)

    decoder = Decoder(on_comment=callback)
    results: list[list[ServerSentEvent]] = []
    thread = threading.Thread(target=lambda: results.append(decoder.feed(b":\ndata: a\n\n")))
    thread.start()
    try:
        assert inside.wait(200)
        for use in (lambda: decoder.feed(b"data: x\n\n"), decoder.finish, decoder.reset):
            with pytest.raises(RuntimeError, match=r"in use.*thread"):
                use()
        assert decoder.last_event_id == ""
    finally:
        go_on.set()
        thread.join()
    assert results == [[A]]
    assert decoder.feed(b"data: b\n\n") == [B]


def test_threads_that_share_a_decoder_corrupt_nothing() -> None:
    decoder = Decoder()
    start = threading.Barrier(4)
    events: list[ServerSentEvent] = []
    refused: list[int] = []

    def feed() -> None:
        start.wait()
        for _ in range(500):
            try:
                events.extend(decoder.feed(b"id: 1\ndata: a\ndata: b\n\n" * 8))
            except RuntimeError:  # noqa: PERF203
                refused.append(1)

    threads = [threading.Thread(target=feed) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert len(events) == (2000 - len(refused)) * 8
    assert set(events) == {ServerSentEvent(data="a\nb", id="1")}


# iter_bytes


def test_iter_bytes_gives_the_events_of_any_iterable() -> None:
    byte_by_byte = (bytes([byte]) for byte in STREAM)
    for chunks in ([STREAM], byte_by_byte, (bytearray(STREAM[:9]), memoryview(STREAM)[9:])):
        assert list(Decoder().iter_bytes(chunks)) == [A, B]
    assert list(Decoder().iter_bytes([])) == []
    assert list(Decoder().iter_bytes([b"", b""])) == []


def test_iter_bytes_is_an_iterator() -> None:
    iterator = Decoder().iter_bytes([STREAM])
    assert iter(iterator) is iterator
    assert next(iterator) == A
    assert next(iterator) == B
    for _ in range(2):
        with pytest.raises(StopIteration):
            next(iterator)


def test_iter_bytes_finishes_the_input() -> None:
    decoder = Decoder(flush_incomplete=True)
    assert list(decoder.iter_bytes([b"data: a\n\ndata: ", b"b"])) == [A, B]
    assert list(decoder.iter_bytes([b"\xef\xbb\xbfdata: c"])) == [C]


def test_iter_bytes_pulls_a_chunk_only_when_its_events_are_wanted() -> None:
    pulled: list[int] = []

    def chunks() -> Iterator[bytes]:
        for number in range(3):
            pulled.append(number)
            yield b"data: %d\n\ndata: %d\n\n" % (number, number)

    iterator = Decoder().iter_bytes(chunks())
    assert pulled == []
    next(iterator)
    next(iterator)
    assert pulled == [0]
    next(iterator)
    assert pulled == [0, 1]


def test_an_error_of_the_source_comes_through_after_the_events_before_it() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"data: a\n\ndata: b\n\nda"
        raise ConnectionError("broken")

    iterator = Decoder(flush_incomplete=True).iter_bytes(chunks())
    assert next(iterator) == A
    assert next(iterator) == B
    with pytest.raises(ConnectionError, match="broken"):
        next(iterator)


def test_after_an_early_break_the_decoder_goes_on_where_the_chunk_ended() -> None:
    decoder = Decoder()
    for event in decoder.iter_bytes([b"data: a\n\ndata: b\n\nda"]):
        assert event == A
        break
    assert decoder.feed(b"ta: c\n\n") == [C]


def test_an_early_break_closes_a_generator_without_other_references() -> None:
    closed: list[bool] = []

    def chunks() -> Iterator[bytes]:
        try:
            yield STREAM
            yield STREAM
        finally:
            closed.append(True)

    for _ in Decoder().iter_bytes(chunks()):
        break
    gc.collect()
    assert closed == [True]


def test_iter_bytes_gives_the_events_before_an_oversized_one_and_pulls_nothing_more() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"data: a\n\ndata: b\n\ndata: 12345"
        pytest.fail("pulled a chunk after the failure")

    decoder = Decoder(max_event_size=4)
    iterator = decoder.iter_bytes(chunks())
    assert next(iterator) == A
    assert next(iterator) == B
    with pytest.raises(EventTooLargeError):
        next(iterator)
    decoder.reset()
    assert decoder.feed(b"data: c\n\n") == [C]


def test_iter_bytes_names_the_type_of_a_bad_source_or_chunk() -> None:
    with pytest.raises(TypeError, match="int"):
        Decoder().iter_bytes(1)
    with pytest.raises(TypeError, match="str"):
        list(Decoder().iter_bytes(["data: a\n\n"]))
    with pytest.raises(TypeError, match="int"):
        list(Decoder().iter_bytes(STREAM))


def test_iter_bytes_over_a_source_that_uses_the_decoder() -> None:
    decoder = Decoder()

    def chunks() -> Iterator[bytes]:
        yield b"data: "
        assert decoder.feed(b"a\n\n") == [A]
        yield b"data: b\n\n"

    assert list(decoder.iter_bytes(chunks())) == [B]


COMMENTED = [b"data: a\n\n:1\n:2\nda", b"ta: b\n\ndata: c\n\n:3\ndata: x\n\n", b":4"]
COMMENTED_LOG = ["a", "!1", "!2", "b", "c", "!3", "x", "!4"]


def test_iter_bytes_goes_on_after_each_exception_of_the_callback() -> None:
    decoder = Decoder(on_comment=_Refusing("1", "2", "3", "4"), flush_incomplete=True)
    iterator = decoder.iter_bytes(COMMENTED)
    log: list[str] = []
    while True:
        try:
            log.append(next(iterator).data)
        except _RefusalError as error:  # noqa: PERF203
            log.append(f"!{error}")
        except StopIteration:
            break
    assert log == COMMENTED_LOG


def test_iter_bytes_gives_what_a_raising_callback_held_back_before_it_waits_for_a_chunk() -> None:
    def chunks() -> Iterator[bytes]:
        yield b":1\ndata: a\n\n"
        pytest.fail("pulled a chunk too early")

    iterator = Decoder(on_comment=_Refusing("1")).iter_bytes(chunks())
    with pytest.raises(_RefusalError):
        next(iterator)
    assert next(iterator) == A


def test_iter_bytes_keeps_the_chunk_that_a_decoder_in_use_could_not_take() -> None:
    iterators: list[Iterator[ServerSentEvent]] = []

    def callback(_: str) -> None:
        with pytest.raises(RuntimeError, match="in use"):
            next(iterators[0])

    decoder = Decoder(on_comment=callback)
    iterators.append(decoder.iter_bytes([b"data: a\n\n", b"data: b\n\n"]))
    assert decoder.feed(b":\n") == []
    assert list(iterators[0]) == [A, B]


# aiter_bytes


async def _slowly(*chunks: bytes) -> AsyncIterator[bytes]:
    for chunk in chunks:
        await asyncio.sleep(0)
        yield chunk


async def test_aiter_bytes_gives_the_events_of_an_async_iterable() -> None:
    assert [event async for event in Decoder().aiter_bytes(_slowly(STREAM))] == [A, B]
    byte_by_byte = (bytes([byte]) for byte in STREAM)
    assert [event async for event in Decoder().aiter_bytes(_slowly(*byte_by_byte))] == [A, B]
    assert [event async for event in Decoder().aiter_bytes(_slowly())] == []


async def test_aiter_bytes_takes_what_is_iterable_but_no_generator() -> None:
    class Source:
        def __aiter__(self) -> Source:
            self.chunks = iter([STREAM])
            return self

        async def __anext__(self) -> bytes:
            try:
                return next(self.chunks)
            except StopIteration:
                raise StopAsyncIteration from None

    assert [event async for event in Decoder().aiter_bytes(Source())] == [A, B]


async def test_aiter_bytes_goes_on_after_each_exception_of_the_callback_and_then_closes_its_source() -> None:
    source = _Tracked(*COMMENTED)
    decoder = Decoder(on_comment=_Refusing("1", "2", "3", "4"), flush_incomplete=True)
    iterator = decoder.aiter_bytes(source.chunks)
    log: list[str] = []
    while True:
        try:
            log.append((await anext(iterator)).data)
        except _RefusalError as error:  # noqa: PERF203
            assert source.closed == (error.args[0] == "4")  # noqa: PT017
            log.append(f"!{error}")
        except StopAsyncIteration:
            break
    assert log == COMMENTED_LOG
    assert source.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


async def test_closing_after_an_exception_of_the_callback_closes_the_source() -> None:
    source = _Tracked(b":1\ndata: a\n\n", STREAM)
    iterator = Decoder(on_comment=_Refusing("1")).aiter_bytes(source.chunks)
    with pytest.raises(_RefusalError):
        await anext(iterator)
    assert source.closed == 0
    await iterator.aclose()  # type: ignore[attr-defined]
    assert source.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


async def test_an_event_too_large_ends_aiter_bytes_with_a_callback_too() -> None:
    source = _Tracked(b"data: a\n\n:1\ndata: 12345", STREAM)
    iterator = Decoder(max_event_size=4, on_comment=_Refusing("1")).aiter_bytes(source.chunks)
    assert await anext(iterator) == A
    with pytest.raises(_RefusalError):
        await anext(iterator)
    with pytest.raises(EventTooLargeError):
        await anext(iterator)
    assert source.closed == 1
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


async def test_aiter_bytes_finishes_the_input() -> None:
    decoder = Decoder(flush_incomplete=True)
    assert [event async for event in decoder.aiter_bytes(_slowly(b"data: a\n\ndata: ", b"b"))] == [A, B]
    assert [event async for event in decoder.aiter_bytes(_slowly(b"\xef\xbb\xbfdata: c"))] == [C]


async def test_an_error_of_an_async_source_comes_through_after_the_events_before_it() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: a\n\nda"
        raise ConnectionError("broken")

    iterator = Decoder(flush_incomplete=True).aiter_bytes(chunks())
    assert await anext(iterator) == A
    with pytest.raises(ConnectionError, match="broken"):
        await anext(iterator)
    with pytest.raises(StopAsyncIteration):
        await anext(iterator)


class _Tracked:
    """An async generator of chunks that tells when it was closed."""

    def __init__(self, *chunks: bytes) -> None:
        self.closed = 0
        self.chunks = self._generate(chunks)

    async def _generate(self, chunks: tuple[bytes, ...]) -> AsyncIterator[bytes]:
        try:
            for chunk in chunks:
                yield chunk
        finally:
            await asyncio.sleep(0)
            self.closed += 1


async def test_closing_early_closes_the_source() -> None:
    source = _Tracked(STREAM, STREAM)
    iterator = Decoder().aiter_bytes(source.chunks)
    async for _ in iterator:
        break
    await iterator.aclose()
    assert source.closed == 1
    await iterator.aclose()
    assert source.closed == 1


async def test_an_exception_in_the_loop_body_closes_the_source_when_the_iterator_is_closed() -> None:
    source = _Tracked(STREAM, STREAM)
    iterator = Decoder().aiter_bytes(source.chunks)
    await anext(iterator)
    with pytest.raises(_RefusalError):
        await iterator.athrow(_RefusalError("stop"))
    assert source.closed == 1


async def test_the_end_of_the_input_leaves_the_source_closed() -> None:
    source = _Tracked(STREAM)
    assert [event async for event in Decoder().aiter_bytes(source.chunks)] == [A, B]
    assert source.closed == 1


async def test_cancellation_closes_the_source() -> None:
    closed: list[bool] = []
    waiting = asyncio.Event()

    async def chunks() -> AsyncIterator[bytes]:
        try:
            yield b"data: a\n\n"
            waiting.set()
            await asyncio.Event().wait()
        finally:
            closed.append(True)

    async def consume() -> None:
        async for event in Decoder().aiter_bytes(chunks()):
            assert event == A

    task = asyncio.create_task(consume())
    await asyncio.wait_for(waiting.wait(), 200)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert closed == [True]


async def test_aiter_bytes_gives_the_events_before_an_oversized_one_and_pulls_nothing_more() -> None:
    async def chunks() -> AsyncIterator[bytes]:
        yield b"data: a\n\ndata: b\n\ndata: 12345"
        pytest.fail("pulled a chunk after the failure")

    iterator = Decoder(max_event_size=4).aiter_bytes(chunks())
    assert await anext(iterator) == A
    assert await anext(iterator) == B
    with pytest.raises(EventTooLargeError):
        await anext(iterator)


async def test_an_oversized_event_closes_the_source() -> None:
    source = _Tracked(b"data: 12345", b"")
    with pytest.raises(EventTooLargeError):
        await anext(Decoder(max_event_size=4).aiter_bytes(source.chunks))
    assert source.closed == 1


async def test_aiter_bytes_names_the_type_of_a_bad_source_or_chunk() -> None:
    with pytest.raises(TypeError, match="list"):
        await anext(Decoder().aiter_bytes([STREAM]))
    with pytest.raises(TypeError, match="str"):
        await anext(Decoder().aiter_bytes(_slowly("data: a\n\n")))


# Garbage


def test_a_decoder_in_a_cycle_with_its_callback_is_collected() -> None:
    class Owner:
        def __init__(self) -> None:
            self.decoder = Decoder(on_comment=self.hear)
            self.iterator = self.decoder.iter_bytes([STREAM])
            next(self.iterator)

        def hear(self, comment: str) -> None:
            raise AssertionError(comment)

    owner = Owner()
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_events_held_back_for_a_raising_callback_do_not_keep_a_cycle_alive() -> None:
    class Owner:
        def __init__(self) -> None:
            self.decoder = Decoder(on_comment=self.hear)

        def hear(self, comment: str) -> None:
            raise _RefusalError(comment)

    owner = Owner()
    with pytest.raises(_RefusalError):
        owner.decoder.feed(b":1\ndata: a\n\n")
    gone = weakref.ref(owner)
    del owner
    gc.collect()
    assert gone() is None


def test_an_exception_that_leads_back_to_its_decoder_is_collected_and_reported() -> None:
    class Owner:
        def __init__(self) -> None:
            self.decoder = Decoder(on_comment=self.hear)

        def hear(self, comment: str) -> None:
            raise _RefusalError(comment)

    owner = Owner()
    assert owner.decoder.feed(b"data: a\n\n:1\n") == [A]
    gone = weakref.ref(owner)
    reported: list[str] = []
    hook = sys.unraisablehook
    sys.unraisablehook = lambda args: reported.append(f"{args.exc_type.__name__}: {args.exc_value}")
    try:
        del owner
        gc.collect()
    finally:
        sys.unraisablehook = hook
    assert gone() is None
    assert len(reported) == 1
    assert "_RefusalError" in reported[0]


def test_a_source_that_asks_its_own_iterator_is_told_so() -> None:
    def chunks() -> Iterator[bytes]:
        yield b"data: a\n\n"
        next(events)

    events = Decoder().iter_bytes(chunks())
    assert next(events).data == "a"
    with pytest.raises(RuntimeError, match="its own source"):
        next(events)
