"""`python -m benches.swap`: measures the SDKs and event sources with ssejet and without.

The body comes from memory through the usual HTTP client, whose cost is part of both sides. `concurrent` is
the wall-clock time of this process on one core; its server runs on another one.
"""

from __future__ import annotations

import argparse
import asyncio
import gc
import importlib.metadata
import json
import os
import socket
import subprocess
import sys
import threading
from collections import deque
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import datetime, timezone
from pathlib import Path
from time import perf_counter_ns
from typing import TYPE_CHECKING, Any

import anthropic
import cohere
import httpx
import httpx2
import httpx_sse
import openai
from google import genai
from rich.console import Console

import ssejet
import ssejet.swap.httpx2
import ssejet.swap.httpx_sse
from benches import machine, report
from benches.chat import DONE
from benches.chat import workloads as chat_workloads
from benches.harness import Run, Samples, Turn
from benches.results import SWAP_DIRECTORY, Entrant, Results
from benches.workloads import ENGLISH, KIB, Workload

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MS = 1_000_000
SECOND = 1000
EVENTS = 2000
STREAMS = 200
EVENTS_PER_STREAM = 500


# The workloads


def workloads() -> dict[str, Workload]:
    """Return the streams, by the names that the goals use."""
    typed, helper = (chat_workloads()[name] for name in ("typed", "events"))
    messages = _named([_message(text) for text in _texts(EVENTS)], first=_MESSAGE_START)
    responses = _named([_response(text) for text in _texts(EVENTS)])
    chats = _named([_cohere_chat(text) for text in _texts(EVENTS)])
    gemini = _unnamed([_gemini(text, index) for index, text in enumerate(_texts(EVENTS))])
    short = b"\n\n".join(typed.body.split(b"\n\n")[:EVENTS_PER_STREAM]) + b"\n\n" + DONE
    made = []
    for size, name, title in ((64 * KIB, "", "64 KiB reads"), (0, "-per-event", "one event per read")):
        made += [
            Workload(f"create{name}", f"openai create, {title}", typed.body, typed.data, size),
            Workload(f"create-async{name}", f"openai create, async, {title}", typed.body, typed.data, size),
            Workload(f"helper{name}", f"openai .stream(), {title}", helper.body, helper.data, size),
            Workload(f"responses{name}", f"openai Responses, {title}", *responses, size),
            Workload(f"messages{name}", f"anthropic create, {title}", *messages, size),
            Workload(f"google-genai{name}", f"google-genai stream, {title}", *gemini, size),
            Workload(f"google-genai-async{name}", f"google-genai stream, async, {title}", *gemini, size),
            Workload(f"cohere{name}", f"cohere chat_stream, {title}", *chats, size),
            Workload(f"cohere-async{name}", f"cohere chat_stream, async, {title}", *chats, size),
            Workload(f"httpx-sse{name}", f"httpx-sse, {title}", typed.body, typed.data, size),
            Workload(f"httpx2{name}", f"httpx2 EventSource, {title}", typed.body, typed.data, size),
        ]
    # The data of all streams together, so that the harness knows how long a turn is.
    data = typed.data[:EVENTS_PER_STREAM] * STREAMS
    made.append(Workload("concurrent", f"{STREAMS} concurrent streams", short * STREAMS, data, 0))
    return {each.name: each for each in made}


def _texts(count: int) -> list[str]:
    return [ENGLISH[index % len(ENGLISH)] for index in range(count)]


def _message(text: str) -> dict[str, Any]:
    return {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": text}}


_MESSAGE_START: dict[str, Any] = {
    "type": "message_start",
    "message": {
        "id": "msg_01XFDUDYJgAACzvnptvVoYEL",
        "type": "message",
        "role": "assistant",
        "content": [],
        "model": "claude",
        "stop_reason": None,
        "stop_sequence": None,
        "usage": {"input_tokens": 25, "output_tokens": 1},
    },
}


def _response(text: str) -> dict[str, Any]:
    return {
        "type": "response.output_text.delta",
        "item_id": "msg_67c9fdcf37fc8190ba82116e33fb28c501b8b0ad29eb36f2",
        "output_index": 0,
        "content_index": 0,
        "delta": text,
        "sequence_number": 4,
        "logprobs": [],
        "obfuscation": "x" * (16 - len(text) % 16),
    }


def _cohere_chat(text: str) -> dict[str, Any]:
    return {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": text}}}}


def _gemini(text: str, index: int) -> dict[str, Any]:
    return {
        "candidates": [{"content": {"parts": [{"text": text}], "role": "model"}, "index": 0}],
        "usageMetadata": {
            "promptTokenCount": 25,
            "candidatesTokenCount": index,
            "totalTokenCount": 25 + index,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 25}],
        },
        "modelVersion": "gemini-3.0-flash",
        "responseId": "b2xhc2RmamxrYXNkZmpsa2E",
    }


