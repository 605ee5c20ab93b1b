"""A pytest plugin with what sse-starlette's suite imports and its source distribution leaves out."""

from __future__ import annotations

import logging
import sys
from contextlib import contextmanager
from types import ModuleType
from typing import TYPE_CHECKING, Any

import anyio
import httpx2
import pytest
from starlette.applications import Starlette
from starlette.routing import Route

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator

    from starlette.requests import Request


@contextmanager
def collapse_excgroups() -> Iterator[None]:
    """Raise the only exception of a group."""
    try:
        yield
    except BaseException as error:
        while len(getattr(error, "exceptions", ())) == 1:
            error = error.exceptions[0]  # type: ignore[attr-defined]
        raise error from None


def pytest_configure() -> None:
    """Offer the module that the tests import from."""
    module = ModuleType("tests.anyio_compat")
    module.collapse_excgroups = collapse_excgroups  # type: ignore[attr-defined]
    sys.modules["tests.anyio_compat"] = module


@pytest.fixture
def anyio_backend() -> str:
    return "asyncio"


@pytest.fixture(autouse=True)
def _reset_shutdown_state() -> Iterator[None]:
    import sse_starlette.sse as sse

    def reset() -> None:
        sse.AppStatus.should_exit = False
        sse.AppStatus.enable_automatic_graceful_drain = True
        if hasattr(sse, "_thread_state"):
            vars(sse._thread_state).clear()

    reset()
    yield
    reset()


@pytest.fixture
async def httpx_client() -> AsyncIterator[httpx2.AsyncClient]:
    import sse_starlette

    async def endless(_: Request) -> Any:
        async def numbers() -> AsyncIterator[dict[str, int]]:
            number = 0
            try:
                while True:
                    number += 1
                    yield {"data": number}
                    await anyio.sleep(0.1)
            except anyio.get_cancelled_exc_class():
                logging.getLogger(__name__).info("Disconnected from client")
                raise

        return sse_starlette.EventSourceResponse(numbers())

    transport = httpx2.ASGITransport(Starlette(routes=[Route("/endless", endless)]))
    async with httpx2.AsyncClient(transport=transport, base_url="http://test") as client:
        yield client
