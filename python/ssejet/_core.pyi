# The extension module, written in Rust. Import these names from `ssejet`.

import asyncio
from collections.abc import (
    AsyncIterable,
    AsyncIterator,
    Awaitable,
    Callable,
    Generator,
    Iterable,
    Iterator,
)
from contextvars import Context
from typing import Any, ClassVar, Final, Literal, final

from typing_extensions import Buffer, Self, disjoint_base

__all__ = [
    "DEBUG",
    "AnswerBuilder",
    "Assembler",
    "AsyncAnswers",
    "AsyncItemStream",
    "BlockDecoder",
    "BodyArrivals",
    "BodyReader",
    "Decoder",
    "EventInput",
    "GrowingJSON",
    "ItemBuilder",
    "ItemDecoder",
    "ItemStream",
    "KeptBytes",
    "KnownShapes",
    "ModelMaker",
    "OrdinaryEvents",
    "ReadBuffer",
    "ReadWait",
    "ServerSentEvent",
    "StreamCounts",
    "UntilError",
    "__version__",
    "_check_nesting",
    "_restore_event",
    "_stack_left",
    "encode",
]

DEBUG: Final[bool]
__version__: Final[str]

@final
class ServerSentEvent:
    """One event of an event stream, as dispatched (WHATWG HTML, "Server-sent events").

    Immutable, equal and hashed by value, picklable; matches ``ServerSentEvent(event, data)``.

    Attributes:
        event (str | None): the event type, ``"message"`` when the stream gave none, or None in some dialects.
        data (str): the data buffer, its lines joined by LF.
        id (str | None): the last event ID when this event was dispatched, ``""`` when there was none.
        retry (int | None): the reconnection time in milliseconds, if this event's block set it.

    Raises:
        TypeError: a field is not of its type.
        ValueError: retry is negative.
    """

    __match_args__: ClassVar[tuple[Literal["event"], Literal["data"], Literal["id"], Literal["retry"]]] = (
        "event",
        "data",
        "id",
        "retry",
    )
    @property
    def event(self) -> str | None: ...
    @property
    def data(self) -> str: ...
    @property
    def id(self) -> str | None: ...
    @property
    def retry(self) -> int | None: ...
    def __new__(
        cls, *, event: str | None = "message", data: str = "", id: str | None = "", retry: int | None = None
    ) -> Self: ...
    def __eq__(self, other: object, /) -> bool: ...
    def __hash__(self) -> int: ...
    def __replace__(
        self, *, event: str | None = ..., data: str = ..., id: str | None = ..., retry: int | None = ...
    ) -> Self: ...
    def json(self) -> Any:
        """Decode the data as JSON.

        Accepts all that ``json.loads`` accepts, with equal results. orjson decodes; the standard library decodes
        what orjson refuses or would change (NaN, lone surrogates, integers beyond 64 bits).

        Raises:
            json.JSONDecodeError: the data is not JSON.
        """

def encode(
    data: object,
    *,
    event: str | None = None,
    id: str | None = None,
    retry: int | None = None,
    comment: str | None = None,
) -> bytes:
    """Encode one event, ready to be sent.

    A parser gives back what went in. Data may hold any line ends: each of its lines becomes a ``data:`` line, so
    CRLF and CR arrive as LF. Nothing in the arguments can start another field or event.

    Args:
        data: what to send.
            A ``str`` is sent as it is, and so are bytes, which must be UTF-8, as event streams are.
            A ``ServerSentEvent`` is sent with its type, unless that is ``"message"``, its id, unless that is empty,
            and its ``retry``; the other arguments take precedence over its fields.
            None sends no data: parsers dispatch no event, but take the other fields.
            Other values are sent as JSON: pydantic models and msgspec Structs in their own way, the models of the
            OpenAI and Anthropic SDKs without the fields that were never set, and what orjson or ``json`` encodes.
        event: the event type.
        id: the last event ID from this event on; ``""`` resets it.
        retry: the reconnection time in milliseconds.
        comment: ignored by parsers; written as ``": comment"``, before the other fields.

    Returns:
        The bytes, with the blank line at the end.

    Raises:
        TypeError: an argument is of the wrong type, or the data cannot be JSON.
        ValueError: ``event`` or ``id`` contains CR, LF or NUL, ``retry`` is not from 0 to 2**63-1, a text holds
            a lone surrogate or bytes are not UTF-8, or there is nothing to send.
    """

