# ruff: noqa: ASYNC110
"""A body of aiohttp is read without aiohttp's coroutines, with the result of the ordinary way."""

from __future__ import annotations

import asyncio
import gc
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import aiohttp.streams
import anyio
import pytest
from test_direct_faults import living_arrivals

from exact_server import CHUNKED, UNTIL_CLOSE, ExactServer, Then, of_length
from http_libraries import sockets_closed
from raw_server import chunk
from servers import A_LONG_TIME
from ssejet import APIConnectionError, APITimeoutError, AsyncStream
from ssejet.chat import ChatCompletionChunk
from tls import unverified

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Iterator

    from exact_server import Step

pytestmark = pytest.mark.slow

EVENTS = [b"data: %d\n\n" % number for number in range(3)]
CHUNKS = [chunk(event) for event in EVENTS]
END = chunk(b"")
WHOLE = b"".join(EVENTS)

BODIES: dict[str, list[Step]] = {
    "an event in each chunk": [CHUNKED, *CHUNKS, END],
    "all chunks in one segment": [CHUNKED + b"".join(CHUNKS) + END],
    "the end with the last chunk": [CHUNKED, *CHUNKS[:2], CHUNKS[2] + END],
    "one byte after the other": [CHUNKED, *(bytes([byte]) for byte in b"".join(CHUNKS) + END)],
    "a length": [of_length(len(WHOLE)), *EVENTS],
    "until the connection closes": [UNTIL_CLOSE, *EVENTS, Then.CLOSE],
    "the connection closes too early": [CHUNKED, *CHUNKS, Then.CLOSE],
    "the connection closes inside of a chunk": [CHUNKED, CHUNKS[0], CHUNKS[1][:7], Then.CLOSE],
    "the connection is reset": [CHUNKED, *CHUNKS, Then.WAIT, Then.RESET],
    "the connection is aborted": [CHUNKED, *CHUNKS, Then.ABORT],
    "a chunk without a size": [CHUNKED, *CHUNKS, Then.WAIT, b"no size\r\n", Then.HANG],
}


BOTH_WAYS = pytest.mark.parametrize("direct", [True, False], ids=["direct", "ordinary"])


@pytest.fixture(params=["plain", "tls"])
def exact(request: pytest.FixtureRequest, tls: ssl.SSLContext) -> Iterator[ExactServer]:
    with ExactServer(tls if request.param == "tls" else None) as server:
        yield server
        for _ in range(2):
            server.go_on()  # a test that has failed may have left it waiting


def session(**options: Any) -> aiohttp.ClientSession:
    return aiohttp.ClientSession(connector=aiohttp.TCPConnector(ssl=unverified()), **options)


@asynccontextmanager
async def opened(url: str, **options: Any) -> AsyncIterator[aiohttp.ClientResponse]:
    """The response to a request of a session of its own."""
    async with session(**options) as client, client.get(url) as response:
        yield response
    await sockets_closed()


def is_direct(stream: AsyncStream[Any]) -> bool:
    return stream._reader.direct is not None


async def read_twice(server: ExactServer, steps: list[Step], *, direct: bool, **options: Any) -> list[Any]:
    """What two streams in turn give, and how many connections they need."""
    found: list[Any] = []
    url = server.answer(*steps)
    before = server.accepted
    async with session(**options) as client:
        for _ in range(2):
            items: list[Any] = []
            try:
                async with client.post(url, data=b"x") as response:
                    stream = AsyncStream(response, direct=direct, idle_timeout=A_LONG_TIME)
                    async for item in stream:
                        items.append(item)
                        assert is_direct(stream) == direct
                        if Then.WAIT in steps and len(items) == len(EVENTS):
                            server.go_on()
                    error = None
            except APIConnectionError as failure:
                error = (type(failure), str(failure))
            found.append((items, error))
    await sockets_closed()
    return [*found, server.accepted - before]


