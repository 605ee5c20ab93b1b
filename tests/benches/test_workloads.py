from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pytest

import reference
from benches.workloads import CHAT_EVENT_BYTES, KIB, MIB, SMALL_EVENT_BYTES, all_workloads

if TYPE_CHECKING:
    from pathlib import Path

    from benches.workloads import Workload

WORKLOADS = {workload.name: workload for workload in all_workloads()}


@pytest.fixture(params=WORKLOADS.values(), ids=WORKLOADS)
def workload(request: pytest.FixtureRequest) -> Workload:
    return request.param


def test_a_workload_holds_the_data_that_it_promises(workload: Workload) -> None:
    assert tuple(event.data for event in reference.decode(workload.body).events) == workload.data


def test_the_data_is_json(workload: Workload) -> None:
    assert all(isinstance(json.loads(data), dict) for data in workload.data)


def test_the_reads_put_together_are_the_stream(workload: Workload) -> None:
    assert b"".join(workload.chunks) == workload.body
    assert {len(chunk) for chunk in workload.chunks[:-1]} <= {workload.read_size}


def test_a_workload_is_the_same_each_time(workload: Workload) -> None:
    again = {each.name: each for each in all_workloads()}[workload.name]
    assert (again.body, again.data) == (workload.body, workload.data)


@pytest.mark.parametrize(
    ("name", "bytes_per_event", "events", "read_size"),
    [
        ("chat-per-event", CHAT_EVENT_BYTES, 2000, CHAT_EVENT_BYTES),
        ("chat-64k", 322, 2000, 64 * KIB),
        ("chat-64b", 322, 2000, 64),
        ("anthropic-64k", 322, 2000, 64 * KIB),
        ("crlf-64k", 324, 2000, 64 * KIB),
        ("cjk-64k", 322, 2000, 64 * KIB),
        ("json-122-64k", SMALL_EVENT_BYTES, 4000, 64 * KIB),
        ("large-64k", 10 * KIB, 200, 64 * KIB),
        ("huge-64b", MIB + len("data: \n\n"), 1, 64),
    ],
)
def test_sizes_are_what_the_names_say(name: str, bytes_per_event: int, events: int, read_size: int) -> None:
    workload = WORKLOADS[name]
    assert len(workload.data) == events
    assert len(workload.body) == events * bytes_per_event
    assert workload.read_size == read_size
    ends = b"\r\n\r\n" if name.startswith("crlf") else b"\n\n"
    assert {len(part) + len(ends) for part in workload.body.split(ends)[:-1]} == {bytes_per_event}


def test_one_event_per_read_means_just_that() -> None:
    chunks = WORKLOADS["chat-per-event"].chunks
    assert all(chunk.startswith(b"data: ") and chunk.endswith(b"\n\n") for chunk in chunks)


def test_the_traits_that_give_workloads_their_names_are_there() -> None:
    assert WORKLOADS["anthropic-64k"].body.count(b"event: content_block_delta\n") == 2000
    assert b"\n" not in WORKLOADS["crlf-64k"].body.replace(b"\r\n", b"")
    assert all(ord(max(data)) > 0x7F for data in WORKLOADS["cjk-64k"].data[:5])
    assert any(ord(max(data)) > 0xFFFF for data in WORKLOADS["cjk-64k"].data)
    assert reference.decode(WORKLOADS["comments-64k"].body).comments == [" keep-alive"] * 8000
    assert WORKLOADS["unknown-64k"].body.count(b"\nvendor-flag\n") == 2000


def test_what_is_written_for_other_languages_is_the_stream_its_data_and_its_reads(tmp_path: Path) -> None:
    workload = WORKLOADS["cjk-64k"]
    path = workload.write(tmp_path)
    assert path.read_bytes() == workload.body
    *data, nothing = path.with_suffix(".expected").read_text(encoding="utf-8").split("\0")
    assert tuple(data) == workload.data
    assert nothing == ""
    assert int(path.with_suffix(".read-size").read_text()) == workload.read_size
