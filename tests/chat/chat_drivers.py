"""One way to read chat streams synchronously, on asyncio and on trio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet.chat import AsyncChatCompletionStream, ChatCompletionStream

if TYPE_CHECKING:
    from collections.abc import Iterable

    from typing_extensions import Self


@dataclass(frozen=True)
class SyncReader:
    """Reads with ``ChatCompletionStream``."""

    def open(self, source: Iterable[Any], **options: Any) -> Any:
        return ChatCompletionStream(source, **options)

    def events(self, stream: Any, limit: int | None = None) -> list[Any]:
        """All that comes until the limit or the end."""
        events = []
        for event in stream:
            events.append(event)
            if len(events) == limit:
                break
        return events

    def texts(self, stream: Any) -> list[str]:
        return list(stream.text_deltas())

    def call(self, stream: Any, name: str) -> Any:
        """What a method gives."""
        return getattr(stream, name)()


@dataclass(frozen=True)
class AsyncReader:
    """Reads with ``AsyncChatCompletionStream``."""

    backend: str

    def open(self, source: Iterable[Any], **options: Any) -> Any:
        return AsyncChatCompletionStream(_Async(source), **options)

    def events(self, stream: Any, limit: int | None = None) -> list[Any]:
        async def main() -> list[Any]:
            events = []
            async for event in stream:
                events.append(event)
                if len(events) == limit:
                    break
            return events

        return anyio.run(main, backend=self.backend)

    def texts(self, stream: Any) -> list[str]:
        async def main() -> list[str]:
            return [text async for text in stream.text_deltas()]

        return anyio.run(main, backend=self.backend)

    def call(self, stream: Any, name: str) -> Any:
        async def main() -> Any:
            return await getattr(stream, name)()

        return anyio.run(main, backend=self.backend)


class _Async:
    """An iterable, made asynchronous; its other attributes are kept.

    It is no async generator, as one could not be read by several event loops, one after the other.
    """

    def __init__(self, source: Iterable[Any]) -> None:
        self._source = source
        self._items = iter(source)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._source, name)

    def __aiter__(self) -> Self:
        return self

    async def __anext__(self) -> Any:
        await anyio.lowlevel.checkpoint()
        for item in self._items:
            return item
        raise StopAsyncIteration


READERS = [SyncReader(), AsyncReader("asyncio"), AsyncReader("trio")]


@pytest.fixture(params=READERS, ids=["sync", "asyncio", "trio"])
def reader(request: pytest.FixtureRequest) -> Any:
    """Each way to read."""
    return request.param
