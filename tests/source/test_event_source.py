from __future__ import annotations

import gc
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

from drivers import NO_TLS
from http_libraries import status_of
from servers import A_LONG_TIME, Then
from ssejet import (
    ContentTypeError,
    Decoder,
    EventSource,
    EventTooLargeError,
    ServerSentEvent,
    aconnect_sse,
    connect_sse,
)

if TYPE_CHECKING:
    from drivers import AsyncDriver, SyncDriver
    from servers import Server

    Driver = SyncDriver | AsyncDriver

pytestmark = pytest.mark.slow


def read(driver: Driver, url: str, *, method: bool = False, **options: Any) -> list[ServerSentEvent]:
    """Read the events at the URL, by plain iteration or by the method of httpx-sse."""
    if not hasattr(driver, "backend"):
        with (
            driver.http.Client(verify=NO_TLS, timeout=A_LONG_TIME) as client,
            connect_sse(client, "GET", url, **options) as source,
        ):
            return list(source.iter_sse() if method else source)

    async def main() -> list[ServerSentEvent]:
        async with (
            driver.http.AsyncClient(verify=NO_TLS, timeout=A_LONG_TIME) as client,
            aconnect_sse(client, "GET", url, **options) as source,
        ):
            return [event async for event in (source.aiter_sse() if method else source)]

    return anyio.run(main, backend=driver.backend)


class TestEvents:
    @pytest.mark.parametrize("method", [False, True])
    def test_events_are_those_of_the_standard(self, driver: Driver, server: Server, method: bool) -> None:
        answer = server.answer(
            b"\xef\xbb",
            b"\xbfid: 1\nretry: 5\nevent: a\ndata: x\r\ndata: y\r\r",
            b"id: 2\n\ndata: z\n\n",
            b"data: cut",
        )
        assert read(driver, answer.url, method=method) == [
            ServerSentEvent(event="a", data="x\ny", id="1", retry=5),
            ServerSentEvent(data="z", id="2"),
        ]

    @pytest.mark.parametrize(
        "content_type",
        ["text/event-stream", "Text/Event-Stream ; charset=iso-8859-1", "text/event-stream;charset=nonsense"],
    )
    def test_events_are_utf_8_with_any_charset_parameter(
        self, driver: Driver, server: Server, content_type: str
    ) -> None:
        answer = server.answer(
            "data: é 漢".encode()[:8], "data: é 漢\n\n".encode()[8:], content_type=content_type
        )
        assert read(driver, answer.url) == [ServerSentEvent(data="é 漢")]

    def test_events_are_decoded_by_the_callers_decoder(self, driver: Driver, server: Server) -> None:
        comments: list[str] = []
        decoder = Decoder(last_event_id="7", flush_incomplete=True, on_comment=comments.append)
        answer = server.answer(b":hi\ndata: x")
        assert read(driver, answer.url, decoder=decoder) == [ServerSentEvent(data="x", id="7")]
        assert comments == ["hi"]

    def test_events_come_before_one_that_is_too_large(self, server: Server) -> None:
        answer = server.answer(b"data: x\n\ndata: " + b"y" * 100, Then.HANG)
        decoder = Decoder(max_event_size=50)
        with (
            httpx.Client(verify=NO_TLS) as client,
            connect_sse(client, "GET", answer.url, decoder=decoder) as source,
        ):
            events = iter(source)
            assert next(events).data == "x"
            with pytest.raises(EventTooLargeError):
                next(events)

    def test_events_do_not_change_the_errors_of_the_client(self, driver: Driver, server: Server) -> None:
        with pytest.raises(driver.http.RemoteProtocolError):
            read(driver, server.answer(b"data: x\n\n", Then.DROP).url)

    def test_events_can_be_of_a_response_that_was_read(self, driver: Driver) -> None:
        if not hasattr(driver.http, "Response"):
            pytest.skip("responses of this library cannot be read twice")

        def source() -> EventSource:
            headers = {"content-type": "text/event-stream"}
            return EventSource(driver.http.Response(200, headers=headers, content=b"data: x\n\n"))

        async def main() -> list[ServerSentEvent]:
            return [event async for event in source()]

        assert list(source()) == anyio.run(main) == [ServerSentEvent(data="x")]


