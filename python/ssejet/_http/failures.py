"""Translates the exceptions of HTTP libraries to errors of ssejet."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from enum import Enum, auto
from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import ResponseAdapter
from ssejet._http.urls import url_of
from ssejet._lazy import loaded
from ssejet.errors import APIConnectionError, APITimeoutError, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet._http.deadlines import Deadlines

__all__ = ["invalid_url_errors", "translate", "translate_request", "translated", "was_sent"]


class _Failure(Enum):
    """What the exceptions of HTTP libraries mean."""

    MISUSE = auto()
    """They refuse to send the request."""
    NO_CONNECTION = auto()
    CONNECT_TIMEOUT = auto()
    POOL_TIMEOUT = auto()
    TIMEOUT = auto()
    TOTAL_TIMEOUT = auto()
    OTHER = auto()


_NOT_SENT = {_Failure.NO_CONNECTION, _Failure.CONNECT_TIMEOUT, _Failure.POOL_TIMEOUT}

_HTTPX = ("httpx", "httpx2")
_URLLIB3 = ("urllib3.exceptions", "urllib3_future.exceptions")
_REQUESTS = ("requests.exceptions", "niquests.exceptions")
_AIOHTTP = ("aiohttp.client_exceptions",)

# The modules and names of the exceptions. The first that fits counts, for an exception or for one inside it.
# Classes that a version does not have are left out.
_CLASSES: tuple[tuple[_Failure, tuple[str, ...], tuple[str, ...]], ...] = (
    (_Failure.MISUSE, _HTTPX, ("LocalProtocolError", "UnsupportedProtocol")),
    (_Failure.MISUSE, _AIOHTTP, ("InvalidURL", "NonHttpUrlClientError")),
    (_Failure.NO_CONNECTION, _HTTPX, ("ConnectError",)),
    (_Failure.NO_CONNECTION, _URLLIB3, ("NewConnectionError",)),  # in urllib3 1 a ConnectTimeoutError
    (_Failure.CONNECT_TIMEOUT, _HTTPX, ("ConnectTimeout",)),
    (_Failure.CONNECT_TIMEOUT, _URLLIB3, ("ConnectTimeoutError",)),
    (_Failure.CONNECT_TIMEOUT, _REQUESTS, ("ConnectTimeout",)),
    (_Failure.CONNECT_TIMEOUT, _AIOHTTP, ("ConnectionTimeoutError",)),
    (_Failure.NO_CONNECTION, _AIOHTTP, ("ClientConnectorError",)),
    (_Failure.POOL_TIMEOUT, _HTTPX, ("PoolTimeout",)),
    (_Failure.POOL_TIMEOUT, _URLLIB3, ("EmptyPoolError",)),
    (_Failure.TIMEOUT, _HTTPX, ("TimeoutException",)),
    (_Failure.TIMEOUT, _URLLIB3, ("TimeoutError",)),
    (_Failure.TIMEOUT, _REQUESTS, ("Timeout",)),
    (_Failure.TIMEOUT, _AIOHTTP, ("ServerTimeoutError",)),
    (_Failure.OTHER, _HTTPX, ("RequestError",)),
    (_Failure.OTHER, _URLLIB3, ("HTTPError",)),
    (_Failure.OTHER, _REQUESTS, ("RequestException",)),
    (_Failure.OTHER, _AIOHTTP, ("ClientError",)),
    (_Failure.OTHER, ("ssl",), ("SSLError",)),  # asynchronous clients of httpx raise it
    (_Failure.NO_CONNECTION, ("socksio",), ("SOCKSError",)),  # httpx raises it if a proxy hangs up
)

# Older versions of aiohttp have no class for it.
_AIOHTTP_CONNECT_TIMEOUT = "Connection timeout"


def translate(error: Exception, response: Any, deadlines: Deadlines) -> Exception:
    """The ``StreamError`` for an error of an HTTP library; any other error is returned as it is.

    Errors of misuse, such as reading a body twice, are also returned as they are.
    """
    failure = _failure_of(error, response)
    if failure is None or failure is _Failure.MISUSE:
        return error
    request = request_of(response)
    if failure in {_Failure.TIMEOUT, _Failure.TOTAL_TIMEOUT}:
        return deadlines.error(request, is_total=failure is _Failure.TOTAL_TIMEOUT)
    reason = str(error) or type(error).__name__
    return APIConnectionError(f"the connection broke: {reason}", request=request)


def translate_request(
    error: Exception, request: Any, connect_timeout: float | None, deadlines: Deadlines
) -> Exception:
    """The ``StreamError`` for an error of an HTTP library before a response has come.

    If the library refuses to send a request, the caller made a mistake: that error is returned as it is.

    Args:
        error: the error.
        request: the request.
        connect_timeout: how many seconds the connection could take.
        deadlines: of waiting for the response, a wait that had begun.
    """
    failure = _failure_of(error)
    if failure is None or failure is _Failure.MISUSE:
        return error
    url = url_of(request)
    origin = f"{url.scheme}://{url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
    if failure is _Failure.CONNECT_TIMEOUT:
        # Without a limit of the caller's, the operating system has one.
        limit = "the system's limit" if connect_timeout is None else f"{connect_timeout=:g} seconds"
        message = f"no connection to {origin} within {limit}"
        return APITimeoutError(message, kind="connect", request=request)
    if failure is _Failure.POOL_TIMEOUT:
        message = (
            "no connection of the client's pool became free in time: it may need a larger max_connections"
        )
        return APITimeoutError(message, kind="connect", request=request)
    if failure is _Failure.TIMEOUT:
        return deadlines.error(request)
    reason = str(error) or type(error).__name__
    if failure is _Failure.NO_CONNECTION:
        if _is_out_of_files(error):
            reason = "this process has too many open files; raise its limit: ulimit -n"
        return APIConnectionError(f"cannot connect to {origin}: {reason}", request=request)
    return APIConnectionError(f"no response from {origin}: {reason}", request=request)


@contextmanager
def translated(translate: Callable[[Exception], Exception]) -> Iterator[None]:
    """Raise translations of the errors that are raised in this context."""
    try:
        yield
    except Exception as error:
        failure = translate(error)
        try:
            if failure is error:
                raise
            raise failure from error
        finally:
            del failure  # its traceback holds this frame


def invalid_url_errors() -> tuple[type[Exception], ...]:
    """What httpx and httpx2 raise for an invalid URL: some hosts and ports raise only when they are read."""
    return (ValueError, *loaded(*((module, "InvalidURL") for module in _HTTPX)))


def was_sent(error: BaseException) -> bool:
    """Whether the server may have received the request that failed with this error."""
    cause = error.__cause__
    return not isinstance(cause, Exception) or _failure_of(cause) not in _NOT_SENT


def _failure_of(error: Exception, response: Any = None) -> _Failure | None:
    """What an exception means; None if it is not one of an HTTP library.

    Args:
        error: the exception.
        response: the response that raised it, if it was one.
    """
    errors = list(_nested(error))
    for failure, modules, names in _CLASSES:
        classes = loaded(*((module, name) for module in modules for name in names))
        if any(isinstance(each, classes) for each in errors):
            # Invalid URLs and headers are errors of both kinds.
            is_misuse = failure is _Failure.OTHER and isinstance(error, ValueError)
            is_connecting = failure is _Failure.TIMEOUT and str(error).startswith(_AIOHTTP_CONNECT_TIMEOUT)
            if is_misuse and not isinstance(error, loaded(("ssl", "SSLError"))):
                return _Failure.MISUSE
            return _Failure.CONNECT_TIMEOUT if is_connecting else failure
    if isinstance(response, ResponseAdapter) and isinstance(error, loaded(*response.connection_errors)):
        if not isinstance(error, loaded(("builtins", "TimeoutError"), ("asyncio", "TimeoutError"))):
            return _Failure.OTHER
        return _Failure.TOTAL_TIMEOUT if response.has_total_timeout else _Failure.TIMEOUT
    return None


def _nested(error: BaseException) -> Iterator[BaseException]:
    """An exception and those in its arguments, where requests and urllib3 keep the reason."""
    yield error
    for each in (*error.args, getattr(error, "reason", None)):
        if isinstance(each, Exception):
            yield from _nested(each)


def _is_out_of_files(error: BaseException | None) -> bool:
    """Whether a connection failed because no file could be opened; asynchronous clients do not say so."""
    while error is not None:
        causes = getattr(error, "exceptions", (error,))
        if any(getattr(cause, "errno", None) in (errno.EMFILE, errno.ENFILE) for cause in causes):
            return True
        error = error.__cause__ or error.__context__
    return False
