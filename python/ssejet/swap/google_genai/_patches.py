"""Patches google-genai: the streams of ``generate_content_stream``, and with them those of chats.

The SDK's own generator makes the request, and all that is not built here: it reads from a stand-in for the
response, which gives it the chunks that are left to it. From the first bytes on that are no ordinary event,
and at the end of the stream, the SDK reads the rest itself.
"""

from __future__ import annotations

import sys
import warnings
from contextlib import suppress
from copy import copy
from functools import cache, wraps
from types import MethodType
from typing import TYPE_CHECKING, Any

import httpx
from google.genai import _api_client, models, types
from google.genai.client import Client

from ssejet._core import AsyncItemStream, ItemDecoder, ItemStream, ServerSentEvent
from ssejet._http.response import is_httpx_response
from ssejet.swap._handover import AsyncBytes, Bytes
from ssejet.swap._plan.probe import outcome_of, require_same, seen
from ssejet.swap._support import Patch, UnsupportedError
from ssejet.swap._twins import copy_of, subclass_of
from ssejet.swap.google_genai._responses import RESPONSE_FIELD, Rules, assembler

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

    from ssejet._core import Assembler

__all__ = ["PATCHES", "accelerate", "check"]

_END: Any = object()
# The SDK makes a response without content of it.
_IDLE = "{}"
# What makes the SDK do more with a chunk than validate it.
_OPTIONS = ("response_schema", "response_json_schema", "include_all_fields")
_ALIASES = ("responseSchema", "responseJsonSchema", "includeAllFields")


class _Relay:
    """Gives the SDK's generator what is left to it.

    Attributes:
        response: the SDK's response, once there is one to read from.
        text: the JSON text of the next chunk for the SDK.
        rest: the response with the rest of the stream, once the SDK is to read that itself.
    """

    def __init__(self) -> None:
        self.response: Any = None
        self.text = _IDLE
        self.rest: Any = None

    def attach(self, response: Any) -> Any:
        """Give the SDK a stand-in for a response that it streams from."""
        stream = getattr(response, "response_stream", None)
        if type(response) is not _api_client.HttpResponse or not (
            is_httpx_response(stream) or _is_aiohttp(stream)
        ):
            return response
        self.response = response
        stand_in: Any = copy(response)
        stand_in.__class__ = _StandIn
        stand_in.relay = self
        return stand_in

    def hand_over(self, stream: Any) -> None:
        """Let the SDK read the rest of the stream from this HTTP response."""
        self.rest = copy(self.response)
        self.rest.response_stream = stream

    def texts(self) -> Iterator[str]:
        """Give the SDK the texts of the chunks that are left to it."""
        while self.rest is None:
            yield self.text


class _StandIn(_api_client.HttpResponse):
    relay: _Relay

    def _iter_response_stream(self) -> Iterator[str]:
        yield from self.relay.texts()
        yield from self.relay.rest._iter_response_stream()

    async def _aiter_response_stream(self) -> AsyncIterator[str]:
        for text in self.relay.texts():
            yield text
        texts = self.relay.rest._aiter_response_stream()
        try:
            async for text in texts:
                yield text
        finally:
            await texts.aclose()


# Errors have the response as an attribute, and show its class.
_StandIn.__name__, _StandIn.__qualname__ = "HttpResponse", _api_client.HttpResponse.__qualname__
_StandIn.__module__ = _api_client.HttpResponse.__module__


def _is_aiohttp(stream: Any) -> bool:
    aiohttp = sys.modules.get("aiohttp")
    return aiohttp is not None and type(stream) is aiohttp.ClientResponse


class _AiohttpBytes:
    """The bytes of a response of aiohttp, see ``AsyncBytes``. Its reader takes bytes back."""

    def __init__(self, stream: Any) -> None:
        self.stream = stream

    async def __aiter__(self) -> AsyncIterator[bytes]:
        with suppress(Exception):  # the reader raises it again when the SDK reads on
            while chunk := await self.stream.content.readany():
                yield chunk

    def rest(self, first: bytes) -> Any:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", DeprecationWarning)
            self.stream.content.unread_data(first)
        return self.stream

    async def aclose(self) -> None:
        self.stream.release()


class _ApiClient:
    """Takes the place of the client of the API for one stream: its responses are stand-ins."""

    def __init__(self, client: Any, relay: _Relay) -> None:
        self._client = client
        self._relay = relay
        cls = type(client)
        self.request_streamed = MethodType(cls.request_streamed, self)
        self.async_request_streamed = MethodType(cls.async_request_streamed, self)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._client, name)

    def _request(self, *args: Any, **options: Any) -> Any:
        return self._relay.attach(self._client._request(*args, **options))

    async def _async_request(self, *args: Any, **options: Any) -> Any:
        return self._relay.attach(await self._client._async_request(*args, **options))


_BASE: Any = _api_client.BaseApiClient
_USED = ("request_streamed", "async_request_streamed", "_verify_response")
_STOCK = {name: getattr(_BASE, name, None) for name in _USED}


