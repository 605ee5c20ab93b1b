"""The hub for threads: what is not the same as for ``AsyncHub``."""

from __future__ import annotations

import contextvars
import gc
import os
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
from flask import Flask, request

from ssejet import encode
from ssejet.emit import EventStream
from ssejet.hub import Hub, HubError, LogFinishedError

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def hub(hub_options: dict[str, Any]) -> Iterator[Hub]:
    with Hub(**hub_options, shutdown="abandon") as hub:
        yield hub


def counted(until: int) -> list[str]:
    return [*map(str, range(until)), '{"reason":"finished"}']


def data(hub: Hub, key: str, last_event_id: str = "") -> list[str]:
    return [event.data for event in hub.follow(key, last_event_id=last_event_id)]


def test_many_threads_start_one_producer_and_follow_it(hub: Hub) -> None:
    threads: list[int] = []

    def source() -> Iterator[int]:
        threads.append(threading.get_ident())
        for number in range(20):
            time.sleep(0.002)
            yield number

    def serve(_: int) -> tuple[bool, list[str]]:
        return hub.start("key", source), data(hub, "key")

    with ThreadPoolExecutor(10) as pool:
        results = list(pool.map(serve, range(10)))
    assert sorted(started for started, _ in results) == [False] * 9 + [True]
    assert [got for _, got in results] == [counted(20)] * 10
    assert len(threads) == 1
    assert threads != [threading.get_ident()]


def test_the_other_methods_work_in_threads(hub: Hub) -> None:
    assert hub.status("key") == "missing"
    id = hub.publish("key", "a", event="x")
    assert hub.status("key") == "live"
    hub.finish("key")
    assert data(hub, "key", id) == ['{"reason":"finished"}']
    with pytest.raises(LogFinishedError):
        hub.publish("key", "b")
    hub.delete("key")
    assert hub.status("key") == "missing"
    assert hub.start("key", lambda: EventStream(["x", "y"], done=None))
    assert data(hub, "key") == ["x", "y", '{"reason":"finished"}']
    hub.start("other", lambda: 5)
    assert data(hub, "other")[-1] == '{"reason":"failed"}'


def test_a_stream_of_a_log_is_bytes_and_ends_when_it_is_closed(hub: Hub) -> None:
    hub.publish("key", "a")
    stream = hub.stream("key", heartbeat=0.05)
    pieces = iter(stream)
    while b"data: a" not in next(pieces):
        pass
    assert next(pieces) == b": keep-alive\n\n"
    stream.close()
    hub.finish("key")
    assert b"".join(hub.stream("key")).endswith(encode({"reason": "finished"}, event="end"))


def test_stop_tells_followers_at_once_although_the_source_blocks(hub: Hub) -> None:
    go_on = threading.Event()

    def source() -> Iterator[str]:
        yield "a"
        go_on.wait(200)
        yield "b"

    hub.start("key", source)
    events = hub.follow("key")
    assert next(events).data == "a"
    hub.stop("key")
    assert [event.data for event in events] == ['{"reason":"stopped"}']
    go_on.set()


def test_the_source_has_the_context_of_the_caller(hub: Hub) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable", default="none")
    variable.set("mine")
    hub.start("key", lambda: iter([variable.get()]))
    assert data(hub, "key")[0] == "mine"


def test_relay_passes_on_bytes_and_closes_what_it_does_not_need(hub: Hub) -> None:
    class Response:
        closed = False

        def iter_bytes(self) -> Iterator[bytes]:
            yield encode({"n": 1}, event="x", id="theirs")
            yield encode("[DONE]")

        def close(self) -> None:
            self.closed = True

    first, second = Response(), Response()
    assert hub.relay("key", first)
    assert not hub.relay("key", second)
    events = list(hub.follow("key"))
    assert [(event.event, event.data) for event in events] == [
        ("x", '{"n":1}'), ("message", "[DONE]"), ("end", '{"reason":"finished"}'),
    ]  # fmt: skip
    assert events[0].id != "theirs"
    assert first.closed
    assert second.closed


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_gets_a_thread_of_its_own(hub: Hub) -> None:
    hub.publish("key", "parent")
    child = os.fork()
    if not child:
        try:
            hub.publish("child", "x")
            hub.finish("child")
            os._exit(0 if data(hub, "child")[0] == "x" else 1)
        finally:
            os._exit(2)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    hub.finish("key")
    assert data(hub, "key")[0] == "parent"


