from __future__ import annotations

import asyncio
import gc
import socket
import threading
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest

import ssejet
from faults import Fault, Framing, Then
from http_libraries import Aiohttp, collect_pools, is_closed
from raw_server import Reply, ScriptServer
from raw_server import Then as ReplyThen
from ssejet import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ContentTypeError,
    EventTooLargeError,
    TruncatedStreamError,
)
from subscribers import can_interrupt_requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from faults import FaultServer
    from ssejet import SSEError
    from subscribers import Subscriber

pytestmark = pytest.mark.slow

BLOCKS = [f"id: {number}\ndata: event {number}\n\n".encode() for number in range(1, 6)]
DATA = [f"event {number}" for number in range(1, 6)]

AT_ONCE: dict[str, Any] = {"reconnection_time": 0, "max_backoff": 0.001}
NEVER: dict[str, Any] = {"reconnection_time": 3600}


@pytest.fixture
def script(request: pytest.FixtureRequest) -> Iterator[ScriptServer]:
    with ScriptServer() as server:
        yield server
        collect_pools(
            request.node.callspec.params.get("subscriber") if hasattr(request.node, "callspec") else None
        )
        server.wait_until(lambda: server.connections == 0)


@pytest.fixture
def collector_back() -> Iterator[None]:
    """Lets a test switch the garbage collector off."""
    yield
    gc.enable()


