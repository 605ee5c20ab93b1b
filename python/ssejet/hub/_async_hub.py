"""The hub for asyncio and trio."""

from __future__ import annotations

from collections import OrderedDict
from contextlib import suppress
from functools import partial
from secrets import token_hex
from typing import TYPE_CHECKING, Any, Literal

import anyio

from ssejet._http.deadlines import check_seconds
from ssejet.errors import HubError, LogFinishedError
from ssejet.hub._engine import Lease
from ssejet.hub._entries import drafts_of, end_draft
from ssejet.hub._follower import Follower
from ssejet.hub._memory import MemoryEngine
from ssejet.hub._producer import Producer
from ssejet.hub._relay import upstream_source
from ssejet.hub._source import function_source
from ssejet.hub._tasks import completed, spawn
from ssejet.hub._window import Bounds

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable
    from types import TracebackType

    from typing_extensions import Self

    from ssejet._core import ServerSentEvent
    from ssejet.emit.starlette import EventStreamResponse
    from ssejet.hub._engine import Engine, Writer
    from ssejet.hub._entries import Entry
    from ssejet.hub._machine import Status
    from ssejet.hub._producer import OnSourceError
    from ssejet.hub._source import Source

__all__ = ["AsyncHub", "Shutdown", "check_key"]

Shutdown = Literal["finish", "abandon"]

# How many keys that this process publishes to keep their writer.
_MAX_WRITERS = 1000

_LONGEST_KEY = 1024


