"""anthropic's ``messages.stream()`` on accelerated clients, against stock ones."""

from __future__ import annotations

import asyncio
import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from anthropic.lib import streaming
from hypothesis import given
from hypothesis import strategies as st
from same import differences
from sdks import FakeServer, event

import ssejet
from ssejet.swap.anthropic import _messages, _patches
from ssejet.swap.anthropic._messages import _Functions, _State

if TYPE_CHECKING:
    from random import Random

pytestmark = [
    pytest.mark.skipif(not _patches._LINEAR, reason="this version's helper is left as it is"),
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
]

MESSAGE = {
    "id": "msg",
    "type": "message",
    "role": "assistant",
    "model": "m",
    "content": [],
    "stop_reason": None,
    "stop_sequence": None,
    "usage": {"input_tokens": 1, "output_tokens": 1},
}
BLOCKS: list[dict[str, Any]] = [
    {"type": "text", "text": ""},
    {"type": "text", "text": "", "citations": None},
    {"type": "thinking", "thinking": "", "signature": ""},
    {"type": "tool_use", "id": "t", "name": "f", "input": {}},
    {"type": "server_tool_use", "id": "s", "name": "web_search", "input": {}},
    {"type": "redacted_thinking", "data": "x"},
    {"type": "new", "text": ""},
]
TEXTS = [
    '{"city": "Łódź", "temperature": 12.5, "tags": ["a\\n", "b", {"c": null}], "n": -1e3}',
    '  {"city": "\\ud83d\\ude00 ☃", "more": {"d": [1, 2, 3]}} trailing',
    '{"city": "\\x", "a": 1}',
    '{"city": tru',
    "not JSON",
    '"a string"',
    "[1, [2, [3]]]",
    " ",
    "",
]
FIELDS = {
    "text_delta": "text",
    "thinking_delta": "thinking",
    "input_json_delta": "partial_json",
    "signature_delta": "signature",
    "new_delta": "text",
}
USUAL = {"text": "text_delta", "thinking": "thinking_delta", "tool_use": "input_json_delta"}


def pieces(random: Random, text: str) -> list[str]:
    cut = []
    while text:
        size = random.randint(0, 8)
        cut.append(text[:size])
        text = text[size:]
    return cut


def delta(index: Any, kind: str, text: Any) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": index, "delta": {"type": kind, FIELDS[kind]: text}}


def conversation(random: Random) -> list[dict[str, Any]]:
    """The events of one message, usual and odd."""
    odd = random.random() < 0.4
    events: list[dict[str, Any]] = [{"type": "message_start", "message": MESSAGE}]
    for index in range(random.randint(0, 4)):
        block = random.choice(BLOCKS)
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        kind = USUAL.get(block["type"].removeprefix("server_"), "text_delta")
        for piece in pieces(random, random.choice(TEXTS[:2] if not odd else TEXTS)):
            if odd and random.random() < 0.1:
                kind = random.choice(list(FIELDS))
            one = delta(index, kind, piece)
            if odd and random.random() < 0.05:
                one = random.choice(
                    [
                        delta(index, kind, None),
                        delta(index, kind, 5),
                        delta(index - 1, kind, piece),
                        delta(index + 1, kind, piece),
                        delta(str(index), kind, piece),
                        one | {"more": 1},
                        {"type": "ping"},
                    ]
                )
            events.append(one)
        if not odd or random.random() < 0.9:
            events.append({"type": "content_block_stop", "index": index})
    events += [
        {
            "type": "message_delta",
            "delta": {"stop_reason": "tool_use", "stop_sequence": None},
            "usage": {"output_tokens": 9},
        },
        {"type": "message_stop"},
    ]
    if odd and random.random() < 0.1:
        events.pop(0)
    return events


def read(client: Any, beta: bool, mode: str) -> list[Any]:
    """The events as they were when they came, the error, and the final message."""
    resource = client.beta.messages if beta else client.messages
    manager = resource.stream(model="m", max_tokens=1, messages=[])
    found: list[Any] = []

    async def read_async() -> None:
        async with manager as stream:
            async for item in stream:
                found.append(item.model_copy(deep=True))  # noqa: PERF401
            found.append(await stream.get_final_message())

    try:
        if mode == "async":
            asyncio.run(read_async())
        else:
            with manager as stream:
                for item in stream:
                    found.append(item.model_copy(deep=True))  # noqa: PERF401
                found.append(stream.get_final_message())
    except Exception as error:
        found.append(error)
    return found


def body(events: list[dict[str, Any]]) -> list[bytes]:
    return [event(json.dumps(each), each["type"]) for each in events]


