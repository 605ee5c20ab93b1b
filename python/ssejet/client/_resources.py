"""The endpoints as users call them, for clients of both kinds.

A client of either kind gives ``call``, whose result is what an endpoint answers, or is to be awaited for it.
"""

from __future__ import annotations

from collections.abc import Coroutine
from contextlib import asynccontextmanager, contextmanager
from typing import TYPE_CHECKING, Any, Generic, Literal, Protocol, TypeVar, overload

from ssejet.chat import ChatCompletion, ChatCompletionChunk
from ssejet.client._endpoints import CHAT, COMPLETIONS, RESPONSES
from ssejet.client._token_streams import AsyncTokenChatStream, AsyncTokenStream, TokenChatStream, TokenStream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
    from contextlib import AbstractAsyncContextManager, AbstractContextManager

    from typing_extensions import Unpack

    from ssejet.chat._models import ResponseFormatT
    from ssejet.client._endpoints import Endpoint
    from ssejet.client._params import ChatParams, ChatStreamParams, CompletionParams, ResponseParams

__all__ = ["AsyncChatCompletions", "Chat", "ChatCompletions", "Completions", "Responses"]

StreamT = TypeVar("StreamT")
ResultT = TypeVar("ResultT")
CompletionsT = TypeVar("CompletionsT")


class _Caller(Protocol):
    def __call__(self, endpoint: Endpoint, **params: Any) -> Any:
        """Send a request, again and again if need be."""


class _Resource(Generic[StreamT, ResultT]):
    def __init__(self, call: _Caller) -> None:
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
        """Have a conversation continued.

        Args:
            model: which model is to answer.
            messages: the conversation: dicts, or objects of ssejet's or openai-python's.
            stream: whether to answer piece by piece.
            params: other parameters, as OpenAI names them; None leaves one out. ``tools`` and
                ``response_format`` may be types, for which JSON Schemas are sent. Besides:
                ``extra_headers``, ``extra_query`` and ``extra_body``, which are added to what is sent, and
                ``idle_timeout``, ``data_timeout``, ``timeout``, ``max_retries`` and ``tokenizer``, which
                replace the client's.

        Returns:
            A stream, its first event having arrived, or the whole answer; to be awaited from an
            ``AsyncClient``.

        Raises:
            APIStatusError: the server answered with an error status.
            APIError: it reported an error in another way.
            APITimeoutError: it took too long.
            APIConnectionError: the connection could not be made, or broke.
            InvalidJSONError: the answer is not JSON, or not of the expected kind.
            ContentTypeError: a stream was asked for, and another answer came.
            TruncatedStreamError: a stream ended before it began.
            TypeError: a parameter cannot be sent.
            ValueError: an option has a value that makes no sense.
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
    ) -> AbstractContextManager[TokenChatStream[ResponseFormatT]]: ...
    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> AbstractContextManager[TokenChatStream[None]]: ...
    @contextmanager
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> Iterator[TokenChatStream[Any]]:
        """Have a conversation continued, and give the events of the answer, as openai-python's ``stream()``.

        Args:
            model: which model is to answer.
            messages: the conversation.
            response_format: the type of the answer, or OpenAI's dict form of it; see
                ``ChatCompletionStream``.
            params: see ``create()``.
        """
        with (
            self.create(
                model=model, messages=messages, stream=True, response_format=response_format, **params
            ) as source,
            TokenChatStream(
                source, response_format=response_format, input_tools=params.get("tools")
            ) as stream,
        ):
            yield stream


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
    ) -> AbstractAsyncContextManager[AsyncTokenChatStream[ResponseFormatT]]: ...
    @overload
    def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> AbstractAsyncContextManager[AsyncTokenChatStream[None]]: ...
    @asynccontextmanager
    async def stream(
        self,
        *,
        model: str,
        messages: Sequence[Any],
        response_format: type[Any] | Mapping[str, Any] | None = None,
        **params: Unpack[ChatStreamParams],
    ) -> AsyncIterator[AsyncTokenChatStream[Any]]:
        """Have a conversation continued, and give the events of the answer; see ``ChatCompletions``."""
        async with (
            await self.create(
                model=model, messages=messages, stream=True, response_format=response_format, **params
            ) as source,
            AsyncTokenChatStream(
                source, response_format=response_format, input_tools=params.get("tools")
            ) as stream,
        ):
            yield stream


class Chat(Generic[CompletionsT]):
    """What OpenAI keeps under this name.

    Attributes:
        completions: the chat completions.
    """

    def __init__(self, completions: CompletionsT) -> None:
        self.completions = completions


class Completions(_Resource[StreamT, ResultT]):
    """Completions of the older kind."""

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
        """Have a text continued.

        Args:
            model: which model is to do it.
            prompt: the text, or several, or their tokens.
            stream: whether to answer piece by piece.
            params: see ``ChatCompletions.create()``, also for what this returns and raises.
        """
        answer: StreamT | ResultT = self._call(
            COMPLETIONS, model=model, prompt=prompt, stream=stream, **params
        )
        return answer


class Responses(_Resource[StreamT, ResultT]):
    """OpenAI's Responses API. Events are dicts with a ``type``, answers are dicts."""

    @overload
    def create(self, *, stream: Literal[True], **params: Unpack[ResponseParams]) -> StreamT: ...
    @overload
    def create(self, *, stream: Literal[False] = False, **params: Unpack[ResponseParams]) -> ResultT: ...
    @overload
    def create(self, *, stream: bool, **params: Unpack[ResponseParams]) -> StreamT | ResultT: ...
    def create(self, *, stream: bool = False, **params: Unpack[ResponseParams]) -> StreamT | ResultT:
        """Have a response made.

        Args:
            stream: whether to answer event by event.
            params: ``model``, ``input`` and so on; see ``ChatCompletions.create()``, also for what this
                returns and raises. A response that failed is no error: its ``status`` says so.
        """
        answer: StreamT | ResultT = self._call(RESPONSES, stream=stream, **params)
        return answer
