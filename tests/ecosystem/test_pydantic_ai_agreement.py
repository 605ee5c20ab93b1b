"""What pydantic-ai makes of a stream, stock and with ssejet installed."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import warnings
from typing import TYPE_CHECKING, Any

import pytest

pydantic_ai = pytest.importorskip("pydantic_ai")

import anyio  # noqa: E402
from pydantic_ai import _utils, result  # noqa: E402
from pydantic_ai.direct import model_request_stream  # noqa: E402
from pydantic_ai.messages import ModelRequest  # noqa: E402
from pydantic_ai.models.openai import OpenAIChatModel  # noqa: E402
from pydantic_ai.providers.openai import OpenAIProvider  # noqa: E402
from serving import STREAMS  # noqa: E402

import ssejet  # noqa: E402
from ssejet.swap import _registry  # noqa: E402
from ssejet.swap._support import UnsupportedError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = [pytest.mark.ecosystem, pytest.mark.filterwarnings("ignore")]

# Names that are made by chance, and times.
CHANCE = re.compile(
    r"datetime\.datetime\([^)]*\)|(run|conversation)_id='[^']*'|pyd_ai_[0-9a-f]+|0x[0-9a-f]+|:\d{4,5}\b"
)


def model_of(url: str, name: str) -> Any:
    return OpenAIChatModel(name, provider=OpenAIProvider(base_url=url, api_key="key"))


async def as_text(url: str, name: str) -> list[Any]:
    agent: Any = pydantic_ai.Agent(model_of(url, name))
    seen: list[Any] = []
    async with agent.run_stream("Hello") as run:
        async for piece in run.stream_text(delta=True, debounce_by=None):
            seen.append(piece)  # noqa: PERF401 (what was seen before an error counts)
        seen += [run.usage, run.all_messages()]
    return seen


async def as_events(url: str, name: str) -> list[Any]:
    agent: Any = pydantic_ai.Agent(model_of(url, name), retries=0)

    @agent.tool_plain
    def weather(city: str) -> str:
        raise pydantic_ai.ModelRetry(city)

    seen: list[Any] = []
    async with agent.run_stream_events("Hello") as events:
        async for event in events:
            seen.append(event)  # noqa: PERF401
    return seen


async def as_request(url: str, name: str) -> list[Any]:
    seen: list[Any] = []
    request = [ModelRequest.user_text_prompt("Hello")]
    async with model_request_stream(model_of(url, name), request) as stream:
        async for event in stream:
            seen.append(event)  # noqa: PERF401
        seen += [stream.get(), stream.usage]
    return seen


def outcome(read: Callable[[str, str], Any], url: str, name: str, caplog: Any) -> list[str]:
    caplog.clear()
    with warnings.catch_warnings(record=True) as warned:
        warnings.simplefilter("always")
        try:
            seen = asyncio.run(read(url, name))
        except Exception as error:
            seen = [type(error), error, type(error.__cause__), error.__cause__]
    logs = [(record.name, record.levelname, record.getMessage()) for record in caplog.records]
    told = [str(each.message) for each in warned if each.category is not ResourceWarning]
    return [CHANCE.sub("…", repr(each)) for each in (*seen, *told, *logs)]


def is_left_alone(report: Any) -> bool:
    """Whether this is a version that is left alone; `tests/swap/versions.py` says for which that is right."""
    return "pydantic_ai" in report.left_alone and os.environ.get("LEFT_ALONE") == "pydantic_ai"


@pytest.fixture
def swap_in() -> Any:
    try:
        return _registry.swap_in("pydantic_ai")
    except UnsupportedError as error:
        if os.environ.get("LEFT_ALONE") != "pydantic_ai":
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("read", [as_text, as_events, as_request])
def test_a_stream_gives_the_same(
    streams_url: str, read: Any, name: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO, "pydantic_ai")
    stock = outcome(read, streams_url, name, caplog)
    with ssejet.install() as report:
        assert "pydantic_ai" in report.patched or is_left_alone(report)
        fast = outcome(read, streams_url, name, caplog)
    assert fast == stock


async def test_other_tasks_run_between_two_events(streams_url: str) -> None:
    agent: Any = pydantic_ai.Agent(model_of(streams_url, "repetition"))
    turns = 0

    async def count() -> None:
        nonlocal turns
        while True:
            turns += 1
            await asyncio.sleep(0)

    with ssejet.install():
        counter = asyncio.create_task(count())
        async with agent.run_stream("Hello") as run:
            seen = []
            async for _ in run.stream_text(delta=True, debounce_by=None):
                seen.append(turns)  # noqa: PERF401
        counter.cancel()
    assert len(seen) == 120
    assert len(set(seen)) == len(seen)


async def test_a_run_is_cancelled_between_two_events(streams_url: str) -> None:
    agent: Any = pydantic_ai.Agent(model_of(streams_url, "repetition"))
    seen = 0
    with ssejet.install():
        with anyio.CancelScope() as scope:
            async with agent.run_stream("Hello") as run:
                async for _ in run.stream_text(delta=True, debounce_by=None):
                    seen += 1
                    if seen == 3:
                        scope.cancel()
    assert scope.cancelled_caught
    assert seen == 3


async def test_the_locks_are_fast_only_while_it_is_installed(swap_in: Any) -> None:
    def is_fast() -> bool:
        return bool(_utils.PeekableAsyncStream(())._source_lock._fast_acquire)

    with ssejet.install():
        assert is_fast()
    assert not is_fast()
    assert {patch.owner for patch in swap_in.PATCHES} <= {_utils.PeekableAsyncStream, result.AgentStream}


def test_a_version_without_the_outer_lock_is_left_alone(
    swap_in: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def _pull_shared(self: Any) -> None: ...

    monkeypatch.setattr(result.AgentStream, "_pull_shared", _pull_shared)
    with pytest.raises(UnsupportedError, match="no lock that other tasks can wait for"):
        swap_in._patches()


def test_a_version_without_shared_pulls_is_left_alone(swap_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delattr(result.AgentStream, "_pull_shared")
    with pytest.raises(UnsupportedError, match="no lock that other tasks can wait for"):
        swap_in._patches()
