"""huggingface_hub's inference clients, stock against accelerated."""

from __future__ import annotations

import asyncio
import importlib
import json
from typing import TYPE_CHECKING, Any

import pytest

pytest.importorskip("huggingface_hub")

from huggingface_hub import AsyncInferenceClient, InferenceClient
from huggingface_hub.inference import _common
from hypothesis import given, settings
from hypothesis import strategies as st

import ssejet
from ssejet.swap import _registry

if TYPE_CHECKING:
    from collections.abc import Callable

SWAP_IN: Any = _registry.swap_in("huggingface_hub")
CHAT, TEXT = "_format_chat_completion_stream_output", "_format_text_generation_stream_output"


def chunk(delta: Any, **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}
    return {
        "object": "chat.completion.chunk",
        "id": "",
        "created": 1702256327,
        "model": "m",
        "system_fingerprint": "3.0.1-native",
        "choices": [choice],
        **more,
    }


CALL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
TOKEN = {"id": 5, "text": " Rome", "logprob": -0.25, "special": False}
LOGPROBS = {"content": [{"logprob": -1, "token": "a", "top_logprobs": [{"logprob": -1.5, "token": "b"}]}]}
VALUES: list[Any] = [
    chunk({"role": "assistant", "content": "Hi"}),
    chunk({"role": "assistant", "content": None, "tool_calls": [CALL]}),
    chunk({"content": "", "reasoning": "Hm", "reasoning_content": "Hm", "x-Y z": {"a": [1]}}),
    chunk({}, usage={"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3, "more": {"a": 1}}),
    chunk({"content": "a"}, choices=[]),
    chunk({"content": "a"}, choices=None),
    chunk({"content": "a"}, choices={"index": 0}),
    chunk({"content": "a"}, choices=[[]]),
    chunk({"content": "a"}, choices=["a", 5]),
    chunk({"content": "a"}, choices=[{"index": 0, "delta": None, "logprobs": LOGPROBS}]),
    chunk({"content": ["a"]}),
    chunk({"content": "a"}, created=float("nan")),
    chunk({"content": "a"}, created=10**30, ID="b", items=3, keys=None),
    chunk([]),
    chunk("a"),
    {"index": 1, "token": TOKEN, "generated_text": None, "details": None},
    {"index": 1, "token": TOKEN, "top_tokens": [TOKEN], "details": {"finish_reason": "length", "seed": None}},
    {"token": None},
    {"token": {}},
    {"error": "overloaded", "error_type": "overloaded"},
    {"error": "no"},
    {"error": None},
    {"error": {"message": "no"}, "error_type": "validation"},
    {},
    [],
    None,
    "a",
]
LINES = [
    *[f"data: {json.dumps(each)}" for each in VALUES],
    f"data:{json.dumps(VALUES[0])}",
    f"data: {json.dumps(VALUES[0])} ",
    f"data:  {json.dumps(VALUES[0])}/n",
    f'data: {json.dumps(VALUES[0])[:-1]}, "id": "\\ud800"}}',
    f'data: {json.dumps(VALUES[0])[:-1]}, "id": "a", "Id": "b"}}',
    "data: [DONE]",
    "data:[DONE]",
    "data: ",
    "data: {",
    'data: {"id": "cut"',
    'data: {"id": "a"} {}',
    ": ping",
    "event: message",
    "",
]


def seen(value: Any) -> Any:
    """All that can be seen of an item: its class, its items as a dict, its attributes, in order."""
    if isinstance(value, dict):
        items = [(key, seen(each)) for key, each in dict.items(value)]
        return type(value), items, seen(vars(value)) if hasattr(value, "__dict__") else None
    if isinstance(value, list):
        return [seen(each) for each in value]
    return type(value), repr(value)


def see(function: Callable[..., Any], *arguments: Any) -> Any:
    try:
        return seen(function(*arguments))
    except Exception as error:
        return type(error), str(error), vars(error)


def assert_same(line: Any) -> None:
    chat, text = (patch.value for patch in SWAP_IN.PATCHES)
    assert see(chat, line) == see(SWAP_IN._stock[CHAT], line)
    for details in (True, False):
        assert see(text, line, details) == see(SWAP_IN._stock[TEXT], line, details)


@pytest.fixture(autouse=True)
def _swapped() -> None:
    assert SWAP_IN.check() is None


def test_each_line_gives_what_the_sdk_gives() -> None:
    for line in LINES:
        assert_same(line)


NAMES = [
    "choices",
    "delta",
    "content",
    "tool_calls",
    "function",
    "usage",
    "token",
    "text",
    "Top_Tokens",
    "é-",
]


def objects(values: Any) -> Any:
    return st.dictionaries(st.sampled_from([*NAMES, "error"]), values, max_size=4)


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=3),
    lambda each: st.lists(each, max_size=3) | objects(each),
    max_leaves=8,
)
CHOICES = st.lists(st.fixed_dictionaries({"delta": objects(JSON)}))