def _unnamed(events: list[dict[str, Any]]) -> tuple[bytes, tuple[str, ...]]:
    data = tuple(json.dumps(event) for event in events)
    return "".join(f"data: {text}\n\n" for text in data).encode(), data


def _named(
    events: list[dict[str, Any]], first: dict[str, Any] | None = None
) -> tuple[bytes, tuple[str, ...]]:
    events = events if first is None else [first, *events]
    data = tuple(json.dumps(event) for event in events)
    body = "".join(
        f"event: {event['type']}\ndata: {text}\n\n" for event, text in zip(events, data, strict=True)
    )
    return body.encode(), data


# The contestants


@dataclass
class Body(httpx.SyncByteStream, httpx.AsyncByteStream, httpx2.SyncByteStream, httpx2.AsyncByteStream):
    """A body in memory that can be read once, in pieces of one size or by event."""

    pieces: Iterator[bytes]

    @classmethod
    def of(cls, workload: Workload) -> Body:
        pieces = workload.chunks if workload.read_size else _events(workload)
        return cls(iter(pieces))

    def __iter__(self) -> Iterator[bytes]:
        return self.pieces

    async def __aiter__(self) -> AsyncIterator[bytes]:
        for piece in self.pieces:
            yield piece


def _events(workload: Workload) -> list[bytes]:
    return [event + b"\n\n" for event in workload.body.split(b"\n\n")[:-1]]


@dataclass
class Reader:
    """Reads a stream with a client, and looks at every item."""

    name: str
    version: str
    read: Callable[[Any, Callable[[Any], object]], Any]
    connect: Callable[[Any], Any]
    http: Any = httpx2.Client
    language: str = "Python"
    clients: dict[str, Any] = field(default_factory=dict)

    def check(self, workload: Workload) -> str | None:
        seen: list[Any] = []
        self._read(self._client(workload), seen.append)
        return None if len(seen) == len(workload.data) else f"{len(seen)} items of {len(workload.data)}"

    def time(self, workload: Workload, passes: int) -> int:
        client = self._client(workload)
        forget = deque[Any](maxlen=0).append
        gc.collect()
        started = perf_counter_ns()
        for _ in range(passes):
            self._read(client, forget)
        return perf_counter_ns() - started

    def _read(self, client: Any, keep: Callable[[Any], object]) -> None:
        reading = self.read(client, keep)
        if reading is not None:
            asyncio.run(reading)

    def _client(self, workload: Workload) -> Any:
        if workload.name not in self.clients:
            package = httpx if self.http in {httpx.Client, httpx.AsyncClient} else httpx2

            def answer(_: object) -> Any:
                headers = {"content-type": "text/event-stream"}
                return package.Response(200, headers=headers, stream=Body.of(workload))

            transport = package.MockTransport(answer)
            self.clients[workload.name] = self.connect(self.http(transport=transport))
        return self.clients[workload.name]


OPENAI: dict[str, Any] = {"api_key": "none", "base_url": "http://memory.invalid/v1"}
CHAT: dict[str, Any] = {"model": "none", "messages": []}


def _create(client: Any, keep: Callable[[Any], object]) -> None:
    for chunk in client.chat.completions.create(**CHAT, stream=True):
        keep(chunk)


async def _acreate(client: Any, keep: Callable[[Any], object]) -> None:
    async for chunk in await client.chat.completions.create(**CHAT, stream=True):
        keep(chunk)


def _helper(client: Any, keep: Callable[[Any], object]) -> None:
    with client.chat.completions.stream(**CHAT) as stream:
        for event in stream:
            if event.type == "chunk":
                keep(event)


def _responses(client: Any, keep: Callable[[Any], object]) -> None:
    for event in client.responses.create(model="none", input="", stream=True):
        keep(event)


