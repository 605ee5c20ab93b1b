"""The driver behind ``Decoder.aiter_bytes``."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterable, AsyncIterator

    from ssejet._core import Decoder, ServerSentEvent

__all__ = ["aiter_bytes"]


async def aiter_bytes(decoder: Decoder, chunks: AsyncIterable[bytes]) -> AsyncIterator[ServerSentEvent]:
    """Yield the events of the chunks; the source, if it can be closed, is closed at an early end."""
    iterator = aiter(chunks)
    try:
        async for chunk in iterator:
            events = decoder.feed(chunk)
            for event in events:
                yield event
            if events:
                decoder.feed(b"")  # raises at once what feed() put off until its events were delivered
        for event in decoder.finish():
            yield event
    finally:
        aclose = getattr(iterator, "aclose", None)
        if aclose is not None:
            await aclose()
