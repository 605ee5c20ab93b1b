from __future__ import annotations

import importlib
import os
import subprocess
import sys
import warnings
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import anthropic
import httpx2
import httpx_sse
import openai
import pytest
from items import USUAL
from openai.lib.streaming.chat import AsyncChatCompletionStreamManager, ChatCompletionStreamManager
from sdks import FakeServer, event

import ssejet
from ssejet.swap import UnsupportedVersionWarning, _registry
from ssejet.swap._plan.probe import compare
from ssejet.swap._stainless import StainlessSwapIn
from ssejet.swap._support import UnsupportedError
from ssejet.swap.openai._chat import LinearState

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow

CHUNK = event('{"id": "c", "choices": [], "created": 1, "model": "m", "object": "chat.completion.chunk"}')

CLASSES: list[Any] = [
    openai.Stream,
    openai.AsyncStream,
    openai._base_client.BaseClient,
    ChatCompletionStreamManager,
    AsyncChatCompletionStreamManager,
    anthropic.Stream,
    anthropic.AsyncStream,
    anthropic._base_client.BaseClient,
    *([importlib.import_module("huggingface_hub.inference._common")] if find_spec("huggingface_hub") else []),
    httpx_sse.EventSource,
    httpx2.EventSource,
    *_registry.swap_in("anthropic").linear,
]
with suppress(ImportError):
    from google.genai import models

    CLASSES += [models.Models, models.AsyncModels]
with suppress(ImportError):
    from cohere.v2 import raw_client

    CLASSES += [raw_client.RawV2Client, raw_client.AsyncRawV2Client]


def state_of_the_process() -> list[Any]:
    # copy.copy(), which anthropic uses, keeps the names of a class's slots in the class.
    return [{**vars(cls), "__slotnames__": None} for cls in CLASSES] + [list(sys.meta_path)]


@pytest.fixture(autouse=True)
def _uninstalled() -> Any:
    before = state_of_the_process()
    yield
    ssejet.uninstall()
    assert state_of_the_process() == before


def chat_stream(client: Any) -> Any:
    return client.chat.completions.create(model="m", messages=[], stream=True)


def is_fast(stream: Any) -> bool:
    """Whether the generator behind a stream is ours."""
    return bool(stream._iterator.__name__ == "drive")


def test_all_streams_are_fast_while_it_is_installed() -> None:
    server = FakeServer([CHUNK])
    earlier = server.client("openai", "sync")
    with ssejet.install():
        for client in (earlier, server.client("openai", "sync")):
            stream = chat_stream(client)
            assert type(stream) is openai.Stream
            assert is_fast(stream)
            assert [item.id for item in stream] == ["c"]
        with earlier.beta.chat.completions.stream(model="m", messages=[]) as events:
            assert type(events._state) is LinearState
        later = FakeServer([event(str(USUAL["message event"]))]).client("anthropic", "sync")
        assert is_fast(later.messages.create(model="m", max_tokens=1, messages=[], stream=True))
    assert not is_fast(chat_stream(earlier))


def test_uninstalling_leaves_no_trace() -> None:
    before = state_of_the_process()
    ssejet.install()
    assert state_of_the_process() != before
    ssejet.uninstall()
    assert state_of_the_process() == before
    ssejet.uninstall()
    assert state_of_the_process() == before


def test_it_says_what_it_patched() -> None:
    report = ssejet.install()
    versions = {
        "openai": openai.__version__,
        "anthropic": anthropic.__version__,
        "httpx_sse": httpx_sse.__version__,
        "httpx2": httpx2.__version__,
    }
    # Other tests may have imported other SDKs.
    assert versions.items() <= report.patched.items()
    assert [name for name in report.waiting if name in versions] == []
    assert report.left_alone == {}
    assert f"'openai': '{openai.__version__}'" in repr(report)
    ssejet.uninstall()
    assert report.patched == {}
    assert report.waiting == list(_registry.ENTRIES)


