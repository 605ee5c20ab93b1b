from __future__ import annotations

import sys
import threading
from threading import get_ident

import pytest

from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse


class Thing:
    """A thing that must not be released while a thread uses it, used after its release, or released twice."""

    def __init__(self) -> None:
        self.exclusive = ExclusiveUse()
        self.used = False
        self.released = 0
        self.faults: list[str] = []

    def use(self) -> bool:
        exclusive = self.exclusive
        if exclusive.holder is not None:
            raise ConcurrentReadError
        try:
            exclusive.holder = get_ident()
            if not exclusive.ended:
                if self.released:
                    self.faults.append("used after its release")
                self.used = True
                self.used = False
        finally:
            exclusive.holder = None
            if exclusive.ended:
                exclusive.release(self.release)
        return not exclusive.ended

    def release(self) -> None:
        if self.used:
            self.faults.append("released while it was used")
        self.released += 1

    def end(self) -> None:
        self.exclusive.end(wake=lambda: None, release=self.release)


@pytest.fixture
def frequent_switches() -> object:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_switches")
def test_a_thing_is_released_once_and_when_no_thread_uses_it() -> None:
    for _ in range(300):
        thing = Thing()

        def use(thing: Thing = thing) -> None:
            while thing.use():
                pass

        threads = [threading.Thread(target=use), *(threading.Thread(target=thing.end) for _ in range(2))]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join(60)
        assert thing.faults == []
        assert thing.released == 1


def test_ending_the_use_returns_when_the_thing_is_released() -> None:
    exclusive = ExclusiveUse()
    exclusive.holder = -1
    released: list[int] = []

    def leave() -> None:
        exclusive.holder = None
        exclusive.release(lambda: released.append(get_ident()))

    thread = threading.Thread(target=leave)
    exclusive.end(wake=thread.start, release=pytest.fail)
    assert released == [thread.ident]


def test_ending_the_use_in_a_signal_handler_does_not_wait_for_the_same_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 3600)
    exclusive = ExclusiveUse()
    exclusive.holder = get_ident()
    exclusive.end(wake=lambda: None, release=pytest.fail)
    assert exclusive.ended


def test_a_release_that_fails_is_not_tried_again() -> None:
    exclusive = ExclusiveUse()
    with pytest.raises(ZeroDivisionError):
        exclusive.end(wake=pytest.fail, release=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    exclusive.end(wake=pytest.fail, release=pytest.fail)
