"""Server-sent events at the speed of reading the bytes."""

from __future__ import annotations

from ssejet._core import DEBUG, Decoder, ServerSentEvent, __version__, encode
from ssejet.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    ContentFilterFinishReasonError,
    ContentTypeError,
    EventTooLargeError,
    InvalidJSONError,
    LengthFinishReasonError,
    SSEError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.machine import StreamMachine
from ssejet.metrics import StreamMetrics
from ssejet.source import EventSource, aconnect_sse, connect_sse
from ssejet.stream import AsyncStream, Stream

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncStream",
    "ContentFilterFinishReasonError",
    "ContentTypeError",
    "Decoder",
    "EventSource",
    "EventTooLargeError",
    "InvalidJSONError",
    "LengthFinishReasonError",
    "SSEError",
    "ServerSentEvent",
    "Stream",
    "StreamError",
    "StreamMachine",
    "StreamMetrics",
    "TruncatedStreamError",
    "__version__",
    "aconnect_sse",
    "connect_sse",
    "encode",
]

if DEBUG:
    import warnings

    warnings.warn(
        "ssejet._core is a debug build, many times slower than a release build: build with --release",
        RuntimeWarning,
        stacklevel=2,
    )
    del warnings
