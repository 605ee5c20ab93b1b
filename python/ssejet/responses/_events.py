"""The events of a stream of the Responses API, under OpenAI's names.

A ``Stream`` gives them as the server sent them. The events of a ``ResponseStream`` also know the response
that they belong to: ``snapshot`` and ``parsed`` are computed when they are read, and are always as they were
at the event.
"""

from __future__ import annotations

from functools import cache
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeAlias, Union, get_args

import msgspec
from msgspec import field

from ssejet._answers.base import build, holds_parts, is_too_deep
from ssejet._answers.plan import assembler_of_union
from ssejet._answers.source import copy_json
from ssejet._core import AnswerBuilder
from ssejet._json import loads
from ssejet.metrics._response_metrics import ResponseMetrics
from ssejet.responses._base import Part, TextFormatT, by_type
from ssejet.responses._items import AnnotationInJSON, ItemInJSON, Logprob, PartInJSON  # noqa: TC001
from ssejet.responses._response import Response
from ssejet.typed._server_reports import may_be_error

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from typing_extensions import Self

    from ssejet._answers.text import Text
    from ssejet._core import Assembler
    from ssejet.responses._base import Class
    from ssejet.responses._response import ParsedResponse

__all__ = [
    "EVENT_TYPES",
    "Moment",
    "ResponseAudioDeltaEvent",
    "ResponseAudioDoneEvent",
    "ResponseAudioTranscriptDeltaEvent",
    "ResponseAudioTranscriptDoneEvent",
    "ResponseCodeInterpreterCallCodeDeltaEvent",
    "ResponseCodeInterpreterCallCodeDoneEvent",
    "ResponseCodeInterpreterCallCompletedEvent",
    "ResponseCodeInterpreterCallInProgressEvent",
    "ResponseCodeInterpreterCallInterpretingEvent",
    "ResponseCompactionCompactingEvent",
    "ResponseCompletedEvent",
    "ResponseContentPartAddedEvent",
    "ResponseContentPartDoneEvent",
    "ResponseCreatedEvent",
    "ResponseCustomToolCallInputDeltaEvent",
    "ResponseCustomToolCallInputDoneEvent",
    "ResponseErrorEvent",
    "ResponseEvent",
    "ResponseFailedEvent",
    "ResponseFileSearchCallCompletedEvent",
    "ResponseFileSearchCallInProgressEvent",
    "ResponseFileSearchCallSearchingEvent",
    "ResponseFunctionCallArgumentsDeltaEvent",
    "ResponseFunctionCallArgumentsDoneEvent",
    "ResponseImageGenCallCompletedEvent",
    "ResponseImageGenCallGeneratingEvent",
    "ResponseImageGenCallInProgressEvent",
    "ResponseImageGenCallPartialImageEvent",
    "ResponseInProgressEvent",
    "ResponseIncompleteEvent",
    "ResponseMcpCallArgumentsDeltaEvent",
    "ResponseMcpCallArgumentsDoneEvent",
    "ResponseMcpCallCompletedEvent",
    "ResponseMcpCallFailedEvent",
    "ResponseMcpCallInProgressEvent",
    "ResponseMcpListToolsCompletedEvent",
    "ResponseMcpListToolsFailedEvent",
    "ResponseMcpListToolsInProgressEvent",
    "ResponseOutputItemAddedEvent",
    "ResponseOutputItemDoneEvent",
    "ResponseOutputTextAnnotationAddedEvent",
    "ResponseQueuedEvent",
    "ResponseReasoningSummaryPartAddedEvent",
    "ResponseReasoningSummaryPartDoneEvent",
    "ResponseReasoningSummaryTextDeltaEvent",
    "ResponseReasoningSummaryTextDoneEvent",
    "ResponseReasoningTextDeltaEvent",
    "ResponseReasoningTextDoneEvent",
    "ResponseRefusalDeltaEvent",
    "ResponseRefusalDoneEvent",
    "ResponseShellCallCommandAddedEvent",
    "ResponseShellCallCommandDeltaEvent",
    "ResponseShellCallCommandDoneEvent",
    "ResponseShellCallOutputContentDeltaEvent",
    "ResponseShellCallOutputContentDoneEvent",
    "ResponseStreamEvent",
    "ResponseTextDeltaEvent",
    "ResponseTextDoneEvent",
    "ResponseWebSearchCallCompletedEvent",
    "ResponseWebSearchCallInProgressEvent",
    "ResponseWebSearchCallSearchingEvent",
    "UnknownResponseEvent",
]