@final
class Decoder:
    """Decodes an event stream, incrementally, as the WHATWG HTML standard says.

    The same bytes give the same events however they are cut into chunks. The input is always UTF-8;
    malformed sequences become U+FFFD.

    Args:
        dialect: how events are presented: ``"whatwg"``, or as another library does: ``"openai"``,
            ``"anthropic"``, ``"httpx-sse"``, ``"httpx2"``.
        max_event_size: the number of bytes that one unfinished event may hold, or None for no limit.
        last_event_id: the id to resume after.
        flush_incomplete: whether the end of input dispatches an unfinished event, which the
            standard discards.
        on_comment: called with the text of each comment, what follows the colon, unchanged.
            The comments of a chunk come before ``feed`` returns its events. If it raises, no event is
            lost: first the events before that comment are returned, the next call raises
            the exception, and the call after that goes on with what followed the comment.

    Raises:
        TypeError: an argument is of the wrong type.
        ValueError: an unknown dialect, a negative limit, or an id that no stream can carry.
    """
    def __new__(
        cls,
        *,
        dialect: Literal["whatwg", "openai", "anthropic", "httpx-sse", "httpx2"] = "whatwg",
        max_event_size: int | None = 67_108_864,
        last_event_id: str = "",
        flush_incomplete: bool = False,
        on_comment: Callable[[str], object] | None = None,
    ) -> Self: ...
    @property
    def last_event_id(self) -> str:
        """The last event ID at the last blank line, to be sent as ``Last-Event-ID``."""
    @property
    def retry(self) -> int | None:
        """The reconnection time in milliseconds, from the last valid ``retry`` line."""
    def _feed(self, chunk: Buffer | None) -> tuple[list[ServerSentEvent], bool]: ...
    def _resume(self) -> tuple[list[ServerSentEvent], bool]: ...
    def _unfinished_data(self) -> str | None: ...
    def feed(self, chunk: Buffer) -> list[ServerSentEvent]:
        """Decode the next bytes of the stream.

        Args:
            chunk: bytes, bytearray, or a memoryview or other contiguous buffer of bytes.

        Returns:
            The events that these bytes complete.

        Raises:
            EventTooLargeError: an event is larger than ``max_event_size``. If the chunk also completed
                events, they are returned, and the next call raises.
            Exception: what ``on_comment`` raised, after the events before that comment: if the chunk
                completed any, they are returned, and the next call raises. A call that raises has taken
                its chunk; ``feed(b"")`` or ``finish()`` returns what is left.
            RuntimeError: the decoder is in use, by another thread or by the caller of ``on_comment``.
            TypeError: the chunk is of another type.
        """
    def finish(self) -> list[ServerSentEvent]:
        """Decode the end of the stream.

        An unfinished event is discarded, or dispatched with ``flush_incomplete``. The decoder is
        then ready for the next connection.

        Raises:
            EventTooLargeError: an event was larger than ``max_event_size``.
            Exception: what ``on_comment`` raised, as for ``feed``.
            RuntimeError: as for ``feed``.
        """
    def reset(self) -> None:
        """Forget everything unfinished, for a new connection or after an ``EventTooLargeError``.

        What was kept back because ``on_comment`` raised is forgotten, too. ``last_event_id`` and ``retry``
        stay: they belong to the event source, which outlives its connections.
        """
    def iter_bytes(self, chunks: Iterable[Buffer]) -> Iterator[ServerSentEvent]:
        """Iterate over the events of an iterable of chunks.

        Raises:
            EventTooLargeError: after the events before it.
            Exception: what ``on_comment`` raised, after the events before that comment. The iterator
                then goes on with what follows the comment.
            RuntimeError, TypeError: as for ``feed``.
        """
    def aiter_bytes(self, chunks: AsyncIterable[Buffer]) -> AsyncIterator[ServerSentEvent]:
        """Iterate over the events of an async iterable of chunks.

        If the iteration ends early, an async generator of chunks is closed.

        Raises:
            EventTooLargeError: after the events before it.
            Exception: what ``on_comment`` raised, as for ``iter_bytes``.
            RuntimeError, TypeError: as for ``feed``.
        """

