"""The cases of ``vectors/http/event_source.json``, with both kinds of subscription."""

from __future__ import annotations

import asyncio
import threading
from typing import TYPE_CHECKING, Any

import pytest

import ssejet
from event_source_cases import CASES, Run

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.slow, pytest.mark.usefixtures("short_refusals")]


def subscribe(run: Run) -> str:
    """Run a case synchronously, and return the state of the event source at its end."""
    with ssejet.subscribe(run.server.base, **run.options()) as subscription:

        def read() -> None:
            try:
                for event in subscription:
                    if run.add(event):
                        subscription.restart()
                run.end()
            except Exception as error:
                run.end(error)

        thread = threading.Thread(target=read)
        thread.start()
        run.wait(lambda: subscription.ready_state == "open")
        state = subscription.ready_state
        subscription.close()
        thread.join()
        return state


def asubscribe(run: Run) -> str:
    """Run a case asynchronously."""

    async def main() -> str:
        async with ssejet.asubscribe(run.server.base, **run.options()) as subscription:

            async def read() -> None:
                try:
                    async for event in subscription:
                        if run.add(event):
                            await subscription.restart()
                    run.end()
                except Exception as error:
                    run.end(error)

            task = asyncio.create_task(read())
            await asyncio.to_thread(run.wait, lambda: subscription.ready_state == "open")
            state = subscription.ready_state
            await subscription.aclose()
            await task
            return state

    return asyncio.run(main())


def test_there_are_58_cases_with_different_names() -> None:
    assert len(CASES) == 58
    assert len({case["name"] for case in CASES}) == len(CASES)


@pytest.mark.parametrize("read", [subscribe, asubscribe])
@pytest.mark.parametrize("case", CASES, ids=lambda case: case["name"])
def test_event_sources_do_what_browsers_and_other_clients_do(
    read: Callable[[Run], str], case: dict[str, Any]
) -> None:
    run = Run(case)
    with run.server:
        run.check(read(run))
