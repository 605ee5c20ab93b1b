"""The items of the output as they grow: each is the JSON object that the server sent, and growing texts.

The model of an item is only made when it is read, so an event costs the same however much came before it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._answers.text import Text

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

__all__ = ["Item", "Output", "Piece"]

# The field of a part that has its text, by the type of the part.
_TEXT_FIELDS = {"output_text": "text", "refusal": "refusal", "reasoning_text": "text", "summary_text": "text"}

# The field of an item that has its text, by the type of the item.
_ITEM_TEXTS = {
    "function_call": "arguments",
    "custom_tool_call": "input",
    "mcp_call": "arguments",
    "code_interpreter_call": "code",
}

# What an item has at its beginning, if the server did not say that it begins.
_BEGINNINGS: dict[str, dict[str, Any]] = {
    "message": {"role": "assistant", "content": []},
    "reasoning": {"summary": []},
}


class Piece:
    """A part of an item, or the item's own text, that grows.

    Attributes:
        data: as the server sent it at its beginning.
        text: what the deltas added up to.
        whole: the text as the server sent it when it was complete; None before.
        final: the whole part, as the server sent it when it was complete; None before.
        annotations: those of an ``output_text``.
        logprobs: those of an ``output_text``.
    """

    __slots__ = ("annotations", "data", "final", "logprobs", "text", "whole")

    def __init__(self, data: Mapping[str, Any], begin: Any, *, is_json: bool) -> None:
        self.data = data
        self.text = Text(0, is_json, begin if isinstance(begin, str) else "")
        self.whole: str | None = None
        self.final: Mapping[str, Any] | None = None
        self.annotations: list[Any] = _copy_of_list(data.get("annotations"))
        self.logprobs: list[Any] = _copy_of_list(data.get("logprobs"))

    def __str__(self) -> str:
        return str(self.text) if self.whole is None else self.whole

    def to_data(self) -> dict[str, Any]:
        """The part as JSON."""
        if self.final is not None:
            return dict(self.final)
        kind = self.data.get("type")
        data = {**self.data, _TEXT_FIELDS.get(str(kind), "text"): str(self)}
        if kind == "output_text":
            data["annotations"] = [*self.annotations]
            if self.logprobs or "logprobs" in data:
                data["logprobs"] = [*self.logprobs]
        return data


class Item:
    """An item of the output that grows.

    Attributes:
        index: its place among the items.
        data: as the server sent it at its beginning.
        final: as the server sent it when it was complete; None before.
        is_announced: whether the server said that it begins.
        parts: of its ``content`` and ``summary``: by the field, the place and the type.
        own: the item's own text: arguments, input or code; None if it has none.
        commands: those of a shell call, by their place.
        outputs: those of a shell call's output, by their place.
        status: the latest that an event told; None for that in ``data``.
    """

    __slots__ = ("commands", "data", "final", "index", "is_announced", "outputs", "own", "parts", "status")

    def __init__(self, index: int, data: Mapping[str, Any], *, is_announced: bool) -> None:
        self.index = index
        self.final: Mapping[str, Any] | None = None
        self.status: str | None = None
        self.parts: dict[tuple[str, int, str], Piece] = {}
        self.own: Piece | None = None
        self.commands: dict[int, Piece] = {}
        self.outputs: dict[int, Any] = {}
        self.begin(data, is_announced=is_announced)

    def begin(self, data: Mapping[str, Any], *, is_announced: bool) -> None:
        """Take the beginning of the item, with the parts that it has already."""
        self.data = data
        self.is_announced = is_announced
        for field in ("content", "summary"):
            parts = data.get(field)
            for place, part in enumerate(parts if isinstance(parts, list) else ()):
                if isinstance(part, dict):
                    self.begin_part(field, place, part, is_json=False)

    @property
    def type(self) -> str:
        """Its type; ``""`` if it has none."""
        return _text_in(self.data, "type")

    @property
    def id(self) -> str:
        """Its id; ``""`` if it has none."""
        return _text_in(self.data, "id")

    def begin_part(self, field: str, place: int, data: Mapping[str, Any], *, is_json: bool) -> Piece:
        """The part at a place, which begins unless it has begun."""
        kind = str(data.get("type"))
        key = (field, place, kind)
        piece = self.parts.get(key)
        if piece is None:
            begin = data.get(_TEXT_FIELDS.get(kind, "text"))
            piece = self.parts[key] = Piece(data, begin, is_json=is_json)
        elif not piece.data.get("type") or len(piece.data) == 1:  # it was made up for a delta
            piece.data = data
        return piece

    def part(self, field: str, place: int | None, kind: str, *, is_json: bool) -> Piece:
        """The part of a type at a place; without a place, the latest one of the type."""
        if place is None:
            places = [at for name, at, each in self.parts if name == field and each == kind]
            place = max(places) if places else len({at for name, at, _ in self.parts if name == field})
        piece = self.parts.get((field, place, kind))
        if piece is None:
            return self.begin_part(field, place, {"type": kind}, is_json=is_json)
        piece.text.is_json = is_json
        return piece

    def own_text(self, *, is_json: bool) -> Piece:
        """The item's own text, which begins unless it has begun."""
        if self.own is None:
            self.own = Piece(self.data, self.data.get(_ITEM_TEXTS.get(self.type, "")), is_json=is_json)
        return self.own

    def to_data(self, status: str | None = None) -> dict[str, Any]:
        """The item as JSON.

        Args:
            status: replaces ``in_progress`` if the server did not say how the item ended.
        """
        if self.final is not None:
            return dict(self.final)
        data = dict(self.data)
        for field in {field for field, _, _ in self.parts}:
            data[field] = [piece.to_data() for _, piece in self._parts_of(field)]
        if self.own is not None:
            data[_ITEM_TEXTS.get(self.type, "arguments")] = str(self.own)
        if self.commands:
            action = data.get("action")
            commands = [str(self.commands[place]) for place in sorted(self.commands)]
            data["action"] = {**(action if isinstance(action, dict) else {}), "commands": commands}
        if self.outputs:
            data["output"] = [entry for place in sorted(self.outputs) for entry in self.outputs[place]]
        if self.status is not None:
            data["status"] = self.status
        elif status is not None and data.get("status") == "in_progress":
            data["status"] = status
        return data

    def _parts_of(self, field: str) -> Iterator[tuple[tuple[str, int, str], Piece]]:
        # Of two parts at one place, the one that came first is first.
        return iter(sorted((each for each in self.parts.items() if each[0][0] == field), key=_place_of))


