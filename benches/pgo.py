"""The training run of profile-guided optimisation (`maturin build --pgo`): all workloads and interfaces.

It needs only what ssejet needs, because maturin installs nothing else. What is not run here becomes slower,
so a new path in Rust belongs here, too.
"""

from __future__ import annotations

import json
from collections import deque
from typing import TYPE_CHECKING, Any

import httpx

from benches.workloads import ENGLISH, KIB, all_workloads, chat_chunk
from ssejet import Decoder, Stream, encode
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream
from ssejet.messages import MessageStream, RawMessageStreamEvent
from ssejet.responses import ResponseStream, ResponseStreamEvent

if TYPE_CHECKING:
    from collections.abc import Iterable

PASSES = 20
EVENTS = 500
SIZE = 384
TEXTS = [ENGLISH[index % len(ENGLISH)] for index in range(EVENTS)]


def main() -> None:
    for _ in range(PASSES):
        for workload in all_workloads():
            feed = Decoder().feed
            for chunk in workload.chunks:
                feed(chunk)
            take_all(Decoder().iter_bytes(workload.chunks))
        take_all(Stream(answer(text_chunks()), cast_to=ChatCompletionChunk))
        take_all(Stream(answer(text_chunks()), cast_to=dict))
        take_all(ChatCompletionStream(Stream(answer(text_chunks()), cast_to=ChatCompletionChunk)))
        take_all(ChatCompletionStream(Stream(answer(tool_chunks()), cast_to=ChatCompletionChunk)))
        take_all(Stream(answer(message_events()), cast_to=RawMessageStreamEvent))
        take_all(MessageStream(Stream(answer(message_events()), cast_to=RawMessageStreamEvent)))
        take_all(Stream(answer(response_events()), cast_to=ResponseStreamEvent))
        take_all(ResponseStream(Stream(answer(response_events()), cast_to=ResponseStreamEvent)))
        for text in TEXTS:
            encode({"token": text})


def take_all(items: Iterable[Any]) -> None:
    deque(items, maxlen=0)


def answer(datas: list[str]) -> httpx.Response:
    """A response whose body is these events, in reads of 64 KiB."""
    body = b"".join(named(data) for data in datas)
    chunks = (body[at : at + 64 * KIB] for at in range(0, len(body), 64 * KIB))
    headers = {"content-type": "text/event-stream"}
    return httpx.Response(
        200, headers=headers, content=chunks, request=httpx.Request("POST", "http://none.test")
    )


def named(data: str) -> bytes:
    """The event of some data, with the type that its JSON names, if any."""
    kind = json.loads(data).get("type") if data.startswith('{"type"') else None
    return (f"event: {kind}\n" if kind else "").encode() + f"data: {data}\n\n".encode()


def text_chunks() -> list[str]:
    return chunks([{"role": "assistant", "content": ""}, *({"content": text} for text in TEXTS)])


def tool_chunks() -> list[str]:
    function = {"name": "order", "arguments": ""}
    first = {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]}
    more = ({"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in inputs())
    return chunks([first, *more])


def chunks(deltas: list[dict[str, Any]]) -> list[str]:
    return [*(chat_chunk(delta, size=SIZE) for delta in deltas), chat_chunk({}, "stop", SIZE), "[DONE]"]


def inputs() -> list[str]:
    """The JSON input of a tool, in pieces."""
    text = json.dumps({"items": [{"name": f"item {number}", "quantity": number} for number in range(50)]})
    return [text[at : at + 4] for at in range(0, len(text), 4)]


def message_events() -> list[str]:
    usage = {"input_tokens": 1, "output_tokens": 1}
    message = {"id": "m", "type": "message", "role": "assistant", "model": "m", "content": [], "usage": usage}
    message |= {"stop_reason": None, "stop_sequence": None}
    blocks: list[tuple[dict[str, Any], list[dict[str, Any]]]] = [
        ({"type": "text", "text": ""}, [{"type": "text_delta", "text": text} for text in TEXTS]),
        (
            {"type": "tool_use", "id": "t", "name": "order", "input": {}},
            [{"type": "input_json_delta", "partial_json": text} for text in inputs()],
        ),
    ]
    events: list[dict[str, Any]] = [{"type": "message_start", "message": message}]
    for index, (block, deltas) in enumerate(blocks):
        events.append({"type": "content_block_start", "index": index, "content_block": block})
        events += ({"type": "content_block_delta", "index": index, "delta": delta} for delta in deltas)
        events.append({"type": "content_block_stop", "index": index})
    stop = {"stop_reason": "end_turn", "stop_sequence": None}
    events += [{"type": "message_delta", "delta": stop, "usage": usage}, {"type": "message_stop"}]
    return [json.dumps(event) for event in events]


def response_events() -> list[str]:
    place = {"item_id": "i", "output_index": 0, "content_index": 0}
    response: dict[str, Any] = {"id": "r", "object": "response", "created_at": 1, "model": "m", "output": []}
    response |= {"status": "in_progress", "parallel_tool_calls": True, "tool_choice": "auto", "tools": []}
    part = {"type": "output_text", "text": "", "annotations": []}
    item = {"type": "message", "id": "i", "role": "assistant", "status": "in_progress", "content": []}
    whole = {**item, "status": "completed", "content": [{**part, "text": "".join(TEXTS)}]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": response},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in TEXTS),
        {"type": "response.output_text.done", **place, "text": "".join(TEXTS), "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": {**response, "status": "completed", "output": [whole]}},
    ]
    return [json.dumps({**event, "sequence_number": number}) for number, event in enumerate(events)]


if __name__ == "__main__":
    main()
