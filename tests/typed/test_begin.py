from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from drivers import FakeResponse
from ssejet import APIError, APIStatusError, AsyncStream, EventTooLargeError, Stream, TruncatedStreamError
from ssejet.typed._machine import StreamMachine

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable

DONE = b"data: [DONE]\n\n"


def begin_sync(response: FakeResponse, **options: Any) -> list[Any]:
    """The items of a stream that was begun."""
    stream = Stream(response, **options)
    assert stream.begin() is stream
    return list(stream)


def begin_async(response: FakeResponse, **options: Any) -> list[Any]:
    async def main() -> list[Any]:
        stream = AsyncStream(response, **options)
        assert await stream.begin() is stream
        return [item async for item in stream]

    return anyio.run(main)


@pytest.fixture(params=[begin_sync, begin_async], ids=["sync", "async"])
def begin(request: pytest.FixtureRequest) -> Callable[..., list[Any]]:
    return request.param


def test_the_first_event_stays_to_be_taken(begin: Any) -> None:
    assert begin(FakeResponse([b": hi\n\nda", b"ta: 1\n\ndata: 2\n\n", b"data: 3\n\n"])) == [1, 2, 3]


def test_no_more_is_read_than_that() -> None:
    chunks = iter([b": hi\n\n", b"data: 1\n\n", b"data: 2\n\n"])
    with Stream(FakeResponse(chunks)) as stream:
        stream.begin()
        assert stream.metrics.events == 1
        assert stream.begin().metrics.events == 1
        assert next(stream) == 1
        assert list(chunks) == [b"data: 2\n\n"]


@pytest.mark.parametrize("body", [[], [b": hi\n\n"], [DONE]])
def test_a_stream_may_end_before_it_begins(begin: Any, body: list[bytes]) -> None:
    assert begin(FakeResponse(body)) == []


@pytest.mark.parametrize(
    ("body", "error"),
    [
        (b'data: {"error": {"message": "no"}}\n\n', APIError),
        (b"event: error\ndata: no\n\n", APIError),
        (b": hi\n\n", TruncatedStreamError),
        (b"data: " + b"x" * (65 * 2**20), EventTooLargeError),
    ],
    ids=["error", "event", "end", "size"],
)
def test_errors_before_the_first_event_are_raised_at_once_and_close_the_response(
    begin: Any, body: bytes, error: type
) -> None:
    response = FakeResponse([body])
    with pytest.raises(error):
        begin(response, require_done=True)
    assert response.is_closed


def test_errors_after_the_first_event_are_raised_after_the_items_before_them() -> None:
    body = [b'data: 1\n\ndata: {"error": {"message": "no"}}\n\n']
    stream = Stream(FakeResponse(body)).begin()
    assert next(stream) == 1
    with pytest.raises(APIError):
        next(stream)


def test_an_error_status_is_raised_at_once() -> None:
    response = FakeResponse([json.dumps({"error": {"message": "no"}}).encode()])
    response.status_code = 500  # type: ignore[attr-defined]
    response.headers = {}  # type: ignore[attr-defined]
    with pytest.raises(APIStatusError, match="HTTP status 500: no"):
        Stream(response).begin()


def test_a_second_task_gets_an_error_and_does_not_disturb_the_first() -> None:
    async def main() -> None:
        gate = anyio.Event()

        class Response(FakeResponse):
            async def aiter_bytes(self) -> AsyncIterator[bytes]:
                await gate.wait()
                yield b"data: 1\n\n"

        stream: AsyncStream[Any] = AsyncStream(Response([]))
        items: list[Any] = []

        async def read() -> None:
            items.extend([item async for item in stream])

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await anyio.wait_all_tasks_blocked()
            with pytest.raises(RuntimeError, match="another task or thread"):
                await stream.begin()
            gate.set()
        assert items == [1]

    anyio.run(main)


def test_a_machine_knows_whether_an_event_waits() -> None:
    machine = StreamMachine()
    assert not machine.check_first()
    machine.receive(b"data: 1\n\n")
    assert machine.check_first()
    assert list(machine.items()) == [1]
    assert not machine.check_first()
