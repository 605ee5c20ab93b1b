"""The state of a stream of the Responses API: events in, events and a response out. It does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

import msgspec

from ssejet._answers.base import build
from ssejet._answers.parsed import Formats, Parsed
from ssejet._answers.source import remember
from ssejet._answers.text import Text, parse_prefix
from ssejet._redaction import redacted
from ssejet._server_errors import is_error_answer
from ssejet.errors import (
    APIError,
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.responses import _events as events
from ssejet.responses._base import Part, TextFormatT
from ssejet.responses._items import (
    ParsedResponseFunctionToolCall,
    ParsedResponseOutputMessage,
    ParsedResponseOutputText,
)
from ssejet.responses._output import Item, Output, Piece
from ssejet.responses._response import ParsedResponse, Response
from ssejet.responses._tools import argument_parsers, parser_of
from ssejet.typed._server_reports import reported_error, skip_or_raise

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet.responses._events import ResponseStreamEvent

__all__ = ["ResponseStreamState", "parsed_response"]

_CUT_SHORT: dict[Any, type[LengthFinishReasonError | ContentFilterFinishReasonError]] = {
    "max_output_tokens": LengthFinishReasonError,
    "content_filter": ContentFilterFinishReasonError,
}

# The last events of a stream, and the status of a response that ends with each.
_LAST = {
    "response.completed": "completed",
    "response.incomplete": "incomplete",
    "response.failed": "incomplete",
    "response.cancelled": "incomplete",
}


class ResponseStreamState(Generic[TextFormatT]):
    """Takes the events of a response, gives them back with their snapshots, and puts the response together.

    An event costs the same however many came before it. Servers may leave out ``response.created``, indices,
    ids, the events that end a text or an item, and the output of ``response.completed``: the response is then
    put together from what came.

    ::

        state = ResponseStreamState()
        for event in stream:
            for event in state.handle_event(event):
                if event.type == "response.output_text.delta":
                    print(event.delta, end="")
        response = state.get_final_response()
    """

    @overload
    def __init__(
        self, *, text_format: type[TextFormatT], input_tools: Iterable[Any] | None = None
    ) -> None: ...
    @overload
    def __init__(
        self: ResponseStreamState[None],
        *,
        text_format: Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        text_format: type[TextFormatT] | Mapping[str, Any] | None,
        input_tools: Iterable[Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        *,
        text_format: type[TextFormatT] | Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
    ) -> None:
        """Prepare for one stream.

        Args:
            text_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a
                TypedDict. OpenAI's dict form is accepted too, but then the answer is not parsed.
            input_tools: the request's ``tools``, in OpenAI's form or as types. The arguments of strict ones
                are parsed.

        Raises:
            TypeError: the format or a tool is none of these.
        """
        self._formats = Formats.of(text_format, argument_parsers(input_tools or ()))
        self._output = Output()
        # The latest response that an event had, and the last event.
        self._response: Mapping[str, Any] | None = None
        self._last: Any = None
        self._end: str | None = None
        self._final: Mapping[str, Any] | None = None
        # The text that each kind of delta adds to, by the ids and indices of the event.
        self._texts: dict[Any, Text] = {}
        # The HTTP request, whose keys no error may show.
        self._request: Any = None

    def handle_event(self, event: Any) -> list[ResponseStreamEvent[TextFormatT]]:
        """Add an event, and return it as one that knows the response so far.

        Args:
            event: a ``ResponseStreamEvent``, openai-python's object of that name, or a dict.

        Raises:
            APIError: the server reports an error, or that the response failed.
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but a content filter cut it short.
            StreamError: the event is not an object.
        """
        handle = _HANDLERS.get(type(event))
        if handle is None and not isinstance(event, Part):
            event = self._adopt(event)
            if event is None:
                return []
            handle = _HANDLERS.get(type(event))
        elif type(getattr(event, "_sent", None)) is _Moment:  # another state has it
            event = _copy_of(event)
        self._last = event
        if handle is not None:
            event = handle(self, event) or event
        return [event]

    def finish(self) -> list[ResponseStreamEvent[TextFormatT]]:
        """End the stream. This gives no events, as the protocol's last event ends the response."""
        return []

    @property
    def has_started(self) -> bool:
        """Whether an event has come."""
        return self._last is not None

    @property
    def is_finished(self) -> bool:
        """Whether the last event of the response has come."""
        return self._end is not None

    @property
    def current_response_snapshot(self) -> ParsedResponse[TextFormatT]:
        """The response so far. Before the first event, it is empty.

        Each read puts it together, at a cost that grows with its length. Where texts or arguments are
        complete and valid, their values are validated; else they are the JSON so far.
        """
        return self._parsed_response(self._response_data(), validate=False)

    def get_final_response(self) -> ParsedResponse[TextFormatT]:
        """The response, with its texts and arguments parsed. Call it when the stream has ended.

        Raises:
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but a content filter cut it short.
            APIError: the response failed.
            TruncatedStreamError: there was no event at all.
            Exception: a text or a call's arguments do not fit their type; the error is that of the type's
                library.
        """
        if self._last is None:
            raise TruncatedStreamError("the stream ended before its first event: there is no response")
        data = self._response_data()
        if self._end == "response.failed":
            raise self._failure(data)
        self._check_length(data)
        return self._parsed_response(data, validate=True)

    # Events, by their kind.

    def _on_response(self, event: Any) -> None:
        self._take_response(_response_in(event))

    def _on_completed(self, event: events.ResponseCompletedEvent[TextFormatT]) -> Any:
        self._take_end(event)
        data = self._response_data()
        value = _Once(lambda: self._parsed_response(data, validate=True))
        _set(event, "_sent", events.Moment(event._sent, value=value))

    def _on_incomplete(self, event: events.ResponseIncompleteEvent) -> Any:
        self._take_end(event)
        data = self._response_data()
        self._check_length(data)
        if data is not _response_in(event):
            event = _replaced(event, response=build(Response, data))
        return event

    def _on_failed(self, event: events.ResponseFailedEvent) -> Any:
        self._take_end(event)
        raise self._failure(self._response_data())

    def _on_other(self, event: events.ResponseErrorEvent | events.UnknownResponseEvent) -> None:
        data = event.to_dict()
        if is_error_answer(data):
            raise self._reported(data)
        if data.get("type") == "response.cancelled":
            self._take_end(event)

    def _on_item_added(self, event: events.ResponseOutputItemAddedEvent) -> None:
        self._texts.clear()
        if event.item is not None:
            self._output.announce(_data_of(event.item), event.output_index)

    def _on_item_done(self, event: events.ResponseOutputItemDoneEvent) -> None:
        self._texts.clear()
        if event.item is not None:
            self._output.finish(_data_of(event.item), event.output_index)

    def _on_part_added(self, event: Any) -> None:
        self._texts.clear()
        self._part_of(event)

    def _on_part_done(self, event: Any) -> None:
        piece = self._part_of(event)
        if piece is not None:
            piece.final = _data_of(event.part)

    def _part_of(self, event: Any) -> Piece | None:
        if event.part is None:
            return None
        data = _data_of(event.part)
        if isinstance(event, (events.ResponseContentPartAddedEvent, events.ResponseContentPartDoneEvent)):
            field, place = "content", event.content_index
            kind = "reasoning" if data.get("type") == "reasoning_text" else "message"
        else:
            field, place, kind = "summary", event.summary_index, "reasoning"
        output = self._output
        if (
            output.find(kind, event.item_id, event.output_index) is None
            and output.find("", event.item_id, event.output_index) is not None
            and not any(data.get(name) for name in ("text", "refusal"))
        ):
            return None  # an empty part of an item that has no parts, such as a call
        item = self._output.find_or_begin(kind, event.item_id, event.output_index)
        if place is None:
            place = len({at for name, at, _ in item.parts if name == field})
        if type(event) in _PARTS_DONE:  # deltas that come too late add to an empty text
            data = {"type": data.get("type")}
        return item.begin_part(field, place, data, is_json=self._parses(item))

    def _on_text_delta(self, event: events.ResponseTextDeltaEvent) -> None:
        # This runs for most events, so it finds the text by one look at a dict.
        delta = event.delta
        try:
            text = self._texts[event.output_index, event.item_id, event.content_index]
        except KeyError:
            text = self._find_text(event)
        text.parts.append(delta)
        text.length += len(delta)
        if event.logprobs:
            self._content(event, "message", "output_text").logprobs += map(_data_of, event.logprobs)
        _set(event, "_sent", _Moment(getattr(event, "_sent", None), text, text.length))

    def _find_text(self, event: events.ResponseTextDeltaEvent) -> Text:
        text = self._content(event, "message", "output_text").text
        self._texts[event.output_index, event.item_id, event.content_index] = text
        return text

    def _on_text_done(self, event: events.ResponseTextDoneEvent[TextFormatT]) -> Any:
        piece = self._content(event, "message", "output_text")
        item = self._output.find("message", event.item_id, event.output_index)
        event = self._end_text(event, piece, "text")
        if event.logprobs:
            piece.logprobs = [*map(_data_of, event.logprobs)]
        parse = self._formats.content if item is None or _is_answer(item.data) else None
        _set(event, "_sent", events.Moment(_sent_of(event), value=_value(event.text, parse)))
        return event

    def _on_arguments_delta(self, event: events.ResponseFunctionCallArgumentsDeltaEvent) -> None:
        key = (event.output_index, event.item_id)
        text = self._texts.get(key)
        if text is None:
            text = self._texts[key] = self._own(event, "function_call").text
        text.parts.append(event.delta)
        text.length += len(event.delta)
        _set(event, "_sent", _Moment(getattr(event, "_sent", None), text, text.length))

    def _on_arguments_done(self, event: events.ResponseFunctionCallArgumentsDoneEvent) -> Any:
        item = self._output.find_or_begin("function_call", event.item_id, event.output_index)
        if event.name and not item.data.get("name"):
            item.data = {**item.data, "name": event.name}
        parse = self._argument_parser(item.data)
        event = self._end_text(event, item.own_text(is_json=parse is not None), "arguments")
        _set(event, "_sent", events.Moment(_sent_of(event), value=_value(event.arguments, parse)))
        return event

    def _on_annotation(self, event: events.ResponseOutputTextAnnotationAddedEvent) -> None:
        if event.annotation is None:
            return
        known = self._content(event, "message", "output_text").annotations
        place = event.annotation_index
        if place is None or not 0 <= place < len(known):
            known.append(_data_of(event.annotation))
        else:
            known[place] = _data_of(event.annotation)

    def _on_command(self, event: Any) -> Any:
        item = self._output.find_or_begin("shell_call", event.item_id, event.output_index)
        place = max(0, len(item.commands) - 1) if event.command_index is None else event.command_index
        piece = item.commands.get(place)
        if piece is None:
            piece = item.commands[place] = Piece({}, None, is_json=False)
        if type(event) is events.ResponseShellCallCommandDeltaEvent:
            return self._add(event, piece.text)
        if type(event) is events.ResponseShellCallCommandAddedEvent:
            piece.text = Text(0, False, event.command)
            return None
        return self._end_text(event, piece, "command")

    def _on_command_output(self, event: Any) -> None:
        item = self._output.find_or_begin("shell_call_output", event.item_id, event.output_index)
        place = max(0, len(item.outputs) - 1) if event.command_index is None else event.command_index
        if type(event) is events.ResponseShellCallOutputContentDoneEvent:
            item.outputs[place] = event.output
            return
        (entry, *_) = item.outputs.setdefault(place, [{"stdout": "", "stderr": ""}])
        for name, more in (event.delta or {}).items():
            if isinstance(more, str):
                entry[name] = entry.get(name, "") + more

    # Parts of the handlers.

    def _add(self, event: Any, text: Text) -> None:
        end = text.add(event.delta)
        _set(event, "_sent", _Moment(getattr(event, "_sent", None), text, end))

    def _end_text(self, event: Any, piece: Piece, field: str) -> Any:
        """Take the end of a text. If the server does not repeat the text, the event gets it."""
        whole = getattr(event, field)
        if not whole and piece.text.length:
            return _replaced(event, **{field: str(piece.text)})
        piece.whole = whole
        return event

    def _content(self, event: Any, kind: str, part_kind: str) -> Piece:
        item = self._output.find_or_begin(kind, event.item_id, event.output_index)
        return item.part("content", event.content_index, part_kind, is_json=self._parses(item))

    def _own(self, event: Any, kind: str) -> Piece:
        item = self._output.find_or_begin(kind, event.item_id, event.output_index)
        parse = self._argument_parser(item.data) if kind == "function_call" else None
        return item.own_text(is_json=parse is not None)

    def _parses(self, item: Item) -> bool:
        return self._formats.content is not None and _is_answer(item.data)

    def _argument_parser(self, call: Mapping[str, Any]) -> Callable[[str], Any] | None:
        return parser_of(self._formats.arguments, call.get("name"), call.get("namespace"))

    # The response.

    def _take_response(self, data: Mapping[str, Any] | None) -> None:
        if data is None:
            return
        self._response = data
        output = data.get("output")
        if isinstance(output, list) and not self._output:
            for index, item in enumerate(output):
                if isinstance(item, dict):
                    self._output.announce(item, index)

    def _take_end(self, event: Any) -> None:
        self._end = event.type
        data = _response_in(event)
        if data is not None:
            self._response = self._final = data

    def _response_data(self) -> Mapping[str, Any]:
        """The response as JSON. The output of the last event counts, unless the server left it out."""
        data = self._response or {}
        if self._final is not None and data.get("output"):
            return data
        if not self._output:
            return (
                data
                if self._final is None or isinstance(data.get("output"), list)
                else {**data, "output": []}
            )
        status = None if self._end is None else _LAST[self._end]
        return {**data, "output": [item.to_data(status) for item in self._output.in_order()]}

    def _parsed_response(self, data: Mapping[str, Any], *, validate: bool) -> ParsedResponse[TextFormatT]:
        response: ParsedResponse[TextFormatT] = build(ParsedResponse, data)
        for item in response.output:
            if isinstance(item, ParsedResponseOutputMessage):
                parse = self._formats.content if _is_answer(_data_of(item)) else None
                for part in item.content:
                    if isinstance(part, ParsedResponseOutputText):
                        _set(part, "parsed", _parsed(part.text, parse, validate=validate))
            elif isinstance(item, ParsedResponseFunctionToolCall):
                parse = self._argument_parser({"name": item.name, "namespace": item.namespace})
                _set(item, "parsed_arguments", _parsed(item.arguments, parse, validate=validate))
        return response

    def _check_length(self, data: Mapping[str, Any]) -> None:
        """Raise an error if the answer must be parsed, but was cut short."""
        details = data.get("incomplete_details")
        reason = details.get("reason") if isinstance(details, dict) else None
        if isinstance(reason, str) and reason in _CUT_SHORT and self._formats.parse_anything():
            raise _CUT_SHORT[reason](completion=self._parsed_response(data, validate=False))

    def _failure(self, data: Mapping[str, Any]) -> APIError:
        error = reported_error({"error": data.get("error")}, self._request)
        if not data.get("error"):
            error = APIError("the response failed; the server does not say why", request=self._request)
        error.body = redacted(dict(self._response or {}), self._request)
        error.partial = self._parsed_response(data, validate=False)
        return error

    def _reported(self, payload: Any) -> APIError:
        """The error that the server reports, with the response so far."""
        error = reported_error(payload, self._request)
        if self._response is not None or self._output:
            error.partial = self.current_response_snapshot
        return error

    def _adopt(self, event: Any) -> Any:
        """A dict, or an event of openai-python's, as our event; None for a ping."""
        if event is None or isinstance(event, (str, int, float, list)):  # without cast_to, any JSON comes
            skip_or_raise(event, self._request, wanted="an event", report=self._reported)
            return None
        if not isinstance(event, Mapping):
            to_dict = getattr(event, "to_dict", None)
            if to_dict is None:
                raise TypeError(
                    "expected a ResponseStreamEvent of ssejet or openai-python, or a dict; "
                    f"got {type(event).__name__}"
                )
            event = to_dict()
        try:
            return events.ResponseEvent.from_dict(event)
        except msgspec.ValidationError as error:
            raise StreamError(f"an event cannot be kept: {error}") from error


