"""The wait for a connection's bytes, as tasks see it: like a future of asyncio."""

from __future__ import annotations

import asyncio
import contextvars
import gc
import weakref
from asyncio import tasks
from typing import TYPE_CHECKING, Any

import pytest

from ssejet._core import ReadWait

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine, Iterator

TASKS = {"C": asyncio.Task, "Python": tasks._PyTask}  # type: ignore[attr-defined]


@pytest.fixture(params=["asyncio", "uvloop"])
def loop(request: pytest.FixtureRequest) -> Iterator[asyncio.AbstractEventLoop]:
    module = asyncio if request.param == "asyncio" else pytest.importorskip("uvloop")
    loop = module.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(params=TASKS)
def start(
    loop: asyncio.AbstractEventLoop, request: pytest.FixtureRequest
) -> Callable[..., asyncio.Task[Any]]:
    def start(coroutine: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        task: asyncio.Task[Any] = TASKS[request.param](coroutine, loop=loop)
        return task

    return start


def run_until_idle(loop: asyncio.AbstractEventLoop) -> None:
    loop.call_soon(loop.stop)
    loop.run_forever()


def test_the_end_of_a_wait_resumes_its_task_at_once(
    loop: asyncio.AbstractEventLoop, start: Callable[..., asyncio.Task[Any]]
) -> None:
    variable: contextvars.ContextVar[str] = contextvars.ContextVar("variable")
    steps: list[object] = []

    async def read() -> str:
        variable.set("of the task")
        for _ in range(2):
            wait = ReadWait(loop)
            steps.append(wait)
            await wait
            steps.append((wait.in_time, wait.done(), variable.get()))
        return "read"

    def arrive() -> None:
        steps[-1].end_now()  # type: ignore[attr-defined]
        assert steps[1] == (True, True, "of the task")
        assert len(steps) == 3, "the task waits for the second time"
        assert variable.get("of the event loop") == "of the event loop"
        steps[-1].end_soon(in_time=False)  # type: ignore[attr-defined]
        assert len(steps) == 3

    task = start(read())
    run_until_idle(loop)
    loop.call_soon(arrive)
    assert loop.run_until_complete(task) == "read"
    assert steps[3] == (False, True, "of the task")


def test_a_cancelled_task_gets_the_message_and_the_wait_is_over(
    loop: asyncio.AbstractEventLoop, start: Callable[..., asyncio.Task[Any]]
) -> None:
    wait = ReadWait(loop)

    async def read() -> None:
        await wait

    task = start(read())
    run_until_idle(loop)
    assert not wait.done()
    task.cancel("enough")
    assert wait.cancelled()
    assert wait.done()
    assert not wait.cancel()
    wait.end_now()
    wait.end_soon(in_time=True)
    assert wait.cancelled(), "the end came too late"
    with pytest.raises(asyncio.CancelledError) as caught:
        wait.result()
    assert caught.value.args == ("enough",)
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_a_wait_that_is_cancelled_without_a_message_has_none(loop: asyncio.AbstractEventLoop) -> None:
    wait = ReadWait(loop)
    assert wait.cancel()
    with pytest.raises(asyncio.CancelledError) as caught:
        wait.result()
    assert caught.value.args == ()


def test_a_task_that_is_cancelled_before_it_waits_does_not_wait(
    loop: asyncio.AbstractEventLoop, start: Callable[..., asyncio.Task[Any]]
) -> None:
    async def read() -> None:
        task.cancel()
        await ReadWait(loop)

    task = start(read())
    with pytest.raises(asyncio.CancelledError):
        loop.run_until_complete(task)


def test_a_wait_that_is_over_ends_at_once(
    loop: asyncio.AbstractEventLoop, start: Callable[..., asyncio.Task[Any]]
) -> None:
    async def read() -> None:
        wait = ReadWait(loop)
        wait.end_now()
        await wait
        assert wait.result() is None

    loop.run_until_complete(start(read()))


@pytest.mark.parametrize("error", [SystemExit, KeyboardInterrupt])
def test_what_ends_the_program_is_raised_where_the_wait_was_ended(
    loop: asyncio.AbstractEventLoop, start: Callable[..., asyncio.Task[Any]], error: type[BaseException]
) -> None:
    wait = ReadWait(loop)

    async def read() -> None:
        await wait
        raise error(3)

    task = start(read())
    run_until_idle(loop)
    raised: list[BaseException] = []

    def arrive() -> None:
        try:
            wait.end_now()
        except BaseException as caught:
            raised.append(caught)

    loop.call_soon(arrive)
    run_until_idle(loop)
    assert [type(each) for each in raised] == [error]
    with pytest.raises(error):
        task.result()


def test_a_context_that_is_in_use_makes_the_task_go_on_in_another_turn(
    loop: asyncio.AbstractEventLoop,
) -> None:
    wait = ReadWait(loop)
    context = contextvars.copy_context()
    seen: list[ReadWait] = []
    wait.add_done_callback(seen.append, context=context)
    context.run(wait.end_now)
    assert seen == []
    run_until_idle(loop)
    assert seen == [wait]


def test_a_callback_without_a_context_is_called_in_another_turn(loop: asyncio.AbstractEventLoop) -> None:
    wait = ReadWait(loop)
    seen: list[ReadWait] = []
    wait.add_done_callback(seen.append)
    wait.end_now()
    late = ReadWait(loop)
    late.end_now()
    late.add_done_callback(seen.append)
    assert seen == []
    run_until_idle(loop)
    assert seen == [wait, late]


def test_a_removed_callback_is_not_called(loop: asyncio.AbstractEventLoop) -> None:
    wait = ReadWait(loop)
    seen: list[ReadWait] = []
    wait.add_done_callback(seen.append)
    assert wait.remove_done_callback(print) == 0
    assert wait.remove_done_callback(seen.append) == 1
    assert wait.remove_done_callback(seen.append) == 0
    wait.end_now()
    run_until_idle(loop)
    assert seen == []


def test_wrong_uses_are_errors(loop: asyncio.AbstractEventLoop) -> None:
    wait = ReadWait(loop)
    with pytest.raises(asyncio.InvalidStateError):
        wait.result()
    wait.add_done_callback(print)
    with pytest.raises(RuntimeError, match="another task"):
        wait.add_done_callback(print)
    assert next(wait) is wait
    with pytest.raises(RuntimeError, match="only a task"):
        next(wait)


def test_asyncio_takes_a_wait_for_a_future(loop: asyncio.AbstractEventLoop) -> None:
    wait = ReadWait(loop)
    assert asyncio.isfuture(wait)
    assert wait.get_loop() is loop
    assert repr(wait) == "<ReadWait pending>"

    async def read() -> None:
        with pytest.raises(asyncio.TimeoutError):
            await asyncio.wait_for(wait, 0.01)

    loop.run_until_complete(read())
    assert repr(wait) == "<ReadWait cancelled>"


def test_a_wait_in_a_circle_is_collected(loop: asyncio.AbstractEventLoop) -> None:
    class Owner:
        def on_end(self, wait: ReadWait) -> None:
            pass

    owner = Owner()
    wait = ReadWait(loop)
    wait.add_done_callback(owner.on_end)
    owner.wait = wait  # type: ignore[attr-defined]
    gone = weakref.ref(owner)
    del owner, wait
    gc.collect()
    assert gone() is None


def test_a_wait_whose_callback_is_its_own_method_is_collected(loop: asyncio.AbstractEventLoop) -> None:
    def alive() -> int:
        return sum(type(each) is ReadWait for each in gc.get_objects())

    gc.collect()
    before = alive()
    wait = ReadWait(loop)
    wait.add_done_callback(wait.remove_done_callback)
    del wait
    gc.collect()
    assert alive() == before
