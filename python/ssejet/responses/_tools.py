"""Tools and text formats: what a request of the Responses API sends for them, and what they parse."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from ssejet._answers.tools import ModelFunction, argument_parser
from ssejet._answers.typed_json import strict_schema_of

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["argument_parsers", "function_tool", "parser_of", "text_format_param", "tool_param"]


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
    function = ModelFunction.of(model, name=name, description=description)
    return ModelFunction({"type": "function", **function}, model)


def tool_param(tool: Any) -> dict[str, Any]:
    """A tool in the form that a request's ``tools`` takes.

    Args:
        tool: that form, the form of chat completions, or a type that ``function_tool`` takes.

    Raises:
        TypeError: it is neither.
    """
    if not isinstance(tool, Mapping):
        return function_tool(tool)
    function = tool.get("function")
    if isinstance(function, Mapping):  # the form of chat completions
        flat = {**{name: value for name, value in tool.items() if name != "function"}, **function}
        return ModelFunction(flat, getattr(function, "model", None))
    return tool if isinstance(tool, ModelFunction) else dict(tool)


def text_format_param(text_format: Any) -> dict[str, Any]:
    """The dict that ``text.format`` of a request takes.

    Args:
        text_format: a pydantic model, a msgspec Struct, a dataclass or a TypedDict, for which a strict JSON
            Schema is made; or the dict itself, which is returned as it is.

    Raises:
        TypeError: it is none of these, or a part of it has no schema.
    """
    if isinstance(text_format, Mapping):
        return dict(text_format)
    schema = strict_schema_of(text_format)
    return {"type": "json_schema", "strict": True, "name": text_format.__name__, "schema": schema}


Parser = Callable[[str], Any]
Parsers = Mapping[Any, "Parser | None"]


def argument_parsers(tools: Iterable[Any]) -> dict[Any, Parser | None]:
    """The parser of the arguments of each function, by its namespace and name.

    Args:
        tools: in OpenAI's form, made by ``function_tool`` or openai-python's, or types.
    """
    parsers: dict[Any, Parser | None] = {}
    for namespace, function in _functions(tools):
        parsers.setdefault((namespace, function.get("name")), argument_parser(function))
    return parsers


def parser_of(parsers: Parsers, name: Any, namespace: Any) -> Parser | None:
    """The parser of the arguments of a call; None if they are not parsed."""
    if not isinstance(name, str) or not isinstance(namespace, (str, type(None))):
        return None  # a server may send anything
    if namespace is not None and (namespace, None) in parsers:
        return parsers.get((namespace, name))
    # A function without a namespace can be called with its own name as the namespace.
    return parsers.get((None, name)) if namespace in {None, name} else None


def _functions(tools: Iterable[Any]) -> Iterator[tuple[Any, Mapping[str, Any]]]:
    for tool in tools:
        param = tool_param(tool)
        if param.get("type", "function") == "function":
            yield None, _as_openai(tool, param)
        elif param.get("type") == "namespace":
            namespace = param.get("name")
            yield namespace, {"name": None}  # says that there is such a namespace
            yield from ((namespace, function) for _, function in _functions(param.get("tools") or ()))


def _as_openai(tool: Any, param: dict[str, Any]) -> Mapping[str, Any]:
    """The function of a tool; openai-python's keeps its type in an attribute, too."""
    model = getattr(tool, "model", None) if isinstance(tool, Mapping) else None
    return param if model is None else ModelFunction(param, model)
