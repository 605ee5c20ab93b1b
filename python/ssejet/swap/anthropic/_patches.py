"""Patches anthropic-sdk-python: its streams and clients."""

from __future__ import annotations

from functools import cache, wraps
from typing import TYPE_CHECKING, Any

from anthropic import Anthropic
from anthropic._base_client import BaseClient
from anthropic._compat import field_get_default
from anthropic._models import BaseModel, _construct_field, construct_type
from anthropic._streaming import AsyncStream, Stream

from ssejet._core import ItemDecoder, ServerSentEvent
from ssejet.swap._driver import EventDecoder
from ssejet.swap._plan.builder import Models
from ssejet.swap._plan.probe import compare
from ssejet.swap._stainless import (
    accelerate_client,
    accelerated,
    async_stream,
    derived,
    sync_stream,
    usual_builder,
)
from ssejet.swap._support import Patch, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATCHES", "accelerate", "check"]

_MODELS = Models(BaseModel, construct_type, _construct_field, field_get_default)
_IDLE = ServerSentEvent(event="message_start", data="null")

_stock_decoder = BaseClient._make_sse_decoder
_stock_process = BaseClient._process_response_data


def _decoder_for(stream: Any) -> ItemDecoder | None:
    builder = usual_builder(stream, _MODELS, _stock_process)
    if builder is None or _is_observed(stream):
        return None
    only = builder.tags - {"ping", "error"}
    return ItemDecoder(builder.assembler, dialect="anthropic", only=list(only))


def _is_observed(stream: Any) -> bool:
    """Whether the SDK's tracing must see each item."""
    return getattr(stream, "_observer", None) is not None


def _make_sse_decoder(_: Any) -> EventDecoder:
    return EventDecoder("anthropic")


def _iterator(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    def iterator(self: Any) -> Any:
        return stock(self) if _is_observed(self) else self._iterator

    return iterator


PATCHES = [
    Patch(BaseClient, "_make_sse_decoder", _make_sse_decoder),
    Patch(Stream, "__stream__", sync_stream(Stream.__stream__, _decoder_for, _IDLE)),
    Patch(Stream, "__iter__", _iterator(Stream.__iter__)),
    Patch(AsyncStream, "__stream__", async_stream(AsyncStream.__stream__, _decoder_for, _IDLE)),
    Patch(AsyncStream, "__aiter__", _iterator(AsyncStream.__aiter__)),
]

_STREAMS = {cls: derived(cls, PATCHES) for cls in (Stream, AsyncStream)}


class _Accelerated:
    _make_sse_decoder = _make_sse_decoder


def _accelerated(cls: Any) -> type:
    return accelerated(cls, _Accelerated, _STREAMS)


@cache
def check() -> None:
    """Check that this version of the SDK works as expected.

    Raises:
        UnsupportedError: it does not.
    """
    if not hasattr(Anthropic, "messages"):
        raise UnsupportedError("its clients make their resources when they are made")
    compare(_STREAMS, (Anthropic, _accelerated(Anthropic)), BaseModel, "message_start")


def accelerate(client: Any) -> Any:
    """Make a client with fast streams, see ``ssejet.accelerate``.

    Raises:
        UnsupportedError: its streams are not event streams.
    """
    return accelerate_client(client, _Accelerated, _STREAMS, _stock_decoder)
