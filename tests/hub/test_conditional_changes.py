"""Logs that are changed in one step, if nobody else has changed them: the same for each engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet.hub._engine import Change, Lifetime
from ssejet.hub._entries import Draft, Kind

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.hub import AsyncHub


def change(expected: str, revision: str, *frames: bytes, at: int = 0, **options: Any) -> Change:
    drafts = [Draft(Kind.ITEM, frame) for frame in frames]
    fields = options.pop("fields", {})
    lifetime = options.pop("lifetime", Lifetime())
    return Change(expected, revision, "abc", at, drafts, fields, options.pop("ends_as", None), lifetime)


def test_a_change_that_was_decided_for_another_revision_is_refused(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        engine = hub._engine
        assert (await engine.load("key")).page.status == "missing"
        made, record = await engine.commit("key", change("", "r1", b"1", fields={"a": "x"}), ["a", "b"])
        assert made
        assert (record.revision, record.fields, record.page.last) == ("r1", {"a": "x"}, 1)
        for expected in ("", "r0", "?"):
            made, record = await engine.commit("key", change(expected, "r9", b"9", at=1), ["a"])
            assert not made
            assert (record.revision, record.fields) == ("r1", {"a": "x"})
        made, _ = await engine.commit("key", change("r1", "r2", b"2", b"3", at=1, ends_as="finished"))
        assert made
        page = (await engine.load("key", after=1)).page
        assert (page.status, page.last, [entry.frame for entry in page.entries]) == (
            "finished",
            3,
            [b"2", b"3"],
        )
        assert not (await engine.commit("missing", change("r1", "r2", b"2")))[0]

    play(scenario)


def test_a_log_of_the_hub_is_not_changed_by_a_change_that_makes_one(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        await hub.publish("key", "1")
        for expected in ("", "r1"):
            assert not (await hub._engine.commit("key", change(expected, "r2", b"2")))[0]
        assert [entry.frame for entry in (await hub._engine.load("key", after=0)).page.entries] == [
            b"data: 1\n\n"
        ]

    play(scenario)


def test_a_follower_gets_what_a_change_appends(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        engine = hub._engine
        await engine.commit("key", change("", "r1"))
        cursor = engine.cursor("key")
        found: list[bytes] = []

        async def follow() -> None:
            after = 0
            while after < 3:
                page = await cursor.read(after, wait=True)
                found.extend(entry.frame for entry in page.entries)
                after += len(page.entries)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(follow)
            await engine.commit("key", change("r1", "r2", b"1"))
            await engine.commit("key", change("r2", "r3", b"2", b"3", at=1))
        await cursor.aclose()
        assert found == [b"1", b"2", b"3"]

    play(scenario)


def test_changes_keep_the_bounds_of_the_hub(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        engine = hub._engine
        await engine.commit("key", change("", "r1", *[b"%d" % number for number in range(30)]))
        page = (await engine.load("key", after=0)).page
        assert (page.first, page.last, len(page.entries)) == (21, 30, 10)

    play(scenario, max_events=10)


@pytest.mark.slow
def test_a_log_is_kept_for_its_own_lifetime(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        engine = hub._engine
        await engine.commit("short", change("", "r1", lifetime=Lifetime(ttl=0.15)))
        await engine.commit("used", change("", "r1", b"1", lifetime=Lifetime(ttl=2)))
        await engine.commit("over", change("", "r1", b"1", lifetime=Lifetime(until=1.5)))
        await engine.commit("long", change("", "r1", b"1"))
        assert (await engine.load("over")).page.status == "missing"
        for _ in range(6):
            await anyio.sleep(0.4)
            assert (await engine.load("used", is_use=True)).page.status == "live"
        assert (await engine.load("short")).page.status == "missing"
        # A log that has expired can be made again.
        assert (await engine.commit("short", change("", "r2", b"1")))[0]
        assert (await engine.load("long", after=0)).page.entries[0].frame == b"1"

    play(scenario, ttl=0.1)
