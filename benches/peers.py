"""The decoders for Python, each fed as its own library feeds it, without the HTTP client.

A peer is a function from chunks to batches of events, with the `for` loops that its users write. Text
decoding is part of the work, because all start from bytes.
"""

from __future__ import annotations

import codecs
import contextlib
import gc
import importlib.metadata
import platform
from dataclasses import dataclass
from itertools import repeat
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from benches.workloads import Workload

    Batches = Iterable[Iterable[Any]]


@dataclass(frozen=True)
class Peer:
    """A decoder whose events have `data`."""

    name: str
    version: str
    batches: Callable[[list[bytes]], Batches]
    language: str = "Python"

    def check(self, workload: Workload) -> str | None:
        try:
            data = self.data(workload.chunks)
        except Exception as error:  # any error of a peer is its result
            return f"{type(error).__name__}: {error}"
        return difference(data, workload.data)

    def time(self, workload: Workload, passes: int) -> int:
        chunks = workload.chunks
        enabled = gc.isenabled()
        gc.collect()
        gc.disable()
        try:
            started = perf_counter_ns()
            for _ in range(passes):
                self.decode(chunks)
            return perf_counter_ns() - started
        finally:
            if enabled:
                gc.enable()

    def decode(self, chunks: list[bytes]) -> None:
        for batch in self.batches(chunks):
            for event in batch:
                event.data  # noqa: B018 - read, as a user would

    def data(self, chunks: list[bytes]) -> list[str]:
        return [event.data for batch in self.batches(chunks) for event in batch]


@dataclass(frozen=True)
class Floor:
    """The minimum for CPython: split at blank lines, and make one string of each part.

    No decoder in pure Python can be faster, for all the work that makes it a decoder is left out.
    """

    name: str = "CPython floor"
    version: str = platform.python_version()
    language: str = "Python"

    time = Peer.time

    def check(self, workload: Workload) -> str | None:
        if workload.read_size < workload.description.bytes_per_event:
            return "it is a floor only where events arrive whole"
        return difference(self.data(workload.chunks), workload.data)

    def decode(self, chunks: list[bytes], make: Callable[[bytes, str], object] = str) -> None:
        tail = b""
        for chunk in chunks:
            parts = chunk.split(b"\n\n")
            parts[0] = tail + parts[0]
            tail = parts.pop()
            for part in parts:
                make(part, "utf-8")

    def data(self, chunks: list[bytes]) -> list[str]:
        parts: list[str] = []
        self.decode(chunks, lambda part, encoding: parts.append(str(part, encoding)))
        return [part.removeprefix("data: ") for part in parts]


@dataclass(frozen=True)
class LoopFloor:
    """The minimum for a caller of `feed` whose reads complete no event: two loops and a list for each one."""

    name: str = "CPython loops"
    version: str = platform.python_version()
    language: str = "Python"

    time = Peer.time

    def check(self, workload: Workload) -> str | None:
        if not 0 < workload.read_size * 100 < workload.description.bytes_per_event:
            return "it is a floor only where nearly all reads complete no event"
        return None

    def decode(self, chunks: list[bytes]) -> None:
        for batch in map(list.copy, repeat([], len(chunks))):
            for _ in batch:
                pass


def difference(data: list[str], expected: tuple[str, ...]) -> str | None:
    """Describe briefly how decoded data differs from the expected data."""
    if len(data) != len(expected):
        return f"{len(data)} events instead of {len(expected)}"
    for index, (got, want) in enumerate(zip(data, expected, strict=True)):
        if got != want:
            return f"event {index} is {got[:60]!r} instead of {want[:60]!r}"
    return None


def _ssejet() -> Callable[[list[bytes]], Batches]:
    from ssejet import Decoder

    return lambda chunks: map(Decoder().feed, chunks)


def _ssejet_iter_bytes() -> Callable[[list[bytes]], Batches]:
    from ssejet import Decoder

    return lambda chunks: [Decoder().iter_bytes(chunks)]


def _openai() -> Callable[[list[bytes]], Batches]:
    from openai._streaming import SSEDecoder

    return lambda chunks: [SSEDecoder().iter_bytes(iter(chunks))]


