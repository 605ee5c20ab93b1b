"""`python -m benches.chat`: measures chat streams of ssejet and openai-python on the same bytes.

It measures how long a program reads a stream, from the first byte of the body to the last event. In most
workloads, httpx2 reads the body from memory. In the loopback workload, another process serves the body, and
the figures are the CPU time of this process.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.metadata
import json
import socket
import subprocess
import sys
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from itertools import pairwise
from pathlib import Path
from time import perf_counter_ns, process_time_ns
from typing import Any

import httpx
import httpx2
import openai
from pydantic import BaseModel
from rich.console import Console

from benches import machine, report
from benches.harness import Run, Samples, Turn
from benches.results import CHAT_DIRECTORY, Entrant, Results
from benches.workloads import CHAT_EVENT_BYTES, ENGLISH, KIB, Workload, chat_chunk
from ssejet import AsyncStream, Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream

Keep = Callable[[Any], object]

MS = 1_000_000
EVENTS = 2000
TOOL_EVENT_BYTES = 384
PAUSE = 0.0002
DONE = b"data: [DONE]\n\n"
STRICT_TOOL: Any = {
    "type": "function",
    "function": {"name": "order", "strict": True, "parameters": {"type": "object"}},
}
REQUEST: dict[str, Any] = {"model": "none", "messages": []}


class Item(BaseModel):
    name: str
    note: str
    quantity: int
    price: float
    tags: list[str]


class Order(BaseModel):
    items: list[Item]
    paid: bool


# The workloads


def workloads() -> dict[str, Workload]:
    """The workloads, by the names that `benches.goals` uses."""
    made = [
        _stream("typed", "chat chunks", words(EVENTS)),
        _stream("events", "chat events", words(EVENTS)),
        _stream("structured", "chat events, structured output", order_pieces(EVENTS)),
        _stream("text-1k", "chat events, 1,000 chunks", words(1000)),
        _stream("text-16k", "chat events, 16,000 chunks", words(16_000)),
        _stream("tool-1k", "a strict tool call, 1,000 chunks", order_pieces(1000), tool=True),
        _stream("tool-16k", "a strict tool call, 16,000 chunks", order_pieces(16_000), tool=True),
        _stream("loopback", "chat chunks over loopback, one per write", words(500)),
    ]
    return {each.name: each for each in made}


def _stream(name: str, title: str, texts: list[str], *, tool: bool = False) -> Workload:
    if tool:
        function = {"name": "order", "arguments": ""}
        deltas: list[dict[str, object]] = [
            {"tool_calls": [{"index": 0, "id": "c", "type": "function", "function": function}]},
            *({"tool_calls": [{"index": 0, "function": {"arguments": text}}]} for text in texts[1:-1]),
        ]
    else:
        deltas = [{"role": "assistant", "content": ""}, *({"content": text} for text in texts[1:-1])]
    size = TOOL_EVENT_BYTES if tool else CHAT_EVENT_BYTES
    data = [*(chat_chunk(delta, size=size) for delta in deltas), chat_chunk({}, "stop", size)]
    body = "".join(f"data: {each}\n\n" for each in data).encode() + DONE
    return Workload(name, title, body, tuple(data), 64 * KIB)


def words(count: int) -> list[str]:
    return [ENGLISH[index % len(ENGLISH)] for index in range(count)]


def order_pieces(count: int) -> list[str]:
    """Split the JSON of an order into `count` pieces. The first and the last piece are empty."""
    items: list[dict[str, object]] = []
    size = 4 * (count - 2)
    while len(text := json.dumps({"items": items, "paid": True})) < size:
        tags = ["blue", "spare"]
        note = "the quick brown fox"
        items.append({"name": f"item {len(items)}", "note": note, "quantity": 2, "price": 9.75, "tags": tags})
    step = len(text) / (count - 2)
    places = [round(index * step) for index in range(count - 1)]
    return ["", *(text[start:end] for start, end in pairwise(places)), ""]


# The contestants


@dataclass
class Reader:
    """A program that reads a stream, and passes what a user would read to `keep`."""

    name: str
    version: str
    read: Callable[[Any, Keep], None]
    connect: Callable[[httpx2.Client], Any]
    clock: Callable[[], int] = perf_counter_ns
    language: str = "Python"
    clients: dict[str, Any] = field(default_factory=dict)

    def check(self, workload: Workload) -> str | None:
        seen: list[Any] = []
        self.read(self._client(workload), seen.append)
        expected = _expected(workload)
        if seen and not isinstance(seen[0], str):  # partial parses; the last one is complete
            return None if seen[-1] == json.loads(expected) else f"it ends with {str(seen[-1])[-60:]}"
        return (
            None
            if "".join(seen) == expected
            else f"{len(''.join(seen))} characters instead of {len(expected)}"
        )

    def time(self, workload: Workload, passes: int) -> int:
        client = self._client(workload)
        discard = deque[Any](maxlen=0).append
        gc.collect()
        started = self.clock()
        for _ in range(passes):
            self.read(client, discard)
        return self.clock() - started

    def _client(self, workload: Workload) -> Any:
        if workload.name not in self.clients:
            transport = httpx2.MockTransport(lambda _: _response(workload))
            base = "http://memory.invalid/v1"
            self.clients[workload.name] = self.connect(httpx2.Client(transport=transport, base_url=base))
        return self.clients[workload.name]


def _response(workload: Workload) -> httpx2.Response:
    headers = {"content-type": "text/event-stream"}
    return httpx2.Response(200, headers=headers, content=iter(workload.chunks))


def _expected(workload: Workload) -> str:
    """The complete text of a stream, or the arguments of its tool call."""
    parts = []
    for data in workload.data:
        delta = json.loads(data)["choices"][0]["delta"]
        calls = delta.get("tool_calls") or [{"function": {"arguments": delta.get("content", "")}}]
        parts.append(calls[0]["function"]["arguments"])
    return "".join(parts)


def _openai(http: httpx2.Client) -> openai.OpenAI:
    return openai.OpenAI(api_key="none", base_url=str(http.base_url), http_client=http)


def _our_chunks(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/chat/completions") as response:
        for chunk in Stream(response, cast_to=ChatCompletionChunk):
            keep(chunk.choices[0].delta.content or "")


def _openai_chunks(client: openai.OpenAI, keep: Keep) -> None:
    for chunk in client.chat.completions.create(**REQUEST, stream=True):
        keep(chunk.choices[0].delta.content or "")


def _our_events(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/chat/completions") as response:
        for event in ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk)):
            if event.type == "content.delta":
                keep(event.delta)


def _openai_events(client: openai.OpenAI, keep: Keep) -> None:
    with client.chat.completions.stream(**REQUEST) as stream:
        for event in stream:
            if event.type == "content.delta":
                keep(event.delta)


def _our_parses(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/chat/completions") as response:
        stream = Stream(response, cast_to=ChatCompletionChunk)
        for event in ChatCompletionStream(stream, response_format=Order):
            if event.type == "content.delta":
                keep(event.parsed)


def _openai_parses(client: openai.OpenAI, keep: Keep) -> None:
    with client.chat.completions.stream(**REQUEST, response_format=Order) as stream:
        for event in stream:
            if event.type == "content.delta":
                keep(event.parsed)


def _our_call(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/chat/completions") as response:
        stream = Stream(response, cast_to=ChatCompletionChunk)
        for event in ChatCompletionStream(stream, input_tools=[STRICT_TOOL]):
            if event.type == "tool_calls.function.arguments.delta":
                keep(event.arguments_delta)


def _openai_call(client: openai.OpenAI, keep: Keep) -> None:
    with client.chat.completions.stream(**REQUEST, tools=[STRICT_TOOL]) as stream:
        for event in stream:
            if event.type == "tool_calls.function.arguments.delta":
                keep(event.arguments_delta)


def _our_parsed_call(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/chat/completions") as response:
        stream = Stream(response, cast_to=ChatCompletionChunk)
        for event in ChatCompletionStream(stream, input_tools=[STRICT_TOOL]):
            if event.type == "tool_calls.function.arguments.delta":
                keep(event.parsed_arguments)


@dataclass
class LoopbackReader:
    """A program that reads a server's stream with asyncio. The server sends one event per write."""

    name: str
    version: str
    read: Callable[[httpx.Response, Keep], Any]
    url: str
    loop: asyncio.AbstractEventLoop
    language: str = "Python"

    def check(self, workload: Workload) -> str | None:
        seen: list[Any] = []
        self.loop.run_until_complete(self._read(1, seen.append))
        if isinstance(seen[0], bytes):
            return None if b"".join(seen) == workload.body else "the body differs from what the server sent"
        return None if "".join(seen) == _expected(workload) else "the text differs from what the server sent"

    def time(self, workload: Workload, passes: int) -> int:
        discard = deque[Any](maxlen=0).append
        gc.collect()
        started = process_time_ns()
        self.loop.run_until_complete(self._read(passes, discard))
        return process_time_ns() - started

    async def _read(self, passes: int, keep: Keep) -> None:
        async with httpx.AsyncClient(verify=False) as client:
            for _ in range(passes):
                async with client.stream("GET", self.url) as response:
                    await self.read(response, keep)