def parsed_response(
    response: Response,
    text_format: type[TextFormatT] | Mapping[str, Any] | None,
    input_tools: Iterable[Any] | None,
) -> ParsedResponse[TextFormatT]:
    """Parse the texts and the arguments of a whole response; see ``ResponseStreamState``.

    Raises:
        LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
        ContentFilterFinishReasonError: the answer must be parsed, but a content filter cut it short.
        APIError: the response failed.
        Exception: a text or a call's arguments do not fit their type; the error is that of the type's
            library.
    """
    state = ResponseStreamState(text_format=text_format, input_tools=input_tools)
    # The last event of a stream has the whole response.
    last = f"response.{response.status}"
    state.handle_event(
        {"type": last if last in _LAST else "response.completed", "response": response.to_dict()}
    )
    return state.get_final_response()


class _Once:
    """Computes a value when it is first asked for. An exception is not kept."""

    __slots__ = ("_compute", "_value")

    def __init__(self, compute: Callable[[], Any]) -> None:
        self._compute: Callable[[], Any] | None = compute
        self._value: Any = None

    def __call__(self) -> Any:
        if self._compute is not None:
            self._value = self._compute()
            self._compute = None
        return self._value


def _value(text: str, parse: Callable[[str], Any] | None) -> Callable[[], Any] | None:
    return None if parse is None else Parsed(Text(0, True, text), len(text), parse).get