def _may_build(client: Any, config: Any) -> bool:
    """Whether nothing but the usual is to be done with the chunks of a stream."""
    if any(getattr(type(client), name, None) is not _STOCK[name] or name in vars(client) for name in _USED):
        return False
    if config is None:
        return True
    if isinstance(config, dict):
        return all(config.get(name) is None for name in (*_OPTIONS, *_ALIASES))
    return type(config) is types.GenerateContentConfig and all(
        getattr(config, name, None) is None for name in _OPTIONS
    )


def _prepared(resource: Any) -> tuple[Any, _Relay]:
    """Give a copy of a resource whose responses are stand-ins, and the relay from which they read."""
    relay = _Relay()
    twin = copy(resource)
    twin._api_client = _ApiClient(resource._api_client, relay)
    return twin, relay


def _decoder(resource: Any) -> ItemDecoder:
    assembler = _assembler(bool(resource._api_client.vertexai))
    is_async = isinstance(resource, models.AsyncModels)
    return ItemDecoder(
        assembler, dialect="openai", ordinary=True, unicode_lines=_has_unicode_lines(is_async=is_async)
    )


@cache
def _has_unicode_lines(*, is_async: bool) -> bool:
    """Whether the SDK ends lines at other characters than CR and LF, too."""
    text = "\u2028\u2029\x85"
    cls: Any = models.AsyncModels if is_async else models.Models
    body = f'data: {{"modelVersion": "{text}"}}\n\n'.encode()
    items = _see(cls, _STOCK_METHODS[cls], body, is_vertex=False)
    whole = seen({"model_version": text})
    # A text that is cut is no JSON, so some versions raise an error, and others give nothing.
    return not any(isinstance(item[1], list) and whole[0] in item[1] for item in items)


def _stamp(decoder: ItemDecoder, first: Any) -> None:
    """Give all items the HTTP response that the SDK gave its first one, as some versions do."""
    if RESPONSE_FIELD in first.model_fields_set:
        decoder.stamp(RESPONSE_FIELD, getattr(first, RESPONSE_FIELD))


def _stream_method(stock: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stock)
    def _generate_content_stream(self: Any, **options: Any) -> Any:
        if not _may_build(self._api_client, options.get("config")):
            return stock(self, **options)
        decoder = _decoder(self)
        return ItemStream(decoder, _drive(stock, self, options, decoder))

    return _generate_content_stream


def _async_stream_method(stock: Callable[..., Any]) -> Callable[..., Any]:
    @wraps(stock)
    async def _generate_content_stream(self: Any, **options: Any) -> Any:
        if not _may_build(self._api_client, options.get("config")):
            return await stock(self, **options)
        twin, relay = _prepared(self)
        decoder = _decoder(self)
        return AsyncItemStream(decoder, _adrive(await stock(twin, **options), relay, decoder))

    return _generate_content_stream


def _drive(
    stock: Callable[..., Any], resource: Any, options: dict[str, Any], decoder: ItemDecoder
) -> Iterator[Any]:
    twin, relay = _prepared(resource)
    rest = stock(twin, **options)
    body = None
    try:
        first = next(rest, _END)
        if relay.response is None:
            if first is not _END:
                yield first
                yield from rest
            return
        _stamp(decoder, first)
        body = Bytes(relay.response.response_stream)
        decoder.iterate(iter(body))
        for chunk in body:
            for item in decoder.feed(chunk):
                if type(item) is ServerSentEvent:
                    relay.text = item.data
                    item = next(rest)
                yield item
            if decoder.is_odd:
                break
        relay.hand_over(body.rest(decoder.rest))
        yield from rest
    finally:
        decoder.clear()
        if body is not None:
            body.close()
        rest.close()


async def _adrive(rest: Any, relay: _Relay, decoder: ItemDecoder) -> AsyncIterator[Any]:
    body: AsyncBytes | _AiohttpBytes | None = None
    try:
        first = await anext(rest, _END)
        if relay.response is None:
            if first is not _END:
                yield first
                async for item in rest:
                    yield item
            return
        _stamp(decoder, first)
        stream = relay.response.response_stream
        body = _AiohttpBytes(stream) if _is_aiohttp(stream) else AsyncBytes(stream)
        async for chunk in body:
            for item in decoder.feed(chunk):
                if type(item) is ServerSentEvent:
                    relay.text = item.data
                    item = await anext(rest)
                yield item
            if decoder.is_odd:
                break
        relay.hand_over(body.rest(decoder.rest))
        async for item in rest:
            yield item
    finally:
        decoder.clear()
        if body is not None:
            await body.aclose()
        await rest.aclose()


_METHOD = "_generate_content_stream"
_STOCK_METHODS: dict[Any, Any] = {
    cls: getattr(cls, _METHOD, None) for cls in (models.Models, models.AsyncModels)
}
_READERS = [
    getattr(_api_client.HttpResponse, name, None)
    for name in ("_iter_response_stream", "_aiter_response_stream")
]
if None in (*_STOCK.values(), *_STOCK_METHODS.values(), *_READERS):
    raise UnsupportedError("it has no streams of the kind that is known here")

