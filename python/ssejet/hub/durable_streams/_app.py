"""The protocol as an ASGI application."""

from __future__ import annotations

import logging
import time
from contextlib import suppress
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, quote

import anyio

from ssejet.emit._shutdown import stopped_by_server
from ssejet.errors import HubError
from ssejet.hub.durable_streams._exchange import Answer, Request, RequestError, error_answer, refuse
from ssejet.hub.durable_streams._live import Follower
from ssejet.hub.durable_streams._offset import next_cursor
from ssejet.hub.durable_streams._reads import Read, catch_up, event_headers, events, head, long_poll
from ssejet.hub.durable_streams._writer import Writer, unavailable
from ssejet.hub.durable_streams._writes import Append, Create

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection, MutableMapping

    from ssejet.hub._async_hub import AsyncHub
    from ssejet.hub.durable_streams._reads import Chunk, View
    from ssejet.hub.durable_streams._sources import Source, Streams

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]

__all__ = ["Application", "Settings"]

_logger = logging.getLogger("ssejet.hub")

_LONGEST_PATH = 900
_LONGEST_QUERY = 4096

# The seconds between two comments that keep a silent connection open.
_HEARTBEAT = 15.0
_COMMENT = b":\n\n"

# Nothing of a stream runs in a browser that is sent to its URL.
_SECURITY = (
    (b"x-content-type-options", b"nosniff"),
    (b"cross-origin-resource-policy", b"same-origin"),
    (b"content-security-policy", b"default-src 'none'; sandbox"),
)

_METHODS = "GET, HEAD, OPTIONS"
_ALL_METHODS = "GET, HEAD, OPTIONS, PUT, POST, DELETE"

_REQUEST_HEADERS = (
    "Authorization, Content-Type, If-None-Match, Stream-TTL, Stream-Expires-At, Stream-Closed, Stream-Seq, "
    "Producer-Id, Producer-Epoch, Producer-Seq"
)
_RESPONSE_HEADERS = (
    "ETag, Location, Retry-After, Stream-Next-Offset, Stream-Cursor, Stream-Up-To-Date, Stream-Closed, "
    "Stream-TTL, Stream-Expires-At, Stream-First-Offset, Stream-SSE-Data-Encoding, Producer-Epoch, "
    "Producer-Seq, Producer-Expected-Seq, Producer-Received-Seq"
)


class Settings:
    """What an application is made with; see ``app``."""

    def __init__(
        self,
        *,
        long_poll_timeout: float,
        sse_lifetime: float,
        send_timeout: float,
        max_body: int,
        max_live_readers: int,
        cache_control: str,
        allow_origins: Collection[str],
        default_ttl: int | None = None,
    ) -> None:
        self.long_poll_timeout = long_poll_timeout
        self.sse_lifetime = sse_lifetime
        self.send_timeout = send_timeout
        self.max_body = max_body
        self.max_live_readers = max_live_readers
        self.cache_control = cache_control
        self.allow_origins = allow_origins
        self.default_ttl = default_ttl


