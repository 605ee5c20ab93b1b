"""Clients of the SDKs whose server is a list of bytes, and what comes of their streams."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anthropic._base_client
import httpx
import httpx2
import openai._base_client
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI
from same import differences

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Iterator

# Which HTTP client an SDK is made for depends on its version.
HTTP = {
    sdk._base_client.__package__: getattr(sdk._base_client, "httpx2", None) or sdk._base_client.httpx
    for sdk in (openai, anthropic)
}
CLASSES = {
    ("openai", "sync"): OpenAI,
    ("openai", "async"): AsyncOpenAI,
    ("anthropic", "sync"): Anthropic,
    ("anthropic", "async"): AsyncAnthropic,
}


@dataclass
class Body(httpx.SyncByteStream, httpx.AsyncByteStream, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """What a server sends: pieces of bytes, then perhaps an error, or a silence without end."""

    pieces: list[bytes]
    error: Exception | None = None
    hangs: bool = False
    closed: bool = False
    sent: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for piece in self.pieces[self.sent :]:
            self.sent += 1
            yield piece
        if self.error is not None:
            raise self.error

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self:
            yield piece
        if self.hangs:
            await asyncio.Event().wait()

    def close(self) -> None:
        self.closed = True

    async def aclose(self) -> None:
        self.closed = True


@dataclass
class FakeServer:
    """Answers each request with a new body of the same pieces."""

    pieces: list[bytes]
    error: Exception | None = None
    hangs: bool = False
    bodies: list[Body] = field(default_factory=list)
    requests: list[Any] = field(default_factory=list)

    def __call__(self, request: Any) -> Any:
        self.requests.append(request)
        self.bodies.append(Body(self.pieces, self.error, self.hangs))
        headers = {"content-type": "text/event-stream", "x-request-id": "req_1"}
        package = httpx if isinstance(request, httpx.Request) else httpx2
        return package.Response(200, headers=headers, stream=self.bodies[-1])

    def client(self, sdk: str, mode: str, **options: Any) -> Any:
        """A client of an SDK's that sends its requests here."""
        transport = HTTP[sdk].MockTransport(self)
        http = HTTP[sdk].Client if mode == "sync" else HTTP[sdk].AsyncClient
        cls: Any = options.pop("cls", CLASSES[sdk, mode])
        return cls(
            api_key="key", base_url="http://server/v1", http_client=http(transport=transport), **options
        )


@dataclass
class Outcome:
    """The items of a stream, and the error that ended it, if one did."""

    items: list[Any]
    error: Exception | None

    def differs_from(self, other: Outcome) -> list[str]:
        return differences(self.items, other.items, "items") + differences(self.error, other.error, "error")


def assert_same(expected: Outcome, *others: Outcome) -> None:
    """Check that streams gave the same items, and ended by the same error."""
    for other in others:
        assert other.differs_from(expected) == []
        assert type(other.error) is type(expected.error)


def outcome(make: Callable[[], Any]) -> Outcome:
    """Make a stream, or a coroutine that makes one, and read it to its end."""
    items: list[Any] = []

    async def read_async(stream: Any) -> None:
        # An error must not lose what was before it.
        async for item in await stream:
            items.append(item)  # noqa: PERF401

    try:
        stream = make()
        if hasattr(stream, "__await__"):
            asyncio.run(read_async(stream))
        else:
            for item in stream:
                items.append(item)  # noqa: PERF402
    except Exception as error:
        return Outcome(items, error)
    return Outcome(items, None)


def event(data: str, name: str | None = None) -> bytes:
    """An event as a server writes it."""
    head = "" if name is None else f"event: {name}\n"
    return f"{head}data: {data}\n\n".encode()


def sizes(body: bytes, size: int) -> list[bytes]:
    """The body in pieces of a size."""
    return [body[start : start + size] for start in range(0, len(body), size)]


def joined(pieces: Iterable[bytes]) -> bytes:
    return b"".join(pieces)
