"""The state of a Messages stream: events of the server in, events and a message out. It does no I/O."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

import msgspec

from ssejet._answers.base import is_too_deep
from ssejet._answers.source import Source, added_to, copy_json, remember
from ssejet._pydantic import can_dump
from ssejet._server_errors import is_error_answer
from ssejet.chat._extra import Fields, keep_latest
from ssejet.chat._models import ResponseFormatT
from ssejet.errors import (
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.messages._blocks import BlockState, block_for
from ssejet.messages._events import ContentBlockStopEvent, MessageStopEvent
from ssejet.messages._models import FallbackBlock, Message, MessageDelta, ParsedMessage, Usage
from ssejet.messages._output_format import output_parser
from ssejet.messages._raw_events import (
    PingEvent,
    RawContentBlockDeltaEvent,
    RawContentBlockStartEvent,
    RawContentBlockStopEvent,
    RawEvent,
    RawMessageDeltaEvent,
    RawMessageStartEvent,
    RawMessageStopEvent,
    UnknownEvent,
)
from ssejet.typed._server_reports import reported_error, skip_or_raise

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.messages._events import MessageStreamEvent
    from ssejet.messages._models import MessageDeltaUsage

__all__ = ["MessageStreamState", "parsed_message"]

_CUT_SHORT: dict[str | None, type[LengthFinishReasonError | ContentFilterFinishReasonError]] = {
    "max_tokens": LengthFinishReasonError,
    "model_context_window_exceeded": LengthFinishReasonError,
    "refusal": ContentFilterFinishReasonError,
}


def _check_complete(message: Message) -> None:
    """Raise an error if a message that must be parsed was cut short.

    Raises:
        LengthFinishReasonError: the token limit cut it short.
        ContentFilterFinishReasonError: the model, or a filter, refused.
    """
    error = _CUT_SHORT.get(message.stop_reason)
    if error is not None:
        raise error(completion=message)


class MessageStreamState(Generic[ResponseFormatT]):
    """Takes the events of a server, returns the events of each, and puts the message together.

    An event costs the same however many came before it.

    ::

        state = MessageStreamState()
        for raw_event in stream:
            for event in state.handle_event(raw_event):
                if event.type == "text":
                    print(event.text, end="")
        message = state.get_final_message()
    """

    @overload
    def __init__(self, *, output_format: type[ResponseFormatT]) -> None: ...
    @overload
    def __init__(self: MessageStreamState[None], *, output_format: None = None) -> None: ...
    @overload
    def __init__(self, *, output_format: type[ResponseFormatT] | None) -> None: ...
    def __init__(self, *, output_format: type[ResponseFormatT] | None = None) -> None:
        """Prepare for one stream.

        Args:
            output_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a
                TypedDict.

        Raises:
            TypeError: the format is none of these.
        """
        self._parse: Callable[[str], Any] | None = output_parser(output_format)
        self._message: Message | None = None
        self._blocks: list[BlockState] = []
        # The latest block of each index that the server named.
        self._by_index: dict[int, BlockState] = {}
        self._model: str | None = None
        self._end = MessageDelta()
        self._usage: list[MessageDeltaUsage] = []
        self._context_management: dict[str, Any] | None = None
        self._input_transformations: list[Any] | None = None
        self._is_stopped = False
        # The fields that the server added to the message, to its usage, and to events of its end.
        self._extra: Fields | None = None
        self._usage_extra: Fields | None = None
        # The HTTP request, whose keys no error may show.
        self._request: Any = None

    def handle_event(self, event: Any) -> list[MessageStreamEvent[ResponseFormatT]]:
        """Add an event of the server, and return the events that it causes, itself first.

        Only ``content_block_stop`` and ``message_stop`` are replaced, by the events that also have the block
        and the message.

        Args:
            event: an event of ssejet or of anthropic's library, or a dict.

        Raises:
            APIError: the server reports an error.
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but the model refused.
            StreamError: it is no event.
        """
        kind = type(event)
        if kind is RawContentBlockDeltaEvent:
            events: list[Any] = [event]
            index = event.index
            block = self._by_index.get(index)
            if block is None or (block.is_implied and not block.takes(event.delta)):
                block = self._block_without_start(event)
            block.add(event.delta, events)
            return events
        if kind is RawContentBlockStartEvent:
            self._begin(event.index, event.content_block)
            return [event]
        if kind is RawContentBlockStopEvent:
            return self._end_block(event)
        if kind is RawMessageDeltaEvent:
            self._add_end(event)
            return [event]
        if kind is RawMessageStartEvent:
            self._start(event.message)
            return [event]
        if kind is RawMessageStopEvent:
            self._is_stopped = True
            return [MessageStopEvent(self)]
        if kind is PingEvent or kind is UnknownEvent:
            return [event]
        adopted = self._adopt(event)
        return [] if adopted is None else self.handle_event(adopted)

    def finish(self) -> list[MessageStreamEvent[ResponseFormatT]]:
        """End the stream, and return the events that this causes: none."""
        return []

    @property
    def has_started(self) -> bool:
        """Whether a part of the message has come."""
        return self._message is not None or bool(self._blocks)

    @property
    def is_finished(self) -> bool:
        """Whether ``message_stop`` has come."""
        return self._is_stopped

    @property
    def current_message_snapshot(self) -> ParsedMessage[ResponseFormatT]:
        """The message so far. Before the first event, it is empty.

        Each read puts it together, at a cost that grows with its length. Blocks that are complete and valid
        are parsed.
        """
        return self._put_together(validate=False)

    def get_final_message(self) -> ParsedMessage[ResponseFormatT]:
        """The message, with its text parsed. Call it when the stream has ended.

        Raises:
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but the model refused.
            StreamError: the input of a tool is not JSON.
            TruncatedStreamError: there was no message at all.
            Exception: the text does not fit the ``output_format``; the error is that of the type's library.
        """
        if not self.has_started:
            raise TruncatedStreamError("the stream ended before message_start: there is no message")
        self._check_complete()
        for block in self._blocks:
            if block.has_broken_input:
                begun: Any = block.begun
                raise StreamError(
                    f"the input of the tool {begun.name!r} is not JSON: ask again, or read it as "
                    "INVALID_JSON in the message, which is in .partial and in current_message_snapshot",
                    partial=self.current_message_snapshot,
                )
        return self._put_together(validate=True)

    def _check_complete(self) -> None:
        if self._parse is not None and self._end.stop_reason in _CUT_SHORT:
            _check_complete(self.current_message_snapshot)

    def _start(self, message: Message) -> None:
        if self._message is not None:
            return
        self._message = message
        for begun in message.content:  # a server may send the beginning of the content here
            self._begin(None, begun)
            self._blocks[-1].is_open = False
        self._end = MessageDelta(
            message.stop_reason, message.stop_sequence, message.stop_details, message.container
        )

    def _begin(self, index: int | None, begun: Any) -> BlockState:
        block = BlockState.begin(len(self._blocks), begun, self._parse)
        self._blocks.append(block)
        if index is not None:
            self._by_index[index] = block
        if isinstance(begun, FallbackBlock) and begun.to and isinstance(begun.to.get("model"), str):
            self._model = begun.to["model"]  # the model that goes on
        return block

    def _block_without_start(self, event: RawContentBlockDeltaEvent) -> BlockState:
        """The block of a delta that has no index, or whose block has not begun."""
        delta = event.delta
        if event.index is None and self._blocks and self._blocks[-1].takes(delta):
            return self._blocks[-1]
        block = self._begin(event.index, block_for(delta))
        block.is_implied = True
        return block

    def _end_block(self, event: RawContentBlockStopEvent) -> list[Any]:
        block = self._by_index.get(event.index) if event.index is not None else None
        if block is None and event.index is None and self._blocks:
            block = self._blocks[-1]
        if block is None:  # nothing begins or ends
            return [event]
        block.is_open = False
        return [ContentBlockStopEvent(block.position if event.index is None else event.index, block)]

    def _add_end(self, event: RawMessageDeltaEvent) -> None:
        delta = event.delta
        end = self._end
        if delta.stop_reason is not None or end.stop_reason is None:
            # These three belong together.
            end = msgspec.structs.replace(
                end,
                stop_reason=delta.stop_reason,
                stop_sequence=delta.stop_sequence,
                stop_details=delta.stop_details,
            )
        if delta.container is not None:
            end = msgspec.structs.replace(end, container=delta.container)
        self._end = end
        if event.usage is not None:
            self._usage.append(event.usage)
            if getattr(event.usage, "_sent", None):
                self._usage_extra = keep_latest(self._usage_extra, event.usage)
        if event.context_management is not None:
            self._context_management = event.context_management
        if event.input_transformations is not None:
            self._input_transformations = event.input_transformations
        if getattr(delta, "_sent", None):
            self._extra = keep_latest(self._extra, delta)
        if type(event._source) is Source:
            self._extra = keep_latest(self._extra, event)
        self._check_complete()

    def _adopt(self, event: Any) -> Any:
        """A dict, or an event of anthropic's library, as our event; None for JSON that is only a ping."""
        if not isinstance(event, Mapping):
            if hasattr(event, "to_dict"):
                event = event.to_dict()
            elif can_dump(type(event)):
                event = event.model_dump()
            elif event is None or isinstance(event, (str, int, float, list)):
                skip_or_raise(event, self._request, wanted="an event")
                return None
            else:
                raise TypeError(
                    f"expected an event of ssejet or anthropic, or a dict; got {type(event).__name__}"
                )
        if is_error_answer(event):
            raise reported_error(dict(event), self._request)
        if is_too_deep(event):
            raise StreamError("an event is nested too deep to be kept")
        return RawEvent.from_dict(event)

    def _put_together(self, *, validate: bool) -> ParsedMessage[ResponseFormatT]:
        begun = Message() if self._message is None else self._message
        end = self._end
        usage = self._merged_usage(begun.usage)
        context_management = self._context_management or begun.context_management
        transformations = self._input_transformations
        if transformations is None:
            transformations = begun.input_transformations
        message: ParsedMessage[Any] = ParsedMessage(
            id=begun.id,
            type=begun.type,
            role=begun.role,
            model=begun.model if self._model is None else self._model,
            content=[block.to_model(validate=validate) for block in self._blocks],
            stop_reason=end.stop_reason,
            stop_sequence=end.stop_sequence,
            stop_details=end.stop_details,
            usage=usage,
            container=end.container,
            context_management=copy_json(context_management),
            input_transformations=copy_json(transformations),
            diagnostics=copy_json(begun.diagnostics),
        )
        added = {**(added_to(begun) or {}), **({} if self._extra is None else self._extra.plain())}
        if added:
            remember(message, copy_json(added))
        return message

    def _merged_usage(self, usage: Usage) -> Usage:
        """The usage: each count of the end that is there replaces that of the beginning."""
        added = {
            **(added_to(usage) or {}),
            **({} if self._usage_extra is None else self._usage_extra.plain()),
        }
        changes = {
            name: value
            for each in self._usage
            for name, value in msgspec.structs.asdict(each).items()
            if value is not None
        }
        merged = msgspec.structs.replace(usage, **changes)
        if added:
            remember(merged, copy_json(added))
        return merged


def parsed_message(message: Message, output_format: type[ResponseFormatT]) -> ParsedMessage[ResponseFormatT]:
    """Parse the text blocks of a message.

    Raises:
        LengthFinishReasonError: the token limit cut the message short.
        ContentFilterFinishReasonError: the model refused.
        Exception: a text does not fit the type; the error is that of the type's library.
    """
    state = MessageStreamState(output_format=output_format)
    state._start(message)
    return state.get_final_message()