class Moment(msgspec.Struct, frozen=True, gc=False, eq=False):
    """What an event of a ``ResponseStream`` knows of the response.

    Attributes:
        sent: what the event was made from.
        text: the text that the event is about; None if there is none.
        end: the length that the text had.
        value: gives what the event's text, arguments or response were parsed into.
    """

    sent: Any
    text: Text | None = None
    end: int = 0
    value: Callable[[], Any] | None = None


class ResponseEvent(Part, frozen=True, tag_field="type"):
    """An event of the Responses API.

    As ``cast_to`` of a ``Stream`` it stands for all events, as ``ResponseStreamEvent`` does. The fields that
    the server does not send have their defaults.

    Attributes:
        sequence_number: the place of the event in the stream; None if the server sends none.
    """

    type: ClassVar[str]
    fields: ClassVar[tuple[str, ...]] = ()

    sequence_number: int | None = None

    # What typed streams need: see AnswerCast.
    event_class: ClassVar[Any]
    text_slot: ClassVar[str] = "_sent"
    end: ClassVar[str | None] = "an event response.completed, response.incomplete or response.failed"
    # A response that runs in the background may go on after it.
    ends_by_sentinel: ClassVar[bool] = False
    default_metrics: ClassVar[Any] = ResponseMetrics
    collect: ClassVar[Any] = None

    @classmethod
    def class_for(cls, data: Mapping[str, Any], /) -> Class:
        """The class of an event: by its ``type``, or ``UnknownResponseEvent`` for an unknown one.

        Args:
            data: the event, as decoded JSON.
        """
        kind = data.get("type")
        return _CLASSES.get(kind, UnknownResponseEvent) if isinstance(kind, str) else UnknownResponseEvent

    @classmethod
    def decoded_type(cls) -> Any:
        """The type that msgspec decodes a text to."""
        return _Tagged

    @classmethod
    def builder(cls) -> AnswerBuilder | None:
        """What builds the events of one stream that have no parts; None if only msgspec can."""
        assembler = _assembler()
        return (
            None if assembler is None else AnswerBuilder(assembler, None, frozenset(EVENT_TYPES) - {"error"})
        )

    @classmethod
    def shapes(cls) -> Any:
        """No shape of a text is known, so that ``complete`` gets each."""
        return _NoShapes

    @classmethod
    def complete(cls, event: Self | None, text: str, read: Callable[[], Any]) -> ResponseEvent:
        """Add to an event what its type does not know.

        Args:
            event: as msgspec read it; None if it could not.
            text: the JSON text.
            read: gives what the text gives, or raises.

        Raises:
            msgspec.ValidationError: it is not an object, or is nested too deep.
        """
        has_error = '"error"' in text and may_be_error(text)
        is_text = type(event) is ResponseTextDeltaEvent and not event.logprobs
        if event is not None and not has_error and (is_text or type(event) not in _WITH_PARTS):
            _set(event, "_sent", text)
            return event
        may_fail = has_error or event is None or type(event) is ResponseErrorEvent
        built: ResponseEvent = _from_data(read() if may_fail else loads(text))
        return built

    @classmethod
    def from_dict(cls, data: Mapping[str, Any]) -> Any:
        """Build the event; what is null, missing or of a wrong type becomes the field's default.

        Args:
            data: the decoded JSON object, which is copied. Its ``type`` chooses the class.
        """
        return _from_data(copy_json(data))

    @property
    def sent(self) -> Mapping[str, Any] | None:
        """The JSON object that the server sent; None if this event was made by hand. Do not change it."""
        sent = getattr(self, "_sent", None)
        if type(sent) is Moment:
            sent = sent.sent
        return loads(sent) if isinstance(sent, str) else sent

    @property
    def moment(self) -> Moment | None:
        """What the event knows of the response; None if it does not come from a ``ResponseStream``."""
        sent = getattr(self, "_sent", None)
        return sent if type(sent) is Moment else None

    def __repr__(self) -> str:
        values = ", ".join(f"{name}={getattr(self, name)!r}" for name in self.__struct_fields__)
        return f"{type(self).__name__}({values})"


