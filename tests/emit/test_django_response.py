"""Event streams as bodies of Django's responses, which need no module of their own."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import django
import pytest
from django.conf import settings
from django.core.handlers.asgi import ASGIHandler
from django.core.handlers.wsgi import WSGIHandler
from django.http import StreamingHttpResponse
from django.urls import path
from probes import TIMEOUT, Probe, asgi_server, leave_after, wsgi_server

from ssejet.emit import AsyncEventStream, EventStream

if TYPE_CHECKING:
    from collections.abc import Iterator

HEARTBEAT = b": keep-alive\n\n"
FIRST = b"data: xxxxxxxxxx\n\n"
SOON = 0.01

urlpatterns: list[Any] = []


@pytest.fixture(autouse=True, scope="module")
def _django() -> None:
    if not settings.configured:
        settings.configure(ALLOWED_HOSTS=["*"], ROOT_URLCONF=__name__, LOGGING_CONFIG=None, SECRET_KEY="x")
        django.setup()


@pytest.fixture(autouse=True)
def _no_views() -> Iterator[None]:
    yield
    urlpatterns.clear()


def test_a_sync_stream_is_closed_when_the_client_leaves(caplog: pytest.LogCaptureFixture) -> None:
    probe = Probe(waits_after=1)

    def view(_: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(EventStream(probe.synchronous(), heartbeat=SOON))

    urlpatterns.append(path("sync", view))
    with wsgi_server(WSGIHandler()) as url:
        leave_after(f"{url}/sync", until=FIRST + 2 * HEARTBEAT)
        probe.gate.set()
        assert probe.closed.wait(TIMEOUT)
    assert not [record for record in caplog.records if record.levelname == "ERROR"]


@pytest.mark.parametrize("heartbeat", [None, SOON])
def test_an_async_stream_is_closed_when_the_client_leaves(heartbeat: float | None) -> None:
    probe = Probe(waits_after=1)

    async def view(_: Any) -> StreamingHttpResponse:
        return StreamingHttpResponse(AsyncEventStream(probe.asynchronous(), heartbeat=heartbeat))

    urlpatterns.append(path("async", view))
    with asgi_server(ASGIHandler()) as (_, url):
        leave_after(f"{url}/async", until=FIRST + (2 * HEARTBEAT if heartbeat else b""))
        assert probe.closed.wait(TIMEOUT)
    assert probe.ended_by is asyncio.CancelledError
