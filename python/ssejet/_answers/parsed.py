"""What of an answer is parsed: its content, and the arguments of its tool calls."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

import msgspec

from ssejet._answers.typed_json import json_parser

if TYPE_CHECKING:
    from ssejet._answers.text import Text

__all__ = ["Formats", "Parsed", "best_value"]

ValueT = TypeVar("ValueT")


class Formats(NamedTuple):
    """The parsers of content and arguments.

    Attributes:
        content: parses the content; None if it is not parsed.
        arguments: parses a function's arguments, by what names the function; None or absent if they are not
            parsed.
    """

    content: Callable[[str], Any] | None
    arguments: Mapping[Any, Callable[[str], Any] | None]

    @classmethod
    def of(cls, content_format: Any, arguments: Mapping[Any, Callable[[str], Any] | None]) -> Formats:
        """The parsers for a type, or for None or a dict, which parse nothing, and for arguments."""
        # openai-python's markers for omitted arguments are false.
        is_type = bool(content_format) and not isinstance(content_format, Mapping)
        return cls(json_parser(content_format) if is_type else None, arguments)

    def parse_anything(self) -> bool:
        """Whether anything must be parsed. If so, an answer cut short is an error."""
        return self.content is not None or any(self.arguments.values())


class Parsed(msgspec.Struct, Generic[ValueT], eq=False):
    """A value that is parsed once, when it is first read.

    Attributes:
        text: the text whose first ``length`` characters are parsed.
        length: in characters.
    """

    text: Text
    length: int
    _parse: Callable[[str], ValueT] | None
    _value: ValueT | None = None

    def get(self) -> ValueT | None:
        """The value; None if the text is not to be parsed.

        Raises:
            Exception: the parser's, if the text cannot be parsed. It is not kept, as its traceback would keep
                all that it refers to.
        """
        if self._parse is not None:
            self._value = self._parse(self.text.prefix(self.length))
            self._parse = None
        return self._value


def best_value(complete: Parsed[Any] | None, text: Text) -> Any:
    """The value of a text that is whole and valid; else what it gives so far.

    Args:
        complete: the whole text; None if it is not whole.
        text: the text so far.
    """
    if complete is not None:
        try:
            return complete.get()
        except Exception:  # any error of the library of the response format or of the model
            pass
    return text.value(text.length)
