"""A value that is parsed when somebody asks, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Parsed"]


class Parsed:
    """The result of parsing a text; asked again, it gives the same object, or raises the same error."""

    __slots__ = ("_error", "_parse", "_value", "text")

    def __init__(self, text: str, parse: Callable[[str], Any] | None) -> None:
        self.text = text
        self._parse = parse
        self._value: Any = None
        self._error: Exception | None = None

    def get(self) -> Any:
        """The value; None if there is no way to parse the text."""
        if self._parse is not None:
            parse, self._parse = self._parse, None
            try:
                self._value = parse(self.text)
            except Exception as error:
                self._error = error
        if self._error is not None:
            raise self._error
        return self._value
