"""Random bodies, framings, cuts, endings and actions: both ways to read show a user the same."""

from __future__ import annotations

import asyncio
import gc
import itertools
import json
import os
import warnings
from contextlib import closing, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Step, Then, of_length
from raw_server import chunk
from ssejet import AsyncStream, Stream
from ssejet.chat import ChatCompletionChunk
from tls import unverified

if TYPE_CHECKING:
    from collections.abc import Coroutine, Iterator

HTTP = {"httpx": httpx, "httpx2": httpx2}
# Framings that are wrong. h11 names the bytes that it has found, so their texts differ.
MALFORMED = [b"zz\r\n", b"3\r\n: \nXX", b"-1\r\n", b"fffffffffffffffffffff\r\n", b"\r\n", b"5 5\r\n"]
_OPEN_FILES = Path("/proc/self/fd")
_LONG = 200.0
_SHORT = 0.4  # where the server hangs


@dataclass(frozen=True)
class Scenario:
    """What the server sends, and what the user does."""

    steps: tuple[Step, ...]
    action: str
    """What the user does: read, break, close or cancel."""
    count: int
    """After how many items."""
    has_same_text: bool
    keeps_pool: bool
    """Whether the state of the pool does not depend on when the end of a connection arrives."""
    has_answers: bool = False
    """Whether the items are chunks of a chat completion."""

    @property
    def options(self) -> dict[str, Any]:
        return {"cast_to": ChatCompletionChunk} if self.has_answers else {}

    @property
    def timeout(self) -> float:
        return _SHORT if Then.HANG in self.steps else _LONG


@dataclass
class Seen:
    """What a user can see."""

    items: list[Any] = field(default_factory=list)
    errors: list[tuple[str, str]] = field(default_factory=list)
    flags: tuple[bool, ...] = ()
    downloaded: int = 0
    metrics: tuple[Any, ...] = ()
    pool: str = ""
    second: list[Any] = field(default_factory=list)
    later_pool: str = ""
    sockets_left: int = 0
    warnings: list[str] = field(default_factory=list)


@st.composite
def scenarios(draw: st.DrawFn) -> Scenario:
    texts = st.text(st.characters(codec="utf-8", exclude_characters="\r\n\0"), max_size=20)
    has_answers = draw(st.booleans())
    if has_answers:
        events = draw(
            st.lists(st.one_of(st.builds(_answer, texts), st.sampled_from(ODD_ANSWERS)), max_size=6)
        )
    else:
        events = [_event(text) for text in draw(st.lists(texts, max_size=6))]
    has_end = draw(st.booleans())
    body = b"".join(events) + (b"data: [DONE]\n\n" if has_end else b"")
    framing = draw(st.sampled_from(["chunked", "length", "until close"]))
    action = draw(st.sampled_from(["read", "read", "break", "close", "cancel", "cancel"]))
    pieces = _cut(body, draw(st.lists(st.integers(0, len(body)), max_size=5)))
    if framing == "chunked":
        extension = draw(st.sampled_from([b"", b";a=b", b';c="d"  ']))
        trailers = draw(st.sampled_from([b"", b"A: b\r\n", b"A: b\r\nC: d\r\n"]))
        sizes = [b"%x" % len(piece) for piece in pieces]
        stream = b"".join(
            b"%s%s\r\n%s\r\n" % (size, extension, piece) for size, piece in zip(sizes, pieces, strict=True)
        )
        head, tail = CHUNKED, b"0%s\r\n%s\r\n" % (extension, trailers)
    else:
        stream, tail = body, b""
        # A task that closes the stream must not meet the end of the body.
        head = UNTIL_CLOSE if framing == "until close" else of_length(len(body) + (action == "close"))
    ending = draw(st.sampled_from(["whole", "whole", "cut", "cut", "malformed", "silent"]))
    if action in {"break", "close"}:
        ending = "silent"
    elif action == "cancel" and (ending == "silent" or (ending == "malformed" and framing != "chunked")):
        ending = "whole"  # each cancelled read begins its timeout anew
    end: list[Step] = [Then.CLOSE] if framing == "until close" else []
    if ending == "whole":
        stream += tail
    elif ending == "malformed" and framing == "chunked":
        stream += draw(st.sampled_from(MALFORMED))
        end = [Then.HANG]
    elif ending == "cut":
        stream += tail
        stream = stream[: draw(st.integers(0, max(0, len(stream) - 1)))]
        end = [Then.CLOSE]
    else:
        end = [Then.HANG]
    parts: list[Step] = [*_cut(stream, draw(st.lists(st.integers(0, len(stream)), max_size=6)))]
    if draw(st.booleans()) and parts and action != "cancel":
        parts[0] = head + parts[0]  # type: ignore[operator]
    else:
        parts.insert(0, head)
    return Scenario(
        steps=(*parts, *end),
        action=action,
        # A task that closes the stream must not do so while events are still on their way.
        count=draw(st.integers(0, len(events))) if action == "break" else len(events),
        has_same_text=ending != "malformed",
        # Where the server closes the connection after a whole body, the client may notice that or not.
        keeps_pool=framing != "until close" and (framing != "length" or bool(body) or Then.CLOSE not in end),
        has_answers=has_answers,
    )


