from __future__ import annotations

import sys
import threading
from contextlib import suppress
from threading import get_ident

import pytest

from ssejet._http.deadlines import Deadlines
from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse
from ssejet._http.reader import Reader


class Thing:
    """A thing that must not be released while a thread uses it, used after its release, or released twice."""

    def __init__(self) -> None:
        self.exclusive = ExclusiveUse()
        self.used = False
        self.released = 0
        self.faults: list[str] = []

    def use(self) -> bool:
        exclusive, thread = self.exclusive, get_ident()
        if exclusive.holder is not None:
            raise ConcurrentReadError
        try:
            exclusive.holder = thread
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
            thread.join(200)
        assert thing.faults == []
        assert thing.released == 1


class Chunks:
    """A response, and the iterator over its body, which sees whether two threads read it at once."""

    def __init__(self) -> None:
        self.reads = 0
        self.is_read = False
        self.faults = 0

    def iter_bytes(self) -> Chunks:
        return self

    def __iter__(self) -> Chunks:
        return self

    def __next__(self) -> bytes:
        self.reads += 1
        self.faults += self.is_read
        self.is_read = True
        for _ in range(3):
            pass  # another thread can run here
        self.is_read = False
        return b"chunk"

    def close(self) -> None:
        pass


@pytest.mark.usefixtures("frequent_switches")
def test_two_threads_never_read_a_response_at_once() -> None:
    chunks = Chunks()
    reader = Reader(chunks, Deadlines())

    def read() -> None:
        for _ in range(20_000):
            with suppress(ConcurrentReadError):
                reader.read()

    threads = [threading.Thread(target=read) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(200)
    assert chunks.reads > 0
    assert chunks.faults == 0


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


def test_all_threads_that_end_the_use_return_when_the_thing_is_released(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 3600)
    exclusive = ExclusiveUse()
    exclusive.holder = -1
    all_wait = threading.Barrier(4)
    released: list[int] = []

    def end() -> None:
        exclusive.end(wake=all_wait.wait, release=pytest.fail)
        assert released == [1]

    threads = [threading.Thread(target=end) for _ in range(3)]
    for thread in threads:
        thread.start()
    all_wait.wait()
    exclusive.holder = None
    exclusive.release(lambda: released.append(1))
    for thread in threads:
        thread.join(200)
    assert not any(thread.is_alive() for thread in threads)


def test_ending_the_use_returns_after_a_while_if_the_user_does_not_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 0.01)
    exclusive = ExclusiveUse()
    exclusive.holder = -1
    exclusive.end(wake=lambda: None, release=pytest.fail)
    exclusive.holder = None
    released: list[int] = []
    exclusive.release(lambda: released.append(1))
    exclusive.end(wake=pytest.fail, release=pytest.fail)
    assert released == [1]


def test_threads_that_wait_return_if_the_release_fails(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 3600)
    exclusive = ExclusiveUse()
    exclusive.holder = -1
    waits = threading.Event()
    thread = threading.Thread(target=exclusive.end, kwargs={"wake": waits.set, "release": pytest.fail})
    thread.start()
    waits.wait()
    exclusive.holder = None
    with pytest.raises(ZeroDivisionError):
        exclusive.release(lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    thread.join(200)
    assert not thread.is_alive()


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
