"""The variants of ``benches.live`` that read responses of other HTTP libraries than httpx."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from benches.live import Clock

__all__ = ["ASYNC", "SYNC"]


def read(response: Any, clock: Clock) -> None:
    from benches.live import run_stream
    from ssejet import Stream
    from ssejet.chat import ChatCompletionChunk

    run_stream(clock, Stream(response, cast_to=ChatCompletionChunk))


def requests_sync(base: str, clock: Clock) -> None:
    import requests

    with requests.Session() as client:
        client.trust_env = client.verify = False
        with client.post(base, json={"stream": True}, stream=True, timeout=60) as response:
            read(response, clock)


def niquests_sync(base: str, clock: Clock) -> None:
    import niquests

    with niquests.Session() as client:
        client.trust_env = client.verify = False
        with client.post(base, json={"stream": True}, stream=True, timeout=60) as response:
            read(response, clock)


def urllib3_sync(base: str, clock: Clock) -> None:
    import urllib3

    with urllib3.PoolManager(cert_reqs="CERT_NONE", timeout=60) as client:
        read(client.request("POST", base, json={"stream": True}, preload_content=False), clock)


def http_client_sync(base: str, clock: Clock) -> None:
    from http.client import HTTPConnection, HTTPSConnection

    from benches.live import tls_context

    place = base.rpartition("/")[2]
    secure = base.startswith("https")
    connection = (
        HTTPSConnection(place, context=tls_context(), timeout=60)
        if secure
        else HTTPConnection(place, timeout=60)
    )
    connection.request("POST", "/", body=b"{}")
    read(connection.getresponse(), clock)
    connection.close()


async def aiohttp_async(base: str, clock: Clock) -> None:
    import aiohttp

    from benches.live import run_streams
    from ssejet import AsyncStream
    from ssejet.chat import ChatCompletionChunk

    connector = aiohttp.TCPConnector(ssl=False, limit=0)
    async with aiohttp.ClientSession(connector=connector) as client:

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            async with client.post(base, json={"stream": True}) as response:
                yield AsyncStream(response, cast_to=ChatCompletionChunk)

        await run_streams(clock, open_stream)


async def niquests_async(base: str, clock: Clock) -> None:
    import niquests

    from benches.live import run_streams
    from ssejet import AsyncStream
    from ssejet.chat import ChatCompletionChunk

    async with niquests.AsyncSession(pool_maxsize=clock.streams) as client:
        client.trust_env = client.verify = False

        @contextlib.asynccontextmanager
        async def open_stream() -> AsyncIterator[Any]:
            response = await client.post(base, json={"stream": True}, stream=True, timeout=60)
            try:
                yield AsyncStream(response, cast_to=ChatCompletionChunk)
            finally:
                await response.close()

        await run_streams(clock, open_stream)


ASYNC: dict[str, Callable[[str, Clock], Awaitable[None]]] = {
    "aiohttp": aiohttp_async,
    "niquests": niquests_async,
}
SYNC: dict[str, Callable[[str, Clock], None]] = {
    "requests": requests_sync,
    "urllib3": urllib3_sync,
    "http.client": http_client_sync,
    "niquests": niquests_sync,
}