def _parsed(text: str, parse: Callable[[str], Any] | None, *, validate: bool) -> Any:
    """The value of a text; if it does not fit and need not, what the JSON gives so far."""
    if parse is None:
        return None
    if validate:
        return parse(text)
    try:
        return parse(text)
    except Exception:  # any error of the library of the text format or of the model
        return parse_prefix(text)


def _is_answer(message: Mapping[str, Any]) -> bool:
    """Whether the texts of a message are the answer, not commentary."""
    phase = message.get("phase")
    return phase is None or phase == "final_answer"


def _data_of(part: Any) -> Mapping[str, Any]:
    """A part as JSON that nothing changes later."""
    data: Mapping[str, Any] = part.to_dict() if part.sent is None else part.sent
    return data


def _response_in(event: Any) -> Mapping[str, Any] | None:
    """The response of an event as JSON; None if it has none."""
    if type(event) is events.UnknownResponseEvent:
        data = (event.sent or {}).get("response")
    else:
        response = event.sent_response if type(event) is events.ResponseCompletedEvent else event.response
        data = _data_of(response)
    return data if isinstance(data, dict) and data else None


def _sent_of(event: Any) -> Any:
    sent = getattr(event, "_sent", None)
    return sent.sent if type(sent) is events.Moment else sent


