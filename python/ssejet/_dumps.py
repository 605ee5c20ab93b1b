"""JSON of whatever ``encode`` is given that is not text."""

from __future__ import annotations

import json
from typing import Any

import msgspec
import orjson

__all__ = ["dumps"]


def dumps(value: Any) -> bytes:
    """Encode a value as JSON in UTF-8.

    Raises:
        TypeError: the value, or something in it, has no JSON form.
        ValueError: NaN or an infinity beside something that only the standard library encodes. Otherwise they
            become null, as JavaScript has it.
    """
    cls = type(value)
    text: str
    if hasattr(cls, "model_dump_json"):
        text = value.model_dump_json(**_pydantic_options(cls))
        return text.encode()
    if issubclass(cls, msgspec.Struct):
        if hasattr(cls, "to_json"):  # ssejet.chat's models know what the server sent
            text = value.to_json()
            return text.encode()
        return msgspec.json.encode(value, enc_hook=_builtins)
    try:
        return orjson.dumps(value, default=_builtins)
    except TypeError as error:
        refused = error
    try:
        # orjson refuses lone surrogates, integers beyond 64 bits, and keys that are not strings.
        builtins = msgspec.to_builtins(value, str_keys=True, enc_hook=_builtins)
        return json.dumps(builtins, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, RecursionError):
        raise TypeError(
            f"cannot send {cls.__name__} as JSON: {refused}; pass text, a model, or what JSON can hold"
        ) from refused


def _builtins(value: Any) -> Any:
    """What stands in JSON for a value that the encoder does not know."""
    cls = type(value)
    if hasattr(cls, "model_dump"):
        return value.model_dump(mode="json", **_pydantic_options(cls))
    if issubclass(cls, msgspec.Struct):
        return value.to_dict() if hasattr(cls, "to_dict") else msgspec.to_builtins(value, enc_hook=_builtins)
    raise TypeError(f"{cls.__name__} has no JSON form")


def _pydantic_options(cls: type) -> dict[str, bool]:
    # The SDKs' own dump: their servers leave out what is not set, and know the fields by their aliases.
    return {"by_alias": True, "exclude_unset": True} if hasattr(cls, "to_json") else {}
