"""Finds out how a response is read."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.adapters import adapted_response
from ssejet._http_types import original_of

if TYPE_CHECKING:
    from ssejet._http.adapters import Kind

__all__ = ["readable_response"]

_ARTICLES = {"sync": "a synchronous", "async": "an asynchronous"}


def readable_response(response: Any, kind: Kind, *, reader: str, other_reader: str) -> Any:
    """Check that a response can be read synchronously, or asynchronously, and return what to read.

    That is the response itself, or an adapter for a response of another library.

    Args:
        response: the response.
        kind: how it will be read.
        reader: what reads it, for the error message.
        other_reader: what reads responses of the other kind.

    Raises:
        TypeError: it cannot be read this way.
    """
    response, own_kind = adapted_response(response)
    if own_kind == kind:
        return response
    if own_kind is not None:
        original = type(original_of(response))
        hint = (
            "; for an asynchronous one pass stream=True" if kind == "async" and _is_niquests(original) else ""
        )
        raise TypeError(
            f"{reader} needs {_ARTICLES[kind]} response, and the {original.__name__} of "
            f"{original.__module__.partition('.')[0]} is {_ARTICLES[own_kind]} one, for {other_reader}{hint}"
        )
    is_async = kind == "async"
    names = ("aiter_bytes", "aclose") if is_async else ("iter_bytes", "close")
    missing = [f"{name}()" for name in names if not callable(getattr(response, name, None))]
    # A response of httpx has the methods of both kinds, but only those of its client's kind work.
    body = getattr(response, "stream", None)
    needed, other = ("__aiter__", "__iter__") if is_async else ("__iter__", "__aiter__")
    if missing:
        fault = f"has no {' and no '.join(missing)}"
    elif hasattr(body, other) and not hasattr(body, needed):
        fault = "is of the other kind"
    else:
        return response
    if hasattr(response, "__await__"):
        raise TypeError(
            f"{reader} needs a response, but this {type(response).__name__} has to be awaited first"
        )
    read, close = names
    raise TypeError(
        f"{reader} needs a response with {read}() and {close}(), but this {type(response).__name__} {fault}; "
        f"responses of the other kind of client are for {other_reader}"
    )


def _is_niquests(own_class: type[Any]) -> bool:
    return own_class.__module__.startswith("niquests")