async def _bytes_alone(response: httpx.Response, keep: Keep) -> None:
    async for data in response.aiter_bytes():
        keep(data)


async def _typed_chunks(response: httpx.Response, keep: Keep) -> None:
    async for chunk in AsyncStream(response, cast_to=ChatCompletionChunk):
        keep(chunk.choices[0].delta.content or "")


# The server of the loopback workload


@contextmanager
def _server() -> Iterator[str]:
    """Start the server process of the loopback workload, and yield its URL."""
    command = [sys.executable, "-m", "benches.chat", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}/"
        finally:
            process.communicate()  # closes its standard input, so that it exits


def _serve() -> None:
    """Send the stream for each request, until standard input closes.

    After each event, the server pauses, so that the client waits for the next one, as with a language model.
    Without the pause, the number of events per read would depend on the speed of both processes.
    """
    body = workloads()["loopback"].body
    events = [event + b"\n\n" for event in body.split(b"\n\n")[:-1]]
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with suppress(ConnectionError), connection, connection.makefile("rb") as request:
            while request.readline():
                while request.readline().strip():
                    pass
                connection.sendall(head)
                for event in events:
                    connection.sendall(b"%x\r\n%b\r\n" % (len(event), event))
                    time.sleep(PAUSE)
                connection.sendall(b"0\r\n\r\n")

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0)) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()


