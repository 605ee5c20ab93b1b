# ruff: noqa: SIM117, PERF203, ASYNC110, PT012, PT031, B023
"""What is special about the responses of each HTTP library, on real connections."""

from __future__ import annotations

import asyncio
import copy
import gc
import http.client
import pickle
import sys
import threading
import urllib.request
import warnings
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

import aiohttp
import anyio
import niquests
import pytest
import requests
import urllib3

import ssejet
import ssejet.emit
from drivers import AsyncDriver, SyncDriver
from exact_server import CHUNKED, ExactServer
from exact_server import Then as Wait
from framed_server import FramedServer, Framing
from http_libraries import (
    Aiohttp,
    Niquests,
    Requests,
    Urllib3,
    aopened,
    is_closed,
    opened,
    sockets_closed,
    status_of,
)
from raw_server import chunk
from servers import A_LONG_TIME, Then
from ssejet import APIConnectionError, APIStatusError, APITimeoutError, AsyncStream, Stream
from ssejet._http import sockets
from ssejet._http.adapters import socket_reads
from ssejet._http.adapters.http_client import HTTPClientAdapter
from ssejet._http.deadlines import Deadlines

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable, Iterator

    from servers import Server

    Driver = SyncDriver | AsyncDriver

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore:Unverified HTTPS request")]

EVENTS = [b"data: %d\n\n" % number for number in range(5)]


class HTTPClient:
    """Reads with ``http.client``, for the tests of the other libraries."""

    @staticmethod
    @contextmanager
    def open(url: str) -> Iterator[Any]:
        import ssl

        insecure = ssl.create_default_context()
        insecure.check_hostname, insecure.verify_mode = False, ssl.CERT_NONE
        with urllib.request.urlopen(url, context=insecure) as response:
            yield response


def path_of(url: str) -> str:
    return "/" + url.rpartition("/")[2]


@contextmanager
def closing_client(library: Any) -> Iterator[Any]:
    client = library.Client()
    try:
        yield client
    finally:
        client.clear() if library is Urllib3 else client.close()


OTHERS = {
    "requests": SyncDriver(Requests),
    "urllib3": SyncDriver(Urllib3),
    "niquests": SyncDriver(Niquests),
    "http.client": None,
    "niquests-asyncio": AsyncDriver(Niquests, "asyncio"),
    "aiohttp": AsyncDriver(Aiohttp, "asyncio"),
}


def read_each(
    driver: Driver | None,
    url: str,
    on_item: Callable[[], None] = lambda: None,
    *,
    read: Any = Stream,
    aread: Any = AsyncStream,
    **options: Any,
) -> list[Any]:
    """Read a response in one of the ways that ssejet has, and call a function after each item."""
    items = []
    if driver is None:
        with HTTPClient.open(url) as response:
            for item in read(response, **options):
                items.append(item)
                on_item()
        return items
    if isinstance(driver, SyncDriver):
        with driver.http.Client(verify=False) as client, opened(client, url) as response:
            for item in read(response, **options):
                items.append(item)
                on_item()
        return items

    async def main() -> None:
        async with driver.http.AsyncClient(verify=False) as client, aopened(client, url) as response:
            async for item in aread(response, **options):
                items.append(item)
                on_item()
        if driver.http is Aiohttp:
            await sockets_closed()

    anyio.run(main)
    return items


@pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
class TestAnEvent:
    @pytest.mark.parametrize("secure", [False, True], ids=["plain", "tls"])
    @pytest.mark.parametrize("framing", Framing, ids=lambda framing: framing.name)
    @pytest.mark.parametrize("encoding", [None, "gzip", "deflate"])
    def test_an_event_arrives_as_soon_as_its_bytes_do(
        self, driver: Any, encoding: str | None, framing: Framing, secure: bool, tls: ssl.SSLContext
    ) -> None:
        if driver is None and encoding is not None:
            pytest.skip("http.client decodes nothing")
        with FramedServer(EVENTS, framing, encoding, tls if secure else None) as server:
            assert read_each(driver, server.base, server.confirm) == [0, 1, 2, 3, 4]

    def test_an_event_may_be_20_megabytes_long(self, driver: Any, server: Server) -> None:
        text = "x" * 20_000_000
        body = b'data: "%s"\n\n' % text.encode()
        url = server.answer(*[body[i : i + 500_000] for i in range(0, len(body), 500_000)]).url
        assert read_each(driver, url, lambda: None) == [text]

    def test_an_event_costs_the_same_for_each_byte_however_long_it_is(
        self, driver: Any, server: Server
    ) -> None:
        def calls(megabytes: int) -> int:
            pieces = [b"x" * 100_000] * (10 * megabytes)
            url = server.answer(b'data: "', *pieces, b'"\n\n').url
            count = 0

            def on_event(*_: Any) -> None:
                nonlocal count
                count += 1

            before = sys.getprofile()
            sys.setprofile(on_event)
            try:
                (item,) = read_each(driver, url, lambda: None)
            finally:
                sys.setprofile(before)
            assert len(item) == megabytes * 1_000_000
            return count

        assert calls(16) / 16 < 3 * calls(2) / 2