def test_all_that_is_patched_is_looked_at_here() -> None:
    names = [name for name in _registry.installed() if name in _registry.ENTRIES]
    swap_ins: list[Any] = [_registry.swap_in(name) for name in names]
    assert {patch.owner for swap_in in swap_ins for patch in swap_in.PATCHES} == set(CLASSES)


def test_threads_may_install_and_uninstall_at_once() -> None:
    def install_and_uninstall(_: int) -> None:
        for _ in range(200):
            ssejet.install()
            ssejet.uninstall()

    before, interval = state_of_the_process(), sys.getswitchinterval()
    ssejet.install()
    sys.setswitchinterval(1e-6)
    try:
        with ThreadPoolExecutor(4) as threads:
            list(threads.map(install_and_uninstall, range(4)))
    finally:
        sys.setswitchinterval(interval)
    ssejet.uninstall()
    assert state_of_the_process() == before


def test_threads_may_import_while_others_install() -> None:
    program = """if True:
        import sys
        from concurrent.futures import ThreadPoolExecutor
        from importlib import import_module
        import ssejet

        packages = ["openai", "anthropic", "httpx_sse", "httpx2"]
        sys.setswitchinterval(1e-5)
        with ThreadPoolExecutor(8) as threads:
            imports = [threads.submit(import_module, package) for package in packages]
            installs = [threads.submit(ssejet.install) for _ in range(4)]
            reports = [install.result() for install in installs]
            modules = [module.result() for module in imports]
        assert sorted(reports[0].patched) == sorted(packages), reports
        assert sum("ssejet" in type(finder).__module__ for finder in sys.meta_path) == 1
        ssejet.uninstall()
        assert modules[0].Stream.__stream__.__code__.co_filename.endswith("_streaming.py")
        print("done")
    """
    assert run(program) == "done\n"


def test_installing_twice_does_no_more_than_once() -> None:
    before = state_of_the_process()
    ssejet.install()
    once = state_of_the_process()
    with ssejet.install() as report:
        assert state_of_the_process() == once
        assert len(report.patched) >= 4
    assert state_of_the_process() == once, "only the block that installed it takes it back"
    ssejet.uninstall()
    assert state_of_the_process() == before


def test_a_client_may_also_be_accelerated() -> None:
    with ssejet.install():
        client = ssejet.accelerate(FakeServer([]).client("openai", "sync"))
        assert is_fast(chat_stream(client))
    assert is_fast(chat_stream(client))


def test_patches_that_others_put_on_top_are_not_destroyed() -> None:
    stock = openai.Stream.__iter__

    def theirs(self: Any) -> Any:
        return ours(self)

    ssejet.install()
    ours = openai.Stream.__iter__
    try:
        openai.Stream.__iter__ = theirs  # type: ignore[method-assign]
        with pytest.warns(
            RuntimeWarning, match=r"Stream\.__iter__ was patched by others after ssejet\.install"
        ):
            ssejet.uninstall()
        assert openai.Stream.__iter__ is theirs
        assert len(list(chat_stream(FakeServer([CHUNK] * 2).client("openai", "sync")))) == 2
    finally:
        openai.Stream.__iter__ = stock  # type: ignore[method-assign]


def run(program: str, path: str = "") -> str:
    """What a fresh interpreter prints, for which every warning is an error."""
    command = [sys.executable, "-W", "error", "-c", program]
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join([path, os.environ.get("PYTHONPATH", "")])}
    done = subprocess.run(command, check=False, capture_output=True, text=True, env=environment)
    assert done.returncode == 0, done.stderr
    return done.stdout


def test_what_is_imported_later_is_patched_then() -> None:
    program = """if True:
        import importlib, importlib.resources, inspect, sys
        import ssejet

        report = ssejet.install()
        assert report.patched == {}, report
        assert "pydantic" not in sys.modules
        for name in ("httpx_sse", "httpx2", "anthropic", "openai"):
            assert name not in report.patched, report
            package = importlib.import_module(name)
            assert name in report.patched, report
            assert type(package.__spec__.loader).__name__ == "SourceFileLoader"
            assert package.__loader__ is package.__spec__.loader
            assert importlib.resources.files(package).joinpath("__init__.py").is_file()
            assert inspect.getsource(package)
        ssejet.uninstall()
        assert report.patched == {}
        assert not [finder for finder in sys.meta_path if "ssejet" in type(finder).__module__]
        print("done")
    """
    assert run(program) == "done\n"