# The run


def main() -> None:
    options = _options()
    if options.serve:
        _serve()
        return
    console = Console(stderr=True)
    streams = workloads()
    ours, theirs = importlib.metadata.version("ssejet"), importlib.metadata.version("openai")
    samples = Samples()

    def measure(names: list[str], contestants: list[Any]) -> None:
        run = Run([streams[name] for name in names], contestants, options.rounds, options.slice * MS)

        def watch(turn: Turn) -> None:
            console.print(f"{turn.doing}: {turn.contestant.name}, {turn.workload.title}", style="dim")

        measured = run.measure(watch if options.verbose else lambda _: None)
        samples.workloads |= measured.workloads
        samples.figures |= measured.figures
        samples.wrong |= measured.wrong

    def pair(our: Callable[[Any, Keep], None], their: Callable[[Any, Keep], None]) -> list[Reader]:
        return [
            Reader("ssejet", ours, our, lambda http: http),
            Reader("openai", theirs, their, _openai),
        ]

    with _server() as url:
        gc.collect()
        gc.freeze()
        measure(["typed"], pair(_our_chunks, _openai_chunks))
        measure(["events"], pair(_our_events, _openai_events))
        measure(["structured"], pair(_our_parses, _openai_parses))
        measure(["text-1k", "text-16k"], pair(_our_events, _openai_events)[:1])
        measure(
            ["tool-1k", "tool-16k"],
            [
                *pair(_our_call, _openai_call)[:1],
                Reader("ssejet, parsed", ours, _our_parsed_call, lambda http: http),
            ],
        )
        loop = asyncio.new_event_loop()
        http = importlib.metadata.version("httpx")
        measure(
            ["loopback"],
            [
                LoopbackReader("ssejet", ours, _typed_chunks, url, loop),
                LoopbackReader("aiter_bytes", http, _bytes_alone, url, loop),
            ],
        )
        loop.close()
    entrants = {"ssejet": ours, "ssejet, parsed": ours, "openai": theirs, "aiter_bytes": http}
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": options.rounds, "slice_ms": options.slice},
        contestants={name: Entrant(version, "Python") for name, version in entrants.items()},
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or CHAT_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        console.print(f"written to {path}", style="green")
    report.show(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.chat", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a rough check: short slices, few rounds, no output file"
    )
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 15)")
    parser.add_argument("--output", type=Path, help="the file for the results")
    parser.add_argument("--verbose", action="store_true", help="print each step")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.slice = 20 if options.quick else 100
    return options


if __name__ == "__main__":
    main()
