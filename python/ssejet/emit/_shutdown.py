"""Ends open streams when the server begins to stop.

A stopping server waits for open responses, but an event stream may never end. ASGI's lifespan protocol does
not help: uvicorn, hypercorn and granian send the shutdown message only after that wait. So this module
watches for the same stop requests as the server:

* uvicorn, with or without workers or reloader: a signal, the flag ``should_exit``, or closed sockets;
* hypercorn with workers: a multiprocessing event;
* hypercorn without workers, and granian: a signal;
* any other server: the application calls ``stop_streams``.

This module patches no server. While streams are open in the main thread, it wraps the signal handlers, and
still calls the original ones. A flag sends no notice when it changes, so one timer per event loop checks the
flags 20 times per second.
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

# The seconds between two checks of the flags. It must be less than hypercorn's 0.1 s, because hypercorn kills
# the other workers as soon as one ends.
_CHECK_INTERVAL = 0.05

_SIGNALS = [getattr(signal, name) for name in ("SIGINT", "SIGTERM", "SIGBREAK") if hasattr(signal, name)]

# One watcher for each event loop that has open streams.
_watchers: dict[Any, _StopWatcher] = {}


def stop_streams() -> None:
    """End all open streams of this process.

    Call it before the server stops, if the server is not uvicorn, hypercorn or granian. You can call it from
    any thread and from a signal handler. It returns at once.
    """
    for watcher in tuple(_watchers.values()):
        watcher.stop_soon()


@contextmanager
def stopped_by_server(stop: Callable[[], None]) -> Iterator[None]:
    """Call a function in this event loop if the server begins to stop while this context is open."""
    loop = running_loop()
    watcher = _watchers.get(loop.key)
    if watcher is None:
        watcher = _watchers[loop.key] = _StopWatcher(loop)
    watcher.callbacks.add(stop)
    try:
        yield
    finally:
        watcher.callbacks.discard(stop)
        if not watcher.callbacks:
            watcher.close()
            del _watchers[loop.key]


class _StopWatcher:
    """Watches, for one event loop, whether the server begins to stop."""

    def __init__(self, loop: AsyncioLoop | TrioLoop) -> None:
        self.callbacks: set[Callable[[], None]] = set()
        self._loop = loop
        self._handlers = _wrap_handlers()
        self._flags = _find_flags()
        self._cancel = loop.repeat(self._check_flags, _CHECK_INTERVAL) if self._flags else lambda: None

    def stop_soon(self) -> None:
        with suppress(RuntimeError):  # the loop is closed, so no stream is open
            self._loop.call_soon(self._stop)

    def close(self) -> None:
        self._cancel()
        for handler in self._handlers:
            handler.unwrap()

    def _check_flags(self) -> None:
        if any(flag() for flag in self._flags):
            self._stop()

    def _stop(self) -> None:
        self._loop.run_in_task(self._call_all)

    def _call_all(self) -> None:
        for callback in tuple(self.callbacks):
            callback()


class _WrappedHandler:
    """A signal handler that stops all streams, then calls the original handler.

    It has the original handler's attributes: ``_uvicorn_servers`` and other packages read ``__self__``.
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
            # Python's default handler raises KeyboardInterrupt, which already ends the event loop.
            if callable(handler) and handler is not signal.default_int_handler:
                new = _WrappedHandler(number, handler)
                _set_handler(number, new)
                wrapped.append(new)
    return wrapped


def _set_handler(number: int, handler: Callable[[int, Any], Any]) -> None:
    signal.signal(number, handler)
    if sys.platform != "win32":
        signal.siginterrupt(number, False)  # restart interrupted system calls, as asyncio does


def _find_flags() -> list[Callable[[], bool]]:
    """Find the flags that tell the server to stop."""
    flags: list[Callable[[], bool]] = [partial(_is_stopping, server) for server in _uvicorn_servers()]
    if "multiprocessing" in sys.modules:
        # hypercorn passes an event as an argument to each worker process.
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
    """Yield each object whose method ``serve`` is running in this event loop."""
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
