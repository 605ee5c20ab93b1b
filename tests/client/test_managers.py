"""What ``stream()`` returns works with a ``with`` block or without; it sends nothing before its first use."""

from __future__ import annotations

import gc
import json
import warnings
from dataclasses import dataclass
from importlib import import_module
from inspect import signature
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import pytest
from accounts import TEXT, Account
from users import KEY

from ssejet import APIStatusError, AsyncClient, Client
from ssejet._http.exclusive import ConcurrentReadError
from ssejet.chat._events import Event

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

MESSAGES = [{"role": "user", "content": "Hi!"}]
# For each protocol: its method, the parameters, the type of the events with text, and how to get the answer.
PROTOCOLS = {
    "chat": ("chat.completions.stream", {"messages": MESSAGES}, "content.delta", "get_final_completion"),
    "responses": ("responses.stream", {"input": "Hi!"}, "response.output_text.delta", "get_final_response"),
    "messages": (
        "messages.stream",
        {"messages": MESSAGES, "max_tokens": 10},
        "text",
        "get_final_message",
    ),
}


def text_of(answer: Any) -> str:
    if hasattr(answer, "choices"):
        return str(answer.choices[0].message.content)
    return str(answer.output_text if hasattr(answer, "output_text") else answer.content[0].text)


@pytest.fixture(params=PROTOCOLS)
def protocol(request: pytest.FixtureRequest) -> Any:
    return PROTOCOLS[request.param]


class Manager:
    """Makes the streams of a protocol with clients of one account."""

    def __init__(self, account: Account, protocol: Any) -> None:
        self.account = account
        self.method, self.params, self.delta, self.final = protocol

    def stream(self, client: Any, **params: Any) -> Any:
        return attrgetter(self.method)(client)(model="m", **self.params, **params)

    def sync(self) -> Client:
        return Client(api_key=KEY, base_url=self.account.url)

    def run(self, use: Callable[[Any, Any], Awaitable[None]], backend: str) -> None:
        async def main() -> None:
            async with AsyncClient(api_key=KEY, base_url=self.account.url) as client:
                await use(client, self.stream(client))

        anyio.run(main, backend=backend)


@pytest.fixture
def manager(account: Account, protocol: Any) -> Manager:
    return Manager(account, protocol)


def test_until_done_without_a_with_block_calls_the_callbacks_and_closes_the_response(
    manager: Manager,
) -> None:
    texts: list[str] = []
    with manager.sync() as client:
        stream = manager.stream(client)
        stream.on(manager.delta, lambda event: texts.append(event.delta))
        stream.until_done()
        assert stream.response.is_closed
        assert text_of(getattr(stream, manager.final)()) == TEXT
    assert "".join(texts) == TEXT


def test_iterating_without_a_with_block_closes_the_response_at_the_end(manager: Manager) -> None:
    with manager.sync() as client:
        stream = manager.stream(client)
        assert "".join(stream.text_deltas()) == TEXT
        assert stream.response.is_closed
        assert stream.metrics.first_token is not None


def test_the_final_answer_needs_no_with_block(manager: Manager) -> None:
    with manager.sync() as client:
        assert text_of(getattr(manager.stream(client), manager.final)()) == TEXT


def test_a_with_block_sends_the_request_when_it_is_entered(manager: Manager) -> None:
    with manager.sync() as client, manager.stream(client) as stream:
        assert len(manager.account.requests) == 1
        assert stream.response.status_code == 200
        assert not stream.response.is_closed
    assert stream.response.is_closed


def test_a_with_block_raises_the_errors_of_the_request_when_it_is_entered(manager: Manager) -> None:
    manager.account.refuse(400)
    with manager.sync() as client:
        stream = manager.stream(client)
        with pytest.raises(APIStatusError), stream:
            pytest.fail("the block runs")
        assert list(stream) == []
    assert len(manager.account.requests) == 1


def test_a_stream_that_is_never_used_sends_nothing_and_warns_of_nothing(manager: Manager) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        with manager.sync() as client:
            stream = manager.stream(client)
            assert stream.response is None
            assert stream.metrics is None
            del stream
            gc.collect()
    assert manager.account.requests == []
    assert caught == []


def test_a_stream_that_was_closed_before_its_first_use_sends_nothing(manager: Manager) -> None:
    with manager.sync() as client:
        stream = manager.stream(client)
        stream.close()
        with stream:
            pass
        assert stream.response is None
    assert manager.account.requests == []


