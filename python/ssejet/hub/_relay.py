"""Takes the items of another server's answer, in whatever form a library has it."""

from __future__ import annotations

import inspect
import sys
from collections.abc import AsyncIterable, Iterable
from typing import TYPE_CHECKING, Any

import anyio

from ssejet.emit._closing import aclose, close
from ssejet.hub._source import CLEANUP_TIME, Source
from ssejet.typed._stream import Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["sync_source", "upstream_source"]


def upstream_source(upstream: Any) -> Source:
    """Return the source of a log that passes on an upstream; see ``AsyncHub.relay``."""
    owner = _AsyncUpstream(upstream)
    return Source(owner.open, owner)


def sync_source(upstream: Any) -> Source:
    """Return the source of a log that passes on an upstream that is not async; see ``Hub.relay``."""
    owner = _SyncUpstream(upstream)
    return Source(owner.open, owner, in_thread=True)


class _Upstream:
    """The answer of another server.

    Args:
        upstream: a stream, a response, a manager, or a function that returns one.
    """

    def __init__(self, upstream: Any) -> None:
        self._upstream = upstream
        # What a function returns is not there yet.
        self._opened = None if _is_function(upstream) else upstream

    def _open(self) -> Any:
        if self._opened is None:
            self._opened = self._upstream()
        return self._opened

    def _release(self) -> Any:
        """Return the upstream, which the caller closes."""
        opened, self._opened = self._opened, None
        return opened


class _AsyncUpstream(_Upstream):
    async def open(self) -> Any:
        """Return the items."""
        upstream = self._open()
        if inspect.isawaitable(upstream) and not hasattr(upstream, "__aiter__"):
            upstream = self._opened = await upstream
        if hasattr(upstream, "__aenter__") and not isinstance(upstream, AsyncIterable):
            return _entered(upstream)
        if isinstance(upstream, AsyncIterable):
            return self._release()  # the hub closes what it gets
        if _is_async_response(upstream):
            from ssejet.typed._async_stream import AsyncStream

            return AsyncStream(upstream).events()
        return _sync_items(upstream)

    async def aclose(self) -> None:
        """Close the upstream, if there is one."""
        await aclose(self._release())


class _SyncUpstream(_Upstream):
    def open(self) -> Iterable[Any]:
        """Return the items."""
        return _sync_items(self._open())

    def close(self) -> None:
        """Close the upstream, if there is one."""
        close(self._release())


def _sync_items(upstream: Any) -> Iterable[Any]:
    if hasattr(upstream, "__enter__") and not isinstance(upstream, Iterable):
        return _sync_entered(upstream)
    if not isinstance(upstream, Iterable) or hasattr(upstream, "iter_bytes"):
        response: Any = upstream
        return Stream(response).events()
    return upstream


def _is_function(value: Any) -> bool:
    return (
        inspect.isroutine(value)
        or inspect.isclass(value)
        or (callable(value) and not isinstance(value, (AsyncIterable, Iterable)))
    )


def _is_async_response(value: Any) -> bool:
    return hasattr(value, "aiter_bytes") or hasattr(value, "content")


async def _entered(manager: Any) -> AsyncIterator[Any]:
    stream = await manager.__aenter__()
    try:
        async for item in stream:
            yield item
    except BaseException:
        # A cancellation would end the exit too, so that the connection stays open.
        with anyio.move_on_after(CLEANUP_TIME, shield=True):
            await manager.__aexit__(*sys.exc_info())
        raise
    await manager.__aexit__(None, None, None)


def _sync_entered(manager: Any) -> Iterator[Any]:
    with manager as stream:
        yield from stream
