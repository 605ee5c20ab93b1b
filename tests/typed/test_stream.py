from __future__ import annotations

import asyncio
import gc
import json
import threading
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import msgspec
import pytest

from drivers import NO_TLS, FakeResponse
from http_libraries import Aiohttp, accepts, request_of
from servers import A_LONG_TIME, Then, compress
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    AsyncStream,
    ContentTypeError,
    Decoder,
    EventTooLargeError,
    InvalidJSONError,
    ServerSentEvent,
    Stream,
    TruncatedStreamError,
)

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from drivers import AsyncDriver, Outcome, SyncDriver
    from servers import Server

    Driver = SyncDriver | AsyncDriver


class Chunk(msgspec.Struct):
    n: int


def sse(*items: Any) -> bytes:
    return b"".join(b"data: %s\n\n" % json.dumps(item).encode() for item in items)


DONE = b"data: [DONE]\n\n"


def url_of(error: Any, outcome: Outcome) -> str:
    """The URL of the error's request, or the URL asked for if it is unknown."""
    assert error.request is request_of(outcome.stream.response)
    return outcome.url if error.request is None else str(error.request.url)


class TestReading:
    def test_a_stream_gives_the_items_of_a_response(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse({"n": 1}), sse({"n": 2}, {"n": 3}), DONE)
        (outcome,) = driver.read(answer.url, cast_to=Chunk)
        assert outcome.result() == [Chunk(1), Chunk(2), Chunk(3)]
        assert outcome.stream.saw_done
        assert outcome.closed

    def test_a_stream_needs_no_sentinel(self, driver: Driver, server: Server) -> None:
        (outcome,) = driver.read(server.answer(sse(1), sse(2)).url)
        assert outcome.result() == [1, 2]
        assert not outcome.stream.saw_done
        assert outcome.closed

    def test_a_stream_gives_nothing_of_an_empty_response(self, driver: Driver, server: Server) -> None:
        assert driver.read(server.answer().url)[0].result() == []

    def test_a_stream_gives_each_item_before_more_bytes_come(self, driver: Driver, server: Server) -> None:
        gates = [threading.Event(), threading.Event()]
        answer = server.answer(sse(0), gates[0], b"data: 1\n\r", gates[1], DONE)
        (outcome,) = driver.read(answer.url, cast_to=lambda event: gates[event.json()].set())
        assert len(outcome.result()) == 2

    @pytest.mark.parametrize("encoding", ["gzip", "br", "zstd"])
    @pytest.mark.parametrize("size", [1, 7, 10_000])
    def test_a_stream_decompresses_its_bytes(
        self, driver: Driver, server: Server, encoding: str, size: int
    ) -> None:
        if not accepts(driver.http, encoding):
            pytest.skip(f"{driver.http.__name__} is installed without {encoding}")
        items = [f"{n} é 漢 🚀" for n in range(50)]
        body = compress(encoding, sse(*items) + DONE)
        chunks = [body[i : i + size] for i in range(0, len(body), size)]
        answer = server.answer(*chunks, content_encoding=encoding)
        assert driver.read(answer.url)[0].result() == items

    def test_a_stream_gives_events_on_demand(self, driver: Driver, server: Server) -> None:
        answer = server.answer(b"event: error\nid: 7\ndata: x\n\n", DONE, sse(1))
        (outcome,) = driver.read(answer.url, events=True, cast_to=Chunk)
        assert outcome.result() == [
            ServerSentEvent(event="error", id="7", data="x"),
            ServerSentEvent(id="7", data="[DONE]"),
        ]

    def test_a_stream_measures_itself(self, driver: Driver, server: Server) -> None:
        heard, taken = threading.Event(), threading.Event()
        answer = server.answer(b": hi\n\n", heard, sse(1), taken, DONE)
        decoder = Decoder(on_comment=lambda _: heard.set())
        (outcome,) = driver.read(answer.url, decoder=decoder, cast_to=lambda _: taken.set())
        metrics = outcome.stream.metrics
        assert (metrics.events, metrics.reads) == (2, 3)
        assert metrics.bytes == len(b": hi\n\n" + sse(1) + DONE)
        assert 0 < metrics.time_to_first_byte < metrics.time_to_first_event < metrics.elapsed


