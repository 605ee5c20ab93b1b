"""Server-sent events at the speed of reading the bytes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import ssejet._startup  # noqa: F401 (first, as the user may press Ctrl-C during the other imports)

try:
    from ssejet._core import DEBUG, Decoder, ServerSentEvent, __version__, encode
except ImportError as _error:
    # In an interpreter with its own GIL, CPython refuses the module before the module can raise an error.
    if "subinterpreters" not in str(_error):
        raise
    raise ImportError(
        "ssejet works in one interpreter of a process, and this is another one: use ssejet there, or start "
        "another process instead of a subinterpreter",
        name=_error.name,
        path=_error.path,
    ) from _error
from ssejet._lazy import on_demand
from ssejet.errors import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    ContentFilterFinishReasonError,
    ContentTypeError,
    EventTooLargeError,
    FencedError,
    HubError,
    InvalidJSONError,
    LengthFinishReasonError,
    LogFinishedError,
    SSEError,
    StreamError,
    TruncatedStreamError,
)
from ssejet.metrics._stream_metrics import StreamMetrics
from ssejet.typed._machine import StreamMachine
from ssejet.typed._stream import Stream

if TYPE_CHECKING:
    from ssejet._http.direct import DirectReading, direct_reading
    from ssejet._http.pool_index import index_pools
    from ssejet.client import AsyncClient, Client
    from ssejet.metrics._token_metrics import TokenMetrics
    from ssejet.source._event_source import EventSource, aconnect_sse, connect_sse
    from ssejet.source._subscription import AsyncSubscription, Subscription, asubscribe, subscribe
    from ssejet.swap._install import accelerate, install, uninstall
    from ssejet.typed._async_stream import AsyncStream

__all__ = [
    "APIConnectionError",
    "APIError",
    "APIStatusError",
    "APITimeoutError",
    "AsyncClient",
    "AsyncStream",
    "AsyncSubscription",
    "Client",
    "ContentFilterFinishReasonError",
    "ContentTypeError",
    "Decoder",
    "DirectReading",
    "EventSource",
    "EventTooLargeError",
    "FencedError",
    "HubError",
    "InvalidJSONError",
    "LengthFinishReasonError",
    "LogFinishedError",
    "SSEError",
    "ServerSentEvent",
    "Stream",
    "StreamError",
    "StreamMachine",
    "StreamMetrics",
    "Subscription",
    "TokenMetrics",
    "TruncatedStreamError",
    "__version__",
    "accelerate",
    "aconnect_sse",
    "asubscribe",
    "connect_sse",
    "direct_reading",
    "encode",
    "index_pools",
    "install",
    "subscribe",
    "uninstall",
]

# These take longer to import than all the rest.
if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(
        globals(),
        {
            "AsyncClient": "ssejet.client",
            "AsyncStream": "ssejet.typed._async_stream",
            "AsyncSubscription": "ssejet.source._subscription",
            "Client": "ssejet.client",
            "DirectReading": "ssejet._http.direct",
            "EventSource": "ssejet.source._event_source",
            "Subscription": "ssejet.source._subscription",
            "TokenMetrics": "ssejet.metrics._token_metrics",
            "accelerate": "ssejet.swap._install",
            "aconnect_sse": "ssejet.source._event_source",
            "asubscribe": "ssejet.source._subscription",
            "connect_sse": "ssejet.source._event_source",
            "direct_reading": "ssejet._http.direct",
            "index_pools": "ssejet._http.pool_index",
            "install": "ssejet.swap._install",
            "subscribe": "ssejet.source._subscription",
            "uninstall": "ssejet.swap._install",
        },
    )


if DEBUG:
    import warnings

    warnings.warn(
        "ssejet._core is a debug build, many times slower than a release build: build with --release",
        RuntimeWarning,
        stacklevel=2,
    )
    del warnings
