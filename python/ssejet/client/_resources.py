"""The methods that call the endpoints, for both clients.

``call`` is the client's method. It returns the answer, or for ``AsyncClient`` a coroutine that returns it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, overload

from ssejet._answers.opening import AsyncOpenedLater, OpenedLater
from ssejet.chat import ChatCompletion, ChatCompletionChunk
from ssejet.chat._state import parsed_completion
from ssejet.client._endpoints import CHAT, COMPLETIONS, RESPONSES
from ssejet.client._token_streams import (
    AsyncTokenChatStream,
    AsyncTokenResponseStream,
    AsyncTokenStream,
    TokenChatStream,
    TokenResponseStream,
    TokenStream,
)
from ssejet.responses import Response, ResponseStreamEvent
from ssejet.responses._state import parsed_response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from typing_extensions import Unpack

    from ssejet.chat._models import ParsedChatCompletion, ResponseFormatT
    from ssejet.client._endpoints import Endpoint
    from ssejet.client._params import (
        CallOptions,
        ChatParams,
        ChatStreamParams,
        CompletionParams,
        ResponseParams,
        ResponseStreamParams,
        RetrieveParams,
    )
    from ssejet.responses._base import TextFormatT
    from ssejet.responses._response import ParsedResponse

__all__ = [
    "AsyncChatCompletions",
    "AsyncResponses",
    "Caller",
    "Chat",
    "ChatCompletions",
    "Completions",
    "Responses",
]

StreamT = TypeVar("StreamT")
ResultT = TypeVar("ResultT")
CompletionsT = TypeVar("CompletionsT")


class Caller(Protocol):
    """A client's method that calls endpoints."""

    def __call__(self, endpoint: Endpoint, /, **params: Any) -> Any:
        """Send a request, with retries."""


class _Resource(Generic[StreamT, ResultT]):
    def __init__(self, call: Caller) -> None:
        self._call = call


class _ChatCompletions(_Resource[StreamT, ResultT]):
    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[True],
        **params: Unpack[ChatParams],
    ) -> StreamT: ...
    @overload
    def create(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        stream: Literal[False] = False,
        **params: Unpack[ChatParams],
    ) -> ResultT: ...
    @overload
    def create(
        self, *, model: str, messages: Sequence[Any], stream: bool, **params: Unpack[ChatParams]
    ) -> StreamT | ResultT: ...
    def create(
        self, *, model: str, messages: Sequence[Any], stream: bool = False, **params: Unpack[ChatParams]
    ) -> StreamT | ResultT:
        """Ask the model for the next message of a conversation.

        Args:
            model: the name of the model.
            messages: the conversation: dicts, or message objects of ssejet or openai-python.
            stream: whether to return a stream of chunks instead of the whole answer.
            params: other parameters, by OpenAI's names; one that is None is not sent. ``tools`` and
                ``response_format`` may be types, for which JSON Schemas are sent. The options
                ``extra_headers``, ``extra_query`` and ``extra_body`` add to the request; ``idle_timeout``,
                ``data_timeout``, ``timeout``, ``max_retries`` and ``tokenizer`` replace the client's.

        Returns:
            A stream whose first event has arrived, or the whole answer. With an ``AsyncClient``, await it.

        Raises:
            APIStatusError: the server answered with an error status.
            APIError: the server reported an error in another way.
            APITimeoutError: the server took too long.
            APIConnectionError: the connection could not be made, or broke.
            InvalidJSONError: the answer is not JSON, or no chat completion.
            ContentTypeError: the server sent something else than the stream.
            TruncatedStreamError: the stream ended before its first event.
            TypeError: a parameter cannot be sent.
            ValueError: an option has an invalid value.
        """
        answer: StreamT | ResultT = self._call(CHAT, model=model, messages=messages, stream=stream, **params)
        return answer


