"""One way to read Messages streams synchronously, on asyncio and on trio."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet.messages import AsyncMessageStream, MessageStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable


@dataclass(frozen=True)
class SyncReader:
    """Reads with ``MessageStream``."""

    def open(self, source: Iterable[Any], **options: Any) -> Any:
        return MessageStream(source, **options)

    def events(self, stream: Any) -> list[Any]:
        return list(stream)

    def texts(self, stream: Any) -> list[str]:
        return list(stream.text_stream)

    def call(self, stream: Any, name: str) -> Any:
        """What a method gives."""
        return getattr(stream, name)()


@dataclass(frozen=True)
class AsyncReader:
    """Reads with ``AsyncMessageStream``."""

    backend: str

    def open(self, source: Iterable[Any], **options: Any) -> Any:
        return AsyncMessageStream(_iterate(source), **options)

    def events(self, stream: Any) -> list[Any]:
        async def main() -> list[Any]:
            return [event async for event in stream]

        return anyio.run(main, backend=self.backend)

    def texts(self, stream: Any) -> list[str]:
        async def main() -> list[str]:
            return [text async for text in stream.text_stream]

        return anyio.run(main, backend=self.backend)

    def call(self, stream: Any, name: str) -> Any:
        async def main() -> Any:
            return await getattr(stream, name)()

        return anyio.run(main, backend=self.backend)


async def _iterate(source: Iterable[Any]) -> AsyncIterator[Any]:
    for item in source:
        await anyio.lowlevel.checkpoint()
        yield item


READERS = [SyncReader(), AsyncReader("asyncio"), AsyncReader("trio")]


@pytest.fixture(params=READERS, ids=["sync", "asyncio", "trio"])
def reader(request: pytest.FixtureRequest) -> Any:
    """Each way to read."""
    return request.param