class _NoShapes:
    """Knows no shape of a text."""

    knows: ClassVar[Callable[[str], bool]] = "".__eq__


class _OfResponse(ResponseEvent, frozen=True):
    """Mixin: an event with the response.

    Attributes:
        response: as it was sent.
    """

    response: Response = Response()


class _OfItem(ResponseEvent, frozen=True):
    """Mixin: an event about an item of the output.

    Attributes:
        output_index: the place of the item in the output; None if the server sends none.
        item_id: the id of the item; ``""`` if the server sends none.
    """

    output_index: int | None = None
    item_id: str = ""


class _OfContent(_OfItem, frozen=True):
    """Mixin: an event about a part of an item.

    Attributes:
        content_index: the place of the part in the item; None if the server sends none.
    """

    content_index: int | None = None


class _OfSummary(_OfItem, frozen=True):
    """Mixin: an event about a summary of reasoning.

    Attributes:
        summary_index: the place of the summary in the item; None if the server sends none.
    """

    summary_index: int | None = None


class _OfCommand(_OfItem, frozen=True):
    """Mixin: an event about a command of a shell call.

    Attributes:
        command_index: the place of the command in the call; None if the server sends none.
    """

    command_index: int | None = None


class _TextDelta(ResponseEvent, frozen=True):
    """Mixin: new characters of a text."""

    fields: ClassVar[tuple[str, ...]] = ("snapshot",)

    @property
    def snapshot(self) -> str:
        """The text so far. Only the events of a ``ResponseStream`` have it."""
        moment = self.moment
        if moment is None or moment.text is None:
            raise AttributeError(
                "only the events of a ResponseStream have a snapshot", name="snapshot", obj=self
            )
        return moment.text.prefix(moment.end)


def _value_of(event: ResponseEvent) -> Any:
    moment = event.moment
    return None if moment is None or moment.value is None else moment.value()


class ResponseTextDeltaEvent(_TextDelta, _OfContent, frozen=True, tag="response.output_text.delta"):
    """More of the answer's text.

    Attributes:
        delta: the new text.
        logprobs: the log probabilities of its tokens, if the request asks for them.
        obfuscation: characters that hide the length of the new text from those who watch the network.
    """

    type: ClassVar[Literal["response.output_text.delta"]]
    fields: ClassVar[tuple[str, ...]] = ("snapshot", "parsed")

    delta: str = ""
    logprobs: list[Logprob] | None = None
    obfuscation: str | None = None

    @property
    def parsed(self) -> object:
        """With a ``text_format``, the JSON value of the text so far, which is not yet an instance of it.

        An unfinished string, number or literal is left out. None if there is no value yet, or if the text is
        not JSON. Do not change it: later events share its finished parts.
        """
        moment = self.moment
        if moment is None or moment.text is None:
            return None
        return moment.text.value(moment.end, self.delta)


class ResponseTextDoneEvent(_OfContent, Generic[TextFormatT], frozen=True, tag="response.output_text.done"):
    """A text of the answer is complete.

    Attributes:
        text: the text.
        logprobs: the log probabilities of its tokens, if the request asks for them.
    """

    type: ClassVar[Literal["response.output_text.done"]]
    fields: ClassVar[tuple[str, ...]] = ("parsed",)

    text: str = ""
    logprobs: list[Logprob] | None = None

    @property
    def parsed(self) -> TextFormatT | None:
        """An instance of the ``text_format``; None without one, and for commentary.

        Reading it validates the text, and raises what the type's library raises if it does not fit.
        """
        parsed: TextFormatT | None = _value_of(self)
        return parsed


class ResponseFunctionCallArgumentsDeltaEvent(
    _TextDelta, _OfItem, frozen=True, tag="response.function_call_arguments.delta"
):
    """More of a function call's arguments, which are JSON text.

    Attributes:
        delta: the new text.
        obfuscation: characters that hide the length of the new text from those who watch the network.
    """

    type: ClassVar[Literal["response.function_call_arguments.delta"]]
    fields: ClassVar[tuple[str, ...]] = ("snapshot", "parsed_arguments")

    delta: str = ""
    obfuscation: str | None = None

    @property
    def parsed_arguments(self) -> object:
        """If the tool is strict, the JSON value so far, like ``ResponseTextDeltaEvent.parsed``."""
        moment = self.moment
        if moment is None or moment.text is None:
            return None
        return moment.text.value(moment.end, self.delta)


