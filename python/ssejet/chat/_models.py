"""OpenAI's chat and completion objects, under OpenAI's names.

Each field has a default, so a server may omit any of them. Fields that OpenAI does not
document but several providers send (``reasoning_content``, ``reasoning``) are here too; any other is in
``to_dict()`` and ``extra``. ``finish_reason``, ``role`` and the like are plain strings, because servers
invent new ones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar, Generic, TypeVar

from msgspec import field

from ssejet._answers.base import Model, Response
from ssejet.chat._extra import CONTENT_PARTS, reasoning_field
from ssejet.chat._lenient import (
    documented_call,
    documented_choice,
    documented_chunk,
    documented_completion,
    documented_function,
    documented_message,
    documented_text_choice,
    documented_text_completion,
    documented_whole_choice,
)

__all__ = [
    "ChatCompletion",
    "ChatCompletionAudio",
    "ChatCompletionChoice",
    "ChatCompletionChunk",
    "ChatCompletionMessage",
    "ChatCompletionMessageToolCall",
    "ChatCompletionTokenLogprob",
    "Choice",
    "ChoiceDelta",
    "ChoiceDeltaAudio",
    "ChoiceDeltaFunctionCall",
    "ChoiceDeltaToolCall",
    "ChoiceDeltaToolCallCustom",
    "ChoiceDeltaToolCallFunction",
    "ChoiceLogprobs",
    "Completion",
    "CompletionChoice",
    "CompletionLogprobs",
    "CompletionTokensDetails",
    "CompletionUsage",
    "Custom",
    "Function",
    "FunctionCall",
    "ParsedChatCompletion",
    "ParsedChatCompletionMessage",
    "ParsedChoice",
    "ParsedFunction",
    "ParsedFunctionToolCall",
    "PromptTokensDetails",
    "TopLogprob",
]

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import TypeAlias

    import typing_extensions

    ResponseFormatT = typing_extensions.TypeVar("ResponseFormatT", default=Any)
    # Brings an object into the form that OpenAI documents; see _lenient.
    Documented: TypeAlias = staticmethod[[Mapping[str, Any]], Mapping[str, Any]]
else:
    ResponseFormatT = TypeVar("ResponseFormatT")
    Documented = staticmethod


class _EitherName:
    """A field that reads another field if it is None itself."""

    def __init__(self, own: Any, other: Any) -> None:
        self.own = own
        self.other = other

    def __get__(self, model: Model | None, _: type[Model]) -> Any:
        if model is None:
            return self
        value = self.own.__get__(model)
        return self.other.__get__(model) if value is None else value

    def __set__(self, model: Model, value: Any) -> None:
        raise AttributeError(f"immutable type: {type(model).__name__!r}")


ModelT = TypeVar("ModelT", bound=Model)


def _read_reasoning_as_one(cls: type[ModelT]) -> type[ModelT]:
    """Make ``reasoning`` and ``reasoning_content`` read the one that the server sent.

    msgspec reads and writes the slots, so each is sent back under the name that it came with. The slots are
    ``reasoning_slot`` and ``reasoning_content_slot``.
    """
    slots: Any = cls
    slots.reasoning_slot, slots.reasoning_content_slot = slots.reasoning, slots.reasoning_content
    slots.reasoning = _EitherName(slots.reasoning_slot, slots.reasoning_content_slot)
    slots.reasoning_content = _EitherName(slots.reasoning_content_slot, slots.reasoning_slot)
    return cls


# What a streamed chunk is made of.


class ChoiceDeltaToolCallFunction(Model, frozen=True):
    """A fragment of a function's name (usually whole) and of its arguments, which are JSON text."""

    name: str | None = None
    arguments: str | None = None

    documented: ClassVar[Documented] = staticmethod(documented_function)


class ChoiceDeltaFunctionCall(ChoiceDeltaToolCallFunction, frozen=True):
    """A fragment of a ``function_call``, the older form of ``tool_calls``."""


