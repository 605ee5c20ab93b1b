"""``ssejet bench`` holds a thousand streams that are all live at the same time."""

from __future__ import annotations

import asyncio
import json
import resource
import subprocess
import sys
from typing import TYPE_CHECKING, Any

import pytest
from command import SCRIPT, environment

from raw_server import RawServer, chunk, head, read_request
from ssejet.cli._open_files import allow_connections

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

STREAMS = 1000
TOKENS = 10


def _event(delta: dict[str, str], reason: str | None = None) -> bytes:
    choice = {"index": 0, "delta": delta, "finish_reason": reason}
    event = {"id": "x", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [choice]}
    return chunk(b"data: " + json.dumps(event).encode() + b"\n\n")


TOKEN = _event({"content": "a"})
END = _event({}, "stop") + chunk(b"data: [DONE]\n\n") + chunk(b"")


class ManyStreams(RawServer):
    """Sends nothing until all streams are open, then ten tokens a second on each.

    Attributes:
        most: the largest number of streams that were live at once.
    """

    def __init__(self) -> None:
        super().__init__()
        self.most = 0
        self._live = 0
        self._all_live = asyncio.Event()

    async def handle(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> bool:
        await read_request(reader)
        self._live += 1
        self.most = max(self.most, self._live)
        writer.write(head(200, {"Content-Type": "text/event-stream", "Transfer-Encoding": "chunked"}))
        if self._live == STREAMS:
            self._all_live.set()
        await self._all_live.wait()
        for _ in range(TOKENS):
            writer.write(TOKEN)
            await asyncio.sleep(0.1)
        writer.write(END)
        self._live -= 1
        return True


def test_a_thousand_live_streams_are_held_and_counted_right() -> None:
    # The server of this test needs as many files as the command.
    assert allow_connections(2 * STREAMS) is None
    with ManyStreams() as server:
        command = [SCRIPT, "bench", server.base, "-m", "m", "-c", str(STREAMS), "-n", str(STREAMS)]
        done = subprocess.run(
            [*command, "--warmup", "0", "--no-usage", "--json", "-"],
            env=environment(OPENAI_API_KEY=""),
            capture_output=True,
            text=True,
            timeout=200,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        report: dict[str, Any] = json.loads(done.stdout)
        assert (report["succeeded"], report["failed"], report["cancelled"]) == (STREAMS, 0, 0)
        assert report["tokens"] == STREAMS * TOKENS
        assert server.most == STREAMS
        generator = report["load_generator"]
        assert STREAMS <= generator["reads"] <= STREAMS * (TOKENS + 2)
        assert 0 <= generator["late_reads"] <= generator["reads"]
        assert ("It was a limit itself" in done.stderr) == generator["is_limit"]


@pytest.fixture
def files() -> Iterator[Any]:
    before = resource.getrlimit(resource.RLIMIT_NOFILE)
    yield before
    resource.setrlimit(resource.RLIMIT_NOFILE, before)


def test_the_limit_of_open_files_is_raised_as_far_as_needed(files: tuple[int, int]) -> None:
    resource.setrlimit(resource.RLIMIT_NOFILE, (400, files[1]))
    assert allow_connections(100) is None
    assert resource.getrlimit(resource.RLIMIT_NOFILE) == (400, files[1])
    assert allow_connections(500) is None
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    assert 500 < soft <= hard == files[1]


def test_more_connections_than_the_system_allows_are_refused_with_the_remedy() -> None:
    limited = "import resource, sys; resource.setrlimit(resource.RLIMIT_NOFILE, (200, 300)); "
    started = "from ssejet.cli._app import app; sys.argv = ['ssejet', *sys.argv[1:]]; app()"
    done = subprocess.run(
        [sys.executable, "-c", limited + started, "bench", "http://127.0.0.1:9/v1", "-c", "1000"],
        env=environment(),
        capture_output=True,
        text=True,
        timeout=200,
        check=False,
    )
    assert done.returncode == 2
    message = " ".join(done.stderr.replace("│", " ").split())
    assert "at most 236 connections" in message
    assert "ulimit -n" in message
