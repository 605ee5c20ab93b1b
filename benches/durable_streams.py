"""What Durable Streams cost: the CPU of the server's process for each append, message and delivery.

`python -m benches.durable_streams` calls the application as a server of ASGI does, so without HTTP.
With `--redis URL`, the streams are in Redis, whose own CPU is not counted.
"""

from __future__ import annotations

import argparse
import asyncio
import os
import time
from typing import TYPE_CHECKING, Any

from ssejet.hub import AsyncHub, durable_streams

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

BODY = b'{"object":"chat.completion.chunk","delta":{"content":"Hello"},"padding":"' + b"x" * 120 + b'"}'
HEADERS = [(b"content-type", b"application/json"), (b"host", b"localhost")]
ROUNDS = 5


async def call(
    app: Any, method: str, path: str, query: str = "", body: bytes = b""
) -> tuple[int, dict[bytes, bytes], int]:
    """Call the application; return the status, the headers, and the bytes of the answer."""
    scope = {
        "type": "http", "method": method, "path": path, "query_string": query.encode(), "headers": HEADERS,
        "scheme": "http", "root_path": "",
    }  # fmt: skip
    gone = asyncio.Event()
    messages = [{"type": "http.request", "body": body}]
    status, headers, size = 0, {}, 0

    async def receive() -> dict[str, Any]:
        if not messages:
            await gone.wait()
        return messages.pop()

    async def send(message: Any) -> None:
        nonlocal status, headers, size
        if message["type"] == "http.response.start":
            status, headers = message["status"], dict(message["headers"])
        else:
            size += len(message["body"])

    await app(scope, receive, send)
    return status, headers, size


async def appends(app: Any, path: str, at_once: int) -> tuple[float, int]:
    await call(app, "PUT", path)
    began, count = time.process_time(), 600
    for _ in range(count // at_once):
        await asyncio.gather(*(call(app, "POST", path, body=BODY) for _ in range(at_once)))
    return time.process_time() - began, count


async def reads(app: Any, path: str) -> tuple[float, int]:
    await call(app, "PUT", path, body=b"[%b]" % b",".join([BODY] * 500))
    began, count = time.process_time(), 40
    for _ in range(count):
        assert (await call(app, "GET", path, "offset=-1"))[2] > 500 * len(BODY)
    return time.process_time() - began, count * 500


async def deliveries(app: Any, path: str) -> tuple[float, int]:
    readers, count = 100, 100
    await call(app, "PUT", path)
    waiting = [asyncio.ensure_future(call(app, "GET", path, "offset=-1&live=sse")) for _ in range(readers)]
    await asyncio.sleep(0.5)
    began = time.process_time()
    for _ in range(count):
        await call(app, "POST", path, body=BODY)
        await asyncio.sleep(0.005)
    spent = time.process_time() - began
    await call_closing(app, path)
    await asyncio.gather(*waiting)
    return spent, readers * count


async def call_closing(app: Any, path: str) -> None:
    HEADERS.append((b"stream-closed", b"true"))
    try:
        await call(app, "POST", path)
    finally:
        HEADERS.pop()


MEASURES: dict[str, Callable[[Any, str], Awaitable[tuple[float, int]]]] = {
    "an append, one after the other": lambda app, path: appends(app, path, 1),
    "an append, 30 at once": lambda app, path: appends(app, path, 30),
    "a message, read in chunks of 500": reads,
    "a delivery to one of 100 readers with events": deliveries,
}


async def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--redis")
    options = parser.parse_args()
    async with AsyncHub(options.redis, prefix=f"bench{time.time()}") as hub:
        app = durable_streams.app(hub)
        best: dict[str, float] = {}
        for number in range(ROUNDS):
            for name, measure in MEASURES.items():
                spent, count = await measure(app, f"/{number}/{name}")
                best[name] = min(best.get(name, 1e9), spent / count * 1e6)
    where = "Redis" if options.redis else "memory"
    print(f"{where}, load {os.getloadavg()[0]:.0f}, the best of {ROUNDS} rounds")
    for name, microseconds in best.items():
        print(f"{microseconds:8.1f} µs  {name}")


if __name__ == "__main__":
    asyncio.run(main())
