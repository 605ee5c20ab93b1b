"""Streams of the chat models: from bytes to items, with every rule of typed streams."""

from __future__ import annotations

from typing import Any

import pytest

from ssejet import APIError, InvalidJSONError
from ssejet.chat import ChatCompletion, ChatCompletionChunk, Completion
from ssejet.typed._machine import StreamMachine

MODELS = [ChatCompletionChunk, Completion, ChatCompletion]


def items(body: bytes, model: Any = ChatCompletionChunk, **options: Any) -> list[Any]:
    machine: StreamMachine[Any] = StreamMachine(cast_to=model, **options)
    return [*machine.feed(body), *machine.finish()]


@pytest.mark.parametrize("model", MODELS)
def test_items_are_read_and_remember_their_text(model: Any) -> None:
    [item] = items(b'data: {"id": "a", "provider": "p"}\n\ndata: [DONE]\n\ndata: {}\n\n', model)
    assert item == model(id="a")
    assert item.extra == {"provider": "p"}
    assert item.to_json() == '{"id": "a", "provider": "p"}'


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "text",
    [
        '{"id": null, "choices": null}',
        '{"id": "a", "created": NaN}',
        '{"id": "\\ud83d"}',
        '{"created": "soon"}',
    ],
)
def test_items_that_msgspec_refuses_are_read_field_by_field(model: Any, text: str) -> None:
    assert items(f"data: {text}\n\n".encode(), model) == [model.from_json(text)]
    [item] = items(f"data: {text}\n\n".encode(), model)
    assert item.to_json() == text


@pytest.mark.parametrize("done", ["[DONE]", "END", '{"done":true}', "null", " {"])
def test_any_sentinel_ends_the_stream(done: str) -> None:
    body = b'data: {"id": "a"}\n\n' + f"data:  {done}!\n\n".encode() + b'data: {"id": "b"}\n\n'
    for sentinel in (f" {done}", f" {done}!"):
        assert items(body, done=sentinel) == [ChatCompletionChunk(id="a")]


def test_a_sentinel_of_any_event_type_ends_the_stream() -> None:
    for kind in (b"error", b"thread.message", b"done"):
        assert items(b"event: " + kind + b"\ndata: [DONE]\n\n") == []


def test_without_a_sentinel_it_is_data_like_any_other() -> None:
    with pytest.raises(InvalidJSONError):
        items(b"data: [DONE]\n\n", done=None)


@pytest.mark.parametrize("model", MODELS)
@pytest.mark.parametrize(
    "error", ['{"message": "overloaded", "code": 529}', '"overloaded"'], ids=["an object", "a string"]
)
def test_an_error_that_a_server_reports_is_raised_after_the_items_before_it(model: Any, error: str) -> None:
    machine: StreamMachine[Any] = StreamMachine(cast_to=model)
    given = machine.feed(f'data: {{"id": "a"}}\n\ndata: {{"error": {error}}}\n\n'.encode())
    assert next(given) == model(id="a")
    with pytest.raises(APIError, match="overloaded") as caught:
        next(given)
    assert caught.value.code == (529 if "code" in error else None)


@pytest.mark.parametrize("error", ["false", '""', "{}"])
def test_an_empty_error_is_not_an_error(error: str) -> None:
    [item] = items(f'data: {{"id": "a", "error": {error}}}\n\n'.encode())
    assert item.id == "a"


@pytest.mark.parametrize("text", ["[]", "1", "{", "hello", '{"id": "error"'])
def test_data_that_is_not_an_object_is_an_error_with_its_position(text: str) -> None:
    with pytest.raises(InvalidJSONError, match="event 0") as caught:
        items(f"data: {text}\n\n".encode())
    assert caught.value.event.data == text
