# ruff: noqa: F811
"""Responses of niquests over HTTP/2: a connection may serve many of them at the same time."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import niquests
import pytest

import ssejet
from h2_server import h2_server  # noqa: F401  # a fixture
from servers import A_LONG_TIME, Then
from ssejet import APIConnectionError, APIStatusError, APITimeoutError, AsyncStream, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from h2_server import H2Server
    from servers import Answer

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]

EVENTS = [b"data: %d\n\n" % number for number in range(5)]
LIMITS = {"idle_timeout": "idle", "data_timeout": "data", "timeout": "total"}


def configured(client: Any) -> Any:
    client.verify = client.trust_env = False
    return client


@pytest.fixture
def client() -> Iterator[niquests.Session]:
    with configured(niquests.Session()) as session:
        yield session


@pytest.fixture
async def async_client() -> AsyncIterator[niquests.AsyncSession]:
    async with configured(niquests.AsyncSession()) as session:
        yield session


@pytest.fixture
def gates() -> list[threading.Event]:
    """Each lets the server send one more event."""
    return [threading.Event() for _ in EVENTS]


def gated(server: H2Server, gates: list[threading.Event]) -> Answer:
    return server.answer(*[step for pair in zip(gates, EVENTS, strict=True) for step in pair])


class TestASynchronousResponse:
    def test_a_synchronous_response_gives_each_event_as_soon_as_it_arrives(
        self, client: niquests.Session, h2_server: H2Server, gates: list[threading.Event]
    ) -> None:
        gates[0].set()
        response = client.get(gated(h2_server, gates).url, stream=True)
        assert response.http_version == 20
        items = []
        for item, gate in zip(Stream(response), [*gates[1:], threading.Event()], strict=True):
            items.append(item)
            gate.set()
        assert items == [0, 1, 2, 3, 4]
        assert response.raw.closed

    @pytest.mark.parametrize("limit", LIMITS)
    def test_a_synchronous_response_is_read_within_the_timeouts(
        self, client: niquests.Session, h2_server: H2Server, limit: str
    ) -> None:
        stream: Stream[Any] = Stream(
            client.get(h2_server.answer(EVENTS[0], Then.HANG).url, stream=True), **{limit: 1}
        )
        assert next(stream) == 0
        with pytest.raises(APITimeoutError) as caught:
            next(stream)
        assert caught.value.kind == LIMITS[limit]

    def test_a_synchronous_response_has_the_read_timeout_of_its_request(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(EVENTS[0], Then.HANG)
        with Stream(client.get(answer.url, stream=True), idle_timeout=A_LONG_TIME) as stream:
            assert next(stream) == 0
        response = client.get(answer.url, stream=True, timeout=1)
        with pytest.raises(APITimeoutError, match="the client's read timeout"):
            list(Stream(response))

    def test_a_synchronous_response_with_an_error_status_is_told(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(b'{"error": {"message": "no key"}}', status=401)
        with pytest.raises(APIStatusError, match="HTTP status 401: no key") as caught:
            list(Stream(client.get(answer.url, stream=True)))
        assert caught.value.request.url == answer.url

    def test_a_synchronous_response_that_breaks_gives_its_items_first(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        stream: Stream[Any] = Stream(client.get(h2_server.answer(EVENTS[0], Then.DROP).url, stream=True))
        assert next(stream) == 0
        with pytest.raises(APIConnectionError):
            next(stream)

    def test_a_synchronous_response_can_be_closed_by_another_thread(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(EVENTS[0], Then.HANG)
        response = client.get(answer.url, stream=True)
        stream: Stream[Any] = Stream(response)
        assert next(stream) == 0
        items: list[Any] = []
        thread = threading.Thread(target=lambda: items.extend(stream))
        thread.start()
        thread.join(0.1)
        stream.close()
        thread.join(A_LONG_TIME)
        assert not thread.is_alive()
        assert items == []
        assert response.raw.closed
        assert answer.left.wait(A_LONG_TIME)
        assert list(Stream(client.get(h2_server.answer(*EVENTS).url, stream=True))) == [0, 1, 2, 3, 4]

    def test_a_synchronous_response_gives_its_connection_back(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        whole, endless = h2_server.answer(*EVENTS), h2_server.answer(EVENTS[0], Then.HANG)
        for _ in range(3):
            assert list(Stream(client.get(whole.url, stream=True))) == [0, 1, 2, 3, 4]
            with Stream(client.get(endless.url, stream=True)) as stream:
                assert next(stream) == 0
            assert endless.left.wait(A_LONG_TIME)
            endless.left.clear()
        assert len(whole.connections | endless.connections) == 1

    def test_a_synchronous_response_of_a_subscription_is_opened_again(
        self, client: niquests.Session, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(b"retry: 1\nid: 7\n", EVENTS[0])
        with ssejet.subscribe(answer.url, client=client) as events:
            assert [next(events).data for _ in range(3)] == ["0", "0", "0"]
        assert [request.get("last-event-id") for request in answer.requests[:2]] == [None, "7"]


class TestResponsesOfOneConnection:
    """A session that multiplexes sends many requests by one connection, before it reads an answer."""

    @pytest.fixture
    def multiplexed(self) -> Iterator[niquests.Session]:
        with configured(niquests.Session(multiplexed=True)) as session:
            yield session

    def test_responses_of_one_connection_are_read_one_after_the_other(
        self, multiplexed: niquests.Session, h2_server: H2Server
    ) -> None:
        answers = [h2_server.answer(*EVENTS) for _ in range(3)]
        responses = [multiplexed.get(answer.url, stream=True) for answer in answers]
        for response in reversed(responses):
            assert list(Stream(response, timeout=A_LONG_TIME)) == [0, 1, 2, 3, 4]
        assert len(set.union(*(answer.connections for answer in answers))) == 1

    def test_responses_of_one_connection_do_not_end_with_one_that_is_closed(
        self, multiplexed: niquests.Session, h2_server: H2Server, gates: list[threading.Event]
    ) -> None:
        waking = threading.Event()
        urls = h2_server.answer(EVENTS[0], waking, EVENTS[1], Then.HANG).url, gated(h2_server, gates).url
        first, second = (multiplexed.get(url, stream=True) for url in urls)
        closed: Stream[Any] = Stream(first, idle_timeout=A_LONG_TIME)
        gates[0].set()
        read: Stream[Any] = Stream(second)
        assert (next(closed), next(read)) == (0, 0)
        items: list[Any] = []
        reading = threading.Thread(target=lambda: items.extend(closed))
        reading.start()
        reading.join(0.1)
        closing = threading.Thread(target=closed.close)
        closing.start()
        closing.join(0.1)
        waking.set()  # the thread that reads wakes up only now, as the connection has another response
        reading.join(A_LONG_TIME)
        closing.join(A_LONG_TIME)
        assert not reading.is_alive()
        assert items == []
        for gate in gates:
            gate.set()
        assert list(read) == [1, 2, 3, 4]

    def test_responses_of_one_connection_keep_the_timeouts_of_their_requests(
        self, multiplexed: niquests.Session, h2_server: H2Server
    ) -> None:
        limited = h2_server.answer(EVENTS[0], Then.HANG)
        late = h2_server.answer(EVENTS[0], 1.5, EVENTS[1])
        closed: Stream[Any] = Stream(multiplexed.get(limited.url, stream=True, timeout=1), idle_timeout=0.9)
        assert next(closed) == 0
        read: Stream[Any] = Stream(multiplexed.get(late.url, stream=True, timeout=A_LONG_TIME))
        closed.close()
        assert list(read) == [0, 1]
        assert limited.connections == late.connections


class TestAnAsynchronousResponse:
    async def test_an_asynchronous_response_gives_each_event_as_soon_as_it_arrives(
        self, async_client: niquests.AsyncSession, h2_server: H2Server, gates: list[threading.Event]
    ) -> None:
        gates[0].set()
        response = await async_client.get(gated(h2_server, gates).url, stream=True)
        assert response.http_version == 20
        items = []
        async for item in AsyncStream(response):
            items.append(item)
            gates[min(len(items), len(gates) - 1)].set()
        assert items == [0, 1, 2, 3, 4]
        assert response.raw.closed

    @pytest.mark.parametrize("limit", LIMITS)
    async def test_an_asynchronous_response_is_read_within_the_timeouts(
        self, async_client: niquests.AsyncSession, h2_server: H2Server, limit: str
    ) -> None:
        response = await async_client.get(h2_server.answer(EVENTS[0], Then.HANG).url, stream=True)
        stream: AsyncStream[Any] = AsyncStream(response, **{limit: 1})
        assert await anext(stream) == 0
        with pytest.raises(APITimeoutError) as caught:
            await anext(stream)
        assert caught.value.kind == LIMITS[limit]

    async def test_an_asynchronous_response_with_an_error_status_is_told(
        self, async_client: niquests.AsyncSession, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(b'{"error": {"message": "no key"}}', status=401)
        response = await async_client.get(answer.url, stream=True)
        with pytest.raises(APIStatusError, match="HTTP status 401: no key"):
            await anext(AsyncStream(response))

    async def test_an_asynchronous_response_that_breaks_gives_its_items_first(
        self, async_client: niquests.AsyncSession, h2_server: H2Server
    ) -> None:
        response = await async_client.get(h2_server.answer(EVENTS[0], Then.DROP).url, stream=True)
        stream: AsyncStream[Any] = AsyncStream(response)
        assert await anext(stream) == 0
        with pytest.raises(APIConnectionError):
            await anext(stream)

    async def test_an_asynchronous_response_can_be_closed_by_another_task(
        self, async_client: niquests.AsyncSession, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(EVENTS[0], Then.HANG)
        stream: AsyncStream[Any] = AsyncStream(await async_client.get(answer.url, stream=True))
        assert await anext(stream) == 0
        reader = asyncio.create_task(anext(stream, "the end"))
        await asyncio.sleep(0.05)
        await stream.aclose()
        assert await reader == "the end"
        assert await asyncio.to_thread(answer.left.wait, A_LONG_TIME)

    async def test_an_asynchronous_response_gives_its_connection_back(
        self, async_client: niquests.AsyncSession, h2_server: H2Server
    ) -> None:
        answer = h2_server.answer(*EVENTS)
        for _ in range(3):
            response = await async_client.get(answer.url, stream=True)
            assert [item async for item in AsyncStream(response)] == [0, 1, 2, 3, 4]
        assert len(answer.connections) == 1