class ResponseFunctionCallArgumentsDoneEvent(
    _OfItem, frozen=True, tag="response.function_call_arguments.done"
):
    """A function call's arguments are complete.

    Attributes:
        arguments: the JSON text.
        name: of the function, if the server repeats it.
    """

    type: ClassVar[Literal["response.function_call_arguments.done"]]
    fields: ClassVar[tuple[str, ...]] = ("parsed_arguments",)

    arguments: str = ""
    name: str | None = None

    @property
    def parsed_arguments(self) -> Any:
        """If the tool is strict, the arguments as its type, or as JSON if it has none; else None.

        Reading it validates the text, and raises what the type's library raises if it does not fit.
        """
        return _value_of(self)


class ResponseCompletedEvent(ResponseEvent, Generic[TextFormatT], frozen=True, tag="response.completed"):
    """The response is complete. This is the last event of a stream."""

    type: ClassVar[Literal["response.completed"]]
    fields: ClassVar[tuple[str, ...]] = ("response",)

    sent_response: Response = field(default=Response(), name="response")

    @property
    def response(self) -> ParsedResponse[TextFormatT]:
        """The response. The events of a ``ResponseStream`` have it parsed.

        Reading it validates the texts and arguments, and raises what their types' libraries raise if they do
        not fit.
        """
        response: Any = _value_of(self) or self.sent_response
        parsed: ParsedResponse[TextFormatT] = response
        return parsed


class ResponseErrorEvent(ResponseEvent, frozen=True, tag="error"):
    """The server reports an error. Streams raise it as an ``APIError``."""

    type: ClassVar[Literal["error"]]

    code: str | None = None
    message: str = ""
    param: str | None = None


class ResponseCreatedEvent(_OfResponse, frozen=True, tag="response.created"):
    """The response has begun. This is the first event of a stream."""

    type: ClassVar[Literal["response.created"]]


class ResponseQueuedEvent(_OfResponse, frozen=True, tag="response.queued"):
    """The response waits for its turn."""

    type: ClassVar[Literal["response.queued"]]


class ResponseInProgressEvent(_OfResponse, frozen=True, tag="response.in_progress"):
    """The model is working on the response."""

    type: ClassVar[Literal["response.in_progress"]]


class ResponseFailedEvent(_OfResponse, frozen=True, tag="response.failed"):
    """The response failed; its ``error`` says why. This is the last event of a stream."""

    type: ClassVar[Literal["response.failed"]]


class ResponseIncompleteEvent(_OfResponse, frozen=True, tag="response.incomplete"):
    """The response ended too early.

    Its ``incomplete_details`` say why. This is the last event of a stream.
    """

    type: ClassVar[Literal["response.incomplete"]]


class ResponseOutputItemAddedEvent(ResponseEvent, frozen=True, tag="response.output_item.added"):
    """An item of the output has begun."""

    type: ClassVar[Literal["response.output_item.added"]]

    output_index: int | None = None
    item: ItemInJSON | None = None


class ResponseOutputItemDoneEvent(ResponseEvent, frozen=True, tag="response.output_item.done"):
    """An item of the output is complete."""

    type: ClassVar[Literal["response.output_item.done"]]

    output_index: int | None = None
    item: ItemInJSON | None = None


class ResponseContentPartAddedEvent(_OfContent, frozen=True, tag="response.content_part.added"):
    """A part of an item has begun."""

    type: ClassVar[Literal["response.content_part.added"]]

    part: PartInJSON | None = None


class ResponseContentPartDoneEvent(_OfContent, frozen=True, tag="response.content_part.done"):
    """A part of an item is complete."""

    type: ClassVar[Literal["response.content_part.done"]]

    part: PartInJSON | None = None


class ResponseRefusalDeltaEvent(_TextDelta, _OfContent, frozen=True, tag="response.refusal.delta"):
    """More of a refusal."""

    type: ClassVar[Literal["response.refusal.delta"]]

    delta: str = ""


