"""What a hub does with sources, keys and callers that are wrong or hostile, on both engines."""

from __future__ import annotations

import asyncio
import json
import sys
import threading
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet.hub import AsyncHub, Hub, HubError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ssejet import ServerSentEvent

    Play = Callable[..., None]


async def everything(hub: AsyncHub, key: str, last_event_id: str = "") -> list[ServerSentEvent]:
    return [event async for event in hub.follow(key, last_event_id=last_event_id)]


def test_a_key_that_utf8_cannot_encode_is_refused_and_harms_nobody(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("good", lambda: iter(["a", "b"]))
        for bad in ("\ud800", "user:\udfff"):
            with pytest.raises(ValueError, match="UTF-8"):
                await hub.publish(bad, "x")
            with pytest.raises(ValueError, match="UTF-8"):
                await hub.start(bad, list)
            with pytest.raises(ValueError, match="UTF-8"):
                await everything(hub, bad)
        assert [event.data for event in await everything(hub, "good")][:2] == ["a", "b"]

    play(scenario)


def test_an_event_that_is_larger_than_a_log_is_refused(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        with pytest.raises(ValueError, match=r"larger than max_bytes \(10,000\)"):
            await hub.publish("key", "x" * 20_000)
        assert await hub.status("key") == "missing"
        await hub.start("huge", lambda: iter(["small", "x" * 20_000, "never"]))
        events = await everything(hub, "huge")
        assert [event.event for event in events] == ["message", "error", "end"]
        assert events[-1].data == '{"reason":"failed"}'

    play(scenario, max_bytes=10_000)


def test_an_endless_source_that_never_waits_gives_others_their_turn_and_can_be_stopped(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            while True:
                yield "x" * 100

        await hub.start("endless", source)
        async with aclosing(hub.follow("endless")) as events:
            for _ in range(100):
                await anext(events)
        await hub.start("other", lambda: iter(["a"]))
        assert (await everything(hub, "other"))[0].data == "a"
        await hub.stop("endless")
        while await hub.status("endless") == "live":  # noqa: ASYNC110
            await anyio.sleep(0.01)
        end = (await everything(hub, "endless"))[-1]
        assert end.data == '{"reason":"stopped"}'

    play(scenario, max_events=500)


def test_an_on_error_that_fails_is_replaced_by_an_error_without_details(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        def source() -> Iterator[str]:
            raise ValueError("secret")
            yield

        def on_error(_: Exception) -> Any:
            raise KeyError("the reporter is broken")

        await hub.start("key", source, on_error=on_error)
        error, end = await everything(hub, "key")
        assert json.loads(error.data)["error"]["message"] == "The stream was interrupted."
        assert end.data == '{"reason":"failed"}'

    play(scenario)
    assert "the reporter is broken" in caplog.text


def test_a_source_whose_own_task_is_cancelled_ends_its_log(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            yield "a"
            with anyio.CancelScope() as scope:
                scope.cancel()
                await anyio.sleep(1)
            yield "b"

        await hub.start("key", source)
        assert [event.data for event in await everything(hub, "key")] == ["a", "b", '{"reason":"finished"}']

    play(scenario)


@pytest.mark.slow
def test_a_producer_that_is_silent_for_longer_than_the_ttl_loses_nothing(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            yield "a"
            await anyio.sleep(4)
            yield "b"

        await hub.start("key", source, lease=2.4)
        with anyio.fail_after(200):
            events = await everything(hub, "key")
        assert [event.data for event in events] == ["a", "b", '{"reason":"finished"}']
        assert len({(event.id or "").split("-")[0] for event in events}) == 1

    play(scenario, ttl=2.0)


def test_followers_of_a_hub_that_closes_are_told(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.publish("key", "a")
        told: list[str] = []

        async def follow(key: str) -> None:
            try:
                async for event in hub.follow(key):
                    told.append(event.data)  # noqa: PERF401
            except HubError as error:
                told.append(str(error))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow, "key")
            tasks.start_soon(follow, "missing")
            while told != ["a"]:  # noqa: ASYNC110
                await anyio.sleep(0.01)
            await anyio.sleep(0.05)
            await hub.aclose()
        assert told == ["a", *["the hub was closed; the log may go on in another process"] * 2]
        async with hub:
            await hub.publish("later", "b")
            await hub.finish("later")
            assert (await everything(hub, "later"))[0].data == "b"

    play(scenario)


def test_threads_that_follow_a_hub_that_closes_are_told(hub_options: dict[str, Any]) -> None:
    hub = Hub(**hub_options)
    hub.publish("key", "a")
    got: list[Any] = []
    began = threading.Event()

    def follow() -> None:
        try:
            for event in hub.follow("key"):
                got.append(event.data)
                began.set()
        except HubError as error:
            got.append(str(error))

    stream = hub.stream("key")
    pieces: list[bytes] = []
    threads = [threading.Thread(target=follow), threading.Thread(target=lambda: pieces.extend(stream))]
    for thread in threads:
        thread.start()
    assert began.wait(200)
    hub.close()
    for thread in threads:
        thread.join(200)
        assert not thread.is_alive()
    assert got == ["a", "the hub was closed; the log may go on in another process"]
    # A response ends without an event of the hub, so that its client asks again.
    assert b"event: end" not in b"".join(pieces)


def test_a_second_event_loop_is_refused_while_the_first_one_runs(hub_options: dict[str, Any]) -> None:
    refused: list[str] = []

    async def other(hub: AsyncHub) -> None:
        for call in (hub.publish("key", "x"), hub.start("key", list), anext(hub.follow("key"))):
            with pytest.raises(HubError) as caught:
                await call
            refused.append(str(caught.value))

    async def main() -> None:
        async with AsyncHub(**hub_options) as hub:
            await hub.publish("key", "a")
            await anyio.to_thread.run_sync(lambda: anyio.run(other, hub))
            await hub.finish("key")
            assert (await everything(hub, "key"))[0].data == "a"

    anyio.run(main)
    assert len(refused) == 3
    assert all("one event loop" in each for each in refused)


def test_a_hub_serves_one_event_loop_after_another(hub_options: dict[str, Any]) -> None:
    hub = AsyncHub(**hub_options)

    async def use(key: str) -> list[str]:
        async with hub:
            await hub.publish(key, key)
            await hub.finish(key)
            return [event.data for event in await everything(hub, key)]

    for key in "abc":
        assert anyio.run(use, key)[0] == key


async def test_a_follower_may_be_cancelled_wherever_it_waits(hub_options: dict[str, Any]) -> None:
    """Each event arrives once for a client that resumes after it was cut off, at each of many moments."""
    async with AsyncHub(**hub_options) as hub:

        async def source() -> AsyncIterator[str]:
            for number in range(150):
                await anyio.sleep(0.001)
                yield str(number)

        await hub.start("key", source)
        got: list[str] = []
        last_id = ""
        cuts = 0
        with anyio.fail_after(200):
            while not got or not got[-1].startswith("{"):
                with anyio.move_on_after(0.0003 * (cuts % 40)):
                    async for event in hub.follow("key", last_event_id=last_id):
                        got.append(event.data)
                        last_id = event.id or ""
                cuts += 1
        assert got == [*map(str, range(150)), '{"reason":"finished"}']
        assert cuts > 5


class OddError(BaseException):
    """What no ``except Exception`` catches."""


@pytest.mark.parametrize("error", [OddError, asyncio.CancelledError, GeneratorExit, StopIteration])
@pytest.mark.parametrize("is_async", [True, False], ids=["async", "in a thread"])
async def test_a_source_that_raises_what_it_should_not_ends_its_log(
    error: type[BaseException], is_async: bool
) -> None:
    class Items:
        def __aiter__(self) -> Any:
            return self

        async def __anext__(self) -> Any:
            raise error

    def raise_error() -> Iterator[Any]:
        yield "a"
        raise error

    async with AsyncHub() as hub:
        await hub.start("key", Items if is_async else raise_error)
        with anyio.fail_after(200):
            *_, report, end = await everything(hub, "key")
        assert report.event == "error"
        assert json.loads(end.data)["reason"] in ("abandoned", "failed")
        await hub.start("other", lambda: iter("a"))
        assert (await everything(hub, "other"))[0].data == "a"


def test_a_producer_keeps_its_log_although_the_lease_is_longer_than_the_time_to_live(
    play: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        renewed = anyio.Event()
        renew = hub._engine.renew

        async def note(*args: Any) -> Any:
            renewed.set()
            return await renew(*args)

        monkeypatch.setattr(hub._engine, "renew", note)
        await hub.start("key", anyio.sleep_forever, lease=9000)
        await renewed.wait()
        await hub.stop("key")

    play(scenario, ttl=3.0)


@pytest.mark.parametrize("error", [OddError, SystemExit, KeyboardInterrupt, asyncio.CancelledError])
def test_a_source_in_a_thread_that_wants_to_end_the_process_ends_only_its_log(
    play: Any, error: type[BaseException]
) -> None:
    def raise_error() -> Iterator[Any]:
        yield "a"
        raise error

    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", raise_error)
        assert [event.event for event in await everything(hub, "key")] == ["message", "error", "end"]
        await hub.start("other", lambda: iter("a"))
        assert (await everything(hub, "other"))[0].data == "a"

    play(scenario)


def test_a_source_that_calls_exit_ends_only_its_log(play: Any) -> None:
    async def leave() -> Any:
        sys.exit()

    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", leave)
        assert [event.event for event in await everything(hub, "key")] == ["error", "end"]

    play(scenario)


SOURCES: dict[str, Any] = {
    "nothing": lambda: None,
    "a number": lambda: 5,
    "an object": lambda: iter([object()]),
    "a lone surrogate": lambda: iter(["\ud800"]),
    "a circle": lambda: iter([circle()]),
    "with an argument": lambda argument: argument,
    "raises": lambda: 1 / 0,
}


def circle() -> dict[str, Any]:
    found: dict[str, Any] = {}
    found["found"] = found
    return found


@pytest.mark.parametrize("what", SOURCES)
def test_a_source_that_returns_what_is_no_event_fails_and_is_reported(what: str) -> None:
    async def main() -> None:
        async with AsyncHub() as hub:
            await hub.start("key", SOURCES[what])
            with anyio.fail_after(200):
                assert [event.event for event in await everything(hub, "key")] == ["error", "end"]

    asyncio.run(main())
    with Hub() as hub:
        hub.start("key", SOURCES[what])
        assert [event.event for event in hub.follow("key")] == ["error", "end"]


def test_the_memory_of_a_log_is_bounded(play: Play, hub_options: dict[str, Any], redis_server: Any) -> None:
    bound = 100_000

    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            for _ in range(1000):
                yield "x" * 1000

        await hub.start("key", source)
        async for _ in hub.follow("key"):
            pass
        if "url" in hub_options:
            with redis_server.client() as client:
                name = f"{hub_options['prefix']}:{{key}}:log"
                assert client.xlen(name) <= 100
                assert client.memory_usage(name, samples=0) < 1.5 * bound
        else:
            engine: Any = hub._engine
            window = engine._topics["key"].log.window
            assert sum(len(entry.wire) for entry in window._entries if entry) <= bound
            assert len(window._entries) < 1000

    play(scenario, max_bytes=bound)


def test_a_missing_header_is_no_id(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", lambda: iter("a"))
        no_header: Any = None
        assert [event.event for event in await everything(hub, "key", no_header)] == ["message", "end"]

    play(scenario)
