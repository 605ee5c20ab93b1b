from __future__ import annotations

import asyncio
import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import threading
from itertools import count, product
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import pytest
import trio
from probes import TIMEOUT, Probe, asgi_server, eventually
from starlette.applications import Starlette
from starlette.background import BackgroundTask
from starlette.routing import Route

from servers import Server, Then
from ssejet.emit import arelay
from ssejet.emit._shutdown import stop_streams, stopped_by_server
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    import uvicorn

pytestmark = pytest.mark.slow

HERE = Path(__file__).parent
APP = HERE / "stopping_app.py"
LAST_EVENT = b"event: shutdown\ndata: bye\n\n"
SCOPE = {"type": "http", "method": "GET"}

needs_signals = pytest.mark.skipif(sys.platform == "win32", reason="Windows has no SIGTERM")

SERVERS = {
    "uvicorn": ["uvicorn", "--port={port}"],
    "uvicorn with two workers": ["uvicorn", "--port={port}", "--workers=2"],
    "uvicorn that reloads": ["uvicorn", "--port={port}", "--reload"],
    "hypercorn": ["hypercorn", "--bind=127.0.0.1:{port}"],
    "hypercorn without workers": ["hypercorn", "--bind=127.0.0.1:{port}", "--workers=0"],
    "hypercorn with two workers": ["hypercorn", "--bind=127.0.0.1:{port}", "--workers=2"],
    "hypercorn on trio": ["hypercorn", "--bind=127.0.0.1:{port}", "--worker-class=trio"],
    "granian": ["granian", "--interface=asgi", "--port={port}"],
    "granian with two workers": ["granian", "--interface=asgi", "--port={port}", "--workers=2"],
}