class TestErrors:
    def test_errors_of_the_server_come_after_the_items_before_them(
        self, driver: Driver, server: Server
    ) -> None:
        answer = server.answer(sse({"n": 1}, {"error": {"message": "no", "code": "c"}}, {"n": 2}), Then.HANG)
        (outcome,) = driver.read(answer.url, cast_to=Chunk)
        assert outcome.items == [Chunk(1)]
        error = outcome.error
        assert isinstance(error, APIError)
        assert (error.message, error.code) == ("no", "c")
        assert url_of(error, outcome) == answer.url

    def test_errors_of_decoding_come_after_the_items_before_them(
        self, driver: Driver, server: Server
    ) -> None:
        answer = server.answer(sse({"n": 1}, {"n": "x"}, {"n": 2}), Then.HANG)
        (outcome,) = driver.read(answer.url, cast_to=Chunk)
        assert outcome.items == [Chunk(1)]
        assert isinstance(outcome.error, InvalidJSONError)
        assert outcome.error.index == 1

    def test_errors_of_size_come_after_the_items_before_them(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse(1) + sse("x" * 100), Then.HANG)
        (outcome,) = driver.read(answer.url, decoder=Decoder(max_event_size=50))
        assert outcome.items == [1]
        assert isinstance(outcome.error, EventTooLargeError)

    def test_errors_close_the_response(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse({"error": "no"}), Then.HANG)
        (outcome,) = driver.read(answer.url)
        assert outcome.closed
        assert answer.left.wait(A_LONG_TIME)

    def test_errors_are_raised_if_the_sentinel_is_required_and_missing(
        self, driver: Driver, server: Server
    ) -> None:
        (outcome,) = driver.read(server.answer(sse(1)).url, require_done=True)
        assert outcome.items == [1]
        assert isinstance(outcome.error, TruncatedStreamError)

    def test_errors_are_raised_if_the_connection_breaks(self, driver: Driver, server: Server) -> None:
        (outcome,) = driver.read(server.answer(sse(1, 2), b"data: 3", Then.DROP).url)
        assert outcome.items == [1, 2]
        error = outcome.error
        assert isinstance(error, APIConnectionError)
        assert not isinstance(error, APITimeoutError)
        assert isinstance(error.__cause__, driver.http.RemoteProtocolError)
        assert error.request is request_of(outcome.stream.response)
        assert error.retryable

    def test_errors_are_raised_if_the_compression_is_broken(self, driver: Driver, server: Server) -> None:
        (outcome,) = driver.read(server.answer(b"not gzip", content_encoding="gzip").url)
        assert isinstance(outcome.error, APIConnectionError)
        assert isinstance(outcome.error.__cause__, driver.http.DecodingError)

    def test_errors_end_the_stream(self, server: Server) -> None:
        with (
            httpx.Client(verify=NO_TLS) as client,
            client.stream("GET", server.answer(sse({"error": "no"}, 1)).url) as response,
        ):
            stream = Stream(response)
            with pytest.raises(APIError):
                next(stream)
            assert list(stream) == []

    def test_errors_of_other_clients_are_passed_on(self, driver: Driver) -> None:
        failure = OSError("other client")
        response = FakeResponse([sse(1)], failure)
        outcome = driver.consume(response)
        assert outcome.items == [1]
        assert outcome.error is failure
        assert outcome.error.__cause__ is None
        assert response.closed == 1

    def test_errors_of_use_are_passed_on(self, server: Server) -> None:
        with (
            httpx.Client(verify=NO_TLS) as client,
            client.stream("GET", server.answer(sse(1)).url) as response,
        ):
            assert b"".join(response.iter_raw())
            with pytest.raises(httpx.StreamConsumed):
                list(Stream(response))


