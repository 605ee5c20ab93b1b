"""Decodes and encodes JSON for every other module.

::

    loads            text → values, as json.loads
    dumps            any value that a user sends → bytes
    dumps_by         values of JSON types, and others that a function converts → bytes
    dump_builtins    values of JSON types → text
    copyable         the fields of an object → fields that pickle and copy accept
"""

from __future__ import annotations

import json
import re
from contextlib import suppress
from functools import partial
from typing import TYPE_CHECKING, Any

import msgspec

from ssejet import _orjson
from ssejet._core import ServerSentEvent, _stack_left
from ssejet._per_class import per_class

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

__all__ = [
    "builtins",
    "copyable",
    "dump_builtins",
    "dump_refused",
    "dumps",
    "dumps_by",
    "dumps_on_small_stack",
    "is_plain",
    "loads",
]

_INTERRUPTIONS: dict[str, type[BaseException]] = {
    cls.__name__: cls for cls in (GeneratorExit, KeyboardInterrupt, MemoryError, SystemExit)
}

# pydantic-core's message for an exception of a serializer. It does not always set ``__cause__``.
_raised_by_serializer = re.compile(r"Error calling function `[^`]*`: (\w+)(?:: (.*))?").search


def loads(text: str) -> Any:
    """Decode JSON as ``json.loads`` does, with orjson where its result is the same.

    Raises:
        json.JSONDecodeError: the text is not JSON.
        RecursionError: the text is nested too deep for the stack of this thread.
    """
    return ServerSentEvent(data=text).json()


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
    except (TypeError, ValueError) as error:
        refused = error
    return dump_refused(value, refused)


def dumps_by(default: Callable[[Any], Any], value: Any) -> bytes:
    """Encode a value of JSON types, and convert values of other types with a function.

    Args:
        default: converts a value that is not of a JSON type, or raises ``TypeError``.
        value: the value.

    Raises:
        TypeError: the error of ``default``.
    """
    try:
        return _orjson.dumps(value, default)
    except TypeError as error:  # orjson also raises it for lone surrogates and integers beyond 64 bits
        if isinstance(error.__cause__, TypeError):
            raise error.__cause__ from None
        return json.dumps(value, default=default).encode()


def dumps_on_small_stack(value: Any) -> bytes:
    """Encode a value as ``dumps`` does, after a check that the stack of this thread is large enough.

    Raises:
        TypeError: the value cannot be encoded, or is nested too deep.
    """
    _check_depth(value)
    return dumps(value)


def dump_refused(value: Any, refused: Exception) -> bytes:
    """Encode a value with the standard library, after the fast encoder of its class failed.

    Args:
        value: the value.
        refused: the error of the fast encoder.
    """
    _raise_interruption(refused)
    _check_depth(value)
    try:
        # The standard library also takes lone surrogates, larger integers, and keys that are not strings.
        plain = msgspec.to_builtins(value, str_keys=True, enc_hook=builtins)
        return json.dumps(plain, separators=(",", ":"), allow_nan=False).encode()
    except (TypeError, ValueError, RecursionError) as error:
        _raise_interruption(error)
        raise TypeError(
            f"cannot send {value.__class__.__qualname__} as JSON: {refused}; "
            "send text, a model, or a value of JSON types"
        ) from refused


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


# How many bytes of stack an encoder needs at most for one level of builtins, or of pydantic models.
_LEVEL_SIZE = 512
_MODEL_LEVEL_SIZE = 2048

# Encoders stop at fewer levels than this.
_MAX_LEVELS = 10_000


def _check_depth(value: Any) -> None:
    """Check that the stack of this thread is large enough to encode a nested value.

    Raises:
        TypeError: the stack is too small.
    """
    left = _stack_left()
    if left >= _MAX_LEVELS * _LEVEL_SIZE:
        return
    needed = 0
    size = _LEVEL_SIZE
    level = [value]
    while level:
        # Each object counts once, even if it is in many places.
        below: dict[int, Any] = {}
        for item in level:
            if hasattr(item, "__pydantic_fields_set__"):
                size = _MODEL_LEVEL_SIZE  # for this level and all levels below it
            below.update((id(part), part) for part in _parts(item))
        needed += size
        if needed > left:
            raise TypeError(
                f"cannot send {value.__class__.__qualname__} as JSON: it is nested too deep for the stack of "
                "this thread, or contains itself; send it from a thread with a larger stack, see "
                "threading.stack_size()"
            )
        level = [*below.values()]


