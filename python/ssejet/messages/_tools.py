"""Tools: what a request sends for them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ssejet._answers.tools import docstring
from ssejet._answers.typed_json import schema_of

__all__ = ["message_tool", "message_tool_param"]


def message_tool(model: Any, *, name: str | None = None, description: str | None = None) -> dict[str, Any]:
    """A tool, in the form that a request's ``tools`` takes.

    Args:
        model: the type of the input: a pydantic model, a msgspec Struct, a dataclass or a TypedDict.
        name: of the tool; the type's by default.
        description: for the model to read; the type's docstring by default.

    Raises:
        TypeError: ``model`` is none of these, or a part of it has no schema.
    """
    schema = schema_of(model)  # first, as it checks that this is a type
    tool = {"name": name or model.__name__, "input_schema": schema}
    if description is None:
        description = docstring(model)
    return tool if description is None else {**tool, "description": description}


def message_tool_param(tool: Any) -> dict[str, Any]:
    """A tool in the form that a request's ``tools`` takes.

    Args:
        tool: that form, or a type that ``message_tool`` takes.

    Raises:
        TypeError: it is neither, or has the form of chat completions.
    """
    if not isinstance(tool, Mapping):
        return message_tool(tool)
    if "function" in tool:
        raise TypeError(
            "a tool has the form of chat completions: convert it with ssejet.messages.from_chat()"
        )
    return dict(tool)
