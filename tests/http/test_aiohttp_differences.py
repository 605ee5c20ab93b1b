"""What a body of aiohttp that is read past aiohttp's coroutines has in common with the ordinary way."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.streams
import pytest

from exact_server import CHUNKED, ExactServer, Then
from raw_server import chunk
from ssejet import APIConnectionError, APITimeoutError, AsyncStream
from ssejet.chat import ChatCompletionChunk

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

EVENTS = [b"data: %d\n\n" % number for number in range(3)]
CHUNKS = [chunk(event) for event in EVENTS]
END = chunk(b"")


@pytest.fixture
def exact() -> Iterator[ExactServer]:
    with ExactServer() as server:
        yield server
        for _ in range(2):
            server.go_on()  # a test that has failed may have left it waiting


@pytest.fixture(params=[True, False], ids=["direct", "ordinary"])
def direct(request: pytest.FixtureRequest) -> bool:
    return bool(request.param)


class TestTheTotalLimit:
    async def test_it_ends_a_stream_that_begins_after_it(self, direct: bool, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as response:
            await asyncio.sleep(0.4)
            with pytest.raises(APITimeoutError) as caught:
                await asyncio.wait_for(anext(AsyncStream(response, direct=direct)), 5)
            assert caught.value.kind == "total"

    async def test_it_ends_a_stream_that_it_has_met_between_two_reads(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.HANG)
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            exact.go_on()
            await asyncio.sleep(0.4)
            with pytest.raises(APITimeoutError) as caught:
                await asyncio.wait_for(anext(stream), 5)
            assert caught.value.kind == "total"

    async def test_it_does_not_hide_the_error_that_came_before(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, Then.CLOSE)
        timeout = aiohttp.ClientTimeout(total=0.3)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            exact.go_on()
            await asyncio.sleep(0.5)
            assert response.content.exception() is not None
            with pytest.raises(APIConnectionError, match="not completed") as caught:
                await asyncio.wait_for(anext(stream), 5)
            assert not isinstance(caught.value, APITimeoutError)


async def test_others_may_read_the_body_after_a_read_was_cancelled(direct: bool, exact: ExactServer) -> None:
    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.WAIT, CHUNKS[2], END)
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        stream = AsyncStream(response, direct=direct)
        assert await anext(stream) == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(stream), 0.02)
        exact.go_on()
        assert await response.content.readany() == EVENTS[1]
        exact.go_on()
        assert [item async for item in stream] == [2]


async def test_others_may_read_the_body_after_a_read_of_models_was_cancelled(
    direct: bool, exact: ExactServer
) -> None:
    answer = b'{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}'
    event = b"data: %s\n\n" % answer
    url = exact.answer(CHUNKED, chunk(event), chunk(event), Then.WAIT, chunk(event), END)
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        answers = aiter(AsyncStream(response, cast_to=ChatCompletionChunk, direct=direct))
        for _ in range(2):
            assert (await anext(answers)).id == "1"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(answers), 0.02)
        rest = asyncio.ensure_future(response.content.readany())
        await asyncio.sleep(0)
        exact.go_on()
        assert await rest == event


async def test_a_second_stream_reads_on_after_a_read_of_the_first_was_cancelled(
    direct: bool, exact: ExactServer
) -> None:
    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], END)
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        first = AsyncStream(response, direct=direct)
        assert await anext(first) == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(first), 0.02)
        exact.go_on()
        assert [item async for item in AsyncStream(response, direct=direct)] == [1, 2]


@pytest.mark.parametrize("name", ["readany", "_read_nowait_chunk"])
async def test_a_changed_method_that_reads_is_called(
    name: str, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    calls = []
    original: Any = getattr(aiohttp.streams.StreamReader, name)

    def changed(self: Any, *arguments: Any) -> Any:
        calls.append(arguments)
        return original(self, *arguments)

    monkeypatch.setattr(aiohttp.streams.StreamReader, name, changed)
    url = exact.answer(CHUNKED, *CHUNKS, END)
    async with aiohttp.ClientSession() as client, client.get(url) as response:
        stream = AsyncStream(response)
        assert [item async for item in stream] == [0, 1, 2]
        assert stream._reader.direct is None
    assert calls


async def test_an_error_of_aiohttps_own_read_ends_the_wait(
    direct: bool, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise aiohttp.ClientPayloadError("no more")

    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1] + CHUNKS[2], Then.HANG)
    async with aiohttp.ClientSession(read_bufsize=1) as client, client.get(url) as response:
        stream = AsyncStream(response, direct=direct)
        assert await anext(stream) == 0
        monkeypatch.setattr(aiohttp.streams.StreamReader, "_read_nowait", fail)
        asyncio.get_running_loop().call_later(0.05, exact.go_on)
        with pytest.raises(APIConnectionError, match="no more"):
            await asyncio.wait_for(anext(stream), 5)
