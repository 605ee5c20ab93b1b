"""The sentinel: the data that ends a stream, such as ``[DONE]``."""

from __future__ import annotations

__all__ = ["Sentinel"]

# How many characters of quotes and spaces a server may put around the sentinel.
_MARGIN = 16


class Sentinel:
    """Tells which data is the sentinel.

    Args:
        text: the sentinel, as the start of an event's data; None if the stream has none.

    Attributes:
        start: what data starts with if it is the sentinel, for ``str.startswith``. Without a sentinel, this
            is an empty tuple, which no data starts with.
        max_length: the most characters that data can have if it is the sentinel in quotes or spaces.
    """

    __slots__ = ("_folded", "max_length", "start")

    def __init__(self, text: str | None) -> None:
        self.start: str | tuple[()] = () if text is None else text
        self.max_length: int = -1 if text is None else len(text) + _MARGIN
        self._folded = None if text is None else text.casefold()

    def matches(self, data: str) -> bool:
        """Whether data is the sentinel: as it should be, or in quotes, other case or spaces."""
        if data.startswith(self.start):
            return True
        if len(data) > self.max_length:
            return False
        text = data.strip()
        if len(text) > 1 and text[0] == text[-1] and text[0] in "\"'":
            text = text[1:-1].strip()
        return text.casefold() == self._folded