class TestTheResult:
    @pytest.mark.parametrize("steps", BODIES.values(), ids=BODIES)
    async def test_both_ways_give_the_same(self, steps: list[Step], exact: ExactServer) -> None:
        ordinary = await read_twice(exact, steps, direct=False)
        assert await read_twice(exact, steps, direct=True) == ordinary
        assert ordinary[0][0]

    @pytest.mark.parametrize("name", ["an event in each chunk", "all chunks in one segment", "a length"])
    async def test_both_ways_give_the_same_with_a_small_buffer(self, name: str, exact: ExactServer) -> None:
        found = [
            await read_twice(exact, BODIES[name], direct=direct, read_bufsize=1) for direct in (True, False)
        ]
        assert found == [[([0, 1, 2], None), ([0, 1, 2], None), 1]] * 2

    @BOTH_WAYS
    async def test_what_the_user_has_read_before_is_no_part_of_the_stream(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(of_length(len(WHOLE) + 2), b"xx" + WHOLE)
        async with opened(url) as response:
            assert await response.content.read(2) == b"xx"
            assert [item async for item in AsyncStream(response, direct=direct)] == [0, 1, 2]

    def test_both_ways_give_the_same_on_uvloop(self, exact: ExactServer) -> None:
        pytest.importorskip("uvloop")
        steps = BODIES["an event in each chunk"]

        async def main() -> list[Any]:
            return [await read_twice(exact, steps, direct=direct) for direct in (True, False)]

        direct, ordinary = anyio.run(main, backend_options={"use_uvloop": True})
        assert direct == ordinary == [([0, 1, 2], None), ([0, 1, 2], None), 1]

    @BOTH_WAYS
    async def test_an_event_arrives_as_soon_as_its_bytes_do(self, direct: bool, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, *(step for each in CHUNKS for step in (each, Then.WAIT)), END)
        async with opened(url) as response:
            stream = AsyncStream(response, direct=direct)
            for number in range(len(EVENTS)):
                assert await anext(stream) == number
                exact.go_on()
            assert [item async for item in stream] == []


class TestTheConnection:
    async def test_the_protocol_is_aiohttps_again_once_the_body_has_ended(self, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], END)
        async with session() as client:
            for _ in range(2):
                async with client.get(url) as response:
                    protocol = response.connection.protocol
                    transport = protocol.transport
                    stream = AsyncStream(response)
                    assert await anext(stream) == 0
                    assert transport.get_protocol() is not protocol
                    exact.go_on()
                    assert [item async for item in stream] == [1, 2]
                    assert transport.get_protocol() is protocol
        assert exact.accepted == 1
        await sockets_closed()

    async def test_the_protocol_is_aiohttps_again_as_soon_as_the_end_has_come(
        self, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], END)
        async with opened(url) as response:
            protocol = response.connection.protocol
            transport = protocol.transport
            stream = AsyncStream(response)
            assert await anext(stream) == 0
            exact.go_on()
            while response.connection is not None:  # which is then free for another request
                await asyncio.sleep(0.001)
            assert transport.get_protocol() is protocol
            assert [item async for item in stream] == [1, 2]

    @BOTH_WAYS
    async def test_the_response_gives_the_rest_after_the_stream_was_dropped(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], END)
        async with opened(url) as response:
            protocol = response.connection.protocol
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            del stream
            gc.collect()
            assert protocol.transport.get_protocol() is protocol
            assert response.content._timer._tasks == []
            exact.go_on()
            rest = [piece async for piece in response.content.iter_chunks()]
            assert [piece for piece in rest if piece[0]] == [(event, True) for event in EVENTS[1:]]

    async def test_the_ends_of_chunks_are_not_kept(self, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, *(CHUNKS[0] for _ in range(50)), Then.WAIT, END)
        async with opened(url) as response:
            stream = AsyncStream(response)
            for _ in range(50):
                await anext(stream)
            assert len(response.content._http_chunk_splits) <= 1
            exact.go_on()
            assert [item async for item in stream] == []

    @BOTH_WAYS
    @pytest.mark.parametrize("limit", ["total", "sock_read"])
    async def test_the_limits_of_aiohttp_hold(self, limit: str, direct: bool, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
        timeout = aiohttp.ClientTimeout(**{limit: 0.2})
        async with opened(url, timeout=timeout) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            with pytest.raises(APITimeoutError) as caught:
                await anext(stream)
            assert caught.value.kind == ("total" if limit == "total" else "idle")

    @BOTH_WAYS
    async def test_a_response_that_another_task_closes_ends_the_read(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0][:-2], Then.WAIT, CHUNKS[0][-2:], Then.HANG)
        async with opened(url) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0

            async def close() -> None:
                await asyncio.sleep(0.02)
                exact.go_on()  # the end of the chunk, which is no reason to stop waiting
                await asyncio.sleep(0.05)
                while response.content._waiter is None:
                    await asyncio.sleep(0.001)
                response.close()

            closes = asyncio.ensure_future(close())
            with pytest.raises(APIConnectionError, match="Connection closed"):
                await asyncio.wait_for(anext(stream), A_LONG_TIME)
            await closes

    async def test_the_error_of_a_closed_response_keeps_nothing_alive(self, exact: ExactServer) -> None:
        """aiohttp has one error for all responses that were closed, which lives for ever."""
        before = living_arrivals()
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
        async with opened(url) as response:
            stream = AsyncStream(response)
            assert await anext(stream) == 0
            asyncio.get_running_loop().call_later(0.02, response.close)
            with pytest.raises(APIConnectionError, match="Connection closed"):
                await asyncio.wait_for(anext(stream), A_LONG_TIME)
            del stream
        del response
        assert living_arrivals() <= before

    async def test_a_session_that_was_closed_ends_the_stream(self, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)

        async def error(*, direct: bool) -> tuple[Any, str]:
            async with session() as client, client.get(url) as response:
                stream = AsyncStream(response, direct=direct)
                assert await anext(stream) == 0
                await client.close()
                with pytest.raises((APIConnectionError, RuntimeError)) as caught:
                    await asyncio.wait_for(anext(stream), A_LONG_TIME)
            await sockets_closed()
            return type(caught.value), str(caught.value)

        assert await error(direct=True) == await error(direct=False)

    @BOTH_WAYS
    async def test_a_body_that_another_task_waits_for_is_not_read(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
        async with opened(url) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            other = asyncio.ensure_future(response.content.readany())
            await asyncio.sleep(0.02)
            with pytest.raises(RuntimeError, match="already"):
                await anext(stream)
            other.cancel()


class TestOtherInsides:
    async def test_a_changed_method_is_called(
        self, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        pieces = []
        original = aiohttp.streams.StreamReader.feed_data

        def feed_data(self: Any, data: bytes, *rest: Any) -> Any:
            pieces.append(data)
            return original(self, data, *rest)

        monkeypatch.setattr(aiohttp.streams.StreamReader, "feed_data", feed_data)
        await self._read_the_ordinary_way(exact)
        assert b"".join(pieces) == WHOLE

    async def test_the_environment_can_turn_it_off(
        self, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("SSEJET_DIRECT", "0")
        await self._read_the_ordinary_way(exact)

    async def _read_the_ordinary_way(self, exact: ExactServer) -> None:
        url = exact.answer(*BODIES["an event in each chunk"])
        async with opened(url) as response:
            stream = AsyncStream(response)
            assert [item async for item in stream] == [0, 1, 2]
            assert not is_direct(stream)


class TestTheTotalLimit:
    @BOTH_WAYS
    async def test_it_ends_a_stream_that_begins_after_it(self, direct: bool, exact: ExactServer) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.HANG)
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with opened(url, timeout=timeout) as response:
            await asyncio.sleep(0.4)
            with pytest.raises(APITimeoutError) as caught:
                await asyncio.wait_for(anext(AsyncStream(response, direct=direct)), 5)
            assert caught.value.kind == "total"

    @BOTH_WAYS
    async def test_it_ends_a_stream_that_it_has_met_between_two_reads(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.HANG)
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with opened(url, timeout=timeout) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            exact.go_on()
            await asyncio.sleep(0.4)
            with pytest.raises(APITimeoutError) as caught:
                await asyncio.wait_for(anext(stream), 5)
            assert caught.value.kind == "total"

    @BOTH_WAYS
    async def test_it_does_not_hide_the_error_that_came_before(
        self, direct: bool, exact: ExactServer
    ) -> None:
        url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, Then.CLOSE)
        timeout = aiohttp.ClientTimeout(total=0.3)
        async with opened(url, timeout=timeout) as response:
            stream = AsyncStream(response, direct=direct)
            assert await anext(stream) == 0
            exact.go_on()
            await asyncio.sleep(0.5)
            assert response.content.exception() is not None
            with pytest.raises(APIConnectionError, match="not completed") as caught:
                await asyncio.wait_for(anext(stream), 5)
            assert not isinstance(caught.value, APITimeoutError)


@BOTH_WAYS
async def test_others_may_read_the_body_after_a_read_was_cancelled(direct: bool, exact: ExactServer) -> None:
    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1], Then.WAIT, CHUNKS[2], END)
    async with opened(url) as response:
        stream = AsyncStream(response, direct=direct)
        assert await anext(stream) == 0
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(stream), 0.02)
        exact.go_on()
        assert await response.content.readany() == EVENTS[1]
        exact.go_on()
        assert [item async for item in stream] == [2]


