"""`python -m benches.more_sdks`: the cost per chunk of the other SDKs, with ssejet and without.

The body comes from memory, one event per read, through the SDK's own HTTP client, whose cost is part of both
sides. The time is that of this process, from the response's head on: to make a request costs these SDKs some
milliseconds. Each figure is the best of several rounds, in which both take turns.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.metadata
import json
from dataclasses import dataclass
from time import process_time_ns
from typing import TYPE_CHECKING, Any

import httpx2
import huggingface_hub
from mistralai.client import Mistral

import ssejet
from benches.swap import Body
from benches.workloads import ENGLISH

if TYPE_CHECKING:
    from collections.abc import Callable

EVENTS = 1000
MESSAGES: Any = [{"role": "user", "content": "Hello!"}]


@dataclass
class Case:
    """A stream of an SDK.

    Attributes:
        connect: makes a client of a transport that answers all requests.
        open: opens a stream, or gives a coroutine that does.
        event: makes the data of an event of a text.
        event_type: the type of the events, if they have one.
    """

    package: str
    title: str
    connect: Callable[[Any], Any]
    open: Callable[[Any], Any]
    event: Callable[[str], dict[str, Any]]
    event_type: str | None = None

    def events(self) -> list[bytes]:
        """Return the body, cut into events."""
        head = f"event: {self.event_type}\n" if self.event_type else ""
        texts = (ENGLISH[index % len(ENGLISH)] for index in range(EVENTS))
        events = [f"{head}data: {json.dumps(self.event(text))}\n\n".encode() for text in texts]
        return events if self.event_type else [*events, b"data: [DONE]\n\n"]

    def clients(self) -> tuple[Any, Any]:
        """Make a client without ssejet, and one with it."""
        events = self.events()

        def answer(_: object) -> httpx2.Response:
            headers = {"content-type": "text/event-stream"}
            return httpx2.Response(200, headers=headers, stream=Body(iter(events)))

        client = self.connect(httpx2.MockTransport(answer))
        return client, ssejet.accelerate(client)


def _time(case: Case, client: Any) -> float:
    """Return the time per item in microseconds."""
    gc.collect()
    opened = case.open(client)
    if hasattr(opened, "__await__"):
        count, taken = asyncio.run(_read_async(opened))
    else:
        started = process_time_ns()
        count = sum(1 for _ in opened)
        taken = process_time_ns() - started
    assert count == EVENTS, f"{case.title}: {count} items of {EVENTS}"
    return taken / 1000 / EVENTS


async def _read_async(opening: Any) -> tuple[int, int]:
    opened, count = await opening, 0
    started = process_time_ns()
    async for _ in opened:
        count += 1
    return count, process_time_ns() - started


def _mistral(transport: Any) -> Any:
    http, asynchronous = httpx2.Client(transport=transport), httpx2.AsyncClient(transport=transport)
    return Mistral(api_key="none", server_url="http://memory.invalid", client=http, async_client=asynchronous)


def _mistral_chat(client: Any) -> Any:
    return client.chat.stream(model="none", messages=MESSAGES)


def _mistral_chat_async(client: Any) -> Any:
    return client.chat.stream_async(model="none", messages=MESSAGES)


def _mistral_conversation(client: Any) -> Any:
    return client.beta.conversations.start_stream(inputs="Hello!", model="none")


def _chunk(text: str, content: Any = None) -> dict[str, Any]:
    delta = {"content": text if content is None else content}
    return {
        "id": "cmpl-e5cc70bb28c444948073e77776eb30ef",
        "object": "chat.completion.chunk",
        "created": 1702256327,
        "model": "mistral-small-latest",
        "choices": [{"index": 0, "delta": delta, "finish_reason": None, "logprobs": None}],
    }


def _thinking(text: str) -> dict[str, Any]:
    return _chunk(text, [{"type": "thinking", "thinking": [{"type": "text", "text": text}]}])


def _output(text: str) -> dict[str, Any]:
    return {
        "type": "message.output.delta",
        "created_at": "2026-01-02T03:04:05.000000Z",
        "output_index": 0,
        "id": "msg_06829f6c2bbc7a6b8000e1e4e2f3c6d5",
        "content_index": 0,
        "model": "mistral-medium-latest",
        "role": "assistant",
        "content": text,
    }


def _inference(transport: Any) -> Any:
    huggingface_hub.set_client_factory(lambda: httpx2.Client(transport=transport))
    return huggingface_hub.InferenceClient("http://memory.invalid")


def _inference_chat(client: Any) -> Any:
    return client.chat_completion(MESSAGES, stream=True)


CASES = [
    Case("mistralai", "chat.stream", _mistral, _mistral_chat, _chunk),
    Case("mistralai", "chat.stream_async", _mistral, _mistral_chat_async, _chunk),
    Case("mistralai", "chat.stream, thinking", _mistral, _mistral_chat, _thinking),
    Case(
        "mistralai",
        "conversations.start_stream",
        _mistral,
        _mistral_conversation,
        _output,
        "message.output.delta",
    ),
    Case("huggingface_hub", "chat_completion", _inference, _inference_chat, _chunk),
]


def main() -> None:
    """Measure, and print a table."""
    parser = argparse.ArgumentParser(prog="python -m benches.more_sdks", description=__doc__)
    parser.add_argument("--rounds", type=int, default=7, help="the number of rounds (default: 7)")
    rounds = parser.parse_args().rounds
    print("| SDK | stream | µs a chunk, stock | with ssejet | |\n|---|---|---:|---:|---:|")
    for case in CASES:
        clients = case.clients()
        figures = [[_time(case, client) for client in clients] for _ in range(rounds)]
        stock, fast = (min(column) for column in zip(*figures, strict=True))
        name = f"{case.package} {importlib.metadata.version(case.package)}"
        print(f"| {name} | {case.title} | {stock:.1f} | {fast:.1f} | {stock / fast:.0f} × |", flush=True)


if __name__ == "__main__":
    main()