@pytest.mark.parametrize("limit", ["idle_timeout", "data_timeout", "timeout"])
@pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
def test_timeouts_interrupt_a_read(driver: Any, limit: str, server: Server) -> None:
    url = server.answer(EVENTS[0], Then.HANG).url
    with pytest.raises(APITimeoutError) as caught:
        read_each(driver, url, lambda: None, **{limit: 0.2})
    assert caught.value.kind == {"idle_timeout": "idle", "data_timeout": "data", "timeout": "total"}[limit]


@pytest.mark.parametrize("driver", [each for each in OTHERS.values() if not isinstance(each, AsyncDriver)])
def test_another_thread_can_close_the_stream(driver: Any, server: Server) -> None:
    url = server.answer(EVENTS[0], Then.HANG).url
    opening = HTTPClient.open(url) if driver is None else None
    with driver.http.Client() if driver is not None else warnings.catch_warnings() as client:
        with opening or opened(client, url) as response:
            stream = Stream(response)
            items: list[Any] = []
            thread = threading.Thread(target=lambda: items.extend(stream))
            thread.start()
            thread.join(0.1)
            stream.close()
            thread.join(A_LONG_TIME)
            assert not thread.is_alive()
            assert items == [0]
            assert is_closed(response)


@pytest.mark.parametrize("library", [Niquests, Aiohttp])
def test_another_task_can_close_the_stream(library: Any, server: Server) -> None:
    async def main() -> None:
        url = server.answer(EVENTS[0], Then.HANG).url
        async with library.AsyncClient() as client, aopened(client, url) as response:
            stream = AsyncStream(response)
            assert await anext(stream) == 0
            reader = asyncio.create_task(anext(stream, "the end"))
            await asyncio.sleep(0.05)
            await stream.aclose()
            assert await reader == "the end"

    anyio.run(main)


class TestACancelledRead:
    async def test_a_cancelled_read_of_aiohttp_loses_nothing(self) -> None:
        with FramedServer(EVENTS) as server:
            async with aiohttp.ClientSession() as client, client.get(server.base) as response:
                stream = AsyncStream(response)
                items: list[Any] = []
                while len(items) < len(EVENTS):
                    try:
                        items.append(await asyncio.wait_for(anext(stream), 0.02))
                    except asyncio.TimeoutError:
                        server.confirm()
                assert items == [0, 1, 2, 3, 4]
                assert [item async for item in stream] == []

    async def test_a_cancelled_read_of_niquests_is_told_by_the_next_one(self, server: Server) -> None:
        url = server.answer(EVENTS[0], Then.HANG).url
        async with niquests.AsyncSession() as client:
            response = await client.get(url, stream=True)
            stream = AsyncStream(response)
            assert await anext(stream) == 0
            with pytest.raises(asyncio.TimeoutError):
                await asyncio.wait_for(anext(stream), 0.05)
            with pytest.raises(APIConnectionError, match="an earlier read of this response was cancelled"):
                await anext(stream)


