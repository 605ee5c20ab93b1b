"""One way to subscribe with every client, synchronously, on asyncio and on trio."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2
import pytest
from anyio.from_thread import start_blocking_portal

import ssejet
from http_libraries import Aiohttp, Niquests, Requests, Urllib3

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator
    from types import ModuleType

# In seconds: longer than any test takes. A test that waits longer fails.
A_LONG_TIME = 200


@dataclass
class Outcome:
    """The result of a subscription that was read to its end."""

    subscription: Any
    events: list[ssejet.ServerSentEvent] = field(default_factory=list)
    error: BaseException | None = None
    tasks_left: int = 0
    """How many tasks it left behind."""

    @property
    def data(self) -> list[str]:
        """The data of the events; raises the error of the subscription."""
        if self.error is not None:
            raise self.error
        return [event.data for event in self.events]


class Reading(Outcome):
    """A subscription that is read in the background, and its events so far."""

    def __init__(self, subscription: Any, on_event: Callable[[str], object] | None) -> None:
        super().__init__(subscription)
        self._on_event = on_event
        self.ended = threading.Event()
        self._news = threading.Condition()

    def add(self, event: ssejet.ServerSentEvent) -> None:
        if self._on_event is not None:
            self._on_event(event.data)
        with self._news:
            self.events.append(event)
            self._news.notify_all()

    def end(self, error: BaseException | None = None) -> None:
        self.error = error
        self.ended.set()

    def await_events(self, count: int) -> None:
        with self._news:
            assert self._news.wait_for(lambda: len(self.events) >= count, A_LONG_TIME)

    def await_silence(self) -> None:
        """Give the subscription time to begin its wait."""
        self.ended.wait(0.03)

    def await_end(self) -> None:
        assert self.ended.wait(A_LONG_TIME)

    # The test's thread calls these for both kinds of subscription.
    close: Callable[[], None]
    restart: Callable[[], None]
    read_too: Callable[[], object]


@dataclass(frozen=True)
class SyncSubscriber:
    """Reads with ``Subscription``."""

    http: ModuleType | type[Any]

    def _client(self, **options: Any) -> Any:
        return self.http.Client(verify=False, **_limits(self.http), **options)

    def read(self, url: str, *, client_options: Any = (), **options: Any) -> Outcome:
        with (
            self._client(**dict(client_options)) as client,
            ssejet.subscribe(url, client=client, **options) as subscription,
        ):
            outcome = Outcome(subscription)
            try:
                for event in subscription:
                    outcome.events.append(event)
            except Exception as error:
                outcome.error = error
            return outcome

    @contextmanager
    def reading(
        self, url: str, *, on_event: Callable[[str], object] | None = None, **options: Any
    ) -> Iterator[Reading]:
        """Read in another thread."""
        with self._client() as client, ssejet.subscribe(url, client=client, **options) as subscription:
            reading = Reading(subscription, on_event)
            reading.read_too = lambda: next(subscription)
            reading.close = subscription.close
            reading.restart = subscription.restart

            def read() -> None:
                try:
                    for event in subscription:
                        reading.add(event)
                    reading.end()
                except Exception as error:
                    reading.end(error)

            thread = threading.Thread(target=read)
            thread.start()
            yield reading
            subscription.close()
            thread.join(A_LONG_TIME)
            assert not thread.is_alive()


@dataclass(frozen=True)
class AsyncSubscriber:
    """Reads with ``AsyncSubscription``."""

    http: ModuleType | type[Any]
    backend: str

    def _client(self, **options: Any) -> Any:
        return self.http.AsyncClient(verify=False, **_limits(self.http), **options)

    @asynccontextmanager
    async def _made(self) -> AsyncIterator[Any]:
        async with self._client() as client:
            yield client

    def read(self, url: str, *, client_options: Any = (), **options: Any) -> Outcome:
        async def main() -> Outcome:
            async with (
                self._client(**dict(client_options)) as client,
                ssejet.asubscribe(url, client=client, **options) as subscription,
            ):
                outcome = Outcome(subscription)
                try:
                    async for event in subscription:
                        outcome.events.append(event)
                except Exception as error:
                    outcome.error = error
            # In trio, a parent waits for each task, so none is left.
            if self.backend == "asyncio":
                outcome.tasks_left = len(asyncio.all_tasks()) - 1
            return outcome

        return anyio.run(main, backend=self.backend)

    @contextmanager
    def reading(
        self, url: str, *, on_event: Callable[[str], object] | None = None, **options: Any
    ) -> Iterator[Reading]:
        """Read in another thread."""
        with (
            start_blocking_portal(self.backend) as portal,
            portal.wrap_async_context_manager(self._made()) as client,
        ):
            subscription = ssejet.asubscribe(url, client=client, **options)
            reading = Reading(subscription, on_event)
            reading.read_too = lambda: portal.call(subscription.__anext__)
            reading.close = lambda: portal.call(subscription.aclose)
            reading.restart = lambda: portal.call(subscription.restart)

            async def read() -> None:
                try:
                    async for event in subscription:
                        reading.add(event)
                    reading.end()
                except Exception as error:
                    reading.end(error)

            portal.start_task_soon(read)
            yield reading
            reading.close()
            reading.await_end()


def can_interrupt_requests(subscriber: SyncSubscriber | AsyncSubscriber) -> bool:
    """Whether ``close()`` ends the wait for a response at once."""
    return isinstance(subscriber, AsyncSubscriber) or subscriber.http in {httpx, httpx2}


def _limits(http: Any) -> dict[str, Any]:
    """Connections of httpx are not kept, so that ``close()`` can interrupt each."""
    return {"limits": http.Limits(max_keepalive_connections=0)} if hasattr(http, "Limits") else {}


Subscriber = SyncSubscriber | AsyncSubscriber

SUBSCRIBERS = [
    SyncSubscriber(httpx),
    SyncSubscriber(httpx2),
    AsyncSubscriber(httpx, "asyncio"),
    AsyncSubscriber(httpx2, "asyncio"),
    AsyncSubscriber(httpx, "trio"),
    AsyncSubscriber(httpx2, "trio"),
    SyncSubscriber(Requests),
    SyncSubscriber(Urllib3),
    SyncSubscriber(Niquests),
    AsyncSubscriber(Niquests, "asyncio"),
    AsyncSubscriber(Aiohttp, "asyncio"),
]


def _name(subscriber: Subscriber) -> str:
    return f"{subscriber.http.__name__}-{getattr(subscriber, 'backend', 'sync')}"


@pytest.fixture(params=SUBSCRIBERS, ids=_name)
def subscriber(request: pytest.FixtureRequest) -> Subscriber:
    """Each client, each way to subscribe."""
    return request.param
