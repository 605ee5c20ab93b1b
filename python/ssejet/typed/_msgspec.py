"""What msgspec takes for a type of its own; apart, as it imports msgspec."""

from __future__ import annotations

from typing import Any

from msgspec.inspect import CustomType, type_info

from ssejet._per_class import per_class

__all__ = ["is_msgspec_class"]


# Looking through a class takes as long as decoding a thousand of its instances, so the answer is kept.
@per_class
def is_msgspec_class(cls: type[Any]) -> bool:
    """Whether msgspec decodes a class by itself."""
    return not isinstance(type_info(cls), CustomType)
