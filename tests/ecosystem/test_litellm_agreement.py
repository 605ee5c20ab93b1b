"""What LiteLLM makes of a stream, stock and with ssejet: chunks, errors, callbacks, what it prints."""

from __future__ import annotations

import asyncio
import logging
import os
import re
import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

litellm = pytest.importorskip("litellm")

from litellm.integrations.custom_logger import CustomLogger  # noqa: E402
from litellm.litellm_core_utils import streaming_handler  # noqa: E402
from serving import STREAMS  # noqa: E402

import ssejet  # noqa: E402
from ssejet.swap import _registry  # noqa: E402
from ssejet.swap._support import UnsupportedError  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.ecosystem, pytest.mark.filterwarnings("ignore")]

# Names that are made by chance, times and ports.
CHANCE = re.compile(
    r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}|0x[0-9a-f]+|(created|created_at)['\"]?[=:] ?[\d.]+"
    r"|127.0.0.1:\d+"
    r"|'(?:_response_ms|litellm_overhead_time_ms)': [\d.]+"
    r"|'llm_provider-date': '[^']*'|\d{4}-\d\d-\d\d[ T][\d:.]+|line \d+|[\d.]+s\b|datetime\([^)]*\)"
)


class Recorder(CustomLogger):
    """Records what LiteLLM calls it with."""

    def __init__(self) -> None:
        super().__init__()
        self.calls: list[str] = []

    def _record(self, name: str, kwargs: Any, response: Any) -> None:
        keys = ("stream", "cache_hit", "log_event_type", "complete_streaming_response", "exception")
        what = {key: kwargs.get(key) for key in keys}
        self.calls.append(f"{name}: {response!r} {what!r}")

    def log_stream_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._record("stream", kwargs, response_obj)

    def log_success_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._record("success", kwargs, response_obj)

    def log_failure_event(self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any) -> None:
        self._record("failure", kwargs, response_obj)

    async def async_log_stream_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        await asyncio.sleep(0.001)
        self._record("async stream", kwargs, response_obj)

    async def async_log_success_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        asyncio.create_task(asyncio.sleep(60)).add_done_callback(lambda _: None)
        await asyncio.sleep(0)
        self._record("async success", kwargs, response_obj)

    async def async_log_failure_event(
        self, kwargs: Any, response_obj: Any, start_time: Any, end_time: Any
    ) -> None:
        self._record("async failure", kwargs, response_obj)


class OneAtATime:
    """Runs the loggers in threads, but one at a time: otherwise what they see depends on chance."""

    def submit(self, function: Any, *args: Any, **options: Any) -> None:
        thread = threading.Thread(target=function, args=args, kwargs=options)
        thread.start()
        thread.join()


@pytest.fixture
def recorder(monkeypatch: pytest.MonkeyPatch) -> Iterator[Recorder]:
    recorder = Recorder()
    monkeypatch.setattr(litellm, "callbacks", [recorder])
    monkeypatch.setattr(litellm, "suppress_debug_info", True)
    monkeypatch.setattr(streaming_handler, "executor", OneAtATime())
    yield recorder
    for name in (
        "success_callback",
        "failure_callback",
        "_async_success_callback",
        "_async_failure_callback",
    ):
        monkeypatch.setattr(litellm, name, [])


def options(url: str, name: str) -> dict[str, Any]:
    return {
        "model": f"openai/{name}",
        "api_base": url,
        "api_key": "key",
        "messages": [{"role": "user", "content": "Hello"}],
        "stream": True,
        "max_retries": 0,
        **({"stream_options": {"include_usage": True}} if name == "usage" else {}),
    }


def shown(chunk: Any) -> str:
    hidden = {key: value for key, value in chunk._hidden_params.items() if key != "created_at"}
    return f"{chunk.model_dump()!r} {sorted(chunk.model_fields_set)} {hidden!r}"


def sync(url: str, name: str) -> list[str]:
    seen = []
    try:
        for chunk in litellm.completion(**options(url, name)):
            seen.append(shown(chunk))  # noqa: PERF401 (what was seen before an error counts)
    except Exception as error:
        seen.append(f"{type(error)} {error}")
    return seen


def asynchronous(url: str, name: str) -> list[str]:
    async def read() -> list[str]:
        seen = []
        try:
            async for chunk in await litellm.acompletion(**options(url, name)):
                seen.append(shown(chunk))  # noqa: PERF401
        except Exception as error:
            seen.append(f"{type(error)} {error}")
        await asyncio.sleep(0.05)
        return seen

    return asyncio.run(read())


