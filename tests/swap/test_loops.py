"""What ``asyncio.run()`` does with a coroutine, and what ours does, in a thread as LiteLLM's are."""

from __future__ import annotations

import asyncio
import gc
import socket
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any

import pytest

from ssejet.swap._above import loops

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.skipif(sys.version_info < (3, 11), reason="it needs asyncio.Runner")

VALUE: ContextVar[str] = ContextVar("VALUE", default="outside")
RUNS = [asyncio.run, loops.run]


@pytest.fixture(autouse=True)
def no_loops_are_kept() -> Iterator[None]:
    loops._kept.clear()
    yield
    loops._kept.clear()


def in_thread(function: Callable[[], Any]) -> Any:
    with ThreadPoolExecutor(1) as thread:
        return thread.submit(function).result()


async def plain() -> Any:
    VALUE.set("inside")
    task = asyncio.current_task()
    assert task is not None
    assert asyncio.get_event_loop() is asyncio.get_running_loop()
    await asyncio.sleep(0)
    async with asyncio.timeout(5):
        await asyncio.sleep(0.001)
    return asyncio.get_running_loop()


def test_a_loop_is_used_again_if_nothing_is_left_in_it() -> None:
    def twice() -> Any:
        return [loops.run(plain()), loops.run(plain()), VALUE.get()]

    first, second, value = in_thread(twice)
    assert first is second
    assert not first.is_closed()
    assert value == "outside"


@pytest.mark.parametrize("run", RUNS)
def test_a_thread_has_no_loop_after_the_run(run: Any) -> None:
    def ask() -> Any:
        run(plain())
        return asyncio.get_event_loop()

    with pytest.raises(RuntimeError, match="no current event loop"):
        in_thread(ask)


@pytest.mark.parametrize("run", RUNS)
def test_errors_are_the_coroutines(run: Any) -> None:
    async def fails() -> None:
        raise LookupError("x")

    with pytest.raises(LookupError, match="x"):
        in_thread(lambda: run(fails()))
    # Since 3.14 it is a TypeError.
    with pytest.raises((TypeError, ValueError), match="a coroutine"):
        in_thread(lambda: run(1))


@pytest.mark.parametrize("run", RUNS)
def test_a_loop_cannot_run_in_another_one(run: Any) -> None:
    async def inner() -> None:
        coroutine = plain()
        try:
            run(coroutine)
        finally:
            coroutine.close()

    with pytest.raises(RuntimeError, match=r"asyncio\.run\(\) cannot be called from a running event loop"):
        in_thread(lambda: asyncio.run(inner()))


async def leaves_a_task(log: list[str]) -> Any:
    async def work() -> None:
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            log.append("cancelled")
            raise

    asyncio.current_task().task = asyncio.create_task(work())  # type: ignore[union-attr]
    await asyncio.sleep(0)
    return asyncio.get_running_loop()


async def leaves_a_generator(log: list[str]) -> Any:
    async def numbers() -> Any:
        try:
            yield 1
        finally:
            log.append("closed")

    log.generator = numbers()  # type: ignore[attr-defined]
    await anext(log.generator)  # type: ignore[attr-defined]
    return asyncio.get_running_loop()


async def leaves_a_timer(log: list[str]) -> Any:
    asyncio.get_running_loop().call_later(60, log.append, "late")
    return asyncio.get_running_loop()


async def leaves_a_call(log: list[str]) -> Any:
    loop = asyncio.get_running_loop()
    loop.call_soon(loop.call_soon, loop.call_soon, log.append, "called")
    return loop


async def leaves_a_socket(log: list[str]) -> Any:
    loop = asyncio.get_running_loop()
    log.sockets = socket.socketpair()  # type: ignore[attr-defined]
    loop.add_reader(log.sockets[0], log.append, "read")  # type: ignore[attr-defined]
    return loop


async def leaves_threads(log: list[str]) -> Any:
    await asyncio.to_thread(log.append, "in a thread")
    return asyncio.get_running_loop()


async def changes_the_loop(log: list[str]) -> Any:
    loop = asyncio.get_running_loop()
    loop.set_exception_handler(lambda *_: log.append("error"))
    return loop


class Log(list[str]):
    """Keeps what a coroutine leaves."""


@pytest.mark.parametrize(
    "leave",
    [
        leaves_a_task,
        leaves_a_generator,
        leaves_a_timer,
        leaves_a_call,
        leaves_a_socket,
        leaves_threads,
        changes_the_loop,
    ],
)
def test_a_loop_in_which_something_is_left_is_closed_as_asyncio_closes_it(leave: Any) -> None:
    logs = []
    for run in RUNS:
        log = Log()
        loop = in_thread(lambda run=run, log=log: run(leave(log)))
        assert loop.is_closed()
        logs.append(list(log))
        for each in getattr(log, "sockets", ()):
            each.close()
    assert logs[0] == logs[1]
    assert not loops._kept


def test_few_loops_are_kept() -> None:
    meet = threading.Barrier(12)

    async def wait() -> Any:
        meet.wait(200)
        return asyncio.get_running_loop()

    with ThreadPoolExecutor(12) as threads:
        made = {future.result() for future in [threads.submit(lambda: loops.run(wait())) for _ in range(12)]}
    assert len(made) == 12
    assert len(loops._kept) == 8
    assert sum(not loop.is_closed() for loop in made) == 8


def test_a_kept_loop_is_closed_when_nobody_keeps_it() -> None:
    loop = in_thread(lambda: loops.run(plain()))
    loops._kept.clear()
    gc.collect()
    assert loop.is_closed()


@pytest.mark.filterwarnings("ignore:'asyncio[.].*policy:DeprecationWarning")
@pytest.mark.filterwarnings("ignore:'asyncio[.].*Policy:DeprecationWarning")
def test_other_policies_and_the_main_thread_get_loops_of_asyncio() -> None:
    assert loops.run(plain()).is_closed()
    uvloop = pytest.importorskip("uvloop")
    before = asyncio.get_event_loop_policy()
    asyncio.set_event_loop_policy(uvloop.EventLoopPolicy())
    try:
        loop = in_thread(lambda: loops.run(plain()))
        assert isinstance(loop, uvloop.Loop)
        assert loop.is_closed()
    finally:
        asyncio.set_event_loop_policy(before)
