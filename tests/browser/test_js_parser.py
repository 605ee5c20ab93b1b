"""The parser of the JavaScript module, in Node and in Chromium, beside the vectors and the reference."""

from __future__ import annotations

import base64
from random import Random
from typing import TYPE_CHECKING, Any

import node
import pytest

from chunks import cut, ways_to_cut
from load_vectors import all_vectors
from reference import decode

if TYPE_CHECKING:
    from collections.abc import Iterable

    from engines import Engine

    from load_vectors import Vector
    from reference import Decoded

pytestmark = pytest.mark.asyncio(loop_scope="session")

# For each stream, every different result that its chunkings give.
_PARSE = """
async ({ createParser }, url, jobs) => {
  const bytes = (text) => Uint8Array.from(atob(text), (character) => character.charCodeAt(0));
  return jobs.map(({ stream, chunkings, options }) => {
    const whole = bytes(stream);
    const results = new Set();
    for (const sizes of chunkings) {
      const events = [];
      const comments = [];
      const onComment = options.comments === false ? undefined : (comment) => comments.push(comment);
      const parser = createParser((event) => events.push(event), { ...options, onComment });
      let error = null;
      let start = 0;
      for (const size of sizes) {
        try {
          parser.push(whole.subarray(start, (start += size)));
        } catch (thrown) {
          error = thrown.kind ?? String(thrown);
        }
      }
      const { lastEventId, retry } = parser;
      results.add(JSON.stringify({ events, comments, lastEventId, retry, error }));
    }
    return [...results].map(JSON.parse);
  });
}
"""


# Weighted by repetition: names, separators, ends of lines, values, and bytes that are no UTF-8.
_PIECES = [
    *[
        b"data",
        b"data: ",
        b"data:",
        b"event: ",
        b"id: ",
        b"retry: ",
        b"\n",
        b"\r",
        b"\r\n",
        b"\n\n",
        b"\r\n\r\n",
    ]
    * 3,
    *[
        b":",
        b": ",
        b" ",
        b"x",
        b"1",
        b"07",
        b"\0",
        b"\t",
        b"Data",
        b"datax",
        b"dat",
        b"9" * 20,
        b"{}",
        b"[DONE]",
    ],
    *["é", "你", "😀", "\u2028", "\u0085", "１", "\ufeff"],
    *[b"\xff", b"\xc3", b"\xe2\x80", b"\xf0\x9f\x98", b"\xed\xa0\x80", b"\xef\xbb", b"\x80"],
]
_PIECES = [piece.encode() if isinstance(piece, str) else piece for piece in _PIECES]


def job(stream: bytes, chunkings: Iterable[list[bytes]], **options: Any) -> dict[str, Any]:
    return {
        "stream": base64.b64encode(stream).decode(),
        "chunkings": [list(map(len, chunks)) for chunks in chunkings],
        "options": {_NAMES[name]: value for name, value in options.items() if value is not None},
    }


_NAMES = {"comments": "comments", "last_event_id": "lastEventId", "max_event_size": "maxEventSize"}


def result(expected: Decoded) -> dict[str, Any]:
    return {
        "events": [event._asdict() | {"retry": _number(event.retry)} for event in expected.events],
        "comments": expected.comments,
        "lastEventId": expected.last_event_id,
        "retry": _number(expected.retry),
        "error": "too-large" if expected.too_large else None,
    }


def _number(retry: int | None) -> float | None:
    """JavaScript has no other numbers."""
    return None if retry is None else float(retry)


def vectors() -> list[Vector]:
    """Those without the options that only the Python decoder has.

    The module counts a limit in UTF-16 code units, so it comes with ASCII here.
    """
    return [
        vector
        for vector in (parameter.values[0] for parameter in all_vectors.args[1])
        if not vector.options.keys() - _NAMES.keys()
        and (vector.stream.isascii() or "max_event_size" not in vector.options)
    ]


async def compare(engine: Engine, jobs: list[dict[str, Any]], expected: list[Decoded]) -> None:
    found = await engine.call(_PARSE, jobs)
    differences = [
        (job, results, result(one))
        for job, results, one in zip(jobs, found, expected, strict=True)
        if results != [result(one)]
    ]
    assert not differences, differences[0]


async def test_it_gives_what_the_vectors_say_however_the_bytes_are_cut(engine: Engine) -> None:
    jobs = [job(vector.stream, ways_to_cut(vector.stream), **vector.options) for vector in vectors()]
    assert len(jobs) > 100
    await compare(engine, jobs, [vector.expected for vector in vectors()])


async def test_it_agrees_with_the_reference_on_random_streams_that_are_cut_at_random(engine: Engine) -> None:
    random = Random(0)
    streams = [b"".join(random.choices(_PIECES, k=random.randint(1, 40))) for _ in range(3000)]
    jobs = []
    for stream in streams:
        places = [[], *(sorted(random.choices(range(len(stream) + 1), k=9)) for _ in range(3))]
        jobs.append(job(stream, [cut(stream, *each) for each in places]))
    await compare(engine, jobs, [decode(stream) for stream in streams])


async def test_a_long_line_in_many_pieces_is_not_copied_for_each_piece() -> None:
    function = """
    async ({ createParser }, url, count) => {
      const events = [];
      const parser = createParser((event) => events.push(event));
      const push = (text) => parser.push(new TextEncoder().encode(text));
      push("data: ");
      for (let i = 0; i < count; i++) push("x".repeat(100));
      push("\\n\\n");
      return events.map((event) => event.data.length);
    }
    """
    from engines import Node

    # Copied for each piece, that would be a terabyte.
    assert await Node("").call(function, 150_000) == [15_000_000]


async def test_minified_it_is_smaller_than_4_kb() -> None:
    program = """
    import { transform } from "esbuild";
    import { readFile } from "node:fs/promises";
    const source = await readFile(process.argv[1], "utf8");
    const { code } = await transform(source, { minify: true, format: "esm", target: "es2022" });
    process.stdout.write(JSON.stringify(code.length));
    """
    node.packages()
    script = node.HERE / "node_modules" / ".ssejet-size.mjs"
    script.write_text(program.replace("process.argv[1]", "process.argv[2]"))
    assert await node.run(script, node.MODULE) < 4000
