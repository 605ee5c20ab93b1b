from __future__ import annotations

import gc
import json
import warnings
import weakref
from typing import Any, get_args

import pytest
import zoo
from hypothesis import example, given
from hypothesis import strategies as st
from items import ANTHROPIC, OPENAI, SDK_TYPES, USUAL
from openai.types.chat import ChatCompletionChunk, ParsedChatCompletion
from openai.types.responses import ResponseStreamEvent
from payloads import ODDITIES, Scribe
from same import differences

from ssejet._core import Assembler
from ssejet.swap._plan.builder import builder


def built(type_: Any, models: Any, text: str) -> Any:
    found = builder(type_, models)
    return None if found is None else found.assembler.build(text)


def assert_equal_if_built(type_: Any, models: Any, text: str) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # pydantic's, of values that are not what they should be
        item = built(type_, models, text)
        if item is not None:
            expected = models.construct_type(type_=type_, value=json.loads(text))
            assert differences(item, expected) == [], text


@pytest.mark.parametrize("name", SDK_TYPES)
@given(random=st.randoms(use_true_random=False), mischief=st.sampled_from([0, 0.003, 0.03, 0.2]))
def test_what_is_built_equals_what_the_sdk_builds(name: str, random: Any, mischief: float) -> None:
    type_, models = SDK_TYPES[name]
    assert_equal_if_built(type_, models, Scribe(random, mischief).write(type_))


@pytest.mark.parametrize("model", zoo.MODELS, ids=lambda model: model.__name__)
@given(random=st.randoms(use_true_random=False), mischief=st.sampled_from([0, 0.03, 0.1, 0.3]))
def test_what_is_built_of_models_of_every_sort_equals_what_the_sdk_builds(
    model: Any, random: Any, mischief: float
) -> None:
    assert_equal_if_built(model, OPENAI, Scribe(random, mischief).write(model))


@pytest.mark.parametrize("oddity", ODDITIES)
@pytest.mark.parametrize("field", ["id", "choices", "created", "object", "usage", "unknown"])
def test_one_odd_value_is_built_as_the_sdk_builds_it_or_not_at_all(field: str, oddity: str) -> None:
    text = '{"id": "a", "choices": [], "created": 1, "model": "m", "object": "chat.completion.chunk"'
    assert_equal_if_built(ChatCompletionChunk, OPENAI, f'{text}, "{field}": {oddity}}}')


@pytest.mark.parametrize("name", SDK_TYPES)
def test_usual_events_are_built(name: str) -> None:
    type_, models = SDK_TYPES[name]
    text = json.dumps(USUAL[name])
    assert built(type_, models, text) is not None
    assert_equal_if_built(type_, models, text)


def test_models_that_only_the_sdk_can_build_are_left_to_it() -> None:
    assert builder(zoo.OwnWay, OPENAI) is None
    assert builder(zoo.Aliases, OPENAI) is None
    assert builder(dict[str, int], OPENAI) is None
    assert builder(zoo.Cat | str, OPENAI) is None
    assert builder(zoo.T, OPENAI) is None


@given(st.text())
@example("\ud800")
@example("[" * 300 + "]" * 300)
@example("9" * 5000)
def test_texts_that_are_no_items_give_none(text: str) -> None:
    assert built(ChatCompletionChunk, OPENAI, text) is None


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
        lambda children: st.lists(children) | st.dictionaries(st.text(), children),
    ),
    st.booleans(),
)
def test_any_json_is_read_as_python_reads_it(value: Any, ascii_only: bool) -> None:
    text = json.dumps(value, ensure_ascii=ascii_only)
    item = Assembler(("dict", ("any",)), []).build(f'{{"a": {text}}}')
    if item is not None:
        assert differences(item, json.loads(f'{{"a": {text}}}')) == []


@pytest.mark.parametrize(
    "text",
    [
        '{"a": 01}',
        '{"a": 1.}',
        '{"a": .5}',
        '{"a": +1}',
        '{"a": -}',
        '{"a": 1e}',
        '{"a": 1e+}',
        '{"a": 0x1}',
        '{"a": 1_0}',
        '{"a": "\n"}',
        '{"a": "\\x"}',
        '{"a": "\\u12"}',
        '{"a": "\\u12g4"}',
        '{"a": "}',
        '{"a": "\\',
        '{"a": "\\ud83d\\u0041"}',
        '{"a": tru}',
        '{"a": nul}',
        '{"a": [1,]}',
        '{"a": 1,}',
        '{"a" 1}',
        "{a: 1}",
        "{'a': 1}",
        '{"a": 1}}',
        '{"a": 1} x',
        '{"a": 1',
        "{",
        "",
        " ",
        '{"a": /**/ 1}',
        '\ufeff{"a": 1}',
        "{,}",
        '{"a": [1 2]}',
        '{"a": {]}',
    ],
)
def test_what_is_not_json_is_refused(text: str) -> None:
    assert Assembler(("dict", ("any",)), []).build(text) is None


