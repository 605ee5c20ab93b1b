"""HTTP clients of ssejet's own, made when nobody gives one."""

from __future__ import annotations

from importlib import import_module
from importlib.util import find_spec
from typing import Any, Literal

__all__ = ["make_http_client"]


def make_http_client(kind: Literal["AsyncClient", "Client"], **limits: Any) -> Any:
    """A client of httpx or, where there is no httpx, of httpx2.

    Args:
        kind: the name of the class.
        limits: arguments of the library's ``Limits``.

    Raises:
        ImportError: neither is installed.
    """
    name = next(filter(find_spec, ("httpx", "httpx2")), None)
    if name is None:
        raise ImportError(
            "there is no HTTP library to connect with: pip install httpx, or pip install httpx2"
        )
    library = import_module(name)
    return getattr(library, kind)(limits=library.Limits(**limits))