def _copy_of(event: Any) -> Any:
    copy = type(event)(*msgspec.structs.astuple(event))
    remember(copy, _sent_of(event))
    return copy


def _replaced(event: Any, **fields: Any) -> Any:
    replaced = msgspec.structs.replace(event, **fields)
    remember(replaced, _sent_of(event))
    return replaced


_set = msgspec.structs.force_setattr
_Moment = events.Moment


def _delta_of(field: str | None, kind: str, part_kind: str) -> Callable[[Any, Any], None]:
    """The handler of a delta of a part's text; without a field, of an item's own text."""

    def handle(state: ResponseStreamState[Any], event: Any) -> None:
        item = state._output.find_or_begin(kind, event.item_id, event.output_index)
        piece = _piece_of(item, event, field, part_kind)
        state._add(event, piece.text)

    return handle


def _done_of(field: str | None, kind: str, part_kind: str, text: str) -> Callable[[Any, Any], Any]:
    """The handler of the end of such a text."""

    def handle(state: ResponseStreamState[Any], event: Any) -> Any:
        item = state._output.find_or_begin(kind, event.item_id, event.output_index)
        return state._end_text(event, _piece_of(item, event, field, part_kind), text)

    return handle


def _piece_of(item: Item, event: Any, field: str | None, part_kind: str) -> Piece:
    if field is None:
        return item.own_text(is_json=False)
    place = event.summary_index if field == "summary" else event.content_index
    return item.part(field, place, part_kind, is_json=False)


