"""Tools: what a request sends for them, and the parsers of the arguments of their calls."""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ssejet._json import loads
from ssejet.chat._typed_json import json_parser, strict_schema_of

__all__ = ["argument_parsers", "function_tool", "tool_param"]


class _ModelFunction(dict[str, Any]):
    """A tool's ``function`` that knows the type of its arguments, like openai-python's."""

    def __init__(self, definition: dict[str, Any], model: Any) -> None:
        super().__init__(definition)
        self.model = model


def function_tool(model: Any, *, name: str | None = None, description: str | None = None) -> dict[str, Any]:
    """A strict function tool, in the form that a request's ``tools`` takes.

    Args:
        model: the type of the arguments: a pydantic model, a msgspec Struct, a dataclass or a TypedDict. The
            arguments of the tool's calls are parsed into it.
        name: of the function; the type's by default.
        description: for the model to read; the type's docstring by default.

    Raises:
        TypeError: ``model`` is none of these, or a part of it has no schema.
    """
    function = {"name": name or model.__name__, "strict": True, "parameters": strict_schema_of(model)}
    if description is None:
        description = _docstring(model)
    if description is not None:
        function["description"] = description
    return {"type": "function", "function": _ModelFunction(function, model)}


def tool_param(tool: Any) -> dict[str, Any]:
    """A tool in the form that a request's ``tools`` takes.

    Args:
        tool: that form, or a type that ``function_tool`` takes.

    Raises:
        TypeError: it is neither.
    """
    return dict(tool) if isinstance(tool, Mapping) else function_tool(tool)


def argument_parsers(tools: Iterable[Any]) -> dict[str, Callable[[str], Any] | None]:
    """The parser of the arguments of each function, by its name; None if they are not parsed.

    They are parsed if the tool was made from a type, or is strict. Empty arguments count as an empty object.

    Args:
        tools: in OpenAI's form, made by ``function_tool`` or openai-python's, or types.
    """
    parsers: dict[str, Callable[[str], Any] | None] = {}
    for tool in tools:
        param = tool_param(tool)
        function = param.get("function")
        if param.get("type", "function") == "function" and isinstance(function, Mapping):
            parsers.setdefault(function.get("name", ""), _argument_parser(function))
    return parsers


def _argument_parser(function: Mapping[str, Any]) -> Callable[[str], Any] | None:
    model = getattr(function, "model", None)
    if model is None and not function.get("strict"):
        return None
    parse = loads if model is None else json_parser(model)
    return lambda text: parse(text if text.strip() else "{}")


def _docstring(model: Any) -> str | None:
    doc: str | None = model.__doc__
    # Python gives a dataclass without a docstring its signature as one.
    signature = f"{model.__name__}("
    if doc and doc.startswith(signature) and dataclasses.is_dataclass(model):
        return None
    return doc
