"""A stop of the server that meets something else: without a server, on both event loops."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from ssejet.emit.sse_starlette import EventSourceResponse
from ssejet.emit.starlette import EventStreamResponse, stop_streams

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

SCOPE = {"type": "http", "method": "GET"}
BYE = b"data: bye\n\n"

pytestmark = [
    pytest.mark.anyio,
    pytest.mark.slow,
    pytest.mark.parametrize("anyio_backend", ["asyncio", "trio"]),
]


class Client:
    """A client at the other end of an ASGI application, without a server in between.

    Args:
        at: what is done when a body arrives, by its number.
    """

    def __init__(self, at: dict[int, Callable[[], Any]]) -> None:
        self.bodies: list[bytes] = []
        self.complete = False
        self._at = at
        self._left = anyio.Event()

    def leave(self) -> None:
        self._left.set()

    async def receive(self) -> dict[str, Any]:
        await self._left.wait()
        return {"type": "http.disconnect"}

    async def send(self, message: dict[str, Any]) -> None:
        if message["type"] == "http.response.body":
            assert not self.complete, "a body after the end"
            self.complete = not message["more_body"]
            if message["body"]:
                self.bodies.append(message["body"])
                action = self._at.get(len(self.bodies))
                if isinstance(wait := action and action(), anyio.Event):
                    await wait.wait()

    async def get(self, response: Callable[..., Awaitable[None]]) -> None:
        with anyio.fail_after(200):
            await response(SCOPE, self.receive, self.send)


async def test_a_second_stop_has_no_effect() -> None:
    def stop_twice() -> None:
        stop_streams()
        stop_streams()

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            stop_streams()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.01)

    client = Client({1: stop_twice})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert (client.bodies, client.complete) == ([b"data: a\n\n", BYE], True)


async def test_a_client_that_leaves_while_the_source_cleans_up_after_a_stop(
    caplog: pytest.LogCaptureFixture,
) -> None:
    outcome = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            client.leave()
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.05)
                outcome.append("clean")

    client = Client({1: stop_streams})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert (client.bodies, outcome, caplog.records) == ([b"data: a\n\n"], ["clean"], [])


async def test_a_stop_while_the_source_of_a_client_that_left_cleans_up(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ssejet.emit.starlette._response._CLEANUP_TIME", 0.05)

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            stop_streams()
            with anyio.CancelScope(shield=True):
                await anyio.sleep_forever()

    client = Client({1: lambda: client.leave()})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert client.bodies == [b"data: a\n\n"]
    (record,) = caplog.records
    assert "cleanup of the source" in record.message
    assert "source of a stream was cut short" in record.message


@pytest.mark.parametrize("on_error", ["event", "raise"])
@pytest.mark.parametrize("takes", [0, 0.5])
async def test_a_source_that_fails_to_clean_up_after_a_stop_is_logged(
    takes: float, on_error: Any, caplog: pytest.LogCaptureFixture
) -> None:
    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(takes)
            raise ValueError("no")

    client = Client({1: stop_streams})
    await client.get(EventStreamResponse(source(), on_shutdown="bye", on_error=on_error))
    assert (client.bodies, client.complete) == ([b"data: a\n\n", BYE], True)
    (record,) = caplog.records
    assert "failed to clean up" in record.message
    assert record.exc_info


async def test_a_source_in_a_thread_that_fails_to_clean_up_is_logged(
    caplog: pytest.LogCaptureFixture,
) -> None:
    def source() -> Any:
        try:
            yield "a"
            time.sleep(0.01)
            yield "b"
            time.sleep(0.01)
        finally:
            raise ValueError("no")

    client = Client({1: stop_streams})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert (client.bodies[0], client.bodies[-1], client.complete) == (b"data: a\n\n", BYE, True)
    assert [record.levelno for record in caplog.records] == [logging.ERROR]
    assert "failed to clean up" in caplog.text


async def test_a_source_that_goes_on_after_a_stop_sends_nothing_after_the_last_event() -> None:
    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep(0.4)
            yield "too late"

    client = Client({1: stop_streams})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert (client.bodies, client.complete) == ([b"data: a\n\n", BYE], True)


async def test_a_client_that_takes_nothing_does_not_delay_a_stop() -> None:
    def stop() -> anyio.Event:
        stop_streams()
        return anyio.Event()

    client = Client({1: stop, 2: anyio.Event})
    await client.get(EventStreamResponse(iter(["a", "b"]), on_shutdown="bye"))
    assert client.bodies == [b"data: a\n\n", BYE]
    assert not client.complete


@pytest.mark.parametrize("in_thread", [True, False])
async def test_a_stop_before_the_first_item(in_thread: bool) -> None:
    async def source() -> AsyncIterator[str]:
        stop_streams()
        await anyio.sleep_forever()
        yield "never"

    def sync_source() -> Any:
        stop_streams()
        time.sleep(0.5)
        yield "never"

    client = Client({})
    content: Any = sync_source() if in_thread else source()
    await client.get(EventStreamResponse(content, on_shutdown="bye"))
    assert (client.bodies, client.complete) == ([BYE], True)


async def test_a_clean_up_that_shields_itself_again_and_again_is_cut_short(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    monkeypatch.setattr("ssejet.emit.starlette._response._CLEANUP_TIME", 0.05)
    cancelled = []

    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            for _ in range(3):
                with anyio.CancelScope(shield=True), anyio.CancelScope(shield=True):
                    try:
                        await anyio.sleep_forever()
                    except anyio.get_cancelled_exc_class():
                        cancelled.append(1)

    client = Client({1: stop_streams})
    await client.get(EventStreamResponse(source(), on_shutdown="bye"))
    assert (client.bodies, client.complete, len(cancelled)) == ([b"data: a\n\n", BYE], True, 3)
    assert "was cut short" in caplog.text


async def test_a_stop_cuts_the_clean_up_of_sse_starlettes_response_short_too(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def source() -> AsyncIterator[str]:
        try:
            yield "a"
            await anyio.sleep_forever()
        finally:
            with anyio.CancelScope(shield=True):
                await anyio.sleep_forever()

    client = Client({1: stop_streams})
    await client.get(EventSourceResponse(source(), cleanup_timeout=0.5))
    assert (client.bodies, client.complete) == ([b"data: a\r\n\r\n"], True)
    assert "was cut short" in caplog.text
