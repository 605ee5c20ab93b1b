"""What both subscriptions share: the options, the properties, and the work that does not wait."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from inspect import iscoroutinefunction
from math import inf
from typing import TYPE_CHECKING, Any, ClassVar, Literal

from ssejet._http.clients import make_http_client, usable_client
from ssejet._http.failures import translate_request
from ssejet._http.headers import names_of, with_default_headers
from ssejet._http_types import original_of
from ssejet.source._reconnection import ReconnectionMachine
from ssejet.source._target import Target

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._http_types import HTTPResponse
    from ssejet.errors import SSEError
    from ssejet.metrics._stream_metrics import StreamMetrics

__all__ = ["BaseSubscription"]


class BaseSubscription:
    """What both drivers share: everything but connecting, reading, waiting and closing.

    Args:
        url: the URL of the events.
        client: a client of httpx or httpx2; ``requests.Session``, ``niquests.Session``,
            ``urllib3.PoolManager``; or ``aiohttp.ClientSession``, ``niquests.AsyncSession``, for
            ``asubscribe``. None for a client of the subscription's own, which it closes.
        method: the HTTP method.
        headers: of the request. ``Accept: text/event-stream`` and ``Cache-Control: no-cache`` are sent unless
            ``headers`` has them.
        params: query parameters. As in httpx, they replace the URL's.
        content: the body, as bytes or text, so that it can be sent again.
        data: the fields of a form, as httpx takes them.
        json: a value that is sent as JSON.
        last_event_id: where to resume: the ``last_event_id`` of another subscription.
        repeat: whether the request may be sent again after the server received it. None allows it for
            idempotent methods; POST and PATCH are not idempotent.
        reconnection_time: seconds to wait before connecting again, until the server sets another time
            (``retry``).
        max_backoff: seconds up to which the waits between failing attempts double.
        max_attempts: how many attempts in a row may fail before the last one's error is raised; None for no
            limit. An attempt that brings a byte of the stream has not failed.
        max_outage: how many seconds without a stream may pass, from the first attempt on, before the last
            error is raised; None for no limit. Only ``connect_timeout`` can delay this.
        connect_timeout: seconds that making a connection may take; None for no limit.
        idle_timeout: seconds that a wait for bytes may last; comments are bytes too. None for no limit.
        data_timeout: seconds that may be spent waiting for an event; None for no limit.
        max_event_size: how many bytes one event may have; see ``Decoder``.
        direct: as for ``Stream``.
        on_comment: called with each comment, in its order among the events.
        on_error: called with the error of each failed or ended connection. If it returns True, the
            subscription reconnects; if False, it ends; if None, the rules below apply.

    Attributes:
        response: the latest response, or None.

    Raises:
        ImportError: ``client`` is None, and neither httpx nor httpx2 is installed. Raised by the first
            iteration.
        TypeError: ``content`` cannot be sent twice, a callback is asynchronous, or the client is of the wrong
            kind.
        ValueError: an option has an invalid value.
    """

    _advice: ClassVar[str]
    _client_class: ClassVar[Literal["AsyncClient", "Client"]]

    def __init__(
        self,
        url: Any,
        *,
        client: Any = None,
        method: str = "GET",
        headers: Any = None,
        params: Any = None,
        content: str | bytes | None = None,
        data: Any = None,
        json: Any = None,
        last_event_id: str = "",
        repeat: bool | None = None,
        reconnection_time: float = 3.0,
        max_backoff: float = 60.0,
        max_attempts: int | None = None,
        max_outage: float | None = None,
        connect_timeout: float | None = 10.0,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        max_event_size: int | None = 64 * 2**20,
        direct: bool = True,
        on_comment: Callable[[str], object] | None = None,
        on_error: Callable[[SSEError], bool | None] | None = None,
    ) -> None:
        if content is not None and not isinstance(content, (str, bytes)):
            raise TypeError(
                f"content must be bytes or text, so that it can be sent again; got {type(content).__name__}"
            )
        for name, callback in (("on_comment", on_comment), ("on_error", on_error)):
            if iscoroutinefunction(callback):
                raise TypeError(f"{name} must be a plain function: nothing awaits the result of an async one")
        if client is not None:
            client = usable_client(
                client, self._client_class, user=type(self).__name__, methods=("build_request", "send")
            )
        given_headers = with_default_headers(headers, {})
        if "last-event-id" in names_of(given_headers):
            raise ValueError(
                "Last-Event-ID cannot be among the headers, as it changes with each event: pass where to "
                "start as last_event_id"
            )
        body = {"content": content, "data": data, "json": json}
        target = Target(
            method.upper(),
            url,
            headers=tuple(given_headers),
            body={name: value for name, value in body.items() if value is not None},
            params=params,
        )
        self._machine = ReconnectionMachine(
            target,
            last_event_id=last_event_id,
            max_event_size=max_event_size,
            on_comment=on_comment,
            on_error=on_error,
            repeat=repeat,
            reconnection_time=reconnection_time,
            max_backoff=max_backoff,
            max_attempts=max_attempts,
            max_outage=max_outage,
            idle_timeout=idle_timeout,
            data_timeout=data_timeout,
        )
        self._connect_timeout = connect_timeout
        self._is_direct = direct
        self._own_client = client is None
        self._client = client
        # What close() and restart() ask for; another thread or task can be in the middle of a step.
        self._closed = False
        self._restarting = False
        self._reader: Any = None
        self.response: HTTPResponse | None = None
        self._set_up()

    def _set_up(self) -> None:
        """Make what only one of the drivers needs."""
        raise NotImplementedError

    @property
    def url(self) -> str:
        """The URL of the events; permanent redirects (301, 308) change it."""
        return str(self._machine.url)

    @property
    def last_event_id(self) -> str:
        """The ID of the last event that was taken, ``""`` if there was none.

        To resume elsewhere, set it before the first event or together with ``restart()``.
        """
        return self._machine.last_event_id

    @last_event_id.setter
    def last_event_id(self, value: str) -> None:
        self._machine.last_event_id = value

    @property
    def reconnection_time(self) -> float:
        """Seconds to wait before connecting again: the server's latest ``retry``, else the argument."""
        return self._machine.reconnection_time

    @property
    def ready_state(self) -> Literal["connecting", "open", "closed"]:
        """The standard's ``readyState``, by name."""
        return "closed" if self._closed else self._machine.ready_state

    @property
    def metrics(self) -> StreamMetrics:
        """What the subscription has measured so far, over all its connections."""
        return self._machine.metrics

    def __repr__(self) -> str:
        return f"<ssejet.{type(self).__name__} {self.ready_state}, {self.metrics.events} events>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = getattr(self, "_reader", None)
        if reader is None or reader.closed or sys.is_finalizing():
            return
        if reader.response.is_closed:
            return
        message = f"{self!r} was not closed: {self._advice}"
        was_cancelled = reader.suspended
        with suppress(Exception):
            self._abandon()
        # After a cancelled wait, dropping the subscription is the normal way to end it.
        if not was_cancelled:
            _warn(message, ResourceWarning, source=self)

    def _abandon(self) -> None:
        """Release the connection without waiting."""
        raise NotImplementedError

    @property
    def _is_interrupted(self) -> bool:
        return self._closed or self._restarting

    def _build_request(self) -> Any:
        """Have the client build the machine's request."""
        target = self._machine.target
        seconds = self._machine.begin_attempt()
        wait = None if seconds == inf else seconds
        request = self._http_client().build_request(
            target.method,
            target.url,
            params=target.params,
            headers=self._machine.headers(),
            timeout=(self._connect_timeout, wait, self._connect_timeout, self._connect_timeout),
            **target.body,
        )
        target.clean(request)
        return request

    def _http_client(self) -> Any:
        if self._client is None:
            # No kept connections: close() cannot interrupt a request on one before the response begins.
            self._client = make_http_client(self._client_class, max_keepalive_connections=0)
        return self._client

    def _send_options(self) -> dict[str, Any]:
        options = {"stream": True, "follow_redirects": False}
        return options if self._machine.target.trusted else {**options, "auth": None}

    def _translate(self, request: Any, error: Exception) -> Exception:
        """Make an error of ssejet from an error of sending the request."""
        return translate_request(error, request, self._connect_timeout, self._machine.deadlines)

    def _accept(self, response: Any) -> bool:
        """Take in a response's head, and return whether to read the body."""
        self.response = original_of(response)
        return not self._is_interrupted and self._machine.accept(response)

    def _receive(self, chunk: bytes | None) -> None:
        """Take in a chunk, or connect again if ``restart()`` closed the reader."""
        if not self._reader.closed:
            deadlines = self._machine.deadlines
            before = deadlines.limited, deadlines.has_ends
            self._machine.receive(chunk)
            if (deadlines.limited, deadlines.has_ends) != before:
                self._reader.change_deadlines()
        else:
            self._reconnect()

    def _reconnect(self) -> None:
        if not self._closed:
            self._machine.reconnect()

    def _fail(self, error: SSEError) -> None:
        """Take in a failure, unless ``close()`` or ``restart()`` caused it."""
        try:
            if self._is_interrupted:
                self._reconnect()
            else:
                self._machine.fail(error)
        finally:
            del error  # Its traceback refers to this frame.
