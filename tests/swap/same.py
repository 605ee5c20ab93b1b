"""Whether two things that SDKs build are the same in all that can be seen of them."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel


def differences(one: Any, other: Any, path: str = "") -> list[str]:
    """Say where two objects differ: in type, value, fields set, extra fields, private ones, or in order."""
    if type(one) is not type(other):
        return [f"{path or 'item'}: {type(one)} and {type(other)}: {one!r} and {other!r}"]
    if isinstance(one, BaseModel):
        found = differences(vars(one), vars(other), path)
        for name in ("__pydantic_extra__", "__pydantic_fields_set__", "__pydantic_private__"):
            found += differences(getattr(one, name), getattr(other, name), f"{path}.{name}")
        return found
    if isinstance(one, dict):
        if list(one) != list(other):
            return [f"{path}: keys {list(one)} and {list(other)}"]
        return [found for key in one for found in differences(one[key], other[key], f"{path}.{key}")]
    if isinstance(one, list):
        if len(one) != len(other):
            return [f"{path}: lengths {len(one)} and {len(other)}"]
        return [found for i in range(len(one)) for found in differences(one[i], other[i], f"{path}[{i}]")]
    if isinstance(one, float):
        return [] if one.hex() == other.hex() else [f"{path}: {one!r} and {other!r}"]
    if isinstance(one, BaseException):
        return differences(describe(one), describe(other), path)
    return [] if one == other else [f"{path}: {one!r} and {other!r}"]


def describe(error: BaseException) -> dict[str, Any]:
    """All visible parts of an error, except where it was raised."""
    seen = {
        key: value for key, value in vars(error).items() if key not in {"request", "response", "__notes__"}
    }
    return {"arguments": [str(argument) for argument in error.args], "text": str(error), **seen}
