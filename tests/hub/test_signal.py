"""The signal that wakes the followers of a log behaves like a future for each of them."""

from __future__ import annotations

import asyncio
import contextvars

import anyio
import pytest

from ssejet.hub._signal import Signal, Waiter

BOTH = pytest.mark.parametrize("backend", ["asyncio", "trio"])


async def turns() -> None:
    """Let every task run until it waits."""
    for _ in range(5):
        await anyio.lowlevel.checkpoint()


@BOTH
def test_a_signal_wakes_all_that_wait_and_they_can_wait_again(backend: str) -> None:
    woken: list[int] = []

    async def wait_twice(signal: Signal, number: int) -> None:
        waiter = Waiter(signal)
        for _ in range(2):
            await waiter
            woken.append(number)

    async def main() -> None:
        signal = Signal()
        async with anyio.create_task_group() as tasks:
            for number in range(3):
                tasks.start_soon(wait_twice, signal, number)
            for round in (1, 2):
                await turns()
                assert len(woken) == 3 * (round - 1)
                signal.notify()
                await turns()
                assert sorted(woken) == sorted([0, 1, 2] * round)
        signal.notify()

    anyio.run(main, backend=backend)


@BOTH
def test_a_wait_that_is_cancelled_ends_and_the_others_go_on(backend: str) -> None:
    ends: list[str] = []

    async def wait(signal: Signal, name: str, scope: anyio.CancelScope) -> None:
        with scope:
            await Waiter(signal)
        ends.append(f"{name} was cancelled" if scope.cancelled_caught else f"{name} was woken")

    async def main() -> None:
        signal = Signal()
        before, between, never = (anyio.CancelScope() for _ in range(3))
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(wait, signal, "a", before)
            tasks.start_soon(wait, signal, "b", between)
            tasks.start_soon(wait, signal, "c", never)
            await turns()
            before.cancel()
            await turns()
            assert ends == ["a was cancelled"]
            signal.notify()
            between.cancel()  # after it was woken, and before it runs
        assert "c was woken" in ends
        assert sum(end.startswith("b") for end in ends) == 1

    anyio.run(main, backend=backend)


def test_a_cancellation_of_asyncio_keeps_its_message() -> None:
    async def main() -> None:
        waiter = Waiter(Signal())
        task = asyncio.ensure_future(_wait(waiter))
        await asyncio.sleep(0)
        task.cancel("why")
        with pytest.raises(asyncio.CancelledError):
            await task
        assert task.cancelled()
        assert messages == ["why"]

    messages: list[object] = []

    async def _wait(waiter: Waiter) -> None:
        try:
            await waiter
        except asyncio.CancelledError as error:
            messages.extend(error.args)
            raise

    asyncio.run(main())


def test_a_task_that_ends_the_process_does_not_keep_the_others_from_running() -> None:
    woken: list[str] = []

    async def wait(signal: Signal, name: str) -> None:
        await Waiter(signal)
        woken.append(name)
        if name == "second":
            raise KeyboardInterrupt

    loop = asyncio.new_event_loop()
    signal = Signal()
    try:
        tasks = [loop.create_task(wait(signal, name)) for name in ("first", "second", "third")]
        loop.run_until_complete(asyncio.sleep(0))
        loop.call_soon(signal.notify)
        with pytest.raises(KeyboardInterrupt):
            loop.run_forever()
        loop.run_until_complete(tasks[2])
    finally:
        loop.close()
    assert woken == ["first", "second", "third"]
    with pytest.raises(KeyboardInterrupt):
        tasks[1].result()


def test_a_task_that_waits_keeps_its_context_and_a_task_that_notifies_keeps_its_own() -> None:
    name: contextvars.ContextVar[str] = contextvars.ContextVar("name")
    seen: list[str] = []

    async def wait(signal: Signal) -> None:
        name.set("waits")
        await Waiter(signal)
        seen.append(name.get())
        assert asyncio.current_task() is not None

    async def main() -> None:
        name.set("notifies")
        signal = Signal()
        task = asyncio.ensure_future(wait(signal))
        await asyncio.sleep(0)
        signal.notify()
        assert not seen  # a task does not run inside another one
        await task
        assert seen == ["waits"]
        assert name.get() == "notifies"

    asyncio.run(main())


def test_what_waited_in_an_event_loop_that_has_ended_is_forgotten() -> None:
    signal = Signal()

    async def wait() -> None:
        await Waiter(signal)

    ended = asyncio.new_event_loop()
    task = ended.create_task(wait())
    ended.run_until_complete(asyncio.sleep(0))
    ended.close()
    signal.notify()  # nobody is left, and nothing fails

    async def main() -> None:
        task = asyncio.ensure_future(wait())
        await asyncio.sleep(0)
        signal.notify()
        await task

    asyncio.run(main())
    task.get_coro().close()
    task._log_destroy_pending = False  # type: ignore[attr-defined]


def test_one_callback_of_the_event_loop_wakes_all_that_wait() -> None:
    async def main() -> None:
        signal = Signal()
        loop = asyncio.get_running_loop()
        tasks = [asyncio.ensure_future(_wait(signal)) for _ in range(100)]
        await asyncio.sleep(0)
        calls = 0
        original = loop.call_soon

        def counted(*args: object, **options: object) -> asyncio.Handle:
            nonlocal calls
            calls += 1
            return original(*args, **options)  # type: ignore[arg-type]

        loop.call_soon = counted  # type: ignore[method-assign, assignment]
        signal.notify()
        loop.call_soon = original  # type: ignore[method-assign]
        await asyncio.gather(*tasks)
        assert calls == 1

    async def _wait(signal: Signal) -> None:
        await Waiter(signal)

    asyncio.run(main())
