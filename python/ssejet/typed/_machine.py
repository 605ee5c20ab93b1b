"""Turns the bytes of an event stream into typed items, without I/O.

A machine is in one of three states:

======== ================ ================= ==================== =========================================
state    receive(bytes)   receive_end()     sentinel, close()    all items are taken
======== ================ ================= ==================== =========================================
READING  READING          ENDED             CLOSED               READING: more bytes are needed
ENDED    ignored          ignored           CLOSED               CLOSED: raises the error of the end, if any
CLOSED   ignored          ignored           CLOSED               CLOSED: the iteration ends, with the error of
                                                                 a sentinel that came too early, if any
======== ================ ================= ==================== =========================================

READING and ENDED have a queue of events that are not taken yet. The decoder pauses at an exception of
``on_comment`` or an event over the limit, because the items before that error must come first. When the queue
is empty, the machine resumes the decoder, which raises the error or adds events to the queue. ``_aiter`` has
the table of the decoder's states.
"""

from __future__ import annotations

from contextlib import suppress
from enum import Enum, auto
from operator import length_hint
from typing import TYPE_CHECKING, Any, Generic, overload

from ssejet._aiter import DecoderState
from ssejet._core import Decoder, EventInput, ServerSentEvent
from ssejet._server_errors import is_error, is_error_answer, is_ping
from ssejet.errors import APIError, InvalidJSONError, SSEError, TruncatedStreamError
from ssejet.metrics._stream_metrics import StreamMetrics
from ssejet.typed._cast import explain, is_decoding_error, is_from_json, make_cast
from ssejet.typed._input_tail import InputTail
from ssejet.typed._kept_input import KeptInput
from ssejet.typed._sentinel import Sentinel
from ssejet.typed._server_reports import error_of, may_be_error, payload_of, reported_error
from ssejet.typed._types import T

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from types import UnionType

    from typing_extensions import TypeForm, Unpack

    from ssejet._core import AnswerBuilder
    from ssejet.typed._cast import AnswerCast
    from ssejet.typed._types import CastTo, MachineOptions

__all__ = ["NOTHING_YET", "MachineState", "StreamMachine"]

NOTHING_YET: Any = object()
"""What an iterator over items gives while the next item has not arrived."""


class MachineState(Enum):
    """The states of a machine; see the table at the top."""

    READING = auto()
    ENDED = auto()
    CLOSED = auto()


_READING = MachineState.READING
_RUNNING, _PAUSED, _RAISED = DecoderState.RUNNING, DecoderState.PAUSED, DecoderState.RAISED