def outcome(
    read: Any, url: str, name: str, recorder: Recorder, capsys: Any, caplog: Any
) -> dict[str, list[str]]:
    recorder.calls.clear()
    caplog.clear()
    seen = read(url, name)
    # Loggers run in threads, in any order.
    deadline = time.monotonic() + 10
    calls = -1
    while calls != len(recorder.calls) and time.monotonic() < deadline:
        calls = len(recorder.calls)
        time.sleep(0.1)
    printed = [line for line in capsys.readouterr().out.splitlines() if "PROCESSED CHUNK" in line]
    logs = [f"{each.name} {each.levelname} {each.getMessage()}" for each in caplog.records]
    found = {"chunks": seen, "calls": sorted(recorder.calls), "printed": printed, "logs": sorted(logs)}
    return {key: [CHANCE.sub("…", each) for each in value] for key, value in found.items()}


def is_left_alone(report: Any) -> bool:
    """Whether this is a version that is left alone; `tests/swap/versions.py` says for which that is right."""
    return "litellm" in report.left_alone and os.environ.get("LEFT_ALONE") == "litellm"


@pytest.fixture
def swap_in() -> Any:
    try:
        return _registry.swap_in("litellm")
    except UnsupportedError as error:
        if os.environ.get("LEFT_ALONE") != "litellm":
            raise
        pytest.skip(str(error))


@pytest.mark.parametrize("name", STREAMS)
@pytest.mark.parametrize("read", [sync, asynchronous])
def test_a_stream_gives_the_same(
    streams_url: str, read: Any, name: str, recorder: Recorder, capsys: Any, caplog: Any
) -> None:
    caplog.set_level(logging.WARNING)
    read(streams_url, name)  # the first one sets things up
    stock = outcome(read, streams_url, name, recorder, capsys, caplog)
    with ssejet.install() as report:
        assert "litellm" in report.patched or is_left_alone(report)
        fast = outcome(read, streams_url, name, recorder, capsys, caplog)
    assert fast == stock
    assert stock["chunks"]


def test_what_is_printed_for_set_verbose_is_the_same(
    streams_url: str, recorder: Recorder, capsys: Any, caplog: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(litellm, "set_verbose", True)
    stock = outcome(sync, streams_url, "text", recorder, capsys, caplog)
    with ssejet.install():
        fast = outcome(sync, streams_url, "text", recorder, capsys, caplog)
    assert fast["printed"] == stock["printed"]
    assert len(stock["printed"]) >= 2 * len(stock["chunks"]) - 2


@pytest.mark.usefixtures("swap_in")
def test_chunks_are_not_written_out_if_nothing_is_printed(
    streams_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    written = []
    cls = litellm.ModelResponseStream
    stock = cls.__str__

    def count(self: Any) -> str:
        if threading.current_thread() is threading.main_thread():
            written.append(self)
        return stock(self)

    monkeypatch.setattr(cls, "__str__", count)
    assert len(sync(streams_url, "text")) > 2
    assert written
    written.clear()
    with ssejet.install():
        assert len(sync(streams_url, "text")) > 2
    assert not written


def test_a_delta_gives_the_same_for_all_names(swap_in: Any) -> None:
    made = litellm.types.utils.Delta(content="a", mood=1, thinking_blocks=None, tool_calls=[])
    unset = litellm.types.utils.Delta.__new__(litellm.types.utils.Delta)
    names = [
        *("content", "role", "mood", "none", "tool_calls", "thinking_blocks", "reasoning_content", "audio"),
        *("get", "model_fields", "model_extra", "_hidden_params", "__dict__", "__pydantic_extra__"),
        *("__pydantic_private__", "model_config", "__class__", "", "ä", "provider_specific_fields"),
        *dir(made),
    ]

    def attempt(ask: Any, *arguments: Any) -> str:
        try:
            return repr(ask(*arguments))
        except Exception as error:
            return f"{type(error)} {error}"

    def seen() -> list[Any]:
        found: list[Any] = []
        for delta in (made, unset):
            for name in names:
                found += [attempt(delta.get, name), attempt(delta.get, name, 2)]
                found.append(attempt(delta.__contains__, name))
        for name in (1, None, b"x"):
            with pytest.raises(TypeError) as error:
                made.get(name)
            found.append(str(error.value))
        return found

    stock = seen()
    with ssejet.install():
        assert litellm.types.utils.Delta.get.__wrapped__
        assert seen() == stock
        assert seen() == stock


def test_another_print_verbose_is_left_alone(swap_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(streaming_handler, "print_verbose", lambda text: None)
    with pytest.raises(UnsupportedError, match="does something else"):
        swap_in._patches()


def test_a_method_that_others_replaced_is_left_alone(swap_in: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    stock = streaming_handler.CustomStreamWrapper.__next__
    monkeypatch.setattr(streaming_handler.CustomStreamWrapper, "__next__", lambda self: stock(self))
    with pytest.raises(UnsupportedError, match="was replaced"):
        swap_in._patches()