def _restore_event(event: str | None, data: str, id: str | None, retry: int | None) -> ServerSentEvent: ...
def _check_nesting(data: str, /) -> None: ...
def _stack_left() -> int: ...

@final
class Assembler:
    def __new__(cls, plan: tuple[Any, ...], definitions: list[Any], /) -> Self: ...
    def build(self, data: str, /) -> Any: ...

@final
class ItemDecoder:
    def __new__(
        cls,
        assembler: Assembler,
        /,
        *,
        dialect: str,
        only: Iterable[str] | None = None,
        wrapped: str | None = None,
        error_key: str | None = None,
        ordinary: bool = False,
        unicode_lines: bool = True,
    ) -> Self: ...
    @property
    def is_odd(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...
    def stamp(self, field: str, model: Any, /) -> None: ...
    def allow(self, event_type: str, /) -> None: ...
    def read_from(self, chunks: Any, /) -> None: ...
    def iterate(self, chunks: Iterator[Buffer], /) -> None: ...
    def clear(self) -> None: ...
    def feed(self, chunk: Buffer, /) -> Self: ...
    def finish(self) -> None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class BlockDecoder:
    def __new__(
        cls,
        assembler: Assembler,
        /,
        *,
        boundaries: Iterable[bytes],
        strips_bom: bool,
        keeps_ids: bool = False,
    ) -> Self: ...
    def clear(self) -> None: ...
    def feed(self, chunk: Buffer, /) -> Self: ...
    def finish(self) -> None: ...
    def take_rest(self) -> bytes: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class ItemBuilder:
    def __new__(cls, assembler: Assembler, /) -> Self: ...
    def build(self, text: str, /) -> Any: ...

@final
class OrdinaryEvents:
    def __new__(
        cls, make: Callable[[str, str, str, int | None], Any], /, *, limit: int, unicode_lines: bool
    ) -> Self: ...
    @property
    def is_odd(self) -> bool: ...
    @property
    def rest(self) -> bytes: ...
    def feed(self, chunk: Buffer, /) -> list[Any]: ...

@final
class UntilError:
    def __new__(cls, items: Iterator[bytes], /) -> Self: ...
    @property
    def error(self) -> BaseException | None: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> bytes: ...

@final
class ItemStream:
    def __new__(cls, decoder: ItemDecoder, reader: Iterator[Any], /) -> Self: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Any: ...

@final
class AsyncItemStream:
    def __new__(cls, decoder: ItemDecoder, reader: AsyncIterator[Any], /) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[Any]: ...

@final
class GrowingJSON:
    def __new__(cls, from_json: Callable[..., Any], check_escapes: Callable[[str], int], /) -> Self: ...
    @property
    def length(self) -> int: ...
    @property
    def open_items(self) -> int: ...
    @property
    def is_partial(self) -> bool: ...
    @property
    def encoded(self) -> bytes: ...
    def add(self, piece: str, /) -> None: ...
    def value(self) -> Any: ...
    def value_at(self, length: int, /) -> Any: ...

@final
class ModelMaker:
    def __new__(cls, class_: type, /) -> Self: ...
    def make(self, values: dict[str, Any], extra: dict[str, Any], fields_set: set[str], /) -> Any: ...

@final
class AnswerBuilder:
    def __new__(
        cls, assembler: Assembler, shapes: KnownShapes | None, /, types: frozenset[str] | None = None
    ) -> Self: ...
    def build(self, event: ServerSentEvent, /) -> Any: ...

@final
class KnownShapes:
    def __new__(cls) -> Self: ...
    def add(self, text: str, note: Any = None, /) -> None: ...
    def knows(self, text: str, /) -> bool: ...
    def note(self, text: str, /) -> Any: ...

@final
class BodyReader:
    def __new__(cls, framing: Literal["chunked", "until-close"] | int, /) -> Self: ...
    def feed(self, data: Buffer, /) -> bytes: ...
    def finish(self) -> None: ...
    def stop(self) -> None: ...
    @property
    def is_complete(self) -> bool: ...
    @property
    def is_over(self) -> bool: ...
    @property
    def error(self) -> str | None: ...
    @property
    def excess(self) -> bytes: ...
    @property
    def excess_size(self) -> int: ...

@disjoint_base
class AsyncAnswers:
    def __new__(cls, *_arguments: Any, **_options: Any) -> Self: ...
    def __aiter__(self) -> Self: ...
    def __anext__(self) -> Awaitable[Any]: ...
    def _read_ordinary(
        self,
        chunks: Any,
        machine: Any,
        input: EventInput,
        builder: AnswerBuilder,
        observe: Callable[[Any], None] | None,
        /,
    ) -> None: ...

@final
class EventInput:
    kept: KeptBytes | None

    def __new__(cls, decoder: Decoder, counts: StreamCounts, tail: Any, /) -> Self: ...
    def feed(self, chunk: Buffer, /) -> tuple[list[ServerSentEvent], bool]: ...

@disjoint_base
class StreamCounts:
    def __new__(cls, *_arguments: Any, **_options: Any) -> Self: ...
    started: float
    first_byte: float | None
    first_event: float | None
    last_byte: float | None
    bytes: int
    reads: int
    events: int
    reconnections: int

    def add_read(self, size: int, /) -> None: ...
    def add_events(self, count: int, /) -> None: ...

@disjoint_base
class KeptBytes:
    def __new__(cls, *_arguments: Any, **_options: Any) -> Self: ...
    def add(self, data: Buffer, /) -> bool: ...
    def take(self) -> bytes: ...
    def clear(self) -> None: ...
    @property
    def size(self) -> int: ...

@disjoint_base
class BodyArrivals:
    is_released: bool
    timer_due: float
    decrypt: Callable[[bytes], bytes] | None
    pulls: bool

    def __new__(
        cls,
        reader: BodyReader,
        loop: asyncio.AbstractEventLoop,
        buffer: ReadBuffer,
        read_timeout: float | None,
        /,
    ) -> Self: ...
    @property
    def size(self) -> int: ...
    @property
    def is_paused(self) -> bool: ...
    @property
    def due(self) -> float: ...
    @property
    def is_client_limit(self) -> bool: ...
    @property
    def is_awaited(self) -> bool: ...
    def get_buffer(self, _sizehint: int, /) -> memoryview: ...
    def buffer_updated(self, nbytes: int, /) -> None: ...
    def receive(self, data: bytes, /) -> None: ...
    def take(self, response: Any = None, /) -> bytes: ...
    def wait(self, limit: float | None = None, /) -> ReadWait: ...
    def wake(self, *, in_time: bool = True) -> None: ...

@final
class ReadBuffer:
    def __new__(cls, size: int, /) -> Self: ...

@final
class ReadWait:
    _asyncio_future_blocking: bool

    def __new__(cls, loop: asyncio.AbstractEventLoop, /) -> Self: ...
    @property
    def in_time(self) -> bool: ...
    def end_now(self) -> None: ...
    def end_soon(self, *, in_time: bool) -> None: ...
    def done(self) -> bool: ...
    def cancelled(self) -> bool: ...
    def cancel(self, msg: object = None) -> bool: ...
    def result(self) -> None: ...
    def add_done_callback(
        self, callback: Callable[[Self], object], /, *, context: Context | None = None
    ) -> None: ...
    def remove_done_callback(self, callback: Callable[[Self], object], /) -> int: ...
    def get_loop(self) -> asyncio.AbstractEventLoop: ...
    def __await__(self) -> Generator[Self]: ...
    def __iter__(self) -> Self: ...
    def __next__(self) -> Self: ...
