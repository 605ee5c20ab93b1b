"""``response_format``: what a request sends for it."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssejet._answers.typed_json import strict_schema_of

__all__ = ["response_format_param"]


def response_format_param(response_format: Any) -> dict[str, Any]:
    """The dict that a request's ``response_format`` takes.

    Args:
        response_format: a pydantic model, a msgspec Struct, a dataclass or a TypedDict, for which a strict
            JSON Schema is made; or the dict itself, which is returned as it is.

    Raises:
        TypeError: it is none of these, or a part of it has no schema.
    """
    if isinstance(response_format, Mapping):
        return dict(response_format)
    schema = strict_schema_of(response_format)
    return {
        "type": "json_schema",
        "json_schema": {"name": response_format.__name__, "schema": schema, "strict": True},
    }
