"""JSON of whatever ``encode`` is given that is not text."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec
import orjson

from ssejet._core import _stack_left
from ssejet._per_class import per_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["builtins", "dump_refused", "dumps", "dumps_on_small_stack", "is_plain"]

_INTERRUPTIONS: dict[str, type[BaseException]] = {
    cls.__name__: cls for cls in (GeneratorExit, KeyboardInterrupt, MemoryError, SystemExit)
}

# How pydantic-core tells what a serializer raised, where it does not chain the exception.
_raised_by_serializer = re.compile(r"Error calling function `[^`]*`: (\w+)(?:: (.*))?").search


def dumps(value: Any) -> bytes:
    """Encode a value as JSON in UTF-8.

    Raises:
        TypeError: the value, or something in it, has no JSON form. NaN and the infinities, which have none,
            become null, as in JavaScript; but not beside something that only the standard library encodes.
    """
    try:
        return _encoder(value.__class__)(value)
    except (TypeError, ValueError) as error:
        refused = error
    return dump_refused(value, refused)


def dumps_on_small_stack(value: Any) -> bytes:
    """Do what ``dumps`` does, on a thread whose stack an encoder could overflow.

    Raises:
        TypeError: as ``dumps``, or the value is nested too deep.
    """
    _check_depth(value)
    return dumps(value)


def dump_refused(value: Any, refused: Exception) -> bytes:
    """Do what ``dumps`` does, for a value that the fast encoder of its class has refused.

    Args:
        value: the value.
        refused: the encoder's error.
    """
    _raise_interruption(refused)
    _check_depth(value)
    try:
        # Lone surrogates, integers beyond 64 bits and keys that are no strings have a JSON form nevertheless.
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=builtins)
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        _raise_interruption(error)
        raise TypeError(
            f"cannot send {value.__class__.__qualname__} as JSON: {refused}; "
            "send text, a model, or what JSON can hold"
        ) from refused


def _raise_interruption(error: Exception) -> None:
    """Raise what an encoder hid in an error of its own, if it says nothing about the value.

    That is what no code is expected to catch, such as ``KeyboardInterrupt``, and ``MemoryError``: orjson and
    pydantic-core make a ``TypeError`` or ``ValueError`` of whatever a function that they call raises.
    """
    cause: BaseException | None = error
    while cause is not None:
        if _is_interruption(type(cause)):
            raise cause
        cause = cause.__cause__
    if (found := _raised_by_serializer(str(error))) and (cls := _INTERRUPTIONS.get(found[1])):
        raise cls(*filter(None, [found[2]])) from error


def _is_interruption(cls: type[BaseException]) -> bool:
    return not issubclass(cls, Exception) or issubclass(cls, MemoryError)


# More than encoders take of the stack for a level, of builtins and of pydantic's models: bytes.
_LEVEL_SIZE = 512
_MODEL_LEVEL_SIZE = 2048

# More levels than CPython lets anybody nest.
_MOST_LEVELS = 10_000


def _check_depth(value: Any) -> None:
    """Make sure that the stack of this thread is large enough to follow the value's nesting.

    Raises:
        TypeError: it is not.
    """
    left = _stack_left()
    if left >= _MOST_LEVELS * _LEVEL_SIZE:
        return
    needed = 0
    size = _LEVEL_SIZE
    level = [value]
    while level:
        # Each object once, as some may be in many places, or in themselves.
        below: dict[int, Any] = {}
        for item in level:
            if hasattr(item, "__pydantic_fields_set__"):
                size = _MODEL_LEVEL_SIZE  # for what is in it, too
            below.update((id(part), part) for part in _parts(item))
        needed += size
        if needed > left:
            raise TypeError(
                f"cannot send {value.__class__.__qualname__} as JSON: it is nested too deep for the stack of "
                "this thread, or holds itself; send it from a thread with a larger stack, see "
                "threading.stack_size()"
            )
        level = [*below.values()]


def _parts(value: Any) -> Iterable[Any]:
    """What encoders find in a value."""
    if isinstance(value, (str, bytes, int, float)) or value is None:
        return ()
    if isinstance(value, dict):
        return value.values()
    if isinstance(value, (list, tuple, set, frozenset)):
        return value
    cls = type(value)
    if hasattr(cls, "__pydantic_fields__"):
        return [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
    for fields in ("__struct_fields__", "__dataclass_fields__"):
        if hasattr(cls, fields):
            return [getattr(value, name, None) for name in getattr(cls, fields)]
    return [getattr(value, field.name, None) for field in getattr(cls, "__attrs_attrs__", ())]


# Looking at a class takes longer than encoding a token, so what encodes its instances is kept.
@per_class
def _encoder(cls: type[Any]) -> Callable[[Any], bytes]:
    if hasattr(cls, "model_dump_json"):
        return _encode_sdk_model if _is_of_an_sdk(cls) else _encode_model
    if issubclass(cls, msgspec.Struct):
        if hasattr(cls, "to_json"):  # ssejet's own models remember what the server sent
            return _encode_own_model
        return partial(msgspec.json.encode, enc_hook=builtins)
    return partial(orjson.dumps, default=builtins)


def _encode_sdk_model(model: Any) -> bytes:
    # Their own dump, without the two calls between it and pydantic-core.
    encoded: bytes = model.__pydantic_serializer__.to_json(
        model, by_alias=True, exclude_unset=True, warnings=False
    )
    return encoded


def _encode_model(model: Any) -> bytes:
    encoded: bytes = model.model_dump_json().encode()
    return encoded


def _encode_own_model(model: Any) -> bytes:
    encoded: bytes = model.to_json().encode()
    return encoded


def builtins(value: Any) -> Any:
    """What stands in JSON for a value that an encoder does not know."""
    cls = type(value)
    if hasattr(cls, "model_dump"):
        options = {"by_alias": True, "exclude_unset": True, "warnings": False} if _is_of_an_sdk(cls) else {}
        return value.model_dump(mode="json", **options)
    if issubclass(cls, msgspec.Struct):
        return value.to_dict() if hasattr(cls, "to_dict") else msgspec.to_builtins(value, enc_hook=builtins)
    raise TypeError(f"{cls.__qualname__} has no JSON form")


def is_plain(cls: type[Any]) -> bool:
    """Whether a class is a model of an SDK whose JSON is that of its attributes, under their names."""
    if cls.__module__.partition(".")[0] not in ("anthropic", "openai") or not hasattr(cls, "model_fields"):
        return False
    made = cls.__pydantic_decorators__
    if made.computed_fields or made.field_serializers or made.model_serializers:
        return False
    fields = cls.model_fields.items()
    return all(field.serialization_alias in (None, name) and not field.exclude for name, field in fields)


def _is_of_an_sdk(cls: type) -> bool:
    # OpenAI's and Anthropic's models share this method, which leaves out what was never set, as servers do.
    return hasattr(cls, "to_json")
