"""HTTP clients: those of the caller's, checked, and those that ssejet makes when there is none."""

from __future__ import annotations

from typing import Any, Literal

from ssejet._http.adapters import adapted_client
from ssejet._http.pool_index import index_new_client

__all__ = ["check_http_client", "make_http_client", "usable_client"]

ClientKind = Literal["AsyncClient", "Client"]

_KINDS = {"Client": "sync", "AsyncClient": "async"}
_WORDS = {"sync": "synchronous", "async": "asynchronous"}


def usable_client(client: Any, kind: ClientKind, *, user: str, methods: tuple[str, ...]) -> Any:
    """Check a client as ``check_http_client()`` does, and return what to use.

    That is the client itself, or an adapter for a client of another library.

    Raises:
        TypeError: the client cannot be used.
    """
    adapter, own_kind = adapted_client(client)
    if own_kind is None:
        check_http_client(client, kind, user=user, methods=methods)
    elif own_kind != _KINDS[kind]:
        found = type(client)
        raise TypeError(
            f"{user} needs a client that is {_WORDS[_KINDS[kind]]}, and the {found.__name__} of "
            f"{found.__module__.partition('.')[0]} is {_WORDS[own_kind]}"
        )
    return adapter


def check_http_client(
    client: Any, kind: ClientKind, *, user: str, methods: tuple[str, ...] = ("build_request", "send")
) -> None:
    """Check that a client can be used as httpx's class of that kind.

    Args:
        client: the client.
        kind: the name of the class.
        user: what uses the client, for the error message.
        methods: the methods that it uses.

    Raises:
        TypeError: the client is of the other kind, is a class, or lacks a method.
    """
    own_close, other_close = ("aclose", "close") if kind == "AsyncClient" else ("close", "aclose")
    is_other_kind = hasattr(client, other_close) and not hasattr(client, own_close)
    if isinstance(client, type) or is_other_kind or not all(hasattr(client, name) for name in methods):
        found = client if isinstance(client, type) else type(client)
        what = "the class " if isinstance(client, type) else "this "
        raise TypeError(
            f"{user} needs the {kind} of httpx or httpx2, not {what}{found.__module__}.{found.__qualname__}"
        )


def make_http_client(kind: ClientKind, **limits: Any) -> Any:
    """A client of httpx or, if that is not installed, of httpx2.

    Args:
        kind: the name of the class.
        limits: arguments of the library's ``Limits``.

    Raises:
        ImportError: neither is installed.
    """
    from importlib import import_module
    from importlib.util import find_spec

    name = next(filter(find_spec, ("httpx", "httpx2")), None)
    if name is None:
        raise ImportError(
            "there is no HTTP library to connect with: pip install httpx, or pip install httpx2"
        )
    library = import_module(name)
    client = getattr(library, kind)(limits=library.Limits(**limits))
    index_new_client(client)
    return client