class Output:
    """Finds the item that an event is about, even if its index or id is missing, repeated or wrong.

    An index counts more than an id, as in openai-python, unless several items have it.
    """

    def __init__(self) -> None:
        self.items: list[Item] = []
        self._next = 0  # the place of an item without an index
        # What two items share leads nowhere.
        self._by_index: dict[int, Item | None] = {}
        self._by_id: dict[str, Item | None] = {}

    def __bool__(self) -> bool:
        return bool(self.items)

    def in_order(self) -> list[Item]:
        """The items by their places; of two at one place, the one that came first is first."""
        return sorted(self.items, key=lambda item: item.index)

    def find(self, kind: str, item_id: str, index: int | None) -> Item | None:
        """The item of a type that an event is about; None if it has not begun."""
        for item in (self._by_index.get(index) if index is not None else None, self._by_id.get(item_id)):
            if item is not None and _is_of(item, kind):
                return item
        is_ambiguous = (index is None and not item_id) or (index in self._by_index and not item_id)
        if is_ambiguous or (index is None and item_id in self._by_id):
            # The latest one that is not complete.
            return next((each for each in reversed(self.items) if _is_open(each, kind)), None)
        return None

    def find_or_begin(self, kind: str, item_id: str, index: int | None) -> Item:
        """The item of a type that an event is about, which begins unless it has begun."""
        item = self.find(kind, item_id, index)
        if item is None:
            data = {"type": kind, **({"id": item_id} if item_id else {}), **_BEGINNINGS.get(kind, {})}
            item = self._append(index, {**data, "status": "in_progress"}, is_announced=False)
        return item

    def announce(self, data: Mapping[str, Any], index: int | None) -> Item:
        """An item begins, unless it has begun."""
        kind, item_id = _text_in(data, "type"), _text_in(data, "id")
        item = self.find(kind, item_id, index)
        if item is None or (index is None and item.is_announced and item.id != item_id):
            return self._append(index, data, is_announced=True)
        if item_id and item.id and item.id != item_id and item.is_announced:
            # Some servers send the same index for all items.
            return self._append(index, data, is_announced=True)
        if item.final is not None and not item_id:
            return self._append(index, data, is_announced=True)
        if not item.is_announced:
            item.begin(data, is_announced=True)
            self._know(item, index)
        return item

    def finish(self, data: Mapping[str, Any], index: int | None) -> Item:
        """An item is complete."""
        kind, item_id = _text_in(data, "type"), _text_in(data, "id")
        item = self.find(kind, item_id, index)
        if item is None or (item.final is not None and item.id != item_id):
            # Deltas that come too late add to an empty text.
            known = {name: data[name] for name in ("type", "id") if name in data}
            item = self._append(index, known, is_announced=False)
        item.final = data
        return item

    def _append(self, index: int | None, data: Mapping[str, Any], *, is_announced: bool) -> Item:
        place = self._next if index is None else index
        self._next = max(self._next, place + 1)
        item = Item(place, data, is_announced=is_announced)
        self.items.append(item)
        self._know(item, index)
        return item

    def _know(self, item: Item, index: int | None) -> None:
        if index is not None:
            at_index = self._by_index.get(index, item)
            self._by_index[index] = item if at_index is item else None
        if item.id:
            known = self._by_id.get(item.id, item)
            self._by_id[item.id] = item if known is item else None


def _is_of(item: Item, kind: str) -> bool:
    return not kind or not item.type or item.type == kind


def _is_open(item: Item, kind: str) -> bool:
    return item.final is None and _is_of(item, kind)


def _place_of(part: tuple[tuple[str, int, str], Piece]) -> int:
    return part[0][1]


def _text_in(data: Mapping[str, Any], name: str) -> str:
    value = data.get(name)
    return value if isinstance(value, str) else ""


def _copy_of_list(value: Any) -> list[Any]:
    return [*value] if isinstance(value, list) else []
