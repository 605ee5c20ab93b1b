"""What has arrived of a body on asyncio: the queue, and the wait with its limits."""

from __future__ import annotations

import asyncio
import gc
import weakref
from contextvars import copy_context
from math import inf
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest

from ssejet._core import BodyArrivals, BodyReader, ReadBuffer
from ssejet._http.exclusive import ConcurrentReadError

if TYPE_CHECKING:
    from typing_extensions import Self

SIZE = 64 * 1024


class Recorded(BodyArrivals):
    """Notes what the base class asks of it."""

    def __new__(cls, read_timeout: float | None = None) -> Self:
        loop = asyncio.get_running_loop()
        return super().__new__(cls, BodyReader("until-close"), loop, ReadBuffer(SIZE), read_timeout)

    def __init__(self, read_timeout: float | None = None) -> None:
        self.log: list[Any] = []

    def _pause(self) -> None:
        self.log.append("pause")

    def _resume(self) -> None:
        self.log.append("resume")

    def _start_timer(self, due: float) -> None:
        self.timer_due = due
        self.log.append("timer")

    def _fail(self, error: Exception) -> None:
        self.log.append(error)

    def _raise_soon(self, error: BaseException) -> None:
        self.log.append(error)

    def read(self, data: bytes) -> None:
        """Do what an event loop does when it has read."""
        self.get_buffer(-1)[: len(data)] = data
        self.buffer_updated(len(data))


async def test_pieces_are_taken_in_the_order_in_which_they_were_read() -> None:
    arrivals = Recorded()
    for piece in (b"one", b"two!", b"", b"three"):
        arrivals.read(piece)
    assert arrivals.size == 12
    response = SimpleNamespace(_num_bytes_downloaded=0)
    sums = []
    for _ in range(3):
        piece = arrivals.take(response)
        sums.append((piece, arrivals.size, response._num_bytes_downloaded))
    assert sums == [(b"one", 9, 3), (b"two!", 5, 7), (b"three", 0, 12)]
    assert arrivals.take(response) == arrivals.take() == b""
    assert response._num_bytes_downloaded == 12


async def test_the_event_loop_pauses_while_too_much_waits() -> None:
    arrivals = Recorded()
    quarter = b"x" * (SIZE // 4)
    paused = []
    for _ in range(5):
        arrivals.read(quarter)
        paused.append(arrivals.is_paused)
    assert paused == [False, False, False, True, True]
    assert arrivals.log == ["pause"]
    for _ in range(5):
        arrivals.take()
        paused.append(arrivals.is_paused)
    assert paused[5:] == [True, True, True, False, False]
    assert arrivals.log == ["pause", "resume"]


async def test_a_read_may_fill_the_buffer() -> None:
    arrivals = Recorded()
    arrivals.read(b"x" * SIZE)
    assert arrivals.take() == b"x" * SIZE


async def test_more_bytes_than_the_buffer_has_are_refused() -> None:
    arrivals = Recorded()
    with pytest.raises(ValueError, match="not so many bytes"):
        arrivals.buffer_updated(SIZE + 1)
    assert arrivals.size == 0


@pytest.mark.parametrize(
    ("read_timeout", "limit", "seconds", "is_client_limit"),
    [
        (None, None, inf, True),
        (50.0, None, 50, True),
        (50.0, 70.0, 50, True),
        (50.0, 50.0, 50, True),
        (70.0, 50.0, 50, False),
        (None, 50.0, 50, False),
        (50.0, inf, 50, True),
        (None, inf, inf, True),
    ],
)
async def test_a_wait_ends_after_the_shorter_limit(
    read_timeout: float | None, limit: float | None, seconds: float, is_client_limit: bool
) -> None:
    arrivals = Recorded(read_timeout)
    assert arrivals.due == inf
    now = asyncio.get_running_loop().time()
    wait = arrivals.wait(limit)
    assert arrivals.due == inf if seconds == inf else now + seconds <= arrivals.due < now + seconds + 10
    assert arrivals.is_client_limit == is_client_limit
    assert arrivals.log == ([] if seconds == inf else ["timer"])
    arrivals.wake(in_time=False)
    assert (wait.done(), wait.in_time, arrivals.due) == (True, False, inf)


async def test_a_timer_is_started_only_if_it_is_due_sooner() -> None:
    arrivals = Recorded(1000)
    for limit, count in ((100, 1), (200, 1), (None, 1), (50, 2), (60, 2)):
        arrivals.wait(limit)
        assert arrivals.log == ["timer"] * count
        arrivals.wake()


async def test_a_wait_without_a_limit_has_not_that_of_the_wait_before() -> None:
    arrivals = Recorded()
    arrivals.wait(50)
    arrivals.wake()
    arrivals.wait()
    assert arrivals.due == inf


async def test_only_one_task_waits() -> None:
    arrivals = Recorded()
    wait = arrivals.wait()
    with pytest.raises(ConcurrentReadError):
        arrivals.wait()
    wait.cancel()
    again = arrivals.wait()
    arrivals.read(b"x")
    assert again.in_time


async def test_an_error_of_the_bytes_ends_the_wait() -> None:
    arrivals = Recorded()
    fault = ValueError()

    def decrypt(data: bytes) -> bytes:
        assert data == b"secret"
        raise fault

    arrivals.decrypt = decrypt
    wait = arrivals.wait()
    arrivals.read(b"secret")
    assert arrivals.log == [fault]
    assert wait.in_time


async def test_what_ends_the_event_loop_is_not_raised_in_the_transport() -> None:
    arrivals = Recorded()
    wait = arrivals.wait()
    fault = KeyboardInterrupt()

    def resume(_: object) -> None:
        raise fault

    wait.add_done_callback(resume, context=copy_context())
    read = asyncio.get_running_loop().create_future()

    def on_readable() -> None:
        arrivals.read(b"x")
        read.set_result(None)

    asyncio.get_running_loop().call_soon(on_readable)
    await read
    assert arrivals.log == [fault]


async def test_arrivals_are_freed_without_the_garbage_collector() -> None:
    gc.collect()
    gc.disable()
    try:
        arrivals = Recorded()
        arrivals.read(b"x")
        arrivals.wait()
        reference = weakref.ref(arrivals)
        del arrivals
        assert reference() is None
    finally:
        gc.enable()


async def test_arrivals_that_refer_to_themselves_are_collected() -> None:
    arrivals = Recorded()
    arrivals.decrypt = arrivals.take
    reference = weakref.ref(arrivals)
    del arrivals
    gc.collect()
    assert reference() is None


async def test_a_wait_whose_callback_refers_to_the_arrivals_is_collected_with_them() -> None:
    arrivals = Recorded()
    arrivals.wait().add_done_callback(arrivals.receive)
    reference = weakref.ref(arrivals)
    del arrivals
    gc.collect()
    assert reference() is None
