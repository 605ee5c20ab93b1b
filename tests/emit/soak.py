"""Many streams through a relay, with clients that leave at any time.

The server behind, the relay and the clients have a process each. Every client checks that it receives each
event once and in order; in the end nothing must be left in the relay, and its memory must not have grown.

`python tests/emit/soak.py --seconds 60` says what came of it.
"""

from __future__ import annotations

import argparse
import asyncio
import logging
import multiprocessing
import random
import statistics
import time
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from chat_server import ChatServer, open_sockets
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

from ssejet import Decoder
from ssejet.emit import arelay
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import Iterator
    from multiprocessing.connection import Connection

    from starlette.requests import Request

HEARTBEAT = 0.03
PAUSES = (0.0, 0.002, 0.01, 0.1)
MOST_TOKENS = 200


@dataclass
class Soaked:
    """What came of it."""

    streams: int = 0
    left: int = 0
    events: int = 0
    heartbeats: int = 0
    wrong: list[str] = field(default_factory=list)
    relay_before: dict[str, int] = field(default_factory=dict)
    relay_after: dict[str, int] = field(default_factory=dict)
    memory: list[int] = field(default_factory=list)
    """KiB resident in the relay's process, sampled over the run."""
    behind_after: int = -1

    @property
    def growth(self) -> float:
        """The memory of the last fifth of the run, by that of the second."""
        fifth = max(1, len(self.memory) // 5)
        return statistics.median(self.memory[-fifth:]) / statistics.median(self.memory[fifth : 2 * fifth])

    def report(self) -> str:
        wrong = "".join(f"\n  {each}" for each in self.wrong[:5])
        tenth = max(1, len(self.memory) // 10)
        curve = [
            f"{max(self.memory[at : at + tenth]) / 1024:.1f}" for at in range(0, len(self.memory), tenth)
        ]
        return f"""\
{self.streams} streams, of which {self.left} were left early
{self.events} events, {self.heartbeats} heartbeats
lost, doubled or broken: {len(self.wrong)}{wrong}
left over behind the relay: {self.behind_after} streams
in the relay before: {self.relay_before}
in the relay after:  {self.relay_after}
the relay's memory over the run: {", ".join(curve)} MiB; growth once warm {100 * (self.growth - 1):+.1f} %"""


def soak(*, seconds: float, streams: int, seed: int = 1) -> Soaked:
    """Relay so many streams at a time for so long."""
    with ExitStack() as stack:
        behind = stack.enter_context(_process(_serve_behind))
        relay = stack.enter_context(_process(_serve_relay, behind))
        return asyncio.run(_Clients(behind, relay, random.Random(seed)).run(seconds, streams))


class _Clients:
    def __init__(self, behind: str, relay: str, chance: random.Random) -> None:
        self.behind = behind
        self.relay = relay
        self.chance = chance
        self.soaked = Soaked()

    async def run(self, seconds: float, streams: int) -> Soaked:
        limits = httpx.Limits(max_connections=None, max_keepalive_connections=0)
        async with httpx.AsyncClient(trust_env=False, limits=limits, timeout=30) as client:
            soaked = self.soaked
            soaked.relay_before = await self._counts(client, self.relay)
            end = time.monotonic() + seconds
            watching = asyncio.ensure_future(self._watch(client))
            await asyncio.gather(*(self._listen_until(end, client) for _ in range(streams)))
            watching.cancel()
            for _ in range(100):
                soaked.relay_after = await self._counts(client, self.relay)
                counts = await self._counts(client, self.behind)
                soaked.behind_after = counts["streams"]
                if soaked.behind_after == 0 and soaked.relay_after["tasks"] <= soaked.relay_before["tasks"]:
                    break
                await asyncio.sleep(0.1)
            return soaked

    async def _watch(self, client: httpx.AsyncClient) -> None:
        while True:
            self.soaked.memory.append((await self._counts(client, self.relay))["memory"])
            await asyncio.sleep(0.25)

    async def _counts(self, client: httpx.AsyncClient, url: str) -> dict[str, int]:
        counts: dict[str, int] = (await client.get(f"{url}/counts")).json()
        return counts

    async def _listen_until(self, end: float, client: httpx.AsyncClient) -> None:
        while time.monotonic() < end:
            try:
                await self._listen(client, end)
            except Exception as error:  # noqa: PERF203 - the loop goes on
                self.soaked.wrong.append(f"{type(error).__name__}: {error}")

    async def _listen(self, client: httpx.AsyncClient, end: float) -> None:
        """Ask for some tokens, and leave before the end in about half of the cases."""
        tokens = self.chance.randint(0, MOST_TOKENS)
        leave_after = self.chance.choice([tokens + 1, self.chance.randint(0, tokens)])
        question = {"tokens": tokens, "pause": self.chance.choice(PAUSES)}
        path = self.chance.choice(["verbatim", "normalised"])
        self.soaked.streams += 1
        expected = 0
        decoder = Decoder(on_comment=self._count_heartbeat)
        async with client.stream("POST", f"{self.relay}/{path}", json=question) as response:
            if leave_after > 0:
                async for event in decoder.aiter_bytes(response.aiter_bytes()):
                    if event.data == "[DONE]":
                        break
                    found = event.json()["choices"][0]["delta"]["content"]
                    if found != f" {expected}":
                        raise AssertionError(f"event {expected} of {path} is {found!r}")
                    expected += 1
                    self.soaked.events += 1
                    if expected == leave_after or time.monotonic() > end:
                        self.soaked.left += 1
                        return
                if expected != tokens:
                    raise AssertionError(f"{expected} events of {path} instead of {tokens}")

    def _count_heartbeat(self, _: str) -> None:
        self.soaked.heartbeats += 1


@contextmanager
def _process(target: Any, *arguments: str) -> Iterator[str]:
    context = multiprocessing.get_context("spawn")
    ours, theirs = context.Pipe()
    process = context.Process(target=target, args=(theirs, *arguments), daemon=True)
    process.start()
    try:
        yield ours.recv()
    finally:
        ours.send("stop")
        process.join()


def _serve_behind(pipe: Connection) -> None:
    chat = ChatServer()

    async def app(scope: Any, receive: Any, send: Any) -> None:
        if scope["path"] == "/counts":
            await JSONResponse({"streams": chat.streams})(scope, receive, send)
        else:
            await chat(scope, receive, send)

    asyncio.run(_serve(app, pipe))


def _serve_relay(pipe: Connection, behind: str) -> None:
    client = httpx.AsyncClient(
        trust_env=False, limits=httpx.Limits(max_connections=None, max_keepalive_connections=0), timeout=30
    )

    async def respond(request: Request) -> Response:
        question = client.build_request("POST", f"{behind}/chat/completions", json=await request.json())
        upstream = await client.send(question, stream=True)
        verbatim = request.url.path == "/verbatim"
        return EventStreamResponse(arelay(upstream, verbatim=verbatim, heartbeat=HEARTBEAT))

    async def counts(_: Request) -> Response:
        return JSONResponse(
            {"tasks": len(asyncio.all_tasks()), "sockets": open_sockets(), "memory": _memory()}
        )

    routes = [Route(path, respond, methods=["POST"]) for path in ("/verbatim", "/normalised")]
    asyncio.run(_serve(Starlette(routes=[*routes, Route("/counts", counts)]), pipe))


def _memory() -> int:
    return int(Path("/proc/self/status").read_text().partition("VmRSS:")[2].split()[0])


async def _serve(app: Any, pipe: Connection) -> None:
    # It warns of every write to a client that has just left.
    logging.getLogger("asyncio").setLevel(logging.ERROR)
    server = uvicorn.Server(uvicorn.Config(app, port=0, lifespan="off", ws="none", log_level="critical"))
    serving = asyncio.ensure_future(server.serve())
    while not server.started:  # noqa: ASYNC110 - uvicorn has nothing to wait on
        await asyncio.sleep(0.01)
    pipe.send("http://{}:{}".format(*server.servers[0].sockets[0].getsockname()))
    with suppress(EOFError):
        await asyncio.to_thread(pipe.recv)
    server.should_exit = True
    await serving


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--streams", type=int, default=200, help="at a time (default: 200)")
    parser.add_argument("--seed", type=int, default=1)
    print(soak(**vars(parser.parse_args())).report())


if __name__ == "__main__":
    main()
