"""Cancelled reads: nothing is lost, nothing comes twice, and a cancelled read is never taken for the end."""

from __future__ import annotations

import gc
import json
import threading
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

import ssejet
from drivers import NO_TLS, FakeResponse
from raw_server import Reply, ScriptServer
from raw_server import Then as ReplyThen
from servers import A_LONG_TIME, Then, compress
from ssejet import APIConnectionError, AsyncStream, EventSource
from ssejet.chat import AsyncChatCompletionStream, ChatCompletionChunk

if TYPE_CHECKING:
    import ssl
    from collections.abc import AsyncIterator, Callable
    from types import ModuleType

    from servers import Answer, Server

pytestmark = pytest.mark.slow

ITEMS = list(range(6))


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


@pytest.fixture(params=["asyncio", "trio"])
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def steps(*pieces: bytes) -> list[Any]:
    """The pieces; the server waits for an event before each."""
    return [step for piece in pieces for step in (threading.Event(), piece)]


HALVES = [half for item in ITEMS for half in (b"data: ", b"%d\n\n" % item)]


class Waits:
    """The events that a server waits for, one after the other."""

    def __init__(self, answer: Answer) -> None:
        self._events = [step for step in answer.steps if isinstance(step, threading.Event)]
        for event in self._events:
            event.clear()

    def end_one(self) -> None:
        if self._events:
            self._events.pop(0).set()


async def read_impatiently(
    events: AsyncIterator[Any], waits: Waits, seconds: float = 0.005
) -> tuple[list[Any], int]:
    """All that comes, and how many reads were cancelled. The server goes on after each of them."""
    items, cancelled = [], 0
    while True:
        with anyio.move_on_after(seconds):
            try:
                items.append(await anext(events))
            except StopAsyncIteration:
                return items, cancelled
            continue
        cancelled += 1
        waits.end_one()


READERS: dict[str, Callable[[Any], AsyncIterator[Any]]] = {
    "items": lambda response: AsyncStream(response),
    "events": lambda response: AsyncStream(response).events(),
    "items within deadlines": lambda response: AsyncStream(
        response, idle_timeout=A_LONG_TIME, timeout=A_LONG_TIME
    ),
    "an event source": lambda response: EventSource(response).aiter_sse(),
}


@pytest.mark.pairs  # the library and the loop read the bytes, and know neither the encoding nor the reader
@pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
@pytest.mark.parametrize("encoding", [None, "gzip"])
def test_the_next_read_goes_on_where_a_cancelled_one_was(
    http: ModuleType, backend: str, server: Server, reader: Any, encoding: str | None
) -> None:
    answer = server.answer(*steps(*HALVES))
    if encoding is not None:
        body = compress(encoding, b"".join(HALVES))
        pieces = [body[start : start + 3] for start in range(0, len(body), 3)]
        answer = server.answer(*steps(*pieces), content_encoding=encoding)

    async def main() -> None:
        async with http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            for _ in range(2):
                waits = Waits(answer)
                async with client.stream("GET", answer.url) as response:
                    items, cancelled = await read_impatiently(reader(response), waits)
                    assert [int(getattr(item, "data", item)) for item in items] == ITEMS
                    assert cancelled >= len(answer.steps) / 2
                del response
                gc.collect()

    anyio.run(main, backend=backend)
    assert len(answer.connections) == 1


def test_the_next_read_goes_on_by_https(http: ModuleType, backend: str, tls: ssl.SSLContext) -> None:
    with ScriptServer(Reply([b"data: 1\n\n", b"data: 2\n\n"], then=ReplyThen.HANG), tls=tls) as server:

        async def main() -> None:
            async with (
                http.AsyncClient(verify=False, timeout=A_LONG_TIME) as client,
                client.stream("GET", server.base) as response,
                AsyncStream(response) as stream,
            ):
                assert [await anext(stream), await anext(stream)] == [1, 2]
                for _ in range(3):
                    with anyio.move_on_after(0.02) as scope:
                        await anext(stream)
                    assert scope.cancelled_caught
                assert not response.is_closed

        anyio.run(main, backend=backend)
        server.wait_until(lambda: server.connections == 0)


