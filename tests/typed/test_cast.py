from __future__ import annotations

import sys
from dataclasses import dataclass
from enum import Enum
from typing import Annotated, Any, Literal, NamedTuple, NewType, TypedDict

import msgspec
import pydantic
import pytest
from typing_extensions import TypeAliasType

from ssejet import InvalidJSONError, ServerSentEvent, StreamMachine
from ssejet.typed._cast import make_cast


class Struct(msgspec.Struct):
    a: int


class Cat(msgspec.Struct, tag="cat"):
    a: int


class Dog(msgspec.Struct, tag="dog"):
    a: int


@dataclass
class Data:
    a: int


class Dict(TypedDict):
    a: int


class Tuple(NamedTuple):
    a: int


class Color(Enum):
    RED = "red"


class Model(pydantic.BaseModel):
    a: int


class StrictModel(pydantic.BaseModel, strict=True, extra="forbid"):
    a: int


class OtherModel(pydantic.BaseModel):
    b: int


@pydantic.dataclasses.dataclass
class ModelData:
    a: int


class PlainClass:
    def __init__(self, event: ServerSentEvent) -> None:
        self.event = event

    def __eq__(self, other: object) -> bool:
        return isinstance(other, PlainClass) and other.event == self.event

    __hash__ = None  # type: ignore[assignment]


UserId = NewType("UserId", int)
ModelId = NewType("ModelId", Model)
ModelTree = TypeAliasType("ModelTree", list["ModelTree"] | Model)


def one(data: str, cast_to: Any) -> Any:
    (item,) = StreamMachine(cast_to=cast_to).feed(f"data: {data}\n\n".encode())
    return item


@pytest.mark.parametrize(
    ("cast_to", "data", "item"),
    [
        (None, '{"a": 1}', {"a": 1}),
        (Any, '{"a": 1}', {"a": 1}),
        (dict, '{"a": 1}', {"a": 1}),
        (dict[str, float], '{"a": 1}', {"a": 1.0}),
        (list[Struct], '[{"a": 1}]', [Struct(1)]),
        (int, "1", 1),
        (str, '"1"', "1"),
        (Struct, '{"a": 1, "b": 2}', Struct(1)),
        (Cat | Dog, '{"type": "dog", "a": 1}', Dog(1)),
        (Cat | Dog | None, "null", None),
        (Struct | None, '{"a": 1}', Struct(1)),
        (Literal["x", "y"], '"y"', "y"),
        (Annotated[Struct, "a note"], '{"a": 1}', Struct(1)),
        (Data, '{"a": 1}', Data(1)),
        (Dict, '{"a": 1}', {"a": 1}),
        (Tuple, "[1]", Tuple(1)),
        (Color, '"red"', Color.RED),
        (UserId, "1", 1),
        (Model, '{"a": "1"}', Model(a=1)),
        (StrictModel, '{"a": 1}', StrictModel(a=1)),
        (Model | OtherModel, '{"b": 1}', OtherModel(b=1)),
        (list[Model], '[{"a": 1}]', [Model(a=1)]),
        (dict[str, Model | None], '{"x": {"a": 1}, "y": null}', {"x": Model(a=1), "y": None}),
        (Annotated[Model | int, "a note"], "1", 1),
        (ModelId, '{"a": 1}', Model(a=1)),
        (ModelTree, '[[{"a": 1}]]', [[Model(a=1)]]),
        (ModelData, '{"a": 1}', ModelData(a=1)),
        pytest.param(lambda event: (event.event, event.data), "x", ("message", "x"), id="a function"),
        (ServerSentEvent.json, "[1]", [1]),
        pytest.param(PlainClass, "x", PlainClass(ServerSentEvent(data="x")), id="a plain class"),
    ],
    ids=repr,
)
def test_items_are_of_the_type_that_is_asked_for(cast_to: Any, data: str, item: Any) -> None:
    made = one(data, cast_to)
    assert made == item
    assert type(made) is type(item)


@pytest.mark.skipif(sys.version_info < (3, 12), reason="the statement is new in 3.12")
def test_recursive_aliases_are_decoded_by_pydantic() -> None:
    scope: dict[str, Any] = {"Model": Model}
    exec("type Numbers = list[Numbers] | int\ntype Models = list[Models] | Model", scope)
    with pytest.raises(TypeError, match=r"Numbers, an alias that holds itself.*make it a class"):
        make_cast(scope["Numbers"])
    assert one('[[{"a": 1}]]', scope["Models"]) == [[Model(a=1)]]


def test_models_of_pydantic_1_are_decoded_by_pydantic_1() -> None:
    v1 = pytest.importorskip("pydantic.v1", exc_type=ImportError)

    class OldModel(v1.BaseModel):  # type: ignore[misc, name-defined]
        a: int

    assert one('{"a": "1"}', OldModel) == OldModel(a=1)
    with pytest.raises(InvalidJSONError, match="value is not a valid integer") as caught:
        one('{"a": "x"}', OldModel)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("data", "complaint"),
    [('{"a": 1, "c": 2}', "c: Extra inputs"), ('{"a": "1"}', "a: Input should be a valid integer")],
)
def test_the_complaints_of_pydantic_are_one_line(data: str, complaint: str) -> None:
    with pytest.raises(InvalidJSONError, match=complaint) as caught:
        one(data, StrictModel)
    assert "\n" not in str(caught.value)


def test_an_error_lists_only_the_first_problems_of_an_item() -> None:
    with pytest.raises(InvalidJSONError) as caught:
        one(str(["x"] * 100).replace("'", '"'), list[Model])
    assert str(caught.value).count("Input should") == 5
    assert "; …" in str(caught.value)


@pytest.mark.parametrize("cast_to", [5, "Struct", b"x", {}, [Struct], (Struct,), object()])
def test_what_cannot_make_items_is_refused(cast_to: Any) -> None:
    with pytest.raises(TypeError, match="cast_to must be None, a type that msgspec or pydantic can decode"):
        StreamMachine(cast_to=cast_to)


def test_unions_that_cannot_be_told_apart_are_refused_at_once() -> None:
    with pytest.raises(TypeError, match="union"):
        StreamMachine(cast_to=Struct | Cat)
