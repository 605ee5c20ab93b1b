from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("mcp")

import httpx2
from mcp import ClientSession
from mcp.client.sse import sse_client
from mcp.server.mcpserver import MCPServer
from serving import serve

import ssejet
import ssejet.swap.httpx2

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [
    pytest.mark.ecosystem,
    # The SDK's own, of the transport that this is about.
    pytest.mark.filterwarnings("ignore"),
]


@pytest.fixture(scope="module")
def url() -> Iterator[str]:
    server = MCPServer("test")

    @server.tool()
    def shout(text: str) -> str:
        return text.upper()

    with serve(server.sse_app()) as base:
        yield f"{base}/sse"


async def call_a_tool(url: str, **options: Any) -> list[str]:
    async with sse_client(url, **options) as (read, write), ClientSession(read, write) as session:
        await session.initialize()
        tools = await session.list_tools()
        result = await session.call_tool("shout", {"text": "wörld\n☃"})
        return [*[tool.name for tool in tools.tools], *[content.text for content in result.content]]


@pytest.mark.parametrize("swapped", [False, True], ids=["stock", "swapped"])
async def test_the_clients_session_works(url: str, swapped: bool) -> None:
    if not swapped:
        assert await call_a_tool(url) == ["shout", "WÖRLD\n☃"]
        return
    with ssejet.install():
        assert "ssejet" in httpx2.EventSource.__aiter__.__module__
        assert await call_a_tool(url) == ["shout", "WÖRLD\n☃"]