def test_a_stream_that_is_left_open_warns_when_it_is_collected(manager: Manager) -> None:
    with manager.sync() as client:
        stream = manager.stream(client)
        next(stream)
        streams = [stream]
        del stream
        with pytest.warns(ResourceWarning, match="neither closed nor read to its end"):
            streams.clear()


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_stream_works_in_all_forms(manager: Manager, backend: str) -> None:
    texts: list[str] = []

    async def block(_: Any, stream: Any) -> None:
        async with stream as entered:
            texts.append(text_of(await getattr(entered, manager.final)()))

    async def awaited_block(_: Any, stream: Any) -> None:
        async with await stream as entered:
            assert entered is stream
            texts.append(text_of(await getattr(entered, manager.final)()))

    async def awaited(_: Any, stream: Any) -> None:
        assert await stream is stream
        assert not stream.response.is_closed
        texts.append("".join([delta async for delta in stream.text_deltas()]))
        assert stream.response.is_closed

    async def callbacks(_: Any, stream: Any) -> None:
        pieces: list[str] = []

        async def take(event: Any) -> None:
            await anyio.lowlevel.checkpoint()
            pieces.append(event.delta)

        stream.on(manager.delta, take)
        await stream.until_done()
        assert stream.response.is_closed
        texts.append("".join(pieces))

    async def loop(_: Any, stream: Any) -> None:
        texts.append("".join([event.delta async for event in stream if event.type == manager.delta]))

    forms = [block, awaited_block, awaited, callbacks, loop]
    for form in forms:
        manager.run(form, backend)
    assert texts == [TEXT] * len(forms)
    assert len(manager.account.requests) == len(forms)


@pytest.mark.parametrize("backend", ["asyncio", "trio"])
def test_an_async_stream_that_is_never_used_sends_nothing_and_warns_of_nothing(
    manager: Manager, backend: str
) -> None:
    async def ignore(_: Any, stream: Any) -> None:
        assert stream.response is None

    async def close(_: Any, stream: Any) -> None:
        await stream.aclose()
        assert [event async for event in stream if event] == []

    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        manager.run(ignore, backend)
        manager.run(close, backend)
        gc.collect()
    assert manager.account.requests == []
    assert caught == []


def test_a_second_task_cannot_open_a_stream_that_is_being_opened(manager: Manager) -> None:
    async def use(_: Any, stream: Any) -> None:
        failures = []

        async def enter() -> None:
            try:
                await stream
            except ConcurrentReadError as error:
                failures.append(error)

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(enter)
            tasks.start_soon(enter)
        assert len(failures) == 1
        await stream.aclose()

    manager.run(use, "asyncio")
    assert len(manager.account.requests) == 1


def test_a_stream_that_is_closed_while_it_opens_closes_the_response(manager: Manager) -> None:
    async def use(_: Any, stream: Any) -> None:
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(stream.__aenter__)
            await anyio.lowlevel.checkpoint()
            await stream.aclose()
        assert stream.response is None or stream.response.is_closed

    manager.run(use, "asyncio")


@dataclass
class Place:
    city: str


@pytest.mark.parametrize("is_typed", [False, True], ids=["text", "typed"])
def test_each_event_can_be_written_as_json(account: Account, protocol: Any, is_typed: bool) -> None:
    manager = Manager(account, protocol)
    account.answer = '{"city": "Rome"}'
    form = {"chat": "response_format", "responses": "text_format", "messages": "output_format"}
    options = {form[manager.method.partition(".")[0]]: Place} if is_typed else {}
    with manager.sync() as client:
        # An event of a block that is complete shows it as it is at the end.
        events = [*manager.stream(client, **options)]
    assert len({event.type for event in events}) >= 3
    for event in events:
        fields = event.to_dict()
        assert fields["type"] == event.type
        assert json.loads(event.to_json()) == fields
        assert event.to_json(indent=2) == json.dumps(fields, indent=2, ensure_ascii=False)


@pytest.mark.parametrize("module", ["chat", "responses", "messages"])
def test_events_of_all_protocols_have_the_same_methods(module: str) -> None:
    types = import_module(f"ssejet.{module}._events").EVENT_TYPES
    assert types
    for event in types.values():
        assert callable(event.to_dict)
        assert signature(event.to_json) == signature(Event.to_json)
