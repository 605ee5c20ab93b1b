"""The thread that runs a source: what asking and closing do in each of its states."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

from ssejet.emit._source_thread import SourceThread

if TYPE_CHECKING:
    from collections.abc import Iterator

A_LONG_TIME = 200
"""In seconds."""


class Watched:
    """A thread over a source of numbers, each of which comes when it is released."""

    def __init__(self) -> None:
        self.begun = threading.Semaphore(0)
        self.release = threading.Semaphore(0)
        self.delivered = threading.Semaphore(0)
        self.ended = threading.Event()
        self.seen: list[Any] = []
        self.thread = SourceThread(
            self._numbers, deliver=self._deliver, interrupt=lambda: None, on_end=lambda _: self.ended.set()
        )

    def _numbers(self) -> Iterator[int]:
        try:
            for number in range(100):
                self.begun.release()
                assert self.release.acquire(timeout=A_LONG_TIME)
                yield number
        finally:
            self.seen.append("closed")

    def _deliver(self, item: Any, error: BaseException | None) -> None:
        self.seen.append(item if error is None else error)
        self.delivered.release()


def test_an_item_is_being_made_from_the_time_it_is_asked_until_it_is_delivered() -> None:
    watched = Watched()
    assert not watched.thread.is_making_item
    for number in range(2):
        watched.thread.ask()
        assert watched.begun.acquire(timeout=A_LONG_TIME)
        assert watched.thread.is_making_item
        watched.release.release()
        assert watched.delivered.acquire(timeout=A_LONG_TIME)
        assert not watched.thread.is_making_item
        assert watched.seen == [*range(number + 1)]
    watched.thread.close()
    assert watched.ended.wait(A_LONG_TIME)
    assert watched.seen == [0, 1, "closed"]


def test_a_source_that_is_making_an_item_is_closed_after_it() -> None:
    watched = Watched()
    watched.thread.ask()
    assert watched.begun.acquire(timeout=A_LONG_TIME)
    watched.thread.close()
    watched.thread.close()
    assert watched.thread.is_making_item
    assert not watched.ended.is_set()
    watched.release.release()
    assert watched.ended.wait(A_LONG_TIME)
    assert not watched.thread.is_making_item
    assert watched.seen == [0, "closed"]


def test_a_thread_that_is_closed_before_it_starts_makes_no_item() -> None:
    watched = Watched()
    watched.thread.close()
    assert not watched.thread.started
    watched.thread.ask()
    assert watched.ended.wait(A_LONG_TIME)
    assert watched.seen == []
