"""One way to read streams with every client, synchronously, on asyncio and on trio."""

from __future__ import annotations

import ssl
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from http_libraries import Aiohttp, Niquests, Requests, Urllib3, aopened, is_closed, opened
from servers import A_LONG_TIME
from ssejet import AsyncStream, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterable, Iterator
    from types import ModuleType

# The certificates that clients load by default take longer than most tests.
NO_TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)


@dataclass
class Outcome:
    """What came of a stream that was read until it ended."""

    stream: Any
    items: list[Any] = field(default_factory=list)
    error: Exception | None = None
    url: str = ""
    closed: bool = False
    """Whether the response was closed as soon as the stream had ended."""

    def result(self) -> list[Any]:
        """The items of a stream that ended well."""
        if self.error is not None:
            raise self.error
        return self.items


class FakeResponse:
    """A response of no HTTP client: it gives the chunks, then raises the error, if there is one."""

    def __init__(self, chunks: Iterable[bytes], error: BaseException | None = None) -> None:
        self.chunks = chunks
        self.error = error
        self.closed = 0
        """How often it was closed."""

    @property
    def is_closed(self) -> bool:
        return self.closed > 0

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self.chunks
        if self.error is not None:
            raise self.error

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        for chunk in self.iter_bytes():
            yield chunk

    def close(self) -> None:
        self.closed += 1

    async def aclose(self) -> None:
        self.closed += 1


@dataclass(frozen=True)
class SyncDriver:
    """Reads with ``Stream``."""

    http: ModuleType | type[Any]

    def read(self, *urls: str, read_timeout: float = A_LONG_TIME, **options: Any) -> list[Outcome]:
        """Read the URLs one after the other, with one client."""
        with self.http.Client(timeout=read_timeout, verify=NO_TLS) as client:
            outcomes = []
            for url in urls:
                with opened(client, url) as response:
                    outcomes.append(self.consume(response, **options))
                    outcomes[-1].url = url
            return outcomes

    def consume(self, response: Any, *, events: bool = False, **options: Any) -> Outcome:
        with Stream(response, **options) as stream:
            outcome = Outcome(stream)
            try:
                for item in stream.events() if events else stream:
                    outcome.items.append(item)
            except Exception as error:
                outcome.error = error
            outcome.closed = is_closed(response)
            return outcome


@dataclass(frozen=True)
class AsyncDriver:
    """Reads with ``AsyncStream``."""

    http: ModuleType | type[Any]
    backend: str

    def read(self, *urls: str, read_timeout: float = A_LONG_TIME, **options: Any) -> list[Outcome]:
        """Read the URLs one after the other, with one client."""

        async def main() -> list[Outcome]:
            async with self.http.AsyncClient(timeout=read_timeout, verify=NO_TLS) as client:
                outcomes = []
                for url in urls:
                    async with aopened(client, url) as response:
                        outcomes.append(await self._consume(response, **options))
                        outcomes[-1].url = url
                return outcomes

        return anyio.run(main, backend=self.backend)

    def consume(self, response: Any, **options: Any) -> Outcome:
        async def main() -> Outcome:
            return await self._consume(response, **options)

        return anyio.run(main, backend=self.backend)

    async def _consume(self, response: Any, *, events: bool = False, **options: Any) -> Outcome:
        async with AsyncStream(response, **options) as stream:
            outcome = Outcome(stream)
            try:
                async for item in stream.events() if events else stream:
                    outcome.items.append(item)
            except Exception as error:
                outcome.error = error
            outcome.closed = is_closed(response)
            return outcome


DRIVERS = [
    SyncDriver(httpx),
    SyncDriver(httpx2),
    AsyncDriver(httpx, "asyncio"),
    AsyncDriver(httpx2, "asyncio"),
    AsyncDriver(httpx, "trio"),
    AsyncDriver(httpx2, "trio"),
    SyncDriver(Requests),
    SyncDriver(Urllib3),
    SyncDriver(Niquests),
    AsyncDriver(Niquests, "asyncio"),
    AsyncDriver(Aiohttp, "asyncio"),
]


def _name(driver: SyncDriver | AsyncDriver) -> str:
    return f"{driver.http.__name__}-{getattr(driver, 'backend', 'sync')}"


@pytest.fixture(params=DRIVERS, ids=_name)
def driver(request: pytest.FixtureRequest) -> SyncDriver | AsyncDriver:
    """Each client, each way to read."""
    return request.param
