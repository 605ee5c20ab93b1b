"""A value that is parsed when somebody asks, and once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Parsed"]


class Parsed:
    """The result of parsing a text; asked again, it gives the same object.

    Attributes:
        text: what is parsed.
    """

    __slots__ = ("_parse", "_value", "text")

    def __init__(self, text: str, parse: Callable[[str], Any] | None) -> None:
        self.text: str = text
        self._parse = parse
        self._value: Any = None

    def get(self) -> Any:
        """The value; None if there is no way to parse the text.

        Raises:
            Exception: the text cannot be parsed; what the parser raises. It is not kept for the next time, as
                its traceback leads back here.
        """
        if self._parse is not None:
            self._value = self._parse(self.text)
            self._parse = None
        return self._value