class TestRefusals:
    @pytest.mark.parametrize(
        ("body", "message", "error_body"),
        [
            (b'{"error": {"message": "no key"}}', "no key", {"error": {"message": "no key"}}),
            (b'{"message": "no key"}', "no key", {"message": "no key"}),
            (b"<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>", "<h1>Bad Gateway</h1>"),
            (b"\xff", "\ufffd", "\ufffd"),
        ],
    )
    def test_refusals_are_raised_before_the_first_item(
        self, driver: Driver, server: Server, body: bytes, message: str, error_body: Any
    ) -> None:
        answer = server.answer(
            body[:5], body[5:], status=401, content_type="application/json", x_request_id="r"
        )
        (outcome,) = driver.read(answer.url)
        error = outcome.error
        assert isinstance(error, APIStatusError)
        assert str(error) == f"HTTP status 401: {message}"
        assert error.body == error_body
        assert (error.status_code, error.request_id, error.response) == (401, "r", outcome.stream.response)
        assert url_of(error, outcome) == answer.url

    def test_refusals_without_a_body_have_their_status(self, driver: Driver, server: Server) -> None:
        (outcome,) = driver.read(server.answer(status=503).url)
        assert str(outcome.error) == "HTTP status 503"

    def test_refusals_are_raised_though_they_look_like_streams(self, driver: Driver, server: Server) -> None:
        (outcome,) = driver.read(server.answer(sse(1), status=400).url, events=True)
        assert isinstance(outcome.error, APIStatusError)

    def test_refusals_are_raised_with_what_came_if_their_body_breaks(
        self, driver: Driver, server: Server
    ) -> None:
        (outcome,) = driver.read(server.answer(b"half", Then.DROP, status=500).url)
        assert isinstance(outcome.error, APIStatusError)
        assert outcome.error.body == "half"
        assert isinstance(outcome.error.__cause__, driver.http.TransportError)

    def test_refusals_are_raised_if_their_body_does_not_end(self, driver: Driver, server: Server) -> None:
        answer = server.answer(*[b"x" * 10_000] * 10, Then.HANG, status=500)
        (outcome,) = driver.read(answer.url)
        assert isinstance(outcome.error, APIStatusError)
        assert outcome.error.body == "x" * 65_536
        assert len(str(outcome.error)) < 1000
        assert answer.left.wait(A_LONG_TIME)


class TestOtherContent:
    def test_other_content_is_an_error_if_there_is_no_event(self, driver: Driver, server: Server) -> None:
        body = b'{"choices": [' + b"x" * 2000
        (outcome,) = driver.read(server.answer(body, content_type="application/json; charset=utf-8").url)
        error = outcome.error
        assert isinstance(error, ContentTypeError)
        assert error.content_type == "application/json; charset=utf-8"
        assert error.body == body[:1024]
        assert error.response is outcome.stream.response

    def test_other_content_is_read_if_there_are_events(self, driver: Driver, server: Server) -> None:
        assert driver.read(server.answer(sse(1), content_type="text/plain").url)[0].result() == [1]

    @pytest.mark.parametrize("content_type", [None, "Text/Event-Stream;charset=iso-8859-1"])
    def test_other_content_is_not_what_may_be_a_stream(
        self, driver: Driver, server: Server, content_type: str | None
    ) -> None:
        assert driver.read(server.answer(b": hello\n", content_type=content_type).url)[0].result() == []

    def test_other_content_is_utf_8_whatever_the_charset(self, driver: Driver, server: Server) -> None:
        answer = server.answer('data: "é"\n\n'.encode(), content_type="text/event-stream; charset=iso-8859-1")
        assert driver.read(answer.url)[0].result() == ["é"]