class ChoiceDeltaToolCallCustom(Model, frozen=True):
    """A fragment of a custom tool's name (usually whole) and of its free-form input."""

    name: str | None = None
    input: str | None = None


class ChoiceDeltaToolCall(Model, frozen=True):
    """A fragment of one tool call. ``index`` says which call, if the server sends it."""

    index: int | None = None
    id: str | None = None
    type: str | None = None
    function: ChoiceDeltaToolCallFunction | None = None
    custom: ChoiceDeltaToolCallCustom | None = None

    documented: ClassVar[Documented] = staticmethod(documented_call)


class ChoiceDeltaAudio(Model, frozen=True):
    """A fragment of spoken output: base64 data, transcript, or the Unix time (s) when it expires."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


@_read_reasoning_as_one
class ChoiceDelta(Model, frozen=True):
    """What a chunk adds to one choice's message.

    Servers send reasoning as ``reasoning_content`` or ``reasoning``: each attribute reads the one that was
    sent.
    """

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChoiceDeltaToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    audio: ChoiceDeltaAudio | None = None
    annotations: list[Annotation] | None = None
    function_call: ChoiceDeltaFunctionCall | None = None

    documented: ClassVar[Documented] = staticmethod(documented_message)

    if TYPE_CHECKING:
        reasoning_content_slot: ClassVar[str | None]
        reasoning_slot: ClassVar[str | None]


class TopLogprob(Model, frozen=True):
    """A likely token at one position, its UTF-8 bytes, and the natural logarithm of its probability."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None


class ChatCompletionTokenLogprob(Model, frozen=True):
    """The token at one position, and the likeliest ones there."""

    token: str = ""
    logprob: float = 0.0
    bytes: list[int] | None = None
    top_logprobs: list[TopLogprob] = field(default_factory=list)


class ChoiceLogprobs(Model, frozen=True):
    """Log probabilities of a choice's content and refusal tokens."""

    content: list[ChatCompletionTokenLogprob] | None = None
    refusal: list[ChatCompletionTokenLogprob] | None = None


class Choice(Model, frozen=True):
    """One choice's part of a chunk."""

    index: int = 0
    delta: ChoiceDelta = ChoiceDelta()
    logprobs: ChoiceLogprobs | None = None
    finish_reason: str | None = None

    documented: ClassVar[Documented] = staticmethod(documented_choice)


class CompletionTokensDetails(Model, frozen=True):
    """What the completion's tokens were spent on."""

    accepted_prediction_tokens: int | None = None
    audio_tokens: int | None = None
    reasoning_tokens: int | None = None
    rejected_prediction_tokens: int | None = None
    text_tokens: int | None = None


class PromptTokensDetails(Model, frozen=True):
    """What the prompt's tokens were."""

    audio_tokens: int | None = None
    cache_write_tokens: int | None = None
    cached_tokens: int | None = None
    image_tokens: int | None = None
    text_tokens: int | None = None


class CompletionUsage(Model, frozen=True):
    """Tokens counted by the server."""

    completion_tokens: int = 0
    prompt_tokens: int = 0
    total_tokens: int = 0
    completion_tokens_details: CompletionTokensDetails | None = None
    prompt_tokens_details: PromptTokensDetails | None = None


class ChatCompletionChunk(Response, frozen=True):
    """A streamed part of a chat completion.

    ``created`` is in Unix seconds. ``error`` is what a server reports in place of an answer; streams
    raise it.
    """

    id: str = ""
    object: str = "chat.completion.chunk"
    created: int = 0
    model: str = ""
    service_tier: str | None = None
    system_fingerprint: str | None = None
    choices: list[Choice] = field(default_factory=list)
    usage: CompletionUsage | None = None
    obfuscation: str | None = None
    moderation: dict[str, Any] | None = None
    error: Any = None

    documented: ClassVar[Documented] = staticmethod(documented_chunk)


# What a completed message is made of.


