"""Unusual heads, and what they make of the body: both ways to read show a user the same."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Step, Then, of_length
from raw_server import chunk
from ssejet import AsyncStream, Stream, direct_reading
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import Iterator
    from types import ModuleType

EVENTS = b'data: 1\n\ndata: "x"\n\n'
WHOLE = chunk(EVENTS) + b"0\r\n\r\n"
CHUNKED_FIELD = b"Transfer-Encoding: chunked\r\n"
LENGTH_FIELD = b"Content-Length: %d\r\n" % len(EVENTS)
CONTEXT = unverified()
LOOPS: dict[str, dict[str, Any]] = {
    "asyncio": {"backend": "asyncio"},
    "uvloop": {"backend": "asyncio", "backend_options": {"use_uvloop": True}},
    "trio": {"backend": "trio"},
}


def head(fields: bytes, *, status: bytes = b"200 OK", version: bytes = b"1.1") -> bytes:
    return b"HTTP/%s %s\r\nContent-Type: text/event-stream\r\n%s\r\n" % (version, status, fields)


OK = CHUNKED + WHOLE
NOT_MODIFIED = head(b"", status=b"304 Not Modified")
ANSWERS: dict[str, tuple[Step, ...]] = {
    "100 before the response": (b"HTTP/1.1 100 Continue\r\n\r\n" + OK,),
    "103 before the response, cut": (b"HTTP/1.1 103 Early Hints\r\nLink: a\r\n", b"\r\n" + CHUNKED, WHOLE),
    "100 and 103 before the response": (b"HTTP/1.1 100 C\r\n\r\nHTTP/1.1 103 E\r\n\r\n" + OK,),
    "100 in place of the response": (b"HTTP/1.1 100 Continue\r\n\r\n", Then.CLOSE),
    "101 that was not asked for": (
        head(b"Connection: upgrade\r\nUpgrade: x\r\n", status=b"101 S") + EVENTS,
        Then.CLOSE,
    ),
    "an offer to upgrade": (head(CHUNKED_FIELD + b"Upgrade: h2c\r\n") + WHOLE,),
    "HTTP/1.0 until close": (head(b"", version=b"1.0") + EVENTS, Then.CLOSE),
    "HTTP/1.0 with a length": (head(LENGTH_FIELD, version=b"1.0") + EVENTS,),
    "HTTP/1.0 with a length and keep-alive": (
        head(LENGTH_FIELD + b"Connection: keep-alive\r\n", version=b"1.0") + EVENTS,
    ),
    "HTTP/1.0 and chunked": (head(CHUNKED_FIELD, version=b"1.0") + WHOLE, Then.CLOSE),
    "an unknown version": (head(CHUNKED_FIELD, version=b"1.2") + WHOLE, Then.CLOSE),
    "connection: close and a length": (head(LENGTH_FIELD + b"Connection: close\r\n") + EVENTS,),
    "connection: close and chunked": (head(CHUNKED_FIELD + b"Connection: close\r\n") + WHOLE,),
    "a length and chunked": (head(LENGTH_FIELD + CHUNKED_FIELD) + WHOLE,),
    "chunked and a wrong length": (head(CHUNKED_FIELD + b"Content-Length: 3\r\n") + WHOLE,),
    "two equal lengths": (head(LENGTH_FIELD * 2) + EVENTS,),
    "two equal lengths in one field": (head(b"Content-Length: 20, 20\r\n") + EVENTS, Then.CLOSE),
    "two different lengths": (head(LENGTH_FIELD + b"Content-Length: 3\r\n") + EVENTS, Then.CLOSE),
    "a length with a sign": (head(b"Content-Length: +20\r\n") + EVENTS, Then.CLOSE),
    "a length below zero": (head(b"Content-Length: -1\r\n") + EVENTS, Then.CLOSE),
    "a length beyond 64 bits": (head(b"Content-Length: 99999999999999999999\r\n") + EVENTS, Then.CLOSE),
    "a length with an underscore": (head(b"Content-Length: 2_0\r\n") + EVENTS, Then.CLOSE),
    "gzip as a transfer encoding": (head(b"Transfer-Encoding: gzip, chunked\r\n") + WHOLE, Then.CLOSE),
    "chunked twice": (head(CHUNKED_FIELD * 2) + WHOLE, Then.CLOSE),
    "chunked in capitals": (head(b"transfer-encoding: CHUNKED\r\n") + WHOLE,),
    "identity as a transfer encoding": (head(b"Transfer-Encoding: identity\r\n") + EVENTS, Then.CLOSE),
    "an unknown content encoding": (head(CHUNKED_FIELD + b"Content-Encoding: x-none\r\n") + WHOLE,),
    "an empty content encoding": (head(CHUNKED_FIELD + b"Content-Encoding:\r\n") + WHOLE,),
    "content encoding identity": (head(CHUNKED_FIELD + b"Content-Encoding: identity\r\n") + WHOLE,),
    "204 with a body": (head(LENGTH_FIELD, status=b"204 No Content") + EVENTS,),
    "205 with a body": (head(LENGTH_FIELD, status=b"205 Reset Content") + EVENTS,),
    "304 with a chunked body": (head(CHUNKED_FIELD, status=b"304 Not Modified") + WHOLE,),
    "304 without a body": (NOT_MODIFIED,),
    "length 0": (of_length(0),),
    "length 0 and more bytes": (of_length(0) + b"x",),
    "two responses in one packet": (OK + OK,),
    "an error's response after the response": (OK + b"HTTP/1.1 408 Request Timeout\r\n\r\n", Then.CLOSE),
    "one byte after the end": (OK + b"\r",),
    "one byte after a length": (of_length(len(EVENTS)) + EVENTS + b"\n",),
    "a bare LF in the head": (head(CHUNKED_FIELD).replace(b"\r\n", b"\n") + WHOLE,),
    "a folded field": (head(b"X-A: b\r\n c\r\n" + CHUNKED_FIELD) + WHOLE,),
    "no empty chunk": (CHUNKED + chunk(EVENTS), Then.CLOSE),
    "a last chunk without its line": (CHUNKED + chunk(EVENTS) + b"0\r\n", Then.CLOSE),
    "sizes with leading zeros and capitals": (CHUNKED + b"00014\r\n" + EVENTS + b"\r\n000\r\n\r\n",),
    "a size with 0x": (CHUNKED + b"0x14\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a size with a plus": (CHUNKED + b"+14\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a size with an underscore": (CHUNKED + b"1_4\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a space before a size": (CHUNKED + b" 14\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a bare LF after a size": (CHUNKED + b"14\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a bare CR in an extension": (CHUNKED + b"14;a\rb\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a quoted newline in an extension": (CHUNKED + b'14;a="\n"\r\n' + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "a chunk that is longer than its size": (CHUNKED + b"13\r\n" + EVENTS + b"\r\n0\r\n\r\n", Then.CLOSE),
    "trailers": (CHUNKED + chunk(EVENTS) + b"0\r\nA: b\r\nExpires: never\r\n\r\n",),
    "a malformed trailer": (CHUNKED + chunk(EVENTS) + b"0\r\nno field\r\n\r\n", Then.CLOSE),
    "a huge trailer": (CHUNKED + chunk(EVENTS) + b"0\r\nA: %s\r\n\r\n" % (b"a" * 200_000), Then.CLOSE),
    "no length, no chunks": (UNTIL_CLOSE + EVENTS, Then.CLOSE),
}
# Where an answer may end too early before its body begins.
CUTS = {
    "nothing": 0,
    "the version": 5,
    "the reason": 16,
    "a name": 20,
    "a value": 40,
    "the last line": len(CHUNKED) - 1,
}
ANSWERS |= {
    f"{end.name.lower()} in {part}": (CHUNKED[:place], end) if place else (end,)
    for part, place in CUTS.items()
    for end in (Then.CLOSE, Then.ABORT, Then.RESET)
}

ANSWERS |= {
    f"{end.name.lower()} in {framing}": (head + EVENTS, end)
    for framing, head in {"a length": of_length(100), "a body until close": UNTIL_CLOSE}.items()
    for end in (Then.CLOSE, Then.ABORT, Then.RESET)
}

# Bytes follow the body. Httpcore takes them for the next response, on trio too.
# Directly, the connection is closed.
EXCESS = {
    "204 with a body",
    "304 with a chunked body",
    "length 0 and more bytes",
    "two responses in one packet",
    "an error's response after the response",
    "one byte after the end",
    "one byte after a length",
    "HEAD with a body",
}
HEAD_ANSWERS: dict[str, tuple[Step, ...]] = {
    "HEAD, chunked": (CHUNKED,),
    "HEAD with a length": (of_length(len(EVENTS)),),
    "HEAD with a body": (of_length(len(EVENTS)) + EVENTS,),
    "HEAD, until close": (UNTIL_CLOSE,),
}


def describe(error: BaseException) -> list[str]:
    """The error's type and its cause's: their texts may name bytes."""
    cause = error.__cause__
    return [type(error).__name__] if cause is None else [type(error).__name__, type(cause).__name__]


def record(response: Any) -> list[Any]:
    return [
        response.status_code,
        response.headers.multi_items(),
        sorted(response.extensions),
        response.is_closed,
        response.is_stream_consumed,
        response.num_bytes_downloaded,
    ]


def see(
    http: Any, server: ExactServer, method: str, steps: tuple[Step, ...], *, direct: bool
) -> tuple[list[Any], list[Any]]:
    seen: list[Any] = []
    before = server.accepted
    with http.Client(timeout=200, verify=CONTEXT) as client:
        try:
            with client.stream(method, server.answer(*steps)) as response:
                try:
                    seen += Stream(response, direct=direct)
                except Exception as error:
                    seen += describe(error)
            seen += record(response)
        except Exception as error:
            seen += describe(error)
        later: list[Any] = [repr(client._transport._pool)]
        try:
            with client.stream("GET", server.answer(OK)) as response:
                later += Stream(response, direct=direct)
        except Exception as error:
            later += describe(error)
        return seen, [*later, server.accepted - before]


async def asee(
    http: Any, server: ExactServer, method: str, steps: tuple[Step, ...], *, direct: bool
) -> tuple[list[Any], list[Any]]:
    seen: list[Any] = []
    before = server.accepted
    timeout = 200
    async with http.AsyncClient(timeout=timeout, verify=CONTEXT) as client:
        try:
            async with client.stream(method, server.answer(*steps)) as response:
                try:
                    async for item in AsyncStream(response, direct=direct):
                        seen.append(item)  # noqa: PERF401 (what comes before an error counts)
                except Exception as error:
                    seen += describe(error)
            seen += record(response)
        except Exception as error:
            seen += describe(error)
        later: list[Any] = [repr(client._transport._pool)]
        try:
            async with client.stream("GET", server.answer(OK)) as response:
                later += [item async for item in AsyncStream(response, direct=direct)]
        except Exception as error:
            later += describe(error)
        return seen, [*later, server.accepted - before]


@pytest.fixture(scope="module", params=["plain", "tls"])
def exact(request: pytest.FixtureRequest) -> Iterator[ExactServer]:
    with ExactServer(request.getfixturevalue("tls") if request.param == "tls" else None) as server:
        yield server


def difference(http: Any, exact: ExactServer, method: str, name: str, way: str) -> Any:
    """What the two ways show, if it is not the same."""
    steps = {**ANSWERS, **HEAD_ANSWERS}[name]
    if way == "sync":
        ordinary, directly = (see(http, exact, method, steps, direct=direct) for direct in (False, True))
    else:
        ordinary, directly = (
            anyio.run(partial(asee, http, exact, method, steps, direct=direct), **LOOPS[way])
            for direct in (False, True)
        )
    if name in EXCESS:
        is_safe = way == "trio" or directly[1][1:] == [1, "x", 2]
        return None if is_safe and directly[0] == ordinary[0] else (directly, ordinary)
    failed = any(isinstance(each, str) and each.endswith("Error") for each in ordinary[0])
    if not failed and isinstance(steps[-1], Then):
        # The client may notice the end before it looks at the pool, or not.
        return None if directly[0] == ordinary[0] else (directly, ordinary)
    return None if directly == ordinary else (directly, ordinary)


BOTH = pytest.mark.parametrize("http", [httpx, httpx2], ids=lambda module: module.__name__)


@pytest.mark.slow
@pytest.mark.pairs
@BOTH
@pytest.mark.parametrize("way", ["sync", *LOOPS])
def test_unusual_answers_look_the_same_on_both_ways(http: ModuleType, exact: ExactServer, way: str) -> None:
    if way == "uvloop":
        pytest.importorskip("uvloop")
    found = {name: difference(http, exact, "GET", name, way) for name in ANSWERS}
    found |= {name: difference(http, exact, "HEAD", name, way) for name in HEAD_ANSWERS}
    assert {name: seen for name, seen in found.items() if seen} == {}


@BOTH
def test_an_ordinary_answer_of_this_server_is_read_directly(http: ModuleType, exact: ExactServer) -> None:
    with http.Client(verify=CONTEXT) as client, client.stream("GET", exact.answer(OK)) as response:
        assert direct_reading(response)
        assert list(Stream(response)) == [1, "x"]


@BOTH
def test_a_length_beyond_64_bits_is_read_the_ordinary_way(http: ModuleType, exact: ExactServer) -> None:
    url = exact.answer(of_length(2**64), Then.CLOSE)
    with http.Client(verify=CONTEXT) as client, client.stream("GET", url) as response:
        assert "does not fit into 64 bits" in str(direct_reading(response))