@BOTH_WAYS
async def test_others_may_read_the_body_after_a_read_of_models_was_cancelled(
    direct: bool, exact: ExactServer
) -> None:
    answer = b'{"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}'
    event = b"data: %s\n\n" % answer
    url = exact.answer(CHUNKED, chunk(event), chunk(event), Then.WAIT, chunk(event), END)
    async with opened(url) as response:
        answers = aiter(AsyncStream(response, cast_to=ChatCompletionChunk, direct=direct))
        for _ in range(2):
            assert (await anext(answers)).id == "1"
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(anext(answers), 0.02)
        rest = asyncio.ensure_future(response.content.readany())
        await asyncio.sleep(0)
        exact.go_on()
        assert await rest == event


@BOTH_WAYS
async def test_a_model_that_arrived_before_it_was_asked_for_is_given_at_once(
    direct: bool, exact: ExactServer
) -> None:
    event = (
        b'data: {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": []}\n\n'
    )
    url = exact.answer(CHUNKED, chunk(event), chunk(event), Then.WAIT, chunk(event), Then.HANG)
    async with opened(url) as response:
        answers = aiter(AsyncStream(response, cast_to=ChatCompletionChunk, direct=direct))
        for _ in range(2):
            assert (await anext(answers)).id == "1"
        exact.go_on()
        while not response.content._buffer:  # nothing tells of it
            await asyncio.sleep(0.001)
        assert (await asyncio.wait_for(anext(answers), 5)).id == "1"


@BOTH_WAYS
async def test_a_second_stream_reads_on_after_a_read_of_the_first_was_cancelled(
    direct: bool, exact: ExactServer
) -> None:
    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, *CHUNKS[1:], END)
    async with opened(url) as response:
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
    async with opened(url) as response:
        stream = AsyncStream(response)
        assert [item async for item in stream] == [0, 1, 2]
        assert stream._reader.direct is None
    assert calls


@BOTH_WAYS
async def test_an_error_of_aiohttps_own_read_ends_the_wait(
    direct: bool, exact: ExactServer, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object) -> None:
        raise aiohttp.ClientPayloadError("no more")

    url = exact.answer(CHUNKED, CHUNKS[0], Then.WAIT, CHUNKS[1] + CHUNKS[2], Then.HANG)
    async with opened(url, read_bufsize=1) as response:
        stream = AsyncStream(response, direct=direct)
        assert await anext(stream) == 0
        monkeypatch.setattr(aiohttp.streams.StreamReader, "_read_nowait", fail)
        asyncio.get_running_loop().call_later(0.05, exact.go_on)
        with pytest.raises(APIConnectionError, match="no more"):
            await asyncio.wait_for(anext(stream), 5)
