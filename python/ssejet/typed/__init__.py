"""Typed streams: they turn the bytes of a response into Python objects.

``Stream`` and ``AsyncStream`` read a response. ``StreamMachine`` is fed bytes and does no I/O. The protocols
describe the responses and clients of HTTP libraries; use them in annotations.
"""

from __future__ import annotations

from ssejet._http.response import AsyncByteResponse, ByteResponse
from ssejet._http_types import AsyncStreamingClient, HTTPRequest, HTTPResponse, StreamingClient
from ssejet.typed._async_stream import AsyncStream
from ssejet.typed._machine import StreamMachine
from ssejet.typed._stream import Stream

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
