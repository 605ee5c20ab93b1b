"""Functions that a model may call: their definitions, and the parsers of the arguments of their calls."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

from ssejet._answers.typed_json import json_parser, strict_schema_of
from ssejet._json import loads

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["ModelFunction", "argument_parser", "docstring"]


class ModelFunction(dict[str, Any]):
    """The definition of a function that knows the type of its arguments, like openai-python's.

    Attributes:
        model: the type.
    """

    def __init__(self, definition: Mapping[str, Any], model: Any) -> None:
        super().__init__(definition)
        self.model = model

    @classmethod
    def of(cls, model: Any, *, name: str | None, description: str | None) -> ModelFunction:
        """The strict definition for a type, by default with the type's name and docstring.

        Raises:
            TypeError: ``model`` is not a type of arguments, or a part of it has no schema.
        """
        parameters = strict_schema_of(model)  # first, as it checks that this is a type
        function = {"name": name or model.__name__, "strict": True, "parameters": parameters}
        if description is None:
            description = docstring(model)
        if description is not None:
            function["description"] = description
        return cls(function, model)


def argument_parser(function: Mapping[str, Any]) -> Callable[[str], Any] | None:
    """The parser of a function's arguments; None if they are not parsed.

    They are parsed if the function was made from a type, or is strict. Empty arguments count as an empty
    object.
    """
    model = getattr(function, "model", None)
    if model is None and not function.get("strict"):
        return None
    parse = loads if model is None else json_parser(model)
    return lambda text: parse(text if text.strip() else "{}")


def docstring(model: Any) -> str | None:
    """The docstring of a user's type; None if it has none of its own."""
    doc: str | None = model.__doc__
    # Python gives a dataclass without a docstring its signature as one.
    signature = f"{model.__name__}("
    if doc and doc.startswith(signature) and dataclasses.is_dataclass(model):
        return None
    return doc
