"""Structured output: the requests' schemas, partial parses, validated ends, refusals."""

from __future__ import annotations

import dataclasses
import gc
from enum import Enum
from typing import Any, Literal, TypedDict

import msgspec
import openai
import pydantic
import pytest
from chunk_builders import chunk, says
from openai.lib._parsing import type_to_response_format_param

from ssejet._answers.parsed import Parsed
from ssejet.chat import (
    ChatCompletionStream,
    ChatCompletionStreamState,
    ContentDeltaEvent,
    response_format_param,
)
from ssejet.errors import LengthFinishReasonError


class Color(str, Enum):
    RED = "red"
    BLUE = "blue"


class Tag(pydantic.BaseModel):
    """A label."""

    name: str
    color: Color = pydantic.Field(description="of the label")


class Tree(pydantic.BaseModel):
    value: int
    children: list[Tree] = []


class Item(pydantic.BaseModel):
    title: str = pydantic.Field(min_length=1)
    tags: list[Tag]
    best: Tag = pydantic.Field(description="the best one")
    worst: Tag | None = None
    kind: Literal["a", "b"] = "a"
    price: float | None
    pair: tuple[int, str]
    tree: Tree
    more: dict[str, int]
    nested: list[list[Tag]] | Tag


@pydantic.dataclasses.dataclass
class PydanticPoint:
    x: int
    y: int


class Point(pydantic.BaseModel):
    x: int
    y: int


class StructPoint(msgspec.Struct):
    x: int
    y: int


@dataclasses.dataclass
class DataPoint:
    x: int
    y: int


class DictPoint(TypedDict):
    x: int
    y: int


class Outer(msgspec.Struct):
    point: StructPoint
    again: StructPoint | None = None
    inner: Outer | None = None


class Node(pydantic.BaseModel):
    other: Node = pydantic.Field(description="another")


POINTS = [Point, PydanticPoint, StructPoint, DataPoint, DictPoint]


# What a request sends


@pytest.mark.parametrize("model", [Item, Tag, Tree, Point, PydanticPoint])
def test_the_schema_is_the_one_that_openai_python_sends(model: Any) -> None:
    assert response_format_param(model) == type_to_response_format_param(model)


@pytest.mark.parametrize("model", POINTS)
def test_every_kind_of_class_has_a_strict_schema(model: Any) -> None:
    param = response_format_param(model)
    assert param["type"] == "json_schema"
    assert param["json_schema"]["name"] == model.__name__
    assert param["json_schema"]["strict"] is True
    schema = param["json_schema"]["schema"]
    assert (schema["type"], schema["required"], schema["additionalProperties"]) == (
        "object",
        ["x", "y"],
        False,
    )
    assert {name: each["type"] for name, each in schema["properties"].items()} == {
        "x": "integer",
        "y": "integer",
    }
    assert "$ref" not in schema
    assert "$defs" not in schema


def test_the_classes_in_a_class_are_strict_too() -> None:
    schema = response_format_param(Outer)["json_schema"]["schema"]
    assert schema["required"] == ["point", "again", "inner"]
    assert "default" not in schema["properties"]["again"]
    assert schema["$defs"]["StructPoint"]["additionalProperties"] is False
    assert schema["$defs"]["Outer"]["required"] == schema["required"]


def test_the_schema_of_a_recursive_type_with_a_description_is_finite() -> None:
    schema = response_format_param(Node)["json_schema"]["schema"]
    other = schema["$defs"]["Node"]["properties"]["other"]
    assert (other["description"], other["properties"]["other"]) == ("another", {"$ref": "#/$defs/Node"})


def test_openais_dict_form_is_sent_as_it_is() -> None:
    param = {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}
    assert response_format_param(param) == param
    assert param == {"type": "json_schema", "json_schema": {"name": "n", "schema": {"type": "object"}}}


@pytest.mark.parametrize("wrong", [int, list[int], "Point", object(), None])
def test_what_has_no_object_schema_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match=r"expected OpenAI's dict form, a pydantic model.*got"):
        response_format_param(wrong)
    if wrong is not None:
        with pytest.raises(TypeError, match="expected OpenAI's dict form"):
            ChatCompletionStreamState(response_format=wrong)


# What comes back


def pieces(*texts: str, finish: str = "stop") -> list[Any]:
    return [
        chunk(says("", role="assistant")),
        *(chunk(says(text)) for text in texts),
        chunk(says(finish=finish)),
    ]


@pytest.mark.parametrize("model", POINTS)
def test_the_answer_is_parsed_as_it_grows_and_validated_at_its_end(model: Any, reader: Any) -> None:
    stream = reader.open(pieces('{"x"', ": 1,", ' "y": 2', "}"), response_format=model)
    events = reader.events(stream)
    assert [event.parsed for event in events if event.type == "content.delta"] == [
        None,
        {},
        {"x": 1},
        {"x": 1, "y": 2},
        {"x": 1, "y": 2},
    ]
    expected = model(x=1, y=2)
    [done] = [event for event in events if event.type == "content.done"]
    assert done.parsed == expected
    completion = reader.call(stream, "get_final_completion")
    assert completion.choices[0].message.parsed == expected
    assert completion.choices[0].message.to_dict()["parsed"] == {"x": 1, "y": 2}


