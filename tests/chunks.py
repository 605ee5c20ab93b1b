"""Ways of cutting a stream, and of decoding what was cut."""

from __future__ import annotations

from itertools import combinations, pairwise
from typing import TYPE_CHECKING, Any

from reference import Decoded, Event
from ssejet import Decoder, EventTooLargeError, ServerSentEvent

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_SHORT = 40
"""Up to this length all splits into three are tried: they are n * n / 2."""


def cut(stream: bytes, *places: int) -> list[bytes]:
    """``stream`` in pieces, cut before the bytes at ``places``."""
    bounds = [0, *sorted(places), len(stream)]
    return [stream[start:end] for start, end in pairwise(bounds)]


def byte_by_byte(stream: bytes) -> list[bytes]:
    return cut(stream, *range(1, len(stream)))


def ways_to_cut(stream: bytes) -> Iterator[list[bytes]]:
    """Whole, byte by byte, at every place into two, and a short one into three."""
    yield [stream]
    yield byte_by_byte(stream)
    for place in range(len(stream) + 1):
        yield cut(stream, place)
    if len(stream) <= _SHORT:
        for places in combinations(range(1, len(stream)), 2):
            yield cut(stream, *places)


def decode_chunks(chunks: Iterable[bytes], *, comments: bool = True, **options: Any) -> Decoded:
    """What a new ``Decoder`` makes of the chunks, as ``reference.decode`` would say it."""
    options.setdefault("max_event_size", None)
    heard: list[str] = []
    decoder = Decoder(on_comment=heard.append if comments else None, **options)
    events: list[ServerSentEvent] = []
    too_large = False
    before_end = None
    try:
        for chunk in chunks:
            events += decoder.feed(chunk)
        # A failure after events of the same chunk shows in the next call, which need not bring bytes.
        events += decoder.feed(b"")
        before_end = len(events)
        events += decoder.finish()
    except EventTooLargeError:
        too_large = True
    return Decoded(
        events=[Event(event.event, event.data, event.id, event.retry) for event in events],
        comments=heard,
        retry=decoder.retry,
        last_event_id=decoder.last_event_id,
        too_large=too_large,
        before_end=len(events) if before_end is None else before_end,
    )
