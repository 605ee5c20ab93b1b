"""Patches anthropic-sdk-python, which Stainless generated."""

from __future__ import annotations

from functools import wraps
from typing import TYPE_CHECKING, Any

from ssejet.swap._stainless import StainlessSwapIn

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["SWAP_IN"]


def _is_observed(stream: Any) -> bool:
    """Whether the SDK's tracing must see each item."""
    return getattr(stream, "_observer", None) is not None


class _SwapIn(StainlessSwapIn):
    def may_build(self, stream: Any) -> bool:
        return not _is_observed(stream)

    def iterator(self, stock: Callable[[Any], Any]) -> Callable[[Any], Any]:
        @wraps(stock)
        def iterator(stream: Any) -> Any:
            return stock(stream) if _is_observed(stream) else stream._iterator

        return iterator


SWAP_IN = _SwapIn("anthropic")
