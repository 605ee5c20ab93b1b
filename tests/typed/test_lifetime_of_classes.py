"""Classes that users make in functions or notebooks end with their last user, and not with the process."""

import enum
import gc
import typing
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass
from typing import Annotated, Any, NamedTuple, NewType, TypedDict
from weakref import ref

import attrs
import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from kept_classes import if_orjson_lets_classes_die
from ssejet import InvalidJSONError, ServerSentEvent, StreamMachine, encode
from ssejet._per_class import per_class

pytestmark = pytest.mark.slow

Made = tuple[Any, list[type]]


def a_struct() -> Made:
    class Item(msgspec.Struct):
        a: int

    return Item, [Item]


def a_struct_in_a_struct() -> Made:
    class Inner(msgspec.Struct):
        a: int = 1

    class Item(msgspec.Struct):
        a: Inner | int

    return Item, [Item, Inner]


def a_dataclass() -> Made:
    @dataclass
    class Item:
        a: int

    return Item, [Item]


def an_attrs_class() -> Made:
    @attrs.define
    class Item:
        a: int

    return Item, [Item]


def a_typed_dict() -> Made:
    class Item(TypedDict):
        a: int

    return Item, [Item]


def a_named_tuple() -> Made:
    class Item(NamedTuple):
        a: int

    return Item, [Item]


def an_enum() -> Made:
    class Item(enum.Enum):
        A = "a"

    return Item, [Item]


def a_model() -> Made:
    class Item(pydantic.BaseModel):
        a: int

    return Item, [Item]


def a_dataclass_of_pydantic() -> Made:
    @pydantic.dataclasses.dataclass
    class Item:
        a: int

    return Item, [Item]


def a_class_that_takes_the_event() -> Made:
    class Item:
        def __init__(self, event: ServerSentEvent) -> None:
            self.event = event

    return Item, [Item]


def a_struct_or_none() -> Made:
    item, classes = a_struct()
    return item | None, classes


def a_list_of_structs() -> Made:
    item, classes = a_struct()
    return list[item], classes


def an_annotated_struct() -> Made:
    item, classes = a_struct()
    return Annotated[item, "a note"], classes


def an_annotated_model() -> Made:
    item, classes = a_model()
    return Annotated[item, "a note"], classes


def a_new_type() -> Made:
    item, classes = a_dataclass()
    return NewType("Item", item), classes


def an_alias() -> Made:
    item, classes = a_model()
    return TypeAliasType("Item", list[item] | item), classes


def a_union_of_models() -> Made:
    one, ones = a_model()
    other, others = a_model()
    return one | other, ones + others


def a_union_of_tagged_structs() -> Made:
    class One(msgspec.Struct, tag="one"):
        a: int

    class Other(msgspec.Struct, tag="other"):
        a: int

    return One | Other, [One, Other]


KINDS = [
    a_struct,
    a_struct_in_a_struct,
    a_dataclass,
    an_attrs_class,
    a_typed_dict,
    a_named_tuple,
    an_enum,
    a_model,
    a_dataclass_of_pydantic,
    a_class_that_takes_the_event,
    a_struct_or_none,
    a_list_of_structs,
    an_annotated_struct,
    an_annotated_model,
    a_new_type,
    an_alias,
    a_union_of_models,
    a_union_of_tagged_structs,
]

STREAM = b"".join(encode(data) for data in ({"a": 1, "type": "one"}, [{"a": 1}], [1], "a", '"a"', {"a": "x"}))


def read(cast_to: Any) -> int:
    """Read a stream whose items fit or do not, and return how many do."""
    machine = StreamMachine(cast_to=cast_to)
    made = []
    items = machine.feed(STREAM)
    for _ in range(STREAM.count(b"\n\n")):
        with suppress(InvalidJSONError):  # the next iterator goes on after the event that does not fit
            made.extend(items)
        items = machine.items()
    return len(made)


def forget_types() -> None:
    """Empty the caches in which others keep the latest types."""
    for clear in typing._cleanups:  # type: ignore[attr-defined]
        clear()
    # msgspec keeps the members of 64 unions of structs.
    for number in range(64):
        one = msgspec.defstruct("One", [], tag=f"one {number}")
        other = msgspec.defstruct("Other", [], tag=f"other {number}")
        msgspec.json.Decoder(one | other)  # type: ignore[operator]
    gc.collect()


@pytest.mark.parametrize("make", KINDS, ids=lambda make: make.__name__)
def test_a_class_that_was_asked_for_is_freed_after_its_stream(make: Callable[[], Made]) -> None:
    cast_to, classes = make()
    alive = [ref(cls) for cls in classes]
    assert read(cast_to) > 0
    del cast_to, classes
    forget_types()
    assert [one() for one in alive] == [None] * len(alive)


@if_orjson_lets_classes_die
@pytest.mark.parametrize("make", [a_struct, a_dataclass, a_model, an_attrs_class])
def test_a_class_whose_instances_were_sent_is_freed(make: Callable[[], Made]) -> None:
    cls, classes = make()
    alive = ref(cls)
    encode(cls(a=1))
    del cls, classes
    forget_types()
    assert alive() is None


def test_what_is_found_of_a_class_is_found_once_and_for_each_class() -> None:
    asked = []

    @per_class
    def name(cls: type) -> str:
        asked.append(cls.__name__)
        return cls.__name__

    assert [name(cls) for cls in (int, str, int, str)] == ["int", "str", "int", "str"]
    assert asked == ["int", "str"]


def test_thousands_of_classes_do_not_add_up() -> None:
    asked = []

    @per_class
    def number(cls: type) -> int:
        asked.append(cls.__name__)
        return len(asked)

    kept = [type(f"Class{index}", (), {}) for index in range(1000)]
    first = [number(cls) for cls in kept]
    assert first == [*range(1, 1001)]
    assert number(kept[-1]) == 1000
    # Those that were dropped to make room are looked at again.
    assert number(kept[0]) == 1001
