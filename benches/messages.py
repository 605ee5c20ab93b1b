"""`python -m benches.messages`: measures Messages streams of ssejet and anthropic on the same bytes.

It measures how long a program reads a stream, from the first byte of the body to the last event. httpx2 reads
the body from memory.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
from datetime import datetime, timezone
from pathlib import Path
from typing import TYPE_CHECKING, Any

import anthropic
from rich.console import Console

from benches import machine, report
from benches.chat import MS, Keep, Reader, order_pieces, words
from benches.harness import Run, Samples
from benches.results import MESSAGES_DIRECTORY, Entrant, Results
from benches.workloads import KIB, Workload
from ssejet import Stream
from ssejet.messages import MessageStream, RawMessageStreamEvent

if TYPE_CHECKING:
    from collections.abc import Callable

    import httpx2

EVENTS = 2000
REQUEST: dict[str, Any] = {"model": "none", "max_tokens": 1, "messages": []}


# The workloads


def workloads() -> dict[str, Workload]:
    """The workloads, by the names that `benches.goals` uses."""
    made = [
        _stream("messages-typed", "Messages, typed events", words(EVENTS)),
        _stream("messages-text", "Messages, events of text", words(EVENTS)),
        _stream("messages-tool", "Messages, events of a tool's input", order_pieces(EVENTS), tool=True),
        _stream("messages-parsed", "Messages, a tool's input so far", order_pieces(EVENTS), tool=True),
        _stream("messages-text-1k", "Messages, events of text, 1,000 events", words(1000)),
        _stream("messages-text-16k", "Messages, events of text, 16,000 events", words(16_000)),
        _stream(
            "messages-tool-1k", "Messages, a tool's input so far, 1,000 events", order_pieces(1000), tool=True
        ),
        _stream(
            "messages-tool-16k",
            "Messages, a tool's input so far, 16,000 events",
            order_pieces(16_000),
            tool=True,
        ),
    ]
    return {each.name: each for each in made}


def _stream(name: str, title: str, texts: list[str], *, tool: bool = False) -> Workload:
    usage = {"input_tokens": 25, "output_tokens": 1}
    message = {"id": "msg_1", "type": "message", "role": "assistant", "model": "none", "content": []}
    if tool:
        block: dict[str, Any] = {"type": "tool_use", "id": "toolu_1", "name": "order", "input": {}}
        deltas = [{"type": "input_json_delta", "partial_json": text} for text in texts]
    else:
        block = {"type": "text", "text": ""}
        deltas = [{"type": "text_delta", "text": text} for text in texts]
    end = {"stop_reason": "tool_use" if tool else "end_turn", "stop_sequence": None}
    events: list[dict[str, Any]] = [
        {"type": "message_start", "message": {**message, "stop_reason": None, "usage": usage}},
        {"type": "content_block_start", "index": 0, "content_block": block},
        *({"type": "content_block_delta", "index": 0, "delta": delta} for delta in deltas),
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": end, "usage": {"output_tokens": 15}},
        {"type": "message_stop"},
    ]
    data = [json.dumps(event, separators=(",", ":")) for event in events]
    named = zip(events, data, strict=True)
    body = "".join(f"event: {event['type']}\ndata: {text}\n\n" for event, text in named).encode()
    return Workload(name, title, body, tuple(data), 64 * KIB)


# The contestants


class MessageReader(Reader):
    """A program that reads a stream of the Messages API."""

    def check(self, workload: Workload) -> str | None:
        seen: list[Any] = []
        self.read(self._client(workload), seen.append)
        expected = "".join(_delta_text(data) for data in workload.data)
        if seen and not isinstance(seen[0], str):  # inputs so far; the last one is complete
            return None if seen[-1] == json.loads(expected) else f"it ends with {str(seen[-1])[-60:]}"
        return None if "".join(seen) == expected else "the text differs from what was sent"


def _delta_text(data: str) -> str:
    delta = json.loads(data).get("delta", {})
    text: str = delta.get("text") or delta.get("partial_json") or ""
    return text


def _anthropic(http: httpx2.Client) -> anthropic.Anthropic:
    return anthropic.Anthropic(api_key="none", base_url="http://memory.invalid", http_client=http)


def _our_items(http: httpx2.Client, keep: Keep) -> None:
    with http.stream("POST", "/messages") as response:
        for event in Stream(response, cast_to=RawMessageStreamEvent):
            if event.type == "content_block_delta":
                keep(event.delta.text)


def _their_items(client: anthropic.Anthropic, keep: Keep) -> None:
    for event in client.messages.create(**REQUEST, stream=True):
        if event.type == "content_block_delta":
            keep(event.delta.text)


def _ours(kind: str, name: str) -> Callable[[Any, Keep], None]:
    def read(http: httpx2.Client, keep: Keep) -> None:
        with http.stream("POST", "/messages") as response:
            for event in MessageStream(Stream(response, cast_to=RawMessageStreamEvent)):
                if event.type == kind:
                    keep(getattr(event, name))

    return read


def _theirs(kind: str, name: str) -> Callable[[Any, Keep], None]:
    def read(client: anthropic.Anthropic, keep: Keep) -> None:
        with client.messages.stream(**REQUEST) as stream:
            for event in stream:
                if event.type == kind:
                    keep(getattr(event, name))

    return read


# The run


def main() -> None:
    options = _options()
    console = Console(stderr=True)
    streams = workloads()
    ours, theirs = importlib.metadata.version("ssejet"), importlib.metadata.version("anthropic")
    samples = Samples()

    def measure(names: list[str], our: Any, their: Any = None) -> None:
        readers = [MessageReader("ssejet", ours, our, lambda http: http)]
        if their is not None:
            readers.append(MessageReader("anthropic", theirs, their, _anthropic))
        run = Run([streams[name] for name in names], readers, options.rounds, options.slice * MS)
        measured = run.measure()
        samples.workloads |= measured.workloads
        samples.figures |= measured.figures
        samples.wrong |= measured.wrong

    gc.collect()
    gc.freeze()
    text, piece, so_far = ("text", "text"), ("input_json", "partial_json"), ("input_json", "snapshot")
    measure(["messages-typed"], _our_items, _their_items)
    measure(["messages-text"], _ours(*text), _theirs(*text))
    measure(["messages-tool"], _ours(*piece), _theirs(*piece))
    measure(["messages-parsed"], _ours(*so_far), _theirs(*so_far))
    measure(["messages-text-1k", "messages-text-16k"], _ours(*text))
    measure(["messages-tool-1k", "messages-tool-16k"], _ours(*so_far))
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": options.rounds, "slice_ms": options.slice},
        contestants={"ssejet": Entrant(ours, "Python"), "anthropic": Entrant(theirs, "Python")},
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or MESSAGES_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        console.print(f"written to {path}", style="green")
    report.show(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.messages", description=__doc__)
    parser.add_argument(
        "--quick", action="store_true", help="a rough check: short slices, few rounds, no output file"
    )
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 15)")
    parser.add_argument("--output", type=Path, help="the file for the results")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    options.slice = 20 if options.quick else 100
    return options


if __name__ == "__main__":
    main()
