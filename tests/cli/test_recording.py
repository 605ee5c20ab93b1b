from __future__ import annotations

import math

from ssejet import Decoder
from ssejet.cli._recording import Frame, load, parse, replay


def test_a_recording_is_cut_at_its_stamps() -> None:
    assert parse(b": @0.5\ndata: a\n\n: @1\ndata: b\n\n: kept\n\n") == [
        Frame(0.5, b"data: a\n\n"),
        Frame(1.0, b"data: b\n\n: kept\n\n"),
    ]


def test_what_has_no_stamp_goes_at_once() -> None:
    assert parse(b"data: a\n\n: @1\ndata: b\n\n") == [Frame(0.0, b"data: a\n\n"), Frame(1.0, b"data: b\n\n")]


def test_data_that_looks_like_a_stamp_is_data() -> None:
    recording = b"data: : @1\n\ndata:\n: @2 o'clock\n\n"
    assert parse(recording) == [Frame(0.0, recording)]


def test_an_empty_recording_has_no_frames() -> None:
    assert parse(b"") == []


async def test_replaying_gives_every_frame_in_order() -> None:
    frames = load("chat")
    assert [data async for data in replay(frames, pace=math.inf)] == [frame.data for frame in frames]


async def test_replaying_never_runs_ahead_of_the_stamps() -> None:
    from time import monotonic

    frames = [Frame(0.0, b"a"), Frame(0.2, b"b"), Frame(0.2, b"c"), Frame(0.4, b"d")]
    start = monotonic()
    times = [monotonic() - start async for _ in replay(frames, pace=2.0)]
    assert all(time >= frame.at / 2 - 0.002 for time, frame in zip(times, frames, strict=True))


def test_the_recorded_completion_is_what_an_openai_compatible_server_sends() -> None:
    *events, done = [event for frame in load("chat") for event in Decoder().feed(frame.data)]
    assert done.data == "[DONE]"
    chunks = [event.json() for event in events]
    assert {chunk["object"] for chunk in chunks} == {"chat.completion.chunk"}
    assert len({chunk["id"] for chunk in chunks}) == 1
    *deltas, finish, usage = chunks
    assert finish["choices"][0]["finish_reason"] == "stop"
    assert usage["choices"] == []
    pieces = [chunk["choices"][0]["delta"]["content"] for chunk in deltas]
    assert pieces[0] == ""
    assert usage["usage"]["completion_tokens"] == len(pieces) - 1
    assert "".join(pieces).startswith("Server-sent events (SSE) are ")
    assert "".join(pieces).endswith("repeat.")


def test_the_stamps_of_the_recorded_completion_never_go_back() -> None:
    times = [frame.at for frame in load("chat")]
    assert times == sorted(times)
