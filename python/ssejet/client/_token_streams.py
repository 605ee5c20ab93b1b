"""A client's streams, whose metrics time tokens, which only type checkers need to be told."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.chat import AsyncChatCompletionStream, ChatCompletionStream
from ssejet.typed._async_stream import AsyncStream
from ssejet.typed._stream import Stream

__all__ = ["AsyncTokenChatStream", "AsyncTokenStream", "TokenChatStream", "TokenStream"]

if TYPE_CHECKING:
    from ssejet.chat._models import ResponseFormatT
    from ssejet.metrics._tokens import TokenMetrics
    from ssejet.typed._types import T

    class TokenStream(Stream[T]):
        """A stream of a ``Client``."""

        metrics: TokenMetrics

    class AsyncTokenStream(AsyncStream[T]):
        """A stream of an ``AsyncClient``."""

        metrics: TokenMetrics

    class TokenChatStream(ChatCompletionStream[ResponseFormatT]):
        """A chat stream of a ``Client``."""

        metrics: TokenMetrics

    class AsyncTokenChatStream(AsyncChatCompletionStream[ResponseFormatT]):
        """A chat stream of an ``AsyncClient``."""

        metrics: TokenMetrics

else:
    # Any stream has the metrics that it was made with.
    TokenStream, AsyncTokenStream = Stream, AsyncStream
    TokenChatStream, AsyncTokenChatStream = ChatCompletionStream, AsyncChatCompletionStream
