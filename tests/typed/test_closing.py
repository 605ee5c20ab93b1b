"""Streams that are closed while they are read, from another thread or task, one by one and under load."""

from __future__ import annotations

import asyncio
import random
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from raw_server import Reply, ScriptServer, Then
from ssejet import AsyncStream, Stream

if TYPE_CHECKING:
    import ssl
    from collections.abc import Iterator
    from types import ModuleType

pytestmark = pytest.mark.slow

ENDLESS = Reply([b"data: 1\n\n", b"data: 2\n\n"], then=Then.HANG)
COMPLETE = Reply([b"data: 1\n\n", b"data: 2\n\n", b"data: [DONE]\n\n"])
ITEMS = [1, 2]


@pytest.fixture
def script() -> Iterator[ScriptServer]:
    with ScriptServer() as server:
        yield server
        server.wait_until(lambda: server.connections == 0)


@pytest.fixture
def tls_script(tls: ssl.SSLContext) -> Iterator[ScriptServer]:
    with ScriptServer(tls=tls) as server:
        yield server
        server.wait_until(lambda: server.connections == 0)


@pytest.fixture(params=[httpx, httpx2], ids=["httpx", "httpx2"])
def http(request: pytest.FixtureRequest) -> ModuleType:
    return request.param


class TestFromAnotherThread:
    def test_closing_from_another_thread_ends_the_loop_at_once(
        self, script: ScriptServer, http: ModuleType
    ) -> None:
        self.close_at_many_moments(script, http)

    def test_closing_from_another_thread_ends_the_loop_at_once_by_https(
        self, tls_script: ScriptServer, http: ModuleType
    ) -> None:
        self.close_at_many_moments(tls_script, http)

    def close_at_many_moments(self, script: ScriptServer, http: ModuleType) -> None:
        script.replies = [ENDLESS] * 20
        with http.Client(verify=False) as client:
            for number in range(20):
                items: list[int] = []
                with client.stream("GET", script.base) as response:
                    stream = Stream[int](response)
                    thread = threading.Thread(target=items.extend, args=[stream])
                    thread.start()
                    if number:
                        thread.join(number / 1000)
                    stream.close()
                    thread.join(200)
                    assert not thread.is_alive()
                    assert items == ITEMS[: len(items)]
                    assert response.is_closed
                    stream.close()
            script.wait_until(lambda: script.connections == 0)

    def test_closing_from_another_thread_closes_what_cannot_be_interrupted(self) -> None:
        """A response of no HTTP client has no socket that could be shut down."""
        reading, closed = threading.Event(), threading.Event()

        class Response:
            def iter_bytes(self) -> Iterator[bytes]:
                reading.set()
                closed.wait(200)
                yield b"data: 1\n\n"

            def close(self) -> None:
                closed.set()

        stream = Stream[int](Response())
        items: list[int] = []
        thread = threading.Thread(target=items.extend, args=[stream])
        thread.start()
        reading.wait(200)
        stream.close()
        thread.join(200)
        assert not thread.is_alive()
        assert items == []

    def test_closing_from_another_thread_leaves_no_connection_under_load(
        self, script: ScriptServer, http: ModuleType
    ) -> None:
        random_ = random.Random(7)
        script.replies = [random_.choice([ENDLESS, COMPLETE]) for _ in range(200)]
        limits = http.Limits(max_connections=20)
        with (
            http.Client(limits=limits) as client,
            ThreadPoolExecutor(20) as readers,
            ThreadPoolExecutor(4) as closers,
        ):

            def read(number: int) -> list[int]:
                with client.stream("GET", script.base) as response, Stream[int](response) as stream:
                    closer = threading.Timer(random_.random() / 50, lambda: closers.submit(stream.close))
                    closer.start()
                    items = []
                    for item in stream:
                        items.append(item)
                        if number % 10 == 0:
                            break
                    closer.join()
                    return items

            for items in readers.map(read, range(200)):
                assert items == ITEMS[: len(items)]
            # As many connections can be had as at first.
            script.replies = [ENDLESS] * 20
            responses = [
                client.send(client.build_request("GET", script.base, timeout=60), stream=True)
                for _ in range(20)
            ]
            for response in responses:
                response.close()


class TestFromAnotherTask:
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_from_another_task_ends_the_loop_at_once(
        self, backend: str, script: ScriptServer, http: ModuleType
    ) -> None:
        script.replies = [ENDLESS] * 20

        async def read(stream: AsyncStream[int], items: list[int], ended: anyio.Event) -> None:
            async for item in stream:
                items.append(item)  # noqa: PERF401  # one by one, whatever comes
            ended.set()

        async def main() -> None:
            async with http.AsyncClient() as client:
                for number in range(20):
                    items: list[int] = []
                    ended = anyio.Event()
                    async with (
                        client.stream("GET", script.base) as response,
                        anyio.create_task_group() as tasks,
                    ):
                        stream = AsyncStream[int](response)
                        tasks.start_soon(read, stream, items, ended)
                        await anyio.sleep(number / 1000)
                        await stream.aclose()
                        await ended.wait()
                        await stream.aclose()
                    assert items == ITEMS[: len(items)]

        anyio.run(main, backend=backend)

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_from_another_task_leaves_no_connection_and_no_task_under_load(
        self, backend: str, script: ScriptServer, http: ModuleType
    ) -> None:
        random_ = random.Random(7)
        # After fewer requests, httpcore itself may keep a place in the pool for one that was cancelled.
        script.replies = [random_.choice([ENDLESS, COMPLETE]) for _ in range(300)]

        async def read(client: Any, number: int) -> None:
            items: list[int] = []
            delay = random_.random() / 20
            async with anyio.create_task_group() as tasks:
                with anyio.move_on_after(delay if number % 3 == 1 else None):
                    async with (
                        client.stream("GET", script.base) as response,
                        AsyncStream[int](response) as stream,
                    ):
                        if number % 3 == 2:
                            tasks.start_soon(close, stream, delay)
                        elif number % 3 == 0:
                            tasks.cancel_scope.deadline = anyio.current_time() + delay
                        async for item in stream:
                            items.append(item)
                            if number % 10 == 0:
                                break
            assert items == ITEMS[: len(items)]

        async def close(stream: AsyncStream[int], delay: float) -> None:
            await anyio.sleep(delay)
            await stream.aclose()

        async def main() -> None:
            async with http.AsyncClient(limits=http.Limits(max_connections=50), timeout=None) as client:
                async with anyio.create_task_group() as tasks:
                    for number in range(300):
                        tasks.start_soon(read, client, number)
                if backend == "asyncio":
                    assert asyncio.all_tasks() == {asyncio.current_task()}
                # As many connections can be had as at first.
                script.replies = [ENDLESS] * 50
                responses: list[Any] = []

                async def connect() -> None:
                    responses.append(await client.send(client.build_request("GET", script.base), stream=True))

                async with anyio.create_task_group() as tasks:
                    for _ in range(50):
                        tasks.start_soon(connect)
                for response in responses:
                    await response.aclose()

        anyio.run(main, backend=backend)
