"""From bytes to chat events, at random: ``python tests/fuzz_streams.py [--seconds 60] [--seed 0]``.

Bodies are put together from what servers send, what they should not send, and noise, and are cut anywhere.
Printed are how many bodies were read, in how many ways, and how each ended; ends with status 1 and the body
if anything but an ``SSEError`` came out.
"""

from __future__ import annotations

import argparse
import json
import sys
import traceback
from collections import Counter
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from random import Random
from time import perf_counter
from typing import TYPE_CHECKING, Any, NamedTuple

import msgspec
import pydantic
from typing_extensions import TypedDict

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

sys.path.insert(0, str(Path(__file__).parent))

from ssejet import SSEError, Stream
from ssejet.chat import ChatCompletionChunk, ChatCompletionStream


class AStruct(msgspec.Struct):
    a: int = 0
    b: str = ""


@dataclass
class ADataclass:
    a: int = 0
    b: str = ""


class ATypedDict(TypedDict, total=False):
    a: int
    b: str


class ATuple(NamedTuple):
    a: int
    b: str = ""


class AModel(pydantic.BaseModel):
    a: int = 0
    b: str = ""


class Response:
    """A response of no HTTP client, with whatever headers a server likes."""

    def __init__(self, chunks: list[bytes], content_type: str) -> None:
        self._chunks = chunks
        self.headers = {"content-type": content_type}
        self.status_code = 200
        self.is_closed = False

    def iter_bytes(self) -> Iterator[bytes]:
        yield from self._chunks

    def close(self) -> None:
        self.is_closed = True


def read_items(cast_to: Any) -> Callable[[Any], None]:
    def read(response: Any) -> None:
        for item in Stream(response, cast_to=cast_to):
            if cast_to not in (None, dict):  # Python's own are nested deeper than it can show
                repr(item)

    return read


def read_events(response: Any) -> None:
    for event in Stream(response).events():
        repr(event)
        with suppress(ValueError, RecursionError):
            event.json()


def read_chat(response: Any) -> None:
    stream = ChatCompletionStream(Stream(response, cast_to=ChatCompletionChunk))
    for event in stream:
        repr(event)
    completion = stream.get_final_completion()
    repr(completion)
    completion.to_dict()
    completion.to_json()
    for choice in completion.choices:
        choice.message.to_param()


ITEM_READERS: dict[str, Callable[[Any], None]] = {
    "events": read_events,
    **{
        getattr(kind, "__name__", str(kind)): read_items(kind)
        for kind in (None, dict, AStruct, ADataclass, ATypedDict, ATuple, AModel, ChatCompletionChunk)
    },
}
READERS = {**ITEM_READERS, "chat": read_chat}

TEXTS = ["", "a", "\ud800", "é漢", "\0", "[DONE]", "x" * 200, "null", "\u2028", "\ufeff", "\U0010ffff"]
NAMES = [
    "id",
    "object",
    "choices",
    "index",
    "delta",
    "content",
    "role",
    "tool_calls",
    "function",
    "arguments",
]
NAMES += ["name", "type", "finish_reason", "usage", "error", "message", "code", "model", "created", "refusal"]
NAMES += ["logprobs", "reasoning", "a", "b", "reasoning_content", "audio", "detail", "function_call", ""]
NUMBERS = [
    "0",
    "-1",
    "1e999",
    "NaN",
    "-Infinity",
    "2" * 30,
    "3" * 5000,
    "-" + "4" * 5000,
    "0.1",
    "01",
    "1e-400",
]
FRAMES = [
    b"data: %s\n\n",
    b"event: error\ndata: %s\n\n",
    b"data:%s\r\r",
    b"%s\n",
    b"id: \0\ndata: %s\r\n\r\n",
]
FRAMES += [b"event: thread.x\ndata: %s\n\n", b"data: %s"]
NESTINGS = [("[", "]"), ('{"a":', "}"), ('{"error":', "}"), ('{"choices":[', "]}")]
CONTENT_TYPES = ["text/event-stream", "", "application/json", "\udcff", "text/event-stream;;;\0"]


