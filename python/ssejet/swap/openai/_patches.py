"""Patches openai-python: its streams, clients and chat helper."""

from __future__ import annotations

from functools import cache, cached_property, wraps
from typing import TYPE_CHECKING, Any

from openai import OpenAI
from openai._base_client import BaseClient
from openai._compat import field_get_default
from openai._models import BaseModel, _construct_field, construct_type
from openai._streaming import AsyncStream, Stream
from openai.lib.streaming.chat import AsyncChatCompletionStreamManager, ChatCompletionStreamManager

from ssejet._core import ItemDecoder, ServerSentEvent
from ssejet.swap._driver import EventDecoder
from ssejet.swap._plan.builder import Models
from ssejet.swap._plan.probe import compare, see
from ssejet.swap._stainless import (
    accelerate_client,
    accelerated,
    async_stream,
    derived,
    sync_stream,
    usual_builder,
)
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap.openai._chat import LinearState

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATCHES", "accelerate", "check"]

_MODELS = Models(BaseModel, construct_type, _construct_field, field_get_default)
_IDLE = ServerSentEvent(event=None, data="null")

_stock_decoder = BaseClient._make_sse_decoder
_stock_process = BaseClient._process_response_data

# Older versions treat every event with a type as one of Assistants, except those of Responses.
_OTHER_TYPES_ARE_WRAPPED = see(Stream, OpenAI, object, [b"event: odd\ndata: 1\n\n"]) != ["1"]


def _decoder_for(stream: Any) -> ItemDecoder | None:
    options = getattr(stream, "_options", None)
    if getattr(options, "stream_mode", "legacy") != "legacy":
        return None
    builder = usual_builder(stream, _MODELS, _stock_process)
    if builder is None:
        return None
    only: list[str] | None = None
    if getattr(options, "synthesize_event_and_data", None):
        only = []  # an Assistants event has the fields `event` and `data`
    elif _OTHER_TYPES_ARE_WRAPPED:
        only = ["", *(tag for tag in builder.tags if tag.startswith("response."))]
    return ItemDecoder(builder.assembler, dialect="openai", only=only, wrapped="thread.", error_key="error")


def _make_sse_decoder(_: Any) -> EventDecoder:
    return EventDecoder("openai")


def _iterator(self: Any) -> Any:
    return self._iterator


def _enter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    def enter(self: Any) -> Any:
        stream = stock(self)
        stream._state = LinearState.of(stream._state)
        return stream

    return enter


def _aenter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    async def enter(self: Any) -> Any:
        stream = await stock(self)
        stream._state = LinearState.of(stream._state)
        return stream

    return enter


PATCHES = [
    Patch(BaseClient, "_make_sse_decoder", _make_sse_decoder),
    Patch(Stream, "__stream__", sync_stream(Stream.__stream__, _decoder_for, _IDLE)),
    Patch(Stream, "__iter__", _iterator),
    Patch(AsyncStream, "__stream__", async_stream(AsyncStream.__stream__, _decoder_for, _IDLE)),
    Patch(AsyncStream, "__aiter__", _iterator),
    Patch(ChatCompletionStreamManager, "__enter__", _enter(ChatCompletionStreamManager.__enter__)),
    Patch(
        AsyncChatCompletionStreamManager, "__aenter__", _aenter(AsyncChatCompletionStreamManager.__aenter__)
    ),
]

_STREAMS = {cls: derived(cls, PATCHES) for cls in (Stream, AsyncStream)}
_MANAGERS = {
    cls: derived(cls, PATCHES) for cls in (ChatCompletionStreamManager, AsyncChatCompletionStreamManager)
}


class _Accelerated:
    _make_sse_decoder = _make_sse_decoder

    @cached_property
    def chat(self) -> Any:
        chat = super().chat  # type: ignore[misc]
        _give_linear_streams(chat)
        return chat

    @cached_property
    def beta(self) -> Any:
        beta = super().beta  # type: ignore[misc]
        if hasattr(beta, "chat"):
            _give_linear_streams(beta.chat)
        return beta


def _give_linear_streams(chat: Any) -> None:
    stock = getattr(chat.completions, "stream", None)
    if stock is None:
        return  # older versions have it only in `client.beta`

    @wraps(stock)
    def stream(*args: Any, **kwargs: Any) -> Any:
        manager = stock(*args, **kwargs)
        manager.__class__ = _MANAGERS.get(type(manager), type(manager))
        return manager

    chat.completions.stream = stream


def _accelerated(cls: Any) -> type:
    return accelerated(cls, _Accelerated, _STREAMS)


@cache
def check() -> None:
    """Check that this version of the SDK works as expected.

    Raises:
        UnsupportedError: it does not.
    """
    if not hasattr(OpenAI, "chat"):
        raise UnsupportedError("its clients make their resources when they are made")
    compare(_STREAMS, (OpenAI, _accelerated(OpenAI)), BaseModel)


def accelerate(client: Any) -> Any:
    """Make a client with fast streams, see ``ssejet.accelerate``.

    Raises:
        UnsupportedError: its streams are not event streams.
    """
    return accelerate_client(client, _Accelerated, _STREAMS, _stock_decoder)
