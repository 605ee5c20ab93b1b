"""Callbacks of streams: which fields each gets is decided once, when it is registered."""

from __future__ import annotations

import inspect
from operator import attrgetter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

__all__ = ["bind"]

_BY_NAME = {inspect.Parameter.POSITIONAL_OR_KEYWORD, inspect.Parameter.KEYWORD_ONLY}


def bind(
    event_types: Mapping[str, type[Any]], event_type: str, callback: Callable[..., Any]
) -> Callable[[Any], Any]:
    """Make a function that takes an event of one that takes the event's fields.

    Args:
        event_types: the classes of events, by their type; each has its ``fields``.
        event_type: the ``type`` of the events.
        callback: gets the event's fields that its parameters name, and the event itself for a parameter
            ``event``. A callback whose parameters have no names, such as ``print``, gets the event.

    Raises:
        TypeError: the callback has a parameter that is not a field of the event.
        ValueError: no event has this type.
    """
    event_class = event_types.get(event_type)
    if event_class is None:
        raise ValueError(f"no event has the type {event_type!r}; the types are {', '.join(event_types)}")
    parameters = inspect.signature(callback).parameters.values()
    if any(each.kind not in _BY_NAME for each in parameters):
        return callback
    known = {"event", "type", *event_class.fields, *({"choice_index"} & set(dir(event_class)))}
    names = []
    for parameter in parameters:
        if parameter.name in known:
            names.append(parameter.name)
        elif parameter.default is parameter.empty:
            raise TypeError(
                f"a callback for {event_type!r} can ask for {', '.join(sorted(known))}; "
                f"this one asks for {parameter.name!r}"
            )
    if names == ["event"]:
        return lambda event: callback(event=event)
    readers = {name: _itself if name == "event" else attrgetter(name) for name in names}
    return lambda event: callback(**{name: read(event) for name, read in readers.items()})


def _itself(event: Any) -> Any:
    return event