class TestAResponse:
    def test_a_response_stays_the_users_own_object(self, server: Server) -> None:
        url = server.answer(*EVENTS).url
        response = requests.get(url, stream=True)
        assert Stream(response).response is response
        assert ssejet.EventSource(response).response is response
        response.close()

    @pytest.mark.parametrize("get", [requests.get, niquests.get])
    def test_a_response_whose_body_was_read_tells_the_remedy(self, get: Any, server: Server) -> None:
        url = server.answer(*EVENTS).url
        with pytest.raises(RuntimeError, match="ask for the response with stream=True"):
            list(Stream(get(url)))
        with get(url, stream=True) as response:
            assert list(Stream(response)) == [0, 1, 2, 3, 4]
            with pytest.raises(RuntimeError, match="read it only once"):
                list(Stream(response))
            with pytest.raises(RuntimeError, match="consumed"):
                _ = response.content

    def test_a_response_of_urllib3_whose_body_was_read_tells_the_remedy(self, server: Server) -> None:
        with urllib3.PoolManager() as client:
            with pytest.raises(RuntimeError, match="preload_content=False"):
                list(Stream(client.request("GET", server.answer(*EVENTS).url)))

    @pytest.mark.parametrize("get", [requests.get, niquests.get])
    def test_a_response_counts_what_was_read(self, get: Any, server: Server) -> None:
        with get(server.answer(*EVENTS).url, stream=True) as response:
            assert list(Stream(response)) == [0, 1, 2, 3, 4]
            assert response.raw.tell() == sum(map(len, EVENTS))

    def test_a_response_of_http_client_that_was_read_tells_it(self, server: Server) -> None:
        with HTTPClient.open(server.answer(*EVENTS).url) as response:
            response.read()
            with pytest.raises(RuntimeError, match="before anything reads it"):
                list(Stream(response))

    async def test_a_response_of_aiohttp_that_was_read_or_closed_tells_it(self, server: Server) -> None:
        whole, endless = server.answer(*EVENTS).url, server.answer(EVENTS[0], Then.HANG).url
        async with aiohttp.ClientSession() as client:
            was_read, was_closed = await client.get(whole), await client.get(endless)
            await was_read.read()
            was_closed.close()
            for response in (was_read, was_closed):
                with pytest.raises(RuntimeError, match="only through ssejet"):
                    await anext(AsyncStream(response))

    def test_a_response_with_an_error_status_is_told_even_if_it_was_read(self, server: Server) -> None:
        url = server.answer(b'{"error": {"message": "no key"}}', status=401).url
        for response in (requests.get(url), niquests.get(url), requests.get(url, stream=True)):
            with pytest.raises(APIStatusError, match="HTTP status 401: no key") as caught:
                list(Stream(response))
            assert caught.value.response is response
            assert caught.value.request is response.request

    @pytest.mark.parametrize("library", [Requests, Urllib3, Niquests, Aiohttp])
    def test_a_response_with_an_error_status_hides_the_secrets_that_it_quotes(
        self, library: Any, server: Server
    ) -> None:
        answer = server.answer(b'{"error": {"message": "no such key: sk-1234567890"}}', status=401)
        options: dict[str, Any] = {"headers": {"authorization": "Bearer sk-1234567890"}}

        def check(caught: Any) -> None:
            assert "sk-1234567890" not in repr(caught.value.body)
            assert str(caught.value.request.url) == answer.url

        async def main() -> None:
            async with library.AsyncClient() as client:
                for opening in (
                    ssejet.aconnect_sse(client, "GET", answer.url, **options),
                    ssejet.asubscribe(answer.url, client=client, **options),
                ):
                    with pytest.raises(ssejet.APIError, match=r"no such key: \*\*\*") as caught:
                        async with opening as events:
                            await anext(aiter(events))
                    check(caught)

        if library is Aiohttp:
            anyio.run(main)
            return
        with closing_client(library) as client:
            for opening in (
                ssejet.connect_sse(client, "GET", answer.url, **options),
                ssejet.subscribe(answer.url, client=client, **options),
            ):
                with pytest.raises(ssejet.APIError, match=r"no such key: \*\*\*") as caught:
                    with opening as events:
                        next(iter(events))
                check(caught)

    def test_a_response_without_a_body_is_an_empty_stream(self, server: Server) -> None:
        with FramedServer([b""], Framing.LENGTH) as framed:
            for driver in OTHERS.values():
                assert read_each(driver, framed.base, lambda: None) == []

    def test_a_response_of_the_wrong_kind_is_refused(self, server: Server) -> None:
        url = server.answer(*EVENTS).url
        with requests.get(url) as response:
            with pytest.raises(
                TypeError, match="AsyncStream needs an asynchronous response, and the Response of req"
            ):
                AsyncStream(response)
            with pytest.raises(TypeError, match="iterate over this response with `for`"):
                aiter(ssejet.EventSource(response))

        async def main() -> None:
            async with aiohttp.ClientSession() as client:
                asking = client.get(url)
                with pytest.raises(TypeError, match="has to be awaited first"):
                    AsyncStream(asking)
                async with asking as response:
                    with pytest.raises(
                        TypeError, match="the ClientResponse of aiohttp is an asynchronous one"
                    ):
                        Stream(response)
                    with pytest.raises(TypeError, match="is an asynchronous one"):
                        ssejet.emit.relay(response)

        anyio.run(main)

    def test_a_response_ends_as_a_broken_one_if_http_client_gets_too_little(self, server: Server) -> None:
        url = server.answer(EVENTS[0], Then.DROP, content_length="100").url
        with HTTPClient.open(url) as response, pytest.raises(APIConnectionError) as caught:
            list(Stream(response))
        assert isinstance(caught.value.__cause__, http.client.IncompleteRead)

    @pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
    def test_broken_framing_is_told_although_it_comes_after_a_read(self, driver: Any) -> None:
        with ExactServer() as server:
            url = server.answer(CHUNKED, chunk(EVENTS[0]), Wait.WAIT, b"no size\r\n", Wait.HANG)
            with pytest.raises(APIConnectionError) as caught:
                read_each(driver, url, server.go_on, idle_timeout=A_LONG_TIME)
            assert not isinstance(caught.value, APITimeoutError)

    async def test_a_response_of_aiohttp_tells_of_framing_that_broke_before_it_was_read(self) -> None:
        with ExactServer() as server:
            url = server.answer(CHUNKED, chunk(EVENTS[0]), Wait.WAIT, b"no size\r\n", Wait.HANG)
            async with aiohttp.ClientSession() as client, client.get(url) as response:
                server.go_on()
                while response.connection.protocol.exception() is None:
                    await asyncio.sleep(0.001)
                stream = AsyncStream(response, idle_timeout=A_LONG_TIME)
                assert await anext(stream) == 0
                with pytest.raises(APIConnectionError, match="the connection broke: the body is broken"):
                    await anext(stream)

    async def test_a_connection_of_aiohttp_serves_more_requests_after_each_whole_body(self) -> None:
        with ExactServer() as server:
            whole = server.answer(CHUNKED, chunk(EVENTS[0]), Wait.WAIT, chunk(b""))
            broken = server.answer(CHUNKED, chunk(EVENTS[0]), Wait.WAIT, b"no size\r\n", Wait.HANG)
            async with aiohttp.ClientSession() as client:
                for _ in range(2):
                    async with client.get(whole) as response:
                        protocol = response.connection.protocol
                        stream = AsyncStream(response)
                        assert await anext(stream) == 0
                        server.go_on()
                        assert [item async for item in stream] == []
                        assert "set_exception" not in vars(protocol)
                async with client.get(broken) as response:
                    assert response.connection.protocol is protocol
                    stream = AsyncStream(response, idle_timeout=A_LONG_TIME)
                    assert await anext(stream) == 0
                    server.go_on()
                    with pytest.raises(APIConnectionError, match="the body is broken"):
                        await anext(stream)
                assert "set_exception" not in vars(protocol)

    async def test_a_response_of_aiohttp_has_a_total_timeout(self, server: Server) -> None:
        url = server.answer(EVENTS[0], Then.HANG).url
        timeout = aiohttp.ClientTimeout(total=0.2)
        async with aiohttp.ClientSession(timeout=timeout) as client, client.get(url) as response:
            with pytest.raises(APITimeoutError, match="a larger total timeout") as caught:
                _ = [item async for item in AsyncStream(response)]
            assert caught.value.kind == "total"

    async def test_a_response_of_aiohttp_gives_what_came_before_it_broke(self, server: Server) -> None:
        url = server.answer(*EVENTS, Then.DROP).url
        async with aiohttp.ClientSession() as client, client.get(url) as response:
            while response.content.exception() is None:
                await asyncio.sleep(0.001)
            stream = AsyncStream(response)
            assert [await anext(stream) for _ in EVENTS] == [0, 1, 2, 3, 4]
            with pytest.raises(APIConnectionError):
                await anext(stream)