class FunctionCall(Model, frozen=True):
    """A ``function_call``, the older form of ``tool_calls``."""

    name: str = ""
    arguments: str = ""

    documented: ClassVar[Documented] = staticmethod(documented_function)


class Function(Model, frozen=True):
    """A function's name and its arguments: JSON text, which is not valid if the model made a mistake."""

    name: str = ""
    arguments: str = ""

    documented: ClassVar[Documented] = staticmethod(documented_function)


class Custom(Model, frozen=True):
    """A custom tool's name and its free-form input."""

    name: str = ""
    input: str = ""


class ChatCompletionMessageToolCall(Model, frozen=True):
    """A tool call; ``type`` says which of ``function`` and ``custom`` is set."""

    id: str = ""
    type: str = "function"
    function: Function | None = None
    custom: Custom | None = None

    documented: ClassVar[Documented] = staticmethod(documented_call)


class ParsedFunction(Function, Generic[ResponseFormatT], frozen=True, gc=True):
    """A function call whose arguments are parsed too, if its tool is strict."""

    parsed_arguments: ResponseFormatT | None = None


class ParsedFunctionToolCall(Model, frozen=True, gc=True):
    """A tool call put together from a stream; ``index`` is its place there."""

    id: str = ""
    type: str = "function"
    function: ParsedFunction[Any] | None = None
    custom: Custom | None = None
    index: int = 0

    documented: ClassVar[Documented] = staticmethod(documented_call)


class ChatCompletionAudio(Model, frozen=True):
    """Spoken output: base64 data, its transcript, and the Unix time (s) when it expires."""

    id: str | None = None
    data: str | None = None
    transcript: str | None = None
    expires_at: int | None = None


class AnnotationURLCitation(Model, frozen=True):
    """A web page cited for the message's characters from ``start_index`` to ``end_index``."""

    url: str = ""
    title: str = ""
    start_index: int = 0
    end_index: int = 0


class Annotation(Model, frozen=True):
    """A note on the message by a web search tool."""

    type: str = "url_citation"
    url_citation: AnnotationURLCitation | None = None


@_read_reasoning_as_one
class ChatCompletionMessage(Model, frozen=True):
    """A message of the model.

    Servers send reasoning as ``reasoning_content`` or ``reasoning``: each attribute reads the one that was
    sent.
    """

    role: str | None = None
    content: str | None = None
    refusal: str | None = None
    tool_calls: list[ChatCompletionMessageToolCall] | None = None
    reasoning_content: str | None = None
    reasoning: str | None = None
    audio: ChatCompletionAudio | None = None
    annotations: list[Annotation] | None = None
    function_call: FunctionCall | None = None

    documented: ClassVar[Documented] = staticmethod(documented_message)

    def to_param(self) -> dict[str, Any]:
        """The message for the ``messages`` of the next request: without what only a response may hold.

        Reasoning and fields that the server added keep their names.
        """
        extra = self.extra
        parts = extra.pop(CONTENT_PARTS) if isinstance(extra.get(CONTENT_PARTS), list) else None
        param: dict[str, Any] = {"role": self.role or "assistant"}
        if parts is not None:
            param["content"] = _content_param(self.content, parts)
        elif self.content is not None:
            param["content"] = self.content
        if self.refusal is not None:
            param["refusal"] = self.refusal
        if self.audio is not None:
            param["audio"] = {"id": self.audio.id}
        if self.function_call is not None:
            param["function_call"] = self.function_call.to_dict()
        if self.tool_calls:
            param["tool_calls"] = [_tool_call_param(call) for call in self.tool_calls]
        for name, slot in (("reasoning_content", "reasoning_content_slot"), ("reasoning", "reasoning_slot")):
            reasoning = getattr(self, slot)
            if reasoning is not None and parts is None:
                param[name] = reasoning
        return {**extra, **param}


def _content_param(text: str | None, parts: list[Any]) -> list[Any]:
    """The content as parts: first the reasoning, then the text, then the rest."""
    thinking = [part for part in parts if reasoning_field(part)]
    texts = [{"type": "text", "text": text}] if text else []
    return [*thinking, *texts, *(part for part in parts if part not in thinking)]


