from __future__ import annotations

import asyncio
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from accounts import DONE, TEXT, Account, chunk
from users import KEY, MESSAGES, USERS, AsyncUser, SyncUser

from raw_server import ScriptServer
from servers import Then
from ssejet import AsyncClient, Client
from ssejet.errors import APIStatusError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    User = SyncUser | AsyncUser

pytestmark = pytest.mark.slow

SYNC_USERS = [user for user in USERS if isinstance(user, SyncUser)]
ASYNC_USERS = [user for user in USERS if isinstance(user, AsyncUser)]
ASK: dict[str, Any] = {"model": "m", "messages": MESSAGES}

LIBRARIES = [httpx, httpx2]
BACKENDS = ["asyncio", "trio"]


@pytest.fixture(params=LIBRARIES, ids=lambda library: library.__name__)
def library(request: pytest.FixtureRequest) -> Any:
    return request.param


@pytest.fixture(params=BACKENDS)
def backend(request: pytest.FixtureRequest) -> str:
    return request.param


def connections_of(client: Any) -> list[Any]:
    """The connections in the pool of a client's HTTP library."""
    return client._http._transport._pool.connections


def broken_body(library: Any) -> Any:
    """A body that raises an error which no HTTP library knows."""

    class Body(library.SyncByteStream, library.AsyncByteStream):  # type: ignore[misc]
        closed = 0

        def __iter__(self) -> Iterator[bytes]:
            yield b"{"
            raise ZeroDivisionError

        async def __aiter__(self) -> AsyncIterator[bytes]:
            for piece in self:
                yield piece

        def close(self) -> None:
            self.closed += 1

        async def aclose(self) -> None:
            self.closed += 1

    return Body()


class TestConnectionsAreUsedAgain:
    def test_connections_are_used_again_after_whole_answers_and_streams(
        self, account: Account, library: Any
    ) -> None:
        with SyncUser(library).client(account) as client:
            client.chat.completions.create(**ASK)
            with client.chat.completions.create(**ASK, stream=True) as stream:
                list(stream)
            with client.chat.completions.stream(**ASK) as events:
                events.until_done()
            list(client.responses.create(model="m", input="Hi!", stream=True))
            client.chat.completions.create(**ASK)
        assert len(account.requests) == 5
        assert len(account.connections) == 1

    def test_connections_are_used_again_after_whole_answers_and_streams_of_an_async_client(
        self, account: Account, library: Any, backend: str
    ) -> None:
        async def main() -> None:
            async with AsyncUser(library, backend).client(account) as client:
                await client.chat.completions.create(**ASK)
                async with await client.chat.completions.create(**ASK, stream=True) as stream:
                    [chunk async for chunk in stream]
                async with client.chat.completions.stream(**ASK) as events:
                    await events.until_done()
                await client.chat.completions.create(**ASK)

        anyio.run(main, backend=backend)
        assert len(account.requests) == 4
        assert len(account.connections) == 1

    def test_connections_are_used_again_after_refusals(
        self, account: Account, library: Any, waits: list[float]
    ) -> None:
        for _ in range(3):
            account.refuse(500)
        with SyncUser(library).client(account, max_retries=3) as client:
            list(client.chat.completions.create(**ASK, stream=True))
        assert len(account.requests) == 4
        assert len(account.connections) == 1

    def test_connections_are_used_again_unless_a_stream_is_closed_before_its_end(
        self, account: Account, library: Any
    ) -> None:
        answer = account.reply(chunk(content="a"), Then.HANG)
        with SyncUser(library).client(account) as client:
            with client.chat.completions.create(**ASK, stream=True) as stream:
                next(stream)
            assert answer.left.wait(60)
            assert connections_of(client) == []
            client.chat.completions.create(**ASK)
        assert len(account.connections) == 2

    def test_connections_are_used_again_unless_a_stream_of_events_is_closed_before_its_end(
        self, account: Account, library: Any, backend: str
    ) -> None:
        answer = account.reply(chunk(content="a"), Then.HANG)

        async def main() -> None:
            async with AsyncUser(library, backend).client(account) as client:
                async with client.chat.completions.stream(**ASK) as stream:
                    await anext(stream)
                assert connections_of(client) == []

        anyio.run(main, backend=backend)
        assert answer.left.wait(60)

    @pytest.mark.parametrize("stream", [False, True])
    def test_connections_are_used_again_or_closed_after_a_failure(
        self, account: Account, library: Any, stream: bool
    ) -> None:
        with SyncUser(library).client(account, max_retries=0) as client:
            for reply in (
                partial(account.reply, b"{", Then.DROP, content_type="application/json"),
                partial(account.reply, Then.HANG),
                partial(account.reply, b"<html>", content_type="text/html"),
                partial(account.refuse, 404),
            ):
                reply()
                with pytest.raises(Exception, match=r"\w"):
                    client.chat.completions.create(**ASK, stream=stream, idle_timeout=0.05)
                assert all(connection.is_idle() for connection in connections_of(client))

    def test_connections_are_used_again_or_closed_after_any_error_of_a_transport(
        self, library: Any, backend: str
    ) -> None:
        body = broken_body(library)
        transport = library.MockTransport(lambda _: library.Response(200, stream=body))
        with library.Client(transport=transport) as http, pytest.raises(ZeroDivisionError):
            Client(http_client=http, api_key=KEY).chat.completions.create(**ASK)
        assert body.closed == 1

        async def main() -> None:
            async with library.AsyncClient(transport=transport) as http:
                await AsyncClient(http_client=http, api_key=KEY).chat.completions.create(**ASK)

        with pytest.raises(ZeroDivisionError):
            anyio.run(main, backend=backend)
        assert body.closed == 2


