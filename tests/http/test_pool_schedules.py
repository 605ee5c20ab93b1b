"""Random schedules give the same with an indexed pool as with httpcore2's own.

Only which idle connection is used or closed first may differ: the index takes the order in which they became
idle. httpcore's own pool is no model, because it may assign a connection to several requests, and then the
last may win.

``python tests/http/test_pool_schedules.py SECONDS`` tries new ones for so long.
"""

from __future__ import annotations

import asyncio
import gc
import itertools
import random
import re
import ssl
import sys
import time
import warnings
from collections import defaultdict
from contextlib import ExitStack
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import httpx2
import pytest
from test_pool_index import BEGINNING, PoolServer, is_indexed

from raw_server import A_LONG_TIME, ScriptServer, chunk, read_request
from ssejet import index_pools

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

TLS = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
TLS.check_hostname, TLS.verify_mode = False, ssl.CERT_NONE


class ScheduleServer(PoolServer):
    """Ends the response to ``/live?NUMBER`` when told so."""

    def __init__(self) -> None:
        super().__init__()
        self._ends: dict[str, asyncio.Event] = defaultdict(asyncio.Event)

    def end(self, number: int) -> None:
        """End a response."""
        self._loop.call_soon_threadsafe(self._ends[str(number)].set)

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        path, _, number = (await read_request(reader)).path.partition("?")
        writer.write(BEGINNING)
        if path == "/broken":
            return False
        if path == "/live":
            ends = [asyncio.create_task(self._ends[number].wait()), asyncio.create_task(reader.read(1))]
            await asyncio.wait(ends, return_when=asyncio.FIRST_COMPLETED)
            for end in ends:
                end.cancel()
            await asyncio.wait(ends)
            if not self._ends.pop(number).is_set():
                return False
        writer.write(chunk(b""))
        return True


@dataclass
class Request:
    """A request that a schedule has opened."""

    number: int
    url: str
    outcome: str = ""
    response: Any = None
    is_in_handshake: bool = False
    scope: anyio.CancelScope = field(default_factory=anyio.CancelScope)

    async def trace(self, event: str, _: Any) -> None:
        self.is_in_handshake |= event == "connection.start_tls.started"