def test_a_source_has_its_response_and_its_decoder(server: Server) -> None:
    answer = server.answer(b"id: 9\nretry: 5\n\n")
    with httpx.Client(verify=NO_TLS) as client, connect_sse(client, "GET", answer.url) as source:
        assert status_of(source.response) == 200
        assert list(source) == []
        assert (source.decoder.last_event_id, source.decoder.retry) == ("9", 5)


@pytest.mark.parametrize("http", [httpx, httpx2])
def test_leaving_the_block_closes_the_response(http: Any, server: Server) -> None:
    answer = server.answer(b"data: x\n\n", Then.HANG)
    with http.Client(verify=NO_TLS) as client:
        with connect_sse(client, "GET", answer.url) as source:
            assert next(iter(source)).data == "x"
        assert source.response.is_closed
        assert answer.left.wait(A_LONG_TIME)


class TestHeaders:
    @staticmethod
    def sent(answer: Any) -> dict[str, str]:
        (headers,) = answer.requests
        return headers

    def test_headers_ask_for_an_event_stream(self, driver: Driver, server: Server) -> None:
        answer = server.answer()
        read(driver, answer.url)
        assert self.sent(answer)["accept"] == "text/event-stream"
        assert self.sent(answer)["cache-control"] == "no-store"

    @pytest.mark.parametrize(
        "make",
        [
            lambda http: {"X-Own": "1", "ACCEPT": "text/plain"},
            lambda http: [("X-Own", "1"), ("accept", "text/plain")],
            lambda http: [(b"X-Own", b"1"), (b"Accept", b"text/plain")],
            lambda http: http.Headers({"X-Own": "1", "Accept": "text/plain"}),
        ],
    )
    def test_headers_of_the_caller_are_sent_and_never_changed(
        self, driver: Driver, server: Server, make: Any
    ) -> None:
        headers, untouched = (
            make(driver.http if hasattr(driver.http, "Headers") else httpx) for _ in range(2)
        )
        answer = server.answer()
        read(driver, answer.url, headers=headers)
        assert headers == untouched
        assert self.sent(answer)["x-own"] == "1"
        assert self.sent(answer)["accept"] == "text/plain"
        assert self.sent(answer)["cache-control"] == "no-store"

    def test_headers_of_the_same_name_are_all_sent(self, server: Server) -> None:
        answer = server.answer()
        for headers in ([("X-Own", "1"), ("X-Own", "2")], httpx.Headers([("X-Own", "1"), ("X-Own", "2")])):
            with (
                httpx.Client(verify=NO_TLS) as client,
                connect_sse(client, "GET", answer.url, headers=headers),
            ):
                assert answer.requests.pop()["x-own"] == "1, 2"


def test_other_arguments_of_a_request_are_passed_on(driver: Driver, server: Server) -> None:
    answer = server.answer()
    library = driver.http.__name__
    body = {"httpx": "content", "httpx2": "content", "Urllib3": "body"}.get(library, "data")
    auth = {
        "Urllib3": {"headers": {"Authorization": "Basic dXNlcg=="}},
        "Aiohttp": {"headers": {"Authorization": "Basic dXNlcg=="}},
    }.get(library, {"auth": ("user", "password")})
    read(driver, answer.url, **{body: b"hello"}, **auth)
    (headers,) = answer.requests
    assert headers["content-length"] == "5"
    assert headers["authorization"].startswith("Basic ")


