"""Bytes in, typed items out: the rules of typed streams, without I/O."""

from __future__ import annotations

import re
from operator import length_hint
from typing import TYPE_CHECKING, Any, Generic, overload

from ssejet._core import Decoder, ServerSentEvent
from ssejet._server_errors import error_message, is_error, is_error_answer
from ssejet.errors import (
    APIError,
    APIStatusError,
    EventTooLargeError,
    InvalidJSONError,
    TruncatedStreamError,
)
from ssejet.metrics._stream_metrics import StreamMetrics
from ssejet.typed._cast import decoding_errors, explain, is_from_json, make_cast
from ssejet.typed._lines import BOM, BodyLines

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import UnionType
    from typing import TypeAlias

    import typing_extensions
    from typing_extensions import TypeForm, Unpack

    from ssejet.typed._cast import AnswerCast

    T = typing_extensions.TypeVar("T", default=Any)
    # A TypeForm is any type that can be written, a class or a union or a generic of classes.
    CastTo: TypeAlias = TypeForm[T] | Callable[[ServerSentEvent], T] | None

    class MachineOptions(typing_extensions.TypedDict, total=False):
        """What a ``StreamMachine`` takes besides ``cast_to``, for its overloads."""

        decoder: Decoder | None
        done: str | None
        require_done: bool
        request: Any
        metrics: StreamMetrics | None
else:
    from typing import TypeVar

    T = TypeVar("T")

__all__ = [
    "NOTHING_YET",
    "StreamMachine",
    "T",
    "error_in",
    "payload_of",
    "reported_error",
    "status_error",
    "text_of",
]

NOTHING_YET: Any = object()
"""In an iterator over items, the place of those that are still to come."""

# How much of a refusal stands in its error's message: characters. Some are whole web pages.
_SUMMARY_SIZE = 500

# Some providers send `"error": null`, or another value that is no error, with every chunk. That must not cost
# parsing it twice.
_has_error = re.compile(r'"error"\s*:\s*(?!\s|null|false|""|\[\s*\]|\{\s*\}|0\s*[,}])').search

# What an error says if the server says nothing; openai-python's words.
_DEFAULT_MESSAGE = "An error occurred during streaming"

# How many lines of a body that is no event stream are searched for an error in JSON.
_MOST_LINES = 20

# How much is kept of what no event has followed yet: bytes.
_REST_SIZE = 64 * 1024
_may_be_json = re.compile(rb"(?:\A|[\r\n])(?:\xef\xbb\xbf)?[ \t]*[{\[]").search
_end_of_line = re.compile(rb"\r\n|[\r\n]").search

# How much longer than the sentinel data may be that is the sentinel in quotes and spaces: characters.
_SENTINEL_MARGIN = 16