@pytest.fixture
def busy_port() -> Iterator[int]:
    """A port that neither accepts nor refuses connections, as its queue is full."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as server:
        waiting = [socket.socket() for _ in range(2)]
        for each in waiting:
            each.setblocking(False)
            each.connect_ex(server.getsockname())
        yield server.getsockname()[1]
        for each in waiting:
            each.close()


@pytest.fixture
def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as server:
        return int(server.getsockname()[1])


def skip_if_requests_cannot_be_interrupted(subscriber: Subscriber) -> None:
    if not can_interrupt_requests(subscriber):
        pytest.skip("with this library, a thread can only wait for the response")


class TestASubscription:
    def test_a_subscription_gets_the_events_of_many_connections(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        source = faults.source(
            *BLOCKS, faults=[Fault(events=1), Fault(cut=30, then=Then.CLOSE), Fault(status=0)]
        )
        outcome = subscriber.read(source.url, **AT_ONCE)
        assert outcome.data == DATA
        ids = [request.headers.get("last-event-id") for request in source.requests]
        assert ids == [None, b"1", b"2", b"2", b"5"]
        # aiohttp itself sends a request again if a connection that it has kept is closed.
        assert outcome.subscription.metrics.reconnections in ({3, 4} if subscriber.http is Aiohttp else {4})
        assert outcome.subscription.metrics.events == 5
        assert outcome.subscription.last_event_id == "5"
        assert outcome.subscription.ready_state == "closed"
        assert repr(outcome.subscription).endswith("Subscription closed, 5 events>")

    def test_a_subscription_resumes_where_another_one_stopped(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        source = faults.source(*BLOCKS)
        assert subscriber.read(source.url, last_event_id="3", **AT_ONCE).data == DATA[3:]

    def test_a_subscription_gives_events_twice_if_the_server_ignores_ids(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        source = faults.source(*BLOCKS, faults=[Fault(events=2), Fault(events=3, forgets=True)])
        assert subscriber.read(source.url, **AT_ONCE).data == DATA[:2] + DATA

    def test_a_subscription_sends_the_method_body_parameters_and_headers(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [Reply(), Reply(status=204, headers={})]
        outcome = subscriber.read(
            script.base + "x",
            method="post",
            json={"a": 1},
            params={"q": "1"},
            headers={"X-Y": "z"},
            repeat=True,
            **AT_ONCE,
        )
        assert outcome.data == []
        for _, request in script.requests:
            assert (request.method, request.path) == ("POST", "/x?q=1")
            assert request.body.replace(b" ", b"") == b'{"a":1}'
            assert request.headers["x-y"] == b"z"
            assert request.headers["accept"] == b"text/event-stream"

    def test_a_subscription_sends_a_post_once(self, subscriber: Subscriber, script: ScriptServer) -> None:
        script.replies = [Reply([b"data: 1\n\n"])]
        assert subscriber.read(script.base, method="POST", content="x").data == ["1"]
        script.replies = [Reply([b"data: 1\n\n"], then=ReplyThen.DROP)]
        outcome = subscriber.read(script.base, method="POST", content=b"x")
        assert isinstance(outcome.error, APIConnectionError)
        assert len(outcome.events) == 1
        assert len(script.requests) == 2

    def test_a_subscription_follows_redirects_and_remembers_permanent_ones(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [
            Reply(status=301, headers={"Location": "/a"}),
            Reply(status=307, headers={"Location": "{base}b"}),
            Reply([b"data: 1\n\n"]),
            Reply(status=204, headers={}),
        ]
        outcome = subscriber.read(script.base, **AT_ONCE)
        assert outcome.data == ["1"]
        assert [request.path for _, request in script.requests] == ["/", "/a", "/b", "/a"]
        assert outcome.subscription.url == script.base + "a"

    def test_a_subscription_follows_a_redirect_without_what_the_client_adds_to_urls(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [Reply(status=308, headers={"Location": "/b?signed=1"}), Reply(), Reply(status=204)]
        assert subscriber.read(script.base, client_options={"params": {"a": "1"}}, **AT_ONCE).data == []
        assert [request.path for _, request in script.requests] == ["/?a=1", "/b?signed=1", "/b?signed=1"]

    def test_a_subscription_gives_credentials_to_their_origin_only(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        with ScriptServer(Reply(status=307, headers={"Location": script.base})) as first:
            script.replies = [Reply(status=204, headers={})]
            client_options = {"auth": ("user", "pass"), "headers": {"X-API-Key": "secret", "X": "y"}}
            outcome = subscriber.read(first.base, headers={"Cookie": "secret"}, client_options=client_options)
            assert outcome.data == []
        assert {"authorization", "x-api-key", "cookie", "x"} <= first.requests[0][1].headers.keys()
        ((_, request),) = script.requests
        assert not {"authorization", "x-api-key", "cookie"} & request.headers.keys()
        assert request.headers["x"] == b"y"

    @pytest.mark.usefixtures("short_refusals")
    def test_a_subscription_raises_for_responses_that_are_no_event_stream(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [
            Reply([b'{"error": {"message": "no such stream"}}'], status=404, headers={"X-Request-ID": "7"}),
            Reply([b"<!doctype html>"], headers={"Content-Type": "text/html"}, then=ReplyThen.HANG),
        ]
        outcome = subscriber.read(script.base)
        assert isinstance(outcome.error, APIStatusError)
        assert str(outcome.error) == "HTTP status 404: no such stream"
        assert outcome.error.response is outcome.subscription.response
        assert outcome.error.request_id == "7"
        assert is_closed(outcome.error.response)
        outcome = subscriber.read(script.base)
        assert isinstance(outcome.error, ContentTypeError)
        assert outcome.error.body == b"<!doctype html>"

    def test_a_subscription_raises_after_the_events_before_one_that_is_too_large(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [Reply([b"data: 1\n\ndata: " + b"x" * 100 + b"\n\ndata: 3\n\n"])]
        outcome = subscriber.read(script.base, max_event_size=50)
        assert isinstance(outcome.error, EventTooLargeError)
        assert [event.data for event in outcome.events] == ["1"]

    def test_a_subscription_can_reconnect_after_an_event_that_is_too_large(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [
            Reply([b"data: 1\n\ndata: " + b"x" * 100 + b"\n\n"]),
            Reply([b"data: 2\n\n"]),
            Reply(status=204),
        ]
        errors: list[SSEError] = []

        def go_on(error: SSEError) -> bool:
            errors.append(error)
            return True

        assert subscriber.read(script.base, max_event_size=50, on_error=go_on, **AT_ONCE).data == ["1", "2"]
        assert [type(error) for error in errors] == [EventTooLargeError, TruncatedStreamError]

    @pytest.mark.parametrize(("method", "is_repeated"), [("POST", False), ("GET", True)])
    def test_a_subscription_sends_an_interrupted_request_again_only_if_it_may_be_repeated(
        self, method: str, is_repeated: bool
    ) -> None:
        requests = []

        def interrupt(request: httpx.Request) -> httpx.Response:
            requests.append(request)
            if len(requests) == 1:
                raise KeyboardInterrupt
            return httpx.Response(204)

        with httpx.Client(transport=httpx.MockTransport(interrupt)) as client:
            events = ssejet.subscribe("http://127.0.0.1/", client=client, method=method)
            with pytest.raises(KeyboardInterrupt):
                next(events)
            if is_repeated:
                assert list(events) == []
            else:
                with pytest.raises(APIConnectionError, match="pass repeat=True"):
                    next(events)
        assert len(requests) == 1 + is_repeated

    def test_a_subscription_raises_the_clients_error_if_it_is_misused(self, subscriber: Subscriber) -> None:
        outcome = subscriber.read("ftp://127.0.0.1/")
        assert isinstance(outcome.error, subscriber.http.UnsupportedProtocol)
        outcome = subscriber.read("http://x:port/")
        # yarl finds this fault before aiohttp does.
        invalid = ValueError if subscriber.http is Aiohttp else subscriber.http.InvalidURL
        assert isinstance(outcome.error, invalid)

    def test_a_subscription_takes_no_content_that_cannot_be_sent_twice(self) -> None:
        with pytest.raises(TypeError, match="so that it can be sent again; got list_iterator"):
            ssejet.subscribe("http://127.0.0.1/", content=iter([b"x"]))  # type: ignore[arg-type]

    @pytest.mark.parametrize("option", ["on_comment", "on_error"])
    def test_a_subscription_takes_no_asynchronous_callback(self, option: str) -> None:
        async def callback(_: object) -> bool:
            return False

        options: dict[str, Any] = {option: callback}
        with pytest.raises(TypeError, match=f"{option} must be a plain function"):
            ssejet.asubscribe("http://127.0.0.1/", **options)

    @pytest.mark.parametrize(
        ("subscribe", "client"),
        [(ssejet.subscribe, httpx.AsyncClient), (ssejet.asubscribe, httpx.Client)],
    )
    def test_a_subscription_takes_no_client_of_the_other_kind(self, subscribe: Any, client: Any) -> None:
        with pytest.raises(
            TypeError, match=f"needs the .*Client of httpx or httpx2, not this httpx.*{client.__name__}$"
        ):
            subscribe("http://127.0.0.1/", client=client())

    def test_a_subscription_takes_no_id_among_the_headers_as_it_would_be_sent_each_time(self) -> None:
        with pytest.raises(ValueError, match="pass where to start as last_event_id"):
            ssejet.subscribe("http://127.0.0.1/", headers={"last-event-id": "5"})

    def test_a_subscription_gives_up_on_a_server_that_is_not_there(
        self, subscriber: Subscriber, free_port: int
    ) -> None:
        errors: list[SSEError] = []
        outcome = subscriber.read(
            f"http://user:secret@127.0.0.1:{free_port}/?key=secret",
            max_attempts=3,
            on_error=errors.append,
            **AT_ONCE,
        )
        assert isinstance(outcome.error, APIConnectionError)
        assert str(outcome.error).startswith(f"cannot connect to http://127.0.0.1:{free_port}: ")
        assert str(outcome.error).endswith("3 failed attempts in a row)")
        assert isinstance(outcome.error.__cause__, subscriber.http.ConnectError)
        assert len(errors) == 3
        assert outcome.error.retryable


class TestTimeouts:
    def test_timeouts_end_the_wait_for_a_connection(self, subscriber: Subscriber, busy_port: int) -> None:
        outcome = subscriber.read(f"http://127.0.0.1:{busy_port}/", connect_timeout=0.05, max_attempts=1)
        assert isinstance(outcome.error, APITimeoutError)
        assert outcome.error.kind == "connect"
        assert "connect_timeout=0.05" in str(outcome.error)

    @pytest.mark.parametrize("http", [httpx, httpx2], ids=lambda http: http.__name__)
    def test_timeouts_of_the_system_have_a_message_too(self, http: Any) -> None:
        def time_out(_: Any) -> Any:
            raise http.ConnectTimeout("timed out")

        client = http.Client(transport=http.MockTransport(time_out))
        events = ssejet.subscribe("http://127.0.0.1/", client=client, connect_timeout=None, max_attempts=1)
        with pytest.raises(APITimeoutError, match="within the system's limit"):
            list(events)

    def test_timeouts_of_an_outage_end_the_wait_for_a_response(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        outcome = subscriber.read(script.base, max_outage=0.05)
        assert isinstance(outcome.error, APITimeoutError)
        assert "gave up after" in str(outcome.error)

    def test_timeouts_end_the_wait_for_a_response(self, subscriber: Subscriber, script: ScriptServer) -> None:
        outcome = subscriber.read(script.base, idle_timeout=0.05, max_attempts=1)
        assert isinstance(outcome.error, APITimeoutError)
        assert outcome.error.kind == "idle"

    def test_timeouts_end_a_silence(self, subscriber: Subscriber, faults: FaultServer) -> None:
        errors: list[SSEError] = []
        source = faults.source(*BLOCKS, faults=[Fault(cut=40, then=Then.STALL)])
        outcome = subscriber.read(source.url, idle_timeout=0.1, on_error=errors.append, **AT_ONCE)
        assert outcome.data == DATA
        assert isinstance(errors[0], APITimeoutError)
        assert errors[0].kind == "idle"
        assert "idle_timeout=0.1" in str(errors[0])

    def test_timeouts_end_a_stream_of_nothing_but_comments(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        errors: list[SSEError] = []
        comments = b":" * 2000 + b"\n"
        source = faults.source(
            comments + BLOCKS[0], faults=[Fault(drip=True, cut=len(comments), then=Then.STALL)]
        )
        outcome = subscriber.read(
            source.url, idle_timeout=60, data_timeout=0.1, on_error=errors.append, **AT_ONCE
        )
        assert outcome.data == DATA[:1]
        assert isinstance(errors[0], APITimeoutError)
        assert errors[0].kind == "data"
        assert "no event arrived within data_timeout=0.1 seconds" in str(errors[0])

    def test_timeouts_do_not_count_the_time_that_the_caller_spends(
        self, faults: FaultServer, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        spent = 0.0
        monkeypatch.setattr("ssejet._http.deadlines.perf_counter", lambda: perf_counter() + spent)
        source = faults.source(*BLOCKS, faults=[Fault(drip=True)])
        with ssejet.subscribe(source.url, data_timeout=100, max_attempts=1) as subscription:
            for _ in range(3):
                next(subscription)
                spent += 101
            assert subscription.metrics.reconnections == 0


class TestClosing:
    """Another thread or task closes the subscription at any moment, and nothing is left open."""

    @pytest.mark.parametrize("attempt", range(3))
    def test_closing_ends_the_wait_for_a_response(
        self, subscriber: Subscriber, script: ScriptServer, attempt: int
    ) -> None:
        skip_if_requests_cannot_be_interrupted(subscriber)
        with subscriber.reading(script.base) as reading:
            script.wait_until(lambda: script.requests)
            if attempt:
                reading.await_silence()
            reading.close()
            reading.await_end()
            assert reading.data == []
            assert reading.subscription.ready_state == "closed"

    @pytest.mark.parametrize("attempt", range(3))
    def test_closing_ends_the_wait_for_an_event(
        self, subscriber: Subscriber, script: ScriptServer, attempt: int
    ) -> None:
        script.replies = [Reply([b"data: 1\n\n"], then=ReplyThen.HANG)]
        with subscriber.reading(script.base) as reading:
            reading.await_events(1)
            if attempt:
                reading.await_silence()
            reading.close()
            reading.await_end()
            assert reading.data == ["1"]
            reading.close()

    def test_closing_ends_the_wait_for_a_tls_handshake(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        skip_if_requests_cannot_be_interrupted(subscriber)
        url = script.base.replace("http", "https")
        with subscriber.reading(url, connect_timeout=None) as reading:
            script.wait_until(lambda: script.connections)
            reading.await_silence()
            reading.close()
            reading.await_end()
            assert reading.data == []
        gc.collect()  # which would tell of a socket that was left open

    def test_closing_ends_the_wait_for_the_reconnection_time(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [Reply()]
        errors: list[SSEError] = []
        waiting = threading.Event()
        with subscriber.reading(script.base, on_error=lambda error: waiting.set(), **NEVER) as reading:
            assert waiting.wait(200)
            reading.await_silence()
            reading.close()
            reading.await_end()
            assert reading.data == []
        assert errors == []

    def test_closing_may_come_before_the_first_step(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        skip_if_requests_cannot_be_interrupted(subscriber)
        with subscriber.reading(script.base) as reading:
            reading.close()
            reading.await_end()
            assert reading.data == []

    def test_closing_happens_at_the_end_of_the_block(self, faults: FaultServer) -> None:
        source = faults.source(*BLOCKS, faults=[Fault(drip=True, then=Then.STALL)])
        with ssejet.subscribe(source.url) as subscription:
            for event in subscription:
                assert event.data == DATA[0]
                break
        assert list(subscription) == []
        faults.wait_until(lambda: faults.connections == 0)

    def test_closing_that_never_happens_is_a_resource_warning(self, script: ScriptServer) -> None:
        script.replies = [Reply([b"data: 1\n\n"], then=ReplyThen.HANG)]
        subscription = ssejet.subscribe(script.base)
        next(subscription)
        with pytest.warns(ResourceWarning, match="open, 1 events> was not closed: use it in a `with` block"):
            del subscription

    def test_closing_leaves_the_callers_client_open(self, faults: FaultServer) -> None:
        source = faults.source(*BLOCKS)
        with httpx.Client() as client:
            for _ in range(2):
                with ssejet.subscribe(source.url, client=client) as subscription:
                    assert next(subscription).data == DATA[0]
            assert not client.is_closed

    def test_closing_at_any_moment_leaves_nothing_open(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        """Twenty times, closed at any moment: nothing hangs, and nothing stays open."""
        skip_if_requests_cannot_be_interrupted(subscriber)
        with subscriber.reading(script.base) as reading:
            pass
        for number in range(20):
            script.replies = [Reply([b"data: 1\n\n"] * (number % 5), then=ReplyThen.HANG)]
            with subscriber.reading(script.base, **AT_ONCE) as reading:
                if number % 3:
                    reading.await_silence()
                reading.close()
                reading.await_end()
                assert reading.error is None
        script.wait_until(lambda: script.connections == 0)

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_closing_by_cancellation_leaves_nothing_under_load(
        self,
        backend: str,
        faults: FaultServer,
        collector_back: None,
    ) -> None:
        """Two hundred at once, cancelled at random moments."""
        random = Random(7)
        stalls = [Fault(cut=random.randrange(80), then=Then.STALL) for _ in range(1000)]
        source = faults.source(*BLOCKS, faults=stalls)

        async def read(client: httpx.AsyncClient, seconds: float) -> None:
            with anyio.move_on_after(seconds):
                subscription = ssejet.asubscribe(source.url, client=client, idle_timeout=0.05, **AT_ONCE)
                async for event in subscription:
                    assert event.data in DATA

        async def main() -> None:
            # A connection stays open for the next request if its response comes to an end in time.
            limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
            async with httpx.AsyncClient(limits=limits, verify=False) as client:
                # Imports can leave reference cycles, which keep objects alive.
                async with ssejet.asubscribe(faults.source(*BLOCKS).url, client=client) as events:
                    assert (await anext(events)).data == DATA[0]
                gc.collect()
                gc.disable()
                async with anyio.create_task_group() as tasks:
                    for _ in range(200):
                        tasks.start_soon(read, client, random.random() / 2)
                if backend == "asyncio":
                    # A dropped subscription closes its response in a task of its own.
                    await asyncio.gather(*asyncio.all_tasks() - {asyncio.current_task()})
                    assert asyncio.all_tasks() == {asyncio.current_task()}
                # Dropped subscriptions release their connections without the garbage collector.
                await anyio.to_thread.run_sync(faults.wait_until, lambda: faults.connections == 0)

        anyio.run(main, backend=backend)


class TestRestarting:
    def test_restarting_connects_again_without_an_error(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        errors: list[SSEError] = []
        source = faults.source(*BLOCKS, faults=[Fault(events=2, then=Then.STALL), Fault(then=Then.STALL)])
        with subscriber.reading(source.url, on_error=errors.append, **NEVER) as reading:
            reading.await_events(2)
            reading.await_silence()
            reading.restart()
            reading.await_events(5)
            assert reading.data == DATA
        assert errors == []
        assert source.requests[1].headers["last-event-id"] == b"2"

    def test_restarting_cuts_the_wait_for_a_response_short(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        skip_if_requests_cannot_be_interrupted(subscriber)
        errors: list[SSEError] = []
        with subscriber.reading(script.base, on_error=errors.append, **NEVER) as reading:
            script.wait_until(lambda: script.requests)
            reading.await_silence()
            script.replies = [Reply([b"data: 1\n\n"], then=ReplyThen.HANG)]
            reading.subscription.last_event_id = "7"
            reading.restart()
            reading.await_events(1)
            assert reading.data == ["1"]
        assert errors == []
        assert [request.headers.get("last-event-id") for _, request in script.requests] == [None, b"7"]

    def test_restarting_drops_a_response_that_comes_at_the_same_moment(self) -> None:
        asked: list[str | None] = []

        def answer(request: httpx.Request) -> httpx.Response:
            asked.append(request.headers.get("last-event-id"))
            if len(asked) == 1:
                subscription.last_event_id = "7"
                subscription.restart()
            if len(asked) == 3:
                return httpx.Response(204)
            headers = {"content-type": "text/event-stream"}
            return httpx.Response(200, headers=headers, content=f"data: {len(asked)}\n\n")

        client = httpx.Client(transport=httpx.MockTransport(answer))
        subscription = ssejet.subscribe("http://127.0.0.1/", client=client, **AT_ONCE)
        assert [event.data for event in subscription] == ["2"]
        assert asked == [None, "7", "7"]

    def test_restarting_cuts_the_reconnection_time_short(
        self, subscriber: Subscriber, faults: FaultServer
    ) -> None:
        waiting = threading.Event()
        source = faults.source(*BLOCKS, faults=[Fault(events=2), Fault(then=Then.STALL)])
        with subscriber.reading(source.url, on_error=lambda error: waiting.set(), **NEVER) as reading:
            assert waiting.wait(200)
            while len(source.requests) < 2:
                reading.restart()
            reading.await_events(5)
            assert reading.data == DATA

    def test_restarting_resumes_at_the_id_that_was_set(self, faults: FaultServer) -> None:
        source = faults.source(*BLOCKS, faults=[Fault(then=Then.STALL)])
        with ssejet.subscribe(source.url, **AT_ONCE) as subscription:
            assert [next(subscription).data for _ in DATA] == DATA
            subscription.last_event_id = "2"
            subscription.restart()
            assert next(subscription).data == DATA[2]


class TestReading:
    def test_reading_can_continue_in_another_loop(self, faults: FaultServer) -> None:
        source = faults.source(*BLOCKS, faults=[Fault(framing=Framing.LENGTH)])
        seen = []
        with ssejet.subscribe(source.url, **AT_ONCE) as subscription:
            for event in subscription:
                seen.append(event.data)
                assert subscription.last_event_id == event.id
                break
            seen.append(next(subscription).data)
            seen += [event.data for event in subscription]
            assert next(subscription, None) is None
        assert seen == DATA

    @pytest.mark.parametrize("backend", ["asyncio", "trio"])
    def test_reading_survives_the_cancellation_of_a_wait(self, backend: str, faults: FaultServer) -> None:
        source = faults.source(
            *BLOCKS, faults=[Fault(cut=40, then=Then.STALL), Fault(status=0, then=Then.STALL)]
        )

        async def main() -> None:
            seen = []
            # On a slow machine, a cancelled request may not reach the server. Then a later wait stalls.
            async with ssejet.asubscribe(source.url, idle_timeout=1, **AT_ONCE) as subscription:
                seen.append((await anext(subscription)).data)
                for _ in range(2):
                    with anyio.move_on_after(0.05) as scope:
                        await anext(subscription)
                    assert scope.cancelled_caught
                while len(seen) < 5:
                    seen.append((await anext(subscription)).data)
            assert seen == DATA

        anyio.run(main, backend=backend)
        faults.wait_until(lambda: faults.connections == 0)

    async def test_reading_ends_when_its_task_is_cancelled(self, faults: FaultServer) -> None:
        source = faults.source(*BLOCKS, faults=[Fault(then=Then.STALL)])
        seen: list[Any] = []

        async def read() -> None:
            async for event in ssejet.asubscribe(source.url):
                seen.append(event)
                if len(seen) == 5:
                    asyncio.get_running_loop().call_later(0.01, task.cancel)

        task = asyncio.create_task(read())
        with pytest.raises(asyncio.CancelledError):
            await task
        await asyncio.to_thread(faults.wait_until, lambda: faults.connections == 0)

    def test_reading_is_for_one_reader_at_a_time(self, subscriber: Subscriber, script: ScriptServer) -> None:
        script.replies = [Reply([b"data: 1\n\n"], then=ReplyThen.HANG)]
        with subscriber.reading(script.base) as reading:
            reading.await_events(1)
            use = getattr(reading.subscription, "_use", None)
            while use is not None and not use._holder:
                threading.Event().wait(0.001)
            with pytest.raises(RuntimeError, match="another task or thread is reading"):
                reading.read_too()
            assert not reading.ended.is_set()

    def test_reading_gives_comments_in_order(self, subscriber: Subscriber, script: ScriptServer) -> None:
        seen: list[Any] = []
        script.replies = [Reply([b":1\ndata: 2\n\n:3\n", b":4\ndata: 5\n\n"], then=ReplyThen.HANG)]
        with subscriber.reading(script.base, on_comment=seen.append, on_event=seen.append) as reading:
            reading.await_events(2)
        assert seen == ["1", "2", "3", "4", "5"]

    def test_reading_ends_with_an_error_of_a_callback(
        self, subscriber: Subscriber, script: ScriptServer
    ) -> None:
        script.replies = [Reply([b"data: 1\n\n:2\n"], then=ReplyThen.HANG)]
        outcome = subscriber.read(script.base, on_comment=lambda comment: 1 / 0)
        assert isinstance(outcome.error, ZeroDivisionError)
        assert [event.data for event in outcome.events] == ["1"]
        script.replies = [Reply()]
        outcome = subscriber.read(script.base, on_error=lambda error: 1 / 0)
        assert isinstance(outcome.error, ZeroDivisionError)
        assert isinstance(outcome.error.__context__, TruncatedStreamError)