def _messages(client: Any, keep: Callable[[Any], object]) -> None:
    for event in client.messages.create(model="none", max_tokens=1, messages=[], stream=True):
        keep(event)


def _generate(client: Any, keep: Callable[[Any], object]) -> None:
    for chunk in client.models.generate_content_stream(model="none", contents=""):
        keep(chunk)


async def _agenerate(client: Any, keep: Callable[[Any], object]) -> None:
    async for chunk in await client.aio.models.generate_content_stream(model="none", contents=""):
        keep(chunk)


def _chat_stream(client: Any, keep: Callable[[Any], object]) -> None:
    for event in client.chat_stream(**CHAT):
        keep(event)


async def _achat_stream(client: Any, keep: Callable[[Any], object]) -> None:
    async for event in client.chat_stream(**CHAT):
        keep(event)


def _google(http: Any) -> Any:
    key = "httpx_async_client" if isinstance(http, httpx.AsyncClient) else "httpx_client"
    return genai.Client(api_key="none", http_options={"base_url": "http://memory.invalid", key: http})


def _cohere(http: Any) -> Any:
    cls = cohere.AsyncClientV2 if isinstance(http, httpx.AsyncClient) else cohere.ClientV2
    return cls(api_key="none", httpx_client=http)


def _httpx_sse(module: Any) -> Callable[[Any, Callable[[Any], object]], None]:
    def read(client: Any, keep: Callable[[Any], object]) -> None:
        with module.connect_sse(client, "GET", "http://memory.invalid") as source:
            for event in source.iter_sse():
                if event.data != "[DONE]":
                    keep(event)

    return read


def _httpx2(module: Any) -> Callable[[Any, Callable[[Any], object]], None]:
    def read(client: Any, keep: Callable[[Any], object]) -> None:
        with client.stream("GET", "http://memory.invalid") as response:
            for event in module.EventSource(response):
                if event.data != "[DONE]":
                    keep(event)

    return read


@dataclass
class Crowd:
    """Reads many streams at once with one client, over real connections."""

    name: str
    version: str
    connect: Callable[[openai.AsyncOpenAI], Any]
    url: str
    language: str = "Python"

    def check(self, workload: Workload) -> str | None:
        seen = asyncio.run(self._read(1))
        return None if seen == len(workload.data) else f"{seen} items of {len(workload.data)}"

    def time(self, _: Workload, passes: int) -> int:
        gc.collect()
        started = perf_counter_ns()
        asyncio.run(self._read(passes))
        return perf_counter_ns() - started

    async def _read(self, passes: int) -> int:
        limits = httpx2.Limits(max_connections=STREAMS)
        async with httpx2.AsyncClient(verify=False, limits=limits, timeout=60) as http:
            client = self.connect(openai.AsyncOpenAI(api_key="none", base_url=self.url, http_client=http))
            counts = await asyncio.gather(*(self._read_one(client, passes) for _ in range(STREAMS)))
        return sum(counts)

    async def _read_one(self, client: Any, passes: int) -> int:
        count = 0
        for _ in range(passes):
            async for _chunk in await client.chat.completions.create(**CHAT, stream=True):
                count += 1
        return count


@contextmanager
def _server() -> Iterator[str]:
    """A process that sends the `concurrent` workload; gives its URL."""
    command = [sys.executable, "-m", "benches.swap", "--serve"]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        try:
            yield f"http://127.0.0.1:{process.stdout.readline().strip()}"
        finally:
            process.communicate()  # the end of its input ends it


def _serve() -> None:
    """Send the stream to each client, one HTTP chunk per event, faster than it is read."""
    _pin(1)
    events = _events(workloads()["concurrent"])[: EVENTS_PER_STREAM + 1]  # and the sentinel
    chunks = b"".join(b"%x\r\n%b\r\n" % (len(event), event) for event in events) + b"0\r\n\r\n"
    head = b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n"

    def answer(connection: socket.socket) -> None:
        with suppress(ConnectionError), connection, connection.makefile("rb") as request:
            while request.readline():
                length = 0
                while line := request.readline().strip():
                    name, _, value = line.partition(b":")
                    length = int(value) if name.lower() == b"content-length" else length
                request.read(length)
                connection.sendall(head + chunks)

    def accept() -> None:
        while True:
            threading.Thread(target=answer, args=(listener.accept()[0],), daemon=True).start()

    with socket.create_server(("127.0.0.1", 0), backlog=STREAMS) as listener:
        print(listener.getsockname()[1], flush=True)
        threading.Thread(target=accept, daemon=True).start()
        sys.stdin.read()