class TestManyAtOnce:
    COUNT = 100

    def test_many_tasks_at_once_can_use_one_async_client(
        self, account: Account, library: Any, backend: str
    ) -> None:
        everyone = threading.Event()
        for _ in range(self.COUNT):
            account.reply(chunk(content="Hel"), everyone, chunk(content="lo"), chunk("stop"), DONE)
        begun: list[None] = []
        answers: list[str] = []

        async def ask(client: AsyncClient) -> None:
            async with client.chat.completions.stream(**ASK) as stream:
                texts = stream.text_deltas()
                first = await anext(texts)
                begun.append(None)
                if len(begun) == self.COUNT:
                    everyone.set()
                answers.append(first + "".join([text async for text in texts]))

        async def main() -> None:
            options = {"api_key": KEY, "base_url": account.url}
            limits = library.Limits(max_connections=None)
            async with (
                library.AsyncClient(limits=limits) as http,
                AsyncClient(http_client=http, **options) as client,
            ):
                async with anyio.create_task_group() as group:
                    for _ in range(self.COUNT):
                        group.start_soon(ask, client)
                assert all(connection.is_idle() for connection in connections_of(client))

        anyio.run(main, backend=backend)
        assert answers == ["Hello"] * self.COUNT
        assert len(account.connections) == self.COUNT

    def test_many_threads_at_once_can_use_a_client_that_makes_its_http_client(self, account: Account) -> None:
        count = 20
        everyone = threading.Barrier(count)

        def ask(_: int) -> str:
            with client.chat.completions.stream(**ASK) as stream:
                texts = stream.text_deltas()
                first = next(texts)
                everyone.wait(60)
                return first + "".join(texts)

        with Client(api_key=KEY, base_url=account.url) as client, ThreadPoolExecutor(count) as pool:
            assert set(pool.map(ask, range(count))) == {TEXT}

    def test_many_calls_at_once_can_end_differently(
        self, account: Account, library: Any, backend: str
    ) -> None:
        for _ in range(5):
            account.refuse(404)
            account.reply(chunk(content="a"), Then.DROP)
            account.reply(chunk(content="a"), DONE)
        fates: list[str] = []

        async def ask(client: AsyncClient) -> None:
            try:
                async with await client.chat.completions.create(**ASK, stream=True) as stream:
                    fates.append(str(len([item async for item in stream])))
            except Exception as error:
                fates.append(type(error).__name__)

        async def main() -> None:
            async with AsyncUser(library, backend).client(account) as client:
                async with anyio.create_task_group() as group:
                    for _ in range(15):
                        group.start_soon(ask, client)
                assert all(connection.is_idle() for connection in connections_of(client))

        anyio.run(main, backend=backend)
        assert sorted(fates) == ["1"] * 5 + ["APIConnectionError"] * 5 + ["APIStatusError"] * 5