@pytest.mark.skipif(not hasattr(os, "fork"), reason="there is no fork on this system")
@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_process_can_close_what_its_parent_follows(hub: Hub) -> None:
    hub.publish("key", "parent")
    events = hub.follow("key")
    assert next(events).data == "parent"
    child = os.fork()
    if not child:
        signal.alarm(100)  # a child that waits for its parent's thread would wait for ever
        events.close()
        os._exit(0)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
    hub.finish("key")
    assert [event.event for event in events] == ["end"]


def followed(hub: Hub) -> int:
    """How many logs have followers."""
    engine: Any = hub._hub._engine
    return len(engine._followed if hasattr(engine, "_followed") else engine._engine._reader.feeds)


def test_a_response_that_its_framework_drops_does_not_follow_for_ever(hub: Hub) -> None:
    app = Flask("test")
    app.logger.disabled = True  # the record of the exception would keep the response
    hub.publish("key", "a")

    @app.get("/")
    def follow() -> Any:
        return hub.response("key", request)

    @app.after_request
    def fail(response: Any) -> Any:
        assert followed(hub) == 1
        raise ValueError("a fault of the application")

    assert app.test_client().get("/").status_code == 500
    deadline = time.monotonic() + 100
    while followed(hub) and time.monotonic() < deadline:
        gc.collect()
        time.sleep(0.01)
    assert not followed(hub)


def test_a_closed_hub_says_so(hub_options: dict[str, Any]) -> None:
    hub = Hub(**hub_options)
    hub.close()
    with pytest.raises(HubError, match="closed"):
        hub.start("key", list)
    hub.close()


def test_on_error_that_calls_the_hub_is_told_that_it_cannot_wait(hub: Hub) -> None:
    def source() -> Iterator[str]:
        raise ValueError("x")
        yield

    def on_error(_: Exception) -> str:
        with pytest.raises(HubError, match="cannot wait for the hub") as caught:
            hub.status("key")
        return str(caught.value)

    hub.start("key", source, on_error=on_error)
    assert "not from on_error" in data(hub, "key")[0]
    assert hub.status("key") == "finished"


def test_the_garbage_collector_may_close_a_follower_in_the_thread_of_the_hub(hub: Hub) -> None:
    hub.publish("key", "a")

    def leave() -> None:
        events = hub.follow("key")
        next(events)
        circle: dict[str, Any] = {"events": events}
        circle["circle"] = circle

    gc.disable()
    try:
        leave()

        async def collect() -> None:
            gc.collect()

        hub._thread.submit(collect()).result(200)
    finally:
        gc.enable()
    assert hub.status("key") == "live"


def test_a_follower_that_is_interrupted_as_it_begins_to_wait_ends(hub: Hub) -> None:
    hub.publish("key", "a")
    follower = hub._follower("key", "")
    assert len(follower.next()) == 1
    submit = hub._thread.submit

    def interrupt_first(coroutine: Any) -> Any:
        follower.interrupt()
        return submit(coroutine)

    follower._thread.submit = interrupt_first  # type: ignore[method-assign]
    ended: list[Any] = []
    thread = threading.Thread(target=lambda: ended.append(follower.next()), daemon=True)
    thread.start()
    thread.join(200)
    assert ended == [[]]
    follower._thread.submit = submit  # type: ignore[method-assign]
    follower.close()
