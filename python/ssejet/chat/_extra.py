"""Fields that servers add: how those of a stream's chunks are gathered.

openai-python gathers them in the same way. What grows is kept in pieces, and joined when it is read: a chunk
costs the same however much there is.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from itertools import chain
from typing import TYPE_CHECKING, Any

import msgspec

from ssejet._answers.source import Marked, added_to, copy_json

if TYPE_CHECKING:
    from ssejet._answers.source import Sent, Source

__all__ = [
    "CONTENT_PARTS",
    "Fields",
    "WholeChoice",
    "gather",
    "keep_latest",
    "reasoning_field",
]

CONTENT_PARTS = "content_parts"
"""The extra field with those parts of a message's content that are not text, as they came."""

# Texts that do not grow. Some servers repeat them in each chunk.
_NAMES = frozenset(
    {
        "channel",
        "format",
        "id",
        "index",
        "model",
        "name",
        "object",
        "role",
        "signature",
        "status",
        "thought_signature",
        "type",
    }
)

# Python writes integers of up to 4,300 digits. A sum with more bits than this is not kept.
_MOST_BITS = 14_000


class WholeChoice(Marked):
    """Marks a streamed choice that holds the whole message so far: its JSON, or the fields added to it."""


def gather(fields: Fields | None, model: Sent, *, parts: str | None = None) -> Fields | None:
    """Merge what a server added to a model into the fields so far, which may be None.

    Args:
        fields: those so far.
        model: a part of a chunk.
        parts: the field, if it is there, that is a list of a content's parts; see ``Fields.add_parts``.
    """
    added = added_to(model)
    if not added:
        return fields
    fields = Fields() if fields is None else fields
    if parts is not None and isinstance(added.get(parts), list):
        fields.add_parts(parts, added[parts])
        added = {name: value for name, value in added.items() if name != parts}
    fields.merge(added)
    return fields


def keep_latest(fields: Fields | None, model: Sent) -> Fields | None:
    """Replace the fields so far, which may be None, by those that a server added to a model."""
    added = added_to(model)
    if not added:
        return fields
    fields = Fields() if fields is None else fields
    fields.replace(added)
    return fields


class Fields(msgspec.Struct, eq=False):
    """Added fields that grow with each chunk."""

    _values: dict[str, Any] = msgspec.field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self._values)

    def merge(self, more: Mapping[str, Any]) -> None:
        """Add the fields of a delta: texts are appended, numbers added, objects and lists merged.

        Entries of a list that have an ``index`` are merged with the entry of that index.
        """
        values = self._values
        for name, value in more.items():
            before = values.get(name)
            if value is None and before is not None:
                continue
            values[name] = _begun(value) if before is None or name in _NAMES else _grown(before, value)

    def replace(self, more: Mapping[str, Any]) -> None:
        """Keep the latest value of each field that is neither null nor an empty object or list.

        The values are not copied, as those of a chunk never change; ``plain`` returns copies.
        """
        values = self._values
        for name, value in more.items():
            if name not in values or not (value is None or value == {} or value == []):
                values[name] = value

    def complete(self, answer: Sent, source: Source) -> None:
        """Add those of an answer's own fields that are missing so far, or empty, also in objects."""
        places = source.places
        values = self._values
        if places is not None and all(_is_settled(values.get(name)) for name in places[0].names):
            return
        _complete(values, added_to(answer) or {})

    def add_parts(self, name: str, parts: Iterable[Any]) -> None:
        """Add parts of a message's content; successive parts with reasoning become one part."""
        gathered = self._values.get(name)
        if not isinstance(gathered, _Parts):
            # If the server itself sent a field of that name, it becomes the first part.
            gathered = self._values[name] = _Parts([] if gathered is None else [_plain(gathered)])
        for part in parts:
            gathered.add(part)

    def news(self, whole: Mapping[str, Any]) -> dict[str, Any]:
        """What is new in fields that hold all so far."""
        new = {}
        for name, value in whole.items():
            before = _plain(self._values.get(name))
            if isinstance(before, str) and isinstance(value, str) and value.startswith(before):
                new[name] = value[len(before) :]
            elif value != before:
                new[name] = value
        return new

    def plain(self) -> dict[str, Any]:
        """The fields so far, as JSON types."""
        return {name: _plain(value) for name, value in self._values.items()}


class _Pieces(list[str]):
    """A text that grows."""


