"""Reads the body of a response of httpx or httpx2 from its socket, and unframes it in Rust.

httpx, httpcore, h11 and anyio call some 200 functions for each piece of a body. Where a response is exactly
theirs, this package reads the socket instead of them, and then leaves the connection as if they had read it:

=========== ================================================================================================
module      what it does
=========== ================================================================================================
_httpcore   finds the connection under a response: the only module that uses the insides of httpx, httpcore
            and h11
_anyio      takes over a connection from anyio and hands it back: the only module that uses anyio's insides
_arrivals   what has arrived of a body on asyncio, and the wait for more
_originals  tells whether a library's methods are those that it has written
_body       the rules for a body, for both drivers: the framing, the end, and its errors
_sync       the driver for synchronous responses
_asyncio    the driver for responses on asyncio
=========== ================================================================================================
"""

from __future__ import annotations

from ssejet._http.direct._report import DirectReading, direct_reading
from ssejet._http.direct._response_bytes import ResponseBytes, direct_async_chunks

__all__ = ["DirectReading", "ResponseBytes", "direct_async_chunks", "direct_reading"]
