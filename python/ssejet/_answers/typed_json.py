"""Makes, for a user's type, the schema that a request sends and the parser of its answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import msgspec

from ssejet._pydantic import is_dataclass, is_model, type_adapter

__all__ = ["json_parser", "schema_of", "strict_schema", "strict_schema_of"]


def json_parser(type_: Any) -> Callable[[str], Any]:
    """The function that makes an instance of a type from JSON text, or raises.

    Args:
        type_: a pydantic model or dataclass, a msgspec Struct, a dataclass, an attrs class, a TypedDict.

    Raises:
        TypeError: ``type_`` is none of these.
    """
    if is_model(type_):
        parse: Callable[[str], Any] = type_.model_validate_json
        return parse
    if is_dataclass(type_):
        return type_adapter(type_).validate_json  # type: ignore[no-any-return]
    _check(type_)
    return msgspec.json.Decoder(type_).decode


def strict_schema_of(type_: Any) -> dict[str, Any]:
    """The JSON Schema of a type, strict.

    Args:
        type_: as for ``json_parser``.

    Raises:
        TypeError: ``type_`` is none of these, or a part of it has no schema.
    """
    return strict_schema(schema_of(type_))


def schema_of(type_: Any) -> dict[str, Any]:
    """The JSON Schema of a type, with an object at its root.

    Args:
        type_: as for ``json_parser``.

    Raises:
        TypeError: ``type_`` is none of these, or a part of it has no schema.
    """
    if is_model(type_):
        return type_.model_json_schema()  # type: ignore[no-any-return]
    if is_dataclass(type_):
        return type_adapter(type_).json_schema()  # type: ignore[no-any-return]
    _check(type_)
    return _without_root_reference(msgspec.json.schema(type_))


def strict_schema(schema: Mapping[str, Any]) -> dict[str, Any]:
    """A JSON Schema in the form that OpenAI's strict mode asks for.

    Objects require all their properties and allow no others; a reference has no other keys beside it; a null
    default is left out.
    """
    return _strict(schema, schema, ())


def _strict(schema: Mapping[str, Any], root: Mapping[str, Any], inlined: tuple[str, ...]) -> dict[str, Any]:
    strict = dict(schema)
    reference = strict.get("$ref")
    if reference is not None and len(strict) > 1:
        if reference in inlined:  # a recursive type
            return {"$ref": reference}
        del strict["$ref"]
        return _strict({**_resolve(reference, root), **strict}, root, (*inlined, reference))
    if len(strict.get("allOf", ())) == 1:
        (only,) = strict.pop("allOf")
        return _strict({**strict, **only}, root, inlined)
    if strict.get("type") == "object":
        strict.setdefault("additionalProperties", False)
    if "properties" in strict:
        strict["required"] = list(strict["properties"])
    if strict.get("default", ...) is None:
        del strict["default"]
    for key, around in (("$defs", ()), ("definitions", ()), ("properties", inlined)):
        if key in strict:
            strict[key] = {name: _strict(each, root, around) for name, each in strict[key].items()}
    for key in ("anyOf", "allOf"):
        if key in strict:
            strict[key] = [_strict(each, root, inlined) for each in strict[key]]
    if isinstance(strict.get("items"), Mapping):
        strict["items"] = _strict(strict["items"], root, inlined)
    return strict


def _resolve(reference: str, root: Any) -> Any:
    for key in reference.removeprefix("#/").split("/"):
        root = root[key]
    return root


def _without_root_reference(schema: dict[str, Any]) -> dict[str, Any]:
    """The schema with an object at its root, as strict mode demands; msgspec puts a reference there."""
    reference = schema.get("$ref")
    if reference is None:
        return schema
    root = _resolve(reference, schema)
    definitions = schema["$defs"]
    if not _mentions(definitions, reference):
        definitions = {name: each for name, each in definitions.items() if each is not root}
    return {**root, "$defs": definitions} if definitions else root


def _mentions(schema: Any, reference: str) -> bool:
    if isinstance(schema, dict):
        return schema.get("$ref") == reference or any(_mentions(each, reference) for each in schema.values())
    return isinstance(schema, list) and any(_mentions(each, reference) for each in schema)


def _check(type_: Any) -> None:
    from msgspec import inspect

    objects = (inspect.StructType, inspect.DataclassType, inspect.TypedDictType)
    if not isinstance(type_, type) or not isinstance(inspect.type_info(type_), objects):
        raise TypeError(
            "expected OpenAI's dict form, a pydantic model, a msgspec Struct, a dataclass or a TypedDict; "
            f"got {type_!r}"
        )
