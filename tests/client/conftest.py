"""Fixtures of the client's tests: a server, and users of the client."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING

import pytest
from accounts import API, Account
from users import USERS, AsyncUser, SyncUser, name_of

from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture(scope="session")
def api() -> Iterator[API]:
    api = API()
    with loopback_server(api.app) as api.base:
        yield api


@pytest.fixture
def account(api: API) -> Account:
    return api.open_account()


@pytest.fixture(params=USERS, ids=name_of)
def user(request: pytest.FixtureRequest) -> SyncUser | AsyncUser:
    """Each client, with each HTTP library."""
    return request.param


@pytest.fixture(autouse=True)
def environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """Remove the settings of the environment."""
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    monkeypatch.delenv("OPENAI_BASE_URL", raising=False)


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """The waits of clients between requests, in seconds; the clients do not really wait."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)

    monkeypatch.setattr("ssejet.client._client.time", SimpleNamespace(sleep=waits.append))
    monkeypatch.setattr("anyio.sleep", sleep)
    return waits
