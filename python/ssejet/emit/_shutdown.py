"""Ends open streams when their server is told to stop.

A server that stops waits for open responses, and an event stream may never end. The lifespan protocol of
ASGI does not help: uvicorn, hypercorn and granian send its shutdown message after that wait. So this module
looks at what tells the server itself to stop:

* uvicorn, its workers and its reloader: a signal, the server's flag ``should_exit``, or its closed sockets;
* hypercorn with workers: an event of multiprocessing, which each worker gets;
* hypercorn without workers, and granian: a signal;
* any other server: the application calls ``stop_streams``.

No server is patched. While streams are open in the main thread, its signal handlers are wrapped, and called
as before. Nothing tells when a flag changes, so one timer per event loop looks at the flags twenty times a
second.
"""

from __future__ import annotations

import asyncio
import signal
import sys
import threading
from contextlib import contextmanager, suppress
from functools import partial
from typing import TYPE_CHECKING, Any

from ssejet.emit._event_loops import running_loop

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet.emit._event_loops import AsyncioLoop, TrioLoop

__all__ = ["stop_streams", "stopped_by_server"]

# How many seconds pass between two looks at the flags. It must be less than the 0.1 s of hypercorn: that
# kills its other workers as soon as one has ended.
_INTERVAL = 0.05

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]

# The open streams of each event loop.
_watches: dict[Any, _Watch] = {}


def stop_streams() -> None:
    """End all open streams of this process, as if its server were told to stop.

    Call it if your server is not one of those above, or stops in a way of its own. It may be called in any
    thread and in a signal handler, and returns at once.
    """
    for watch in tuple(_watches.values()):
        watch.stop_soon()


@contextmanager
def stopped_by_server(stop: Callable[[], None]) -> Iterator[None]:
    """While this context is open, call a function in this event loop when the server is told to stop."""
    loop = running_loop()
    watch = _watches.get(loop.key)
    if watch is None:
        watch = _watches[loop.key] = _Watch(loop)
    watch.stops.add(stop)
    try:
        yield
    finally:
        watch.stops.discard(stop)
        if not watch.stops:
            watch.close()
            del _watches[loop.key]


class _Watch:
    """Watches what tells the server of one event loop to stop, while streams are open."""

    def __init__(self, loop: AsyncioLoop | TrioLoop) -> None:
        self.stops: set[Callable[[], None]] = set()
        self._loop = loop
        self._handlers = _wrap_handlers()
        self._flags = _find_flags()
        self._cancel = loop.repeat(self._look, _INTERVAL) if self._flags else lambda: None

    def stop_soon(self) -> None:
        with suppress(RuntimeError):  # The loop is closed, so its streams are too.
            self._loop.call_soon(self._stop)

    def close(self) -> None:
        self._cancel()
        for handler in self._handlers:
            handler.unwrap()

    def _look(self) -> None:
        if any(flag() for flag in self._flags):
            self._stop()

    def _stop(self) -> None:
        self._loop.run_in_task(self._call_stops)

    def _call_stops(self) -> None:
        for stop in tuple(self.stops):
            stop()


class _WrappedHandler:
    """A signal handler that stops all streams, then calls the handler that it replaces.

    It has the attributes of that handler: ``_uvicorn_servers`` and other packages look for ``__self__``.
    """

    def __init__(self, signal_number: int, handler: Callable[[int, Any], Any]) -> None:
        self._signal_number = signal_number
        self._handler = handler

    def __call__(self, signal_number: int, frame: Any) -> Any:
        stop_streams()
        return self._handler(signal_number, frame)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._handler, name)

    def unwrap(self) -> None:
        number, handler = self._signal_number, self._handler
        if signal.getsignal(number) is self:
            _set_handler(number, handler)


def _wrap_handlers() -> list[_WrappedHandler]:
    wrapped: list[_WrappedHandler] = []
    if threading.current_thread() is threading.main_thread():
        for number in _SIGNALS:
            handler = signal.getsignal(number)
            # Python's own handler raises KeyboardInterrupt, which ends the event loop and all it runs.
            if callable(handler) and handler is not signal.default_int_handler:
                new = _WrappedHandler(number, handler)
                _set_handler(number, new)
                wrapped.append(new)
    return wrapped


def _set_handler(number: int, handler: Callable[[int, Any], Any]) -> None:
    signal.signal(number, handler)
    if sys.platform != "win32":
        signal.siginterrupt(number, False)  # as asyncio does, so that system calls are not interrupted


def _find_flags() -> list[Callable[[], bool]]:
    """Find the flags that tell the server to stop, as signals do."""
    flags: list[Callable[[], bool]] = [partial(_is_stopping, server) for server in _uvicorn_servers()]
    if "multiprocessing" in sys.modules:
        # Hypercorn gives it to each of its worker processes.
        options = getattr(sys.modules["multiprocessing"].current_process(), "_kwargs", {})
        is_set = getattr(options.get("shutdown_event"), "is_set", None)
        if is_set is not None:
            flags.append(is_set)
    return flags


def _is_stopping(server: Any) -> bool:
    # With ``limit_max_requests``, uvicorn closes its sockets after the last request and sets no flag.
    listeners = getattr(server, "servers", ())
    return server.should_exit or not all(listener.is_serving() for listener in listeners)


def _uvicorn_servers() -> list[Any]:
    if threading.current_thread() is threading.main_thread():
        candidates = [getattr(signal.getsignal(signal.SIGTERM), "__self__", None)]
    else:
        candidates = list(_serving_objects())
    return [server for server in candidates if isinstance(getattr(server, "should_exit", None), bool)]


def _serving_objects() -> Iterator[Any]:
    """Yield the objects whose method ``serve`` runs in this event loop."""
    try:
        tasks = asyncio.all_tasks()
    except RuntimeError:  # trio
        return
    for task in tasks:
        coroutine: Any = task.get_coro()
        while (frame := getattr(coroutine, "cr_frame", None)) is not None:
            if frame.f_code.co_name == "serve":
                yield frame.f_locals.get("self")
            coroutine = coroutine.cr_await