@pytest.mark.parametrize(
    "number", ["0", "-0", "-0.0", "1e5", "1E+5", "1.5e-7", "123456789012345678", "1e400", "2.5"]
)
def test_numbers_are_read_as_python_reads_them(number: str) -> None:
    assert differences(Assembler(("list", ("any",)), []).build(f"[{number}]"), [json.loads(number)]) == []


@pytest.mark.parametrize(
    ("text", "value"),
    [
        (r'"\"\\\/\b\f\n\r\t"', '"\\/\b\f\n\r\t'),
        (r'"a\u00e9\u2603\ud83d\ude00z"', "aé☃😀z"),
        (r'"\u0000"', "\0"),
        ('"é☃😀\x7f"', "é☃😀\x7f"),
        ('"' + "a" * 100 + r"\n" + "b" * 100 + '"', "a" * 100 + "\n" + "b" * 100),
    ],
)
def test_strings_are_read_as_python_reads_them(text: str, value: str) -> None:
    assert Assembler(("list", ("any",)), []).build(f"[ {text} ]") == [value]


@pytest.mark.parametrize("depth", [1, 199, 200])
def test_deep_json_is_read(depth: int) -> None:
    text = "[" * depth + "]" * depth
    assert Assembler(("any",), []).build(text) == json.loads(text)


def test_what_a_function_of_the_plan_raises_is_a_refusal_unless_it_is_meant_to_end_the_program() -> None:
    def refuse(_: object) -> None:
        raise ValueError

    def interrupt(_: object) -> None:
        raise KeyboardInterrupt

    assert Assembler(("call", refuse), []).build("1") is None
    with pytest.raises(KeyboardInterrupt):
        Assembler(("call", interrupt), []).build("1")


@pytest.mark.parametrize(
    "plan",
    [
        (),
        ("no such kind",),
        ("list",),
        ("tagged", "type", {"a": 1}, []),
        ("tagged", "type", {}, []),
        ("by kind", {"no such kind": ("any",)}),
        ("model", int, [], ("any",), False),
        "any",
        None,
        ("model", type("Model", (zoo.Plain,), {"__new__": lambda cls: None}), [], ("any",), False),
    ],
)
def test_what_is_no_plan_is_an_error(plan: Any) -> None:
    with pytest.raises((TypeError, ValueError, IndexError)):
        Assembler(plan, [])


def test_a_definition_that_is_missing_refuses() -> None:
    assert Assembler(("definition", 3), []).build("1") is None


def a_model() -> Any:
    class Item(OPENAI.base):
        a: int

    return Item


def a_parsed_completion() -> Any:
    return ParsedChatCompletion[a_model()]


@pytest.mark.parametrize("make", [a_model, a_parsed_completion, lambda: a_model() | a_model()])
def test_a_class_of_the_users_dies_after_its_builder_was_made(make: Any) -> None:
    type_ = make()
    alive = [weakref.ref(part) for part in (get_args(type_) or [type_])]
    builder(type_, OPENAI)
    del type_
    gc.collect()
    assert [one() for one in alive] == [None] * len(alive)


@pytest.mark.parametrize("make", [a_model, lambda: ChatCompletionChunk, lambda: ResponseStreamEvent])
def test_a_builder_is_made_once(make: Any) -> None:
    type_ = make()
    first = builder(type_, OPENAI)
    assert first is not None
    assert builder(type_, OPENAI) is first


def test_a_class_does_not_take_the_builder_of_its_base_or_of_another_sdk() -> None:
    base = a_model()

    class Derived(base):
        b: int

    made = builder(base, OPENAI)
    derived = builder(Derived, OPENAI)
    assert made is not None
    assert derived is not None
    assert derived is not made
    assert derived.assembler.build('{"a": 1, "b": 2}') == Derived(a=1, b=2)
    other = builder(base, ANTHROPIC)
    assert other is None or other is not made
