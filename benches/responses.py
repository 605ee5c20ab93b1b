"""`python -m benches.responses`: measures streams of the Responses API of ssejet and openai-python.

Both read the same bytes, from responses of httpx2 in memory, in one process. The turns alternate. The figures
are CPU time per event, with the request.
"""

from __future__ import annotations

import argparse
import gc
import importlib.metadata
import json
from collections import deque
from datetime import datetime, timezone
from pathlib import Path
from time import process_time_ns
from typing import TYPE_CHECKING, Any

import httpx2
import openai
from rich.console import Console

from benches import machine, report
from benches.harness import Cell, Samples
from benches.results import RESPONSES_DIRECTORY, Entrant, Results
from benches.workloads import ENGLISH, KIB, Description
from ssejet import Client

if TYPE_CHECKING:
    from collections.abc import Callable

SIZES = (1_000, 4_000, 16_000)
NAMES = {"bytes to typed events": "responses-typed", "responses.stream()": "responses-stream"}
RESPONSE = {
    "id": "resp_1",
    "object": "response",
    "created_at": 1,
    "model": "m",
    "error": None,
    "metadata": {},
}
RESPONSE |= {"parallel_tool_calls": True, "tool_choice": "auto", "tools": [], "incomplete_details": None}


def body_of(count: int) -> bytes:
    """A stream with a message of `count` deltas."""
    place = {"item_id": "msg_1", "output_index": 0, "content_index": 0}
    texts = [ENGLISH[index % len(ENGLISH)] for index in range(count)]
    part = {"type": "output_text", "text": "", "annotations": [], "logprobs": []}
    item = {"type": "message", "id": "msg_1", "role": "assistant", "status": "in_progress", "content": []}
    whole = {**item, "status": "completed", "content": [{**part, "text": "".join(texts)}]}
    events: list[dict[str, Any]] = [
        {"type": "response.created", "response": {**RESPONSE, "status": "in_progress", "output": []}},
        {"type": "response.output_item.added", "output_index": 0, "item": item},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": text, "logprobs": []} for text in texts),
        {"type": "response.output_text.done", **place, "text": "".join(texts), "logprobs": []},
        {"type": "response.output_item.done", "output_index": 0, "item": whole},
        {"type": "response.completed", "response": {**RESPONSE, "status": "completed", "output": [whole]}},
    ]
    lines = (
        f"event: {event['type']}\ndata: {json.dumps({**event, 'sequence_number': number})}\n\n"
        for number, event in enumerate(events)
    )
    return "".join(lines).encode()


class _Body(httpx2.SyncByteStream):
    def __init__(self, body: bytes) -> None:
        self._body = body

    def __iter__(self) -> Any:
        return (self._body[at : at + 64 * KIB] for at in range(0, len(self._body), 64 * KIB))


def programs(body: bytes) -> dict[str, tuple[Callable[[], Any], Callable[[], Any]]]:
    """For each subject, what ssejet's users and what openai-python's users run."""

    def answer(_: httpx2.Request) -> httpx2.Response:
        return httpx2.Response(200, headers={"content-type": "text/event-stream"}, stream=_Body(body))

    http = httpx2.Client(transport=httpx2.MockTransport(answer))
    ours = Client(api_key="none", base_url="http://none.test/v1", http_client=http)
    theirs = openai.OpenAI(api_key="none", base_url="http://none.test/v1", http_client=http)
    request: dict[str, Any] = {"model": "m", "input": "Hi!"}

    def follow(client: Any) -> Any:
        with client.responses.stream(**request) as stream:
            for event in stream:
                if event.type == "response.output_text.delta":
                    event.delta  # noqa: B018
            return stream.get_final_response()

    def read(client: Any) -> Any:
        return deque(client.responses.create(stream=True, **request), maxlen=1)[0].response

    return {
        "bytes to typed events": (lambda: read(ours), lambda: read(theirs)),
        "responses.stream()": (lambda: follow(ours), lambda: follow(theirs)),
    }


def measure(program: Callable[[], Any]) -> int:
    """The CPU time of a program, in nanoseconds."""
    gc.collect()
    start = process_time_ns()
    program()
    return process_time_ns() - start


def main() -> None:
    """Measure, write the results, and print the tables."""
    options = _options()
    ours, theirs = importlib.metadata.version("ssejet"), openai.__version__
    samples = Samples()
    gc.collect()
    gc.freeze()
    for size in SIZES:
        body = body_of(size)
        for title, (our, their) in programs(body).items():
            name = f"{NAMES[title]}-{size // 1000}k"
            assert our().output_text == their().output_text
            samples.workloads[name] = Description(
                f"Responses, {title}, {size:,} events", size, len(body), 64 * KIB
            )
            pairs = [(measure(our), measure(their)) for _ in range(options.rounds)]
            for contestant, times in zip((report.OURS, "openai"), zip(*pairs, strict=True), strict=True):
                samples.figures[Cell(name, contestant)] = [time / size for time in times]
    results = Results(
        date=datetime.now(timezone.utc).date().isoformat(),
        machine=machine.describe(),
        settings={"rounds": options.rounds},
        contestants={report.OURS: Entrant(ours, "Python"), "openai": Entrant(theirs, "Python")},
        samples=samples,
    )
    if options.output is not None or not options.quick:
        path = options.output or RESPONSES_DIRECTORY / f"{results.date}-{machine.slug()}.json"
        results.write(path)
        Console(stderr=True).print(f"written to {path}", style="green")
    report.show(results)


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m benches.responses", description=__doc__)
    parser.add_argument("--quick", action="store_true", help="a rough check: few rounds, no output file")
    parser.add_argument("--rounds", type=int, help="the number of rounds (default: 15)")
    parser.add_argument("--output", type=Path, help="the file for the results")
    options = parser.parse_args()
    options.rounds = options.rounds or (3 if options.quick else 15)
    return options


if __name__ == "__main__":
    main()
