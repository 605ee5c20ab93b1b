"""The state of a chat stream: chunks in, events out, and the completion so far; no I/O."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, Generic, overload

from ssejet._redaction import redacted
from ssejet._server_errors import is_error_answer
from ssejet.chat._base import Source, added_to, is_too_deep, remember
from ssejet.chat._choices import ChoiceState
from ssejet.chat._events import ChunkEvent
from ssejet.chat._extra import Fields, copy_json
from ssejet.chat._formats import Formats
from ssejet.chat._models import ChatCompletionChunk, CompletionUsage, ParsedChatCompletion, ResponseFormatT
from ssejet.errors import (
    ContentFilterFinishReasonError,
    LengthFinishReasonError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.typed._server_reports import reported_error

if TYPE_CHECKING:
    from ssejet.chat._events import ChatCompletionStreamEvent

__all__ = ["ChatCompletionStreamState"]

# How much of an object that is no chunk an error shows: characters.
_EXCERPT_SIZE = 200

_CUT_SHORT: dict[str, type[LengthFinishReasonError | ContentFilterFinishReasonError]] = {
    "length": LengthFinishReasonError,
    "content_filter": ContentFilterFinishReasonError,
}


class ChatCompletionStreamState(Generic[ResponseFormatT]):
    """Gathers the chunks of a chat completion, and says what each of them means.

    A chunk costs the same however much came before it.

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
                TypedDict. OpenAI's dict form is taken too, but gives no type to parse into.
            input_tools: the request's ``tools``, in OpenAI's form or as types. The arguments of strict ones
                are parsed.

        Raises:
            TypeError: the format or a tool is nothing of the kind.
        """
        self._formats = Formats.of(response_format, input_tools)
        self._choices: dict[int, ChoiceState] = {}
        self._first: ChatCompletionChunk | None = None
        self._last: ChatCompletionChunk | None = None
        # The first of each of these that a chunk has. Azure's first chunk has none.
        self._id = self._model = ""
        self._created = 0
        self._service_tier: str | None = None
        # The latest of these.
        self._usage: CompletionUsage | None = None
        self._moderation: dict[str, Any] | None = None
        # The fields that the server added to chunks.
        self._extra = Fields()
        # The latest object that is no chunk, and the HTTP request, whose keys no error shows.
        self._last_other: Any = None
        self._request: Any = None

    def handle_chunk(self, chunk: Any) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """Take a chunk in, and return the events that it causes, the ``chunk`` event first.

        What has no ``choices`` is no chunk, such as a ping: it causes no events and changes nothing.

        Args:
            chunk: a ``ChatCompletionChunk``, openai-python's object of that name, or a dict.

        Raises:
            APIError: it is an error that the server reports in place of a chunk, or in a choice.
            LengthFinishReasonError: the answer was to be parsed, and was cut at the token limit.
            ContentFilterFinishReasonError: the answer was to be parsed, and was cut by a content filter.
            StreamError: a tool-call fragment without an index could belong to several calls.
        """
        events: list[ChatCompletionStreamEvent[ResponseFormatT]] = [ChunkEvent(chunk, self)]
        if type(chunk) is not ChatCompletionChunk:
            chunk = _adopt(chunk)
        # The text of a chunk that has nothing but known fields, or what else it was made from.
        source: Any = getattr(chunk, "_sent", None)
        is_unusual = type(source) is Source
        if is_unusual and source.places is None and not self._is_chunk(source.data):
            self._last_other = source
            return []
        is_first = self._first is None
        if is_first:
            self._first = chunk
        self._last = chunk
        if not self._model or not self._id:
            self._take_names(chunk)
        if chunk.service_tier is not None and self._service_tier is None:
            self._service_tier = chunk.service_tier
        usage = chunk.usage
        if is_unusual:
            self._take_extra(chunk, source)
            usage = _usage_elsewhere(chunk, source) if usage is None else usage
        if usage is not None and (self._usage is None or usage != _NO_USAGE):
            self._usage = usage
        if chunk.moderation is not None:
            self._moderation = copy_json(chunk.moderation)
        cut = None
        for choice in chunk.choices:
            state = self._choices.get(choice.index)
            if state is None:
                state = self._choices[choice.index] = ChoiceState(
                    choice.index, self._formats, parses_partially=not is_first
                )
            elif not state.parses_partially:
                state.parse_partially()
            if is_unusual:
                choice = state.add_unusual(choice)
            state.add(choice, events)
            if choice.finish_reason and choice.finish_reason in _CUT_SHORT:
                cut = choice.finish_reason
        # Like openai-python, we let a first chunk pass; get_final_completion() raises then.
        if cut is not None and not is_first and self._formats.parse_anything():
            raise _CUT_SHORT[cut](completion=self.current_completion_snapshot)
        return events

    def finish(self) -> list[ChatCompletionStreamEvent[ResponseFormatT]]:
        """Take note that the stream ended, and return the events that this causes, if any."""
        return [event for state in self._in_order() for event in state.flush()]

    @property
    def has_started(self) -> bool:
        """Whether a chunk has come."""
        return self._first is not None

    @property
    def is_finished(self) -> bool:
        """Whether every choice has a finish reason, and there is one."""
        choices = self._choices.values()
        return bool(choices) and all(state.finish_reason for state in choices)

    @property
    def current_completion_snapshot(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion so far. Before the first chunk, it is empty.

        It is put together when it is read, at a cost that grows with its length. What is parsed is validated
        where content or arguments are complete and valid, and else what the JSON so far gives.
        """
        return self._completion(validate=False)

    def get_final_completion(self) -> ParsedChatCompletion[ResponseFormatT]:
        """The completion, with its content and arguments parsed; to be called when the stream has ended.

        Raises:
            LengthFinishReasonError: a choice was cut at the token limit.
            ContentFilterFinishReasonError: a choice was cut by a content filter.
            TruncatedStreamError: there was no chunk at all.
            Exception: the content or a call's arguments do not fit their type. It is the one that the type's
                library raises.
        """
        if self._first is None:
            raise self._no_chunk_error()
        for state in self._in_order():
            if state.finish_reason in _CUT_SHORT:
                raise _CUT_SHORT[state.finish_reason](completion=self.current_completion_snapshot)
        return self._completion(validate=True)

    def _no_chunk_error(self) -> TruncatedStreamError:
        message = "the stream ended before its first chunk: there is no completion"
        if self._last_other is not None:
            other = self._last_other
            text = redacted(repr(other.data) if other.text is None else other.text, self._request)
            shown = text[:_EXCERPT_SIZE] + ("…" if len(text) > _EXCERPT_SIZE else "")
            message += f"; the last object that came is no chunk, as it has no choices: {shown}"
        return TruncatedStreamError(message)

    def _is_chunk(self, data: Any) -> bool:
        """Whether this is a chunk.

        Raises:
            APIError: it is an error that the server reports.
        """
        if is_error_answer(data):
            raise reported_error(dict(data), self._request)
        return "choices" in data

    def _take_names(self, chunk: ChatCompletionChunk) -> None:
        self._id = self._id or chunk.id
        self._created = self._created or chunk.created
        self._model = self._model or chunk.model

    def _take_extra(self, chunk: ChatCompletionChunk, source: Source) -> None:
        """Take in the fields that the server added to a chunk."""
        places = source.places
        if places is not None and (not places or places[0].path or self._extra.has_all(places[0].names)):
            return
        # As in openai-python, the first chunk's count; later ones only add to them.
        self._extra.complete(added_to(chunk) or {})

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
            # As in openai-python, the last chunk's, also if it has none.
            system_fingerprint=last.system_fingerprint,
            usage=self._usage,
            moderation=copy_json(self._moderation),
        )
        remember(completion, self._extra.plain())
        return completion

    def _in_order(self) -> list[ChoiceState]:
        return [self._choices[index] for index in sorted(self._choices)]