def _tool_call_param(call: ChatCompletionMessageToolCall | ParsedFunctionToolCall) -> dict[str, Any]:
    param: dict[str, Any] = {**call.extra, "id": call.id, "type": call.type}
    if call.function is not None:
        function = call.function
        param["function"] = {**function.extra, "name": function.name, "arguments": function.arguments}
    if call.custom is not None:
        param["custom"] = call.custom.to_dict()
    return param


class ChatCompletionChoice(Model, frozen=True):
    """One of a completion's answers."""

    index: int = 0
    message: ChatCompletionMessage = ChatCompletionMessage()
    finish_reason: str | None = None
    logprobs: ChoiceLogprobs | None = None

    documented: ClassVar[Documented] = staticmethod(documented_whole_choice)


class ChatCompletion(Response, frozen=True):
    """A whole chat completion.

    ``created`` is in Unix seconds. ``error`` is what a server reports in place of an answer.
    """

    id: str = ""
    choices: list[ChatCompletionChoice] = field(default_factory=list)
    created: int = 0
    model: str = ""
    object: str = "chat.completion"
    service_tier: str | None = None
    system_fingerprint: str | None = None
    usage: CompletionUsage | None = None
    moderation: dict[str, Any] | None = None
    metadata: dict[str, str] | None = None
    error: Any = None

    documented: ClassVar[Documented] = staticmethod(documented_completion)


# The same, put together from a stream, with what was parsed. The garbage collector tracks these, because
# users' objects may refer to themselves.


class ParsedChatCompletionMessage(ChatCompletionMessage, Generic[ResponseFormatT], frozen=True, gc=True):
    """A message whose content is parsed too, if a ``response_format`` says into what."""

    tool_calls: list[ParsedFunctionToolCall] | None = None  # type: ignore[assignment]
    parsed: ResponseFormatT | None = None


class ParsedChoice(ChatCompletionChoice, Generic[ResponseFormatT], frozen=True, gc=True):
    """One of a completion's answers, parsed."""

    message: ParsedChatCompletionMessage[ResponseFormatT] = ParsedChatCompletionMessage()


class ParsedChatCompletion(ChatCompletion, Generic[ResponseFormatT], frozen=True, gc=True):
    """A whole chat completion, parsed.

    Put together from a stream, it has the fields that the server added to its chunks.
    """

    choices: list[ParsedChoice[ResponseFormatT]] = field(default_factory=list)  # type: ignore[assignment]

    def to_dict(self) -> dict[str, Any]:
        """The fields that are not None, and those that the server added, as JSON types."""
        return Model.to_dict(self)

    def __reduce__(self) -> Any:
        return Model.__reduce__(self)


# The older completions endpoint.


class CompletionLogprobs(Model, frozen=True):
    """Log probabilities of a completion's tokens, as parallel lists."""

    tokens: list[str] | None = None
    token_logprobs: list[float | None] | None = None
    text_offset: list[int] | None = None
    top_logprobs: list[dict[str, float] | None] | None = None


class CompletionChoice(Model, frozen=True):
    """One of a completion's texts, or its part in a chunk."""

    index: int = 0
    text: str = ""
    finish_reason: str | None = None
    logprobs: CompletionLogprobs | None = None

    documented: ClassVar[Documented] = staticmethod(documented_text_choice)


class Completion(Response, frozen=True):
    """An answer of the older completions endpoint, or a chunk of one.

    ``created`` is in Unix seconds. ``error`` is what a server reports in place of an answer; streams
    raise it.
    """

    id: str = ""
    choices: list[CompletionChoice] = field(default_factory=list)
    created: int = 0
    model: str = ""
    object: str = "text_completion"
    system_fingerprint: str | None = None
    usage: CompletionUsage | None = None
    error: Any = None

    documented: ClassVar[Documented] = staticmethod(documented_text_completion)