class ChatCompletions(_ChatCompletions[TokenStream[ChatCompletionChunk], ChatCompletion]):
    """Chat completions of a ``Client``."""

    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[ResponseFormatT],
        **params: Unpack[ChatStreamParams],
    ) -> TokenChatStream[ResponseFormatT]: ...
    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> TokenChatStream[None]: ...
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> TokenChatStream[Any]:
        """A stream of the next message, with the events of openai-python's ``stream()``.

        The request is sent when you enter a ``with`` block, iterate, or call ``until_done()`` or
        ``get_final_completion()``. Outside of a ``with`` block, read the stream to its end, or call
        ``close()``.

        Args:
            model: the name of the model.
            messages: the conversation.
            response_format: the type of the answer, or a dict as OpenAI takes it; see
                ``ChatCompletionStream``.
            params: see ``create()``.
        """
        request = partial(self.create, model=model, messages=messages, stream=True, **params)
        return TokenChatStream(
            OpenedLater(partial(request, response_format=response_format)),
            response_format=response_format,
            input_tools=params.get("tools"),
        )

    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[ResponseFormatT],
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[ResponseFormatT]: ...
    @overload
    def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[None]: ...
    def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[Any]:
        """Ask for the next message, and parse its content and the arguments of its tool calls.

        Args:
            model: the name of the model.
            messages: the conversation.
            response_format: the type of the answer, of which a JSON Schema is sent; or a dict as OpenAI takes
                it, with which the content is not parsed.
            params: see ``create()``. The arguments of strict ``tools`` are parsed.

        Returns:
            The completion; ``choices[0].message.parsed`` is the value, None after a refusal.

        Raises:
            SSEError: as from ``create()``.
            LengthFinishReasonError: the token limit cut a choice short.
            ContentFilterFinishReasonError: a content filter cut a choice short.
            Exception: the content or a call's arguments do not fit their type; the error is that of the
                type's library.
        """
        completion = self.create(
            model=model, messages=messages, stream=False, response_format=response_format, **params
        )
        return parsed_completion(completion, response_format, params.get("tools"))


