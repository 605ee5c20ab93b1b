"""Tools: what a request sends for them, and the parsers of the arguments of their calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from ssejet._answers.tools import ModelFunction, argument_parser

__all__ = ["argument_parsers", "function_tool", "tool_param"]


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
    return {"type": "function", "function": ModelFunction.of(model, name=name, description=description)}


def tool_param(tool: Any) -> dict[str, Any]:
    """A tool in the form that a request's ``tools`` takes.

    Args:
        tool: that form, or a type that ``function_tool`` takes.

    Raises:
        TypeError: it is neither.
    """
    return dict(tool) if isinstance(tool, Mapping) else function_tool(tool)


def argument_parsers(tools: Iterable[Any]) -> dict[str, Callable[[str], Any] | None]:
    """The parser of the arguments of each function, by its name, as ``argument_parser`` gives it.

    Args:
        tools: in OpenAI's form, made by ``function_tool`` or openai-python's, or types.
    """
    parsers: dict[str, Callable[[str], Any] | None] = {}
    for tool in tools:
        param = tool_param(tool)
        function = param.get("function")
        if param.get("type", "function") == "function" and isinstance(function, Mapping):
            parsers.setdefault(function.get("name", ""), argument_parser(function))
    return parsers