class Application:
    """Answers requests.

    Args:
        hub: keeps the logs. It is opened and closed with the application if that is the one of the server.
        source: reads the streams.
        streams: where clients may write; None if they may not.
        settings: the options.
    """

    def __init__(self, hub: AsyncHub, source: Source, streams: Streams | None, settings: Settings) -> None:
        self._hub = hub
        self._source = source
        self._streams = streams
        self._settings = settings
        self._writer = Writer(hub._engine)
        self._live_readers = 0
        self._last_place: tuple[object, ...] = ()
        self._last_events = b""

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, as an ASGI application."""
        if scope["type"] == "lifespan":
            await self._run_lifespan(receive, send)
        elif scope["type"] == "http":
            await _Exchange(self._settings, scope, receive, send).run(self._answer)
        else:
            await send({"type": "websocket.close", "code": 1000})

    async def _run_lifespan(self, receive: Receive, send: Send) -> None:
        await receive()
        async with self._hub:
            await send({"type": "lifespan.startup.complete"})
            await receive()
        await send({"type": "lifespan.shutdown.complete"})

    async def _answer(self, exchange: _Exchange) -> Answer | None:
        method, path = exchange.method, exchange.path
        if "__ds" in path.split("/"):
            refuse(501, "no-subscriptions", "this server has no subscriptions")
        if method == "GET":
            return await self._read(exchange)
        if method == "HEAD":
            opened = await self._source.open(path, None)
            return _not_found() if opened is None else head(opened.view)
        if method == "OPTIONS":
            return Answer(204, [("allow", self._methods)])
        streams = self._streams
        if streams is None or method not in ("PUT", "POST", "DELETE"):
            refuse(405, "no-such-method", f"allowed are {self._methods}", [("allow", self._methods)])
        key = streams.key(path)
        if method == "DELETE":
            return Answer(204) if await self._writer.delete(key) else _not_found()
        request = exchange.request._replace(body=await exchange.read_body())
        if method == "PUT":
            return await self._writer.run(key, Create.parse(request, default_ttl=self._settings.default_ttl))
        return await self._writer.run(key, Append.parse(request))

    @property
    def _methods(self) -> str:
        return _METHODS if self._streams is None else _ALL_METHODS

    async def _read(self, exchange: _Exchange) -> Answer | None:
        read = Read.parse(exchange.request)
        opened = await self._source.open(exchange.path, read.offset)
        if opened is None:
            return _not_found()
        view = opened.view
        begin = view.begin(read.offset)
        if read.live is None:
            chunk = view.chunk(begin)
            return catch_up(read, view, chunk, begin, self._settings.cache_control, time.time())
        if self._live_readers >= self._settings.max_live_readers:
            refuse(429, "too-many-readers", "too many clients wait for messages", [("retry-after", "1")])
        follower = Follower(self._source, exchange.path, view, begin, for_events=read.live == "sse")
        self._live_readers += 1
        try:
            return await self._follow(exchange, read, follower, begin, opened.ttl)
        finally:
            self._live_readers -= 1
            await follower.aclose()

    async def _follow(
        self, exchange: _Exchange, read: Read, follower: Follower, begin: int, ttl: int | None
    ) -> Answer | None:
        """Answer while the client is there, and until the server stops."""
        answer: Answer | None = None
        failure: Exception | None = None
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(exchange.cancel_at_disconnect, tasks.cancel_scope)
            if ttl is not None:
                tasks.start_soon(self._keep, exchange.path, ttl)
            try:
                if read.live == "sse":
                    tasks.start_soon(exchange.watch, tasks.cancel_scope)
                    await self._send_events(exchange, read, follower)
                else:
                    answer = await self._long_poll(read, follower, begin)
            except (HubError, _DisconnectError) as error:
                failure = error  # the group would put it into a group
            tasks.cancel_scope.cancel()
        if failure is not None:
            raise failure
        return answer

    async def _keep(self, path: str, ttl: int) -> None:
        """Use a stream while a client waits for its messages."""
        while True:
            await anyio.sleep(max(0.3, min(ttl / 3, _HEARTBEAT)))
            with suppress(HubError):
                await self._source.use(path)

    async def _long_poll(self, read: Read, follower: Follower, begin: int) -> Answer:
        settings = self._settings
        chunk = follower.take()
        if not (chunk.messages or follower.view.ends_at(chunk.position)):
            with (
                anyio.move_on_after(settings.long_poll_timeout) as waiting,
                stopped_by_server(waiting.cancel),
            ):
                found = await follower.wait()
                if found is None:
                    return _not_found() if await self._is_gone(follower) else _gone(follower.view)
                chunk = found
        return long_poll(read, follower.view, chunk, begin, settings.cache_control, time.time())

    async def _is_gone(self, follower: Follower) -> bool:
        return await self._source.open(follower.path, None) is None

    async def _send_events(self, exchange: _Exchange, read: Read, follower: Follower) -> None:
        await exchange.start(200, event_headers(follower.view, follower.position))
        cursor = int(next_cursor(read.cursor, time.time()))
        with anyio.move_on_after(self._settings.sse_lifetime) as waiting, stopped_by_server(waiting.cancel):
            begin = follower.position
            chunk: Chunk | None = follower.take()
            while chunk is not None:
                cursor = max(cursor, int(next_cursor("", time.time())))
                await exchange.send_event(self._encoded(follower.view, begin, chunk, str(cursor)))
                begin = chunk.position
                if follower.view.ends_at(begin) or chunk.is_broken:
                    break
                chunk = await follower.wait()
        await exchange.finish()

    def _encoded(self, view: View, begin: int, chunk: Chunk, cursor: str) -> bytes:
        # Most clients of a stream are at the same place, one after the other, so they share the bytes.
        place = (view.incarnation, begin, chunk.position, view.tail, view.is_closed, cursor)
        if place != self._last_place:
            self._last_events = events(view, chunk, cursor)
            self._last_place = place
        return self._last_events


def _not_found() -> Answer:
    return error_answer(404, "no-stream", "there is no such stream")


def _gone(view: View) -> Answer:
    return error_answer(410, "offset-gone", "the messages at this offset were dropped", view.trimmed)


class _DisconnectError(Exception):
    """The client has left, or has stopped reading."""


class _Exchange:
    """One request and its answer."""

    def __init__(self, settings: Settings, scope: Scope, receive: Receive, send: Send) -> None:
        self._settings = settings
        self._receive = receive
        self._send = send
        self._scope = scope
        self._is_started = False
        self._sending_since: float | None = None
        self._last_sent = time.monotonic()
        self.method: str = scope["method"].upper()
        self._headers: dict[str, str] = {}
        for name, value in scope["headers"]:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1")
            self._headers[key] = f"{self._headers[key]}, {text}" if key in self._headers else text
        root = scope.get("root_path", "")
        path = scope["path"]
        self.path: str = path[len(root) :] if root and path.startswith(root) else path
        full = path if path.startswith(root) else root + path
        self._url = f"{scope.get('scheme', 'http')}://{self._headers.get('host', '')}{quote(full)}"

    @property
    def request(self) -> Request:
        """The request, without its body.

        Raises:
            RequestError: its URL is too long.
        """
        query = self._scope.get("query_string", b"")
        if len(query) > _LONGEST_QUERY:
            refuse(414, "long-query", f"the query has more than {_LONGEST_QUERY} bytes")
        parameters = parse_qs(query.decode("latin-1"), keep_blank_values=True)
        return Request(self.method, self._url, parameters, self._headers)

    async def run(self, answer: Callable[[_Exchange], Awaitable[Answer | None]]) -> None:
        """Answer the request."""
        try:
            if len(self.path) > _LONGEST_PATH:
                refuse(414, "long-path", f"the path of a stream has at most {_LONGEST_PATH} characters")
            found = await answer(self)
        except RequestError as error:
            found = error.answer
        except _DisconnectError:
            return
        except HubError as error:
            _logger.warning("a stream was not read: %s", error)
            # A client whose events end goes on with another request.
            found = Answer(200) if self._is_started else unavailable()
        if found is not None:
            with suppress(_DisconnectError):
                if not self._is_started:
                    await self.start(found.status, found.headers, len(found.body))
                await self.finish(found.body)

    async def read_body(self) -> bytes:
        """Read the body.

        Raises:
            RequestError: it is too long.
        """
        limit = self._settings.max_body
        parts: list[bytes] = []
        size = 0
        length = self._headers.get("content-length", "")
        is_too_long = length.isdecimal() and int(length) > limit
        while not is_too_long:
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise _DisconnectError
            parts.append(message.get("body", b""))
            size += len(parts[-1])
            is_too_long = size > limit
            if not message.get("more_body"):
                break
        if is_too_long:
            refuse(
                413, "body-too-large", f"the body has more than {limit} bytes: send it in several requests"
            )
        return b"".join(parts)

    async def cancel_at_disconnect(self, scope: anyio.CancelScope) -> None:
        """Cancel a scope when the client leaves."""
        while (await self._receive())["type"] != "http.disconnect":
            pass
        scope.cancel()

    async def start(self, status: int, headers: Any, length: int | None = None) -> None:
        """Send the status and the headers."""
        raw = [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers]
        if length is not None and status not in (204, 304) and self.method != "HEAD":
            raw.append((b"content-length", b"%d" % length))
        self._is_started = True
        await self._put(
            {"type": "http.response.start", "status": status, "headers": [*raw, *_SECURITY, *self._cors()]}
        )

    async def send_event(self, event: bytes) -> None:
        """Send an event. ``watch`` limits the time, as a limit for each event costs more than the event."""
        self._sending_since = time.monotonic()
        with suppress(OSError):  # the client has left, which another task is told
            await self._send({"type": "http.response.body", "body": event, "more_body": True})
        self._sending_since = None
        self._last_sent = time.monotonic()

    async def watch(self, scope: anyio.CancelScope) -> None:
        """Send comments if there are no events, and cancel a scope if the client does not read."""
        limit = self._settings.send_timeout
        while True:
            await anyio.sleep(min(limit, _HEARTBEAT) / 2)
            now = time.monotonic()
            if self._sending_since is not None:
                is_stalled = now - self._sending_since >= limit
            else:
                is_stalled = now - self._last_sent >= _HEARTBEAT and not await self._comment(limit)
            if is_stalled:
                self._warn_of_stall()
                scope.cancel()

    async def _comment(self, limit: float) -> bool:
        """Send a comment; False if the client does not make room for it."""
        with anyio.move_on_after(limit) as sending, suppress(OSError):
            await self._send({"type": "http.response.body", "body": _COMMENT, "more_body": True})
        self._last_sent = time.monotonic()
        return not sending.cancelled_caught

    async def finish(self, body: bytes = b"") -> None:
        """Send the end of the body."""
        if self.method == "HEAD":
            body = b""
        await self._put({"type": "http.response.body", "body": body})

    async def _put(self, message: dict[str, Any]) -> None:
        try:
            with anyio.fail_after(self._settings.send_timeout):
                await self._send(message)
        except TimeoutError:
            self._warn_of_stall()
            raise _DisconnectError from None
        except OSError:
            raise _DisconnectError from None

    def _warn_of_stall(self) -> None:
        _logger.warning("a client has not read for %g seconds", self._settings.send_timeout)

    def _cors(self) -> list[tuple[bytes, bytes]]:
        origins = self._settings.allow_origins
        if not origins:
            return []
        headers = [(b"vary", b"origin")]
        origin = self._headers.get("origin", "")
        if origin and (origin in origins or "*" in origins):
            headers += [
                (b"access-control-allow-origin", b"*" if "*" in origins else origin.encode("latin-1")),
                (b"access-control-expose-headers", _RESPONSE_HEADERS.encode()),
            ]
            if self.method == "OPTIONS":
                headers += [
                    (b"access-control-allow-methods", _ALL_METHODS.encode()),
                    (b"access-control-allow-headers", _REQUEST_HEADERS.encode()),
                    (b"access-control-max-age", b"600"),
                ]
        return headers
