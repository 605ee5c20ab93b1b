"""Patches pydantic-ai's streams, so that each event goes through the event loop once, not four times.

An event passes several locks, each of which nobody else holds. A lock of anyio lets other tasks run whenever
it is taken, unless it is made with ``fast_acquire=True``. Here all but the outermost one get that option.
"""

from __future__ import annotations

from dataclasses import fields
from functools import wraps
from inspect import signature
from typing import TYPE_CHECKING, Any

import anyio
from pydantic_ai import _utils, result

from ssejet.swap._support import Patch, UnsupportedError

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["PATCHES", "check"]


def _with_fast_lock(stock: Callable[..., None], name: str) -> Callable[..., None]:
    @wraps(stock)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:  # noqa: N807 (it takes the method's place)
        stock(self, *args, **kwargs)
        members = vars(self)
        if isinstance(members.get(name), anyio.Lock):
            members[name] = anyio.Lock(fast_acquire=True)

    return __init__


def _patches() -> list[Patch]:
    if "fast_acquire" not in signature(anyio.Lock.__new__).parameters:
        raise UnsupportedError("this version of anyio has no locks that are fast")
    stream = result.AgentStream
    names = {field.name for field in fields(stream) if field.default_factory is anyio.Lock and not field.init}
    # This one lets other tasks run between two events.
    pull = getattr(stream, "_pull_shared", None)
    if "_anext_lock" not in names or pull is None or "_anext_lock" not in pull.__code__.co_names:
        raise UnsupportedError("its streams of events take no lock that other tasks can wait for")
    found = [(stream, "_model_pull_lock")] if "_model_pull_lock" in names else []
    if type(vars(_utils.PeekableAsyncStream(())).get("_source_lock")) is type(anyio.Lock()):
        found.append((_utils.PeekableAsyncStream, "_source_lock"))
    if not found:
        raise UnsupportedError("its streams have no locks that are known")
    return [Patch(cls, "__init__", _with_fast_lock(cls.__init__, name)) for cls, name in found]


PATCHES = _patches()


def check() -> None:
    """Do nothing: the patches were checked when they were made."""
