"""Typed streams: they turn the bytes of a response into Python objects.

``Stream`` and ``AsyncStream`` read a response. ``StreamMachine`` is fed bytes and does no I/O. The protocols
describe the responses and clients of HTTP libraries; use them in annotations.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._http.response import AsyncByteResponse, ByteResponse
from ssejet._http_types import AsyncStreamingClient, HTTPRequest, HTTPResponse, StreamingClient
from ssejet._lazy import on_demand
from ssejet.typed._machine import StreamMachine
from ssejet.typed._stream import Stream

if TYPE_CHECKING:
    from ssejet.typed._async_stream import AsyncStream

__all__ = [
    "AsyncByteResponse",
    "AsyncStream",
    "AsyncStreamingClient",
    "ByteResponse",
    "HTTPRequest",
    "HTTPResponse",
    "Stream",
    "StreamMachine",
    "StreamingClient",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(globals(), {"AsyncStream": "ssejet.typed._async_stream"})