def _event(text: str) -> bytes:
    return b"data: %s\n\n" % json.dumps(text, ensure_ascii=False).encode()


def _answer(text: str, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    payload = {"id": "1", "object": "chat.completion.chunk", "choices": [choice], **fields}
    return b"data: %s\n\n" % json.dumps(payload, ensure_ascii=False).encode()


ODD_ANSWERS = [
    _answer("a", new_field=[1]),
    _answer("a", usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}),
    b"event: other\n" + _answer("b"),
    b": ping\n\n",
    b'data: {"choices": []}\ndata:\n\n',
    b"data: null\n\n",
    _answer("c") + _answer("d"),
    _answer("e").replace(b"\n", b"\r\n"),
]


def _shown(item: Any) -> Any:
    return item.to_dict() if isinstance(item, ChatCompletionChunk) else item


def _cut(data: bytes, places: list[int]) -> list[bytes]:
    edges = [0, *sorted(places), len(data)]
    return [data[start:end] for start, end in itertools.pairwise(edges) if start < end]


def _errors_of(error: BaseException, scenario: Scenario) -> list[tuple[str, str]]:
    partial = getattr(error, "partial", None)
    found = [] if partial is None else [("partial", json.dumps(partial.to_dict()))]
    cause: BaseException | None = error
    for _ in range(3):  # the last is httpcore's; only direct reading knows what the socket said
        if cause is None:
            break
        found.append((type(cause).__name__, str(cause) if scenario.has_same_text else ""))
        if isinstance(cause, (httpx.RequestError, httpx2.RequestError)):
            found.append(("request", type(cause.request).__module__))
        cause = cause.__cause__
    return found


def _sockets() -> int:
    count = 0
    for path in _OPEN_FILES.iterdir():
        with suppress(OSError):
            count += str(path.readlink()).startswith("socket:")
    return count


def _record(seen: Seen, stream: Any, client: Any, scenario: Scenario) -> None:
    response, metrics = stream.response, stream.metrics
    seen.flags = (response.is_closed, response.is_stream_consumed, hasattr(response, "_elapsed"))
    # A cancellation may end the draining of what follows the sentinel.
    if scenario.action == "read":
        seen.downloaded, seen.metrics = response.num_bytes_downloaded, (metrics.bytes, metrics.events)
    seen.pool = repr(client._transport._pool) if scenario.keeps_pool else ""


def see(http: Any, server: ExactServer, scenario: Scenario, *, direct: bool) -> Seen:
    seen = Seen()
    with http.Client(timeout=http.Timeout(_LONG, read=scenario.timeout), verify=CONTEXT) as client:
        with client.stream("GET", server.answer(*scenario.steps)) as response:
            stream = Stream(response, direct=direct, **scenario.options)
            try:
                if scenario.action in {"break", "close"}:
                    for _ in range(scenario.count):
                        seen.items.append(_shown(next(stream)))
                    if scenario.action == "close":
                        stream.close()
                        seen.items += map(_shown, stream)
                else:
                    for item in stream:
                        seen.items.append(_shown(item))
            except Exception as error:
                seen.errors = _errors_of(error, scenario)
        _record(seen, stream, client, scenario)
        if scenario.keeps_pool:
            try:
                with client.stream("GET", server.answer(*SECOND)) as response:
                    seen.second = list(Stream(response, direct=direct))
            except http.TimeoutException as error:  # the server hangs
                seen.second = [type(error).__name__]
            seen.later_pool = repr(client._transport._pool)
        stream.close()
    return seen


