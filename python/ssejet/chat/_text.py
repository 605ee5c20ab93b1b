"""Text that grows by fragments: joined when it is read, parsed as JSON when that is read."""

from __future__ import annotations

from typing import Any

from ssejet.chat._partial import PartialJSON, parse_prefix

__all__ = ["Text", "str_or_none"]


class Text:
    """A text under construction.

    An event remembers the length that the text had, which is all it needs to read its snapshot later.

    Attributes:
        parts: the fragments since the text was last joined. The stream's inner loop appends to it, and adds
            to ``length``, without a call.
        length: in characters.
        is_json: whether the text is to be parsed: only then has it a value.
        choice_index: of the choice that it belongs to.
    """

    __slots__ = ("_joined", "_json", "choice_index", "is_json", "length", "parts")

    def __init__(self, choice_index: int = 0, *, is_json: bool = False) -> None:
        self.choice_index: int = choice_index
        self.parts: list[str] = []
        self.length: int = 0
        self.is_json: bool = is_json
        self._joined = ""
        self._json: PartialJSON | None = None

    def __str__(self) -> str:
        return self.prefix(self.length)

    def add(self, fragment: str) -> int:
        """Append a fragment, and return the new length."""
        self.parts.append(fragment)
        self.length += len(fragment)
        return self.length

    def fork(self, *, is_json: bool) -> Text:
        """A text that starts with this one's, and goes its own way."""
        fork = Text(self.choice_index, is_json=is_json)
        fork.add(str(self))
        return fork

    def prefix(self, length: int) -> str:
        """The first so many characters."""
        if len(self._joined) < length:
            self._joined = "".join([self._joined, *self.parts])
            self.parts.clear()
        return self._joined[:length]

    def rest_of(self, whole: str) -> str | None:
        """What a text adds to this one, if it begins with it; else None."""
        if len(whole) < self.length or not whole.startswith(str(self)):
            return None
        return whole[self.length :]

    def value(self, length: int, fragment: str = "") -> Any:
        """What the first so many characters give as JSON so far; None if nothing, or if they are not JSON.

        Reading on from the longest prefix read before costs as much as the new characters; reading a shorter
        one parses it anew.

        Args:
            length: of the prefix.
            fragment: the prefix's last fragment, if known.
        """
        if not self.is_json:
            return None
        json = self._json
        if json is None:
            json = self._json = PartialJSON()
        if json.length < length:
            start = length - json.length
            json.feed(fragment if len(fragment) == start else self.prefix(length)[-start:])
        if json.length != length:
            return parse_prefix(self.prefix(length))
        if json.broken and not json.settled:
            json.settle(parse_prefix(self.prefix(length)))
        return json.value()

    def is_complete_json(self) -> bool:
        """Whether the text is one whole JSON value, to which nothing can be added.

        It costs as much as what was added since the last time: the text is not joined.
        """
        json = self._json
        if json is None:
            json = self._json = PartialJSON()
        if json.length < self.length:
            self._read_on(json)
        return json.complete

    def _read_on(self, json: PartialJSON) -> None:
        if json.length < len(self._joined):
            json.feed(self._joined[json.length :])
        unread = self.length - json.length
        first = len(self.parts)
        while unread > 0:
            first -= 1
            unread -= len(self.parts[first])
        # The first of these parts may have been read in part.
        json.feed("".join(self.parts[first:])[-unread:])


def str_or_none(text: Text | None) -> str | None:
    """The text so far, if it has begun."""
    return None if text is None else str(text)