def _anthropic() -> Callable[[list[bytes]], Batches]:
    from anthropic._streaming import SSEDecoder

    return lambda chunks: [SSEDecoder().iter_bytes(iter(chunks))]


def _httpx_sse() -> Callable[[list[bytes]], Batches]:
    from httpx_sse._decoders import SSEDecoder, SSELineDecoder

    def iter_sse(chunks: list[bytes]) -> Iterator[Any]:
        text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        lines = SSELineDecoder()
        decoder = SSEDecoder()
        for chunk in chunks:
            for line in lines.decode(text.decode(chunk)):
                event = decoder.decode(line.rstrip("\n"))
                if event is not None:
                    yield event

    return lambda chunks: [iter_sse(chunks)]


def _httpx2() -> Callable[[list[bytes]], Batches]:
    from httpx2._config import DEFAULT_MAX_EVENT_SIZE_BYTES
    from httpx2._sse import _SSEParser

    def iter_sse(chunks: list[bytes]) -> Iterator[Any]:
        text = codecs.getincrementaldecoder("utf-8")(errors="replace")
        parser = _SSEParser(DEFAULT_MAX_EVENT_SIZE_BYTES)
        for chunk in chunks:
            yield from parser.decode(text.decode(chunk))
        yield from parser.flush()

    return lambda chunks: [iter_sse(chunks)]


def _sseclient() -> Callable[[list[bytes]], Batches]:
    from sseclient import SSEClient

    return lambda chunks: [SSEClient(iter(chunks)).events()]


def _requests_sse() -> Callable[[list[bytes]], Batches]:
    import requests
    import requests.adapters
    from requests_sse import EventSource

    class EndOfBody(BaseException):
        """Ends the body, past the handlers of the peer, which would sleep and reconnect."""

    class Body:
        def __init__(self, chunks: list[bytes]) -> None:
            self.chunks = chunks

        def stream(self, chunk_size: int, *, decode_content: bool) -> Iterator[bytes]:
            yield from self.chunks
            raise EndOfBody

        def close(self) -> None:
            pass

    class Adapter(requests.adapters.BaseAdapter):
        def __init__(self, chunks: list[bytes]) -> None:
            super().__init__()
            self.chunks = chunks

        def send(self, request: requests.PreparedRequest, *_: object, **__: object) -> requests.Response:
            response = requests.Response()
            response.status_code = 200
            response.headers["Content-Type"] = "text/event-stream"
            response.url = str(request.url)
            response.raw = Body(self.chunks)
            return response

        def close(self) -> None:
            pass

    def events(chunks: list[bytes]) -> Iterator[Any]:
        session = requests.Session()
        session.mount("memory:", Adapter(chunks))
        source = EventSource("memory://body", session=session)
        source.connect()
        with contextlib.suppress(EndOfBody):
            yield from source

    return lambda chunks: [events(chunks)]


# The package whose version is reported, and the function that makes the peer.
_PEERS: dict[str, tuple[str, Callable[[], Callable[[list[bytes]], Batches]]]] = {
    "ssejet": ("ssejet", _ssejet),
    "ssejet iter_bytes": ("ssejet", _ssejet_iter_bytes),
    "openai": ("openai", _openai),
    "anthropic": ("anthropic", _anthropic),
    "httpx2": ("httpx2", _httpx2),
    "httpx-sse": ("httpx-sse", _httpx_sse),
    "sseclient-py": ("sseclient-py", _sseclient),
    "requests-sse": ("requests-sse", _requests_sse),
}


def all_peers() -> tuple[list[Peer | Floor | LoopFloor], list[str]]:
    """Return the installed peers, and remarks about the others."""
    found: list[Peer | Floor | LoopFloor] = []
    missing = []
    for name, (distribution, load) in _PEERS.items():
        try:
            found.append(Peer(name, _version(distribution), load()))
        except ImportError as error:  # noqa: PERF203 - eight times
            missing.append(f"{name} is left out: {error}")
    return [*found, Floor(), LoopFloor()], missing


def _version(distribution: str) -> str:
    try:
        return importlib.metadata.version(distribution)
    except importlib.metadata.PackageNotFoundError:
        return "from source"