def _status_of(kind: str, status: str) -> Callable[[Any, Any], None]:
    """The handler of an event that only tells the status of an item."""

    def handle(state: ResponseStreamState[Any], event: Any) -> None:
        item = state._output.find(kind, event.item_id, event.output_index)
        if item is not None:
            item.status = status

    return handle


_PARTS_DONE = {events.ResponseContentPartDoneEvent, events.ResponseReasoningSummaryPartDoneEvent}

_State = ResponseStreamState
_HANDLERS: dict[type[Any], Callable[[Any, Any], Any]] = {
    events.ResponseTextDeltaEvent: _State._on_text_delta,
    events.ResponseTextDoneEvent: _State._on_text_done,
    events.ResponseFunctionCallArgumentsDeltaEvent: _State._on_arguments_delta,
    events.ResponseFunctionCallArgumentsDoneEvent: _State._on_arguments_done,
    events.ResponseRefusalDeltaEvent: _delta_of("content", "message", "refusal"),
    events.ResponseRefusalDoneEvent: _done_of("content", "message", "refusal", "refusal"),
    events.ResponseReasoningTextDeltaEvent: _delta_of("content", "reasoning", "reasoning_text"),
    events.ResponseReasoningTextDoneEvent: _done_of("content", "reasoning", "reasoning_text", "text"),
    events.ResponseReasoningSummaryTextDeltaEvent: _delta_of("summary", "reasoning", "summary_text"),
    events.ResponseReasoningSummaryTextDoneEvent: _done_of("summary", "reasoning", "summary_text", "text"),
    events.ResponseCustomToolCallInputDeltaEvent: _delta_of(None, "custom_tool_call", ""),
    events.ResponseCustomToolCallInputDoneEvent: _done_of(None, "custom_tool_call", "", "input"),
    events.ResponseMcpCallArgumentsDeltaEvent: _delta_of(None, "mcp_call", ""),
    events.ResponseMcpCallArgumentsDoneEvent: _done_of(None, "mcp_call", "", "arguments"),
    events.ResponseCodeInterpreterCallCodeDeltaEvent: _delta_of(None, "code_interpreter_call", ""),
    events.ResponseCodeInterpreterCallCodeDoneEvent: _done_of(None, "code_interpreter_call", "", "code"),
    events.ResponseOutputTextAnnotationAddedEvent: _State._on_annotation,
    events.ResponseOutputItemAddedEvent: _State._on_item_added,
    events.ResponseOutputItemDoneEvent: _State._on_item_done,
    events.ResponseContentPartAddedEvent: _State._on_part_added,
    events.ResponseContentPartDoneEvent: _State._on_part_done,
    events.ResponseReasoningSummaryPartAddedEvent: _State._on_part_added,
    events.ResponseReasoningSummaryPartDoneEvent: _State._on_part_done,
    events.ResponseShellCallCommandAddedEvent: _State._on_command,
    events.ResponseShellCallCommandDeltaEvent: _State._on_command,
    events.ResponseShellCallCommandDoneEvent: _State._on_command,
    events.ResponseShellCallOutputContentDeltaEvent: _State._on_command_output,
    events.ResponseShellCallOutputContentDoneEvent: _State._on_command_output,
    events.ResponseCreatedEvent: _State._on_response,
    events.ResponseQueuedEvent: _State._on_response,
    events.ResponseInProgressEvent: _State._on_response,
    events.ResponseCompletedEvent: _State._on_completed,
    events.ResponseIncompleteEvent: _State._on_incomplete,
    events.ResponseFailedEvent: _State._on_failed,
    events.ResponseErrorEvent: _State._on_other,
    events.UnknownResponseEvent: _State._on_other,
}
# Such as response.web_search_call.searching.
for _type, _class in events.EVENT_TYPES.items():
    _kind, _, _status = _type.removeprefix("response.").partition(".")
    if _class not in _HANDLERS and _status in {
        "completed",
        "failed",
        "generating",
        "in_progress",
        "interpreting",
        "searching",
    }:
        _HANDLERS[_class] = _status_of(_kind, _status)
