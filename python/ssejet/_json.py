"""Decodes and encodes JSON for every other module.

::

    loads            text → values, as json.loads
    dumps            any value that a user sends → bytes
    dumps_by         values of JSON types, and others that a function converts → bytes
    dump_builtins    values of JSON types → text
    to_json_types    any value that a user sends → values of JSON types
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
    "to_json_types",
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
        return _dump_slowly(value, builtins)
    except (TypeError, ValueError, RecursionError) as error:
        _raise_interruption(error)
        # A ValueError comes from the standard library, and names a limit that is left: the digits of an
        # integer, NaN. The fast encoder names its own, such as 64 bits.
        reason = error if isinstance(error, ValueError) else refused
        raise TypeError(
            f"cannot send {value.__class__.__qualname__} as JSON: {reason}; "
            "send text, a model, or a value of JSON types"
        ) from refused


def _dump_slowly(value: Any, default: Callable[[Any], Any]) -> bytes:
    """Encode what fast encoders refuse: lone surrogates, large integers, keys that are not strings."""
    value = _replace(_without_private_fields(value), _keeps_added_fields, default)
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
    if hasattr(cls, "__pydantic_extra__"):  # a model; the fields of a dataclass of pydantic are below
        return [*value.__dict__.values(), *(value.__pydantic_extra__ or {}).values()]
    return [getattr(value, name, None) for name in _fields(cls)]


def _fields(cls: type[Any]) -> list[str]:
    """The names of the fields of a Struct, a dataclass or an attrs class; of any other class none."""
    for fields in ("__struct_fields__", "__dataclass_fields__"):
        if hasattr(cls, fields):
            return [*getattr(cls, fields)]
    return [field.name for field in getattr(cls, "__attrs_attrs__", ())]


# Choosing an encoder takes longer than encoding a token, so the choice is cached for each class.
@per_class
def _encoder(cls: type[Any]) -> Callable[[Any], bytes]:
    if hasattr(cls, "model_dump_json"):
        return _encode_sdk_model if _is_of_an_sdk(cls) else _encode_model
    if issubclass(cls, msgspec.Struct):
        if _keeps_added_fields(cls):
            return _encode_own_model
        return partial(msgspec.json.encode, enc_hook=builtins) if _is_flat(cls) else _encode_struct
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


def _encode_struct(struct: Any) -> bytes:
    return msgspec.json.encode(_with_added_fields(struct), enc_hook=builtins)


def to_json_types(value: Any) -> Any:
    """Convert a value to JSON types; our models become what the server sent.

    Raises:
        TypeError: the value, or something in it, has no JSON form.
    """
    return msgspec.to_builtins(_with_added_fields(value), enc_hook=builtins)


def builtins(value: Any) -> Any:
    """Convert a model to JSON types, for an encoder that does not know its class."""
    cls = type(value)
    if hasattr(cls, "model_dump"):
        options = {"by_alias": True, "exclude_unset": True, "warnings": False} if _is_of_an_sdk(cls) else {}
        return value.model_dump(mode="json", **options)
    if issubclass(cls, msgspec.Struct):
        return to_json_types(value)
    raise TypeError(f"{cls.__qualname__} has no JSON form")


@per_class
def _keeps_added_fields(cls: type[Any]) -> bool:
    """Whether a class is a model of ours, which keeps fields that msgspec does not see."""
    return issubclass(cls, msgspec.Struct) and hasattr(cls, "to_json") and hasattr(cls, "to_dict")


def _with_added_fields(value: Any) -> Any:
    """The value, or a copy of it with a dict in place of each of our models.

    msgspec encodes a Struct itself, and so loses the fields that a server added to our models.
    """
    return _replace(value, _keeps_added_fields, lambda model: model.to_dict())


def _without_private_fields(value: Any) -> Any:
    """The value, or a copy of it with a dict in place of each dataclass, as orjson encodes it."""
    from ssejet._without_orjson import dataclass_fields  # here, as few programs need it

    return _replace(value, lambda cls: hasattr(cls, "__dataclass_fields__"), dataclass_fields, structs=False)


def _replace(
    value: Any,
    is_replaced: Callable[[type[Any]], bool],
    replacement: Callable[[Any], Any],
    *,
    structs: bool = True,
) -> Any:
    """Replace the instances of some classes in a value. What holds one is copied, all else stays.

    Args:
        value: the value.
        is_replaced: whether to replace the instances of a class.
        replacement: gives what stands in for an instance, which is searched too.
        structs: whether to search msgspec's Structs.
    """
    if not _holds(value, is_replaced, structs=structs):
        return value
    from copy import copy  # here, as few programs need it

    def replaced(each: Any) -> Any:
        cls = type(each)
        if is_replaced(cls):
            return replaced(replacement(each))
        if isinstance(each, dict):
            return {key: replaced(inner) for key, inner in each.items()}
        if isinstance(each, (list, tuple, set, frozenset)):
            return [replaced(inner) for inner in each]
        fields = _fields(cls) if structs or not issubclass(cls, msgspec.Struct) else ()
        if not fields:
            return each
        # A copy keeps what the class says about its encoding, such as other names and a tag.
        each = copy(each)
        for name in fields:
            if hasattr(each, name):
                _set_field(each, name, replaced(getattr(each, name)))
        return each

    return replaced(value)


def _holds(value: Any, is_searched: Callable[[type[Any]], bool], *, structs: bool) -> bool:
    """Whether a value is, or holds at any depth, an instance of a class that is searched for."""
    # Each object is visited once, as a value may hold itself. The list keeps them alive, so ids are unique.
    seen: set[int] = set()
    todo = [value]
    for each in todo:
        cls = type(each)
        inner: Iterable[Any]
        if cls is dict:
            inner = each.values()
        elif cls is list:
            inner = each
        elif is_searched(cls):
            return True
        elif structs or not issubclass(cls, msgspec.Struct):
            inner = _reader(cls)(each)
        else:
            continue
        if id(each) not in seen:
            seen.add(id(each))
            todo += [part for part in inner if part.__class__ not in _SCALARS]
    return False


@per_class
def _reader(cls: type[Any]) -> Callable[[Any], Iterable[Any]]:
    """The function that gives the values in an instance of a class. Models encode theirs themselves."""
    if issubclass(cls, msgspec.Struct):
        return msgspec.structs.astuple
    return _no_parts if hasattr(cls, "model_dump") else _parts


def _no_parts(_: Any) -> tuple[()]:
    return ()


def _set_field(instance: Any, name: str, value: Any) -> None:
    if isinstance(instance, msgspec.Struct):
        msgspec.structs.force_setattr(instance, name, value)
    else:
        object.__setattr__(instance, name, value)  # also if it is frozen


_SCALARS = frozenset({bool, bytes, float, int, str, type(None)})


def _is_flat(cls: type[msgspec.Struct]) -> bool:
    """Whether the fields of a Struct hold only scalars, and lists and dicts of scalars, by their types."""
    from msgspec import inspect

    try:
        todo = [field.type for field in inspect.type_info(cls).fields]  # type: ignore[attr-defined]
    except Exception:  # types that cannot be found or understood: msgspec encodes without them
        return False
    while todo:
        part = todo.pop()
        if isinstance(part, inspect.DictType):
            todo += (part.key_type, part.value_type)
        elif isinstance(part, inspect.UnionType):
            todo += part.types
        elif isinstance(part, (inspect.ListType, inspect.SetType, inspect.VarTupleType)):
            todo.append(part.item_type)
        elif not isinstance(
            part, (inspect.BoolType, inspect.FloatType, inspect.IntType, inspect.NoneType, inspect.StrType)
        ):
            return False
    return True


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
