"""The hub as the event store of the MCP SDK's server, with the SDK's client, and connections that are cut."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from uuid import uuid4

import pytest

pytest.importorskip("mcp")

import anyio
from mcp import ClientSession
from mcp.client.streamable_http import streamable_http_client
from mcp.server.mcpserver import Context, MCPServer
from mcp.types import JSONRPCNotification
from serving import serve

from redis_server import RedisServer
from ssejet.hub import AsyncHub, HubError
from ssejet.hub.mcp import MCPEventStore, MCPSessions

if TYPE_CHECKING:
    from collections.abc import Iterator

    from mcp.server.streamable_http import EventMessage

pytestmark = [
    pytest.mark.ecosystem,
    pytest.mark.filterwarnings("ignore"),  # the SDK's own
]


@pytest.fixture(scope="module")
def redis_url(tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    yield server.url
    server.close()


@pytest.fixture(params=["memory", "redis"])
def hub(request: pytest.FixtureRequest) -> AsyncHub:
    if request.param == "memory":
        return AsyncHub()
    return AsyncHub(request.getfixturevalue("redis_url"))


def message(text: str) -> Any:
    return JSONRPCNotification(jsonrpc="2.0", method="note", params={"text": text})


async def replayed(store: MCPEventStore, id: str) -> tuple[str | None, list[EventMessage]]:
    found: list[EventMessage] = []

    async def send(event: EventMessage) -> None:
        found.append(event)

    return await store.replay_events_after(id, send), found


async def in_session(call: Any, session: str = "") -> str:
    """Call a function in a request of a session, as a server does; return the session's id."""

    async def app(scope: Any, receive: Any, send: Any) -> None:
        await call()
        id = session.encode() or uuid4().hex.encode()
        await send({"type": "http.response.start", "status": 200, "headers": [(b"Mcp-Session-Id", id)]})

    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)

    headers = [(b"mcp-session-id", session.encode())] if session else []
    await MCPSessions(app)({"type": "http", "headers": headers}, None, send)
    return str(sent[0]["headers"][0][1].decode())


async def test_only_the_stream_of_the_id_is_replayed(hub: AsyncHub) -> None:
    async def first_session() -> None:
        store = MCPEventStore(hub)
        priming = await store.store_event("1", None)
        first = await store.store_event("1", message("a"))
        await store.store_event("a/b.c", message("other"))
        await store.store_event("1", message("b"))
        stream, events = await replayed(store, priming)
        assert stream == "1"
        assert [event.message for event in events] == [message("a"), message("b")]
        assert events[0].event_id == first
        assert [event.message for event in (await replayed(store, first))[1]] == [message("b")]
        assert (await replayed(store, events[1].event_id or "")) == ("1", [])
        for bad in ("", "garbage", "0123456789-1.1", first.replace("-2.", "-99."), first + "x"):
            assert await replayed(store, bad) == (None, [])
        ids.append(first)
        # The tasks of a session live as long as it does.
        tasks.start_soon(ended.wait)

    async def other_session() -> None:
        assert await replayed(MCPEventStore(hub), ids[0]) == (None, [])

    async def same_session() -> None:
        stream, events = await replayed(MCPEventStore(hub), ids[0])
        assert (stream, len(events)) == ("1", 1)

    ids: list[str] = []
    ended = anyio.Event()
    async with hub, anyio.create_task_group() as tasks:
        session = await in_session(first_session)
        await in_session(other_session)
        await in_session(other_session, "0123456789")
        await in_session(same_session, session)
        ended.set()


async def test_a_store_that_does_not_know_the_session_says_what_to_do(hub: AsyncHub) -> None:
    async with hub:
        with pytest.raises(HubError, match=r"wrap the application in ssejet\.hub\.mcp\.MCPSessions"):
            await MCPEventStore(hub).store_event("1", None)


async def test_a_call_goes_on_after_its_connection_was_cut(hub: AsyncHub) -> None:
    server = MCPServer("test")
    cuts: list[str] = []
    replays: list[str | None] = []
    replayed_twice = anyio.Event()

    @server.tool()
    async def count(until: int, context: Context) -> str:
        for number in range(until):
            await context.report_progress(number, until)
            if number == 1:
                await context.close_sse_stream()
                cuts.append("cut")
            if number == 4:
                # The SDK itself loses what is sent between its replay and the live stream.
                await replayed_twice.wait()
                await anyio.sleep(1)
        return f"counted to {until}"

    class Store(MCPEventStore):
        async def replay_events_after(self, last_event_id: str, send_callback: Any) -> str | None:
            stream = await super().replay_events_after(last_event_id, send_callback)
            replays.append(stream)
            if len(replays) == 2:
                replayed_twice.set()
            return stream

    app = MCPSessions(server.streamable_http_app(event_store=Store(hub), retry_interval=300))
    with serve(app, lifespan="on") as base:

        async def call(name: str, results: dict[str, Any]) -> None:
            progress: list[float] = []

            async def note(done: float, total: float | None, text: str | None) -> None:
                progress.append(done)

            async with (
                streamable_http_client(f"{base}/mcp") as (read, write, *_),
                ClientSession(read, write) as session,
            ):
                await session.initialize()
                result = await session.call_tool("count", {"until": 6}, progress_callback=note)
                results[name] = (progress, [content.text for content in result.content])

        results: dict[str, Any] = {}
        with anyio.fail_after(30):
            async with anyio.create_task_group() as tasks:
                # Two sessions, whose requests have the same ids.
                for name in "ab":
                    tasks.start_soon(call, name, results)
    assert cuts == ["cut", "cut"]
    for progress, texts in results.values():
        assert texts == ["counted to 6"]
        assert progress == [float(number) for number in range(6)]
    assert len(results) == 2