def _pin(core: int) -> None:
    """Run on one core only, if the system supports it and has several."""
    if hasattr(os, "sched_setaffinity") and (os.cpu_count() or 1) > core:
        os.sched_setaffinity(0, {core})


# The run


def main() -> None:
    options = _options()
    if options.serve:
        _serve()
        return
    console = Console(stderr=True)
    streams = workloads()
    versions = {
        name: importlib.metadata.version(name)
        for name in ("openai", "anthropic", "google-genai", "cohere", "httpx-sse", "httpx2")
    }
    ours = importlib.metadata.version("ssejet")
    samples = Samples()

    def measure(name: str, *contestants: Any, slice: int = options.slice) -> None:
        names = [each for each in (name, f"{name}-per-event") if each in streams]
        run = Run([streams[each] for each in names], list(contestants), options.rounds, slice * MS)

        def watch(turn: Turn) -> None:
            console.print(f"{turn.doing}: {turn.contestant.name}, {turn.workload.title}", style="dim")

        measured = run.measure(watch if options.verbose else lambda _: None)
        samples.workloads |= measured.workloads
        samples.figures |= measured.figures
        samples.wrong |= measured.wrong

    def pair(sdk: str, read: Any, make: Any, http: Any = httpx2.Client) -> list[Reader]:
        return [
            Reader("ssejet", ours, read, lambda http: ssejet.accelerate(make(http)), http),
            Reader(sdk, versions[sdk], read, make, http),
        ]

    def sources(name: str, read: Any, stock: Any, swap: Any, http: Any) -> list[Reader]:
        return [
            Reader("ssejet", ours, read(swap), lambda http: http, http),
            Reader(name, versions[name], read(stock), lambda http: http, http),
        ]

    def sync_openai(http: Any) -> Any:
        return openai.OpenAI(**OPENAI, http_client=http)

    gc.collect()
    gc.freeze()
    measure("create", *pair("openai", _create, sync_openai))
    measure(
        "create-async",
        *pair(
            "openai",
            _acreate,
            lambda http: openai.AsyncOpenAI(**OPENAI, http_client=http),
            httpx2.AsyncClient,
        ),
    )
    measure("helper", *pair("openai", _helper, sync_openai))
    measure("responses", *pair("openai", _responses, sync_openai))
    measure(
        "messages",
        *pair("anthropic", _messages, lambda http: anthropic.Anthropic(**OPENAI, http_client=http)),
    )
    for sdk, make, read, aread in (
        ("google-genai", _google, _generate, _agenerate),
        ("cohere", _cohere, _chat_stream, _achat_stream),
    ):
        measure(sdk, *pair(sdk, read, make, httpx.Client))
        measure(f"{sdk}-async", *pair(sdk, aread, make, httpx.AsyncClient))
    measure("httpx-sse", *sources("httpx-sse", _httpx_sse, httpx_sse, ssejet.swap.httpx_sse, httpx.Client))
    measure("httpx2", *sources("httpx2", _httpx2, httpx2, ssejet.swap.httpx2, httpx2.Client))
    _pin(0)
    with _server() as url:
        measure(
            "concurrent",
            Crowd("ssejet", ours, ssejet.accelerate, url),
            Crowd("openai", versions["openai"], lambda client: client, url),
            slice=SECOND,
        )
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": options.rounds, "slice_ms": options.slice},
        contestants={
            name: Entrant(version, "Python") for name, version in {"ssejet": ours, **versions}.items()
        },
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or SWAP_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        console.print(f"written to {path}", style="green")
    report.show(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.swap", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="short slices, few rounds, nothing written")
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 15)")
    parser.add_argument(
        "--output", type=Path, help="the file for the results (default: in benches/results/swap/)"
    )
    parser.add_argument("--verbose", action="store_true", help="print what is being measured")
    parser.add_argument("--serve", action="store_true", help=argparse.SUPPRESS)
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.slice = 20 if options.quick else 100
    return options


if __name__ == "__main__":
    main()