def test_importing_after_uninstalling_patches_nothing() -> None:
    program = """if True:
        import ssejet

        with ssejet.install():
            pass
        import openai
        assert openai.Stream.__stream__.__module__ == "openai._streaming"
        print(openai.Stream.__stream__.__code__.co_filename.endswith("_streaming.py"))
    """
    assert run(program) == "True\n"


def test_a_version_that_is_not_known_is_left_alone_with_a_warning(monkeypatch: Any) -> None:
    def fail() -> None:
        raise UnsupportedError("its streams go backwards")

    monkeypatch.setattr(_registry.swap_in("openai"), "check", fail)
    message = f"leaves openai {openai.__version__} as it is: its streams go backwards"
    before = state_of_the_process()[:5]
    with pytest.warns(UnsupportedVersionWarning, match=message):
        report = ssejet.install()
    assert state_of_the_process()[:5] == before
    assert report.left_alone == {"openai": "its streams go backwards"}
    assert "anthropic" in report.patched
    client = FakeServer([]).client("openai", "sync")
    with pytest.warns(UnsupportedVersionWarning, match=message):
        assert ssejet.accelerate(client) is client


def test_a_version_with_other_internals_can_still_be_imported(tmp_path: Path) -> None:
    package = tmp_path / "openai"
    package.mkdir()
    (package / "__init__.py").write_text("__version__ = '99.0'\n\nclass OpenAI: pass\n")
    program = """if True:
        import warnings
        import ssejet

        ssejet.install()
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            import openai
        print(openai.OpenAI.__name__, [str(warning.message) for warning in caught])
    """
    out = run(program, str(tmp_path))
    assert out.startswith("OpenAI [")
    reason = "it lacks what ssejet builds on: No module named 'openai."
    assert f"ssejet leaves openai 99.0 as it is: {reason}" in out


def another(stock: Any, **changes: Any) -> Any:
    """A stream of a version of the SDK that does something otherwise."""
    return type(stock.__name__, (stock,), changes)


@pytest.mark.parametrize("sdk", ["openai", "anthropic"])
def test_a_version_whose_streams_do_otherwise_is_noticed(sdk: str) -> None:
    swap_in: Any = _registry.swap_in(sdk)
    package: Any = importlib.import_module(sdk)
    client = {"openai": openai.OpenAI, "anthropic": anthropic.Anthropic}[sdk]
    clients = (client, swap_in.accelerated(client))
    base = package._models.BaseModel
    event_type = {"openai": "", "anthropic": "message_start"}[sdk]

    def every_other(self: Any) -> Any:
        yield from list(package.Stream.__stream__(self))[::2]

    for changes in ({"__stream__": every_other}, {"__init__": lambda self, response: None}):
        stock = another(package.Stream, **changes)
        with pytest.raises(UnsupportedError, match="its Stream gives"):
            compare({stock: swap_in.streams[package.Stream]}, clients, base, event_type)
    compare(swap_in.streams, clients, base, event_type)


def test_a_version_that_builds_items_otherwise_is_noticed(monkeypatch: Any) -> None:
    stock = openai._models._construct_field

    def coerce(value: Any, **rest: Any) -> Any:
        return stock(value=int(value) if value == "5" else value, **rest)

    monkeypatch.setattr("openai._models._construct_field", coerce)
    with pytest.raises(UnsupportedError, match="its Stream gives"):
        StainlessSwapIn("openai").check()


def test_nothing_is_patched_if_a_warning_is_an_error(monkeypatch: Any) -> None:
    def check() -> None:
        raise UnsupportedError("it is new")

    before = state_of_the_process()
    monkeypatch.setattr(_registry.swap_in("httpx_sse"), "check", check)
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UnsupportedVersionWarning, match="it is new"):
            ssejet.install()
    assert state_of_the_process() == before
