"""The methods that call the Messages API, for both clients."""

from __future__ import annotations

from collections.abc import Coroutine
from functools import partial
from typing import TYPE_CHECKING, Any, Generic, Literal, TypeVar, overload

from ssejet._answers.opening import AsyncOpenedLater, OpenedLater
from ssejet.client._endpoints import MESSAGES
from ssejet.client._token_streams import (
    AsyncTokenMessageStream,
    AsyncTokenStream,
    TokenMessageStream,
    TokenStream,
)
from ssejet.messages import Message, RawMessageStreamEvent
from ssejet.messages._state import parsed_message

if TYPE_CHECKING:
    from collections.abc import Sequence

    from typing_extensions import Unpack

    from ssejet.chat._models import ResponseFormatT
    from ssejet.client._params import MessageParams
    from ssejet.client._resources import Caller
    from ssejet.messages import ParsedMessage

__all__ = ["AsyncMessages", "Messages"]

StreamT = TypeVar("StreamT")
ResultT = TypeVar("ResultT")


class _Messages(Generic[StreamT, ResultT]):
    def __init__(self, call: Caller) -> None:
        self._call = call

    @overload
    def create(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        stream: Literal[True],
        **params: Unpack[MessageParams],
    ) -> StreamT: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        stream: Literal[False] = False,
        **params: Unpack[MessageParams],
    ) -> ResultT: ...
    @overload
    def create(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        stream: bool,
        **params: Unpack[MessageParams],
    ) -> StreamT | ResultT: ...
    def create(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        stream: bool = False,
        **params: Unpack[MessageParams],
    ) -> StreamT | ResultT:
        """Ask the model for the next message of a conversation.

        Args:
            max_tokens: the most tokens that the answer may have.
            model: the name of the model.
            messages: the conversation: dicts, or message objects of ssejet or anthropic.
            stream: whether to return a stream of the server's events instead of the whole message.
            params: other parameters, by Anthropic's names; one that is None is not sent. ``tools`` may be
                types, for which JSON Schemas are sent. ``betas`` go to the header ``anthropic-beta``. The
                options are those of ``chat.completions.create()``.

        Returns:
            A stream whose first event has arrived, or the whole message. With an ``AsyncClient``, await it.

        Raises:
            SSEError: as from ``chat.completions.create()``.
            TypeError: a parameter cannot be sent.
            ValueError: an option has a value that makes no sense, or the URL is OpenAI's own.
        """
        return self._send(max_tokens=max_tokens, model=model, messages=messages, stream=stream, **params)  # type: ignore[no-any-return]

    def _send(self, *, betas: Sequence[str] | None = None, **params: Any) -> Any:
        if betas:
            given = params.get("extra_headers") or {}
            named = [value for name, value in given.items() if name.lower() == "anthropic-beta"]
            others = {name: value for name, value in given.items() if name.lower() != "anthropic-beta"}
            params["extra_headers"] = {**others, "anthropic-beta": ",".join([*named, *betas])}
        return self._call(MESSAGES, **params)


class Messages(_Messages[TokenStream[RawMessageStreamEvent], Message]):
    """The Messages API, of a ``Client``."""

    @overload
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[ResponseFormatT],
        **params: Unpack[MessageParams],
    ) -> TokenMessageStream[ResponseFormatT]: ...
    @overload
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: None = None,
        **params: Unpack[MessageParams],
    ) -> TokenMessageStream[None]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[Any] | None = None,
        **params: Unpack[MessageParams],
    ) -> TokenMessageStream[Any]:
        """A stream of the next message, with the events of anthropic's ``stream()``.

        The request is sent when you enter a ``with`` block, iterate, or call ``until_done()``,
        ``get_final_message()`` or ``get_final_text()``. Outside of a ``with`` block, read the stream to its
        end, or call ``close()``.

        Args:
            max_tokens: the most tokens that the answer may have.
            model: the name of the model.
            messages: the conversation.
            output_format: the type of the answer, of which a JSON Schema is sent; see ``MessageStream``.
            params: see ``create()``.
        """
        request: Any = partial(
            self._send, max_tokens=max_tokens, model=model, messages=messages, stream=True, **params
        )
        source = OpenedLater(partial(request, output_format=output_format))
        return TokenMessageStream(source, output_format=output_format)

    def parse(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[ResponseFormatT],
        **params: Unpack[MessageParams],
    ) -> ParsedMessage[ResponseFormatT]:
        """Ask for the next message, and parse its text.

        Args:
            max_tokens: the most tokens that the answer may have.
            model: the name of the model.
            messages: the conversation.
            output_format: the type of the answer, of which a JSON Schema is sent.
            params: see ``create()``.

        Returns:
            The message; ``parsed_output`` is the value.

        Raises:
            LengthFinishReasonError: the token limit cut the message short.
            ContentFilterFinishReasonError: the model refused.
            Exception: the text does not fit the type; the error is that of the type's library.
        """
        message = self._send(
            max_tokens=max_tokens, model=model, messages=messages, output_format=output_format, **params
        )
        return parsed_message(message, output_format)


class AsyncMessages(
    _Messages[Coroutine[Any, Any, AsyncTokenStream[RawMessageStreamEvent]], Coroutine[Any, Any, Message]]
):
    """The Messages API, of an ``AsyncClient``."""

    @overload
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[ResponseFormatT],
        **params: Unpack[MessageParams],
    ) -> AsyncTokenMessageStream[ResponseFormatT]: ...
    @overload
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: None = None,
        **params: Unpack[MessageParams],
    ) -> AsyncTokenMessageStream[None]: ...
    def stream(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[Any] | None = None,
        **params: Unpack[MessageParams],
    ) -> AsyncTokenMessageStream[Any]:
        """A stream of the next message; see ``Messages``.

        ``async with stream``, ``async with await stream`` and ``await stream`` send the request, too.
        """
        request: Any = partial(
            self._send, max_tokens=max_tokens, model=model, messages=messages, stream=True, **params
        )
        source = AsyncOpenedLater(partial(request, output_format=output_format))
        return AsyncTokenMessageStream(source, output_format=output_format)

    async def parse(
        self,
        *,
        max_tokens: int,
        model: str,
        messages: Sequence[Any],
        output_format: type[ResponseFormatT],
        **params: Unpack[MessageParams],
    ) -> ParsedMessage[ResponseFormatT]:
        """Ask for the next message, and parse its text; see ``Messages``."""
        message = await self._send(
            max_tokens=max_tokens, model=model, messages=messages, output_format=output_format, **params
        )
        return parsed_message(message, output_format)