class ResponseRefusalDoneEvent(_OfContent, frozen=True, tag="response.refusal.done"):
    """A refusal is complete."""

    type: ClassVar[Literal["response.refusal.done"]]

    refusal: str = ""


class ResponseOutputTextAnnotationAddedEvent(
    _OfContent, frozen=True, tag="response.output_text.annotation.added"
):
    """The answer's text cites something."""

    type: ClassVar[Literal["response.output_text.annotation.added"]]

    annotation_index: int | None = None
    annotation: AnnotationInJSON | None = None


class ResponseReasoningTextDeltaEvent(
    _TextDelta, _OfContent, frozen=True, tag="response.reasoning_text.delta"
):
    """More of the text of the model's reasoning."""

    type: ClassVar[Literal["response.reasoning_text.delta"]]

    delta: str = ""


class ResponseReasoningTextDoneEvent(_OfContent, frozen=True, tag="response.reasoning_text.done"):
    """The text of the model's reasoning is complete."""

    type: ClassVar[Literal["response.reasoning_text.done"]]

    text: str = ""


class ResponseReasoningSummaryPartAddedEvent(
    _OfSummary, frozen=True, tag="response.reasoning_summary_part.added"
):
    """A summary of reasoning has begun."""

    type: ClassVar[Literal["response.reasoning_summary_part.added"]]

    part: PartInJSON | None = None


class ResponseReasoningSummaryPartDoneEvent(
    _OfSummary, frozen=True, tag="response.reasoning_summary_part.done"
):
    """A summary of reasoning is complete; its ``status`` is ``"incomplete"`` if it was cut short."""

    type: ClassVar[Literal["response.reasoning_summary_part.done"]]

    part: PartInJSON | None = None
    status: str | None = None


class ResponseReasoningSummaryTextDeltaEvent(
    _TextDelta, _OfSummary, frozen=True, tag="response.reasoning_summary_text.delta"
):
    """More of a summary of reasoning."""

    type: ClassVar[Literal["response.reasoning_summary_text.delta"]]

    delta: str = ""


class ResponseReasoningSummaryTextDoneEvent(
    _OfSummary, frozen=True, tag="response.reasoning_summary_text.done"
):
    """The text of a summary of reasoning is complete."""

    type: ClassVar[Literal["response.reasoning_summary_text.done"]]

    text: str = ""


class ResponseCustomToolCallInputDeltaEvent(
    _TextDelta, _OfItem, frozen=True, tag="response.custom_tool_call_input.delta"
):
    """More of the input of a custom tool."""

    type: ClassVar[Literal["response.custom_tool_call_input.delta"]]

    delta: str = ""


class ResponseCustomToolCallInputDoneEvent(_OfItem, frozen=True, tag="response.custom_tool_call_input.done"):
    """The input of a custom tool is complete."""

    type: ClassVar[Literal["response.custom_tool_call_input.done"]]

    input: str = ""


class ResponseMcpCallArgumentsDeltaEvent(
    _TextDelta, _OfItem, frozen=True, tag="response.mcp_call_arguments.delta"
):
    """More of the arguments of an MCP server's tool, which are JSON text."""

    type: ClassVar[Literal["response.mcp_call_arguments.delta"]]

    delta: str = ""


class ResponseMcpCallArgumentsDoneEvent(_OfItem, frozen=True, tag="response.mcp_call_arguments.done"):
    """The arguments of an MCP server's tool are complete."""

    type: ClassVar[Literal["response.mcp_call_arguments.done"]]

    arguments: str = ""


class ResponseMcpCallInProgressEvent(_OfItem, frozen=True, tag="response.mcp_call.in_progress"):
    """A tool of an MCP server is being called."""

    type: ClassVar[Literal["response.mcp_call.in_progress"]]


class ResponseMcpCallCompletedEvent(_OfItem, frozen=True, tag="response.mcp_call.completed"):
    """A call of an MCP server's tool has succeeded."""

    type: ClassVar[Literal["response.mcp_call.completed"]]


class ResponseMcpCallFailedEvent(_OfItem, frozen=True, tag="response.mcp_call.failed"):
    """A call of an MCP server's tool has failed."""

    type: ClassVar[Literal["response.mcp_call.failed"]]


