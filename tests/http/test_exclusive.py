from __future__ import annotations

import sys
import threading
from contextlib import suppress
from threading import get_ident
from typing import TYPE_CHECKING, Any

import pytest

from ssejet._http.deadlines import Deadlines
from ssejet._http.exclusive import ConcurrentReadError, ExclusiveUse
from ssejet._http.reader import Reader

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import FrameType


class Thing:
    """A thing that must not be released while a thread uses it, used after its release, or released twice."""

    def __init__(self) -> None:
        self.exclusive = ExclusiveUse()
        self.used = False
        self.released = 0
        self.faults: list[str] = []

    def use(self) -> bool:
        exclusive, me = self.exclusive, (get_ident(),)
        try:
            exclusive.begin(me)
            if not exclusive.ended:
                if self.released:
                    self.faults.append("used after its release")
                self.used = True
                self.used = False
        finally:
            if exclusive.leave(me):
                exclusive.finish(self.release)
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


class User:
    """Uses a thing in a thread of its own, until it is told to leave."""

    def __init__(self, exclusive: ExclusiveUse, release: Callable[[], object] = pytest.fail) -> None:
        self._leaves = threading.Event()
        begun = threading.Event()

        def step() -> None:
            begun.set()
            assert self._leaves.wait(60)

        def use() -> None:
            with suppress(ZeroDivisionError):
                exclusive.run(step, release)  # type: ignore[arg-type]

        self.thread = threading.Thread(target=use)
        self.thread.start()
        assert begun.wait(60)

    def leave(self) -> None:
        self._leaves.set()


@pytest.fixture
def patient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 3600)


@pytest.mark.usefixtures("patient")
def test_ending_the_use_returns_when_the_thing_is_released() -> None:
    exclusive = ExclusiveUse()
    released: list[int | None] = []
    user = User(exclusive, lambda: released.append(get_ident()))
    exclusive.end(wake=user.leave, release=lambda: released.append(get_ident()))
    assert len(released) == 1
    user.thread.join(200)
    assert len(released) == 1


@pytest.mark.usefixtures("patient")
def test_all_threads_that_end_the_use_return_when_the_thing_is_released() -> None:
    exclusive = ExclusiveUse()
    released: list[int] = []

    def release() -> None:
        released.append(1)

    user = User(exclusive, release)
    all_wait = threading.Barrier(4)

    def end() -> None:
        exclusive.end(wake=lambda: all_wait.wait() and None, release=release)
        assert released == [1]
        returned.append(1)

    returned: list[int] = []
    threads = [threading.Thread(target=end) for _ in range(3)]
    for thread in threads:
        thread.start()
    all_wait.wait()
    user.leave()
    for thread in threads:
        thread.join(200)
    assert returned == [1, 1, 1]


def test_ending_the_use_returns_after_a_while_if_the_user_does_not_stop(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.setattr("ssejet._http.exclusive._WAKE_TIME", 0.01)
    exclusive = ExclusiveUse()
    released: list[int] = []
    user = User(exclusive, lambda: released.append(1))
    exclusive.end(wake=lambda: None, release=pytest.fail)
    assert released == []
    user.leave()
    user.thread.join(200)
    assert released == [1]
    exclusive.end(wake=pytest.fail, release=pytest.fail)


@pytest.mark.usefixtures("patient")
def test_ending_the_use_does_not_wait_for_a_user_that_cannot_be_woken() -> None:
    exclusive = ExclusiveUse()
    user = User(exclusive)
    released: list[int] = []

    def wake() -> bool:
        exclusive.release(lambda: released.append(1))
        return True

    exclusive.end(wake=wake, release=pytest.fail)
    assert released == [1]
    user.leave()
    user.thread.join(200)
    assert released == [1]


@pytest.mark.usefixtures("patient")
def test_threads_that_wait_return_if_the_release_fails() -> None:
    exclusive = ExclusiveUse()
    user = User(exclusive, lambda: 1 / 0)
    with suppress(ZeroDivisionError):
        exclusive.end(wake=user.leave, release=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    user.thread.join(200)
    exclusive.end(wake=pytest.fail, release=pytest.fail)


@pytest.mark.usefixtures("patient")
def test_ending_the_use_in_a_signal_handler_does_not_wait_for_the_same_thread() -> None:
    exclusive = ExclusiveUse()
    released: list[int] = []
    woken: list[int] = []

    def step() -> None:
        exclusive.end(wake=lambda: woken.append(1), release=pytest.fail)
        assert (exclusive.ended, woken, released) == (True, [1], [])

    exclusive.run(step, lambda: released.append(1))
    assert released == [1]


def test_a_thread_that_uses_a_thing_cannot_use_it_again() -> None:
    exclusive = ExclusiveUse()

    def step() -> None:
        for _ in range(2):
            with pytest.raises(ConcurrentReadError):
                exclusive.run(pytest.fail, pytest.fail)  # type: ignore[arg-type]

    exclusive.run(step, pytest.fail)
    User(exclusive).leave()


@pytest.mark.usefixtures("patient")
def test_a_thread_that_comes_while_the_thing_is_released_is_not_refused() -> None:
    exclusive = ExclusiveUse()
    seen: list[bool] = []

    def release() -> None:
        exclusive.run(lambda: seen.append(exclusive.ended), pytest.fail)

    exclusive.end(wake=pytest.fail, release=release)
    assert seen == [True]


def test_a_release_that_fails_is_not_tried_again() -> None:
    exclusive = ExclusiveUse()
    with pytest.raises(ZeroDivisionError):
        exclusive.end(wake=pytest.fail, release=lambda: 1 / 0)  # type: ignore[arg-type, return-value]
    exclusive.end(wake=pytest.fail, release=pytest.fail)


def test_an_interrupted_thread_leaves_the_thing_free() -> None:
    """Raises an exception before each step of a use, as the handler of a signal can."""

    def interrupt(last: int) -> bool:
        exclusive, steps = ExclusiveUse(), 0

        codes = {getattr(ExclusiveUse, name).__code__ for name in ("run", "begin")}
        code = ExclusiveUse.run.__code__
        lines = [line for _, _, line in code.co_lines() if line is not None]
        line_of_leave = max(lines) - 1

        def trace(frame: FrameType, event: str, arg: object) -> Any:
            nonlocal steps
            is_leaving = frame.f_code is code and frame.f_lineno == line_of_leave
            steps += frame.f_code in codes and not is_leaving
            if steps == last:
                sys.settrace(None)
                raise KeyboardInterrupt
            return trace

        before = sys.gettrace()
        sys.settrace(trace)
        try:
            exclusive.run(int, pytest.fail)  # type: ignore[arg-type]
        except KeyboardInterrupt:
            return True
        finally:
            sys.settrace(before)
            User(exclusive).leave()
        return False

    assert [interrupt(last) for last in range(1, 40)].count(True) > 5
