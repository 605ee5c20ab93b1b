"""The swap-ins for httpx-sse and httpx2, as modules and in place, against the stock ones."""

from __future__ import annotations

import asyncio
import inspect
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import httpx_sse
import pytest
from hypothesis import given
from hypothesis import strategies as st
from sdks import sizes

import ssejet
import ssejet.swap.httpx2
import ssejet.swap.httpx_sse

if TYPE_CHECKING:
    from servers import Server

MODULES = {
    "httpx-sse": (httpx, httpx_sse, ssejet.swap.httpx_sse),
    "httpx2": (httpx2, httpx2, ssejet.swap.httpx2),
}

# Older versions of httpx2 bound nothing.
HAS_LIMIT = "max_event_size" in inspect.signature(httpx2.EventSource).parameters

# Older versions of httpx-sse end lines where `str.splitlines` does, and check content types otherwise.
IS_OLD = not hasattr(httpx_sse._decoders, "SSELineDecoder")

# What both sides read in the same way: see "Differences" in docs/swap-ins.md for the rest.
_lines = st.one_of(
    st.sampled_from(
        [
            *(
                "data",
                "data:",
                "data: ",
                "data:  two",
                "data: a",
                "data:é☃😀",
                "data: \u2027" if IS_OLD else "data: \u2028\u0085\x0b",
                "event: x",
            ),
            *(
                "event",
                "event:",
                "id: 1",
                "id",
                "id: \x00",
                "retry: 5",
                "retry: x",
                "retry",
                ": ping",
                "other: y",
            ),
            *(":", "DATA: a", " data: a", "data : a", "", "", "", ""),
        ]
    )
)
_bodies = st.lists(st.tuples(_lines, st.sampled_from(["\n", "\n", "\r\n", "\r"]))).map(
    # httpx2 also takes a CR at the very end for a blank line.
    lambda lines: "".join([*(line + end for line, end in lines), ":\n"]).encode()
)


