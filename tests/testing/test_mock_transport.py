from __future__ import annotations

from typing import Any

import httpx
import httpx2
import pytest

from ssejet import AsyncStream, EventSource, Stream, TruncatedStreamError
from ssejet.emit import AsyncEventStream, EventStream, Failure
from ssejet.testing import MockTransport

URL = "http://test/"

libraries = pytest.mark.parametrize("library", [httpx, httpx2])
pytestmark = libraries


def test_a_stream_answers_every_request(library: Any) -> None:
    transport = MockTransport(EventStream([{"n": 1}, {"n": 2}], done="[DONE]"))
    with library.Client(transport=transport) as client:
        for _ in range(2):
            with client.stream("GET", URL) as response:
                assert response.headers["content-type"] == "text/event-stream"
                assert list(Stream(response)) == [{"n": 1}, {"n": 2}]
    assert [call.closed for call in transport.calls] == [True, True]


@pytest.mark.parametrize("kind", [EventStream, AsyncEventStream])
async def test_async_clients_take_streams_of_both_kinds(library: Any, kind: Any) -> None:
    transport = MockTransport(kind([{"n": 1}], done="[DONE]"))
    async with library.AsyncClient(transport=transport) as client, client.stream("GET", URL) as response:
        assert [item async for item in AsyncStream(response)] == [{"n": 1}]


def test_a_sync_client_takes_no_async_stream(library: Any) -> None:
    with (
        library.Client(transport=MockTransport(AsyncEventStream([]))) as client,
        pytest.raises(TypeError, match="AsyncEventStream is async, but the client is not: answer with"),
    ):
        client.get(URL)


def test_a_function_answers_by_the_request(library: Any) -> None:
    def answer(request: Any) -> Any:
        return library.Response(200, text=f"{request.method} {request.url.path} {request.content!r}")

    with library.Client(transport=MockTransport(answer)) as client:
        assert client.post(f"{URL}path", content=b"body").text == "POST /path b'body'"


async def test_a_function_may_be_async(library: Any) -> None:
    async def answer(request: Any) -> Any:
        return library.Response(204)

    async with library.AsyncClient(transport=MockTransport(answer)) as client:
        assert (await client.get(URL)).status_code == 204


def test_a_response_may_be_of_the_other_library(library: Any) -> None:
    other = httpx2 if library is httpx else httpx
    answer = other.Response(201, headers=[("x-a", "1"), ("x-a", "2")], content=EventStream(["x"]))
    with library.Client(transport=MockTransport(answer)) as client:
        response = client.get(URL)
    assert isinstance(response, library.Response)
    assert response.status_code == 201
    assert response.headers.get_list("x-a") == ["1", "2"]
    assert response.content.startswith(b"data: x\n\n")


@pytest.mark.parametrize("size", [1, 3, 64])
def test_a_stream_is_read_as_it_is_cut(library: Any, size: int) -> None:
    transport = MockTransport(EventStream(["x" * 100], cut=size, done=None))
    with library.Client(transport=transport) as client, client.stream("GET", URL) as response:
        assert {len(chunk) for chunk in response.iter_raw()} <= {size, len(b"data: \n\n" + b"x" * 100) % size}


def test_a_broken_stream_breaks_as_on_a_real_connection(library: Any) -> None:
    transport = MockTransport(EventStream(["a", "b"], fail_after=1))
    with library.Client(transport=transport) as client, client.stream("GET", URL) as response:
        events = iter(EventSource(response))
        assert next(events).data == "a"
        with pytest.raises(library.ReadError):
            next(events)


async def test_a_broken_stream_breaks_for_async_clients_too(library: Any) -> None:
    transport = MockTransport(AsyncEventStream(["a", "b"], fail_after=Failure(bytes=3)))
    async with library.AsyncClient(transport=transport) as client, client.stream("GET", URL) as response:
        with pytest.raises(library.ReadError):
            await response.aread()


def test_a_stream_that_ends_early_is_noticed_by_clients_that_check(library: Any) -> None:
    transport = MockTransport(EventStream([{"n": 1}], fail_after=Failure(events=1, error=None)))
    with library.Client(transport=transport) as client, client.stream("GET", URL) as response:
        stream = Stream(response, require_done=True)
        assert next(stream) == {"n": 1}
        with pytest.raises(TruncatedStreamError):
            next(stream)


def test_a_reader_that_leaves_closes_the_source(library: Any) -> None:
    closed = []

    def source() -> Any:
        try:
            yield "a"
            yield "b"
        finally:
            closed.append(True)

    transport = MockTransport(EventStream(source()))
    with library.Client(transport=transport) as client, client.stream("GET", URL) as response:
        pieces = response.iter_raw()
        assert next(pieces) == b"data: a\n\n"
        assert (closed, transport.calls[0].closed) == ([], False)
    assert (closed, transport.calls[0].closed) == ([True], True)


def test_what_is_no_answer_is_refused(library: Any) -> None:
    with (
        library.Client(transport=MockTransport("text")) as client,
        pytest.raises(TypeError, match=r"a mock answers with a response of .*, not str"),
    ):
        client.get(URL)