PATCHES = [
    Patch(models.Models, _METHOD, _stream_method(_STOCK_METHODS[models.Models])),
    Patch(models.AsyncModels, _METHOD, _async_stream_method(_STOCK_METHODS[models.AsyncModels])),
]
_FAST = {patch.owner: patch.value for patch in PATCHES}

_assemblers: dict[bool, Assembler] = {}


def _assembler(is_vertex: bool) -> Assembler:
    made = _assemblers.get(is_vertex)
    if made is None:
        name = "vertex" if is_vertex else "mldev"
        function = getattr(models, f"_GenerateContentResponse_from_{name}", None)
        if function is None:
            raise UnsupportedError(f"it has no function that reads the responses of {name}")
        made = _assemblers[is_vertex] = assembler(Rules(function))
    return made


def accelerate(client: Any) -> Any:
    """Make a client with fast streams, see ``ssejet.accelerate``."""
    if isinstance(client, _Accelerated):
        return client
    twin = _twin(client)
    if isinstance(twin, Client):
        twin._aio = _twin(client._aio)
    return twin


class _Accelerated:
    """A client with fast streams. It keeps the given one, which closes what both use when it is freed."""

    _stock: Any

    def __del__(self) -> None:
        pass


def _twin(client: Any) -> Any:
    resource = client._models
    base = models.AsyncModels if isinstance(resource, models.AsyncModels) else models.Models
    fast = subclass_of(type(resource), {_METHOD: _FAST[base]}, looks_like=base)
    cls = subclass_of(type(client), {}, _Accelerated)
    return copy_of(client, cls, _stock=client, _models=copy_of(resource, fast))


@cache
def check() -> None:
    """Compare what the SDK and the fast streams make of a few bodies.

    Raises:
        UnsupportedError: they differ.
    """
    for is_vertex in (False, True):
        if _assembler(is_vertex).build(_GOOD) is None:
            raise UnsupportedError("it changes more of each chunk than is known here")
        for body in _bodies():
            for resource, stock in _STOCK_METHODS.items():
                expected = _see(resource, stock, body, is_vertex=is_vertex)
                require_same(
                    "its streams give", expected, _see(resource, _FAST[resource], body, is_vertex=is_vertex)
                )


class _ProbeClient(_BASE):  # type: ignore[misc]
    def __init__(self, body: bytes, *, is_vertex: bool) -> None:
        self.vertexai = is_vertex
        self.body = body

    def __del__(self) -> None:
        pass

    def _build_request(self, *_: Any) -> Any:
        return None

    def _request(self, *_: Any, **__: Any) -> Any:
        return _api_client.HttpResponse({"a": "b"}, httpx.Response(200, content=self.body))

    async def _async_request(self, *_: Any, **__: Any) -> Any:
        return self._request()


def _see(cls: Any, method: Callable[..., Any], body: bytes, *, is_vertex: bool) -> list[Any]:
    """Return what a stream gives: its items, and the error that ends it."""
    resource = cls(_ProbeClient(body, is_vertex=is_vertex))
    return outcome_of(lambda: method(resource, model="m", contents="a", config=None))


_CALL = '{"functionCall": {"name": "f", "args": {"a": [1, null]}, "id": "i"}}'
_CONTENT = f'{{"role": "model", "parts": [{{"text": "a"}}, {_CALL}]}}'
_GOOD = f'{{"candidates": [{{"content": {_CONTENT}, "index": 0}}]}}'


def _bodies() -> Iterator[bytes]:
    part = '{"text": "a", "thought": true, "thoughtSignature": "YQ==", "more": 1}'
    content = f'{{"role": "model", "parts": [{part}, {_CALL}, null]}}'
    good = _GOOD
    usage = '{"totalTokenCount": 2, "trafficType": null}'
    rest = f'"modelVersion": "m", "responseId": "r", "usageMetadata": {usage}'
    yield f"data: {good}\n\ndata: {{{rest}}}\r\n\r\ndata: {good}".encode()
    for odd in (
        f'{{"candidates": [{{"content": {content}}}]}}',
        '{"candidates": [{"finishReason": "STOP", "safetyRatings": [], "tokenCount": "5"}], "more": 1}',
        '{"candidates": [{"citationMetadata": {"citationSources": [{"uri": "u"}]}}]}',
        '{"candidates": [{"index": "x"}]}',
        '{"candidates": [{"content": {"parts": [{"text": 5}]}}]}',
        '{"candidates": [null], "model_version": "x", "createTime": "2026-01-02T03:04:05Z"}',
        '{"candidates": null, "promptFeedback": {"blockReason": "SAFETY"}, "parsed": {}}',
        '{"candidates": 5}',
        '{"error": {"code": 400, "message": "no", "status": "INVALID_ARGUMENT"}}',
        '{"sdkHttpResponse": {"headers": {"c": "d"}}}',
        "[1]",
        "null",
        "{",
        "{}",
    ):
        yield f"data: {good}\n\ndata: {odd}\n\ndata: {good}\n\n".encode()
    yield b": comment\n\ndata: {}\n\n"
