from __future__ import annotations

import importlib.util
from itertools import count
from typing import TYPE_CHECKING, Any

import anyio
import pytest

from redis_server import RedisServer
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterator

# In seconds: longer than any test takes, but finite, so that a test that hangs fails.
A_LONG_TIME = 200

_prefixes = count()


@pytest.fixture(autouse=True)
def long_reads(monkeypatch: pytest.MonkeyPatch) -> None:
    """A read that nobody wakes lasts longer than a test, so that a missing wake fails."""
    if importlib.util.find_spec("redis"):
        monkeypatch.setattr("ssejet.hub._redis_reader._BLOCK", 10 * A_LONG_TIME)


@pytest.fixture(scope="session")
def redis_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[RedisServer]:
    """A server that all tests share, each with a prefix of its own."""
    server = RedisServer(tmp_path_factory.mktemp("redis"), "--appendonly", "no")
    yield server
    server.close()


@pytest.fixture
def own_redis(tmp_path: Any) -> Iterator[RedisServer]:
    """A server that the test may restart."""
    server = RedisServer(tmp_path)
    yield server
    server.close()


@pytest.fixture(params=["memory", pytest.param("redis", marks=pytest.mark.slow)])
def hub_options(request: pytest.FixtureRequest) -> dict[str, Any]:
    """The arguments of a hub, for each engine."""
    if request.param == "memory":
        return {}
    server: RedisServer = request.getfixturevalue("redis_server")
    return {"url": server.url, "prefix": f"test{next(_prefixes)}"}


@pytest.fixture(params=["asyncio", "trio"])
def play(request: pytest.FixtureRequest, hub_options: dict[str, Any]) -> Callable[..., None]:
    """Runs a scenario with a hub: with each engine, on each event loop."""

    def play(scenario: Callable[[AsyncHub], Awaitable[None]], **options: Any) -> None:
        async def main() -> None:
            with anyio.fail_after(A_LONG_TIME):
                async with AsyncHub(**hub_options, **options) as hub:
                    await scenario(hub)

        anyio.run(main, backend=request.param)

    return play
