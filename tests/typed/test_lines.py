"""Which lines of a body belong to an event stream, however the body is cut."""

from __future__ import annotations

from random import Random

import pytest

from ssejet import Decoder
from ssejet._media_type import BOM
from ssejet.typed._lines import BodyLines

LINES = [
    b"",
    b": ping",
    b":",
    b"data: 1",
    b"data",
    b"dat",
    b"database: 1",
    b"event: x",
    b"id",
    b"retry: 1",
    b"  ",
    b"x-unknown: 1",
    b"Error: no",
    b"Bad Gateway",
    b'{"error": 1}',
    b' "data": 1',
    b"}",
    b"  <html>",
    b"data:" + b"x" * 2000,
    b"y" * 2000,
]
BREAKS = [b"\n", b"\r\n", b"\r"]


def random_bodies(count: int) -> list[bytes]:
    random = Random(5)
    bodies = []
    for _ in range(count):
        lines = random.choices(LINES, k=random.randrange(1, 8))
        body = b"".join(line + random.choice(BREAKS) for line in lines)
        bodies.append(random.choice([b"", b"", BOM]) + body[: random.choice([None, None, -1])])
    return bodies


def state_of(pieces: list[bytes], *, goes_on: bool) -> tuple[object, ...]:
    lines = BodyLines(goes_on=goes_on)
    for piece in pieces:
        lines.feed(piece)
    held = (lines.held, lines.is_in_block, lines.is_other)
    lines.finish()
    return lines.has_event, lines.is_stream, lines.found, bytes(lines.other), held


@pytest.mark.slow
@pytest.mark.parametrize("goes_on", [False, True])
def test_a_body_gives_the_same_however_it_is_cut(goes_on: bool) -> None:
    random = Random(3)
    for body in random_bodies(1500):
        whole = state_of([body], goes_on=goes_on)
        assert state_of([body[index : index + 1] for index in range(len(body))], goes_on=goes_on) == whole
        middle = random.randrange(len(body) + 1)
        assert state_of([body[:middle], body[middle:]], goes_on=goes_on) == whole


def test_an_event_is_seen_where_a_decoder_sees_one() -> None:
    for body in random_bodies(3000):
        lines = BodyLines()
        lines.feed(body)
        assert lines.has_event == bool(Decoder().feed(body))


def test_what_is_held_back_is_no_line_of_an_event_stream() -> None:
    for body in random_bodies(1500):
        lines = BodyLines()
        lines.feed(body)
        assert 0 <= lines.held <= len(body)
        passed = body[: len(body) - lines.held]
        assert b"Bad Gateway" not in passed or lines.is_stream or lines.has_event
        if not lines.has_event:
            assert b"{" not in passed
            assert b"<" not in passed


@pytest.mark.parametrize(
    ("body", "other"),
    [
        (b"hello\n: there\n", b""),
        (b": there\nhello\n", b"hello\n"),
        (b": there\nhello\n: there\n", b""),
        (b'{"a": 1}\n: there\n', b'{"a": 1}\n'),
        (b": there\nx: 1\n", b""),
        (b"x: 1\n: there\n", b""),
        (b"x: 1\n", b"x: 1\n"),
        (b": there\nx: connection refused\n", b"x: connection refused\n"),
        (b": there\ndat", b""),
        (b": there\ndate", b"date"),
        (BOM + b"{}", BOM + b"{}"),
        (b"\n" + BOM + b": there", b"\xef\xbb\xbf: there"),
    ],
)
def test_lines_do_not_count_if_an_event_stream_follows_them(body: bytes, other: bytes) -> None:
    lines = BodyLines()
    lines.feed(body)
    lines.finish()
    assert (bytes(lines.other), lines.found) == (other, bool(other))


@pytest.mark.parametrize("line", [b": ping\n\n", b"data: " + b"x" * 1000, b"x-field: " + b"y" * 1000])
def test_lines_of_an_event_stream_are_not_kept(line: bytes) -> None:
    lines = BodyLines()
    lines.feed(b": begin\n")
    for _ in range(100):
        lines.feed(line)
        assert len(lines.other) <= 1024 + len(line)
        assert lines.held <= 1024 + len(line)