class _Entries:
    """A list that grows. Entries with the same index, and the same type if they have one, are merged."""

    __slots__ = ("_by_index", "items")

    def __init__(self) -> None:
        self.items: list[Any] = []
        self._by_index: dict[Any, Fields] = {}

    def add(self, entries: Iterable[Any]) -> None:
        for entry in entries:
            begun = _begun(entry)
            index = entry.get("index") if isinstance(entry, Mapping) else None
            if index is None or isinstance(index, (Mapping, list)):
                self.items.append(begun)
                continue
            kind = repr(entry.get("type"))
            known = self._by_index.get((index, kind) if "type" in entry else index)
            if known is not None:
                known.merge(entry)
                continue
            self._by_index.setdefault(index, begun)
            self._by_index[index, kind] = begun
            self.items.append(begun)


class _Parts(list[Any]):
    """Parts of a content that are not just text."""

    def add(self, part: Any) -> None:
        if not (self and isinstance(self[-1], _Reasoning) and self[-1].takes(part)):
            field = reasoning_field(part)
            self.append(copy_json(part) if field is None else _Reasoning(part, field))


class _Reasoning:
    """Successive parts with reasoning, of one type, as one part. A signature ends it.

    The values are not copied, as those of a chunk never change; ``plain`` returns copies.
    """

    __slots__ = ("_field", "_fields", "_pieces")

    def __init__(self, part: Mapping[str, Any], field: str) -> None:
        self._field = field
        self._fields = {**part}
        self._pieces: list[Any] = [self._fields[field]]

    def takes(self, part: Any) -> bool:
        """Add a part if it continues these, and return whether it does."""
        fields = self._fields
        if (
            reasoning_field(part) != self._field
            or part.get("type") != fields.get("type")
            or fields.get("signature")
            or type(part[self._field]) is not type(self._pieces[0])
        ):
            return False
        fields.update(part)
        self._pieces.append(fields[self._field])
        return True

    def plain(self) -> dict[str, Any]:
        pieces = self._pieces
        is_text = isinstance(pieces[0], str)
        whole = "".join(pieces) if is_text else copy_json([*chain.from_iterable(pieces)])
        return {**copy_json({**self._fields, self._field: None}), self._field: whole}


_REASONING_TYPES = frozenset({"thinking", "reasoning", "reasoning_text", "summary_text"})


def reasoning_field(part: Any) -> str | None:
    """The field of a content's part that holds reasoning, as a text or a list; or None."""
    kind = part.get("type") if isinstance(part, Mapping) else None
    if not isinstance(kind, str) or kind not in _REASONING_TYPES:
        return None
    fields = (kind, "text", "summary", "content")
    return next((name for name in fields if isinstance(part.get(name), (str, list)) and part[name]), None)


def _begun(value: Any) -> Any:
    """A value to which more can be added."""
    if isinstance(value, Mapping):
        fields = Fields()
        fields.merge(value)
        return fields
    if isinstance(value, list):
        entries = _Entries()
        entries.add(value)
        return entries
    return value


def _grown(before: Any, value: Any) -> Any:
    if isinstance(value, str):
        if isinstance(before, str):
            return _Pieces((before, value))
        if isinstance(before, _Pieces):
            before.append(value)
            return before
    elif isinstance(value, Mapping) and isinstance(before, Fields):
        before.merge(value)
        return before
    elif isinstance(value, list) and isinstance(before, _Entries):
        before.add(value)
        return before
    elif _is_number(before) and _is_number(value):
        return _sum(before, value)
    if isinstance(before, _Parts):
        before.add(value)
        return before
    return _begun(value)


def _sum(before: Any, value: Any) -> Any:
    try:
        total = before + value
    except OverflowError:  # an integer too large for a float
        return value
    return value if isinstance(total, int) and total.bit_length() > _MOST_BITS else total


def _plain(value: Any) -> Any:
    if isinstance(value, _Pieces):
        return "".join(value)
    if isinstance(value, (Fields, _Reasoning)):
        return value.plain()
    if isinstance(value, _Entries):
        return [_plain(each) for each in value.items]
    return [_plain(each) for each in value] if isinstance(value, _Parts) else copy_json(value)


def _complete(values: dict[str, Any], more: Mapping[str, Any]) -> None:
    for name, value in more.items():
        before = values.get(name)
        if before is None or before in ("", [], {}):
            if value is not None or name not in values:
                values[name] = copy_json(value)
        elif isinstance(before, dict) and isinstance(value, Mapping):
            _complete(before, value)
        elif (
            isinstance(before, list)
            and isinstance(value, list)
            and len(value) > len(before)
            and value[: len(before)] == before
        ):
            values[name] = copy_json(value)


def _is_settled(value: Any) -> bool:
    return value is not None and value != "" and not isinstance(value, (dict, list))


def _is_number(value: Any) -> bool:
    return isinstance(value, (int, float)) and not isinstance(value, bool)