def _parts(value: Any) -> Iterable[Any]:
    """The values directly inside a value."""
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


# Choosing an encoder takes longer than encoding a token, so the choice is cached for each class.
@per_class
def _encoder(cls: type[Any]) -> Callable[[Any], bytes]:
    if hasattr(cls, "model_dump_json"):
        return _encode_sdk_model if _is_of_an_sdk(cls) else _encode_model
    if issubclass(cls, msgspec.Struct):
        if hasattr(cls, "to_json"):  # ssejet's own models, which keep unknown fields of the server
            return _encode_own_model
        return partial(msgspec.json.encode, enc_hook=builtins)
    return partial(_orjson.dumps, default=builtins)


def _encode_sdk_model(model: Any) -> bytes:
    # The result is that of model.to_json(), with two Python calls fewer.
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
    """Convert a model to JSON types, for an encoder that does not know its class."""
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
    decorators = cls.__pydantic_decorators__
    if decorators.computed_fields or decorators.field_serializers or decorators.model_serializers:
        return False
    fields = cls.model_fields.items()
    return all(field.serialization_alias in (None, name) and not field.exclude for name, field in fields)


def _is_of_an_sdk(cls: type) -> bool:
    # OpenAI's and Anthropic's models share this method. It omits unset fields, as servers do.
    return hasattr(cls, "to_json")


# pickle and copy get values up to this depth unchanged. Their own limit is a few hundred levels, or fewer if
# the call stack is deep.
_MAX_DEPTH = 50


def copyable(fields: dict[str, Any]) -> dict[str, Any]:
    """Replace values that are nested too deep for pickle and copy by JSON text, which both decode again."""
    deep: dict[str, Any] = {}
    for name, value in fields.items():
        if _is_deep(value):
            with suppress(TypeError):  # a value that is not JSON stays as it is
                deep[name] = _Text("".join(_encoded(value)))
    return {**fields, **deep} if deep else fields


class _Text(str):
    """JSON text. To unpickle or copy it is to decode it."""

    __slots__ = ()

    def __reduce__(self) -> tuple[Any, ...]:
        return _decode, (str(self),)


def _decode(text: str) -> Any:
    try:
        return loads(text)
    except (RecursionError, ValueError):  # the stack of this thread may be too small
        return text


def _is_deep(value: Any) -> bool:
    """Whether lists and dicts are nested deeper than ``_MAX_DEPTH`` in a value."""
    level = [value]
    for _ in range(_MAX_DEPTH):
        level = [inner for each in level for inner in _nested(each)]
        if not level:
            return False
    return True


def _nested(value: Any) -> Iterator[Any]:
    # Decoded JSON has these types, not subclasses of them.
    if type(value) is list:
        yield from (each for each in value if type(each) in (list, dict))
    elif type(value) is dict:
        yield from (each for each in value.values() if type(each) in (list, dict))


def _encoded(value: Any) -> Iterator[str]:
    """The JSON text of a value, in pieces."""
    # A list of iterators takes the place of recursion, so any depth works.
    todo: list[Iterator[Any]] = [iter((value,))]
    while todo:
        for each in todo[-1]:
            if isinstance(each, _Text):
                yield each
            elif type(each) in (list, dict):
                todo.append(_pieces(each))
                break
            else:
                yield json.dumps(each)
        else:
            todo.pop()


def _pieces(value: list[Any] | dict[str, Any]) -> Iterator[Any]:
    """The values in a list or dict, and the JSON text around them."""
    comma = _Text("")
    if isinstance(value, list):
        yield _Text("[")
        for each in value:
            yield comma
            yield each
            comma = _Text(",")
        yield _Text("]")
        return
    yield _Text("{")
    for name, each in value.items():
        if not isinstance(name, str):
            raise TypeError("the keys of a JSON object must be strings")
        yield _Text(f"{comma}{json.dumps(name)}:")
        yield each
        comma = _Text(",")
    yield _Text("}")
