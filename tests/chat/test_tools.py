"""Tools: what a request sends for them, and how the arguments of their calls come back."""

from __future__ import annotations

import dataclasses
import json
from typing import Any

import msgspec
import openai
import pydantic
import pytest
from chunk_builders import call, calls, chunk, says

from ssejet.chat import (
    ChatCompletionStream,
    ChatCompletionStreamState,
    ParsedFunction,
    function_tool,
    tool_param,
)
from ssejet.messages import message_tool


class Weather(pydantic.BaseModel):
    """Tell the weather."""

    city: str
    days: int = 1


class WeatherStruct(msgspec.Struct):
    """Tell the weather."""

    city: str
    days: int = 1


@dataclasses.dataclass
class WeatherData:
    city: str
    days: int = 1


STRICT = {"type": "function", "function": {"name": "Weather", "strict": True, "parameters": {}}}


def stream_of(*fragments: str, tools: Any, name: str = "Weather") -> ChatCompletionStream[Any]:
    chunks = [
        chunk(says(None, role="assistant")),
        calls(call("", name=name, index=0, id="c", type="function")),
        *(calls(call(fragment, index=0)) for fragment in fragments),
        chunk(says(finish="tool_calls")),
    ]
    return ChatCompletionStream(chunks, input_tools=tools)


# What a request sends


@pytest.mark.parametrize("options", [{}, {"name": "weather"}, {"description": "Say how it will be."}])
def test_a_tool_made_from_a_pydantic_model_is_the_one_that_openai_python_makes(
    options: dict[str, str],
) -> None:
    assert function_tool(Weather, **options) == openai.pydantic_function_tool(Weather, **options)


def test_every_kind_of_class_makes_a_tool() -> None:
    for model, description in ((WeatherStruct, "Tell the weather."), (WeatherData, None)):
        function = function_tool(model)["function"]
        assert function["name"] == model.__name__
        assert function.get("description") == description
        assert function["strict"] is True
        assert function["parameters"]["required"] == ["city", "days"]


def test_a_tool_can_be_sent_with_any_json_library() -> None:
    tool = function_tool(Weather)
    assert json.loads(json.dumps(tool)) == tool
    assert msgspec.json.decode(msgspec.json.encode(tool)) == tool
    orjson = pytest.importorskip("orjson")
    assert orjson.loads(orjson.dumps(tool)) == tool


def test_tools_in_openais_form_are_sent_as_they_are() -> None:
    assert tool_param(STRICT) == STRICT
    assert tool_param(Weather) == function_tool(Weather)


@pytest.mark.parametrize("wrong", [int, "Weather", None, Weather(city="Oslo", days=2), [STRICT]])
def test_what_is_not_a_tool_is_refused(wrong: Any) -> None:
    for refuses in (tool_param, message_tool, lambda tool: ChatCompletionStreamState(input_tools=[tool])):
        with pytest.raises(TypeError, match="expected OpenAI's dict form"):
            refuses(wrong)


# What comes back


@pytest.mark.parametrize(
    ("tool", "name", "expected"),
    [
        pytest.param(Weather, "Weather", Weather(city="Oslo", days=2), id="a pydantic model"),
        pytest.param(function_tool(Weather, name="w"), "w", Weather(city="Oslo", days=2), id="function_tool"),
        pytest.param(
            openai.pydantic_function_tool(Weather),
            "Weather",
            Weather(city="Oslo", days=2),
            id="openai-python's tool",
        ),
        pytest.param(
            WeatherStruct, "WeatherStruct", WeatherStruct(city="Oslo", days=2), id="a msgspec Struct"
        ),
        pytest.param(WeatherData, "WeatherData", WeatherData(city="Oslo", days=2), id="a dataclass"),
        pytest.param(STRICT, "Weather", {"city": "Oslo", "days": 2}, id="a strict dict"),
        pytest.param(
            {"type": "function", "function": {"name": "f"}}, "f", None, id="a dict that is not strict"
        ),
        pytest.param({"type": "custom", "custom": {"name": "f"}}, "f", None, id="another kind of tool"),
        pytest.param(STRICT, "other", None, id="an unknown tool"),
    ],
)
def test_arguments_are_parsed_as_their_tool_says(tool: Any, name: str, expected: Any) -> None:
    stream = stream_of('{"city": "Os', 'lo", "da', 'ys": 2}', tools=[tool], name=name)
    events = list(stream)
    deltas = [event for event in events if event.type == "tool_calls.function.arguments.delta"]
    partial = [{}, {"city": "Oslo"}, {"city": "Oslo", "days": 2}] if expected else [None] * 3
    assert [event.parsed_arguments for event in deltas] == [None, *partial]
    [done] = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    [whole] = [event for event in events if event.type == "tool_calls.done"]
    assert done.parsed_arguments == expected
    arguments = '{"city": "Oslo", "days": 2}'
    assert whole.parsed_function == ParsedFunction(name=name, arguments=arguments, parsed_arguments=expected)
    [made] = stream.get_final_completion().choices[0].message.tool_calls or []
    assert made.function == whole.parsed_function


def test_the_first_of_several_tools_of_one_name_counts() -> None:
    stream = stream_of('{"city": "Oslo"}', tools=iter([STRICT, Weather]))
    [made] = stream.get_final_completion().choices[0].message.tool_calls or []
    assert made.function is not None
    assert made.function.parsed_arguments == {"city": "Oslo"}


def test_no_arguments_at_all_are_an_empty_object() -> None:
    class Nothing(pydantic.BaseModel):
        pass

    for tool, expected in (
        (Nothing, Nothing()),
        ({**STRICT, "function": {**STRICT["function"], "name": "Nothing"}}, {}),
    ):
        stream = stream_of(tools=[tool], name="Nothing")
        [made] = stream.get_final_completion().choices[0].message.tool_calls or []
        assert made.function is not None
        assert made.function.parsed_arguments == expected


@pytest.mark.parametrize(
    ("tool", "error"),
    [(Weather, pydantic.ValidationError), (WeatherStruct, msgspec.ValidationError), (STRICT, ValueError)],
)
def test_arguments_that_do_not_fit_are_an_error_when_they_are_read(tool: Any, error: type[Exception]) -> None:
    name = "Weather" if tool is STRICT else tool.__name__
    stream = stream_of('["Oslo"' if tool is STRICT else "[]", tools=[tool], name=name)
    events = list(stream)
    [done] = [event for event in events if event.type == "tool_calls.function.arguments.done"]
    with pytest.raises(error):
        _ = done.parsed_arguments
    with pytest.raises(error):
        stream.get_final_completion()
    assert stream.current_completion_snapshot.choices[0].message.tool_calls is not None
