"""A source that the hub takes over is closed, whether its log begins, ends early or is never started."""

from __future__ import annotations

import asyncio
import threading
from contextlib import aclosing, asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet import encode
from ssejet.emit import AsyncEventStream
from ssejet.hub import AsyncHub, Hub, HubError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable, Iterator

    Play = Callable[..., None]

A_LONG_TIME = 100


class Waiting:
    """Yields some items, and then waits."""

    def __init__(self, items: list[str]) -> None:
        self._items = items

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        if not self._items:
            await anyio.sleep_forever()
        return self._items.pop()


class Stream:
    """An open answer of another server: its iterator does not close it, and closing it takes a moment."""

    def __init__(self) -> None:
        self.is_open = True
        self._items = ["a"]

    def __aiter__(self) -> AsyncIterator[str]:
        return Waiting(self._items)

    async def aclose(self) -> None:
        await anyio.sleep(0.01)
        self.is_open = False


class Response:
    """The same as an HTTP library has it."""

    def __init__(self) -> None:
        self.is_open = True

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        yield encode("a")
        await anyio.sleep_forever()

    async def aclose(self) -> None:
        await anyio.sleep(0.01)
        self.is_open = False


class Manager:
    """The same as a manager, which is open when it was entered."""

    def __init__(self) -> None:
        self.is_open = False

    async def __aenter__(self) -> Stream:
        self.is_open = True
        return Stream()

    async def __aexit__(self, *args: object) -> None:
        await anyio.sleep(0.01)
        self.is_open = False


class Items:
    """A stream that is not async."""

    def __init__(self) -> None:
        self.is_open = True
        self.go_on = threading.Event()

    def __iter__(self) -> Iterator[str]:
        yield "a"
        self.go_on.wait(A_LONG_TIME)

    def close(self) -> None:
        self.is_open = False


async def closed(*streams: Any) -> None:
    with anyio.fail_after(A_LONG_TIME):
        while any(stream.is_open for stream in streams):  # noqa: ASYNC110
            await anyio.sleep(0.01)


async def is_over(hub: AsyncHub, key: str) -> None:
    with anyio.fail_after(A_LONG_TIME):
        while key in hub._producers:  # noqa: ASYNC110
            await anyio.sleep(0.01)