class TestConnection:
    @pytest.mark.usefixtures("long_drain")
    def test_the_connection_serves_the_next_request_after_the_sentinel(
        self, driver: Driver, server: Server
    ) -> None:
        answer = server.answer(sse(1), DONE, 0.01, b"data: late\n\n", 0.01)
        for outcome in driver.read(*[answer.url] * 3):
            assert outcome.result() == [1]
        assert len(answer.requests) == 3
        assert len(answer.connections) == 1

    @pytest.mark.slow
    def test_the_connection_is_closed_if_the_body_goes_on_for_too_long(
        self, driver: Driver, server: Server
    ) -> None:
        answer = server.answer(sse(1), DONE, 1.0)
        for outcome in driver.read(answer.url, answer.url):
            assert outcome.result() == [1]
            assert outcome.closed
        assert len(answer.connections) == 2

    @pytest.mark.usefixtures("long_drain")
    def test_the_connection_is_closed_if_the_body_has_too_much_left(
        self, driver: Driver, server: Server
    ) -> None:
        answer = server.answer(sse(1), DONE, *[b":" * 60_000] * 5)
        for outcome in driver.read(answer.url, answer.url):
            assert outcome.result() == [1]
            assert outcome.closed
        # aiohttp reads ahead, and may have the end of the body already.
        assert len(answer.connections) in ({1, 2} if driver.http is Aiohttp else {2})

    def test_the_connection_may_break_after_the_sentinel(self, driver: Driver, server: Server) -> None:
        assert driver.read(server.answer(sse(1), DONE, 0.01, Then.DROP).url)[0].result() == [1]

    def test_the_connection_of_other_clients_is_not_read_on(self, driver: Driver) -> None:
        def chunks() -> Iterator[bytes]:
            yield sse(1) + DONE
            pytest.fail("was read after the sentinel")

        response = FakeResponse(chunks())
        assert driver.consume(response).result() == [1]
        assert response.closed == 1

    def test_the_connection_of_http_2_is_not_read_on(self, driver: Driver) -> None:
        def chunks() -> Iterator[bytes]:
            yield sse(1) + DONE
            pytest.fail("was read after the sentinel")

        response = FakeResponse(chunks())
        response.http_version = "HTTP/2"  # type: ignore[attr-defined]
        assert driver.consume(response).result() == [1]

    def test_the_connection_keeps_its_own_timeouts_for_the_next_request(self, server: Server) -> None:
        # The wait is longer than reading on after the sentinel may take.
        done, slow = server.answer(sse(1), DONE), server.answer(0.3, sse(2))
        for http in (httpx, httpx2):
            with http.Client(verify=NO_TLS) as client:
                with client.stream("GET", done.url) as response:
                    assert list(Stream(response)) == [1]
                with client.stream("GET", slow.url) as response:
                    assert list(Stream(response)) == [2]
                assert done.connections & slow.connections

    @pytest.mark.parametrize("http", [httpx, httpx2])
    def test_the_connection_is_left_as_it_was(self, http: Any, server: Server) -> None:
        url = server.answer(sse(1), DONE).url
        with http.Client(verify=NO_TLS) as client, client.stream("GET", url) as response:
            connection = response.extensions["network_stream"]
            before = dict(vars(connection))
            assert list(Stream(response, timeout=A_LONG_TIME)) == [1]
            assert vars(connection) == before