def test_an_answer_is_validated_once() -> None:
    validated: list[Any] = []

    class Watched(pydantic.BaseModel):
        x: int

        def model_post_init(self, _: Any) -> None:
            validated.append(self)

    stream = ChatCompletionStream(pieces('{"x": 1}'), response_format=Watched)
    [done] = [event for event in stream if event.type == "content.done"]
    assert validated == []
    assert done.parsed is stream.get_final_completion().choices[0].message.parsed is done.parsed
    assert len(validated) == 1


def test_a_snapshot_holds_what_is_known_so_far() -> None:
    state = ChatCompletionStreamState(response_format=Point)
    parsed = []
    for each in pieces('{"x": 1,', ' "y": 2', "}"):
        state.handle_chunk(each)
        parsed.append(state.current_completion_snapshot.choices[0].message.parsed)
    assert parsed == [None, {"x": 1}, {"x": 1, "y": 2}, {"x": 1, "y": 2}, Point(x=1, y=2)]


@pytest.mark.parametrize(
    ("model", "error"), [(Point, pydantic.ValidationError), (StructPoint, msgspec.ValidationError)]
)
def test_an_answer_that_does_not_fit_is_an_error_when_it_is_read(model: Any, error: type[Exception]) -> None:
    stream = ChatCompletionStream(pieces('{"x": 1}'), response_format=model)
    events = list(stream)
    assert events[-1].content == '{"x": 1}'
    for _ in range(2):
        with pytest.raises(error):
            _ = events[-1].parsed
        with pytest.raises(error):
            stream.get_final_completion()
    assert stream.current_completion_snapshot.choices[0].message.parsed == {"x": 1}


def test_a_snapshot_that_failed_to_parse_is_freed() -> None:
    def read_and_fail() -> None:
        [*_, done] = ChatCompletionStream(pieces("{}"), response_format=Point)
        with pytest.raises(pydantic.ValidationError):
            _ = done.parsed

    def held() -> int:
        gc.collect()
        # Not isinstance(), which asks for attributes: Django's lazy settings raise an error then.
        return sum(issubclass(type(each), Parsed) for each in gc.get_objects())

    before = held()
    read_and_fail()
    assert held() == before


def test_an_answer_that_is_not_json_has_no_value_until_it_is_validated() -> None:
    stream = ChatCompletionStream(pieces("Sure! ", '{"x": 1}'), response_format=Point)
    events = list(stream)
    assert {event.parsed for event in events if isinstance(event, ContentDeltaEvent)} == {None}
    with pytest.raises(pydantic.ValidationError):
        stream.get_final_completion()


def test_openais_dict_form_gives_no_type_to_parse_into() -> None:
    stream = ChatCompletionStream(pieces('{"x": 1}'), response_format={"type": "json_object"})
    assert [event.parsed for event in stream if event.type.startswith("content")] == [None, None, None]
    assert stream.get_final_completion().choices[0].message.parsed is None


@pytest.mark.parametrize("nothing", [None, openai.omit, openai.NOT_GIVEN])
def test_openai_pythons_markers_for_omitted_arguments_count_as_none(nothing: Any) -> None:
    stream = ChatCompletionStream(pieces("x"), response_format=nothing, input_tools=nothing)
    assert stream.get_final_completion().choices[0].message.content == "x"


def test_a_refusal_takes_the_place_of_what_was_to_be_parsed(reader: Any) -> None:
    chunks = [
        chunk(says(role="assistant", refusal="")),
        chunk(says(refusal="I can't ")),
        chunk(says(refusal="do that.")),
        chunk(says(finish="stop")),
    ]
    stream = reader.open(chunks, response_format=Point)
    events = reader.events(stream)
    assert [event.to_dict() for event in events if event.type != "chunk"][1:] == [
        {"type": "refusal.delta", "delta": "I can't ", "snapshot": "I can't "},
        {"type": "refusal.delta", "delta": "do that.", "snapshot": "I can't do that."},
        {"type": "refusal.done", "refusal": "I can't do that."},
    ]
    message = reader.call(stream, "get_final_completion").choices[0].message
    assert (message.refusal, message.parsed) == ("I can't do that.", None)


def test_a_refusal_after_the_answer_has_begun_stops_its_parsing() -> None:
    chunks = [
        *pieces('{"x": 1')[:2],
        chunk(says(refusal="No")),
        chunk(says(', "y": 2}')),
        chunk(says(finish="stop")),
    ]
    stream = ChatCompletionStream(chunks, response_format=Point)
    events = list(stream)
    assert [event.parsed for event in events if event.type == "content.delta"] == [None, {"x": 1}, None]
    assert [event.parsed for event in events if event.type == "content.done"] == [None]
    assert stream.get_final_completion().choices[0].message.parsed is None


def test_an_answer_cut_short_is_an_error_that_carries_it(reader: Any) -> None:
    stream = reader.open(pieces('{"x": 1, "y"', finish="length"), response_format=Point)
    with pytest.raises(LengthFinishReasonError) as caught:
        reader.events(stream)
    assert caught.value.completion.choices[0].message.parsed == {"x": 1}
    with pytest.raises(LengthFinishReasonError):
        reader.call(stream, "get_final_completion")