@pytest.fixture(params=[Stream, Response, Manager, Items])
def make_stream(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_an_upstream_is_closed_if_its_key_is_taken(play: Play, make_stream: Callable[[], Any]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        stream = make_stream()
        await hub.start("key", list)
        assert not await hub.relay("key", stream)
        assert not stream.is_open

    play(scenario)


def test_an_upstream_is_closed_if_relay_raises(play: Play, make_stream: Callable[[], Any]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        wrong: list[tuple[type[Exception], dict[str, Any]]] = [
            (TypeError, {"key": 5}),
            (ValueError, {"key": ""}),
            (ValueError, {"lease": 0.0}),
            (ValueError, {"on_error": "raise"}),
        ]
        for error, arguments in wrong:
            stream = make_stream()
            with pytest.raises(error):
                await hub.relay(**{"key": "key", "upstream": stream, **arguments})
            assert not stream.is_open
        await hub.aclose()
        stream = make_stream()
        with pytest.raises(HubError, match="this hub is closed"):
            await hub.relay("key", stream)
        assert not stream.is_open

    play(scenario)


def test_an_upstream_is_closed_if_the_engine_fails(
    play: Play, make_stream: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def fail(*_: Any) -> bool:
            raise HubError("Redis refuses")

        stream = make_stream()
        monkeypatch.setattr(hub._engine, "claim", fail)
        with pytest.raises(HubError, match="Redis refuses"):
            await hub.relay("key", stream)
        assert not stream.is_open

    play(scenario)


def test_an_upstream_is_closed_if_relay_is_cancelled_and_has_lost(
    play: Play, make_stream: Callable[[], Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        asked, answered = anyio.Event(), anyio.Event()

        async def lose(*_: Any) -> bool:
            asked.set()
            await answered.wait()
            return False

        stream = make_stream()
        monkeypatch.setattr(hub._engine, "claim", lose)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.relay, "key", stream)
            await asked.wait()
            tasks.cancel_scope.cancel()
            answered.set()
        await closed(stream)

    play(scenario)


def test_an_upstream_is_closed_if_the_log_is_stopped_before_it_begins(
    play: Play, make_stream: Callable[[], Any]
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        stream = make_stream()
        assert await hub.relay("key", stream)
        hub._producers["key"].stop()
        await is_over(hub, "key")
        assert not stream.is_open
        assert [event.data async for event in hub.follow("key")][-1] == '{"reason":"stopped"}'

    play(scenario)


def test_a_stream_of_a_source_is_closed_when_the_log_is_stopped(
    play: Play, make_stream: Callable[[], Any]
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        stream = make_stream()

        async def ask() -> Any:
            return stream

        assert await hub.relay("key", ask)
        async with aclosing(hub.follow("key")) as events:
            assert (await anext(events)).data == "a"
            await hub.stop("key")
            if isinstance(stream, Items):
                stream.go_on.set()
            end = await anext(events)
        assert end.event == "end"
        await closed(stream)

    play(scenario)


@pytest.mark.parametrize("make", [Stream, Items])
def test_an_iterable_of_a_source_is_closed_although_its_iterator_does_not_close_it(
    play: Play, make: Callable[[], Any]
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        stream = make()
        assert await hub.start("key", lambda: stream)
        async with aclosing(hub.follow("key")) as events:
            assert (await anext(events)).data == "a"
            await hub.stop("key")
            if isinstance(stream, Items):
                stream.go_on.set()
            assert (await anext(events)).event == "end"
        await closed(stream)

    play(scenario)


def test_what_a_source_returns_is_closed_if_it_has_no_items(play: Play) -> None:
    class Wrong:
        is_open = True

        def close(self) -> None:
            self.is_open = False

    async def scenario(hub: AsyncHub) -> None:
        wrong = Wrong()
        assert await hub.start("key", lambda: wrong)
        assert [event.data async for event in hub.follow("key")][-1] == '{"reason":"failed"}'
        await closed(wrong)
        # As a response it is no better.
        wrong = Wrong()
        assert await hub.relay("other", lambda: wrong)
        assert [event.data async for event in hub.follow("other")][-1] == '{"reason":"failed"}'
        await closed(wrong)

    play(scenario)


def test_an_event_stream_of_a_source_is_closed_when_the_log_is_stopped(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        stream = Stream()
        assert await hub.start("key", lambda: AsyncEventStream(stream))
        events = hub.follow("key")
        assert (await anext(events)).data == "a"
        await hub.stop("key")
        assert [event.data async for event in events] == ['{"reason":"stopped"}']
        await closed(stream)

    play(scenario)


class Failing:
    """One item; closing fails."""

    def __init__(self) -> None:
        self._items = iter(["a"])

    def __iter__(self) -> Iterator[str]:
        return self

    def __next__(self) -> str:
        return next(self._items)

    def close(self) -> None:
        raise RuntimeError("broken")


class AsyncFailing(Failing):
    """The same, async."""

    __iter__ = None  # type: ignore[assignment]

    def __aiter__(self) -> AsyncIterator[str]:
        return self

    async def __anext__(self) -> str:
        for item in self._items:
            return item
        raise StopAsyncIteration


@pytest.mark.parametrize("failing", [Failing, AsyncFailing])
def test_an_iterator_that_fails_to_close_leaves_nothing_else_open(
    play: Play, caplog: pytest.LogCaptureFixture, failing: Callable[[], Any]
) -> None:
    class Items:
        is_open = True

        def close(self) -> None:
            self.is_open = False

    if failing is Failing:
        Items.__iter__ = lambda _: failing()  # type: ignore[attr-defined]
    else:
        Items.__aiter__ = lambda _: failing()  # type: ignore[attr-defined]

    async def scenario(hub: AsyncHub) -> None:
        items = Items()
        assert await hub.start("key", lambda: items)
        assert [event.data async for event in hub.follow("key")] == ["a", '{"reason":"finished"}']
        await is_over(hub, "key")
        assert not items.is_open

    play(scenario)
    assert "broken" in caplog.text


def test_a_hub_that_closes_ends_producers_that_are_being_started(
    play: Play, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        asked, answered = anyio.Event(), anyio.Event()
        claim: Callable[..., Awaitable[bool]] = hub._engine.claim

        async def claim_late(*args: Any) -> bool:
            asked.set()
            await answered.wait()
            return await claim(*args)

        stream = Stream()
        monkeypatch.setattr(hub._engine, "claim", claim_late)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(hub.relay, "key", stream)
            await asked.wait()
            tasks.start_soon(hub.aclose)
            await anyio.wait_all_tasks_blocked()
            answered.set()
        assert not hub._producers
        assert not stream.is_open

    play(scenario, shutdown="abandon")


@pytest.fixture
def thread_hub(hub_options: dict[str, Any]) -> Iterator[Hub]:
    with Hub(**hub_options, shutdown="abandon") as hub:
        yield hub


def test_a_hub_for_threads_closes_an_upstream_that_it_does_not_start(thread_hub: Hub) -> None:
    assert thread_hub.start("taken", list)
    items = Items()
    assert not thread_hub.relay("taken", items)
    assert not items.is_open
    cases: list[dict[str, Any]] = [{"key": ""}, {"lease": -1.0}, {"on_error": "raise"}]
    for wrong in cases:
        items = Items()
        with pytest.raises(ValueError, match=r"must be|has 1 to"):
            thread_hub.relay(**{"key": "key", "upstream": items, **wrong})
        assert not items.is_open


def test_a_hub_for_threads_closes_an_upstream_that_its_own_thread_relays(thread_hub: Hub) -> None:
    items = Items()

    def on_error(error: Exception) -> None:
        thread_hub.relay("other", items)

    def source() -> Iterator[str]:
        yield "a"
        raise ValueError("broken")

    thread_hub.start("key", source, on_error=on_error)
    first, *_ = thread_hub.follow("key")
    assert first.data == "a"
    assert not items.is_open


def test_a_hub_whose_thread_has_ended_closes_the_upstream() -> None:
    items = Items()
    hub = Hub()
    hub._thread.stop()
    with pytest.raises(HubError):
        hub.relay("key", items)
    assert not items.is_open


def test_an_async_stream_is_refused_by_a_hub_for_threads_and_what_can_be_closed_is_closed(
    thread_hub: Hub,
) -> None:
    class Both(Response):
        def close(self) -> None:
            self.is_open = False

    response = Both()
    assert thread_hub.relay("key", response)
    assert [event.data for event in thread_hub.follow("key")][-1] == '{"reason":"failed"}'
    while response.is_open:
        threading.Event().wait(0.01)


async def test_a_manager_is_left_although_its_log_is_stopped_where_it_waits() -> None:
    left: list[bool] = []

    @asynccontextmanager
    async def manager() -> AsyncIterator[Any]:
        try:
            yield Stream()
        finally:
            await asyncio.sleep(0.01)
            left.append(True)

    async with AsyncHub() as hub:
        assert await hub.relay("key", manager)
        events = hub.follow("key")
        assert (await anext(events)).data == "a"
        await hub.stop("key")
        assert [event.data async for event in events] == ['{"reason":"stopped"}']
        await is_over(hub, "key")
    assert left == [True]