class TestOtherContent:
    BODY = b'{"error": "' + "é".encode() * 1000

    @pytest.mark.usefixtures("short_refusals")
    def test_other_content_does_not_wait_for_an_endless_body(self, driver: Driver, server: Server) -> None:
        answer = server.answer(b"tick\n", Then.HANG, content_type="text/plain")
        with pytest.raises(ContentTypeError) as caught:
            read(driver, answer.url)
        assert caught.value.body == b"tick\n"

    @pytest.mark.parametrize(
        "content_type", ["application/json", "text/event-stream-ish", "x; text/event-stream", None]
    )
    def test_other_content_is_refused_with_the_start_of_its_body(
        self, driver: Driver, server: Server, content_type: str | None
    ) -> None:
        answer = server.answer(
            self.BODY[:100], self.BODY[100:], Then.HANG, content_type=content_type, status=418
        )
        with pytest.raises(ContentTypeError) as caught:
            read(driver, answer.url)
        error = caught.value
        assert error.body == self.BODY[:1024]
        assert error.content_type == (content_type or "")
        assert status_of(error.response) == 418
        assert "418" in str(error)

    @pytest.mark.parametrize("http", [httpx, httpx2])
    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_other_content_leaves_no_iterator_to_the_garbage_collector(
        self, http: Any, backend: str, server: Server
    ) -> None:
        answer = server.answer(self.BODY, Then.HANG, content_type="text/plain")

        async def main() -> None:
            async with (
                http.AsyncClient(verify=NO_TLS) as client,
                aconnect_sse(client, "GET", answer.url) as source,
            ):
                with pytest.raises(ContentTypeError):
                    await anext(aiter(source))
                gc.collect()  # trio warns of iterators that are collected

        anyio.run(main, backend=backend)

    def test_other_content_may_be_short_or_empty(self, driver: Driver, server: Server) -> None:
        for steps in ([], [b"short"]):
            with pytest.raises(ContentTypeError) as caught:
                read(driver, server.answer(*steps, content_type="text/plain").url)
            assert caught.value.body == b"".join(steps)

    def test_other_content_may_break_off(self, driver: Driver, server: Server) -> None:
        with pytest.raises(ContentTypeError) as caught:
            read(driver, server.answer(b"half", Then.DROP, content_type="text/plain").url)
        assert caught.value.body == b"half"

    async def test_other_content_may_have_been_read_already(self) -> None:
        response = httpx.Response(200, json={"a": 1})
        with pytest.raises(ContentTypeError) as caught:
            list(EventSource(response))
        assert caught.value.body == response.content
        with pytest.raises(ContentTypeError) as caught:
            await anext(aiter(EventSource(response)))
        assert caught.value.body == response.content
        assert response.json() == {"a": 1}

    def test_other_content_may_have_been_consumed_already(self, server: Server) -> None:
        url = server.answer(b"gone", content_type="text/plain").url
        with httpx.Client(verify=NO_TLS) as client, client.stream("GET", url) as response:
            assert list(response.iter_raw()) == [b"gone"]
            with pytest.raises(ContentTypeError) as caught:
                list(EventSource(response))
            assert caught.value.body == b""


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_closing_the_iterator_while_a_task_reads_ends_the_iteration(backend: str) -> None:
    async def main() -> None:
        is_reading, goes_on = anyio.Event(), anyio.Event()

        async def body() -> Any:
            yield b"data: 1\n\n"
            is_reading.set()
            await goes_on.wait()
            yield b"data: 2\n\n"
            await anyio.sleep_forever()

        headers = {"content-type": "text/event-stream"}
        events = EventSource(httpx.Response(200, headers=headers, content=body())).aiter_sse()
        seen = []

        async def read() -> None:
            async for event in events:
                seen.append(event.data)  # noqa: PERF401

        async with anyio.create_task_group() as group:
            group.start_soon(read)
            await is_reading.wait()
            await events.aclose()  # type: ignore[attr-defined]
            goes_on.set()
        assert seen == ["1"]
        with pytest.raises(StopAsyncIteration):
            await anext(events)

    anyio.run(main, backend=backend)
