"""Server-sent events at the speed of reading the bytes."""

from __future__ import annotations

from ssejet._core import DEBUG, Decoder, ServerSentEvent, __version__
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

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "ContentFilterFinishReasonError",
    "ContentTypeError",
    "Decoder",
    "EventTooLargeError",
    "InvalidJSONError",
    "LengthFinishReasonError",
    "SSEError",
    "ServerSentEvent",
    "StreamError",
    "TruncatedStreamError",
    "__version__",
]

if DEBUG:
    import warnings

    warnings.warn(
        "ssejet._core is a debug build, many times slower than a release build: build with --release",
        RuntimeWarning,
        stacklevel=2,
    )
    del warnings
