"""The SDKs' own helpers for streams, on accelerated clients and on stock ones: they see no difference."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import openai
import pytest
from openai.lib.streaming import AssistantEventHandler, AsyncAssistantEventHandler
from same import differences
from sdks import FakeServer, event

import ssejet

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated"),
]


def typed(*items: dict[str, Any]) -> list[bytes]:
    """Events that are named for the type of what is in them."""
    return [event(json.dumps(item), item["type"]) for item in items]


RESPONSE = {
    "id": "resp",
    "object": "response",
    "created_at": 1767323045,
    "model": "m",
    "status": "in_progress",
    "output": [],
    "tools": [],
    "tool_choice": "auto",
    "parallel_tool_calls": True,
    "error": None,
}
TEXT = {"type": "output_text", "text": "", "annotations": []}
ITEM = {"id": "msg", "type": "message", "role": "assistant", "status": "in_progress", "content": []}
WHERE = {"item_id": "msg", "output_index": 0, "content_index": 0}
WHOLE = {**ITEM, "status": "completed", "content": [{**TEXT, "text": "Hi, you"}]}
RESPONSE_EVENTS = [
    {"type": "response.created", "response": RESPONSE},
    {"type": "response.output_item.added", "output_index": 0, "item": ITEM},
    {"type": "response.content_part.added", **WHERE, "part": TEXT},
    {"type": "response.output_text.delta", **WHERE, "delta": "Hi, ", "logprobs": []},
    {"type": "response.output_text.delta", **WHERE, "delta": "you", "logprobs": []},
    {"type": "response.output_text.done", **WHERE, "text": "Hi, you", "logprobs": []},
    {"type": "response.content_part.done", **WHERE, "part": WHOLE["content"][0]},
    {"type": "response.output_item.done", "output_index": 0, "item": WHOLE},
    {"type": "response.completed", "response": {**RESPONSE, "status": "completed", "output": [WHOLE]}},
]
RESPONSES = typed(*({**item, "sequence_number": at} for at, item in enumerate(RESPONSE_EVENTS)))

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
MESSAGES = typed(
    {"type": "message_start", "message": MESSAGE},
    {"type": "content_block_start", "index": 0, "content_block": {"type": "text", "text": ""}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi, "}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "you"}},
    {"type": "content_block_stop", "index": 0},
    {
        "type": "content_block_start",
        "index": 1,
        "content_block": {"type": "tool_use", "id": "tool", "name": "f", "input": {}},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": '{"a": '},
    },
    {
        "type": "content_block_delta",
        "index": 1,
        "delta": {"type": "input_json_delta", "partial_json": "[1]}"},
    },
    {"type": "content_block_stop", "index": 1},
    {
        "type": "message_delta",
        "delta": {"stop_reason": "tool_use", "stop_sequence": None},
        "usage": {"output_tokens": 9},
    },
    {"type": "message_stop"},
)

THREAD_MESSAGE = {
    "id": "msg",
    "object": "thread.message",
    "created_at": 1,
    "thread_id": "thread",
    "role": "assistant",
    "status": "in_progress",
    "content": [],
    "metadata": {},
}


def thread_text(text: str) -> dict[str, Any]:
    return {"index": 0, "type": "text", "text": {"value": text, "annotations": []}}


def thread_delta(text: str) -> dict[str, Any]:
    return {"id": "msg", "object": "thread.message.delta", "delta": {"content": [thread_text(text)]}}


THREADS = [
    event(json.dumps(data), name)
    for name, data in [
        ("thread.created", {"id": "thread", "object": "thread", "created_at": 1, "metadata": {}}),
        ("thread.message.created", THREAD_MESSAGE),
        ("thread.message.delta", thread_delta("Hi, ")),
        ("thread.message.delta", thread_delta("you")),
        (
            "thread.message.completed",
            {**THREAD_MESSAGE, "status": "completed", "content": [thread_text("Hi, you")]},
        ),
    ]
] + [event("[DONE]", "done")]


class Seen:
    """Notes what a handler of assistants' events is told."""

    def __init__(self) -> None:
        super().__init__()
        self.seen: list[Any] = []


class Handler(Seen, AssistantEventHandler):
    def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.seen += [delta, snapshot.value]

    def on_message_done(self, message: Any) -> None:
        self.seen.append(message)


class AsyncHandler(Seen, AsyncAssistantEventHandler):
    async def on_text_delta(self, delta: Any, snapshot: Any) -> None:
        self.seen += [delta, snapshot.value]

    async def on_message_done(self, message: Any) -> None:
        self.seen.append(message)


def start_response(client: Any, mode: str) -> Any:
    if not hasattr(client.responses, "stream"):
        pytest.skip("this version has no such helper")
    return client.responses.stream(model="m", input="")


def start_message(client: Any, mode: str) -> Any:
    return client.messages.stream(model="m", max_tokens=1, messages=[])


def start_run(client: Any, mode: str) -> Any:
    handler = Handler() if mode == "sync" else AsyncHandler()
    return client.beta.threads.create_and_run_stream(assistant_id="a", event_handler=handler)


# By helper: the SDK, what its server sends, how to start, how to get what was made of it all, and how many
# events there are at least.
HELPERS: dict[str, tuple[str, list[bytes], Callable[[Any, str], Any], str, int]] = {
    "responses": ("openai", RESPONSES, start_response, "get_final_response", 9),
    "messages": ("anthropic", MESSAGES, start_message, "get_final_message", 14),
    "threads": ("openai", THREADS, start_run, "get_final_messages", 5),
}


def read(manager: Any, final: str, mode: str) -> list[Any]:
    """The events of a stream as they were when they came, what is made of them, and what a handler saw."""

    def kept(item: Any) -> Any:
        return item.model_copy(deep=True)

    async def read_async() -> list[Any]:
        async with manager as stream:
            events = [kept(item) async for item in stream]
            return [events, await getattr(stream, final)(), getattr(stream, "seen", None)]

    if mode == "async":
        return asyncio.run(read_async())
    with manager as stream:
        events = [kept(item) for item in stream]
        return [events, getattr(stream, final)(), getattr(stream, "seen", None)]


@pytest.mark.parametrize("mode", ["sync", "async"])
@pytest.mark.parametrize("helper", HELPERS)
def test_helpers_give_what_they_give_without_us(helper: str, mode: str, monkeypatch: Any) -> None:
    sdk, body, start, final, count = HELPERS[helper]
    stock = FakeServer(body).client(sdk, mode)
    fast = ssejet.accelerate(stock)
    expected = read(start(stock, mode), final, mode)
    assert len(expected[0]) >= count
    assert "Hi, you" in repr(expected[1])
    assert differences(read(start(fast, mode), final, mode), expected) == []
    with ssejet.install():
        assert differences(read(start(stock, mode), final, mode), expected) == []


def test_the_client_of_openais_module_is_fast_once_installed(monkeypatch: Any) -> None:
    server = FakeServer(RESPONSES)
    own = server.client("openai", "sync")
    monkeypatch.setattr(openai, "api_key", "key")
    monkeypatch.setattr(openai, "base_url", str(own.base_url))
    monkeypatch.setattr(openai, "http_client", own._client)
    monkeypatch.setattr(openai, "_client", None)
    expected = list(openai.responses.create(model="m", input="", stream=True))
    with ssejet.install():
        stream = openai.responses.create(model="m", input="", stream=True)
        assert stream._iterator.__name__ == "drive"
        assert differences(list(stream), expected) == []
