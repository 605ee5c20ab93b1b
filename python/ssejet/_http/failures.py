"""Translates the exceptions of httpx and httpx2 to errors of ssejet."""

from __future__ import annotations

import errno
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from ssejet._lazy import loaded
from ssejet.errors import APIConnectionError, APITimeoutError, request_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from ssejet._http.deadlines import Deadlines

__all__ = ["invalid_url_errors", "translate", "translate_request", "translated", "was_sent"]


def translate(error: Exception, response: Any, deadlines: Deadlines) -> Exception:
    """The ``StreamError`` for an error of httpx or httpx2; any other error is returned as it is.

    Errors of misuse, such as reading a body twice, are also returned as they are.
    """
    if isinstance(error, _errors("TimeoutException")):
        return deadlines.error(request_of(response))
    # Asynchronous clients raise SSLError themselves.
    if isinstance(error, (*_errors("RequestError"), *loaded(("ssl", "SSLError")))):
        reason = str(error) or type(error).__name__
        return APIConnectionError(f"the connection broke: {reason}", request=request_of(response))
    return error


def translate_request(
    error: Exception, request: Any, connect_timeout: float | None, deadlines: Deadlines
) -> Exception:
    """The ``StreamError`` for an error of httpx or httpx2 before a response has come.

    If they refuse to send a request, the caller made a mistake: that error is returned as it is.

    Args:
        error: the error.
        request: the request.
        connect_timeout: how many seconds the connection could take.
        deadlines: of waiting for the response, a wait that had begun.
    """
    was_refused = isinstance(error, _errors("LocalProtocolError", "UnsupportedProtocol"))
    if was_refused:
        return error
    origin = f"{request.url.scheme}://{request.url.netloc.decode('ascii', 'replace').rpartition('@')[2]}"
    if isinstance(error, _errors("ConnectTimeout")):
        # Without a limit of the caller's, the operating system has one.
        limit = "the system's limit" if connect_timeout is None else f"{connect_timeout=:g} seconds"
        message = f"no connection to {origin} within {limit}"
        return APITimeoutError(message, kind="connect", request=request)
    if isinstance(error, _errors("PoolTimeout")):
        message = (
            "no connection of the client's pool became free in time: it may need a larger max_connections"
        )
        return APITimeoutError(message, kind="connect", request=request)
    if isinstance(error, _errors("TimeoutException")):
        return deadlines.error(request)
    reason = str(error) or type(error).__name__
    if isinstance(error, _errors("ConnectError")):
        if _is_out_of_files(error):
            reason = "this process has too many open files; raise its limit: ulimit -n"
        return APIConnectionError(f"cannot connect to {origin}: {reason}", request=request)
    if isinstance(error, (*_errors("RequestError"), *loaded(("ssl", "SSLError")))):
        return APIConnectionError(f"no response from {origin}: {reason}", request=request)
    return error


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
    return (ValueError, *_errors("InvalidURL"))


def was_sent(error: BaseException) -> bool:
    """Whether the server may have received the request that failed with this error."""
    return not isinstance(error.__cause__, _errors("ConnectError", "ConnectTimeout", "PoolTimeout"))


def _is_out_of_files(error: BaseException | None) -> bool:
    """Whether a connection failed because no file could be opened; asynchronous clients do not say so."""
    while error is not None:
        causes = getattr(error, "exceptions", (error,))
        if any(getattr(cause, "errno", None) in (errno.EMFILE, errno.ENFILE) for cause in causes):
            return True
        error = error.__cause__ or error.__context__
    return False


def _errors(*names: str) -> tuple[type[Any], ...]:
    """The exceptions of these names that httpx and httpx2 have."""
    return loaded(*((module, name) for module in ("httpx", "httpx2") for name in names))