class Run:
    """Runs a schedule with a client, and notes what happens.

    Only the outcomes of requests steer it, so the same outcomes lead to the same schedule.
    """

    def __init__(self, library: Any, servers: list[ScheduleServer], dead: dict[str, str], seed: int) -> None:
        self.library = library
        self.draw = random.Random(seed)
        self.servers = servers
        self.dead = dead
        self.notes: list[str] = []
        self.requests: list[Request] = []
        most = self.draw.choice([1, 2, 3, 5, None])
        self.most_idle = self.draw.choice([0, 1, 2, None])
        self.limits = library.Limits(max_connections=most, max_keepalive_connections=self.most_idle)

    async def run(self, prepare: Callable[[Any], Any]) -> list[str]:
        options = {"limits": self.limits, "timeout": A_LONG_TIME, "verify": TLS, "trust_env": False}
        async with (
            self.library.AsyncClient(**options) as self.client,
            anyio.create_task_group() as self.group,
        ):
            prepare(self.client)
            self.pool = self.client._transport._pool
            for _ in range(self.draw.randint(5, 40)):
                await self._step()
                with anyio.fail_after(A_LONG_TIME):
                    while not self._is_quiet():  # noqa: ASYNC110 (no event tells)
                        await anyio.sleep(0.0005)
                outcomes = [request.outcome for request in self.requests]
                requests, active, idle = re.findall(
                    r"(Requests: .*) \| .*?(\d+ active), (\d+)", repr(self.pool)
                )[0]
                self.notes.append(f"{outcomes} {requests} {active}")
                assert self.most_idle is None or int(idle) <= self.most_idle
            while left := [request for request in self.requests if request.outcome in ("", "live")]:
                for request in left:
                    if request.outcome == "live":
                        await request.response.aclose()
                        request.outcome = "closed"
                    request.scope.cancel()
                await anyio.lowlevel.checkpoint()
        assert not self.pool.connections
        assert not list(self.pool._requests)
        for server in self.servers:
            server.wait_until(lambda server=server: server.connections == 0)
        return self.notes

    async def _step(self) -> None:
        live = [request for request in self.requests if request.outcome == "live"]
        waiting = [request for request in self.requests if not request.outcome]
        step = self.draw.choice(["open", "open", "open", "end", "end", "close", "cancel", "fail"])
        self.notes.append(step)
        if step == "open":
            self._open(self.draw.choice(self.servers).base + self.draw.choice(["live", "whole", "broken"]))
        elif step == "fail":
            self._open(self.draw.choice(list(self.dead.values())))
        elif step == "cancel" and waiting:
            self.draw.choice(waiting).scope.cancel()
        elif live and step in ("end", "close"):
            request = self.draw.choice(live)
            request.outcome = step
            if step == "end":
                for server in self.servers:
                    server.end(request.number)
                await request.response.aread()
            await request.response.aclose()

    def _open(self, url: str) -> None:
        request = Request(len(self.requests), f"{url}?{len(self.requests)}")
        self.requests.append(request)
        self.group.start_soon(self._ask, request)

    async def _ask(self, request: Request) -> None:
        with request.scope:
            try:
                built = self.client.build_request("GET", request.url, extensions={"trace": request.trace})
                request.response = await self.client.send(built, stream=True)
                if "/live?" not in request.url:
                    await request.response.aread()
                request.outcome = "live" if "/live?" in request.url else "read"
            except self.library.HTTPError as error:
                request.outcome = type(error).__name__
        request.outcome = request.outcome or "cancelled"

    def _is_quiet(self) -> bool:
        """Whether each request waits for a connection or in a handshake, or has a response."""
        queued = {
            one.request.url.target.decode().rpartition("?")[2]
            for one in self.pool._requests
            if one.is_queued()
        }
        return all(
            request.outcome
            or (
                not request.scope.cancel_called and (str(request.number) in queued or request.is_in_handshake)
            )
            for request in self.requests
        )


class Trials:
    """The servers that schedules use."""

    def __init__(self, stack: ExitStack) -> None:
        self.servers = [stack.enter_context(ScheduleServer()) for _ in range(2)]
        silent = stack.enter_context(ScriptServer())
        with PoolServer() as gone:
            self.dead = {"gone": gone.base, "silent": silent.base.replace("http:", "https:")}

    def compare(self, backend: str, seed: int) -> None:
        """Run a schedule with httpcore2's own pool and with both indexed ones."""
        expected = self._run(httpx2, lambda client: client, backend, seed)
        for library in (httpx, httpx2):
            assert self._run(library, index_pools, backend, seed) == expected

    def _run(self, library: Any, prepare: Callable[[Any], Any], backend: str, seed: int) -> list[str]:
        run = Run(library, self.servers, self.dead, seed)
        with warnings.catch_warnings():
            # httpcore leaves the socket of a cancelled handshake to the garbage collector.
            warnings.simplefilter("ignore", ResourceWarning)
            notes: list[str] = anyio.run(run.run, prepare, backend=backend)
            gc.collect()
        assert is_indexed(run.pool) == (prepare is index_pools)
        return notes


BACKENDS = ("asyncio", "trio")


@pytest.mark.parametrize("backend", BACKENDS)
def test_random_schedules_give_the_same_as_with_a_pool_of_httpcore2(backend: str) -> None:
    with ExitStack() as stack:
        trials = Trials(stack)
        for seed in range(15):
            trials.compare(backend, seed)


if __name__ == "__main__":
    with ExitStack() as stack:
        trials, end = Trials(stack), time.monotonic() + float(sys.argv[1])
        for seed in itertools.count(1000):
            for backend in BACKENDS:
                print(f"\r{seed} {backend}", end="", flush=True)
                trials.compare(backend, seed)
            if time.monotonic() > end:
                break