class TestAConnection:
    def test_a_connection_gives_its_place_in_the_pool_back_when_it_is_closed(self, server: Server) -> None:
        answer = server.answer(EVENTS[0], Then.HANG)
        with urllib3.PoolManager(maxsize=1, block=True) as client:
            for _ in range(3):
                with Stream(
                    client.request("GET", answer.url, preload_content=False, pool_timeout=5)
                ) as stream:
                    assert next(stream) == 0
        assert len(answer.connections) == 3

    def test_a_connection_of_http_client_serves_the_next_request_only_after_a_whole_body(
        self, server: Server
    ) -> None:
        whole, endless = server.answer(EVENTS[0], b"data: [DONE]\n\n"), server.answer(EVENTS[0], Then.HANG)
        connection = http.client.HTTPConnection(server.base.removeprefix("http://"))
        for url in (whole.url, whole.url):
            connection.request("GET", path_of(url))
            assert list(Stream(connection.getresponse())) == [0]
        assert len(whole.connections) == 1
        connection.request("GET", path_of(endless.url))
        with Stream(connection.getresponse()) as stream:
            assert next(stream) == 0
        with pytest.raises((http.client.HTTPException, OSError)):
            connection.request("GET", path_of(whole.url))
            connection.getresponse()
        connection.close()

    @pytest.mark.parametrize("library", [Requests, Urllib3, Niquests])
    def test_a_connection_that_is_shut_down_after_the_body_has_ended_serves_no_other_request(
        self, library: Any, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        rest, gate = threading.Event(), threading.Event()
        ending = server.answer(EVENTS[0], rest)
        other = server.answer(EVENTS[0], gate, EVENTS[1])
        asking = {"preload_content": False} if library is Urllib3 else {"stream": True}
        others: list[Any] = []
        waits: list[bool] = []

        def shut_down_late(reads: Any) -> bool:
            rest.set()
            reader.join(0.3)  # the body ends, and the connection could serve the next request
            waits.append(reader.is_alive())
            others.append(Stream(client.request("GET", other.url, **asking)))
            assert next(others[0]) == 0
            return sockets.shut_down(reads)

        monkeypatch.setattr(socket_reads, "shut_down", shut_down_late)
        with closing_client(library) as client:
            stream: Stream[Any] = Stream(client.request("GET", ending.url, **asking))
            assert next(stream) == 0
            reader = threading.Thread(target=list, args=(stream,))
            reader.start()
            reader.join(0.1)
            stream.close()
            reader.join(A_LONG_TIME)
            gate.set()
            assert list(others[0]) == [1]
            assert waits == [True]
            assert not ending.connections & other.connections
            monkeypatch.undo()
            assert list(Stream(client.request("GET", other.url, **asking))) == [0, 1]

    def test_a_connection_is_not_read_once_the_response_is_interrupted(self, server: Server) -> None:
        with HTTPClient.open(server.answer(EVENTS[0], Then.HANG).url) as response:
            reads = HTTPClientAdapter(response).network_reads(Deadlines())
            assert reads is not None
            assert response.read1(1) == b"d"
            assert reads.interrupt()
            with pytest.raises(ConnectionAbortedError):
                response.read1(100_000)
            reads.release()
            assert response.read1(100_000) == b"ata: 0\n\n"

    def test_a_connection_has_its_own_timeout_again(self, server: Server) -> None:
        answer = server.answer(EVENTS[0], b"data: [DONE]\n\n")
        connection = http.client.HTTPConnection(server.base.removeprefix("http://"), timeout=A_LONG_TIME)
        connection.request("GET", path_of(answer.url))
        response = connection.getresponse()
        assert list(Stream(response, timeout=5)) == [0]
        assert connection.sock.gettimeout() == A_LONG_TIME
        assert "read1" not in vars(response)
        connection.close()


class TestAStreamThatIsLeftOpen:
    @pytest.mark.parametrize("library", [Requests, Urllib3, Niquests])
    def test_a_stream_that_is_left_open_warns_when_its_response_goes(
        self, library: Any, server: Server
    ) -> None:
        client = library.Client()
        url = server.answer(EVENTS[0], Then.HANG).url
        asking = {"preload_content": False} if library is Urllib3 else {"stream": True}
        with pytest.warns(ResourceWarning, match="was neither closed nor read to its end"):
            assert next(Stream(client.request("GET", url, **asking))) == 0
            gc.collect()
        client.clear() if library is Urllib3 else client.close()

    @pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
    def test_a_stream_that_is_left_open_is_silent_if_its_response_is_closed(
        self, driver: Any, server: Server
    ) -> None:
        url = server.answer(EVENTS[0], Then.HANG).url

        class EnoughError(Exception):
            pass

        def stop() -> None:
            raise EnoughError

        with pytest.raises(EnoughError):
            read_each(driver, url, stop)
        gc.collect()


class TestAnErrorWithAResponse:
    @pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
    def test_an_error_with_a_response_is_pickled_and_copied(self, driver: Any, server: Server) -> None:
        url = server.answer(b'{"error": {"message": "no key"}}', status=401, x_request_id="7").url
        if driver is None:
            connection = http.client.HTTPConnection(server.base.removeprefix("http://"))
            connection.request("GET", path_of(url))
            with pytest.raises(APIStatusError) as caught:
                list(Stream(connection.getresponse()))
            connection.close()
        else:
            with pytest.raises(APIStatusError) as caught:
                read_each(driver, url, lambda: None)
        error = caught.value
        pickles = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(6)]
        assert copy.copy(error).response is error.response
        for each in (*pickles, copy.deepcopy(error)):
            assert type(each) is APIStatusError
            assert str(each) == "HTTP status 401: no key"
            assert (each.status_code, each.request_id) == (401, "7")
            assert status_of(each.response) == 401
            assert each.response.headers["x-request-id"] == "7"

    @pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
    def test_an_error_with_a_response_is_pickled_if_the_connection_broke(
        self, driver: Any, server: Server
    ) -> None:
        url = server.answer(EVENTS[0], Then.DROP).url
        with pytest.raises(APIConnectionError) as caught:
            read_each(driver, url, lambda: None)
        restored = pickle.loads(pickle.dumps(caught.value))
        assert str(restored) == str(caught.value)
        if caught.value.request is not None:
            assert str(restored.request.url) == url