async def asee(http: Any, server: ExactServer, scenario: Scenario, *, direct: bool) -> Seen:
    seen = Seen()
    async with http.AsyncClient(timeout=http.Timeout(_LONG, read=scenario.timeout), verify=CONTEXT) as client:
        async with client.stream("GET", server.answer(*scenario.steps)) as response:
            stream = AsyncStream(response, direct=direct, **scenario.options)
            try:
                if scenario.action in {"break", "close"}:
                    for _ in range(scenario.count):
                        seen.items.append(_shown(await anext(stream)))
                    if scenario.action == "close":
                        closer = asyncio.create_task(_close(stream))
                        seen.items += [_shown(item) async for item in stream]
                        await closer
                elif scenario.action == "cancel":
                    while True:
                        try:
                            seen.items.append(_shown(await asyncio.wait_for(anext(stream), 0.001)))
                        except asyncio.TimeoutError:  # noqa: PERF203 (another class in Python 3.10)
                            await asyncio.sleep(0)
                else:
                    async for item in stream:
                        seen.items.append(_shown(item))
            except StopAsyncIteration:
                pass
            except Exception as error:
                seen.errors = _errors_of(error, scenario)
        _record(seen, stream, client, scenario)
        if scenario.keeps_pool:
            try:
                async with client.stream("GET", server.answer(*SECOND)) as response:
                    seen.second = [item async for item in AsyncStream(response, direct=direct)]
            except http.TimeoutException as error:  # the server hangs
                seen.second = [type(error).__name__]
            seen.later_pool = repr(client._transport._pool)
        await stream.aclose()
    return seen


async def _close(stream: Any) -> None:
    await asyncio.sleep(0.005)
    await stream.aclose()


SECOND = (CHUNKED, chunk(b"data: 7\n\n"), chunk(b"data: [DONE]\n\n") + b"0\r\n\r\n")
CONTEXT = unverified()


def run_uvloop(main: Coroutine[Any, Any, Seen]) -> Seen:
    with closing(main):  # also if the test is skipped: a coroutine that nobody awaits warns in a later test
        return pytest.importorskip("uvloop").run(main)  # type: ignore[no-any-return]


def watched(http: Any, server: ExactServer, scenario: Scenario, way: str, *, direct: bool) -> Seen:
    before = _sockets()
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        if way == "sync":
            seen = see(http, server, scenario, direct=direct)
        else:
            run = asyncio.run if way == "asyncio" else run_uvloop
            seen = run(asee(http, server, scenario, direct=direct))
        gc.collect()
    server.wait_until(lambda: server.connections == 0)
    seen.warnings = [str(each.message) for each in caught]
    seen.sockets_left = _sockets() - before
    return seen


@pytest.fixture(scope="module", params=["plain", "tls"])
def exact(request: pytest.FixtureRequest) -> Iterator[ExactServer]:
    with ExactServer(request.getfixturevalue("tls") if request.param == "tls" else None) as server:
        yield server


@pytest.mark.slow
@pytest.mark.usefixtures("long_drain")
@pytest.mark.parametrize("way", ["sync", "asyncio", "uvloop"])
@pytest.mark.parametrize("name", HTTP)
def test_both_ways_look_the_same(exact: ExactServer, name: str, way: str) -> None:
    if not _OPEN_FILES.is_dir():
        pytest.skip("this system does not tell which sockets are open")

    @settings(max_examples=int(os.environ.get("SSEJET_DIFFERENCES", "5")))
    @given(scenario=scenarios())
    def compare(scenario: Scenario) -> None:
        # On the ordinary way, a cancelled read ends the body. Directly, it must change nothing.
        without_cancelling = replace(scenario, action="read") if scenario.action == "cancel" else scenario
        ordinary = watched(HTTP[name], exact, without_cancelling, way, direct=False)
        if scenario.action == "cancel":
            ordinary.downloaded, ordinary.metrics = 0, ()
        assert watched(HTTP[name], exact, scenario, way, direct=True) == ordinary

    compare()


ENDED_EARLY = b"9;a=b\r\ndata: 1\n\n\r\n9\r\ndata: 2\n\n\r\n0;c\r\nA: b\r\nC: d\r\n\r\n"
ENDS = pytest.mark.parametrize("end", [Then.CLOSE, Then.ABORT, Then.RESET], ids=lambda end: end.name.lower())


@pytest.mark.slow
@ENDS
@pytest.mark.parametrize("way", ["sync", "asyncio", "uvloop"])
def test_an_early_end_looks_the_same_in_each_place(exact: ExactServer, way: str, end: Then) -> None:
    """Inside a line of the framing, h11 says something else than between lines or in the data."""
    texts = set()
    for place in range(len(ENDED_EARLY)):
        scenario = Scenario((CHUNKED, ENDED_EARLY[:place], end), "read", 0, True, True)
        directly = watched(httpx, exact, scenario, way, direct=True)
        assert directly == watched(httpx, exact, scenario, way, direct=False), ENDED_EARLY[:place]
        assert directly.errors
        texts.add(directly.errors[0][1])
    assert end is Then.RESET or len(texts) == 2