class StreamMachine(Generic[T]):
    """Turns the bytes of an event stream into items; its driver reads the bytes.

    An item is made when it is taken, so the items before a faulty event come first. Items that are not taken
    stay: a later iterator goes on where an earlier one stopped.

    The first of these rules that fits makes an event into an item:

    1. Data that starts with the sentinel ends the stream; what follows is dropped. The same holds for the
       sentinel in quotes, in other case or with spaces around it, and as an event that the end of the input
       cuts off. With ``require_done``, it raises ``TruncatedStreamError`` where the protocol has a last event
       of its own that has not come.
    2. ``event: error`` raises ``APIError``.
    3. ``event: thread.…`` (OpenAI's Assistants) becomes ``{"event": …, "data": …}``, which is then cast. A
       callable ``cast_to`` gets the event as it gets any other.
    4. Data that is a JSON object whose ``error`` is truthy raises ``APIError``. Where an answer of
       ``ssejet.chat`` belongs, errors of all known shapes do.
    5. Data that is blank or ``null`` is skipped, unless ``cast_to`` can use it. Where an answer of
       ``ssejet.chat`` belongs, a ping that is not an object is skipped too.
    6. Any other data is cast.

    Input that ends without the sentinel raises ``APIError`` if its last part is an error: as an event without
    its blank line, or as JSON without a field's name.

    An exception of the decoder's ``on_comment`` comes after the items of the events before that comment. It
    does not end the stream: an iterator that goes on gives the items after it.

    Attributes:
        state: whether it takes bytes, has ended, or is closed.
        saw_done: whether the sentinel was seen.
        metrics: what the stream measures.
    """

    # With slots an object is in fewer cache lines, which counts if a process reads many streams at once.
    __slots__ = (
        "__dict__",
        "__weakref__",
        "_cast",
        "_decoder",
        "_decoder_state",
        "_error_at_end",
        "_input",
        "_queue",
        "_request",
        "_require_done",
        "_seeks_sentinel",
        "_sentinel",
        "_tail",
        "metrics",
        "saw_done",
        "state",
    )

    # One overload for each kind of cast_to: for one parameter that takes all kinds, mypy infers a union's
    # first member only.
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
            decoder: a ``Decoder`` of the caller's, new or after ``reset()``; None for ``Decoder()``.
            done: the sentinel; None if the stream has none.
            require_done: whether input that ends without the sentinel is an error, unless ``metrics`` say
                that the items came to an end.
            request: the HTTP request, which errors carry.
            metrics: where to keep what is measured; None for a new ``StreamMetrics``.

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
        self.saw_done: bool = False
        self.state: MachineState = _READING
        self._decoder = Decoder() if decoder is None else decoder
        self._decoder_state = _RUNNING
        self._cast = make_cast(cast_to)
        if metrics is None:
            known = None if self._cast.answer is None else self._cast.answer.metrics
            metrics = StreamMetrics() if known is None else known()
        self.metrics: StreamMetrics = metrics
        self._sentinel = Sentinel(done)
        # If each item is made of an object, decoding fails at any other sentinel, and so finds it.
        self._seeks_sentinel = self._cast.answer is None or "{" in self._sentinel.start
        self._require_done = require_done
        self._request = request
        self._queue: Iterator[ServerSentEvent] = iter(())
        self._tail = InputTail()
        self._input = EventInput(self._decoder, self.metrics, self._tail)
        self._error_at_end: APIError | TruncatedStreamError | None = None

    @property
    def done(self) -> bool:
        """Whether no more bytes are needed: the sentinel or the end of the input was seen."""
        return self.state is not _READING

    @property
    def _builder(self) -> AnswerBuilder | None:
        """What builds the items of ordinary events; None if any data may be the sentinel, or nothing does."""
        answer = self._cast.answer
        if answer is None or answer.build is None or self._seeks_sentinel:
            return None
        return getattr(answer.build, "__self__", None)

    @property
    def has_events(self) -> bool:
        """Whether there are events that were received and not taken."""
        return length_hint(self._queue) > 0

    def feed(self, chunk: bytes | bytearray | memoryview) -> Iterator[T]:
        """Take in a chunk of bytes and return an iterator over the complete items, as ``items()`` does."""
        self.receive(chunk)
        return self.items()

    def finish(self) -> Iterator[T]:
        """End the input and return an iterator over the items that are left, as ``items()`` does.

        Raises:
            EventTooLargeError: at once, if the unfinished event is over the limit.
            TruncatedStreamError: while iterating, after the items, as ``require_done`` asks.
        """
        self.receive_end()
        return self.items()

    def receive(self, chunk: bytes | bytearray | memoryview) -> None:
        """Take in bytes; after the sentinel they are ignored.

        Raises:
            EventTooLargeError: the limit was reached before an event was complete.
            TypeError: ``chunk`` is not bytes.
        """
        if self.state is not _READING:
            return
        events, is_paused = self._input.feed(chunk)
        self._put(events, is_paused)

    def _put(self, events: list[ServerSentEvent], is_paused: bool) -> None:
        """Take events that ``_input`` has given, and whether the decoder has paused after them."""
        self._decoder_state = _PAUSED if is_paused else _RUNNING
        if events:
            self._append(events)
        elif is_paused:
            self._resume_at_once()

    def receive_end(self) -> None:
        """Take in the end of the input.

        Raises:
            EventTooLargeError: the unfinished event is over the limit.
        """
        if self.state is not _READING:
            return
        try:
            self._receive_end()
        finally:
            # Last: a thread that takes items looks at the state.
            if self.state is _READING:
                self.state = MachineState.ENDED

    def _receive_end(self) -> None:
        unfinished = self._decoder._unfinished_data()
        events, is_paused = self._decoder._feed(None)
        self._decoder_state = _PAUSED if is_paused else _RUNNING
        self._enqueue(events)
        if not events:
            self.saw_done = unfinished is not None and self._sentinel.matches(unfinished)
            if not self.saw_done:
                self._error_at_end = self._tail.error(
                    self._request, has_events=self.metrics.events > 0, is_answer=self._cast.answer is not None
                )
        self._tail.clear()
        if not events:
            self._resume_at_once()

    def items(self, more: Callable[[], bool] | None = None, *, waits: bool = False) -> Iterator[T]:
        """Iterate over what has arrived and was not taken yet, as items.

        Args:
            more: is called when all items are taken. It receives more and returns True, or returns False to
                end the iteration.
            waits: for a caller that cannot receive inside of a call: when all items are taken, the iterator
                gives ``NOTHING_YET`` instead of ending, and then what has been received since.

        Raises:
            APIError: the server reported an error.
            InvalidJSONError: an event's data is not JSON, or not of the type asked for.
            EventTooLargeError: after the items before it, an event is over the limit.
            TruncatedStreamError: the input ended before the sentinel, with ``require_done``.
        """
        # This loop runs once per event, often a million times: what does not change is looked up before it.
        cast = self._cast
        decode = cast.decoder()
        takes_event = cast.takes_event
        answer = cast.answer
        build = None
        if answer is not None:
            knows_shape, set_slot, slot = answer.knows_shape, answer.set_slot, answer.slot
            build = None if self._seeks_sentinel else answer.build
        sentinel = self._sentinel
        sentinel_start, sentinel_max = sentinel.start, sentinel.max_length
        seeks_sentinel = self._seeks_sentinel
        observe = self.metrics.observe
        ordinary: str | None = "message"
        while True:
            for event in self._queue if build is None else map(build, self._queue):
                if build is not None and type(event) is not ServerSentEvent:
                    if observe is not None:
                        observe(event)
                    yield event
                    continue
                data = event.data
                if seeks_sentinel and (
                    data.startswith(sentinel_start) or (len(data) <= sentinel_max and sentinel.matches(data))
                ):
                    self._end_at_sentinel()
                    break
                kind = event.event
                # Events of one type share one string, so this nearly always compares pointers only.
                if kind is not ordinary:
                    if data.startswith(sentinel_start):
                        self._end_at_sentinel()
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
                    and may_be_error(data)
                    and is_error(payload := payload_of(event))
                ):
                    raise self._api_error(payload)
                try:
                    item = decode(event if takes_event else data)
                except Exception as error:
                    if not is_decoding_error(error):
                        raise
                    if sentinel.matches(data):
                        self._end_at_sentinel()
                        break
                    if cast.convert is not None and data.strip() in {"", "null"}:
                        continue
                    if answer is not None and is_ping(kind, data):
                        continue
                    item = self._decode_again(event, error)
                else:
                    if answer is not None:
                        if knows_shape(data):
                            set_slot(item, slot, data)
                        else:
                            item = self._complete_answer(answer, event, item)
                if observe is not None:
                    observe(item)
                yield item
            if (self._decoder_state is not _RUNNING or self.state is not _READING) and self._go_on():
                continue
            if waits:
                yield NOTHING_YET
            elif more is None or not more():
                return

    def events(
        self, more: Callable[[], bool] | None = None, *, waits: bool = False
    ) -> Iterator[ServerSentEvent]:
        """Iterate over what has arrived and was not taken yet, as events, with errors and the sentinel.

        Args:
            more: see ``items()``.
            waits: see ``items()``.

        Raises:
            EventTooLargeError: after the events before it, an event is over the limit.
            TruncatedStreamError: the input ended before the sentinel, with ``require_done``.
        """
        while True:
            for event in self._queue:
                if self._sentinel.matches(event.data):
                    self._end_at_sentinel()
                else:
                    self._observe(event)
                yield event
            if self._go_on():
                continue
            if waits:
                yield NOTHING_YET
            elif more is None or not more():
                return

    def _item_of(self, event: ServerSentEvent) -> Any:
        """The item of an event that ``events()`` gave, if the items are answers of a model.

        Raises:
            APIError: the server reports an error.
            InvalidJSONError: the event is no item.
        """
        assert self._cast.answer is not None
        if event.event == "error":
            raise self._api_error(payload_of(event))
        return self._complete_answer(self._cast.answer, event, None)

    def _is_early_sentinel(self, event: ServerSentEvent) -> bool:
        """Whether an event that ``events()`` gave is a sentinel that came before the answer was whole."""
        return self._error_at_end is not None and self._sentinel.matches(event.data)

    def check_first(self) -> bool:
        """Whether there is something to take. Raises if the first thing to take is an error.

        Raises:
            APIError: the first event is an error that the server reports.
            EventTooLargeError: there is nothing before an event over the limit.
            TruncatedStreamError: the input ended without anything, with ``require_done``.
        """
        while not (events := [*self._queue]):
            if not self._go_on():
                return False
        self._queue = iter(events)
        error = error_of(events[0], self._request, is_answer=self._cast.answer is not None)
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame
        return True

    def close(self) -> None:
        """Drop what was not taken, and ignore what may come."""
        self._error_at_end = None
        self.state = MachineState.CLOSED
        self._tail.clear()
        if self._kept is not None:
            self._kept.clear()
        for _ in self._queue:  # an iterator over it may be in use, which now ends
            pass

    @property
    def _kept(self) -> KeptInput | None:
        return self._input.kept  # type: ignore[return-value]

    def keep_input(self, read_again: Callable[..., StreamMachine[Any]]) -> None:
        """Keep what is received from now on for ``keep_partial()``, if the items are answers of a model.

        Args:
            read_again: makes a machine like this one, given a decoder.
        """
        answer = self._cast.answer
        if answer is not None and answer.collect is not None:
            self._input.kept = KeptInput(answer.collect, read_again)

    def keep_partial(self, error: BaseException) -> None:
        """Give an error of the stream the part of the answer that had arrived, if the input was kept."""
        if self._kept is not None and isinstance(error, SSEError) and error.partial is None:
            error.partial = self._kept.answer()

    def forget_input(self) -> None:
        """Keep the input no longer: the caller puts the answer together."""
        self._input.kept = None

    def go_on_from(self, other: StreamMachine[Any]) -> None:
        """Count what another machine received as this one's, for ``keep_partial()``."""
        if other._kept is not None and self._kept is not None:
            other._kept.go_on_with(self._kept)
        self._input.kept = other._kept

    def can_go_on(self) -> bool:
        """Whether the exception that was just raised leaves the stream open: those of ``on_comment`` do."""
        if self._decoder_state is not _RAISED:
            return False
        self._decoder_state = _PAUSED
        return True

    def _enqueue(self, events: list[ServerSentEvent]) -> None:
        """Take events that the decoder has given past ``_input``."""
        self.metrics.add_events(len(events))
        self._append(events)

    def _append(self, events: list[ServerSentEvent]) -> None:
        left = next(self._queue, None)
        self._queue = iter(events if left is None else [left, *self._queue, *events])

    def _end_at_sentinel(self) -> None:
        self.saw_done = True
        error = self._truncation()
        if error is not None:
            self.keep_partial(error)
        self.close()
        self._error_at_end = error

    def _observe(self, event: ServerSentEvent) -> None:
        """Show the item of an event to the metrics, which know whether the answer is whole."""
        observe = self.metrics.observe
        if self._cast.answer is not None and observe is not None:
            with suppress(SSEError):  # it is no item
                observe(self._item_of(event))

    def _go_on(self) -> bool:
        """Go on when all items are taken.

        Returns:
            Whether there may be more to take; if not, more bytes are needed.
        """
        if self.state is MachineState.CLOSED:
            self._raise_error_at_end()  # of a sentinel that came too early
            return False
        if self._decoder_state is not _RUNNING:
            self._resume()
            return True
        if self.state is MachineState.ENDED:
            self.state = MachineState.CLOSED
            self._error_at_end = self._error_at_end or self._truncation()
            self._raise_error_at_end()
        return False

    def _resume(self) -> None:
        """Let the paused decoder raise its error, or put the events that follow into the queue."""
        try:
            events, is_paused = self._decoder._resume()
        except BaseException as error:
            self._decoder_state = DecoderState.after(error)
            raise
        self._decoder_state = _PAUSED if is_paused else _RUNNING
        self._enqueue(events)

    def _resume_at_once(self) -> None:
        """Resume the decoder if it is paused and nothing has to be taken before."""
        if self._decoder_state is not _RUNNING and not self.has_events:
            self._resume()

    def _truncation(self) -> TruncatedStreamError | None:
        """The error of an end that came too early; None if it did not."""
        last = None if self._cast.answer is None else self._cast.answer.end
        is_end = self.metrics.finished or (self.saw_done and (last is None or self.metrics._lacks_only_end))
        if is_end or not self._require_done:
            return None
        end = f"the sentinel {self._sentinel.start!r}" if last is None else last
        return TruncatedStreamError(f"the input ended before {end}: the answer may be incomplete")

    def _raise_error_at_end(self) -> None:
        error = self._error_at_end
        self._error_at_end = None
        try:
            if error is not None:
                raise error
        finally:
            del error  # its traceback holds this frame

    def _api_error(self, payload: Any) -> APIError:
        return reported_error(payload, self._request)

    def _assistants_item(self, event: ServerSentEvent) -> Any:
        assert self._cast.convert is not None
        try:
            return self._cast.convert({"event": event.event, "data": event.json()})
        except Exception as error:
            if not is_decoding_error(error):
                raise
            raise self._invalid(event, error) from error

    def _complete_answer(self, answer: AnswerCast, event: ServerSentEvent, item: Any) -> Any:
        """The item of an answer whose JSON may hold more than known fields in known places.

        Raises:
            APIError: it is an error in place of an answer.
        """
        try:
            return answer.complete(item, event.data, lambda: self._read_answer(event))
        except Exception as error:
            if not is_decoding_error(error):
                raise
            raise self._invalid(event, error) from error

    def _read_answer(self, event: ServerSentEvent) -> Any:
        payload = payload_of(event)
        if is_error_answer(payload):
            raise self._api_error(payload)
        return payload

    def _decode_again(self, event: ServerSentEvent, error: Exception) -> Any:
        """The item of data that ``json()`` accepts and typed decoders do not, such as NaN.

        Args:
            event: the event.
            error: what the decoder raised.
        """
        try:
            if self._cast.convert is not None and not isinstance(error, RecursionError):
                try:
                    if self._cast.answer is not None:
                        return self._complete_answer(self._cast.answer, event, None)
                    return self._cast.convert(event.json())
                except Exception as second:
                    if not is_decoding_error(second):
                        raise
                    # The first error says more.
            elif not is_from_json(error):
                raise error  # of the caller's function
            raise self._invalid(event, error) from error
        finally:
            del error  # its traceback holds this frame

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
        index = self.metrics.events - length_hint(self._queue) - 1
        return InvalidJSONError(reason, event=event, index=index, position=position, request=self._request)
