"""Takes the items of another server's answer, in whatever form a library has it."""

from __future__ import annotations

import inspect
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any

from ssejet.emit._closing import aclose, close
from ssejet.typed._stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["sync_source", "upstream_source"]


def upstream_source(upstream: Any) -> _AsyncUpstream:
    """Return the source of a log that passes on an upstream; see ``AsyncHub.relay``."""
    return _AsyncUpstream(upstream)


def sync_source(upstream: Any) -> _SyncUpstream:
    """Return the source of a log that passes on an upstream that is not async; see ``Hub.relay``."""
    return _SyncUpstream(upstream)


class _AsyncUpstream:
    """The items of an upstream.

    Args:
        upstream: a stream, a response, a manager, or a function that returns one.
    """

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream

    async def aclose(self) -> None:
        """Close the upstream, if it was not opened."""
        if not _is_function(self._upstream):
            await aclose(self._upstream)

    async def open(self) -> Any:
        """Return an iterable of the items."""
        upstream = self._upstream
        if _is_function(upstream):
            upstream = upstream()
        if inspect.isawaitable(upstream) and not hasattr(upstream, "__aiter__"):
            upstream = await upstream
        if hasattr(upstream, "__aenter__") and not isinstance(upstream, AsyncIterable):
            return _entered(upstream)
        if not isinstance(upstream, AsyncIterable) and _is_async_response(upstream):
            from ssejet.typed._async_stream import AsyncStream

            return _closed_after(AsyncStream(upstream).events(), upstream)
        if isinstance(upstream, AsyncIterable):
            return _closed_after(upstream, upstream)
        return _sync_items(upstream)


class _SyncUpstream:
    """The items of an upstream that is not async, with the interface of ``_AsyncUpstream``."""

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream

    def close(self) -> None:
        """Close the upstream, if it was not opened."""
        if not _is_function(self._upstream):
            close(self._upstream)

    def open(self) -> Iterable[Any]:
        """Return an iterable of the items."""
        upstream = self._upstream
        return _sync_items(upstream() if _is_function(upstream) else upstream)


def _sync_items(upstream: Any) -> Iterable[Any]:
    if hasattr(upstream, "__enter__") and not isinstance(upstream, Iterable):
        return _sync_entered(upstream)
    if not isinstance(upstream, Iterable) or hasattr(upstream, "iter_bytes"):
        response: Any = upstream
        return _sync_closed_after(Stream(response).events(), upstream)
    return _sync_closed_after(upstream, upstream)


def _is_function(value: Any) -> bool:
    return (
        inspect.isroutine(value)
        or inspect.isclass(value)
        or (callable(value) and not isinstance(value, (AsyncIterable, Iterable)))
    )


def _is_async_response(value: Any) -> bool:
    return hasattr(value, "aiter_bytes") or hasattr(value, "content")


async def _entered(manager: Any) -> AsyncIterator[Any]:
    async with manager as stream:
        async for item in stream:
            yield item


async def _closed_after(items: AsyncIterable[Any], owner: Any) -> AsyncIterator[Any]:
    try:
        async for item in items:
            yield item
    finally:
        await aclose(owner)


def _sync_entered(manager: Any) -> Iterator[Any]:
    with manager as stream:
        yield from stream


def _sync_closed_after(items: Iterable[Any], owner: Any) -> Iterator[Any]:
    try:
        yield from items
    finally:
        close(owner)
