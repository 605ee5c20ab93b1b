"""Nothing leaks, and no stream makes the process grow."""

from __future__ import annotations

import gc
import resource
import subprocess
import sys
from contextlib import suppress
from itertools import repeat
from typing import TYPE_CHECKING

import pytest

from ssejet import Decoder, EventTooLargeError, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

# Each of these makes other objects: shared and fresh strings, wide ones, numbers, lists, exceptions.
BLOCKS = {
    "data alone": b'data: {"choices": [{"delta": {"content": "Hello"}}]}\n\n',
    "a type": b"event: content_block_delta\ndata: x\n\n",
    "two types in turn": b"event: ping\ndata: x\n\nevent: pong\ndata: x\n\n",
    "an id and a retry": b"id: 1234\nretry: 100000\ndata: x\n\nid\ndata: y\n\n",
    "wide text": "data: é\n\ndata: 語\n\ndata: 😀\n\n".encode(),
    "malformed text": b"data: \xff\xe3\x81\n\n",
    "several lines": b"data: 1\ndata: 2\ndata: 3\n\n",
    "no event": b": ping\nunknown: field\n\n",
}


def feed_whole(stream: bytes) -> None:
    for event in Decoder().feed(stream):
        assert event.event


def feed_pieces(stream: bytes) -> None:
    decoder = Decoder()
    for i in range(0, len(stream), 7):
        decoder.feed(stream[i : i + 7])


def iterate(stream: bytes) -> None:
    for event in Decoder().iter_bytes([stream, stream]):
        assert event.data


def leave_early(stream: bytes) -> None:
    for _ in Decoder().iter_bytes(repeat(stream, 3)):
        break


def comment(stream: bytes) -> None:
    def refuse(text: str) -> None:
        raise LookupError(text)

    decoder = Decoder(on_comment=refuse)
    with suppress(LookupError):
        decoder.feed(b":w\n" + stream + b":x\n:y\n")
    with suppress(LookupError):
        decoder.feed(stream + b":z\n")
    decoder.reset()


def outgrow(stream: bytes) -> None:
    decoder = Decoder(max_event_size=100)
    decoder.feed(stream + b"data: " + bytes(50))
    decoder.feed(b"")
    with pytest.raises(EventTooLargeError):
        decoder.feed(bytes(100))


def use(stream: bytes) -> None:
    for event in Decoder(dialect="openai").feed(stream):
        twin = ServerSentEvent(event=event.event, data=event.data, id=event.id, retry=event.retry)
        assert twin == event
        assert hash(twin) == hash(event)
        assert repr(twin) == repr(event)


WAYS = [feed_whole, feed_pieces, iterate, leave_early, comment, outgrow, use]


def allocated_after(work: Callable[[bytes], None], stream: bytes, rounds: int) -> int:
    for _ in range(rounds):
        work(stream)
    gc.collect()
    return sys.getallocatedblocks()


@pytest.mark.parametrize("block", BLOCKS.values(), ids=BLOCKS)
@pytest.mark.parametrize("work", WAYS)
def test_no_object_is_left_behind(work: Callable[[bytes], None], block: bytes) -> None:
    stream = block * 20
    allocated_after(work, stream, 20)
    before = allocated_after(work, stream, 5)
    # A leak of one object for each round would be 100; other threads may make some of their own meanwhile.
    assert allocated_after(work, stream, 100) - before < 50


def test_millions_of_events_leave_the_shared_strings_their_references() -> None:
    stream = b"event: delta\nid: 7\ndata: x\n\n" * 1000
    decoder = Decoder()
    kept = decoder.feed(stream)[-1]
    before = sys.getrefcount(kept.event), sys.getrefcount(kept.id), sys.getrefcount(None)
    for _ in range(2000):
        decoder.feed(stream)
    after = sys.getrefcount(kept.event), sys.getrefcount(kept.id), sys.getrefcount(None)
    # An object that counts no references any more, as None does since Python 3.12, passes as well.
    assert [abs(now - then) < 100 for now, then in zip(after, before, strict=True)] == [True] * 3


SCRIPT = """
import resource, ssejet
decoder = ssejet.Decoder()
block = {block!r}
count = 2**30 // len(block)
def peak(): return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // {unit}
for _ in range(count // 100): decoder.feed(block)
before = peak()
for _ in range(count): decoder.feed(block)
print(peak() - before)
"""


@pytest.mark.parametrize(
    "block",
    [b"data: " + b"x" * 1000 + b"\n\n", b": " + b"x" * 1022, b"x" * 1024, b"id: " + b"7" * 1000 + b"\n\n"],
    ids=["events", "a comment without end", "a field without end", "ids"],
)
def test_a_gibibyte_in_small_chunks_does_not_make_the_process_grow(block: bytes) -> None:
    unit = 1024 * 1024 if sys.platform == "darwin" else 1024  # of ru_maxrss in a MiB
    script = SCRIPT.format(block=block, unit=unit)
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert int(done.stdout) <= 1


def test_a_large_event_takes_no_more_than_twice_its_size() -> None:
    size = 64 * 2**20
    decoder = Decoder(max_event_size=None)
    chunk = b"x" * 64
    decoder.feed(b"data: ")
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    for _ in range(size // len(chunk)):
        decoder.feed(chunk)
    [event] = decoder.feed(b"\n\n")
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * (1 if sys.platform == "darwin" else 1024)
    assert len(event.data) == size
    assert after - before < 2.5 * size