class RunningServer:
    """A server in a process of its own, which serves ``stopping_app``."""

    def __init__(self, name: str, directory: Path) -> None:
        module, *options = SERVERS[name]
        pytest.importorskip(module)
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            self.port = free.getsockname()[1]
        self.app = directory / APP.name
        self.log = directory / "log"
        shutil.copy(APP, self.app)
        self.process = subprocess.Popen(
            [sys.executable, "-m", module, *(o.format(port=self.port) for o in options), "stopping_app:app"],
            cwd=directory,
            env={**os.environ, "STOPPING_APP_LOG": str(self.log), "PYTHONPATH": _python_path(directory)},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    def wait_until_it_answers(self) -> None:
        # A process takes long to start on a busy machine.
        assert any(eventually(self._answers) for _ in range(6)), "the server did not start"

    def url(self, source: str) -> str:
        return f"http://127.0.0.1:{self.port}/{source}?last_event=yes"

    def closed(self) -> set[str]:
        """The sources that were closed."""
        return {line.split()[0] for line in self.log.read_text().splitlines()} if self.log.exists() else set()

    def _answers(self) -> bool:
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", self.port), 1):
            return True
        return False


def _python_path(directory: Path) -> str:
    return os.pathsep.join([str(directory), *filter(None, sys.path)])


@pytest.fixture
def run(tmp_path: Path) -> Iterator[Callable[[str], RunningServer]]:
    """Run one of the servers."""
    servers: list[RunningServer] = []

    def start(name: str) -> RunningServer:
        server = RunningServer(name, tmp_path)
        servers.append(server)
        server.wait_until_it_answers()
        return server

    yield start
    for server in servers:
        if server.process.poll() is None:
            server.process.terminate()
        server.process.communicate(timeout=200)


class Reader(threading.Thread):
    """Reads one stream to its end.

    Attributes:
        begun: the first event has come.
        complete: the response came to its regular end.
    """

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.begun = threading.Event()
        self.received = b""
        self.complete = False
        self.start()

    def run(self) -> None:
        with (
            contextlib.suppress(httpx.HTTPError),
            httpx.stream("GET", self.url, trust_env=False, timeout=60) as response,
        ):
            for chunk in response.iter_raw():
                self.received += chunk
                self.begun.set()
            self.complete = True


def read(server: RunningServer, *sources: str) -> list[Reader]:
    readers = [Reader(server.url(source)) for source in sources]
    for reader in readers:
        assert reader.begun.wait(TIMEOUT)
    return readers


def assert_ended_in_order(readers: list[Reader]) -> None:
    for reader in readers:
        reader.join(200)
        assert (reader.url, reader.complete) == (reader.url, True)
        assert reader.received.endswith(LAST_EVENT)


@needs_signals
@pytest.mark.parametrize("name", [name for name in SERVERS if "two" not in name and "reload" not in name])
def test_a_server_that_gets_sigterm_ends_its_streams(name: str, run: Callable[..., RunningServer]) -> None:
    server = run(name)
    sources = {"waiting", "busy", "slow_cleanup", "in_threads"}
    readers = read(server, *sources)
    server.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(readers)
    assert server.closed() == sources
    server.process.communicate(timeout=200)


@needs_signals
@pytest.mark.parametrize(
    ("name", "source"),
    [
        # Each source on asyncio, those that trio has too on trio, and those that never end on each server.
        *(("uvicorn", source) for source in ("shielded", "shielded_at_yield", "shielded_by_asyncio")),
        *(("hypercorn on trio", source) for source in ("shielded", "shielded_at_yield")),
        *product(
            ("uvicorn", "hypercorn without workers", "hypercorn on trio", "granian"), ("stubborn", "asleep")
        ),
    ],
)
def test_a_source_that_cleans_up_for_too_long_delays_neither_its_client_nor_the_server(
    name: str, source: str, run: Callable[..., RunningServer]
) -> None:
    server = run(name)
    readers = read(server, source)
    server.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(readers)
    output, _ = server.process.communicate(timeout=200)
    if name == "uvicorn":  # the others do not wait for so long themselves
        # asyncio.shield gives way at once: what it shields goes on in a task of its own.
        cut_short = f"the cleanup of the source {source} of a stream was cut short" in output.decode()
        assert cut_short == (source != "shielded_by_asyncio")
        assert b"Traceback" not in output


@needs_signals
def test_a_source_that_fails_to_clean_up_is_logged_and_the_last_event_is_sent(
    run: Callable[..., RunningServer],
) -> None:
    server = run("uvicorn")
    readers = read(server, "failing")
    server.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(readers)
    output, _ = server.process.communicate(timeout=200)
    assert b"the source failing of a stream failed to clean up" in output
    assert b"ValueError: no" in output


@needs_signals
@pytest.mark.parametrize("name", [name for name in SERVERS if "two" in name])
def test_a_server_with_two_workers_ends_the_streams_of_both(
    name: str, run: Callable[..., RunningServer]
) -> None:
    server = run(name)
    readers: list[Reader] = []

    def both_stream() -> bool:  # a worker that is still starting may miss the signal
        readers.extend(read(server, "waiting", "busy"))
        return len({reader.received.split(b"\n")[0] for reader in readers}) == 2

    assert eventually(both_stream)
    server.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(readers)
    server.process.communicate(timeout=200)


@needs_signals
def test_a_server_that_reloads_ends_its_streams(run: Callable[..., RunningServer]) -> None:
    server = run("uvicorn that reloads")
    readers = read(server, "waiting", "busy")
    times = count(int(server.app.stat().st_mtime) + 1)

    def change_and_look() -> bool:  # the reloader may not have looked at the file before
        os.utime(server.app, (0, next(times)))
        return server.closed() == {"waiting", "busy"}

    assert eventually(change_and_look)
    assert_ended_in_order(readers)

    def streams_again() -> bool:  # after the last change the server may restart once more
        readers.append(Reader(server.url("waiting")))
        return readers[-1].begun.wait(2)

    assert eventually(streams_again)
    server.process.send_signal(signal.SIGTERM)
    assert_ended_in_order(readers[-1:])


@needs_signals
def test_ctrl_c_ends_streams_too(run: Callable[..., RunningServer]) -> None:
    server = run("uvicorn")
    readers = read(server, "waiting")
    server.process.send_signal(signal.SIGINT)
    assert_ended_in_order(readers)


# A server in this process


@pytest.fixture
def serve() -> Iterator[Callable[..., tuple[uvicorn.Server, str]]]:
    """Serve a response from a thread, and give the server and its URL."""
    with contextlib.ExitStack() as servers:

        def start(respond: Callable[[], Any], **options: Any) -> tuple[uvicorn.Server, str]:
            async def endpoint(_: Any) -> Any:
                response = respond()
                return await response if asyncio.iscoroutine(response) else response

            return servers.enter_context(asgi_server(Starlette(routes=[Route("/", endpoint)]), **options))

        yield start


def test_a_server_that_is_stopped_by_its_flag_ends_its_streams(serve: Callable[..., Any]) -> None:
    probe = Probe(waits_after=1)
    server, url = serve(lambda: EventStreamResponse(probe.asynchronous()))
    reader = Reader(url)
    assert reader.begun.wait(TIMEOUT)
    server.should_exit = True
    reader.join(200)
    assert reader.complete
    assert probe.ended_by is asyncio.CancelledError


def test_a_server_that_has_had_its_last_request_ends_its_streams(serve: Callable[..., Any]) -> None:
    probe = Probe(waits_after=1)
    contents = iter([probe.asynchronous(), ["short"]])
    _, url = serve(lambda: EventStreamResponse(next(contents)), limit_max_requests=1)
    reader = Reader(url)
    assert reader.begun.wait(TIMEOUT)
    httpx.get(url, trust_env=False)
    reader.join(200)
    assert reader.complete
    assert probe.closed.is_set()


def test_an_application_can_end_its_streams_itself(serve: Callable[..., Any]) -> None:
    probes = [Probe(waits_after=1), Probe()]
    given = iter(probes)
    ran = []

    def respond() -> EventStreamResponse:
        task = BackgroundTask(ran.append, "background")
        return EventStreamResponse(next(given).asynchronous(), background=task, on_shutdown="bye")

    _, url = serve(respond)
    readers = [Reader(url), Reader(url)]
    for reader in readers:
        assert reader.begun.wait(TIMEOUT)
    stop_streams()
    for reader, probe in zip(readers, probes, strict=True):
        reader.join(200)
        assert reader.complete
        assert reader.received.endswith(b"data: bye\n\n")
        assert probe.closed.is_set()
    assert eventually(lambda: ran == ["background", "background"])


def test_a_stream_that_has_not_begun_gets_a_complete_response(serve: Callable[..., Any]) -> None:
    probe = Probe(waits_after=0)
    opened = threading.Event()

    async def source() -> AsyncIterator[str]:
        opened.set()
        async for item in probe.asynchronous():
            yield item

    _, url = serve(lambda: EventStreamResponse(source(), on_shutdown="bye"))
    reader = Reader(url)
    assert opened.wait(TIMEOUT)
    stop_streams()
    reader.join(200)
    assert (reader.complete, reader.received) == (True, b"data: bye\n\n")


def test_the_last_event_is_not_put_into_an_event_that_a_relay_passes_on(
    serve: Callable[..., Any], server: Server
) -> None:
    answer = server.answer(b"data: whole\n\ndata: half", Then.HANG)

    async def respond() -> EventStreamResponse:
        client = httpx.AsyncClient(trust_env=False)
        upstream = await client.send(client.build_request("GET", answer.url), stream=True)
        return EventStreamResponse(arelay(upstream), on_shutdown="bye")

    _, url = serve(respond)
    reader = Reader(url)
    assert eventually(lambda: reader.received.endswith(b"half"))
    stop_streams()
    reader.join(200)
    assert (reader.complete, reader.received) == (True, b"data: whole\n\ndata: half")
    assert answer.left.wait(TIMEOUT)


def test_a_client_that_does_not_read_does_not_delay_the_server(serve: Callable[..., Any]) -> None:
    probe = Probe(size=100_000)
    _, url = serve(lambda: EventStreamResponse(probe.asynchronous(), on_shutdown="bye"))
    address = httpx.URL(url)
    with socket.create_connection((address.host, address.port)) as client:
        client.sendall(b"GET / HTTP/1.1\r\nHost: test\r\n\r\n")
        assert eventually(probe.stands_still)
        stop_streams()
        assert probe.closed.wait(TIMEOUT)


def test_a_source_that_waits_in_a_thread_does_not_keep_its_client_waiting(serve: Callable[..., Any]) -> None:
    gate, waits, closed = threading.Event(), threading.Event(), threading.Event()

    def source() -> Iterator[str]:
        try:
            yield "a"
            waits.set()
            gate.wait(200)
        finally:
            closed.set()

    _, url = serve(lambda: EventStreamResponse(source(), on_shutdown="bye"))
    reader = Reader(url)
    assert waits.wait(TIMEOUT)
    stop_streams()
    reader.join(200)
    assert not closed.is_set()
    assert (reader.complete, reader.received) == (True, b"data: a\n\ndata: bye\n\n")
    gate.set()
    assert closed.wait(TIMEOUT)


def test_a_later_server_in_the_same_process_streams(serve: Callable[..., Any]) -> None:
    for _ in range(2):
        server, url = serve(lambda: EventStreamResponse(["a"], done=None))
        assert httpx.get(url, trust_env=False).content == b"data: a\n\n"
        server.should_exit = True


# The signal handlers


@pytest.fixture
def handled() -> Iterator[list[int]]:
    """The signals that a handler of the application has got."""
    numbers: list[int] = []
    before = signal.signal(signal.SIGTERM, lambda number, _: numbers.append(number))
    yield numbers
    signal.signal(signal.SIGTERM, before)


def test_signal_handlers_are_called_as_before_and_restored(handled: list[int]) -> None:
    before = [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)]
    stopped = []

    async def run() -> None:
        with stopped_by_server(lambda: stopped.append(1)), stopped_by_server(lambda: stopped.append(2)):
            signal.raise_signal(signal.SIGTERM)
            for _ in range(3):
                await asyncio.sleep(0.001)

    asyncio.run(run())
    assert (sorted(stopped), handled) == ([1, 2], [signal.SIGTERM])
    assert [signal.getsignal(number) for number in (signal.SIGTERM, signal.SIGINT)] == before


