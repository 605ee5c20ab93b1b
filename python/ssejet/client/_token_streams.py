"""The streams of a client, for type checkers: their metrics are ``TokenMetrics``."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet.chat import AsyncChatCompletionStream, ChatCompletionStream
from ssejet.messages import AsyncMessageStream, MessageStream
from ssejet.responses import AsyncResponseStream, ResponseStream
from ssejet.typed import AsyncStream, Stream

__all__ = [
    "AsyncTokenChatStream",
    "AsyncTokenMessageStream",
    "AsyncTokenResponseStream",
    "AsyncTokenStream",
    "TokenChatStream",
    "TokenMessageStream",
    "TokenResponseStream",
    "TokenStream",
]

if TYPE_CHECKING:
    from ssejet.chat._models import ResponseFormatT
    from ssejet.metrics._token_metrics import TokenMetrics
    from ssejet.responses._base import TextFormatT
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

    class TokenResponseStream(ResponseStream[TextFormatT]):
        """A stream of a response of a ``Client``."""

        metrics: TokenMetrics

    class AsyncTokenResponseStream(AsyncResponseStream[TextFormatT]):
        """A stream of a response of an ``AsyncClient``."""

        metrics: TokenMetrics

    class TokenMessageStream(MessageStream[ResponseFormatT]):
        """A Messages stream of a ``Client``."""

        metrics: TokenMetrics

    class AsyncTokenMessageStream(AsyncMessageStream[ResponseFormatT]):
        """A Messages stream of an ``AsyncClient``."""

        metrics: TokenMetrics

else:
    # At run time they are ordinary streams, made with such metrics.
    TokenStream, AsyncTokenStream = Stream, AsyncStream
    TokenChatStream, AsyncTokenChatStream = ChatCompletionStream, AsyncChatCompletionStream
    TokenResponseStream, AsyncTokenResponseStream = ResponseStream, AsyncResponseStream
    TokenMessageStream, AsyncTokenMessageStream = MessageStream, AsyncMessageStream