class AsyncChatCompletions(
    _ChatCompletions[
        Coroutine[Any, Any, AsyncTokenStream[ChatCompletionChunk]], Coroutine[Any, Any, ChatCompletion]
    ]
):
    """Chat completions of an ``AsyncClient``."""

    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[ResponseFormatT],
        **params: Unpack[ChatStreamParams],
    ) -> AsyncTokenChatStream[ResponseFormatT]: ...
    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> AsyncTokenChatStream[None]: ...
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> AsyncTokenChatStream[Any]:
        """A stream of the next message; see ``ChatCompletions``.

        ``async with stream``, ``async with await stream`` and ``await stream`` send the request, too.
        """
        request = partial(self.create, model=model, messages=messages, stream=True, **params)
        return AsyncTokenChatStream(
            AsyncOpenedLater(partial(request, response_format=response_format)),
            response_format=response_format,
            input_tools=params.get("tools"),
        )

    @overload
    async def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[ResponseFormatT],
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[ResponseFormatT]: ...
    @overload
    async def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[None]: ...
    async def parse(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> ParsedChatCompletion[Any]:
        """Ask for the next message, and parse it; see ``ChatCompletions``."""
        completion = await self.create(
            model=model, messages=messages, stream=False, response_format=response_format, **params
        )
        return parsed_completion(completion, response_format, params.get("tools"))


class Chat(Generic[CompletionsT]):
    """The namespace ``chat``, as in openai-python.

    Attributes:
        completions: the chat completions.
    """

    def __init__(self, completions: CompletionsT) -> None:
        self.completions = completions


class Completions(_Resource[StreamT, ResultT]):
    """The older completions endpoint."""

    @overload
    def create(
        self,
        *,
        model: str,
        prompt: str | Sequence[Any] | None = None,
        stream: Literal[True],
        **params: Unpack[CompletionParams],
    ) -> StreamT: ...
    @overload
    def create(
        self,
        *,
        model: str,
        prompt: str | Sequence[Any] | None = None,
        stream: Literal[False] = False,
        **params: Unpack[CompletionParams],
    ) -> ResultT: ...
    @overload
    def create(
        self,
        *,
        model: str,
        prompt: str | Sequence[Any] | None = None,
        stream: bool,
        **params: Unpack[CompletionParams],
    ) -> StreamT | ResultT: ...
    def create(
        self,
        *,
        model: str,
        prompt: str | Sequence[Any] | None = None,
        stream: bool = False,
        **params: Unpack[CompletionParams],
    ) -> StreamT | ResultT:
        """Ask the model to continue a text.

        Args:
            model: the name of the model.
            prompt: the text, several texts, or their tokens.
            stream: whether to return a stream of chunks instead of the whole answer.
            params: see ``ChatCompletions.create()``, also for what this returns and raises.
        """
        answer: StreamT | ResultT = self._call(
            COMPLETIONS, model=model, prompt=prompt, stream=stream, **params
        )
        return answer


class _Responses(_Resource[StreamT, ResultT]):
    @overload
    def create(self, *, stream: Literal[True], **params: Unpack[ResponseParams]) -> StreamT: ...
    @overload
    def create(self, *, stream: Literal[False] = False, **params: Unpack[ResponseParams]) -> ResultT: ...
    @overload
    def create(self, *, stream: bool, **params: Unpack[ResponseParams]) -> StreamT | ResultT: ...
    def create(self, *, stream: bool = False, **params: Unpack[ResponseParams]) -> StreamT | ResultT:
        """Ask the model for a response.

        With ``background=True``, the response goes on without a reader. If its stream is cut, it then resumes
        after the last ``sequence_number``, up to ``max_retries`` times in a row without a new event: no event
        is lost, and none comes twice.

        Args:
            stream: whether to return a stream of events instead of the whole answer.
            params: ``model``, ``input`` and so on; see ``ChatCompletions.create()``, also for what this
                returns and raises. ``tools`` and ``text_format`` may be types, for which JSON Schemas are
                sent. ``input`` may hold items of an earlier response's ``output``. A failed response raises
                nothing: its ``status`` is ``"failed"``.
        """
        answer: StreamT | ResultT = self._call(RESPONSES, stream=stream, **params)
        return answer

    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: Literal[True],
        starting_after: int | None = None,
        **params: Unpack[RetrieveParams],
    ) -> StreamT: ...
    @overload
    def retrieve(
        self, response_id: str, *, stream: Literal[False] = False, **params: Unpack[RetrieveParams]
    ) -> ResultT: ...
    @overload
    def retrieve(
        self,
        response_id: str,
        *,
        stream: bool,
        starting_after: int | None = None,
        **params: Unpack[RetrieveParams],
    ) -> StreamT | ResultT: ...
    def retrieve(
        self,
        response_id: str,
        *,
        stream: bool = False,
        starting_after: int | None = None,
        **params: Unpack[RetrieveParams],
    ) -> StreamT | ResultT:
        """Get a response that was created before. A stream that is cut resumes; see ``create()``.

        Args:
            response_id: of the response.
            stream: whether to return a stream of the response's events: those so far, then those that come.
            starting_after: the stream begins after the event with this ``sequence_number``.
            params: ``include`` and options; see ``create()``.

        Raises:
            ValueError: the id is empty.
        """
        if stream:
            params = {"stream": True, "starting_after": starting_after, **params}  # type: ignore[typeddict-unknown-key]
        answer: StreamT | ResultT = self._call(RESPONSES.of(response_id, method="GET"), **params)
        return answer

    def cancel(self, response_id: str, **options: Unpack[CallOptions]) -> ResultT:
        """Cancel a response that runs in the background, and return it.

        Args:
            response_id: of the response.
            options: see ``create()``.

        Raises:
            ValueError: the id is empty.
        """
        answer: ResultT = self._call(RESPONSES.of(response_id, action="cancel"), **options)
        return answer

    def _request_of(self, response_id: str | None, text_format: Any, params: Any) -> Callable[[], Any]:
        """What sends the request of a stream."""
        if response_id is None:
            return partial(self.create, stream=True, text_format=text_format, **params)
        params = {name: value for name, value in params.items() if name != "tools"}
        return partial(self.retrieve, response_id, stream=True, **params)