# Some servers send an empty object after the usage.
_NO_USAGE = CompletionUsage()


def _usage_elsewhere(chunk: ChatCompletionChunk, source: Source) -> CompletionUsage | None:
    """The usage where Moonshot (in the choice) and Groq (in ``x_groq``) have it."""
    for place in source.places or ():
        if "usage" in place.names or "x_groq" in place.names:
            break
    else:
        if source.places is not None:
            return None
    for added in (*map(added_to, chunk.choices), (added_to(chunk) or {}).get("x_groq")):
        usage = added.get("usage") if isinstance(added, Mapping) else None
        if isinstance(usage, Mapping) and usage:
            return CompletionUsage.from_dict(usage)
    return None


def _adopt(chunk: Any) -> ChatCompletionChunk:
    """Somebody else's chunk as ours."""
    if chunk is None:  # what a stream of plain JSON gives for ``null``, which some servers send
        chunk = {}
    if isinstance(chunk, (str, int, float, list)):  # what a stream of plain JSON may give
        if is_error_answer(chunk):
            raise reported_error(chunk, None)
        raise StreamError(f"a chunk must be an object, but {type(chunk).__name__} came")
    if not isinstance(chunk, Mapping):
        to_dict = getattr(chunk, "to_dict", None) or getattr(chunk, "model_dump", None)
        if to_dict is None:
            raise TypeError(
                "expected a ChatCompletionChunk of ssejet's or openai-python's, or a dict; "
                f"got {type(chunk).__name__}"
            )
        chunk = to_dict()
    if is_too_deep(chunk):
        raise StreamError("a chunk is nested too deep to be kept")
    return ChatCompletionChunk.from_dict(chunk)