class AsyncHub:
    """Keeps the events of each answer in a log, which any number of clients follow and resume.

    ::

        hub = AsyncHub()

        await hub.start(key, lambda: answer(prompt))  # runs on when this request has ended
        return hub.response(key, request)             # replays, then follows

    A log belongs to a key, which the application chooses. Anybody who knows a key can read its log through
    the application's endpoint, so a key names its user, or cannot be guessed.

    Args:
        url: ``"redis://…"``, ``"rediss://…"`` or ``"unix://…"`` for logs in Redis, which all processes share;
            None for logs in the memory of this process.
        client: a client of ``redis.asyncio`` instead of a URL. The hub does not close it.
        prefix: the first part of the names of all keys in Redis.
        ttl: the seconds after its last event after which a log is removed. A live log is kept while it has a
            producer or a follower.
        max_events: how many events of a log to keep. A follower that needs an older one gets an event
            ``gap``, with how many it has missed.
        max_bytes: how many bytes of a log to keep.
        max_age: for how many seconds to keep an event; None for no limit.
        gather: for Redis, the seconds for which events are gathered while an append is under way or has just
            been; 0 for no more than that. The first event is sent at once.
        timeout: for Redis, the seconds after which a call that gets no answer raises ``HubError``. Until
            then it is repeated, so that nobody notices a short restart. Followers and producers that have
            begun wait for as long as it takes.
        shutdown: what ``aclose()`` does with producers that run: ``"finish"`` lets them end for
            ``shutdown_timeout`` seconds, ``"abandon"`` ends them at once. Followers of a log that is ended
            early get an event ``error``, then ``end``.
        shutdown_timeout: see ``shutdown``.

    Raises:
        ImportError: a URL needs redis-py, which is not installed.
        TypeError, ValueError: an option has a wrong value.
    """

    def __init__(
        self,
        url: str | None = None,
        *,
        client: Any = None,
        prefix: str = "ssejet",
        ttl: float = 3600.0,
        max_events: int = 100_000,
        max_bytes: int = 64 * 2**20,
        max_age: float | None = None,
        gather: float = 0.003,
        timeout: float = 10.0,
        shutdown: Shutdown = "finish",
        shutdown_timeout: float = 10.0,
    ) -> None:
        check_seconds(ttl=ttl, max_age=max_age, timeout=timeout, shutdown_timeout=shutdown_timeout)
        for name, number in (("max_events", max_events), ("max_bytes", max_bytes)):
            if not number >= 1:
                raise ValueError(f"{name} must be 1 or more; got {number!r}")
        if not gather >= 0:
            raise ValueError(f"gather must be 0 or more seconds; got {gather!r}")
        if shutdown not in ("finish", "abandon"):
            raise ValueError(f"shutdown must be 'finish' or 'abandon'; got {shutdown!r}")
        self._bounds = bounds = Bounds(max_events, max_bytes, max_age)
        if url is None and client is None:
            self._engine: Engine = MemoryEngine(ttl=ttl, bounds=bounds)
        else:
            from ssejet.hub._redis import redis_engine

            self._engine = redis_engine(
                url, client, prefix=prefix, ttl=ttl, bounds=bounds, gather=gather, timeout=timeout
            )
        self._engine.on_stop = self._on_stop  # type: ignore[method-assign]
        self._ttl = ttl
        self._shutdown = shutdown
        self._shutdown_timeout = shutdown_timeout
        self._producers: dict[str, Producer] = {}
        # One for each call of start() that does not know yet whether it has won.
        self._claims: set[anyio.Event] = set()
        self._writers: OrderedDict[str, Writer] = OrderedDict()
        self._is_closed = False

    async def start(
        self,
        key: str,
        source: Callable[[], Any],
        *,
        lease: float = 15.0,
        on_error: OnSourceError = "event",
    ) -> bool:
        """Start the producer of a log, if nobody has started it.

        Of all callers, in all processes, one gets True, and runs the source in a task of its own. If that
        process dies or stops for longer than the lease, the followers get an event ``error`` and the end.

        Args:
            key: the key of the log.
            source: called once; returns the items: an iterable, async or not, or an awaitable of one. One
                that is not async runs in a thread. See ``ssejet.emit.EventStream`` for the items.
            lease: the seconds after which a producer that gives no sign counts as dead.
            on_error: what followers get if the source raises. ``"event"`` is an event of type ``error``: with
                the other server's error if it is an ``APIError``, without details if not. A callable gets the
                exception and returns the item, None for none. The end follows.

        Returns:
            Whether this call has started it.

        Raises:
            HubError: Redis does not answer.
        """
        return await self._start(key, function_source(source), lease=lease, on_error=on_error)

    async def relay(
        self,
        key: str,
        upstream: Any,
        *,
        lease: float = 15.0,
        on_error: OnSourceError = "event",
    ) -> bool:
        """Start a producer that passes on the answer of another server.

        Args:
            key: the key of the log.
            upstream: a stream of ssejet or of the OpenAI or Anthropic SDK; a manager of one; a response of an
                HTTP library; or a function that returns one of these, or an awaitable of it. With a function,
                nobody asks the other server if the log has been started; the others are closed then, and if
                this raises.
            lease: see ``start``.
            on_error: see ``start``.

        Returns:
            Whether this call has started it.
        """
        return await self._start(key, upstream_source(upstream), lease=lease, on_error=on_error)

    async def publish(self, key: str, item: Any, *, event: str | None = None) -> str:
        """Append an item to a log, which is made if there is none; return the id of its event.

        Args:
            key: the key of the log.
            item: see ``ssejet.emit.EventStream``.
            event: the type of the event.

        Raises:
            LogFinishedError: the log has ended.
            HubError: Redis does not answer.
        """
        drafts = drafts_of(item, event)
        if not drafts:
            raise ValueError(f"there is no event in {item!r}")
        return str((await self._writer(key).append(drafts))[-1])

    async def finish(self, key: str) -> None:
        """End a log. Nothing happens if it has ended."""
        with suppress(LogFinishedError):
            await self._writer(key).append([end_draft("finished")], ends_as="finished")

    async def stop(self, key: str) -> None:
        """Ask the producer of a log to end, in whatever process it runs. Nothing happens if there is none."""
        await self._engine.request_stop(check_key(key))

    async def status(self, key: str) -> Status:
        """Return the state of a log.

        ``"missing"``: there is none. ``"live"``: it may grow. ``"finished"``: it has its end.
        ``"abandoned"``: its producer disappeared, and it was ended without it.
        """
        return (await self._engine.page(check_key(key))).status

    async def delete(self, key: str) -> None:
        """Remove a log, so that the key can be started again.

        Followers get an event ``gap``. The producer is asked to end, in whatever process it runs.
        """
        await self._engine.delete(check_key(key))
        self._writers.pop(key, None)

    async def follow(self, key: str, *, last_event_id: str = "") -> AsyncGenerator[ServerSentEvent, None]:
        """Yield the events of a log after an id: those that it has, then those that come, until the end.

        Without an id, this begins with the first event, and waits for it if there is no log.

        Args:
            key: the key of the log.
            last_event_id: the id of the last event that the client has. It is not trusted: an id of another
                log, or no id at all, causes an event ``gap``, and the events from the beginning.
        """
        follower = self._follower(key, last_event_id)
        try:
            while entries := await follower.next():
                for entry in entries:
                    yield entry.event
                del entry, entries  # while this waits, nobody needs them
        finally:
            with anyio.CancelScope(shield=True):
                await follower.aclose()

    def response(self, key: str, request: Any, **options: Any) -> EventStreamResponse:
        """Make a response of Starlette that sends the events of a log.

        It goes on after the request's ``Last-Event-ID``. A client that has everything, the end too, gets
        status 204, so that ``EventSource`` stops asking.

        Args:
            key: the key of the log.
            request: the request.
            **options: those of ``ssejet.emit.starlette.EventStreamResponse``. ``send_timeout`` is 30 seconds
                by default.
        """
        from ssejet.hub._starlette import FollowResponse

        last_event_id = request.headers.get("last-event-id") or ""
        return FollowResponse(self._follower(key, last_event_id), **options)

    async def aclose(self) -> None:
        """End the producers, as ``shutdown`` says, and the connections to Redis."""
        self._is_closed = True
        with anyio.move_on_after(self._shutdown_timeout):
            for claimed in tuple(self._claims):
                await claimed.wait()
        producers = tuple(self._producers.values())
        if self._shutdown == "finish":
            with anyio.move_on_after(self._shutdown_timeout):
                for producer in producers:
                    await producer.ended.wait()
        with anyio.CancelScope(shield=True):
            for producer in producers:
                producer.shut_down()
            with anyio.move_on_after(self._shutdown_timeout):
                for producer in producers:
                    await producer.ended.wait()
            await self._engine.aclose()

    async def __aenter__(self) -> Self:
        self._is_closed = False
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def _start(self, key: str, source: Source, *, lease: float, on_error: OnSourceError) -> bool:
        """Start a producer. The source is closed if nobody runs it, even if this is cancelled."""
        source.is_taken = True
        # A claim that is cancelled half-way would block the key until its lease runs out.
        return await completed(lambda: self._claim(key, source, lease, on_error))

    async def _claim(self, key: str, source: Source, lease: float, on_error: OnSourceError) -> bool:
        producer: Producer | None = None
        claimed = anyio.Event()
        self._claims.add(claimed)
        try:
            check_key(key)
            check_seconds(lease=lease)
            if on_error != "event" and not callable(on_error):
                raise ValueError(f"on_error must be 'event' or a callable; got {on_error!r}")
            if self._is_closed:
                raise HubError("this hub is closed")
            right = Lease(token_hex(8), lease)
            if not await self._engine.claim(key, right):
                return False
            producer = Producer(self._engine, key, right, source, ttl=self._ttl, on_error=on_error)
            self._producers[key] = producer
            spawn(partial(self._run, key, producer))
            return True
        finally:
            self._claims.discard(claimed)
            claimed.set()
            if producer is None:
                await source.aclose(key)

    async def _run(self, key: str, producer: Producer) -> None:
        try:
            await producer.run()
        finally:
            if self._producers.get(key) is producer:
                del self._producers[key]

    def _on_stop(self, key: str, token: str) -> None:
        producer = self._producers.get(key)
        if producer is not None and producer.lease.token == token:
            producer.stop()

    def _writer(self, key: str) -> Writer:
        writer = self._writers.pop(check_key(key), None)
        if writer is None:
            writer = self._engine.writer(key)
            if len(self._writers) >= _MAX_WRITERS:
                self._writers.popitem(last=False)
        self._writers[key] = writer
        return writer

    async def _read(self, key: str, last_event_id: str) -> list[Entry]:
        """Return what a log has now after an id."""
        follower = self._follower(key, last_event_id)
        try:
            return await follower.read_all()
        finally:
            with anyio.CancelScope(shield=True):
                await follower.aclose()

    def _follower(self, key: str, last_event_id: str) -> Follower:
        return Follower(self._engine, check_key(key), last_event_id or "")  # a header may be None


def check_key(key: str) -> str:
    """Return the key.

    Raises:
        TypeError: it is not text.
        ValueError: it is empty or too long, or has characters that UTF-8 cannot encode.
    """
    if not isinstance(key, str):
        raise TypeError(f"a key is text, not {type(key).__name__}")
    if not key or len(key) > _LONGEST_KEY:
        raise ValueError(f"a key has 1 to {_LONGEST_KEY} characters; this one has {len(key)}")
    try:
        key.encode()
    except UnicodeEncodeError:
        raise ValueError(f"a key is text that UTF-8 can encode, which {key!r} is not") from None
    return key
