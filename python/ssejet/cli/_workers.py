"""Serves an app from several processes that listen at one port."""

from __future__ import annotations

import multiprocessing
import signal
import threading
import time
from contextlib import contextmanager, suppress
from multiprocessing import connection
from typing import TYPE_CHECKING, Any

from ssejet.cli._server import quiet_server

if TYPE_CHECKING:
    import socket
    from collections.abc import Callable, Iterator
    from types import FrameType

    import uvicorn

__all__ = ["WorkerError", "run_workers"]

# How many seconds a worker may take to end its streams.
_SHUTDOWN_TIME = 5.0

_spawn = multiprocessing.get_context("spawn")


class WorkerError(Exception):
    """A worker could not start."""


def run_workers(
    count: int,
    make_app: Callable[[], Any],
    listener: socket.socket,
    *,
    on_replaced: Callable[[int, int], None],
) -> None:
    """Serve until the process is interrupted. A worker that dies is replaced.

    Args:
        count: how many workers.
        make_app: makes the app, in each worker; it is pickled.
        listener: where they listen.
        on_replaced: called with the ids of a process that died and of the one that takes its place.

    Raises:
        WorkerError: a worker ended before it served anything.
    """
    workers: list[_Worker] = []
    with _terminated_by_signal():
        try:
            for _ in range(count):
                workers.append(_Worker(make_app, listener))  # noqa: PERF401 - those that run must be ended
            while True:
                ended = connection.wait([worker.process.sentinel for worker in workers])
                for place, worker in enumerate(workers):
                    if worker.process.sentinel not in ended:
                        continue
                    if not worker.has_started.is_set():
                        raise WorkerError("a worker could not start; its error is above")
                    workers[place] = _Worker(make_app, listener)
                    on_replaced(worker.pid, workers[place].pid)
        finally:
            for worker in workers:
                worker.process.terminate()
            for worker in workers:
                worker.process.join(_SHUTDOWN_TIME)
                if worker.process.is_alive():
                    worker.process.kill()
                    worker.process.join()


class _Worker:
    def __init__(self, make_app: Callable[[], Any], listener: socket.socket) -> None:
        self.has_started = _spawn.Event()
        self.process = _spawn.Process(
            target=_serve, args=(make_app, listener, self.has_started), daemon=True, name="ssejet-worker"
        )
        with _without_interrupts():
            self.process.start()

    @property
    def pid(self) -> int:
        return self.process.pid or 0


def _serve(make_app: Callable[[], Any], listener: socket.socket, has_started: Any) -> None:
    server = quiet_server(make_app(), has_lifespan=True)
    threading.Thread(target=_watch, args=(server, has_started), daemon=True).start()
    with suppress(KeyboardInterrupt):
        server.run([listener])


def _watch(server: uvicorn.Server, has_started: Any) -> None:
    """Say when the server has started, and end it when the parent has died."""
    while not server.started:  # uvicorn offers no event to wait for
        time.sleep(0.01)
    has_started.set()
    parent = multiprocessing.parent_process()
    if parent is not None:
        parent.join()
        server.should_exit = True


@contextmanager
def _without_interrupts() -> Iterator[None]:
    """Let the children of this block ignore Ctrl-C, which a terminal sends to all: their parent ends them."""
    if not hasattr(signal, "pthread_sigmask"):  # Windows
        yield
        return
    before = signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGINT})
    try:
        yield
    finally:
        signal.pthread_sigmask(signal.SIG_SETMASK, before)


@contextmanager
def _terminated_by_signal() -> Iterator[None]:
    """Clean up at SIGTERM too, which would leave the children behind."""

    def leave(number: int, _: FrameType | None) -> None:
        raise SystemExit(128 + number)

    before = signal.signal(signal.SIGTERM, leave)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)