def test_a_handler_that_was_installed_later_stays(handled: list[int]) -> None:
    def other(*_: Any) -> None: ...

    async def run() -> None:
        with stopped_by_server(lambda: None):
            signal.signal(signal.SIGTERM, other)

    asyncio.run(run())
    assert signal.getsignal(signal.SIGTERM) is other


def test_a_handler_of_the_event_loop_is_called_too() -> None:
    seen = []

    async def run() -> None:
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, seen.append, "loop")
        with stopped_by_server(lambda: seen.append("stream")):
            signal.raise_signal(signal.SIGTERM)
            for _ in range(3):
                await asyncio.sleep(0.001)
        asyncio.get_running_loop().remove_signal_handler(signal.SIGTERM)

    asyncio.run(run())
    assert sorted(seen) == ["loop", "stream"]


def test_no_handler_is_installed_in_a_process_without_handlers() -> None:
    async def run() -> Any:
        with stopped_by_server(lambda: None):
            return signal.getsignal(signal.SIGTERM)

    assert asyncio.run(run()) is signal.SIG_DFL


def test_streams_end_on_trio(handled: list[int]) -> None:
    sent: list[Any] = []

    async def run() -> None:
        async def source() -> AsyncIterator[str]:
            yield "a"
            signal.raise_signal(signal.SIGTERM)
            await anyio.sleep_forever()

        async def send(message: Any) -> None:
            sent.append(message)

        await EventStreamResponse(source(), on_shutdown="bye")(SCOPE, trio.sleep_forever, send)

    trio.run(run)
    assert [message.get("body") for message in sent] == [None, b"data: a\n\n", b"data: bye\n\n", b""]
    assert handled == [signal.SIGTERM]


def test_a_response_ends_if_its_source_takes_long_to_clean_up(
    serve: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("ssejet.emit.starlette._response._CLEANUP_TIME", 0.01)
    closed = threading.Event()

    async def source() -> AsyncIterator[str]:
        try:
            while True:
                yield "x"
                await asyncio.sleep(0)
        finally:
            try:
                await asyncio.Event().wait()
            except asyncio.CancelledError:
                closed.set()
                raise

    _, url = serve(lambda: EventStreamResponse(source(), on_shutdown="bye"))
    reader = Reader(url)
    assert reader.begun.wait(TIMEOUT)
    stop_streams()
    reader.join(200)
    assert reader.complete
    assert closed.wait(TIMEOUT)
