"""Encodes values as JSON: with the fastest encoder of their class, or else with the standard library."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ssejet import _orjson, _pydantic
from ssejet._json.depth import check_depth
from ssejet._json.replacing import (
    hold_models,
    keeps_added_fields,
    no_parts,
    part_reader,
    replace,
    with_added_fields,
    without_private_fields,
)
from ssejet._per_class import per_class

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = [
    "builtins",
    "dump_builtins",
    "dump_refused",
    "dumps",
    "dumps_by",
    "dumps_on_small_stack",
    "to_json_types",
]

_INTERRUPTIONS: dict[str, type[BaseException]] = {
    cls.__name__: cls for cls in (GeneratorExit, KeyboardInterrupt, MemoryError, SystemExit)
}

# pydantic-core's message for an exception of a serializer. It does not always set ``__cause__``.
_raised_by_serializer = re.compile(r"Error calling function `[^`]*`: (\w+)(?:: (.*))?").search


def dump_builtins(value: Any, indent: int | None = None) -> str:
    """Encode a value of JSON types as text, with lone surrogates escaped.

    Args:
        value: a dict, list, string, number, bool or None.
        indent: how many spaces to indent each level; None writes one line without spaces.
    """
    try:
        encoded = msgspec.json.encode(value)
    except (UnicodeEncodeError, OverflowError):  # a lone surrogate, an integer beyond 64 bits
        return json.dumps(value, indent=indent, separators=(",", ":") if indent is None else None)
    return (encoded if indent is None else msgspec.json.format(encoded, indent=indent)).decode()


def dumps(value: Any) -> bytes:
    """Encode a value as JSON in UTF-8.

    NaN and infinity become null, as in JavaScript. They are an error if the value also holds something that
    only the standard library can encode.

    Raises:
        TypeError: the value, or a part of it, cannot be encoded.
    """
    try:
        return _encoder(value.__class__)(value)
    except Exception as error:
        # CPython 3.14 matches no tuple of classes in an `except` clause on a stack of less than 76 KiB.
        if not isinstance(error, (TypeError, ValueError)):
            raise
        refused = error
    return dump_refused(value, refused)


def dumps_by(default: Callable[[Any], Any], value: Any) -> bytes:
    """Encode a value of JSON types, and convert values of other types with a function.

    Args:
        default: converts a value that is not of a JSON type, or raises ``TypeError``.
        value: the value.

    Raises:
        TypeError: the error of ``default``, or the value is nested too deep.
        ValueError: an integer has too many digits, or NaN is next to what only the standard library takes.
    """
    try:
        return _orjson.dumps(value, default)
    except TypeError as error:  # orjson also raises it for lone surrogates and integers beyond 64 bits
        if isinstance(error.__cause__, TypeError):
            raise error.__cause__ from None
    try:
        return _dump_slowly(value, default)
    except RecursionError:
        raise TypeError("cannot be sent as JSON: it is nested too deep, or holds itself") from None


def dumps_on_small_stack(value: Any) -> bytes:
    """Encode a value as ``dumps`` does, after a check that the stack of this thread is large enough.

    Raises:
        TypeError: the value cannot be encoded, or is nested too deep.
    """
    check_depth(value)
    return dumps(value)


def dump_refused(value: Any, refused: Exception) -> bytes:
    """Encode a value with the standard library, after the fast encoder of its class failed.

    Args:
        value: the value.
        refused: the error of the fast encoder.
    """
    _raise_interruption(refused)
    check_depth(value)
    try:
        return _dump_slowly(value, builtins)
    except Exception as error:
        if not isinstance(error, (TypeError, ValueError, RecursionError)):
            raise
        _raise_interruption(error)
        # A ValueError comes from the standard library, and names a limit of it: the digits of an integer,
        # NaN. The fast encoder names its own limit, such as 64 bits.
        reason = error if isinstance(error, ValueError) else refused
        raise TypeError(
            f"cannot send {value.__class__.__qualname__} as JSON: {reason}; "
            "send text, a model, or a value of JSON types"
        ) from refused


def _dump_slowly(value: Any, default: Callable[[Any], Any]) -> bytes:
    """Encode what fast encoders refuse: lone surrogates, large integers, keys that are not strings."""
    value = replace(without_private_fields(value), keeps_added_fields, default)
    plain = msgspec.to_builtins(value, str_keys=True, enc_hook=default)
    return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()


def _raise_interruption(error: Exception) -> None:
    """Raise the ``KeyboardInterrupt``, ``MemoryError`` or similar that is behind an encoder's error.

    orjson and pydantic-core call functions, and turn each exception of them into a ``TypeError`` or
    ``ValueError``.
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


# Choosing an encoder takes longer than encoding a token, so the choice is cached for each class.
@per_class
def _encoder(cls: type[Any]) -> Callable[[Any], bytes]:
    if _pydantic.can_dump_json(cls):
        return _pydantic.dump_json
    if issubclass(cls, msgspec.Struct):
        if keeps_added_fields(cls):
            return _encode_own_model
        return _struct_encoder(cls)
    return partial(_orjson.dumps, default=builtins)


def _encode_own_model(model: Any) -> bytes:
    encoded: bytes = model.to_json().encode()
    return encoded


def _struct_encoder(cls: type[msgspec.Struct]) -> Callable[[Any], bytes]:
    """Make the encoder of a class of Structs, which looks for our models only where the types allow them."""
    read = part_reader(cls)
    if read is no_parts:
        return _encode_as_msgspec

    def encode(struct: Any) -> bytes:
        return _encode_as_msgspec(with_added_fields(struct) if hold_models(read(struct)) else struct)

    return encode


def to_json_types(value: Any) -> Any:
    """Convert a value to JSON types; our models become what the server sent.

    Raises:
        TypeError: the value, or something in it, has no JSON form.
    """
    return msgspec.to_builtins(with_added_fields(value), enc_hook=builtins)


def builtins(value: Any) -> Any:
    """Convert a model to JSON types, for an encoder that does not know its class."""
    cls = type(value)
    if _pydantic.can_dump(cls):
        return _pydantic.to_builtins(value)
    if issubclass(cls, msgspec.Struct):
        return to_json_types(value)
    raise TypeError(f"{cls.__qualname__} has no JSON form")


_encode_as_msgspec = msgspec.json.Encoder(enc_hook=builtins).encode
