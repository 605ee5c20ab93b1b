"""``dumps`` and ``loads`` of orjson, for an environment without orjson.

Some builds of CPython, such as the free-threaded one, have no wheels of orjson.
"""

from __future__ import annotations

import dataclasses
import datetime
import enum
import json
import uuid
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from msgspec.json import Encoder
from msgspec.json import decode as loads

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["dataclass_fields", "dumps", "loads"]

_SCALARS = frozenset({bool, float, int, str, type(None)})

_encode_fast = Encoder().encode


def dumps(value: Any, default: Callable[[Any], Any] | None = None) -> bytes:
    """Encode a value as orjson does: in UTF-8, with null for NaN and the infinities.

    Args:
        value: the value.
        default: converts a value that cannot be encoded.

    Raises:
        TypeError: the value cannot be encoded: it holds itself, a lone surrogate, too many levels, or
            something that ``default`` refuses.
    """
    try:
        encoded = _encode_fast(value)
    except Exception:  # also of a property of the value: the encoder below shows it, if it reads that too
        pass
    else:
        if _is_plain(value):
            return encoded
    try:
        try:
            text = _encoder(default, allow_nan=False)(value)
        except ValueError:
            # The parser replaces NaN and the infinities, which the encoder cannot do.
            text = _encoder(default, allow_nan=True)(value)
            text = _encoder(None, allow_nan=False)(json.loads(text, parse_constant=lambda _: None))
        return text.encode()
    except ValueError as error:
        raise TypeError(str(error)) from error
    except RecursionError as error:  # CPython 3.14 matches no tuple of classes on a stack of less than 76 KiB
        raise TypeError(str(error)) from error


def _is_plain(value: Any) -> bool:
    """Whether a value has only types that msgspec and orjson encode alike. It must not hold itself."""
    todo = [value]
    for each in todo:  # the loop reads what it appends; recursion could be too deep
        cls = each.__class__
        if cls is dict:
            for key, inner in each.items():
                if key.__class__ is not str:
                    return False
                if inner.__class__ not in _SCALARS:
                    todo.append(inner)
        elif cls is list or cls is tuple:
            todo += [inner for inner in each if inner.__class__ not in _SCALARS]
        elif cls not in _SCALARS:
            return False
    return True


@lru_cache(maxsize=16)
def _encoder(default: Callable[[Any], Any] | None, *, allow_nan: bool) -> Callable[[Any], str]:
    def encodable(value: Any) -> Any:
        if isinstance(value, (datetime.datetime, datetime.date, datetime.time)):
            return value.isoformat()
        if isinstance(value, uuid.UUID):
            return str(value)
        if isinstance(value, enum.Enum):
            return value.value
        if dataclasses.is_dataclass(value) and not isinstance(value, type):
            return dataclass_fields(value)
        refused = f"Type is not JSON serializable: {type(value).__qualname__}"
        if default is None:
            raise TypeError(refused)
        try:
            return default(value)
        except Exception as error:
            raise TypeError(refused) from error

    return json.JSONEncoder(
        ensure_ascii=False, allow_nan=allow_nan, separators=(",", ":"), default=encodable
    ).encode


def dataclass_fields(value: Any) -> dict[str, Any]:
    """The fields of a dataclass that orjson encodes: those whose names do not begin with an underscore."""
    fields = getattr(value, "__dict__", None)
    if fields is None:
        fields = {field.name: getattr(value, field.name) for field in dataclasses.fields(value)}
    return {name: each for name, each in fields.items() if not name.startswith("_")}
