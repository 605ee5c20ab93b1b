"""``output_format``: what a request sends for a type, and the parser of the answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from ssejet._answers.typed_json import json_parser, schema_of

__all__ = ["output_config_param", "output_parser"]

_STRING_FORMATS = frozenset(
    {"date", "date-time", "duration", "email", "hostname", "ipv4", "ipv6", "time", "uri", "uuid"}
)
_COMMON = ("$ref", "const", "description", "enum", "title", "type")


def output_parser(output_format: Any) -> Callable[[str], Any] | None:
    """The function that makes an instance of an ``output_format`` from JSON text; None without one.

    Raises:
        TypeError: it is no type that can be parsed.
    """
    if output_format is None:
        return None
    _check(output_format)
    return json_parser(output_format)


def output_config_param(output_format: Any, output_config: Mapping[str, Any] | None) -> dict[str, Any]:
    """The ``output_config`` of a request that asks for answers of a type.

    Args:
        output_format: the type.
        output_config: the caller's, without ``format``.

    Raises:
        TypeError: it is no type that has a schema.
        ValueError: ``output_config`` has a format too.
    """
    _check(output_format)
    config = dict(output_config or {})
    if config.get("format") is not None:
        raise ValueError("output_format and output_config both give a format: pass one of them")
    return {**config, "format": {"type": "json_schema", "schema": _supported(schema_of(output_format))}}


def _check(output_format: Any) -> None:
    if isinstance(output_format, Mapping):
        raise TypeError("output_format must be a type: pass a schema as output_config={'format': …}")


def _supported(schema: Any) -> Any:
    """A JSON Schema with the keywords that the API takes. The others are told in the description."""
    if not isinstance(schema, Mapping):
        return schema
    rest = dict(schema)
    kept: dict[str, Any] = {name: rest.pop(name) for name in _COMMON if name in rest}
    for name in ("$defs", "properties"):
        if name in rest:
            kept[name] = {each: _supported(inner) for each, inner in rest.pop(name).items()}
    for name in ("anyOf", "oneOf", "allOf"):
        if name in rest:
            kept["anyOf" if name == "oneOf" else name] = [_supported(inner) for inner in rest.pop(name)]
    if kept.get("type") == "object":
        kept["additionalProperties"] = False
        rest.pop("additionalProperties", None)
        kept.setdefault("properties", {})
    for name in ("items", "required"):
        if name in rest:
            kept[name] = _supported(rest.pop(name))
    if rest.get("format") in _STRING_FORMATS:
        kept["format"] = rest.pop("format")
    if rest.get("minItems") in {0, 1}:
        kept["minItems"] = rest.pop("minItems")
    rest.pop("default", None)
    rest.pop("discriminator", None)
    if "$ref" in kept:  # it has no other keyword beside it
        return {name: kept[name] for name in ("$ref", "$defs") if name in kept}
    if rest:
        limits = ", ".join(f"{name}: {value}" for name, value in rest.items())
        kept["description"] = "\n\n".join(filter(None, [kept.get("description"), f"{{{limits}}}"]))
    return kept
