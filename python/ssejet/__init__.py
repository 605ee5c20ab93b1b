"""Server-sent events at the speed of reading the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

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

if TYPE_CHECKING:
    from ssejet.swap.install import accelerate, install, uninstall

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
    "accelerate",
    "aconnect_sse",
    "connect_sse",
    "encode",
    "install",
    "uninstall",
]

_WHEN_NEEDED = {
    "accelerate": "ssejet.swap.install",
    "install": "ssejet.swap.install",
    "uninstall": "ssejet.swap.install",
}


def __getattr__(name: str) -> Any:
    if name not in _WHEN_NEEDED:
        raise AttributeError(f"module 'ssejet' has no attribute {name!r}")
    from importlib import import_module

    value = globals()[name] = getattr(import_module(_WHEN_NEEDED[name]), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})


if DEBUG:
    import warnings

    warnings.warn(
        "ssejet._core is a debug build, many times slower than a release build: build with --release",
        RuntimeWarning,
        stacklevel=2,
    )
    del warnings