class ResponseMcpListToolsInProgressEvent(_OfItem, frozen=True, tag="response.mcp_list_tools.in_progress"):
    """The tools of an MCP server are being listed."""

    type: ClassVar[Literal["response.mcp_list_tools.in_progress"]]


class ResponseMcpListToolsCompletedEvent(_OfItem, frozen=True, tag="response.mcp_list_tools.completed"):
    """The tools of an MCP server were listed."""

    type: ClassVar[Literal["response.mcp_list_tools.completed"]]


class ResponseMcpListToolsFailedEvent(_OfItem, frozen=True, tag="response.mcp_list_tools.failed"):
    """The tools of an MCP server could not be listed."""

    type: ClassVar[Literal["response.mcp_list_tools.failed"]]


class ResponseCodeInterpreterCallCodeDeltaEvent(
    _TextDelta, _OfItem, frozen=True, tag="response.code_interpreter_call_code.delta"
):
    """More of the code that the interpreter will run."""

    type: ClassVar[Literal["response.code_interpreter_call_code.delta"]]

    delta: str = ""


class ResponseCodeInterpreterCallCodeDoneEvent(
    _OfItem, frozen=True, tag="response.code_interpreter_call_code.done"
):
    """The code that the interpreter will run is complete."""

    type: ClassVar[Literal["response.code_interpreter_call_code.done"]]

    code: str = ""


class ResponseCodeInterpreterCallInProgressEvent(
    _OfItem, frozen=True, tag="response.code_interpreter_call.in_progress"
):
    """A call of the code interpreter has begun."""

    type: ClassVar[Literal["response.code_interpreter_call.in_progress"]]


class ResponseCodeInterpreterCallInterpretingEvent(
    _OfItem, frozen=True, tag="response.code_interpreter_call.interpreting"
):
    """The code interpreter is running the code."""

    type: ClassVar[Literal["response.code_interpreter_call.interpreting"]]


class ResponseCodeInterpreterCallCompletedEvent(
    _OfItem, frozen=True, tag="response.code_interpreter_call.completed"
):
    """The code interpreter has run the code."""

    type: ClassVar[Literal["response.code_interpreter_call.completed"]]


class ResponseFileSearchCallInProgressEvent(
    _OfItem, frozen=True, tag="response.file_search_call.in_progress"
):
    """A search in files has begun."""

    type: ClassVar[Literal["response.file_search_call.in_progress"]]


class ResponseFileSearchCallSearchingEvent(_OfItem, frozen=True, tag="response.file_search_call.searching"):
    """Files are being searched."""

    type: ClassVar[Literal["response.file_search_call.searching"]]


class ResponseFileSearchCallCompletedEvent(_OfItem, frozen=True, tag="response.file_search_call.completed"):
    """A search in files is complete."""

    type: ClassVar[Literal["response.file_search_call.completed"]]


class ResponseWebSearchCallInProgressEvent(_OfItem, frozen=True, tag="response.web_search_call.in_progress"):
    """A search of the web has begun."""

    type: ClassVar[Literal["response.web_search_call.in_progress"]]


class ResponseWebSearchCallSearchingEvent(_OfItem, frozen=True, tag="response.web_search_call.searching"):
    """The web is being searched."""

    type: ClassVar[Literal["response.web_search_call.searching"]]


class ResponseWebSearchCallCompletedEvent(_OfItem, frozen=True, tag="response.web_search_call.completed"):
    """A search of the web is complete."""

    type: ClassVar[Literal["response.web_search_call.completed"]]


class ResponseImageGenCallInProgressEvent(
    _OfItem, frozen=True, tag="response.image_generation_call.in_progress"
):
    """A call of the image generator has begun."""

    type: ClassVar[Literal["response.image_generation_call.in_progress"]]


class ResponseImageGenCallGeneratingEvent(
    _OfItem, frozen=True, tag="response.image_generation_call.generating"
):
    """An image is being generated."""

    type: ClassVar[Literal["response.image_generation_call.generating"]]