class StreamMachine(Generic[T]):
    """Turns the bytes of an event stream into items; its driver reads the bytes.

    An item is made when it is taken, so items before a faulty event come first. What is not taken is kept: a
    later iterator goes on where an earlier one stopped.

    An event becomes an item by these rules, the first that fits:

    1. Data that starts with the sentinel ends the stream; what follows it is dropped. So does the sentinel
       in quotes, in other case or with spaces around it, or as an event that the end of the input cuts.
    2. ``event: error`` raises ``APIError``.
    3. ``event: thread.…`` (OpenAI's Assistants) becomes ``{"event": …, "data": …}``, then is cast. A callable
       ``cast_to`` gets the event as it gets any other.
    4. Data that is a JSON object whose ``error`` is truthy raises ``APIError``. Where an answer of
       ``ssejet.chat`` belongs, errors of all known shapes do.
    5. Data that is blank or ``null`` is passed over, unless ``cast_to`` has a use for it.
    6. Else the event's data is cast.

    Input that ends without the sentinel raises ``APIError`` if the last thing in it is an error that no blank
    line has ended, or that stands there as JSON without a field's name.

    An exception of the decoder's ``on_comment`` comes after the items of the events before that comment. It
    ends no stream: whoever goes on gets the items after it.

    Attributes:
        done: nothing more will come: the sentinel or the end of the input was seen.
        goes_on: the exception just raised was one of ``on_comment``.
        saw_done: the sentinel was seen.
        metrics: what the stream measured of itself.
    """

    # One overload for each kind of cast_to: of a parameter that takes them all, mypy sees a union's first
    # member only.
    @overload
    def __init__(self, *, cast_to: None = None, **options: Unpack[MachineOptions]) -> None: ...
    @overload
    def __init__(self, *, cast_to: TypeForm[T], **options: Unpack[MachineOptions]) -> None: ...
    @overload
    def __init__(
        self, *, cast_to: Callable[[ServerSentEvent], T], **options: Unpack[MachineOptions]
    ) -> None: ...
    @overload
    def __init__(self, *, cast_to: UnionType, **options: Unpack[MachineOptions]) -> None: ...
    def __init__(
        self,
        *,
        cast_to: CastTo[T] | UnionType = None,
        decoder: Decoder | None = None,
        done: str | None = "[DONE]",
        require_done: bool = False,
        request: Any = None,
        metrics: StreamMetrics | None = None,
    ) -> None:
        """Prepare for one stream.

        Args:
            cast_to: what the items are; see ``Stream``.
            decoder: a ``Decoder`` of the caller's, fresh or ``reset()``; None for ``Decoder()``.
            done: the sentinel; None if the stream has none.
            require_done: whether input that ends without the sentinel is an error, unless ``metrics`` say
                that the items came to an end.
            request: the HTTP request, for errors to carry.
            metrics: where to keep what is measured; None for a ``StreamMetrics`` of its own.

        Raises:
            TypeError: ``cast_to`` or ``decoder`` is of the wrong kind.
            ValueError: ``done`` is empty, or is None although ``require_done`` is set.
        """
        if decoder is not None and not isinstance(decoder, Decoder):
            raise TypeError(f"decoder must be a ssejet.Decoder or None, not {type(decoder).__name__}")
        if done == "":
            raise ValueError("done must not be empty, or it would match every event; None means no sentinel")
        if require_done and done is None:
            raise ValueError("require_done=True needs a sentinel to wait for, but done is None")
        self.done: bool = False
        self.saw_done: bool = False
        self.metrics: StreamMetrics = StreamMetrics() if metrics is None else metrics
        self._decoder = Decoder() if decoder is None else decoder
        self._cast = make_cast(cast_to)
        self._sentinel: str | tuple[str, ...] = () if done is None else done
        self._longest_sentinel = 0 if done is None else len(done) + _SENTINEL_MARGIN
        self._require_done = require_done
        self._request = request
        self._pending: Iterator[ServerSentEvent] = iter(())
        self._ended = False
        # What has come since the chunk that brought the last event, that chunk included; None if it is much.
        self._rest: bytes | bytearray | None = b""
        self._last_error: APIError | None = None
        self.goes_on: bool = False

    def feed(self, chunk: bytes | bytearray | memoryview) -> Iterator[T]:
        """Take a chunk of bytes in and return an iterator over the complete items, as ``items()`` does."""
        self.receive(chunk)
        return self.items()

    def finish(self) -> Iterator[T]:
        """End the input and return an iterator over what is left, as ``items()`` does.

        Raises:
            EventTooLargeError: at once, if the unfinished event is over the limit.
            TruncatedStreamError: while iterating, after the items, as ``require_done`` asks.
        """
        self.receive_end()
        return self.items()

    def receive(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take bytes in; after the sentinel they are ignored.

        Raises:
            EventTooLargeError: the limit was reached before an event was complete.
            TypeError: ``chunk`` is not bytes.
        """
        if self.done:
            return
        self.metrics.add_read(len(chunk))
        try:
            events = self._decoder.feed(chunk)
        except BaseException as error:
            self._note(error)
            raise
        if events:
            self._rest = chunk if type(chunk) is bytes else bytes(chunk)
            self._hold(events)
        elif self._rest is not None:
            self._add_to_rest(chunk)

    def receive_end(self) -> None:
        """Take note that the input ended.

        Raises:
            EventTooLargeError: the unfinished event is over the limit.
        """
        if not self.done:
            self.done = self._ended = True
            unfinished = self._decoder._unfinished_data()
            try:
                events = self._decoder.finish()
            except BaseException as error:
                self._note(error)
                raise
            if not events and unfinished is not None:
                self.saw_done = self._is_sentinel(unfinished)
            if not events and not self.saw_done:
                self._last_error = self._error_in_rest()
            self._rest = None
            self._hold(events)

    def items(self, more: Callable[[], bool] | None = None, *, waits: bool = False) -> Iterator[T]:
        """Iterate over what has arrived and was not taken yet, as items.

        Args:
            more: called when all is taken: it receives more and returns True, or ends the iteration.
            waits: for those who cannot receive in a call: when all is taken, ``NOTHING_YET`` comes instead of
                the end, and then what has been received since.

        Raises:
            APIError: the server reported an error.
            InvalidJSONError: an event's data is not JSON, or not of the type asked for.
            EventTooLargeError: after the items, an event over the limit follows them.
            TruncatedStreamError: the input ended before the sentinel, with ``require_done``.
        """
        # This loop runs once per event, often a million times: what does not change is looked up before it.
        cast = self._cast
        decode = cast.decoder()
        takes_event = cast.takes_event
        answer = cast.answer
        if answer is not None:
            knows_shape, set_slot, slot = answer.knows_shape, answer.set_slot, answer.slot
        sentinel = self._sentinel
        # Where items are made of objects only, another sentinel need not be looked for: it cannot be decoded.
        seeks_sentinel = answer is None or "{" in sentinel
        longest_sentinel = self._longest_sentinel
        observe = self.metrics.observe
        ordinary: str | None = "message"
        while True:
            for event in self._pending:
                data = event.data
                if seeks_sentinel and (
                    data.startswith(sentinel) or (len(data) <= longest_sentinel and self._is_sentinel(data))
                ):
                    self._see_sentinel()
                    break
                kind = event.event
                # Events of one type share one string, so this is nearly always one comparison of pointers.
                if kind is not ordinary:
                    if data.startswith(sentinel):
                        self._see_sentinel()
                        break
                    if kind == "error":
                        raise self._api_error(payload_of(event))
                    if kind is not None and kind.startswith("thread.") and cast.convert is not None:
                        yield self._assistants_item(event)
                        continue
                    ordinary = kind
                if (
                    answer is None
                    and '"error"' in data
                    and _has_error(data)
                    and is_error(payload := payload_of(event))
                ):
                    raise self._api_error(payload)
                try:
                    item = decode(event if takes_event else data)
                except decoding_errors() as error:
                    if self._is_sentinel(data):
                        self._see_sentinel()
                        break
                    if cast.convert is not None and data.strip() in {"", "null"}:
                        continue
                    item = self._retry_decoding(event, error)
                else:
                    if answer is not None:
                        if knows_shape(data):
                            set_slot(item, slot, data)
                        else:
                            item = self._look_closer(answer, event, item)
                if observe is not None:
                    observe(item)
                yield item
            if self._settle():
                continue
            if waits:
                yield NOTHING_YET
            elif more is None or not more():
                return

    def events(
        self, more: Callable[[], bool] | None = None, *, waits: bool = False
    ) -> Iterator[ServerSentEvent]:
        """Iterate over what has arrived and was not taken yet, as it came: errors and the sentinel too.

        Args:
            more: see ``items()``.
            waits: see ``items()``.

        Raises:
            EventTooLargeError: after the events, one over the limit follows them.
            TruncatedStreamError: the input ended before the sentinel, with ``require_done``.
        """
        while True:
            for event in self._pending:
                if self._is_sentinel(event.data):
                    self._see_sentinel()
                yield event
            if self._settle():
                continue
            if waits:
                yield NOTHING_YET
            elif more is None or not more():
                return

    def check_first(self) -> bool:
        """Whether there is something to take, and not an error as the first thing.

        Raises:
            APIError: the first event is one that the server reports.
            EventTooLargeError: there is nothing before an event over the limit.
            TruncatedStreamError: the input ended without anything, with ``require_done``.
        """
        events = [*self._pending]
        self._pending = iter(events)
        if not events:
            return self._settle() and self.check_first()
        if error := self._error_of(events[0]):
            try:
                raise error
            finally:
                del error  # which holds this frame by its traceback
        return True

    def close(self) -> None:
        """Drop what was not taken, and ignore what may come."""
        self.done = True
        self._ended = False
        self._rest = None
        for _ in self._pending:  # an iterator over it may be in use, which now ends
            pass

    def _hold(self, events: list[ServerSentEvent]) -> None:
        self.metrics.add_events(len(events))
        left = next(self._pending, None)
        self._pending = iter(events if left is None else [left, *self._pending, *events])

    def _is_sentinel(self, data: str) -> bool:
        """Whether data is the sentinel, as it should be or as some servers send it."""
        sentinel = self._sentinel
        if isinstance(sentinel, tuple) or data.startswith(sentinel):
            return not isinstance(sentinel, tuple)
        if len(data) > self._longest_sentinel:
            return False
        text = data.strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1].strip()
        return text.casefold() == sentinel.casefold()

    def _error_of(self, event: ServerSentEvent) -> APIError | None:
        """The error that an event reports, if it reports one."""
        is_answer = self._cast.answer is not None
        if event.event == "error" or is_answer or _has_error(event.data):
            payload = payload_of(event)
            if event.event == "error" or (is_error_answer if is_answer else is_error)(payload):
                return self._api_error(payload)
        return None

    def _add_to_rest(self, chunk: bytes | bytearray | memoryview) -> None:
        """Keep bytes that complete no event, as long as they are few."""
        rest = self._rest if isinstance(self._rest, bytearray) else bytearray(self._rest or b"")
        rest += chunk
        if len(rest) > _REST_SIZE:
            # Comments may go on for hours: only the unfinished line counts.
            del rest[: max(rest.rfind(b"\n"), rest.rfind(b"\r"))]
        self._rest = rest if len(rest) <= _REST_SIZE else None

    def _error_in_rest(self) -> APIError | None:
        """The error that the input ends with, where it made no event of it."""
        rest = bytes((self._rest or b"")[-_REST_SIZE:])
        if self.metrics.events and (first_end := _end_of_line(rest)):
            rest = rest[first_end.end() :]  # the first line may have begun before
        # Most streams end with an event, which must not cost a second look at all its lines.
        if _may_be_json(rest):
            lines = BodyLines(goes_on=True)
            lines.feed(rest)
            lines.finish()
            if lines.found and (payload := error_in(lines.other)) is not None:
                return self._api_error(payload)
        if not rest or rest.endswith((b"\n\n", b"\r\r", b"\r\n\r\n")):
            return None
        decoder = Decoder(flush_incomplete=True, max_event_size=None)
        decoder.feed(rest)
        return next(filter(None, map(self._error_of, decoder.finish())), None)

    def _see_sentinel(self) -> None:
        self.saw_done = True
        self.close()

    def _note(self, error: BaseException) -> None:
        """Take note of whether an error of the decoder's is one of ``on_comment``, after which it goes on."""
        self.goes_on = self._decoder._waits and not isinstance(error, EventTooLargeError)

    def _settle(self) -> bool:
        """Take or raise what was put off until the events before it had been taken.

        Returns:
            Whether there is more to take.
        """
        # After the sentinel, what follows does not count.
        if self._decoder._waits and (self._ended or not self.done):
            try:
                self._hold(self._decoder.feed(b""))
            except BaseException as error:
                self._note(error)
                raise
            return True
        if self._ended and self._last_error is not None:
            last_error, self._last_error = self._last_error, None
            try:
                raise last_error
            finally:
                del last_error  # which holds this frame by its traceback
        if self._ended and self._require_done and not (self.saw_done or self.metrics.finished):
            raise TruncatedStreamError(
                f"the input ended before the sentinel {self._sentinel!r}: the answer may be incomplete"
            )
        return False

    def _api_error(self, payload: Any) -> APIError:
        return reported_error(payload, self._request)

    def _assistants_item(self, event: ServerSentEvent) -> Any:
        assert self._cast.convert is not None
        try:
            return self._cast.convert({"event": event.event, "data": event.json()})
        except decoding_errors() as error:
            raise self._invalid(event, error) from error

    def _look_closer(self, answer: AnswerCast, event: ServerSentEvent, item: Any) -> Any:
        """The item of an answer whose JSON does not look like that of earlier ones.

        Raises:
            APIError: it is no answer, but reports an error.
        """
        if item is not None and answer.extend(item, event.data):
            return item
        payload = payload_of(event)
        if is_error_answer(payload):
            raise self._api_error(payload)
        try:
            return answer.adopt(item, event.data, payload)
        except decoding_errors() as error:
            raise self._invalid(event, error) from error

    def _retry_decoding(self, event: ServerSentEvent, error: Exception) -> Any:
        """Accept what `json()` accepts and typed decoders refuse, such as NaN."""
        if self._cast.convert is not None and not isinstance(error, RecursionError):
            try:
                if self._cast.answer is not None:
                    return self._look_closer(self._cast.answer, event, None)
                return self._cast.convert(event.json())
            except decoding_errors():
                pass  # the first error says more
        elif not is_from_json(error):
            raise error  # of the caller's function
        raise self._invalid(event, error) from error

    def _invalid(self, event: ServerSentEvent, error: Exception) -> InvalidJSONError:
        position = None
        try:
            event.json()
        except ValueError as json_error:
            position = getattr(json_error, "pos", None)
            reason = f"the data is not JSON ({getattr(json_error, 'msg', json_error)})"
        except RecursionError:
            reason = "the data is nested too deep to be decoded"
        else:
            reason = f"the data is not what cast_to asks for ({explain(error)})"
        index = self.metrics.events - length_hint(self._pending) - 1
        return InvalidJSONError(reason, event=event, index=index, position=position, request=self._request)


def reported_error(payload: Any, request: Any) -> APIError:
    """The error for one that a server reports although the HTTP status is none.

    Args:
        payload: what it says, as of ``payload_of()``.
        request: the HTTP request, or None.
    """
    return APIError(error_message(payload) or _DEFAULT_MESSAGE, body=payload, request=request)


def status_error(response: Any, body: bytes) -> APIStatusError:
    """The error for a response with an HTTP error status.

    Args:
        response: the response.
        body: its body, or the start of it.
    """
    text = text_of(body)
    payload = payload_of(ServerSentEvent(data=text))
    summary = f"HTTP status {response.status_code}"
    if reason := error_message(payload) or text.strip():
        summary += f": {reason[:_SUMMARY_SIZE]}"
    return APIStatusError(summary, response=response, body=payload)


def error_in(body: bytes | bytearray) -> Any:
    """The JSON of the error that a body reports, which is no event stream; None if it reports none.

    The body may be one value, or one value per line.
    """
    text = text_of(body)
    for each in (text, *text.split("\n", _MOST_LINES)[:_MOST_LINES]):
        payload = payload_of(ServerSentEvent(data=each))
        if is_error_answer(payload):
            return payload
    return None


def text_of(body: bytes | bytearray) -> str:
    """The text of a body in UTF-8, without the byte order mark that it may begin with."""
    return body.removeprefix(BOM).decode("utf-8", "replace")


def payload_of(event: ServerSentEvent) -> Any:
    """The event's JSON, decoded, or its text if that is not JSON."""
    try:
        return event.json()
    except (ValueError, RecursionError):
        return event.data
