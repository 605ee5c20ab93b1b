"""What ``Stream`` and ``AsyncStream`` share."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, overload

from ssejet._http.deadlines import Deadlines
from ssejet._http.guard import guard_response
from ssejet._http.response import check_response
from ssejet.errors import request_of
from ssejet.typed._machine import StreamMachine
from ssejet.typed._response_body import ResponseBody
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType

    from typing_extensions import TypeForm, Unpack

    from ssejet._core import Decoder, ServerSentEvent
    from ssejet._http.response import AsyncByteResponse, ByteResponse
    from ssejet._http_types import HTTPResponse
    from ssejet.metrics._stream_metrics import StreamMetrics
    from ssejet.typed._types import CastTo, StreamOptions

__all__ = ["BaseStream"]


class BaseStream(Generic[T]):
    """What both streams share: all but reading and closing.

    Args:
        response: the response to read; the stream closes it.
        cast_to: what the items are. None: what ``event.json()`` gives. A msgspec Struct, dataclass,
            TypedDict, or a union or generic of such: decoded by msgspec. A pydantic model, or a union or
            generic that holds one: decoded by pydantic-core. Any other callable gets the ``ServerSentEvent``
            and makes the item.
        decoder: a ``Decoder`` of your own, for another ``max_event_size`` or to see comments. An exception of
            its ``on_comment`` leaves the stream open: another loop goes on with the items after that comment.
        done: the sentinel, as the start of an event's data; None if the stream has none.
        require_done: whether input that ends without the sentinel raises ``TruncatedStreamError``.
        idle_timeout: seconds that a wait for bytes may last; None leaves that to the client's read timeout.
        data_timeout: seconds that may be spent waiting between two events. Comments keep ``idle_timeout``
            from passing, not this.
        timeout: seconds in which the stream must end, from now, or from the start of ``metrics``.
        metrics: where to keep what the stream measures; None for a new ``StreamMetrics``. A
            ``TokenMetrics`` times tokens too, and lets ``require_done`` accept a finish reason as the end.

    Attributes:
        response: the response.

    Raises:
        TypeError: the response cannot be read this way, or ``cast_to`` or ``decoder`` is of the wrong kind.
        ValueError: an option has a value that makes no sense.
    """

    _kind: ClassVar[Literal["sync", "async"]]
    _advice: ClassVar[str]
    _reader_class: ClassVar[type[Any]]

    _reader: Any = None  # until __init__ has ended

    # Whether nobody else has the response, so that only the stream can close it.
    _owns_response = False

    # One overload for each kind of cast_to, as in StreamMachine.
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: None = None,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: TypeForm[T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: Callable[[ServerSentEvent], T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: UnionType,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    def __init__(
        self,
        response: ByteResponse | AsyncByteResponse,
        *,
        cast_to: CastTo[T] | UnionType = None,
        decoder: Decoder | None = None,
        done: str | None = "[DONE]",
        require_done: bool = False,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        timeout: float | None = None,
        metrics: StreamMetrics | None = None,
    ) -> None:
        name, other = ("Stream", "AsyncStream") if self._kind == "sync" else ("AsyncStream", "Stream")
        check_response(response, self._kind, reader=name, other_reader=other)
        plain: Any = response
        self.response: HTTPResponse = plain
        self._machine: StreamMachine[T] = StreamMachine(
            cast_to=cast_to,
            decoder=decoder,
            done=done,
            require_done=require_done,
            request=request_of(response),
            metrics=metrics,
        )
        deadlines = Deadlines(idle=idle_timeout, data=data_timeout, total=timeout, start=self.metrics.started)
        reader = self._reader_class(response, deadlines)
        self._body = ResponseBody(response, self._machine, deadlines, reader)
        self._reader = reader

    @property
    def saw_done(self) -> bool:
        """Whether the sentinel arrived."""
        return self._machine.saw_done

    @property
    def metrics(self) -> StreamMetrics:
        """What the stream has measured so far; ``StreamMetrics`` says which class that is."""
        return self._machine.metrics

    def __repr__(self) -> str:
        state = "closed" if self._reader.closed else "open"
        return f"<ssejet.{type(self).__name__} {state}, {self.metrics.events} events, of {self.response!r}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader = self._reader
        if reader is None or reader.closed or sys.is_finalizing():
            return
        if getattr(self.response, "is_closed", False):
            return
        message = f"{self!r} was neither closed nor read to its end: {self._advice}"
        if reader.suspended:
            reader.close_soon()  # nobody can go on with the cancelled read
        elif self._owns_response or not guard_response(reader, message):
            with suppress(Exception):
                reader.close_soon()
            _warn(message, ResourceWarning, source=self)