class ResponseImageGenCallPartialImageEvent(
    _OfItem, frozen=True, tag="response.image_generation_call.partial_image"
):
    """The image as far as it is generated, in base64."""

    type: ClassVar[Literal["response.image_generation_call.partial_image"]]

    partial_image_b64: str = ""
    partial_image_index: int | None = None
    background: str | None = None
    output_format: str | None = None
    quality: str | None = None
    size: str | None = None


class ResponseImageGenCallCompletedEvent(
    _OfItem, frozen=True, tag="response.image_generation_call.completed"
):
    """An image is complete."""

    type: ClassVar[Literal["response.image_generation_call.completed"]]


class ResponseShellCallCommandAddedEvent(_OfCommand, frozen=True, tag="response.shell_call_command.added"):
    """A command for a shell has begun."""

    type: ClassVar[Literal["response.shell_call_command.added"]]

    command: str = ""


class ResponseShellCallCommandDeltaEvent(
    _TextDelta, _OfCommand, frozen=True, tag="response.shell_call_command.delta"
):
    """More of a command for a shell."""

    type: ClassVar[Literal["response.shell_call_command.delta"]]

    delta: str = ""
    obfuscation: str | None = None


class ResponseShellCallCommandDoneEvent(_OfCommand, frozen=True, tag="response.shell_call_command.done"):
    """A command for a shell is complete."""

    type: ClassVar[Literal["response.shell_call_command.done"]]

    command: str = ""


class ResponseShellCallOutputContentDeltaEvent(
    _OfCommand, frozen=True, tag="response.shell_call_output_content.delta"
):
    """More of what a command wrote, as ``stdout`` or ``stderr``."""

    type: ClassVar[Literal["response.shell_call_output_content.delta"]]

    delta: dict[str, Any] | None = None


class ResponseShellCallOutputContentDoneEvent(
    _OfCommand, frozen=True, tag="response.shell_call_output_content.done"
):
    """What a command wrote is complete."""

    type: ClassVar[Literal["response.shell_call_output_content.done"]]

    output: list[dict[str, Any]] = field(default_factory=list)


class ResponseCompactionCompactingEvent(_OfItem, frozen=True, tag="response.compaction.compacting"):
    """The conversation is being compacted."""

    type: ClassVar[Literal["response.compaction.compacting"]]


class ResponseAudioDeltaEvent(ResponseEvent, frozen=True, tag="response.audio.delta"):
    """More of the spoken answer, in base64."""

    type: ClassVar[Literal["response.audio.delta"]]

    delta: str = ""


class ResponseAudioDoneEvent(ResponseEvent, frozen=True, tag="response.audio.done"):
    """The spoken answer is complete."""

    type: ClassVar[Literal["response.audio.done"]]


class ResponseAudioTranscriptDeltaEvent(ResponseEvent, frozen=True, tag="response.audio.transcript.delta"):
    """More of the transcript of the spoken answer."""

    type: ClassVar[Literal["response.audio.transcript.delta"]]

    delta: str = ""


class ResponseAudioTranscriptDoneEvent(ResponseEvent, frozen=True, tag="response.audio.transcript.done"):
    """The transcript of the spoken answer is complete."""

    type: ClassVar[Literal["response.audio.transcript.done"]]


class UnknownResponseEvent(Part, frozen=True):
    """An event whose type is not known. ``to_dict()`` gives all that the server sent.

    Attributes:
        type: as it was sent; ``""`` if there is none.
        sequence_number: the place of the event in the stream; None if the server sends none.
    """

    fields: ClassVar[tuple[str, ...]] = ()

    if TYPE_CHECKING:
        # A type that no other class has, so that a comparison with theirs rules this class out.
        type: Literal["unknown"] = "unknown"
    else:
        type: str = ""

    sequence_number: int | None = None


