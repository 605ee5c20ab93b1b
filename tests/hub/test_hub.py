"""What both engines promise, on asyncio and trio."""

from __future__ import annotations

import json
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet import APIError, ServerSentEvent, encode
from ssejet.emit import AsyncEventStream, EncodedEvent, EventStream
from ssejet.hub import AsyncHub, HubError, LogFinishedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    Play = Callable[..., None]


async def everything(hub: AsyncHub, key: str, last_event_id: str = "") -> list[ServerSentEvent]:
    return [event async for event in hub.follow(key, last_event_id=last_event_id)]


def plain(events: list[ServerSentEvent]) -> list[tuple[str | None, str]]:
    return [(event.event, event.data) for event in events]


def numbers(until: int, *, pause: float = 0.0) -> Callable[[], AsyncIterator[dict[str, int]]]:
    async def source() -> AsyncIterator[dict[str, int]]:
        for number in range(until):
            await anyio.sleep(pause)
            yield {"n": number}

    return source


def numbered(until: int, start: int = 0) -> list[tuple[str, str]]:
    return [("message", f'{{"n":{number}}}') for number in range(start, until)]


END = ("end", '{"reason":"finished"}')


def test_a_follower_gets_all_events_then_the_end(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        assert await hub.start("key", numbers(50))
        events = await everything(hub, "key")
        assert plain(events) == [*numbered(50), END]
        ids = [event.id or "" for event in events]
        assert len({id.split("-")[0] for id in ids}) == 1
        assert [int(id.split("-")[1]) for id in ids] == list(range(1, 52))
        assert await hub.status("key") == "finished"

    play(scenario)


def test_the_source_runs_once_however_many_callers_there_are(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        runs: list[str] = []
        started: list[bool] = []

        async def source() -> AsyncIterator[str]:
            runs.append("run")
            yield "text"

        async def call() -> None:
            started.append(await hub.start("key", source))

        async with anyio.create_task_group() as tasks:
            for _ in range(20):
                tasks.start_soon(call)
        await everything(hub, "key")
        assert await hub.start("key", source) is False
        assert sorted(started) == [False] * 19 + [True]
        assert runs == ["run"]

    play(scenario)


def test_followers_may_come_before_the_producer_and_at_any_time(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        got: list[list[tuple[str | None, str]]] = []

        async def follow(delay: float) -> None:
            await anyio.sleep(delay)
            got.append(plain(await everything(hub, "key")))

        async with anyio.create_task_group() as tasks:
            for delay in (0.0, 0.0, 0.03, 0.06, 0.2):
                tasks.start_soon(follow, delay)
            await anyio.sleep(0.02)
            await hub.start("key", numbers(30, pause=0.003))
        assert got == [[*numbered(30), END]] * 5

    play(scenario)


def test_the_producer_runs_on_after_its_first_client_has_left(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        with anyio.CancelScope() as request:
            await hub.start("key", numbers(20, pause=0.005))
            async with aclosing(hub.follow("key")) as events:
                first = await anext(events)
                request.cancel()
                await anyio.sleep_forever()
        rest = await everything(hub, "key", first.id or "")
        assert plain([first, *rest]) == [*numbered(20), END]

    play(scenario)


def test_a_follower_resumes_after_any_event(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(4))
        events = await everything(hub, "key")
        for at, event in enumerate(events):
            assert await everything(hub, "key", event.id or "") == events[at + 1 :]

    play(scenario)


# "{log}" stands for the name of the log, which has four events.
WRONG_IDS = [
    "garbage", "-", "0-0", "a-1-2", "ﬀ-1", "{log}-999999999999999", "{log}-" + "9" * 400, "{log}-6",
    "{log}--1", "{log}-1 ", "aaaaaaaaaa-2", "'; DROP TABLE", "\0", "x" * 100_000,
]  # fmt: skip


def test_an_id_that_is_not_of_this_log_is_answered_with_a_gap_and_a_replay(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(3))
        events = await everything(hub, "key")
        log = (events[0].id or "").split("-")[0]
        for id in WRONG_IDS:
            gap, *rest = await everything(hub, "key", id.replace("{log}", log))
            assert gap.event == "gap"
            assert json.loads(gap.data)["reason"] in ("unknown-id", "restarted")
            assert rest == events
            # A client that left right after the gap goes on without another one.
            assert await everything(hub, "key", gap.id or "") == events

    play(scenario)


def test_an_id_of_a_log_that_is_gone_is_answered_with_a_gap_and_the_end(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        gap, end = await everything(hub, "key", "0123456789-7")
        assert (gap.event, end.event) == ("gap", "end")
        assert json.loads(gap.data) == {"reason": "missing", "missed": None}
        assert await everything(hub, "key", end.id or "") == []
        assert await hub.status("key") == "missing"

    play(scenario)


def test_a_log_that_was_deleted_can_be_started_again_with_other_ids(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(3))
        before = await everything(hub, "key")
        await hub.delete("key")
        assert await hub.status("key") == "missing"
        assert await hub.start("key", numbers(3))
        gap, *after = await everything(hub, "key", before[1].id or "")
        assert json.loads(gap.data) == {"reason": "restarted", "missed": None}
        assert plain(after) == plain(before)
        assert not {event.id for event in before} & {event.id for event in after}

    play(scenario)


def test_published_items_are_events_with_ids(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        ids = [
            await hub.publish("key", "text"),
            await hub.publish("key", {"a": 1}, event="update"),
            await hub.publish("key", ServerSentEvent(event="other", data="a\nb", id="theirs")),
            await hub.publish("key", EncodedEvent(encode("raw", event="encoded", id="theirs"))),
        ]
        assert await hub.status("key") == "live"
        await hub.finish("key")
        await hub.finish("key")
        events = await everything(hub, "key")
        assert plain(events) == [
            ("message", "text"), ("update", '{"a":1}'), ("other", "a\nb"), ("encoded", "raw"), END,
        ]  # fmt: skip
        assert [event.id for event in events[:-1]] == ids
        with pytest.raises(LogFinishedError, match="'key' has ended"):
            await hub.publish("key", "late")

    play(scenario)


def test_events_of_many_publishers_at_once_get_different_ids(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        ids: list[str] = []

        async def publish(number: int) -> None:
            for each in range(10):
                ids.append(await hub.publish("key", f"{number} {each}"))  # noqa: PERF401

        async with anyio.create_task_group() as tasks:
            for number in range(10):
                tasks.start_soon(publish, number)
        await hub.finish("key")
        events = await everything(hub, "key")
        assert {event.id for event in events[:-1]} == set(ids)
        assert len(ids) == 100
        for number in range(10):
            mine = [event.data for event in events if event.data.startswith(f"{number} ")]
            assert mine == [f"{number} {each}" for each in range(10)]

    play(scenario)


def test_a_producer_may_start_a_log_in_which_something_was_published(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.publish("key", "queued")
        assert await hub.start("key", lambda: ["answer"])
        assert plain(await everything(hub, "key")) == [("message", "queued"), ("message", "answer"), END]

    play(scenario)


def test_a_failing_source_sends_an_error_without_details_then_the_end(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    async def scenario(hub: AsyncHub) -> None:
        def source() -> Iterator[str]:
            yield "text"
            raise ValueError("the password of the database")

        await hub.start("key", source)
        text, error, end = await everything(hub, "key")
        assert (text.data, error.event, end.data) == ("text", "error", '{"reason":"failed"}')
        assert json.loads(error.data)["error"]["message"] == "The stream was interrupted."
        assert await hub.status("key") == "finished"

    play(scenario)
    assert "the password of the database" in caplog.text


@pytest.mark.parametrize("how", ["callable", "other server", "no items", "no call"])
def test_an_error_says_more_only_if_asked_or_if_another_server_said_it(play: Play, how: str) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            if how == "other server":
                raise APIError("no", body={"error": {"message": "overloaded"}})
            raise ValueError("details")
            yield

        options: dict[str, Any] = {}
        if how == "callable":
            options["on_error"] = lambda error: ServerSentEvent(event="error", data=str(error))
        if how == "no call":
            options["on_error"] = lambda error: None
        await hub.start("key", (lambda: 5) if how == "no items" else source, **options)
        *errors, end = plain(await everything(hub, "key"))
        assert end == ("end", '{"reason":"failed"}')
        assert [data for _, data in errors] == {
            "callable": ["details"],
            "other server": ['{"error":{"message":"overloaded"}}'],
            "no call": [],
        }.get(how, [errors[0][1]] if errors else None)

    play(scenario)


@pytest.mark.parametrize(
    "items",
    [
        lambda: ["a", "b"],
        lambda: EventStream(["a", "b"], done=None),
        lambda: AsyncEventStream(["a", "b"], done=None),
        lambda: iter([EncodedEvent(encode("a") + encode("b"))]),
    ],
    ids=["list", "EventStream", "AsyncEventStream", "two in one"],
)
def test_a_source_may_be_of_any_kind(play: Play, items: Callable[[], Any]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def later() -> Any:
            return items()

        for key, source in (("now", items), ("later", later)):
            await hub.start(key, source)
            assert plain(await everything(hub, key)) == [("message", "a"), ("message", "b"), END]

    play(scenario)


def test_stop_ends_the_producer_and_closes_its_source(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        closed = anyio.Event()

        async def source() -> AsyncIterator[str]:
            try:
                yield "text"
                await anyio.sleep_forever()
            finally:
                closed.set()

        await hub.start("key", source)
        events = hub.follow("key")
        assert (await anext(events)).data == "text"
        await hub.stop("key")
        assert plain([event async for event in events]) == [("end", '{"reason":"stopped"}')]
        await closed.wait()
        assert await hub.status("key") == "finished"
        await hub.stop("key")
        await hub.stop("unknown")

    play(scenario)


def test_a_follower_behind_the_trim_gets_a_gap_with_how_much(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(25))
        await everything(hub, "key")
        gap, *rest = await everything(hub, "key")
        assert gap.event == "gap"
        assert json.loads(gap.data) == {"reason": "trimmed", "missed": 16}
        assert plain(rest) == [*numbered(25, 16), END]
        assert await everything(hub, "key", gap.id or "") == rest
        gap, *again = await everything(hub, "key", (gap.id or "").split("-")[0] + "-10")
        assert json.loads(gap.data)["missed"] == 6
        assert again == rest

    play(scenario, max_events=10)


def test_logs_are_trimmed_by_bytes(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        for _ in range(30):
            await hub.publish("key", "x" * 1000)
        await hub.finish("key")
        gap, *rest = await everything(hub, "key")
        assert json.loads(gap.data)["reason"] == "trimmed"
        assert 4 <= len(rest) <= 11
        assert 1 + json.loads(gap.data)["missed"] == int((rest[0].id or "").split("-")[1])

    play(scenario, max_bytes=10_000)


@pytest.mark.slow
def test_logs_are_trimmed_by_age(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.publish("key", "old")
        await anyio.sleep(1.5)
        await hub.publish("key", "new")
        await hub.finish("key")
        gap, *rest = plain(await everything(hub, "key"))
        assert gap == ("gap", '{"reason":"trimmed","missed":1}')
        assert rest == [("message", "new"), END]

    play(scenario, max_age=1.4)


@pytest.mark.slow
def test_keys_expire_after_their_last_event(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(3))
        events = await everything(hub, "key")
        while await hub.status("key") != "missing":  # noqa: ASYNC110
            await anyio.sleep(0.02)
        gap, _end = await everything(hub, "key", events[0].id or "")
        assert json.loads(gap.data)["reason"] == "missing"
        assert await hub.start("key", numbers(1))

    play(scenario, ttl=1.5)


def test_a_slow_follower_reads_on_from_the_log_and_misses_nothing(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.publish("key", {"n": 0})
        slow = hub.follow("key")
        first = await anext(slow)
        # More than is kept in memory for followers over Redis.
        await hub.start("key", lambda: ({"n": number} for number in range(1, 2500)))
        fast = await everything(hub, "key")
        assert [first, *[event async for event in slow]] == fast
        assert plain(fast) == [*numbered(2500), END]

    play(scenario)


def test_a_hub_that_closes_lets_its_producers_finish(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(5, pause=0.02))
        await hub.aclose()
        async with hub:
            assert plain(await everything(hub, "key")) == [*numbered(5), END]

    play(scenario)


@pytest.mark.parametrize(
    "options", [{"shutdown": "abandon"}, {"shutdown_timeout": 0.1}], ids=["now", "in time"]
)
def test_a_hub_that_closes_abandons_producers_in_order(play: Play, options: dict[str, Any]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        async def source() -> AsyncIterator[str]:
            yield "text"
            await anyio.sleep_forever()

        await hub.start("key", source)
        async with aclosing(hub.follow("key")) as events:
            assert (await anext(events)).data == "text"
        await hub.aclose()
        with pytest.raises(HubError, match="closed"):
            await hub.start("other", source)
        async with hub:
            _text, error, end = await everything(hub, "key")
            assert json.loads(error.data)["error"]["code"] == "abandoned"
            assert end.data == '{"reason":"abandoned"}'
            assert await hub.status("key") == "abandoned"
            assert await hub.start("key", source) is False

    play(scenario, **options)


@pytest.mark.slow
def test_a_producer_outlives_its_lease_by_renewing_it(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.start("key", numbers(1, pause=2.5), lease=2.0)
        assert plain(await everything(hub, "key")) == [*numbered(1), END]

    play(scenario)


def test_a_follower_that_is_cancelled_leaves_nothing_behind(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        for _ in range(20):
            with anyio.move_on_after(0.005):
                async for _event in hub.follow("key"):
                    pass
        await hub.start("key", numbers(2))
        assert plain(await everything(hub, "key")) == [*numbered(2), END]

    play(scenario)


def test_a_key_is_any_text(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        keys = ["a b", "{", "}", "{}x", "%7B", "%", "ключ/🔑", "a:b", "\n", "k" * 1024]
        for at, key in enumerate(keys):
            assert [await hub.status(each) for each in keys[at:]] == ["missing"] * (len(keys) - at)
            await hub.start(key, numbers(1))
            assert plain(await everything(hub, key)) == [*numbered(1), END]

    play(scenario)


def test_deleting_a_log_ends_its_producer_and_warns_of_nothing(
    play: Play, caplog: pytest.LogCaptureFixture
) -> None:
    ended: list[str] = []

    async def forever(key: str) -> AsyncIterator[str]:
        try:
            yield "first"
            await anyio.sleep_forever()
        finally:
            ended.append(key)

    async def scenario(hub: AsyncHub) -> None:
        caplog.set_level("INFO", "ssejet.hub")
        await hub.start("key", lambda: forever("key"))
        async with aclosing(hub.follow("key")) as events:
            assert (await anext(events)).data == "first"
            await hub.delete("key")
            assert [event.event async for event in events] == ["gap", "end"]
        while not ended:  # noqa: ASYNC110
            await anyio.sleep(0.005)
        while not caplog.records:  # noqa: ASYNC110
            await anyio.sleep(0.005)
        (record,) = caplog.records
        assert (record.levelname, record.message) == (
            "INFO",
            "the log of 'key' was deleted, so its producer ends",
        )
        await hub.start("key", numbers(2))
        assert plain(await everything(hub, "key")) == [*numbered(2), END]

    play(scenario)


class OwnEvent:
    """An event of another library."""

    event = "end"
    data = "5"


def test_an_item_of_a_type_of_the_hub_gets_another_type_whatever_the_source_is(play: Play) -> None:
    items = [
        ServerSentEvent(event="end", data="1", id="7"),
        ServerSentEvent(event="gap", data="2"),
        EncodedEvent(b"event: end\ndata: 3\n\nevent: gap\nid: 9\ndata: 4\n\n"),
        OwnEvent(),
        ServerSentEvent(event="ending", data="6"),
    ]
    expected = [("item-end", "1"), ("item-gap", "2"), ("item-end", "3"), ("item-gap", "4"), ("item-end", "5")]

    async def upstream() -> AsyncIterator[Any]:
        for item in items:
            yield item

    async def failing() -> AsyncIterator[Any]:
        yield "1"
        raise ValueError

    async def scenario(hub: AsyncHub) -> None:
        await hub.start("started", upstream)
        await hub.relay("relayed", upstream)
        await hub.start("thread", lambda: items)
        for item in items:
            await hub.publish("published", item)
        await hub.finish("published")
        for key in ("started", "relayed", "thread", "published"):
            assert plain(await everything(hub, key)) == [*expected, ("ending", "6"), END], key
        await hub.start("failing", failing, on_error=lambda _: ServerSentEvent(event="end", data="no"))
        found = plain(await everything(hub, "failing"))
        assert found == [("message", "1"), ("item-end", "no"), ("end", '{"reason":"failed"}')]

    play(scenario)


def test_wrong_arguments_are_refused(play: Play) -> None:
    async def scenario(hub: AsyncHub) -> None:
        with pytest.raises(TypeError, match=r"pass lambda: items\(…\)"):
            await hub.start("key", ["items"])  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="1 to 1024"):
            await hub.status("")
        with pytest.raises(TypeError, match="text"):
            await hub.status(5)  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="lease"):
            await hub.start("key", list, lease=0)
        with pytest.raises(ValueError, match="on_error"):
            await hub.start("key", list, on_error="raise")  # type: ignore[arg-type]
        with pytest.raises(ValueError, match="choose another type"):
            await hub.publish("key", "x", event="end")
        assert await hub.status("key") == "missing"

    play(scenario)


@pytest.mark.parametrize(
    "options",
    [{"ttl": 0}, {"max_events": 0}, {"max_bytes": 0}, {"max_age": -1}, {"gather": -1}, {"shutdown": "now"},
     {"shutdown_timeout": 0}, {"timeout": 0}],
    ids=str,
)  # fmt: skip
def test_wrong_options_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        AsyncHub(**options)
