"""`python -m benches.sending`: measures what an event costs a server, beside Starlette's own response.

A uvicorn server in a separate process sends the same events in both ways, in turn, to a client that reads
them. The figure is that process's processor time per event, for the source, the response and the server. The
source of Starlette's response encodes its events itself.
"""

from __future__ import annotations

import argparse
import asyncio
import multiprocessing
import statistics
import time
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, StreamingResponse
from starlette.routing import Route

from ssejet import encode
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable
    from multiprocessing.connection import Connection

    from starlette.requests import Request

WAYS = ("bare", "ssejet")
GOAL = 1.1

# How a source waits before each item, and how many items a round has.
PACES: dict[str, tuple[Callable[[], Any] | None, int]] = {
    "a turn of the event loop": (lambda: asyncio.sleep(0), 10_000),
    "half a millisecond": (lambda: asyncio.sleep(0.0005), 1_500),
    "not at all": (None, 10_000),
}
PACED = [name for name, (wait, _) in PACES.items() if wait is not None]

_ITEM = {
    "id": "chatcmpl-123",
    "choices": [{"index": 0, "delta": {"content": " token"}, "finish_reason": None}],
}


async def _source(pace: str, convert: Callable[[Any], Any], took: list[float]) -> AsyncIterator[Any]:
    wait, count = PACES[pace]
    began = time.process_time()
    for _ in range(count):
        if wait is not None:
            await wait()
        yield convert(_ITEM)
    took.append((time.process_time() - began) / count)


def serve(connection: Connection) -> None:
    """Serve both ways, and print the port."""
    took: list[float] = []

    async def respond(request: Request) -> StreamingResponse:
        pace = request.query_params["pace"]
        if request.path_params["way"] == "bare":
            return StreamingResponse(_source(pace, encode, took), media_type="text/event-stream")
        return EventStreamResponse(_source(pace, lambda item: item, took), done=None)

    async def figure(_: Request) -> JSONResponse:
        return JSONResponse(took.pop())

    app = Starlette(routes=[Route("/figure", figure), Route("/{way}", respond)])
    server = uvicorn.Server(uvicorn.Config(app, port=0, log_level="critical", lifespan="off"))

    async def run() -> None:
        serving = asyncio.create_task(server.serve())
        while not server.started:  # noqa: ASYNC110 (uvicorn offers no event to wait for)
            await asyncio.sleep(0.01)
        connection.send(server.servers[0].sockets[0].getsockname()[1])
        await serving

    asyncio.run(run())


def measure(client: httpx.Client, way: str, pace: str) -> float:
    """Measure the seconds of processor time per event."""
    size = 0
    with client.stream("GET", f"/{way}", params={"pace": pace}) as response:
        for chunk in response.iter_raw():
            size += len(chunk)
    expected = len(encode(_ITEM)) * PACES[pace][1]
    assert size == expected, f"{way} sent {size} bytes instead of {expected}"
    return float(client.get("/figure").json())


def compare(rounds: int, paces: list[str]) -> dict[str, dict[str, list[float]]]:
    """Measure both ways in turn; return the figures by pace and way."""
    ours, theirs = multiprocessing.get_context("spawn").Pipe()
    process = multiprocessing.get_context("spawn").Process(target=serve, args=(theirs,), daemon=True)
    process.start()
    try:
        with httpx.Client(
            base_url=f"http://127.0.0.1:{ours.recv()}", trust_env=False, timeout=None
        ) as client:
            figures: dict[str, dict[str, list[float]]] = {pace: {way: [] for way in WAYS} for pace in paces}
            for number in range(-1, rounds):
                for pace in paces:
                    for way in WAYS if number % 2 else reversed(WAYS):
                        figure = measure(client, way, pace)
                        if number >= 0:  # the first round warms up
                            figures[pace][way].append(figure)
            return figures
    finally:
        process.terminate()
        process.join()


def main() -> None:
    parser = argparse.ArgumentParser(prog="python -m benches.sending", description=__doc__)
    parser.add_argument("--rounds", type=int, default=15, metavar="N", help="default: %(default)s")
    options = parser.parse_args()
    print("processor time per event in microseconds, medians; the ratio is the median of the rounds' ratios")
    for pace, figures in compare(options.rounds, list(PACES)).items():
        ratio = statistics.median(b / a for a, b in zip(*(figures[way] for way in WAYS), strict=True))
        medians = ", ".join(f"{way} {statistics.median(figures[way]) * 1e6:.1f}" for way in WAYS)
        goal = ""
        if pace in PACED:
            goal = f" (goal: {GOAL}, {'met' if ratio <= GOAL else 'missed'})"
        print(f"a source that waits {pace}: {medians}, ratio {ratio:.2f}{goal}")


if __name__ == "__main__":
    main()
