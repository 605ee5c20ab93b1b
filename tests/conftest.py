"""Fixtures for all, and Hypothesis profiles; pick one with ``HYPOTHESIS_PROFILE``."""

from __future__ import annotations

import gc
import os
import signal
from itertools import combinations
from pathlib import Path
from typing import TYPE_CHECKING, Any

import certifi
import pytest
from hypothesis import HealthCheck, settings

from clock import clock  # noqa: F401  # a fixture
from drivers import driver  # noqa: F401  # a fixture
from faults import faults  # noqa: F401  # a fixture
from servers import A_LONG_TIME, server  # noqa: F401  # a fixture
from subscribers import subscriber  # noqa: F401  # a fixture
from tls import tls, tls_files  # noqa: F401  # fixtures

if TYPE_CHECKING:
    from collections.abc import Generator, Iterator

# The fixtures of tests that read a stream from a real server; the folders whose tests read on both ways.
_SERVERS = {"account", "faults", "harness", "script", "server", "service", "tls_faults", "tls_script"}
_FOLDERS = {"client", "emit", "http", "source", "swap", "typed"}

# Tests of what a server sends or is sent. How the bytes are read makes no difference to them.
_ONE_WAY = {
    "test_answers.py",
    "test_openai_agreement.py",
    "test_other_content.py",
    "test_pool_index.py",
    "test_requests.py",
    "test_secrets.py",
}


@pytest.fixture(scope="session", autouse=True)
def one_certificate(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Clients of httpx load one certificate. All that they load by default take longer than most tests."""
    certificate, end, _ = (
        Path(certifi.where()).read_text(encoding="utf-8").partition("-----END CERTIFICATE-----")
    )
    file = tmp_path_factory.mktemp("certificates") / "one.pem"
    file.write_text(f"{certificate}{end}\n", encoding="utf-8")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSL_CERT_FILE", str(file))
        yield


@pytest.fixture(scope="module", autouse=True)
def frozen_heap() -> None:
    """Many tests collect garbage. The collector then passes over all that was there before their module."""
    gc.collect()
    gc.freeze()


@pytest.fixture(scope="module", autouse=True)
def way(request: pytest.FixtureRequest) -> Iterator[str]:
    """How bodies are read: directly, where that is possible, or the ordinary way."""
    way = getattr(request, "param", "direct")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("SSEJET_DIRECT", "1" if way == "direct" else "0")
        yield way


@pytest.fixture
def short_refusals(monkeypatch: pytest.MonkeyPatch) -> None:
    """The rest of a body that is no event stream is not waited for as long as usual."""
    monkeypatch.setattr("ssejet.typed._refusal._IDLE_TIME", 0.2)
    monkeypatch.setattr("ssejet.source._event_source._EXCERPT_TIME", 0.2)


@pytest.fixture
def long_drain(monkeypatch: pytest.MonkeyPatch) -> None:
    """Gives a slow machine time to read the rest of a body."""
    for module in ("reader", "async_reader"):
        monkeypatch.setattr(f"ssejet._http.{module}.DRAIN_TIME", A_LONG_TIME)


def pytest_configure() -> None:
    # A shell without job control lets what it runs in the background ignore Ctrl-C. The commands that tests
    # start would inherit that, and those that are interrupted would never end.
    if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
        signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.hookimpl(wrapper=True)
def pytest_collection() -> Generator[None, object, object]:
    # Collection makes many objects, which all stay. To look for garbage among them takes time.
    gc.disable()
    try:
        return (yield)
    finally:
        gc.enable()


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    path = metafunc.definition.path
    if (
        path.parent.name in _FOLDERS
        and path.name not in _ONE_WAY
        and not _SERVERS.isdisjoint(metafunc.fixturenames)
    ):
        metafunc.parametrize("way", ["direct", "ordinary"], indirect=True)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    # On trio, and with other libraries than aiohttp, there is only the ordinary way.
    items[:] = [item for item in items if not _is_repeated(getattr(item, "callspec", None))]
    tests: dict[Any, list[Any]] = {}
    for item in items:
        if hasattr(item, "callspec") and item.get_closest_marker("pairs"):
            tests.setdefault((item.path, item.parent, item.originalname), []).append(item)
    left_out = {item for group in tests.values() for item in _beyond_pairs(group)}
    items[:] = [item for item in items if item not in left_out]


def _beyond_pairs(items: list[Any]) -> set[Any]:
    """The combinations of parameters that are not needed so that each pair of values occurs."""
    values = {
        item: sorted((name, id(value)) for name, value in item.callspec.params.items()) for item in items
    }
    # A test with one parameter has no pairs, but each value of it counts.
    pairs = {item: {*values[item], *combinations(values[item], 2)} for item in items}
    missing = set().union(*pairs.values())
    while missing:
        best = max(pairs, key=lambda item: len(pairs[item] & missing))
        missing -= pairs.pop(best)
    return set(pairs)


def _is_repeated(callspec: Any) -> bool:
    if callspec is None or callspec.params.get("way") != "ordinary":
        return False
    return any(
        each == "trio" or (getattr(each, "__module__", "") == "http_libraries" and each.__name__ != "Aiohttp")
        for value in callspec.params.values()
        for each in (value, getattr(value, "backend", None), getattr(value, "http", None))
        if isinstance(each, (str, type))
    )


# The time of an example depends on who else uses the machine, so no example has a deadline.
_common = {"deadline": None, "suppress_health_check": [HealthCheck.too_slow]}

settings.register_profile("ci", derandomize=True, max_examples=200, stateful_step_count=20, **_common)
settings.register_profile("fast", derandomize=True, max_examples=10, stateful_step_count=10, **_common)
settings.register_profile("dev", max_examples=200, stateful_step_count=20, **_common)
settings.register_profile("thorough", max_examples=10_000, **_common)
settings.load_profile(os.environ.get("HYPOTHESIS_PROFILE", "ci"))