@given(random=st.randoms(use_true_random=False), beta=st.booleans(), mode=st.sampled_from(["sync", "async"]))
def test_events_and_messages_equal_anthropics(random: Any, beta: bool, mode: str) -> None:
    stock = FakeServer(body(conversation(random))).client("anthropic", mode)
    expected = read(stock, beta, mode)
    assert differences(read(ssejet.accelerate(stock), beta, mode), expected) == []
    with ssejet.install():
        assert differences(read(stock, beta, mode), expected) == []


@pytest.mark.parametrize("cls", _patches._LINEAR, ids=lambda cls: cls.__name__)
@pytest.mark.parametrize("kind", ["text", "thinking", "tool_use"])
def test_usual_deltas_are_not_anthropics_to_take_in(cls: Any, kind: str) -> None:
    names = cls.__stream__.__globals__
    functions = _Functions(SimpleNamespace(**names))
    state = _State(functions)
    block = next(block for block in BLOCKS if block["type"] == kind)
    events: list[Any] = [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *[delta(0, USUAL[kind], piece) for piece in ("[", *["1, "] * 500)],
    ]
    snapshot, buffers = None, {}  # type: ignore[var-annotated]
    options: Any = {"request_headers": {}} if "Beta" in cls.__name__ else {}
    left = []
    for values in events:
        item = names["construct_type_unchecked"](type_=functions.event_type, value=values)
        if state.take(item) is None:
            left.append(item.type)
            snapshot = state.accumulate(event=item, current_snapshot=snapshot, json_bufs=buffers, **options)
    assert left == ["message_start", "content_block_start"]


@pytest.mark.slow
@pytest.mark.parametrize("beta", [False, True])
@pytest.mark.parametrize("mode", ["sync", "async"])
def test_inputs_of_many_items_are_as_they_were_when_they_are_read_later(beta: bool, mode: str) -> None:
    rows = json.dumps({"rows": [{"n": i, "text": 'a "\n" \u00e9 😀'} for i in range(400)], "end": "x"})
    events = [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": BLOCKS[3]},
        *[delta(0, "input_json_delta", rows[at : at + 17]) for at in range(0, len(rows), 17)],
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    stock = FakeServer(body(events)).client("anthropic", mode)

    def follow(client: Any) -> list[Any]:
        """Every 50th input of the message, and all events with their types, read at the end only."""
        manager = (client.beta.messages if beta else client.messages).stream(
            model="m", max_tokens=1, messages=[]
        )
        found: list[Any] = []
        kept: list[Any] = []

        def look(stream: Any, item: Any) -> None:
            kept.append(item)
            if item.type == "input_json" and len(kept) % 50 == 0:
                block = stream.current_message_snapshot.content[0]
                assert block.input is item.snapshot
                found.append((block.input, block.model_dump(), type(block)))

        async def read_async() -> None:
            async with manager as stream:
                async for item in stream:
                    look(stream, item)

        if mode == "async":
            asyncio.run(read_async())
        else:
            with manager as stream:
                for item in stream:
                    look(stream, item)
        assert all(isinstance(item, item.__class__) for item in kept)
        return [*found, *[(item.__class__, item.model_dump(), type(item)) for item in kept]]

    assert follow(ssejet.accelerate(stock)) == follow(stock)


def test_inputs_with_unfinished_strings_equal_anthropics() -> None:
    text = '{"path": "a", "content": "some long text", "n": 1}'
    events = [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": BLOCKS[3]},
        *[delta(0, "input_json_delta", text[at : at + 3]) for at in range(0, len(text), 3)],
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    stock = FakeServer(body(events)).client("anthropic", "sync")

    def follow(client: Any) -> list[Any]:
        betas = ["fine-grained-tool-streaming-2025-05-14"]
        with client.beta.messages.stream(model="m", max_tokens=1, messages=[], betas=betas) as stream:
            return [getattr(item, "snapshot", None) for item in stream]

    found = follow(ssejet.accelerate(stock))
    assert found == follow(stock)


@pytest.mark.parametrize("beta", [False, True])
def test_text_streams_and_helpers_of_copies_are_fast(beta: bool) -> None:
    events = [
        {"type": "message_start", "message": MESSAGE},
        {"type": "content_block_start", "index": 0, "content_block": BLOCKS[0]},
        delta(0, "text_delta", "Hi, "),
        delta(0, "text_delta", "you"),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_stop"},
    ]
    client = ssejet.accelerate(FakeServer(body(events)).client("anthropic", "sync")).with_options(timeout=3)
    resource = client.beta.messages if beta else client.messages
    with resource.stream(model="m", max_tokens=1, messages=[]) as stream:
        assert type(stream) is (streaming.BetaMessageStream if beta else streaming.MessageStream)
        assert stream._iterator.gi_code.co_filename == _messages.__file__
        assert list(stream.text_stream) == ["Hi, ", "you"]
        assert stream.get_final_text() == "Hi, you"