class TestCancellation:
    @pytest.mark.parametrize("stream", [False, True])
    def test_cancellation_while_an_answer_is_awaited_closes_the_connection(
        self, account: Account, library: Any, backend: str, stream: bool
    ) -> None:
        answer = account.reply(Then.HANG, content_type="application/json")

        async def main() -> None:
            async with AsyncUser(library, backend).client(account) as client:
                async with anyio.create_task_group() as group:
                    group.start_soon(partial(client.chat.completions.create, **ASK, stream=stream))
                    await anyio.to_thread.run_sync(account.asked.wait, 60)
                    group.cancel_scope.cancel()
                assert connections_of(client) == []

        anyio.run(main, backend=backend)
        assert answer.left.wait(60)

    def test_cancellation_between_two_attempts_sends_no_more(
        self, account: Account, library: Any, backend: str, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        account.refuse(429, retry_after="50")
        pauses: list[float] = []

        async def main() -> None:
            async def sleep(seconds: float) -> None:
                pauses.append(seconds)
                group.cancel_scope.cancel()
                await anyio.sleep_forever()

            monkeypatch.setattr("anyio.sleep", sleep)
            async with (
                AsyncUser(library, backend).client(account) as client,
                anyio.create_task_group() as group,
            ):
                group.start_soon(partial(client.chat.completions.create, **ASK))

        anyio.run(main, backend=backend)
        assert pauses == [50.0]
        assert len(account.requests) == 1

    def test_cancellation_while_the_body_is_read_closes_the_connection(
        self, account: Account, library: Any, backend: str
    ) -> None:
        answer = account.reply(b'{"choices": ', Then.HANG, content_type="application/json")

        async def main() -> None:
            async with AsyncUser(library, backend).client(account) as client:
                async with anyio.create_task_group() as group:
                    group.start_soon(partial(client.chat.completions.create, **ASK))
                    while not answer.requests:  # noqa: ASYNC110 (a thread of the server adds to it)
                        await anyio.sleep(0.001)
                    await anyio.sleep(0.1)
                    group.cancel_scope.cancel()
                assert connections_of(client) == []

        anyio.run(main, backend=backend)
        assert answer.left.wait(60)

    @pytest.mark.skipif(
        sys.version_info < (3, 11), reason="httpx misses a cancellation that comes as it has connected"
    )
    def test_cancellation_at_any_moment_leaves_no_connection_open(self, library: Any) -> None:
        async def main(server: ScriptServer) -> None:
            async with AsyncUser(library, "asyncio").client(Account(f"{server.base}v1")) as client:
                for turns in range(40):
                    task = asyncio.create_task(client.chat.completions.create(**ASK, stream=True))
                    for _ in range(turns):
                        await asyncio.sleep(0)
                    task.cancel()
                    with pytest.raises(asyncio.CancelledError):
                        await task
                # This request comes last: when the server has it, it has all of them.
                task = asyncio.create_task(client.responses.create(model="m", input="last"))
                await asyncio.to_thread(
                    server.wait_until, lambda: b"last" in b"".join(each.body for _, each in server.requests)
                )
                task.cancel()
                with pytest.raises(asyncio.CancelledError):
                    await task
                await asyncio.to_thread(server.wait_until, lambda: server.connections == 0)

        with ScriptServer() as server:
            anyio.run(main, server)


class TestHTTPClients:
    def test_http_clients_that_are_given_stay_open(self, account: Account, library: Any) -> None:
        with library.Client() as http:
            with Client(http_client=http, api_key=KEY, base_url=account.url) as client:
                client.chat.completions.create(**ASK)
            assert not http.is_closed

    def test_http_clients_that_a_client_makes_are_closed(self, account: Account) -> None:
        with Client(api_key=KEY, base_url=account.url) as client:
            client.chat.completions.create(**ASK)
        assert client._http.is_closed
        client.close()

    def test_http_clients_that_an_async_client_makes_are_closed(self, account: Account, backend: str) -> None:
        async def main() -> None:
            async with AsyncClient(api_key=KEY, base_url=account.url) as client:
                await client.chat.completions.create(**ASK)
            assert client._http.is_closed
            await client.close()

        anyio.run(main, backend=backend)

    def test_http_clients_of_the_other_kind_are_refused(self, library: Any) -> None:
        with pytest.raises(TypeError, match="Client needs the Client of httpx or httpx2"):
            Client(http_client=library.AsyncClient(), api_key=KEY)
        for other in (library.Client, "http://127.0.0.1", object()):
            with pytest.raises(TypeError, match="Client needs the Client of httpx or httpx2"):
                Client(http_client=other, api_key=KEY)
        with library.Client() as http, pytest.raises(TypeError, match="needs the AsyncClient"):
            AsyncClient(http_client=http, api_key=KEY)

    def test_http_clients_may_be_those_of_openai(self, account: Account) -> None:
        from openai import DefaultHttpxClient

        with DefaultHttpxClient() as http, Client(http_client=http, base_url=account.url) as client:
            assert client.chat.completions.create(**ASK).choices[0].message.content == TEXT

    def test_http_clients_may_have_hooks_that_see_the_retries(
        self, account: Account, waits: list[float]
    ) -> None:
        account.refuse(500)
        statuses: list[int] = []
        hooks = {"response": [lambda response: statuses.append(response.status_code)]}
        with (
            httpx.Client(event_hooks=hooks) as http,
            Client(http_client=http, base_url=account.url) as client,
        ):
            client.chat.completions.create(**ASK)
        assert statuses == [500, 200]

    def test_http_clients_are_not_imported_before_they_are_made(self) -> None:
        program = "import sys, ssejet.client; print({'httpx', 'httpx2', 'openai'} & sys.modules.keys())"
        command = [sys.executable, "-W", "error", "-c", program]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == "set()\n"

    PROGRAM = """if True:
        import sys
        for name in {missing!r}:
            sys.modules[name] = None
        from ssejet import Client, AsyncClient
        try:
            with Client(api_key="k" * 9, base_url={url!r}) as client:
                answer = client.chat.completions.create(model="m", messages=[])
        except ImportError as error:
            print(error)
        else:
            print(type(client._http).__module__, answer.choices[0].message.content)
    """

    @pytest.mark.parametrize(
        ("missing", "expected"),
        [
            ((), f"httpx {TEXT}\n"),
            (("httpx",), f"httpx2 {TEXT}\n"),
            (
                ("httpx", "httpx2"),
                "there is no HTTP library to connect with: pip install httpx, or pip install httpx2\n",
            ),
        ],
    )
    def test_http_clients_are_made_by_the_library_that_is_installed(
        self, account: Account, missing: tuple[str, ...], expected: str
    ) -> None:
        program = self.PROGRAM.format(missing=missing, url=account.url)
        command = [sys.executable, "-W", "error", "-c", program]
        assert subprocess.run(command, check=True, capture_output=True, text=True).stdout == expected


def test_a_closed_client_sends_no_request(account: Account) -> None:
    client = Client(api_key=KEY, base_url=account.url)
    client.close()
    with pytest.raises(RuntimeError, match="closed"):
        client.chat.completions.create(**ASK)


def test_redirects_are_followed(account: Account, library: Any) -> None:
    account.reply(status=307, headers={"location": f"{account.url}/responses"})
    with SyncUser(library).client(account) as client:
        assert client.responses.create(model="m", input="Hi!").status == "completed"


def test_endless_redirects_are_an_error(account: Account, library: Any) -> None:
    for _ in range(40):
        account.reply(status=307, headers={"location": f"{account.url}/chat/completions"})
    with SyncUser(library).client(account, max_retries=0) as client:
        with pytest.raises(Exception, match="redirect") as caught:
            client.chat.completions.create(**ASK)
        assert not isinstance(caught.value, APIStatusError)
