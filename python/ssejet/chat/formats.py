"""What a chat stream is to parse: its content, and the arguments of its tool calls."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, NamedTuple

from ssejet.chat.tools import argument_parsers
from ssejet.chat.typed_json import json_parser

__all__ = ["Formats"]


class Formats(NamedTuple):
    """How texts become objects.

    Attributes:
        content: parses the content; None if it is not parsed.
        arguments: parses a function's arguments, by its name; None or absent if they are not parsed.
    """

    content: Callable[[str], Any] | None
    arguments: Mapping[str, Callable[[str], Any] | None]

    @classmethod
    def of(cls, response_format: Any, input_tools: Iterable[Any] | None) -> Formats:
        """What a ``response_format``, which may be None or a dict, and a request's ``tools`` ask for."""
        # openai-python's markers for arguments that were not given are false.
        is_type = bool(response_format) and not isinstance(response_format, Mapping)
        return cls(json_parser(response_format) if is_type else None, argument_parsers(input_tools or ()))

    def parse_anything(self) -> bool:
        """Whether there is anything to parse, so that an answer cut short is of no use."""
        return self.content is not None or any(self.arguments.values())
