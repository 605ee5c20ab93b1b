"""Patches cohere: the streams of ``chat_stream`` of the API's version 2."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from functools import cache
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

from cohere.v2 import raw_client

from ssejet._json import dumps
from ssejet.swap._fern import Chunks, Fern, rebound, remade
from ssejet.swap._plan.probe import outcome_of, require_same
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap._twins import copy_of, subclass_of

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

__all__ = ["PATCHES", "accelerate", "check"]

_METHOD = "chat_stream"
_fern = Fern("cohere")
_STOCK: dict[Any, Any] = {
    cls: vars(cls).get(_METHOD) for cls in (raw_client.RawV2Client, raw_client.AsyncRawV2Client)
}

PATCHES = [Patch(cls, _METHOD, _fern.fast(method)) for cls, method in _STOCK.items()]
_FAST = {patch.owner: patch.value for patch in PATCHES}


class _Accelerated:
    """What all raw clients with fast streams are."""


def accelerate(client: Any) -> Any:
    """Make a client with fast streams, see ``ssejet.accelerate``.

    Raises:
        UnsupportedError: the client has no raw client of the kind that is known here.
    """
    if not _is_v2(client):
        # A client of version 1 makes its client of version 2 when it is asked for the first time.
        return _twin(client, _v2=accelerate(client.v2))
    raw = client._raw_client
    inner = vars(raw).get("_v2", raw)
    if isinstance(inner, _Accelerated):
        return client
    base = next((cls for cls in type(inner).__mro__ if cls in _FAST), None)
    if base is None or getattr(type(inner), _METHOD) not in {_STOCK[base], _FAST[base]}:
        raise UnsupportedError(f"its raw client is a {type(inner).__name__}")
    made = copy_of(inner, subclass_of(type(inner), {_METHOD: _FAST[base]}, _Accelerated))
    return _twin(client, _raw_client=made if inner is raw else copy_of(raw, _v2=made))


def _is_v2(client: Any) -> bool:
    return any(cls.__module__ == "cohere.v2.client" for cls in type(client).__mro__)


def _twin(client: Any, **changes: Any) -> Any:
    twin = copy_of(client, **changes)
    for name, value in vars(client).items():
        if name not in changes:
            # The client wraps some of its own methods.
            vars(twin)[name] = rebound(value, client, twin)
    return twin


@cache
def check() -> None:
    """Compare what the SDK and the fast streams make of a few bodies.

    Raises:
        UnsupportedError: they differ.
    """
    for cls, stock in _STOCK.items():
        for chunks in _bodies():
            require_same("its streams give", _see(cls, stock, chunks), _see(cls, _FAST[cls], chunks))


def _see(cls: Any, method: Any, chunks: list[bytes]) -> list[Any]:
    """Return what a stream gives: its items, what is logged, and the error that ends it."""
    found: list[Any] = []

    def log(message: str) -> None:
        found.append(message)

    @contextmanager
    def stream(*_: Any, **__: Any) -> Iterator[Any]:
        yield Chunks(chunks).response()

    @asynccontextmanager
    async def astream(*_: Any, **__: Any) -> AsyncIterator[Any]:
        yield Chunks(chunks).response()

    def read() -> Iterator[Any]:
        with quiet(client, model="m", messages=[]) as response:
            yield from response.data

    async def aread() -> AsyncIterator[Any]:
        async with quiet(client, model="m", messages=[]) as response:
            async for item in response.data:
                yield item

    quiet = remade(method, {**method.__wrapped__.__globals__, "warning": log, "error": log})
    is_async = cls is raw_client.AsyncRawV2Client
    http = SimpleNamespace(stream=astream if is_async else stream)
    client = object.__new__(cls)
    client._client_wrapper = SimpleNamespace(httpx_client=http)
    return outcome_of(aread if is_async else read, found)


def _bodies() -> Iterator[list[bytes]]:
    good = _event({"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "é"}}}})
    usage = {"billed_units": {"input_tokens": 1.5}, "tokens": {"output_tokens": 2}}
    end = {"type": "message-end", "id": "i", "delta": {"finish_reason": "COMPLETE", "usage": usage}}
    call = {"id": "c", "type": "function", "function": {"name": "f", "arguments": "{}"}}
    for odd in (
        end,
        {"type": "message-start", "id": "i", "delta": {"message": {"role": "assistant", "citations": []}}},
        {"type": "tool-call-start", "index": 1, "delta": {"message": {"tool_calls": call}}},
        {"type": "tool-call-delta", "delta": {"message": {"tool_calls": {"function": {"arguments": "x"}}}}},
        {"type": "tool-plan-delta", "delta": {"message": {"tool_plan": "p"}}},
        {"type": "citation-start", "delta": {"message": {"citations": {"start": 0, "sources": [{"id": 1}]}}}},
        {"type": "content-delta", "index": "5", "delta": None, "more": {"a": [1]}, "INDEX": 7},
        {"type": "content-delta", "index": "x"},
        {"type": "content-delta", "logprobs": {"text": "a", "token_ids": [1], "logprobs": [-0.5]}},
        {"type": "none"},
        {"index": 0},
        {},
    ):
        yield [good + _event(odd) + good]
    for text in (
        b"data: null\n\n",
        b": comment\n\n",
        b"id: 1\nretry: 5\n",
        b"retry: 5\n\n",
        b"event: x\n\n",
        b'id: 1\n\n: more\n\n\ndata: {"type":\ndata: "content-end"}\n\n',
        # Some versions end a line at U+2028. In a text, that would cut the JSON, and they would warn of it.
        ': \u2028data: {"type": "debug"}\n\n'.encode(),
        b"data: [DONE]\n\n",
        b"\r\n",
    ):
        yield [good, text, good[:9], good[9:]]


def _event(data: dict[str, Any]) -> bytes:
    return b"event: x\ndata: " + dumps(data) + b"\n\n"
