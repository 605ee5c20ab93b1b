from __future__ import annotations

import sys
import threading
from threading import get_ident

import pytest

from ssejet._http.exclusive import ConcurrentReadError, Turn


class Thing:
    """What must not be released while it is used, nor used when it is released, nor released twice."""

    def __init__(self) -> None:
        self.turn = Turn()
        self.used = False
        self.released = 0
        self.faults: list[str] = []

    def use(self) -> bool:
        turn = self.turn
        if turn.holder is not None:
            raise ConcurrentReadError
        try:
            turn.holder = get_ident()
            if not turn.over:
                if self.released:
                    self.faults.append("used after its release")
                self.used = True
                self.used = False
        finally:
            turn.holder = None
            if turn.over:
                turn.release(self.release)
        return not turn.over

    def release(self) -> None:
        if self.used:
            self.faults.append("released while it was used")
        self.released += 1

    def end(self) -> None:
        self.turn.end(wake=lambda: None, release=self.release)


@pytest.fixture
def frequent_switches() -> object:
    interval = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(interval)


@pytest.mark.usefixtures("frequent_switches")
def test_what_is_used_in_turns_is_released_once_and_when_nobody_uses_it() -> None:
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


def test_the_end_comes_back_when_it_is_released() -> None:
    turn = Turn()
    turn.holder = -1
    released: list[int] = []

    def leave() -> None:
        turn.holder = None
        turn.release(lambda: released.append(get_ident()))

    thread = threading.Thread(target=leave)
    turn.end(wake=thread.start, release=pytest.fail)
    assert released == [thread.ident]


def test_the_end_in_a_signal_handler_does_not_wait_for_its_own_thread(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 3600)
    turn = Turn()
    turn.holder = get_ident()
    turn.end(wake=lambda: None, release=pytest.fail)
    assert turn.over


def test_a_release_that_fails_is_the_only_one() -> None:
    turn = Turn()
    with pytest.raises(ZeroDivisionError):
        turn.end(wake=pytest.fail, release=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    turn.end(wake=pytest.fail, release=pytest.fail)