@settings(max_examples=settings().max_examples // 4 or 1)
@given(objects(JSON) | st.fixed_dictionaries({"choices": CHOICES}))
def test_random_values_give_what_the_sdk_gives(value: Any) -> None:
    assert_same(f"data: {json.dumps(value)}")


def test_usual_lines_are_made_without_the_sdk(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(_common.ChatCompletionStreamOutput, "parse_obj_as_instance", None)
    monkeypatch.setattr(_common.TextGenerationStreamOutput, "parse_obj_as_instance", None)
    chat, text = (patch.value for patch in SWAP_IN.PATCHES)
    for value in VALUES[:5]:
        assert chat(f"data: {json.dumps(value)}").id == ""
    assert text(f"data: {json.dumps(VALUES[15])}", False) == " Rome"


MESSAGES = [{"role": "user", "content": "Hello!"}]


def chat_items(client: Any) -> list[Any]:
    return list(client.chat_completion(MESSAGES, stream=True))


def openai_items(client: Any) -> list[Any]:
    return list(client.chat.completions.create(messages=MESSAGES, stream=True))


def text_items(client: Any) -> list[Any]:
    return list(client.text_generation("Hello!", stream=True, details=True))


async def achat_items(client: Any) -> list[Any]:
    return [item async for item in await client.chat_completion(MESSAGES, stream=True)]


async def atext_items(client: Any) -> list[Any]:
    return [item async for item in await client.text_generation("Hello!", stream=True)]


READERS = {
    "chat": (InferenceClient, chat_items, VALUES[:5]),
    "chat.completions": (InferenceClient, openai_items, VALUES[:5]),
    "text": (InferenceClient, text_items, VALUES[15:17]),
    "async-chat": (AsyncInferenceClient, achat_items, VALUES[:5]),
    "async-text": (AsyncInferenceClient, atext_items, VALUES[15:17]),
}


@pytest.mark.parametrize("name", READERS)
def test_a_real_server_gives_the_same_items(server: Any, name: str) -> None:
    cls, reader, values = READERS[name]
    events = [f"data: {json.dumps(each)}\n\n".encode() for each in values]
    answer = server.answer(*events, b": ping\n\n", b"data: [DONE]\n\n")

    def read(fast: bool) -> Any:
        client: Any = cls(answer.url)
        result = reader(ssejet.accelerate(client) if fast else client)
        return seen(asyncio.run(result) if name.startswith("async") else result)

    stock = read(fast=False)
    assert len(stock) == len(values)
    assert read(fast=True) == stock
    with ssejet.install():
        assert read(fast=False) == stock
        assert read(fast=True) == stock


def test_the_given_client_does_not_change() -> None:
    client: Any = InferenceClient("http://server")
    fast = ssejet.accelerate(client)
    assert type(client) is InferenceClient
    assert isinstance(fast, InferenceClient)
    assert repr(fast) == repr(client)
    assert ssejet.accelerate(fast) is fast


def test_install_patches_it_and_uninstall_undoes_that() -> None:
    before = [getattr(_common, name) for name in (CHAT, TEXT)]
    with ssejet.install() as report:
        assert report.patched["huggingface_hub"] == importlib.import_module("huggingface_hub").__version__
        assert [getattr(_common, name) for name in (CHAT, TEXT)] != before
    assert [getattr(_common, name) for name in (CHAT, TEXT)] == before


def test_a_stream_that_has_begun_is_left_as_it_is() -> None:
    stream = _common._stream_chat_completion_response([LINES[0], LINES[1]])
    assert SWAP_IN._swapped(stream) is not stream
    next(iter(stream))
    assert SWAP_IN._swapped(stream) is stream


def test_what_is_no_client_is_told_that_huggingface_hub_is_known() -> None:
    with pytest.raises(TypeError, match="huggingface_hub"):
        ssejet.accelerate(object())
