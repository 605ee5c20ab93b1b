"""The base class of ``Stream`` and ``AsyncStream``."""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, overload

from ssejet._http.deadlines import Deadlines
from ssejet._http.guard import guard_response
from ssejet._http.readable import readable_response
from ssejet._http_types import original_of
from ssejet.errors import request_of
from ssejet.typed._machine import StreamMachine
from ssejet.typed._response_body import ResponseBody
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import UnionType

    from typing_extensions import TypeForm, Unpack

    from ssejet._core import Decoder, ServerSentEvent
    from ssejet._http.response import ReadableResponse
    from ssejet._http_types import HTTPResponse
    from ssejet.metrics._stream_metrics import StreamMetrics
    from ssejet.typed._types import CastTo, StreamOptions

__all__ = ["BaseStream"]


class BaseStream(Generic[T]):
    """The base class of both streams. A subclass adds reading and closing.

    Args:
        response: the response to read; the stream closes it.
        cast_to: the type of the items. None: the result of ``event.json()``. A msgspec Struct, dataclass,
            TypedDict, or a union or generic of these: decoded by msgspec. A pydantic model, or a union or
            generic with one: decoded by pydantic-core. Any other callable gets the ``ServerSentEvent`` and
            returns the item.
        decoder: your own ``Decoder``, for another ``max_event_size`` or to receive comments. If its
            ``on_comment`` raises, the stream stays open, and another loop goes on after that comment.
        done: the sentinel: the event whose data starts with this text ends the stream. None if there is none.
        require_done: whether input that ends without the sentinel raises ``TruncatedStreamError``.
        idle_timeout: the most seconds of one wait for bytes; None leaves it to the client's read timeout.
        data_timeout: the most seconds of waiting between two events. Comments do not restart it, but they
            restart ``idle_timeout``.
        timeout: the most seconds until the stream ends, from now, or from the start of ``metrics``.
        metrics: receives the measurements; None for a new ``StreamMetrics``. A ``TokenMetrics`` also times
            tokens, and lets ``require_done`` accept a finish reason as the end.
        direct: whether the body may be read from the socket itself, past httpx or httpx2, which takes a
            fraction of the time. Where that is not possible, it makes no difference; see
            ``ssejet.direct_reading()``.

    Attributes:
        response: the response.

    Raises:
        TypeError: the response cannot be read by this class, or ``cast_to`` or ``decoder`` has a wrong type.
        ValueError: an option has an invalid value.
    """

    _kind: ClassVar[Literal["sync", "async"]]
    _advice: ClassVar[str]
    _reader_class: ClassVar[type[Any]]

    # With slots an object is in fewer cache lines, which counts if a process reads many streams at once.
    __slots__ = ("__dict__", "__weakref__", "_body", "_machine", "_owns_response", "_reader", "response")

    # One overload for each kind of cast_to, as in StreamMachine.
    @overload
    def __init__(
        self,
        response: ReadableResponse,
        *,
        cast_to: None = None,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ReadableResponse,
        *,
        cast_to: TypeForm[T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ReadableResponse,
        *,
        cast_to: Callable[[ServerSentEvent], T],
        **options: Unpack[StreamOptions],
    ) -> None: ...
    @overload
    def __init__(
        self,
        response: ReadableResponse,
        *,
        cast_to: UnionType,
        **options: Unpack[StreamOptions],
    ) -> None: ...
    def __init__(
        self,
        response: ReadableResponse,
        *,
        cast_to: CastTo[T] | UnionType = None,
        decoder: Decoder | None = None,
        done: str | None = "[DONE]",
        require_done: bool = False,
        idle_timeout: float | None = None,
        data_timeout: float | None = None,
        timeout: float | None = None,
        metrics: StreamMetrics | None = None,
        direct: bool = True,
    ) -> None:
        # Whether no other code has the response, so that only the stream can close it.
        self._owns_response: bool = False
        name, other = ("Stream", "AsyncStream") if self._kind == "sync" else ("AsyncStream", "Stream")
        readable = readable_response(response, self._kind, reader=name, other_reader=other)
        self.response: HTTPResponse = original_of(response)
        self._machine: StreamMachine[T] = StreamMachine(
            cast_to=cast_to,
            decoder=decoder,
            done=done,
            require_done=require_done,
            request=request_of(readable),
            metrics=metrics,
        )
        self._machine.keep_input(partial(StreamMachine, cast_to=cast_to, done=done))
        deadlines = Deadlines(idle=idle_timeout, data=data_timeout, total=timeout, start=self.metrics.started)
        reader = self._reader_class(readable, deadlines, direct=direct)
        self._body = ResponseBody(readable, self._machine, deadlines, reader)
        self._reader = reader

    @property
    def saw_done(self) -> bool:
        """Whether the sentinel arrived."""
        return self._machine.saw_done

    @property
    def metrics(self) -> StreamMetrics:
        """The measurements so far; ``StreamMetrics`` says which class that is."""
        return self._machine.metrics

    def _forget_input(self) -> None:
        """Let errors have no ``partial``: the caller adds it."""
        self._machine.forget_input()

    def __repr__(self) -> str:
        state = "closed" if self._reader.closed else "open"
        return f"<ssejet.{type(self).__name__} {state}, {self.metrics.events} events, of {self.response!r}>"

    def __del__(self, _warn: Any = warnings.warn) -> None:
        reader: Any = getattr(self, "_reader", None)  # None if __init__ failed
        if reader is None or reader.closed or sys.is_finalizing():
            return
        if getattr(reader.response, "is_closed", False):
            return
        message = f"{self!r} was neither closed nor read to its end: {self._advice}"
        if reader.suspended:
            reader.close_soon()  # no other code can go on with the cancelled read
        elif self._owns_response or not guard_response(reader, message):
            with suppress(Exception):
                reader.close_soon()
            _warn(message, ResourceWarning, source=self)
