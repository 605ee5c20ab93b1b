"""The helpers for answers that a hub keeps, without a front end."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import anyio
import pytest

from redis_server import RedisServer
from ssejet.emit import ag_ui, ai_sdk
from ssejet.errors import APIError
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

RUN = {"threadId": "t", "runId": "r", "messages": []}


async def endless() -> AsyncIterator[str]:
    yield "Hello"
    await anyio.sleep_forever()


async def short() -> AsyncIterator[str]:
    yield "Bye"


async def sent(response: Any) -> str:
    return b"".join([piece async for piece in response.body_iterator]).decode()


async def test_an_answer_whose_process_stopped_is_resumed_with_the_error() -> None:
    hub = AsyncHub(shutdown="abandon")
    response = await ai_sdk.answer(hub, "chat", endless)
    pieces = aiter(response.body_iterator)
    while b"Hello" not in await anext(pieces):
        pass
    await pieces.aclose()
    await hub.aclose()
    text = await sent(await ai_sdk.resume(hub, "chat"))
    assert '"delta":"Hello"' in text
    assert '"type":"error"' in text
    assert text.endswith("data: [DONE]\n\n")


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
def hub_options(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[dict[str, Any]]:
    """The arguments of a hub, for each engine."""
    if request.param == "memory":
        yield {}
        return
    server = RedisServer(tmp_path, "--appendonly", "no")
    yield {"url": server.url}
    server.close()


async def test_followers_of_an_answer_see_its_end_when_another_takes_its_place(
    hub_options: dict[str, Any],
) -> None:
    async with AsyncHub(**hub_options, shutdown="abandon") as hub, AsyncHub(**hub_options) as other:
        first = await ai_sdk.answer(hub, "chat", endless)
        async with anyio.create_task_group() as tasks:
            told: list[str] = []

            async def follow() -> None:
                told.append(await sent(first))

            tasks.start_soon(follow)
            await anyio.sleep(0.05)
            # With Redis, the request may reach another process.
            second = await sent(await ai_sdk.answer(other if hub_options else hub, "chat", short))
        assert '"type":"abort"' in told[0]
        assert '"delta":"Bye"' in second
        assert (await ai_sdk.resume(hub, "chat")).status_code == 204


async def test_what_the_model_refuses_at_once_reaches_the_page() -> None:
    async def model() -> Any:
        raise APIError("Too many.", body={"error": {"message": "Too many.", "code": "busy"}}, request=None)

    async with AsyncHub() as hub:
        assert '"errorText":"Too many."' in await sent(await ai_sdk.answer(hub, "chat", model))
        text = await sent(await ag_ui.answer(hub, "run", RUN, model))
        assert '"type":"RUN_ERROR","message":"Too many.","code":"busy"' in text


async def test_an_awaitable_of_the_events_is_awaited() -> None:
    async def model() -> Any:
        return short()

    async with AsyncHub() as hub:
        assert '"delta":"Bye"' in await sent(await ai_sdk.answer(hub, "chat", model))


async def test_events_that_are_no_function_are_refused_before_anything_is_stopped() -> None:
    async with AsyncHub() as hub:
        await hub.publish("chat", "kept")
        with pytest.raises(TypeError, match="events must be a function that returns the events"):
            await ai_sdk.answer(hub, "chat", ["Hello"])  # type: ignore[arg-type]
        assert await hub.status("chat") == "live"