@pytest.mark.parametrize("driver", OTHERS.values(), ids=OTHERS)
class TestOtherReaders:
    def test_a_relay_passes_on_what_it_reads(self, driver: Any, server: Server) -> None:
        pieces = read_each(
            driver, server.answer(*EVENTS).url, read=ssejet.emit.relay, aread=ssejet.emit.arelay
        )
        assert b"".join(pieces) == b"".join(EVENTS)

    def test_an_event_source_gives_the_events(self, driver: Any, server: Server) -> None:
        events = read_each(
            driver,
            server.answer(*EVENTS).url,
            read=lambda response: ssejet.EventSource(response).iter_sse(),
            aread=lambda response: ssejet.EventSource(response).aiter_sse(),
        )
        assert [event.data for event in events] == ["0", "1", "2", "3", "4"]


@pytest.mark.parametrize("library", [requests, niquests])
def test_credentials_of_a_session_answer_no_challenge_of_another_origin(library: Any, server: Server) -> None:
    challenge = 'Digest realm="other", nonce="1", qop="auth"'
    other = server.answer(status=401, www_authenticate=challenge)
    elsewhere = other.url.replace("127.0.0.1", "localhost")
    with library.Session() as client:
        client.auth = library.auth.HTTPDigestAuth("user", "password")
        client.trust_env = False
        with pytest.raises(APIStatusError):
            with ssejet.subscribe(server.answer(status=302, location=elsewhere).url, client=client) as events:
                next(events)
    assert [request.get("authorization") for request in other.requests] == [None]


def test_headers_reach_the_server_as_they_are(server: Server) -> None:
    for driver in OTHERS.values():
        if driver is None:
            continue
        answer = server.answer(status=204)
        options = {"last_event_id": "é 漢"}
        if isinstance(driver, SyncDriver):
            with (
                driver.http.Client() as client,
                ssejet.subscribe(answer.url, client=client, **options) as events,
            ):
                assert list(events) == []
        else:

            async def main(url: str, library: Any) -> None:
                async with (
                    library.AsyncClient() as client,
                    ssejet.asubscribe(url, client=client, **options) as events,
                ):
                    assert [event async for event in events] == []

            anyio.run(main, answer.url, driver.http)
        (request,) = answer.requests
        assert request["last-event-id"].encode("latin-1").decode() == "é 漢", driver