def value(random: Random, depth: int = 0) -> str:
    """JSON, more or less."""
    kind = random.randrange(8 if depth < 5 else 5)
    if kind < 2:
        return json.dumps(random.choice(TEXTS))
    if kind == 2:
        return random.choice(NUMBERS)
    if kind in {3, 4}:
        return random.choice(["true", "false", "null", "{}", "[]", '""'])
    parts = [value(random, depth + 1) for _ in range(random.randrange(4))]
    if kind == 5:
        return "[" + ",".join(parts) + "]"
    return "{" + ",".join(f"{json.dumps(random.choice(NAMES))}:{part}" for part in parts) + "}"


def chunk(random: Random) -> str:
    """A chunk of a chat completion, in which one thing or another is wrong."""
    fields = ["content", "role", "tool_calls", "refusal", "reasoning_content", "function_call", "audio"]
    delta = ",".join(f'"{random.choice(fields)}":{value(random, 3)}' for _ in range(random.randrange(3)))
    call = f'{{"index":{random.choice(["0", "1", value(random, 4)])},"id":{value(random, 4)},"function":'
    call += f'{{"name":{value(random, 4)},"arguments":{value(random, 4)}}}}}'
    if random.random() < 0.3:
        delta = f'"tool_calls":[{call}]'
    index = random.choice(["0", "0", "0", "1", value(random, 4)])
    reason = random.choice(["null", '"stop"', '"tool_calls"', '"length"', value(random, 4)])
    extra = f',"usage":{value(random, 3)}' if random.random() < 0.2 else ""
    return (
        f'{{"id":"c","object":"chat.completion.chunk","created":1,"model":"m","choices":'
        f'[{{"index":{index},"delta":{{{delta}}},"finish_reason":{reason}}}]{extra}}}'
    )


def body(random: Random) -> bytes:
    """A body."""
    parts = []
    for _ in range(random.randrange(1, 6)):
        kind = random.randrange(10)
        if kind < 5:
            text = chunk(random)
        elif kind < 8:
            text = value(random)
        elif kind == 8:
            depth = random.choice([100, 1000, 1030, 100_000])
            opening, closing = random.choice(NESTINGS)
            text = opening * depth + random.choice(["", "1" + closing * depth])
        else:
            text = random.choice(["[DONE]", "", " ", "null", "<html>", "[done]", '"[DONE]"'])
        parts.append(random.choice(FRAMES) % text.encode("utf-8", "surrogatepass"))
    return b"".join(parts)


def cut(random: Random, data: bytes) -> list[bytes]:
    places = sorted(random.randrange(len(data) + 1) for _ in range(random.randrange(4)))
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def run(reader: Callable[[Any], None], chunks: list[bytes], content_type: str) -> str:
    """How reading ends: in an ``SSEError`` that can be shown, or well."""
    try:
        reader(Response(chunks, content_type))
    except SSEError as error:
        f"{error} {error!r}".encode("utf-8", "backslashreplace")
        return type(error).__name__
    return "the end"


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--readers", nargs="*", choices=READERS, default=list(READERS))
    options = parser.parse_args()
    random = Random(options.seed)
    end = perf_counter() + options.seconds
    outcomes: Counter[str] = Counter()
    faults: dict[str, tuple[str, bytes]] = {}
    bodies = 0
    while perf_counter() < end:
        data = body(random)
        chunks, content_type = cut(random, data), random.choice(CONTENT_TYPES)
        bodies += 1
        for name in options.readers:
            try:
                outcomes[run(READERS[name], chunks, content_type)] += 1
            except Exception as error:  # noqa: PERF203  # each reading counts
                outcomes["faults"] += 1
                where = traceback.extract_tb(error.__traceback__)[-1]
                place = f"{Path(where.filename).name}:{where.lineno}"
                key = f"{name}: {type(error).__name__} at {place}: {error}"[:200]
                if key not in faults or len(data) < len(faults[key][1]):
                    faults[key] = name, data
    print(f"{bodies:,} bodies, {outcomes.total():,} readings: {dict(outcomes)}")
    for key, (_, data) in faults.items():
        print(f"{key}\n    {data[:600]!r}", file=sys.stderr)
    return bool(faults)


if __name__ == "__main__":
    sys.exit(main())