@pytest.mark.slow
class TestTimeouts:
    def test_timeouts_end_a_silence(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse(1), Then.HANG)
        (outcome,) = driver.read(answer.url, idle_timeout=1, timeout=A_LONG_TIME)
        assert outcome.items == [1]
        error = outcome.error
        assert isinstance(error, APITimeoutError)
        assert error.kind == "idle"
        assert "idle_timeout=1 " in str(error)
        assert url_of(error, outcome) == answer.url
        assert answer.left.wait(A_LONG_TIME)

    def test_timeouts_end_a_stream_that_never_falls_silent(self, driver: Driver, server: Server) -> None:
        answer = server.answer(*[sse(1), 0.01] * 1000)
        (outcome,) = driver.read(answer.url, idle_timeout=A_LONG_TIME, timeout=0.1)
        assert set(outcome.items) <= {1}
        error = outcome.error
        assert isinstance(error, APITimeoutError)
        assert error.kind == "total"
        assert "timeout=0.1" in str(error)

    def test_timeouts_end_a_stream_of_compressed_bytes_that_say_nothing(
        self, driver: Driver, server: Server
    ) -> None:
        # The client gives no chunk for these bytes: the whole of the wait is inside one read.
        header = compress("gzip", b"")[:10]
        stored = b"\x00\x00\x00\xff\xff"
        answer = server.answer(header, *[stored, 0.01] * 1000, content_encoding="gzip")
        (outcome,) = driver.read(answer.url, timeout=0.1)
        assert isinstance(outcome.error, APITimeoutError)
        assert outcome.error.kind == "total"

    def test_timeouts_do_not_disturb_a_stream_in_time(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse(1), 0.05, sse(2), 0.05, DONE)
        for outcome in driver.read(answer.url, answer.url, idle_timeout=A_LONG_TIME, timeout=A_LONG_TIME):
            assert outcome.result() == [1, 2]
        assert len(answer.connections) == 1

    def test_timeouts_of_the_client_are_told_as_silences(self, driver: Driver, server: Server) -> None:
        answer = server.answer(sse(1), Then.HANG)
        (outcome,) = driver.read(answer.url, read_timeout=1, timeout=A_LONG_TIME)
        assert outcome.items == [1]
        error = outcome.error
        assert isinstance(error, APITimeoutError)
        assert error.kind == "idle"
        assert "the client's read timeout" in str(error)
        assert isinstance(error.__cause__, driver.http.ReadTimeout)

    def test_timeouts_count_the_time_that_the_reader_takes(
        self, server: Server, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        taken = 0.0
        monkeypatch.setattr("ssejet._http.deadlines.perf_counter", lambda: perf_counter() + taken)
        with (
            httpx.Client(verify=NO_TLS) as client,
            client.stream("GET", server.answer(sse(1), sse(2)).url) as response,
        ):
            stream = Stream(response, timeout=A_LONG_TIME)
            assert next(stream) == 1
            taken = A_LONG_TIME
            with pytest.raises(APITimeoutError):
                list(stream)

    def test_timeouts_of_other_synchronous_clients_are_looked_at_between_chunks(self) -> None:
        def chunks() -> Iterator[bytes]:
            while True:
                yield sse(1)

        with pytest.raises(APITimeoutError) as caught:
            list(Stream(FakeResponse(chunks()), timeout=0.01))
        assert caught.value.kind == "total"

    async def test_timeouts_of_other_asynchronous_clients_end_a_wait(self) -> None:
        class Silent(FakeResponse):
            async def aiter_bytes(self) -> AsyncIterator[bytes]:
                yield sse(1)
                await asyncio.sleep(A_LONG_TIME)

        response = Silent([])
        stream = AsyncStream(response, idle_timeout=0.05)
        assert await anext(stream) == 1
        with pytest.raises(APITimeoutError):
            await anext(stream)
        assert response.closed == 1

    @pytest.mark.parametrize("seconds", [0, -1, float("nan")])
    @pytest.mark.parametrize("name", ["idle_timeout", "timeout"])
    def test_timeouts_must_be_positive(self, name: str, seconds: float) -> None:
        with pytest.raises(ValueError, match=f"{name} must be a positive number of seconds, or None"):
            Stream(FakeResponse([]), **{name: seconds})


class TestResponses:
    @pytest.mark.parametrize(
        "response", [None, 5, b"data: 1\n\n", [b"data: 1\n\n"], httpx.Request("GET", "http://x")]
    )
    def test_responses_must_be_readable(self, response: Any) -> None:
        name = type(response).__name__
        with pytest.raises(
            TypeError, match=rf"Stream needs .*, but this {name} has no iter_bytes\(\) and no close"
        ):
            Stream(response)
        with pytest.raises(TypeError, match=rf"AsyncStream needs .*, but this {name} has no aiter_bytes\(\)"):
            AsyncStream(response)

    @pytest.mark.parametrize("http", [httpx, httpx2])
    def test_responses_must_be_of_the_right_kind_of_client(self, http: Any, server: Server) -> None:
        url = server.answer(sse(1)).url
        with http.Client(verify=NO_TLS) as client, client.stream("GET", url) as response:
            with pytest.raises(TypeError, match=r"is of the other kind; .* are for Stream"):
                AsyncStream(response)
            assert list(Stream(response)) == [1]

        async def main() -> None:
            async with http.AsyncClient(verify=NO_TLS) as client, client.stream("GET", url) as response:
                with pytest.raises(TypeError, match=r"is of the other kind; .* are for AsyncStream"):
                    Stream(response)
                assert [item async for item in AsyncStream(response)] == [1]

        asyncio.run(main())

    @pytest.mark.parametrize("http", [httpx, httpx2])
    async def test_responses_may_have_been_read_already(self, http: Any) -> None:
        def response() -> Any:
            return http.Response(200, content=sse(1, 2) + DONE)

        assert list(Stream(response())) == [1, 2]
        assert [item async for item in AsyncStream(response())] == [1, 2]

    @pytest.mark.parametrize("http", [httpx, httpx2])
    def test_responses_may_come_from_a_mock_transport(self, http: Any) -> None:
        def handler(request: Any) -> Any:
            return http.Response(200, content=iter([sse(1), sse(2), DONE]))

        with http.Client(transport=http.MockTransport(handler)) as client:
            response = client.send(client.build_request("GET", "http://x"), stream=True)
            assert list(Stream(response, timeout=A_LONG_TIME)) == [1, 2]

    def test_responses_may_have_no_status_or_headers_or_request(self, driver: Driver) -> None:
        outcome = driver.consume(FakeResponse([sse({"error": "no"})]))
        assert isinstance(outcome.error, APIError)
        assert outcome.error.request is None


class TestClosing:
    def test_closing_is_left_to_the_caller_after_a_break(self, server: Server) -> None:
        answer = server.answer(sse(1, 2, 3), 0.02, sse(4), DONE)
        with (
            httpx.Client(verify=NO_TLS) as client,
            client.stream("GET", answer.url) as response,
            Stream(response) as stream,
        ):
            for item in stream:
                assert item == 1
                break
            assert next(stream) == 2
            for event in stream.events():
                assert event.data == "3"
                break
            assert list(stream) == [4]
            assert response.is_closed

    async def test_closing_is_left_to_the_caller_after_a_break_async(self, server: Server) -> None:
        answer = server.answer(sse(1, 2, 3), 0.02, sse(4), DONE)
        async with (
            httpx.AsyncClient(verify=NO_TLS) as client,
            client.stream("GET", answer.url) as response,
            AsyncStream(response) as stream,
        ):
            async for item in stream:
                assert item == 1
                break
            assert await anext(stream) == 2
            async for event in stream.events():
                assert event.data == "3"
                break
            assert [item async for item in stream] == [4]
            assert response.is_closed

    def test_closing_happens_at_the_end_of_a_with_block(self, server: Server) -> None:
        answer = server.answer(sse(1, 2), Then.HANG)
        with httpx.Client(verify=NO_TLS) as client:
            response = client.send(client.build_request("GET", answer.url), stream=True)
            with Stream(response) as stream:
                assert next(stream) == 1
            assert response.is_closed
            assert answer.left.wait(A_LONG_TIME)
            assert list(stream) == []
            assert repr(stream).startswith("<ssejet.Stream closed, 2 events, of <Response [200 OK]>")

    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_happens_at_the_end_of_an_async_with_block(
        self, http: Any, backend: str, server: Server
    ) -> None:
        answer = server.answer(sse(1, 2), Then.HANG)

        async def main() -> None:
            async with http.AsyncClient(verify=NO_TLS) as client:
                response = await client.send(client.build_request("GET", answer.url), stream=True)
                async with AsyncStream(response) as stream:
                    assert await anext(stream) == 1
                assert response.is_closed
                assert [item async for item in stream] == []

        anyio.run(main, backend=backend)
        assert answer.left.wait(A_LONG_TIME)

    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_leaves_nothing_to_the_garbage_collector_of_a_response_that_is_closed_already(
        self, http: Any, backend: str, server: Server
    ) -> None:
        answer = server.answer(sse(1, 2), Then.HANG)

        async def main() -> None:
            async with http.AsyncClient(verify=NO_TLS) as client:
                response = await client.send(client.build_request("GET", answer.url), stream=True)
                async with AsyncStream(response) as stream:
                    assert await anext(stream) == 1
                    await response.aclose()
            del response, stream
            gc.collect()  # trio warns of asynchronous generators that it ends

        anyio.run(main, backend=backend)

    def test_closing_more_than_once_does_no_harm(self) -> None:
        response = FakeResponse([sse(1)])
        stream = Stream(response)
        stream.close()
        stream.close()
        assert list(stream) == []
        assert response.closed == 1

    async def test_closing_more_than_once_does_no_harm_async(self) -> None:
        response = FakeResponse([sse(1)])
        stream = AsyncStream(response)
        await stream.aclose()
        await stream.close()
        await stream.aclose()
        assert [item async for item in stream] == []
        assert response.closed == 1

    async def test_closing_closes_what_another_clients_response_gives(self) -> None:
        closed = []

        class Watched(FakeResponse):
            async def aiter_bytes(self) -> AsyncIterator[bytes]:
                try:
                    yield sse(1)
                    yield sse(2)
                finally:
                    closed.append(True)

        async with AsyncStream(Watched([])) as stream:
            assert await anext(stream) == 1
        assert closed == [True]

    def test_closing_inside_a_loop_ends_it(self) -> None:
        stream = Stream(FakeResponse([sse(1, 2), sse(3)]), require_done=True)
        for item in stream:
            assert item == 1
            stream.close()

    def test_closing_happens_when_the_reader_is_interrupted(self) -> None:
        response = FakeResponse([sse(1)], KeyboardInterrupt())
        stream = Stream(response)
        with pytest.raises(KeyboardInterrupt):
            list(stream)
        assert response.closed == 1

    async def test_closing_is_not_cut_short_by_cancellation(self) -> None:
        class SlowToClose(FakeResponse):
            async def aiter_bytes(self) -> AsyncIterator[bytes]:
                yield sse(1)
                await asyncio.sleep(A_LONG_TIME)

            async def aclose(self) -> None:
                await anyio.sleep(0.01)
                await super().aclose()

        response = SlowToClose([])
        with anyio.move_on_after(0.01):
            async for _ in AsyncStream(response):
                pass
        assert response.closed == 1

    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_by_another_task_ends_the_loop_of_the_reader(
        self, http: Any, backend: str, server: Server
    ) -> None:
        answer = server.answer(sse(1), Then.HANG)
        items = []

        async def main() -> None:
            async with http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
                response = await client.send(client.build_request("GET", answer.url), stream=True)
                stream = AsyncStream(response)
                waits = anyio.Event()

                async def read() -> None:
                    async for item in stream:
                        items.append(item)
                        waits.set()

                async with anyio.create_task_group() as tasks:
                    tasks.start_soon(read)
                    await waits.wait()
                    await anyio.sleep(0.02)
                    await stream.aclose()

        anyio.run(main, backend=backend)
        assert items == [1]
        assert answer.left.wait(A_LONG_TIME)


class TestSecondReader:
    async def test_a_second_reader_is_told_so_and_does_not_disturb_the_first(self, server: Server) -> None:
        go_on = threading.Event()
        answer = server.answer(sse(1), go_on, sse(2), DONE)
        async with httpx.AsyncClient(verify=NO_TLS) as client, client.stream("GET", answer.url) as response:
            stream = AsyncStream(response)
            assert await anext(stream) == 1
            first = asyncio.ensure_future(anext(stream))
            await asyncio.sleep(0.01)
            with pytest.raises(RuntimeError, match="another task or thread is reading this stream"):
                await anext(stream)
            go_on.set()
            assert await first == 2
            assert [item async for item in stream] == []

    def test_a_second_reader_in_a_thread_is_told_so_and_does_not_disturb_the_first(self) -> None:
        entered, go_on = threading.Event(), threading.Event()

        def chunks() -> Iterator[bytes]:
            entered.set()
            assert go_on.wait(A_LONG_TIME)
            yield sse(1)

        stream = Stream(FakeResponse(chunks()))
        items: list[Any] = []
        thread = threading.Thread(target=lambda: items.extend(stream))
        thread.start()
        assert entered.wait(A_LONG_TIME)
        with pytest.raises(RuntimeError, match="another task or thread is reading this stream"):
            next(stream)
        go_on.set()
        thread.join()
        assert items == [1]


class TestGarbageCollection:
    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("read", [0, 1])
    def test_garbage_collection_of_an_unclosed_response_warns_and_closes_it(
        self, http: Any, read: int, server: Server
    ) -> None:
        answer = server.answer(sse(1), Then.HANG)
        with http.Client(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            response = client.send(client.build_request("GET", answer.url), stream=True)
            stream = Stream(response, timeout=A_LONG_TIME)
            for _ in range(read):
                next(stream)
            del stream
            assert not response.is_closed
            del response
            with pytest.warns(
                ResourceWarning, match=r"Stream open, .* use it in a `with` block, or call close\(\)"
            ):
                gc.collect()
        assert answer.left.wait(A_LONG_TIME)

    async def test_garbage_collection_of_an_unclosed_async_response_warns_and_ends_its_reading(
        self, server: Server
    ) -> None:
        answer = server.answer(sse(1), Then.HANG)
        async with httpx2.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            response = await client.send(client.build_request("GET", answer.url), stream=True)
            stream = AsyncStream(response)
            assert await anext(stream) == 1
            del stream
            del response
            with pytest.warns(ResourceWarning, match=r"AsyncStream open, .* or await aclose\(\)"):
                gc.collect()
            assert await asyncio.to_thread(answer.left.wait, A_LONG_TIME)

    @pytest.mark.parametrize("http", [httpx, httpx2])
    def test_garbage_collection_of_a_nameless_stream_is_silent_in_the_block_of_its_response(
        self, http: Any, server: Server
    ) -> None:
        answer = server.answer(sse(1, 2), Then.HANG)
        with http.Client(verify=NO_TLS, timeout=A_LONG_TIME) as client:
            with client.stream("GET", answer.url) as response:
                for item in Stream(response):
                    assert item == 1
                    break
                gc.collect()
            assert response.is_closed
            assert "close" not in vars(response)
            assert answer.left.wait(A_LONG_TIME)
            response.close()
            del response
            gc.collect()

    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_garbage_collection_of_a_nameless_async_stream_is_silent_in_the_block_of_its_response(
        self, http: Any, backend: str, server: Server
    ) -> None:
        answer = server.answer(sse(1, 2), Then.HANG)

        async def main() -> None:
            async with http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client:
                async with client.stream("GET", answer.url) as response:
                    async for item in AsyncStream(response):
                        assert item == 1
                        break
                    gc.collect()
                assert response.is_closed
                assert "aclose" not in vars(response)
                del response
                gc.collect()  # trio warns of asynchronous generators that it ends

        anyio.run(main, backend=backend)
        assert answer.left.wait(A_LONG_TIME)

    def test_garbage_collection_of_a_loop_over_a_nameless_stream_warns_when_it_can_no_longer_be_closed(
        self,
    ) -> None:
        responses: list[int] = []

        class Watched(FakeResponse):
            def close(self) -> None:
                responses.append(1)
                super().close()

        def first_item() -> Any:
            for item in Stream(Watched([sse(1, 2)])):
                return item
            return None

        assert first_item() == 1
        with pytest.warns(ResourceWarning, match="neither closed nor read to its end"):
            gc.collect()
        assert responses == [1]

    def test_garbage_collection_of_a_stream_over_a_response_that_takes_no_attributes_warns_at_once(
        self,
    ) -> None:
        class Slotted:
            __slots__ = ("closed",)

            def iter_bytes(self) -> Iterator[bytes]:
                yield sse(1)

            def close(self) -> None:
                self.closed = True

        response = Slotted()
        stream = Stream(response)
        next(stream)
        with pytest.warns(ResourceWarning):
            del stream
        assert response.closed

    def test_garbage_collection_of_a_stream_that_ended_or_whose_response_is_closed_is_silent(
        self, server: Server
    ) -> None:
        url = server.answer(sse(1)).url
        with httpx.Client(verify=NO_TLS) as client:
            with client.stream("GET", url) as response:
                assert list(Stream(response)) == [1]
            with client.stream("GET", url) as response:
                stream = Stream(response)
            del stream

    def test_garbage_collection_of_a_stream_that_could_not_be_made_is_silent(self) -> None:
        with pytest.raises(TypeError):
            Stream(FakeResponse([]), cast_to=5)  # type: ignore[arg-type]
