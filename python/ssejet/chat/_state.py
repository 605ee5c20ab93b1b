"""The state of a chat stream: chunks in, events and a completion out. It does no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

from ssejet._answers.base import is_too_deep
from ssejet._answers.parsed import Formats
from ssejet._answers.source import Source, added_to, copy_json, remember
from ssejet._pydantic import can_dump
from ssejet._server_errors import has_choices, is_error_answer
from ssejet.chat._choices import ChoiceState
from ssejet.chat._content import Content
from ssejet.chat._events import ChunkEvent
from ssejet.chat._extra import Fields
from ssejet.chat._models import ChatCompletionChunk, CompletionUsage, ParsedChatCompletion, ResponseFormatT
from ssejet.chat._tools import argument_parsers
from ssejet.errors import (
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.typed._server_reports import excerpt_of, reported_error, skip_or_raise

if TYPE_CHECKING:
    from ssejet.chat._events import ChatCompletionStreamEvent
    from ssejet.chat._models import ChatCompletion

__all__ = ["ChatCompletionStreamState", "parsed_completion"]

_CUT_SHORT: dict[str, type[LengthFinishReasonError | ContentFilterFinishReasonError]] = {
    "length": LengthFinishReasonError,
    "content_filter": ContentFilterFinishReasonError,
}


class ChatCompletionStreamState(Generic[ResponseFormatT]):
    """Takes the chunks of a chat completion, returns the events of each, and puts the completion together.

    A chunk costs the same however many came before it.

    ::

        state = ChatCompletionStreamState()
        for chunk in stream:
            for event in state.handle_chunk(chunk):
                if event.type == "content.delta":
                    print(event.delta, end="")
        completion = state.get_final_completion()
    """

    @overload
    def __init__(
        self, *, response_format: type[ResponseFormatT], input_tools: Iterable[Any] | None = None
    ) -> None: ...
    @overload
    def __init__(
        self: ChatCompletionStreamState[None],
        *,
        response_format: Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
    ) -> None: ...
    @overload
    def __init__(
        self,
        *,
        response_format: type[ResponseFormatT] | Mapping[str, Any] | None,
        input_tools: Iterable[Any] | None = None,
    ) -> None: ...
    def __init__(
        self,
        *,
        response_format: type[ResponseFormatT] | Mapping[str, Any] | None = None,
        input_tools: Iterable[Any] | None = None,
    ) -> None:
        """Prepare for one stream.

        Args:
            response_format: the type of the answer: a pydantic model, a msgspec Struct, a dataclass or a
                TypedDict. OpenAI's dict form is accepted too, but then the answer is not parsed.
            input_tools: the request's ``tools``, in OpenAI's form or as types. The arguments of strict ones
                are parsed.

        Raises:
            TypeError: the format or a tool is none of these.
        """
        self._formats = Formats.of(response_format, argument_parsers(input_tools or ()))
        self._choices: dict[int, ChoiceState] = {}
        self._last: ChatCompletionChunk | None = None
        # The first value that a chunk has. Azure's first chunk has none.
        self._id = self._model = ""
        self._lacks_names = True
        self._created = 0
        self._service_tier: str | None = None
        # The latest value.
        self._usage: CompletionUsage | None = None
        self._moderation: dict[str, Any] | None = None
        # The fields that the server added to chunks.
        self._extra = Fields()
        # The latest object that is not a chunk; and the HTTP request, whose secrets errors must not show.
        self._last_other: Any = None
        self._request: Any = None

    def handle_chunk(self, chunk: Any) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """Add a chunk, and return its events, the ``chunk`` event first.

        An object without ``choices``, such as a ping, is not a chunk. It changes nothing.

        Args:
            chunk: a ``ChatCompletionChunk``, openai-python's object of that name, or a dict.

        Raises:
            APIError: the server reports an error in place of a chunk, or in a choice.
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but a content filter cut it short.
            StreamError: a tool-call fragment without an index could belong to several calls, or ``choices``
                is neither a list nor an object.
        """
        events: list[ChatCompletionStreamEvent[ResponseFormatT]] = [ChunkEvent(chunk, self)]
        if type(chunk) is not ChatCompletionChunk:
            chunk = _adopt(chunk, self._request)
        usage = chunk.usage
        try:
            # The JSON text, or a Source if the chunk has unknown fields or was not made from a text.
            source = chunk._sent
        except AttributeError:  # made by hand
            source = None
        is_unusual = type(source) is Source
        if is_unusual:
            if source.places is None and not self._is_chunk(source):
                self._last_other = source
                return []
            # As in openai-python, the first chunk's fields count; later ones only add to them.
            if (
                not _KNOWN_FIELDS.issuperset(source.data)
                if source.places is None
                else source.places and not source.places[0].path
            ):
                self._extra.complete(chunk, source)
            usage = _find_usage(chunk, source) if usage is None else usage
        is_first = self._last is None
        self._last = chunk
        if self._lacks_names:
            self._take_names(chunk)
        if chunk.service_tier is not None and self._service_tier is None:
            self._service_tier = chunk.service_tier
        if usage is not None and (self._usage is None or usage != _NO_USAGE):
            self._usage = usage
        if chunk.moderation is not None:
            self._moderation = copy_json(chunk.moderation)
        cut = None
        for choice in chunk.choices:
            try:
                state = self._choices[choice.index]
            except KeyError:
                index, formats = choice.index, self._formats
                state = ChoiceState(index, not is_first, formats, Content(index, formats.content))
                self._choices[index] = state
            state.add(choice, events, is_unusual)
            if choice.finish_reason is not None and choice.finish_reason in _CUT_SHORT:
                cut = choice.finish_reason
        # As in openai-python, a first chunk does not raise; get_final_completion() does.
        if cut is not None and not is_first and self._formats.parse_anything():
            raise _CUT_SHORT[cut](completion=self.current_completion_snapshot)
        return events

    def finish(self) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """End the stream, and return the events that this causes, if any."""
        return [event for state in self._in_order() for event in state.flush()]

    @property
    def has_started(self) -> bool:
        """Whether a chunk has come."""
        return self._last is not None

    @property
    def is_finished(self) -> bool:
        """Whether there is a choice, and each choice has a finish reason."""
        choices = self._choices.values()
        return bool(choices) and all(state.finish_reason for state in choices)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion so far. Before the first chunk, it is empty.

        Each read puts it together, at a cost that grows with its length. Where content or
        arguments are complete and valid, their values are validated; else they are the JSON so far.
        """
        return self._completion(validate=False)

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion, with its content and arguments parsed. Call it when the stream has ended.

        Raises:
            LengthFinishReasonError: the token limit cut a choice short.
            ContentFilterFinishReasonError: a content filter cut a choice short.
            TruncatedStreamError: there was no chunk at all.
            Exception: the content or a call's arguments do not fit their type; the error is that of the
                type's library.
        """
        if self._last is None:
            raise self._no_chunk_error()
        for state in self._in_order():
            if state.finish_reason in _CUT_SHORT:
                raise _CUT_SHORT[state.finish_reason](completion=self.current_completion_snapshot)
        return self._completion(validate=True)

    def _no_chunk_error(self) -> TruncatedStreamError:
        message = "the stream ended before its first chunk: there is no completion"
        if self._last_other is not None:
            shown = self._excerpt(self._last_other)
            message += f"; the last object is not a chunk, as it has no choices: {shown}"
        return TruncatedStreamError(message)

    def _excerpt(self, source: Source) -> str:
        return excerpt_of(source.data if source.text is None else source.text, self._request)

    def _is_chunk(self, source: Source) -> bool:
        """Whether an object is a chunk.

        Raises:
            APIError: the object is an error that the server reports.
            StreamError: there is no way to read its choices.
        """
        data = source.data
        if is_error_answer(data):
            raise reported_error(dict(data), self._request)
        choices = data.get("choices")
        if choices and not has_choices(data):
            kind, shown = type(choices).__name__, self._excerpt(source)
            raise StreamError(f"the choices of a chunk must be a list, not {kind}: {shown}")
        return "choices" in data

    def _take_names(self, chunk: ChatCompletionChunk) -> None:
        self._id = self._id or chunk.id
        self._created = self._created or chunk.created
        self._model = self._model or chunk.model
        self._lacks_names = not (self._id and self._model)

    def _completion(self, *, validate: bool) -> ParsedChatCompletion[ResponseFormatT]:
        last = self._last
        if last is None:
            return ParsedChatCompletion()
        completion = ParsedChatCompletion(
            id=self._id,
            choices=[state.to_model(validate=validate) for state in self._in_order()],
            created=self._created,
            model=self._model,
            service_tier=self._service_tier,
            # As in openai-python, that of the last chunk, even if it is None.
            system_fingerprint=last.system_fingerprint,
            usage=self._usage,
            moderation=copy_json(self._moderation),
        )
        remember(completion, self._extra.plain())
        return completion

    def _in_order(self) -> list[ChoiceState]:
        return [self._choices[index] for index in sorted(self._choices)]


def parsed_completion(
    completion: ChatCompletion,
    response_format: type[ResponseFormatT] | Mapping[str, Any] | None,
    input_tools: Iterable[Any] | None,
) -> ParsedChatCompletion[ResponseFormatT]:
    """Parse the content and the arguments of a whole completion; see ``ChatCompletionStreamState``.

    Raises:
        LengthFinishReasonError: the token limit cut a choice short.
        ContentFilterFinishReasonError: a content filter cut a choice short.
        Exception: the content or a call's arguments do not fit their type; the error is that of the type's
            library.
    """
    state = ChatCompletionStreamState(response_format=response_format, input_tools=input_tools)
    # A choice may have its whole message in one chunk.
    state.handle_chunk(completion.to_dict())
    return state.get_final_completion()


_KNOWN_FIELDS = frozenset(ChatCompletionChunk.__struct_fields__)

# Some servers send an empty object after the usage.
_NO_USAGE = CompletionUsage()


def _find_usage(chunk: ChatCompletionChunk, source: Source) -> CompletionUsage | None:
    """The usage in the choice, where Moonshot sends it, or in ``x_groq``."""
    places = source.places
    if places is not None and not any("usage" in place.names or "x_groq" in place.names for place in places):
        return None
    in_choices = [added_to(choice) for choice in chunk.choices if getattr(choice, "_sent", None)]
    data = source.data or source.read()
    for added in (*in_choices, data.get("x_groq")):
        usage = added.get("usage") if isinstance(added, Mapping) else None
        if isinstance(usage, Mapping) and usage:
            return CompletionUsage.from_dict(usage)
    return None


def _adopt(chunk: Any, request: Any) -> ChatCompletionChunk:
    """A dict, or a chunk of openai-python's, as our chunk."""
    if chunk is None or isinstance(chunk, (str, int, float, list)):  # a stream without cast_to gives any JSON
        skip_or_raise(chunk, request, wanted="a chunk")
        chunk = {}
    if not isinstance(chunk, Mapping):
        if hasattr(chunk, "to_dict"):
            chunk = chunk.to_dict()
        elif can_dump(type(chunk)):
            chunk = chunk.model_dump()
        else:
            raise TypeError(
                "expected a ChatCompletionChunk of ssejet or openai-python, or a dict; "
                f"got {type(chunk).__name__}"
            )
    if is_too_deep(chunk):
        raise StreamError("a chunk is nested too deep to be kept")
    return ChatCompletionChunk.from_dict(chunk)
