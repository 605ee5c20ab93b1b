"""Patches anthropic-sdk-python, which Stainless generated."""

from __future__ import annotations

from functools import cached_property, wraps
from itertools import product
from typing import TYPE_CHECKING, Any

from anthropic.lib import streaming

from ssejet.swap._stainless import StainlessSwapIn, derived, give_managers
from ssejet.swap._support import Patch
from ssejet.swap.anthropic._messages import linear_stream

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SWAP_IN"]


def _is_observed(stream: Any) -> bool:
    """Whether the SDK's tracing must see each item."""
    return getattr(stream, "_observer", None) is not None


def _classes(kind: str) -> list[Any]:
    """The classes of the helpers' streams, or of their managers, that this version has."""
    names = [f"{beta}{mode}MessageStream{kind}" for beta, mode in product(("", "Beta"), ("", "Async"))]
    return [cls for name in names if (cls := getattr(streaming, name, None)) is not None]


_LINEAR = {cls: made for cls in _classes("") if (made := linear_stream(cls)) is not None}


def _linear(stream: Any) -> Any:
    made = _LINEAR.get(type(stream))
    if made is not None:
        stream._iterator = made(stream)
    return stream


def _enter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    def enter(self: Any) -> Any:
        return _linear(stock(self))

    return enter


def _aenter(stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
    @wraps(stock)
    async def enter(self: Any) -> Any:
        return _linear(await stock(self))

    return enter


def _manager(cls: Any) -> Any:
    if "Async" in cls.__name__:
        return derived(cls, [Patch(cls, "__aenter__", _aenter(cls.__aenter__))])
    return derived(cls, [Patch(cls, "__enter__", _enter(cls.__enter__))])


_MANAGERS = {cls: _manager(cls) for cls in _classes("Manager")}


class _ClientChanges:
    @cached_property
    def messages(self) -> Any:
        messages = super().messages  # type: ignore[misc]
        give_managers(messages, _MANAGERS)
        return messages

    @cached_property
    def beta(self) -> Any:
        beta = super().beta  # type: ignore[misc]
        if hasattr(beta, "messages"):
            give_managers(beta.messages, _MANAGERS)
        return beta


class _SwapIn(StainlessSwapIn):
    linear = _LINEAR
    """The helpers' classes, with their fast ``__stream__``."""

    def client_changes(self) -> type:
        return _ClientChanges

    def may_build(self, stream: Any) -> bool:
        return not _is_observed(stream)

    def iterator(self, stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(stock)
        def iterator(stream: Any) -> Any:
            return stock(stream) if _is_observed(stream) else stream._iterator

        return iterator


SWAP_IN = _SwapIn("anthropic", [Patch(cls, "__stream__", made) for cls, made in _LINEAR.items()])