def test_a_chat_stream_goes_on(http: ModuleType, backend: str, server: Server) -> None:
    def chunk(text: str, finish_reason: str | None = None) -> bytes:
        choice = {"index": 0, "delta": {"content": text}, "finish_reason": finish_reason}
        return f"data: {json.dumps({'id': 'c', 'choices': [choice]})}\n\n".encode()

    answer = server.answer(*steps(chunk("Hel"), chunk("lo", "stop"), b"data: [DONE]\n\n"))

    async def main() -> None:
        async with (
            http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client,
            client.stream("GET", answer.url) as response,
        ):
            stream = AsyncStream(response, cast_to=ChatCompletionChunk)
            chat = AsyncChatCompletionStream(stream, require_finish=True)
            _, cancelled = await read_impatiently(aiter(chat), Waits(answer))
            assert cancelled >= 3
            completion = await chat.get_final_completion()
            assert completion.choices[0].message.content == "Hello"

    anyio.run(main, backend=backend)


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_a_subscription_goes_on(backend: str, server: Server, method: str) -> None:
    # The events come without ids, so that only this connection has them.
    first, second, *rest = HALVES
    answer = server.answer(first, second, *steps(*rest))

    async def main() -> None:
        seen: list[str] = []
        waits = Waits(answer)
        async with ssejet.asubscribe(answer.url, method=method, reconnection_time=0) as events:
            seen.append((await anext(events)).data)
            while len(seen) < len(ITEMS):
                with anyio.move_on_after(0.005) as scope:
                    seen.append((await anext(events)).data)
                if scope.cancelled_caught:
                    waits.end_one()
        assert list(map(int, seen)) == ITEMS

    anyio.run(main, backend=backend)
    assert len(answer.requests) == 1


def test_a_subscription_that_must_not_repeat_its_request_says_that_it_cannot_go_on(backend: str) -> None:
    with ScriptServer() as server:  # which never replies

        async def main() -> None:
            async with ssejet.asubscribe(server.base, method="POST") as events:
                async with anyio.create_task_group() as tasks:

                    async def cancel() -> None:
                        await anyio.to_thread.run_sync(server.wait_until, lambda: server.requests)
                        tasks.cancel_scope.cancel()

                    tasks.start_soon(cancel)
                    await anext(events)
                with pytest.raises(APIConnectionError, match="repeat=True"):
                    await anext(events)
                assert [event async for event in events] == []

        anyio.run(main, backend=backend)
        assert len(server.requests) == 1


class TestWhereReadsCannotGoOn:
    class Response(FakeResponse):
        """One of another client, whose iterator a cancellation ends."""

        async def aiter_bytes(self) -> AsyncIterator[bytes]:
            yield b"data: 1\n\n"
            await anyio.sleep(A_LONG_TIME)

        headers = {"content-type": "text/event-stream"}  # noqa: RUF012

    @pytest.mark.parametrize("reader", READERS.values(), ids=READERS)
    def test_where_reads_cannot_go_on_the_next_one_says_so(self, backend: str, reader: Any) -> None:
        async def main() -> None:
            events = reader(self.Response([]))
            assert int(getattr(item := await anext(events), "data", item)) == 1
            with anyio.move_on_after(0.02) as scope:
                await anext(events)
            assert scope.cancelled_caught
            with pytest.raises(APIConnectionError, match=r"was cancelled.*asyncio\.wait\(\)") as caught:
                await anext(events)
            assert caught.value.retryable
            assert [item async for item in events] == []

        anyio.run(main, backend=backend)

    def test_where_reads_cannot_go_on_the_response_is_closed_at_once(self, backend: str) -> None:
        response = self.Response([])

        async def main() -> None:
            stream = AsyncStream(response)
            with anyio.move_on_after(0.02):
                async for item in stream:
                    assert item == 1
            assert response.closed == 1

        anyio.run(main, backend=backend)

    def test_where_reads_cannot_go_on_begin_says_so_too(self, backend: str) -> None:
        class Silent(self.Response):  # type: ignore[name-defined,misc]
            async def aiter_bytes(self) -> AsyncIterator[bytes]:
                await anyio.sleep(A_LONG_TIME)
                yield b""

        async def main() -> None:
            stream = AsyncStream(Silent([]))
            with anyio.move_on_after(0.02):
                await stream.begin()
            with pytest.raises(APIConnectionError, match="was cancelled"):
                await stream.begin()

        anyio.run(main, backend=backend)


def test_a_stream_that_is_dropped_after_a_cancelled_read_closes_its_response(
    http: ModuleType, backend: str, server: Server
) -> None:
    answer = server.answer(b"data: 1\n\n", Then.HANG)

    async def main() -> None:
        async with http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            response = await client.send(client.build_request("GET", answer.url), stream=True)
            with anyio.move_on_after(0.05):
                async for item in AsyncStream(response):
                    assert item == 1
            gc.collect()
            assert await anyio.to_thread.run_sync(answer.left.wait, A_LONG_TIME)
            assert response.is_closed

    anyio.run(main, backend=backend)


def test_the_connection_is_left_as_it_was(http: ModuleType, backend: str, server: Server) -> None:
    answer = server.answer(b"data: 1\n\n", *steps(b"data: 2\n\n"))

    async def main() -> None:
        async with (
            http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client,
            client.stream("GET", answer.url) as response,
        ):
            network_stream = response.extensions["network_stream"]
            untouched = set(vars(network_stream))
            items, _ = await read_impatiently(AsyncStream(response), Waits(answer))
            assert items == [1, 2]
            assert set(vars(network_stream)) == untouched

    anyio.run(main, backend=backend)
