"""Models with a field that is computed when it is read: all that reads them sees the value."""

from __future__ import annotations

import copy
import pickle
from typing import TYPE_CHECKING, Any

import pytest
from pydantic import BaseModel, TypeAdapter

from ssejet.swap._late_field import is_late, read_late, set_late

if TYPE_CHECKING:
    from collections.abc import Callable


class Event(BaseModel, extra="allow"):
    type: str
    snapshot: object = None


class Holder(BaseModel):
    event: Event


STOCK = Event(type="a", snapshot={"b": [1]})


def late() -> Any:
    event = Event(type="a", snapshot=None)
    set_late(event, "snapshot", lambda: {"b": [1]})
    assert is_late(event)
    return event


def changed(event: Any, **fields: Any) -> Any:
    for name, value in fields.items():
        setattr(event, name, value)
    return event.snapshot, event.type, event.model_fields_set


READS: dict[str, Callable[[Any], Any]] = {
    "attribute": lambda event: event.snapshot,
    "object's attribute": lambda event: object.__getattribute__(event, "snapshot"),
    "class": lambda event: event.__class__,
    "vars": vars,
    "items": list,
    "repr": repr,
    "dump": lambda event: event.model_dump(),
    "dump of the class": lambda event: Event.model_dump(event),
    "json": lambda event: event.model_dump_json(),
    "dump within a model": lambda event: Holder(event=event).model_dump(),
    "json within a model": lambda event: Holder.model_construct(event=event).model_dump_json(),
    "dump within a list": lambda event: TypeAdapter(list[Event]).dump_python([event]),
    "dump of any": lambda event: TypeAdapter(object).dump_python([event]),
    "validation": lambda event: TypeAdapter(Event).validate_python(event).snapshot,
    "copy": copy.copy,
    "deep copy": copy.deepcopy,
    "changed copy": lambda event: event.model_copy(update={"type": "c"}),
    "pickle": lambda event: pickle.loads(pickle.dumps(event)),
    "equal": lambda event: event == STOCK,
    "equal to": STOCK.__eq__,
    "set field": lambda event: changed(event, snapshot=3),
    "set other field": lambda event: changed(event, type="c"),
}


@pytest.mark.parametrize("name", READS)
@pytest.mark.filterwarnings("error")
def test_a_late_field_is_there_for_all_that_reads_a_model(name: str) -> None:
    seen, expected = READS[name](late()), READS[name](copy.deepcopy(STOCK))
    assert type(seen) is type(expected)
    assert seen == expected


def test_a_model_has_its_own_class_once_it_is_read() -> None:
    event = late()
    assert isinstance(event, Event)
    assert event.snapshot is event.snapshot
    assert type(event) is Event
    read_late(event)


def test_a_late_field_is_computed_once() -> None:
    computed = []
    event = Event(type="a")
    set_late(event, "snapshot", lambda: computed.append(1))
    assert computed == []
    read_late(event)
    repr(event)
    assert computed == [1]
