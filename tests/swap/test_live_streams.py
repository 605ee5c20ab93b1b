"""Asynchronous streams of an accelerated SDK from a real server, and what tasks do to them."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest

import ssejet
from exact_server import CHUNKED, ExactServer, Step, Then
from raw_server import A_LONG_TIME, chunk

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

END = b"0\r\n\r\n"
DONE = b"data: [DONE]\n\n"


def answer(text: str, **fields: Any) -> bytes:
    choice = {"index": 0, "delta": {"content": text}, "finish_reason": None}
    fields = {"id": "1", "object": "chat.completion.chunk", "created": 1, "model": "m", **fields}
    return b"data: %s\n\n" % json.dumps({**fields, "choices": [choice]}).encode()


class Seen:
    """A stream, and what a user sees of it."""

    def __init__(self, server: ExactServer, stream: Any) -> None:
        self._server = server
        self.stream = stream
        self.log: list[Any] = []

    async def next(self, *, goes_on: bool = False) -> None:
        if goes_on:
            self._server.go_on()
        await self.note(anext(self.stream))

    async def note(self, awaitable: Awaitable[Any]) -> None:
        """Note the item or the error."""
        try:
            item = await asyncio.wait_for(awaitable, A_LONG_TIME)
        except (Exception, asyncio.CancelledError) as error:
            self.log.append((type(error).__name__, str(error), type(error.__cause__).__name__))
        else:
            self.log.append(item.model_dump())

    async def waiting(self) -> asyncio.Task[Any]:
        """A task that waits for the next item."""
        task = asyncio.ensure_future(anext(self.stream))
        for _ in range(5):
            await asyncio.sleep(0)
        assert not task.done()
        return task


async def read_all(seen: Seen) -> None:
    while not seen.log or isinstance(seen.log[-1], dict):
        await seen.next(goes_on=True)
    await seen.next()


async def cancel(seen: Seen) -> None:
    await seen.next()
    await seen.next(goes_on=True)
    task = await seen.waiting()
    task.cancel()
    await seen.note(task)
    await seen.next()


async def close(seen: Seen) -> None:
    await seen.next()
    await seen.next(goes_on=True)
    task = await seen.waiting()
    await seen.stream.close()
    await seen.note(task)
    await seen.next()


async def read_twice(seen: Seen) -> None:
    await seen.next()
    await seen.next(goes_on=True)
    task = await seen.waiting()
    await seen.next()
    seen._server.go_on()
    await seen.note(task)


async def leave(seen: Seen) -> None:
    await seen.next()
    await seen.next(goes_on=True)
    async with seen.stream:
        pass
    await seen.next()


WAITS = [step for text in ("one", "two", "three") for step in (chunk(answer(text)), Then.WAIT)]
SCENARIOS: dict[str, tuple[Callable[[Seen], Awaitable[None]], list[Step]]] = {
    "whole": (read_all, [*WAITS, chunk(DONE) + END]),
    "two at once": (read_all, [*WAITS, chunk(answer("a") + answer("b")), chunk(DONE) + END]),
    "odd": (
        read_all,
        [
            *WAITS,
            chunk(b": comment\n\n"),
            Then.WAIT,
            chunk(answer("a", new=[1])),
            Then.WAIT,
            chunk(b"event: other\n" + answer("b")),
            Then.WAIT,
            *WAITS,
            chunk(DONE) + END,
        ],
    ),
    "error": (read_all, [*WAITS, chunk(b'data: {"error": {"message": "no"}}\n\n'), Then.HANG]),
    "no JSON": (read_all, [*WAITS, chunk(b"data: {\n\n"), Then.HANG]),
    "cut": (read_all, [*WAITS, Then.CLOSE]),
    "malformed": (read_all, [*WAITS, b"zz\r\n", Then.HANG]),
    "silent": (read_all, [*WAITS, Then.HANG]),
    "cancelled": (cancel, [*WAITS[:3], Then.HANG]),
    "closed": (close, [*WAITS[:3], Then.HANG]),
    "read twice": (read_twice, [*WAITS, Then.HANG]),
    "left": (leave, [*WAITS[:3], Then.HANG]),
}


@pytest.mark.slow
@pytest.mark.parametrize("name", SCENARIOS)
async def test_a_live_stream_looks_like_that_of_the_sdk(name: str) -> None:
    outcomes = [await outcome(name, is_fast=is_fast) for is_fast in (True, False)]
    # h11 and ssejet name what is wrong with a framing in other words.
    if name == "malformed":
        outcomes = [
            [(entry[0] if isinstance(entry, tuple) else entry) for entry in each] for each in outcomes
        ]
    assert outcomes[0] == outcomes[1]


async def outcome(name: str, *, is_fast: bool) -> list[Any]:
    user, steps = SCENARIOS[name]
    read = 0.2 if name == "silent" else A_LONG_TIME
    with ExactServer() as server:
        http = httpx.AsyncClient(timeout=httpx.Timeout(A_LONG_TIME, read=read))
        base = server.answer(CHUNKED, *steps).rsplit("/", 1)[0]
        client = openai.AsyncOpenAI(api_key="secret", base_url=base, http_client=http, max_retries=0)
        client._prepare_url = lambda _: httpx.URL(f"{base}/0")  # type: ignore[method-assign]
        if is_fast:
            client = ssejet.accelerate(client)
        stream = await client.chat.completions.create(model="m", messages=[], stream=True)
        seen = Seen(server, stream)
        await user(seen)
        seen.log += [stream.response.is_closed, repr(http._transport._pool)]  # type: ignore[attr-defined]
        await stream.close()
        await client.close()
        for _ in steps:
            server.go_on()
    return seen.log