class Responses(_Responses[TokenStream[ResponseStreamEvent[Any]], Response]):
    """OpenAI's Responses API, of a ``Client``."""

    @overload
    def stream(
        self,
        *,
        text_format: type[TextFormatT],
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> TokenResponseStream[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        text_format: Mapping[str, Any] | None = None,
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> TokenResponseStream[None]: ...
    def stream(
        self,
        *,
        text_format: type[Any] | Mapping[str, Any] | None = None,
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> TokenResponseStream[Any]:
        """A stream of a response, with the events of openai-python's ``stream()``.

        The request is sent when you enter a ``with`` block, iterate, or call ``until_done()`` or
        ``get_final_response()``. Outside of a ``with`` block, read the stream to its end, or call
        ``close()``.

        Args:
            text_format: the type of the answer, or a dict as OpenAI takes it; see ``ResponseStream``.
            response_id: of a response that was created before; None for a new one.
            starting_after: the stream gives the events after this ``sequence_number``. Those before it are
                read too, as the response is made of all.
            params: see ``create()``. With ``response_id``, those of ``retrieve()``, and ``tools``.
        """
        return TokenResponseStream(
            OpenedLater(self._request_of(response_id, text_format, params)),
            text_format=text_format,
            input_tools=params.get("tools"),
            require_finish=False,  # the source knows
            starting_after=starting_after,
        )

    @overload
    def parse(
        self, *, text_format: type[TextFormatT], **params: Unpack[ResponseStreamParams]
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    def parse(
        self, *, text_format: Mapping[str, Any] | None = None, **params: Unpack[ResponseStreamParams]
    ) -> ParsedResponse[None]: ...
    def parse(
        self,
        *,
        text_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> ParsedResponse[Any]:
        """Ask for a response, and parse its texts and the arguments of its function calls.

        Args:
            text_format: the type of the answer, of which a JSON Schema is sent; or a dict as OpenAI takes it,
                with which the texts are not parsed.
            params: see ``create()``. The arguments of strict ``tools`` are parsed.

        Returns:
            The response; ``output_parsed`` is the value, None after a refusal.

        Raises:
            SSEError: as from ``create()``.
            APIError: the response failed.
            LengthFinishReasonError: the answer must be parsed, but the token limit cut it short.
            ContentFilterFinishReasonError: the answer must be parsed, but a content filter cut it short.
            Exception: a text or a call's arguments do not fit their type; the error is that of the type's
                library.
        """
        response = self.create(stream=False, text_format=text_format, **params)
        return parsed_response(response, text_format, params.get("tools"))


class AsyncResponses(
    _Responses[Coroutine[Any, Any, AsyncTokenStream[ResponseStreamEvent[Any]]], Coroutine[Any, Any, Response]]
):
    """OpenAI's Responses API, of an ``AsyncClient``."""

    @overload
    def stream(
        self,
        *,
        text_format: type[TextFormatT],
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> AsyncTokenResponseStream[TextFormatT]: ...
    @overload
    def stream(
        self,
        *,
        text_format: Mapping[str, Any] | None = None,
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> AsyncTokenResponseStream[None]: ...
    def stream(
        self,
        *,
        text_format: type[Any] | Mapping[str, Any] | None = None,
        response_id: str | None = None,
        starting_after: int | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> AsyncTokenResponseStream[Any]:
        """A stream of a response; see ``Responses``.

        ``async with stream``, ``async with await stream`` and ``await stream`` send the request, too.
        """
        return AsyncTokenResponseStream(
            AsyncOpenedLater(self._request_of(response_id, text_format, params)),
            text_format=text_format,
            input_tools=params.get("tools"),
            require_finish=False,  # the source knows
            starting_after=starting_after,
        )

    @overload
    async def parse(
        self, *, text_format: type[TextFormatT], **params: Unpack[ResponseStreamParams]
    ) -> ParsedResponse[TextFormatT]: ...
    @overload
    async def parse(
        self, *, text_format: Mapping[str, Any] | None = None, **params: Unpack[ResponseStreamParams]
    ) -> ParsedResponse[None]: ...
    async def parse(
        self,
        *,
        text_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ResponseStreamParams],
    ) -> ParsedResponse[Any]:
        """Ask for a response, and parse it; see ``Responses``."""
        response = await self.create(stream=False, text_format=text_format, **params)
        return parsed_response(response, text_format, params.get("tools"))
