"""One way to use a client synchronously, on asyncio and on trio, with either HTTP library."""

from __future__ import annotations

from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import anyio
import httpx
import httpx2

from drivers import NO_TLS
from ssejet import AsyncClient, AsyncStream, Client, Stream

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from types import ModuleType

    from accounts import Account

KEY = "sk-a-secret-of-some-length"
MESSAGES = [{"role": "user", "content": "Hi!"}]


@dataclass
class Outcome:
    """The result of a call.

    Attributes:
        answer: the answer, or the final completion of a stream of events.
        stream: the stream, if there was one.
        items: the items of the stream.
        error: the exception.
    """

    answer: Any = None
    stream: Any = None
    items: list[Any] = field(default_factory=list)
    error: Any = None

    def checked(self) -> Outcome:
        """Return itself, or raise the error."""
        if self.error is not None:
            raise self.error
        return self


@dataclass(frozen=True)
class SyncUser:
    """Uses ``Client``."""

    http: ModuleType

    @contextmanager
    def client(self, account: Account, **options: Any) -> Iterator[Client]:
        given = {"api_key": KEY, "base_url": account.url, **options}
        with self.http.Client(verify=NO_TLS) as http, Client(http_client=http, **given) as client:
            yield client

    def call(
        self, account: Account, method: str = "chat.completions.create", *, options: Any = None, **params: Any
    ) -> Outcome:
        """Make a call with a new client, and read the whole answer."""
        outcome = Outcome()
        with self.client(account, **(options or {})) as client:
            try:
                if method == "chat.completions.stream":
                    self._follow(client, outcome, **_defaults(method, params))
                    return outcome
                answer = attrgetter(method)(client)(**_defaults(method, params))
                if isinstance(answer, Stream):
                    outcome.stream = answer
                    with answer:
                        for item in answer:
                            outcome.items.append(item)
                else:
                    outcome.answer = answer
            except Exception as error:
                outcome.error = error
        return outcome

    def _follow(self, client: Client, outcome: Outcome, **params: Any) -> None:
        with client.chat.completions.stream(**params) as stream:
            outcome.stream = stream
            for event in stream:
                outcome.items.append(event)
            outcome.answer = stream.get_final_completion()


@dataclass(frozen=True)
class AsyncUser:
    """Uses ``AsyncClient``."""

    http: ModuleType
    backend: str

    @asynccontextmanager
    async def client(self, account: Account, **options: Any) -> AsyncIterator[AsyncClient]:
        given = {"api_key": KEY, "base_url": account.url, **options}
        async with (
            self.http.AsyncClient(verify=NO_TLS) as http,
            AsyncClient(http_client=http, **given) as client,
        ):
            yield client

    def call(
        self, account: Account, method: str = "chat.completions.create", *, options: Any = None, **params: Any
    ) -> Outcome:
        """Make a call with a new client, and read the whole answer."""
        return anyio.run(self._call, account, method, options or {}, params, backend=self.backend)

    async def _call(self, account: Account, method: str, options: Any, params: Any) -> Outcome:
        outcome = Outcome()
        async with self.client(account, **options) as client:
            try:
                if method == "chat.completions.stream":
                    await self._follow(client, outcome, **_defaults(method, params))
                    return outcome
                answer = await attrgetter(method)(client)(**_defaults(method, params))
                if isinstance(answer, AsyncStream):
                    outcome.stream = answer
                    async with answer:
                        async for item in answer:
                            outcome.items.append(item)
                else:
                    outcome.answer = answer
            except Exception as error:
                outcome.error = error
        return outcome

    async def _follow(self, client: AsyncClient, outcome: Outcome, **params: Any) -> None:
        async with client.chat.completions.stream(**params) as stream:
            outcome.stream = stream
            async for event in stream:
                outcome.items.append(event)
            outcome.answer = await stream.get_final_completion()


USERS = [
    SyncUser(httpx),
    SyncUser(httpx2),
    AsyncUser(httpx, "asyncio"),
    AsyncUser(httpx2, "asyncio"),
    AsyncUser(httpx, "trio"),
    AsyncUser(httpx2, "trio"),
]


def name_of(user: SyncUser | AsyncUser) -> str:
    return f"{user.http.__name__}-{getattr(user, 'backend', 'sync')}"


def _defaults(method: str, params: dict[str, Any]) -> dict[str, Any]:
    """Add the required parameters of a call."""
    required = {
        "chat": {"messages": MESSAGES},
        "completions": {"prompt": "Hi!"},
        "messages": {"messages": MESSAGES, "max_tokens": 9},
        "responses": {"input": "Hi!"},
    }
    return {"model": "m", **required[method.partition(".")[0]], **params}