# Generic in the text format; without one, it is any.
ResponseStreamEvent: TypeAlias = Union[  # noqa: UP007  # generic classes
    ResponseTextDeltaEvent,
    ResponseTextDoneEvent[TextFormatT],
    ResponseFunctionCallArgumentsDeltaEvent,
    ResponseFunctionCallArgumentsDoneEvent,
    ResponseCompletedEvent[TextFormatT],
    ResponseErrorEvent,
    ResponseCreatedEvent,
    ResponseQueuedEvent,
    ResponseInProgressEvent,
    ResponseFailedEvent,
    ResponseIncompleteEvent,
    ResponseOutputItemAddedEvent,
    ResponseOutputItemDoneEvent,
    ResponseContentPartAddedEvent,
    ResponseContentPartDoneEvent,
    ResponseRefusalDeltaEvent,
    ResponseRefusalDoneEvent,
    ResponseOutputTextAnnotationAddedEvent,
    ResponseReasoningTextDeltaEvent,
    ResponseReasoningTextDoneEvent,
    ResponseReasoningSummaryPartAddedEvent,
    ResponseReasoningSummaryPartDoneEvent,
    ResponseReasoningSummaryTextDeltaEvent,
    ResponseReasoningSummaryTextDoneEvent,
    ResponseCustomToolCallInputDeltaEvent,
    ResponseCustomToolCallInputDoneEvent,
    ResponseMcpCallArgumentsDeltaEvent,
    ResponseMcpCallArgumentsDoneEvent,
    ResponseMcpCallInProgressEvent,
    ResponseMcpCallCompletedEvent,
    ResponseMcpCallFailedEvent,
    ResponseMcpListToolsInProgressEvent,
    ResponseMcpListToolsCompletedEvent,
    ResponseMcpListToolsFailedEvent,
    ResponseCodeInterpreterCallCodeDeltaEvent,
    ResponseCodeInterpreterCallCodeDoneEvent,
    ResponseCodeInterpreterCallInProgressEvent,
    ResponseCodeInterpreterCallInterpretingEvent,
    ResponseCodeInterpreterCallCompletedEvent,
    ResponseFileSearchCallInProgressEvent,
    ResponseFileSearchCallSearchingEvent,
    ResponseFileSearchCallCompletedEvent,
    ResponseWebSearchCallInProgressEvent,
    ResponseWebSearchCallSearchingEvent,
    ResponseWebSearchCallCompletedEvent,
    ResponseImageGenCallInProgressEvent,
    ResponseImageGenCallGeneratingEvent,
    ResponseImageGenCallPartialImageEvent,
    ResponseImageGenCallCompletedEvent,
    ResponseShellCallCommandAddedEvent,
    ResponseShellCallCommandDeltaEvent,
    ResponseShellCallCommandDoneEvent,
    ResponseShellCallOutputContentDeltaEvent,
    ResponseShellCallOutputContentDoneEvent,
    ResponseCompactionCompactingEvent,
    ResponseAudioDeltaEvent,
    ResponseAudioDoneEvent,
    ResponseAudioTranscriptDeltaEvent,
    ResponseAudioTranscriptDoneEvent,
    UnknownResponseEvent,
]

_KNOWN: Any = tuple(getattr(each, "__origin__", each) for each in get_args(ResponseStreamEvent))[:-1]
_CLASSES = by_type(*_KNOWN)
# msgspec takes no class without a tag into a union.
_Tagged: Any = Union[_KNOWN]  # noqa: UP007
_WITH_PARTS = frozenset(cls for cls in _KNOWN if holds_parts(cls)) | {ResponseErrorEvent}

EVENT_TYPES: dict[str, type[Any]] = {}
for _class in _KNOWN:
    _class.type = _class.__struct_config__.tag
    EVENT_TYPES[_class.type] = _class
    names = [each.name for each in msgspec.structs.fields(_class) if each.name != "sent_response"]
    _class.fields = (*names, *_class.fields)

ResponseEvent.event_class = ResponseEvent

_set = msgspec.structs.force_setattr


@cache
def _assembler() -> Assembler | None:
    # Only lists of log probabilities that are empty are built, as parts keep the JSON that they were made of.
    models = [cls for cls in _KNOWN if cls not in _WITH_PARTS or cls is ResponseTextDeltaEvent]
    return assembler_of_union(models, ResponseEvent)


def _from_data(data: Any) -> Any:
    """Build an event of decoded JSON that nothing changes later.

    Raises:
        msgspec.ValidationError: it is not an object, or is nested too deep.
    """
    if not isinstance(data, dict):
        raise msgspec.ValidationError(f"expected an object, got {type(data).__name__}")
    if is_too_deep(data):
        raise msgspec.ValidationError("nested too deep to be kept")
    return build(ResponseEvent, data)