class Body(httpx.SyncByteStream, httpx.AsyncByteStream, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    def __init__(self, pieces: list[bytes]) -> None:
        self.pieces = pieces

    def __iter__(self) -> Any:
        yield from self.pieces

    async def __aiter__(self) -> Any:
        for piece in self.pieces:
            yield piece


def response(http: Any, pieces: list[bytes], content_type: str = "text/event-stream") -> Any:
    request = http.Request("GET", "http://server")
    return http.Response(200, headers={"content-type": content_type}, stream=Body(pieces), request=request)


def iterate(source: Any, mode: str) -> list[Any]:
    async def collect() -> list[Any]:
        events = source.aiter_sse() if hasattr(source, "aiter_sse") else source
        return [event async for event in events]

    if mode == "async":
        return asyncio.run(collect())
    return list(source.iter_sse() if hasattr(source, "iter_sse") else source)


def fields(events: list[Any]) -> list[tuple[Any, ...]]:
    return [(event.event, event.data, event.id, event.retry) for event in events]


@pytest.fixture(params=MODULES)
def name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("name", MODULES)
@given(body=_bodies, size=st.integers(1, 50), mode=st.sampled_from(["sync", "async"]))
def test_event_sources_give_the_events_that_the_stock_ones_give(
    name: str, body: bytes, size: int, mode: str
) -> None:
    http, stock, swap = MODULES[name]
    pieces = sizes(body, size)
    expected = iterate(stock.EventSource(response(http, pieces)), mode)
    assert fields(iterate(swap.EventSource(response(http, pieces)), mode)) == fields(expected)
    with ssejet.install():
        in_place = iterate(stock.EventSource(response(http, pieces)), mode)
    assert fields(in_place) == fields(expected)
    assert all(type(event) is stock.ServerSentEvent for event in in_place)
    assert [vars(event) for event in in_place] == [vars(event) for event in expected]


def test_events_are_made_as_the_stock_ones_are(name: str) -> None:
    _, stock, swap = MODULES[name]
    for arguments in ([], ["a"], ["a", "b"], ["a", "b", "c"], ["a", "b", "c", 5]):
        event = swap.ServerSentEvent(*arguments)
        assert fields([event]) == fields([stock.ServerSentEvent(*arguments)])
        assert type(event) is ssejet.ServerSentEvent
        assert isinstance(event, swap.ServerSentEvent)
    assert swap.ServerSentEvent(data='{"a": 1}').json() == {"a": 1}
    assert not isinstance("event", swap.ServerSentEvent)
    assert issubclass(ssejet.ServerSentEvent, swap.ServerSentEvent)


def test_httpx_sses_none_means_what_is_not_given() -> None:
    event = ssejet.swap.httpx_sse.ServerSentEvent(None, None, None, None)
    assert fields([event]) == [("message", "", "", None)]


def test_all_that_is_public_is_there() -> None:
    assert set(httpx_sse.__all__) == set(ssejet.swap.httpx_sse.__all__)
    assert set(httpx2.__all__) == set(ssejet.swap.httpx2.__all__)
    swapped = {
        name for name in httpx2.__all__ if getattr(httpx2, name) is not getattr(ssejet.swap.httpx2, name)
    }
    assert swapped == {"AsyncClient", "Client", "EventSource", "ServerSentEvent"}
    with pytest.raises(AttributeError, match="nothing"):
        _ = ssejet.swap.httpx2.nothing


@pytest.mark.parametrize(
    "content_type", ["application/json", "", "TEXT/EVENT-STREAM; a=b", "text/event-stream;"]
)
def test_content_types_are_checked_as_the_stock_ones_check_them(
    name: str, mode: str, content_type: str
) -> None:
    http, stock, swap = MODULES[name]

    def outcome(module: Any) -> Any:
        source = module.EventSource(response(http, [b"data: a\n\n"], content_type))
        try:
            return fields(iterate(source, mode))
        except http.TransportError as error:
            return (
                type(error).__name__,
                str(error),
                name == "httpx-sse" or error.request is source.response.request,
            )

    expected = outcome(stock)
    if name != "httpx-sse" or not IS_OLD:
        assert outcome(swap) == expected
    with ssejet.install():
        assert outcome(stock) == expected


@pytest.mark.parametrize("in_place", [False, True])
def test_events_that_are_too_large_are_transport_errors(name: str, mode: str, in_place: bool) -> None:
    http, stock, swap = MODULES[name]
    pieces = [b"data: a\n\n", b"data: "] + [b"x" * 2**20] * 65
    module = stock if in_place else swap
    with ssejet.install():
        source = module.EventSource(response(http, pieces))
        limit = "1048576" if name == "httpx2" and in_place and HAS_LIMIT else "67,?108,?864"
        with pytest.raises(http.TransportError, match=limit):
            iterate(source, mode)


def test_httpx2s_limit_may_be_set(mode: str) -> None:
    for module in (httpx2, ssejet.swap.httpx2) if HAS_LIMIT else (ssejet.swap.httpx2,):
        source = module.EventSource(response(httpx2, [b"data: " + b"x" * 100]), max_event_size=50)
        with pytest.raises(httpx2.SSEError, match="exceeded the 50 byte limit"):
            iterate(source, mode)
        source = module.EventSource(
            response(httpx2, [b"data: " + b"x" * 2**21 + b"\n\n"]), max_event_size=None
        )
        assert len(iterate(source, mode)) == 1


def test_connecting_with_httpx_sse_sends_its_headers_and_leaves_the_callers_alone(server: Server) -> None:
    answer = server.answer(b"data: a\n\n")
    headers = {"X-Mine": "1", "Accept": "text/html"}
    with httpx.Client() as client:
        for given_headers in (headers, httpx.Headers(headers), None):
            with ssejet.swap.httpx_sse.connect_sse(
                client, "POST", answer.url, headers=given_headers
            ) as source:
                assert fields(list(source.iter_sse())) == [("message", "a", "", None)]
                assert source.response.request.method == "POST"
        with ssejet.swap.httpx_sse.connect_sse(client, "GET", answer.url) as source:
            assert len(list(source.iter_sse())) == 1
    assert headers == {"X-Mine": "1", "Accept": "text/html"}
    assert [request["accept"] for request in answer.requests] == ["text/event-stream"] * 4
    assert [request["cache-control"] for request in answer.requests] == ["no-store"] * 4
    assert [request.get("x-mine") for request in answer.requests] == ["1", "1", None, None]


async def test_connecting_asynchronously_works_with_both_clients(server: Server) -> None:
    answer = server.answer(b"id: 1\ndata: a\n\n")
    for client in (httpx.AsyncClient(), httpx2.AsyncClient()):
        async with (
            client,
            ssejet.swap.httpx_sse.aconnect_sse(client, "GET", answer.url) as source,
        ):
            assert fields([event async for event in source.aiter_sse()]) == [("message", "a", "1", None)]


async def test_httpx2s_clients_connect_by_themselves(server: Server) -> None:
    answer = server.answer(b"data: a\n\n", b"data: b\n\n")
    with ssejet.swap.httpx2.Client() as client, client.sse(answer.url, headers={"X-Mine": "1"}) as source:
        assert isinstance(source, ssejet.swap.httpx2.EventSource)
        assert [event.data for event in source] == ["a", "b"]
    async with (
        ssejet.swap.httpx2.AsyncClient() as client,
        client.sse(answer.url, method="POST", json={}, max_event_size=50) as source,
    ):
        assert [event.data async for event in source] == ["a", "b"]
    assert [request["accept"] for request in answer.requests] == ["text/event-stream"] * 2
    assert answer.requests[0]["x-mine"] == "1"


def test_what_the_standard_says_is_done(name: str, mode: str) -> None:
    http, _, swap = MODULES[name]
    pieces = [b"\xef\xbb", b"\xbfdata: a\n\n", b"data: \xff\n\n", b"retry: +5\ndata: b\n\n"]
    source = swap.EventSource(response(http, pieces, "text/event-stream; charset=iso-8859-1"))
    assert fields(iterate(source, mode)) == [
        ("message", "a", "", None),
        ("message", "\ufffd", "", None),
        ("message", "b", "", None),
    ]


async def test_leaving_early_closes_the_iterators() -> None:
    for name, (http, stock, swap) in MODULES.items():
        for module in (stock, swap):
            with ssejet.install():
                source = module.EventSource(response(http, [b"data: a\n\n"] * 3))
                events = source.aiter_sse() if name == "httpx-sse" else aiter(source)
                assert (await anext(events)).data == "a"
                await events.aclose()
                with pytest.raises(StopAsyncIteration):
                    await anext(events)
