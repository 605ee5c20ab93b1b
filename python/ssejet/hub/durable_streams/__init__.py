"""Durable Streams over a hub: an HTTP protocol for logs that clients append to and read by offset."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.deadlines import check_seconds
from ssejet.hub.durable_streams._app import Application, Settings
from ssejet.hub.durable_streams._sources import Answers, Streams

if TYPE_CHECKING:
    from collections.abc import Collection

    from ssejet.hub._async_hub import AsyncHub

__all__ = ["answers", "app"]

_CACHE_CONTROL = "private, max-age=60, stale-while-revalidate=300"


def app(
    hub: AsyncHub,
    *,
    prefix: str = "ds:",
    default_ttl: int | None = None,
    max_body: int = 8 * 2**20,
    max_live_readers: int = 10_000,
    long_poll_timeout: float = 15.0,
    sse_lifetime: float = 60.0,
    send_timeout: float = 30.0,
    cache_control: str = _CACHE_CONTROL,
    allow_origins: Collection[str] = (),
) -> Application:
    """Make an ASGI application where clients make, write and read streams.

    ::

        app = durable_streams.app(AsyncHub("redis://…"))

    Anybody who can send requests to it can write and delete streams, so the application decides who can.

    Args:
        hub: keeps the streams. It drops the oldest messages of a stream by ``max_events``, ``max_bytes`` and
            ``max_age``; clients that need them get status 410. The application opens and closes it, if the
            server runs this application itself; mounted in another one, that one does.
        prefix: the first part of the keys of the streams in the hub.
        default_ttl: the seconds after its last use after which a stream is removed, if its client has asked
            for no lifetime; None for no limit.
        max_body: the bytes that a request may have. It must be less than ``max_bytes`` of the hub.
        max_live_readers: how many clients of this process may wait for messages. More get status 429.
        long_poll_timeout: the seconds after which a client that waits gets an answer without messages.
        sse_lifetime: the seconds after which a response with events ends. Clients go on with the next one.
        send_timeout: the seconds that a client may take to make room for more.
        cache_control: the header of answers that do not change any more. Begin it with ``public`` only if
            everybody may read all streams.
        allow_origins: the origins of web pages that may use the streams; ``["*"]`` for all.

    Raises:
        ValueError: an option has a value that makes no sense.
    """
    if default_ttl is not None and not default_ttl >= 1:
        raise ValueError(f"default_ttl must be 1 or more seconds; got {default_ttl!r}")
    if not max_body >= 1:
        raise ValueError(f"max_body must be 1 or more; got {max_body!r}")
    max_bytes = hub._bounds.max_bytes
    if max_body >= max_bytes:
        raise ValueError(
            f"max_body ({max_body:,}) must be less than max_bytes of the hub ({max_bytes:,}), as the hub "
            "drops what is beyond that: pass a smaller max_body, or a larger max_bytes to the hub"
        )
    settings = _settings(
        max_body=max_body,
        default_ttl=default_ttl,
        max_live_readers=max_live_readers,
        long_poll_timeout=long_poll_timeout,
        sse_lifetime=sse_lifetime,
        send_timeout=send_timeout,
        cache_control=cache_control,
        allow_origins=allow_origins,
    )
    streams = Streams(hub._engine, prefix)
    return Application(hub, streams, streams, settings)


def answers(
    hub: AsyncHub,
    *,
    max_live_readers: int = 10_000,
    long_poll_timeout: float = 15.0,
    sse_lifetime: float = 60.0,
    send_timeout: float = 30.0,
    cache_control: str = _CACHE_CONTROL,
    allow_origins: Collection[str] = (),
) -> Application:
    """Make an ASGI application where clients read the answers of a hub as streams.

    The path of a stream is the key of an answer. Its messages are JSON, one for each event: an object with
    ``event``, ``data`` and ``id``. The end of the answer is the last message, and closes the stream.

    Args:
        hub: has the answers.
        max_live_readers: see ``app``.
        long_poll_timeout: see ``app``.
        sse_lifetime: see ``app``.
        send_timeout: see ``app``.
        cache_control: see ``app``.
        allow_origins: see ``app``.

    Raises:
        ValueError: an option has a value that makes no sense.
    """
    settings = _settings(
        max_body=0,
        max_live_readers=max_live_readers,
        long_poll_timeout=long_poll_timeout,
        sse_lifetime=sse_lifetime,
        send_timeout=send_timeout,
        cache_control=cache_control,
        allow_origins=allow_origins,
    )
    return Application(hub, Answers(hub._engine), None, settings)


def _settings(
    *,
    max_live_readers: int,
    long_poll_timeout: float,
    sse_lifetime: float,
    send_timeout: float,
    allow_origins: Collection[str],
    **others: Any,
) -> Settings:
    check_seconds(long_poll_timeout=long_poll_timeout, sse_lifetime=sse_lifetime, send_timeout=send_timeout)
    if not max_live_readers >= 0:
        raise ValueError(f"max_live_readers must be 0 or more; got {max_live_readers!r}")
    if isinstance(allow_origins, str):
        raise ValueError(f"allow_origins must be a list of origins: [{allow_origins!r}]")
    return Settings(
        max_live_readers=max_live_readers,
        long_poll_timeout=long_poll_timeout,
        sse_lifetime=sse_lifetime,
        send_timeout=send_timeout,
        allow_origins=frozenset(allow_origins),
        **others,
    )
