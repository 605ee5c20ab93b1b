from __future__ import annotations

import asyncio
from contextlib import closing

import pytest

from benches import chat
from benches.goals import GOALS


@pytest.fixture(scope="module")
def streams() -> dict[str, chat.Workload]:
    return chat.workloads()


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("typed", chat._our_chunks),
        ("events", chat._our_events),
        ("structured", chat._our_parses),
        ("tool-1k", chat._our_call),
        ("tool-1k", chat._our_parsed_call),
        ("text-16k", chat._our_events),
    ],
)
def test_we_read_what_was_sent(name: str, reads: object, streams: dict[str, chat.Workload]) -> None:
    assert chat.Reader("ssejet", "1", reads, lambda http: http).check(streams[name]) is None


@pytest.mark.parametrize(
    ("name", "reads"),
    [
        ("typed", chat._openai_chunks),
        ("events", chat._openai_events),
        ("structured", chat._openai_parses),
    ],
)
def test_openai_python_reads_the_same(name: str, reads: object, streams: dict[str, chat.Workload]) -> None:
    assert chat.Reader("openai", "1", reads, chat._openai).check(streams[name]) is None


def test_a_reader_with_other_results_is_an_error(streams: dict[str, chat.Workload]) -> None:
    def reads_too_little(http: object, keep: chat.Keep) -> None:
        keep("The")

    reader = chat.Reader("lazy", "1", reads_too_little, lambda http: http)
    assert (
        reader.check(streams["typed"]) == f"3 characters instead of {len(chat._expected(streams['typed']))}"
    )


def test_the_loopback_server_sends_the_workload(streams: dict[str, chat.Workload]) -> None:
    with closing(asyncio.new_event_loop()) as loop, chat._server() as url:
        for reads in (chat._bytes_alone, chat._typed_chunks):
            reader = chat.LoopbackReader("reader", "1", reads, url, loop)
            assert reader.check(streams["loopback"]) is None
            assert reader.time(streams["loopback"], 1) > 0


def test_every_chat_workload_has_a_goal(streams: dict[str, chat.Workload]) -> None:
    judged = {getattr(goal, "workload", None) for goal in GOALS} | {
        getattr(goal, "than", None) for goal in GOALS
    }
    assert set(streams) <= judged
