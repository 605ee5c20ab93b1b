"""Text that grows by fragments: joined when it is read, parsed as JSON when that is read."""

from __future__ import annotations

from typing import Any

import msgspec

from ssejet.chat._partial import PartialJSON, parse_prefix

__all__ = ["Prefix", "Text", "str_or_none"]


class Text(msgspec.Struct, eq=False):
    """A text that grows.

    An event remembers the length that the text had, which is all it needs to read its snapshot later.

    Attributes:
        choice_index: the choice that the text belongs to.
        is_json: whether the text is to be parsed: only then it has a value.
        parts: the fragments since the text was last joined. To save a call, what runs for each chunk appends
            here, and adds to ``length``.
        length: in characters.
    """

    choice_index: int = 0
    is_json: bool = False
    parts: list[str] = msgspec.field(default_factory=list)
    length: int = 0
    _joined: str = ""
    _json: PartialJSON | None = None

    def __str__(self) -> str:
        return self.prefix(self.length)

    def add(self, fragment: str) -> int:
        """Append a fragment, and return the new length."""
        self.parts.append(fragment)
        self.length += len(fragment)
        return self.length

    def fork(self, *, is_json: bool) -> Text:
        """A new text that begins as this one. What is added to one later is not in the other."""
        fork = Text(self.choice_index, is_json)
        fork.add(str(self))
        return fork

    def prefix(self, length: int) -> str:
        """The first ``length`` characters."""
        if len(self._joined) < length:
            self._joined = "".join([self._joined, *self.parts])
            self.parts.clear()
        return self._joined[:length]

    def is_text(self, text: str) -> bool:
        """Whether the text so far is this one; it is joined only if the lengths are equal."""
        return self.length == len(text) and str(self) == text

    def rest_of(self, whole: str) -> str | None:
        """What a text adds to this one, if it begins with it; else None."""
        if len(whole) < self.length or not whole.startswith(str(self)):
            return None
        return whole[self.length :]

    def value(self, length: int, fragment: str = "") -> Any:
        """The JSON value of the first ``length`` characters; None if there is none, or if they are not JSON.

        A longer prefix than all before costs as much as its new characters. A shorter one is parsed again.

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
        if json.broken and not json.has_broken_value:
            json.set_broken_value(parse_prefix(self.prefix(length)))
        return json.value()

    def is_complete_json(self) -> bool:
        """Whether the text is one whole JSON value, to which nothing can be added.

        It costs as much as what was added since the last time: the text is not joined.
        """
        json = self._json
        if json is None:
            json = self._json = PartialJSON()
        if json.length < len(self._joined):
            json.feed(self._joined[json.length :])
        if json.length < self.length:
            unread = self.length - json.length
            first = len(self.parts)
            while unread > 0:
                first -= 1
                unread -= len(self.parts[first])
            # The first of these parts may have been read in part.
            json.feed("".join(self.parts[first:])[-unread:])
        return json.complete

    @property
    def is_broken_json(self) -> bool:
        """Whether the part of the text that has been parsed cannot become JSON, whatever follows it."""
        return self._json is not None and self._json.broken


class Prefix(msgspec.Struct, frozen=True, eq=False):
    """The first ``length`` characters of a text, joined when they are read."""

    text: Text
    length: int

    def __str__(self) -> str:
        return self.text.prefix(self.length)


def str_or_none(text: Text | None) -> str | None:
    """The text so far, if it has begun."""
    return None if text is None else str(text)
