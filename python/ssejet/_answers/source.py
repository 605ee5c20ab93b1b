"""What an answer was made from: where a model keeps the fields that a server added."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple

import msgspec

from ssejet._core import ServerSentEvent

__all__ = ["Marked", "Place", "Sent", "Source", "added_to", "copy_json", "names_in_json", "remember"]


class Sent:
    """A slot for what a server sent beyond the known fields. Comparing and encoding ignore it.

    A part of an answer has there a dict of the fields that the server added, or the answer's ``Source`` and a
    ``Place`` in it. An answer has there its JSON text, if that holds known fields only, or a ``Source``.
    """

    __slots__ = ("_sent",)

    if TYPE_CHECKING:
        __struct_fields__: ClassVar[tuple[str, ...]]
        _sent: Any


class Place(NamedTuple):
    """Where fields that a server added are in texts of one shape.

    Attributes:
        path: the keys and positions that lead from the answer to the object; empty for the answer itself.
        names: the fields.
    """

    path: tuple[str | int, ...]
    names: tuple[str, ...]


class Source(msgspec.Struct, eq=False):
    """What an answer was made from, if that is not just a text with known fields.

    Attributes:
        text: the JSON text; None if the answer was made from a dict.
        places: where the fields that the server added are, if the shape of the text is known; else None. A
            text of a known shape is a chunk, and no error.
        data: the JSON object. The answer's parts share it, so do not change it. If there are places, it is
            None until ``read`` is called.
    """

    text: str | None
    places: tuple[Place, ...] | None = None
    data: Any = None

    def read(self) -> Any:
        """The JSON object."""
        if self.data is None and self.text is not None:
            # As loads() does, which would be one more call for each chunk.
            self.data = ServerSentEvent(data=self.text).json()
        return self.data


class Marked(dict[str, Any]):
    """A JSON object whose class says more about it. What a model keeps of it is of this class, too."""


def added_to(model: Any) -> dict[str, Any] | None:
    """The fields that a server added to an answer or a part of it, or None. Do not change them."""
    sent: Any = getattr(model, "_sent", None)
    kind = type(sent)
    if kind is tuple:  # the source of the answer, and a place in it
        return _read_place(*sent)
    if kind is not Source:
        return None if kind is str else sent
    if sent.places is not None:
        own = [place for place in sent.places if not place.path]
        return _read_place(sent, own[0]) if own else None
    model_class: Any = type(model)
    known = names_in_json(model_class)
    return {name: value for name, value in sent.read().items() if name not in known}


@functools.cache
def names_in_json(cls: Any) -> frozenset[str]:
    """The names that a model's fields have in JSON, with that of its tag."""
    tag_field = cls.__struct_config__.tag_field
    return frozenset([*cls.__struct_encode_fields__, *filter(None, [tag_field])])


def _read_place(source: Source, place: Place) -> dict[str, Any]:
    data = source.read()
    try:
        for step in place.path:
            data = data[step]
        return {name: data[name] for name in place.names}
    except (LookupError, TypeError):  # another shape with the same hash
        return {}


def remember(model: msgspec.Struct, sent: Any) -> None:
    """Tell a model, although it is frozen, what it was made from, or what the server added to it."""
    msgspec.structs.force_setattr(model, "_sent", sent)


def copy_json(value: Any) -> Any:
    """Copy decoded JSON."""
    if isinstance(value, dict):
        return {
            name: copy_json(each) if isinstance(each, (dict, list)) else each for name, each in value.items()
        }
    return [copy_json(each) for each in value] if isinstance(value, list) else value
