"""Mocks that are used wrongly, by several threads and tasks at a time, inside each other, and under xdist."""

from __future__ import annotations

import asyncio
import functools
import inspect
import subprocess
import sys
import threading
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from unittest.mock import Mock

import anthropic
import httpx
import httpx2
import openai
import pytest
from anthropic import Anthropic, AsyncAnthropic
from openai import AsyncOpenAI, OpenAI

from ssejet.emit import EventStream
from ssejet.testing import AnthropicMock, MockError, OpenAIMock, StreamedAnswer, mock_anthropic, mock_openai

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Iterator
    from pathlib import Path

pytestmark = pytest.mark.slow

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
MANY = 24


@dataclass
class Provider:
    """The same test for both providers."""

    mock: Any
    decorator: Any
    name: str

    @property
    def errors(self) -> Any:
        return openai if self.mock is OpenAIMock else anthropic

    def route(self, mock: Any) -> Any:
        return mock.chat.completions.create if self.mock is OpenAIMock else mock.messages.create

    def ask(self, client: Any) -> str:
        return self._text(self._create(client))

    async def aask(self, client: Any) -> str:
        return self._text(await self._create(client))

    def client(self) -> Any:
        return (OpenAI if self.mock is OpenAIMock else Anthropic)(api_key="k", max_retries=0)

    def async_client(self) -> Any:
        return (AsyncOpenAI if self.mock is OpenAIMock else AsyncAnthropic)(api_key="k", max_retries=0)

    def _create(self, client: Any) -> Any:
        if self.mock is OpenAIMock:
            return client.chat.completions.create(model="m", messages=MESSAGES)
        return client.messages.create(model="m", max_tokens=9, messages=MESSAGES)

    def _text(self, answer: Any) -> str:
        text: str = (
            answer.choices[0].message.content if hasattr(answer, "choices") else answer.content[0].text
        )
        return text


PROVIDERS = {
    "openai": Provider(OpenAIMock, mock_openai, "mock.chat.completions.create"),
    "anthropic": Provider(AnthropicMock, mock_anthropic, "mock.messages.create"),
}


@pytest.fixture(params=PROVIDERS)
def provider(request: pytest.FixtureRequest) -> Provider:
    return PROVIDERS[request.param]


@pytest.fixture
def mock(provider: Provider) -> Iterator[Any]:
    with provider.mock() as mock:
        yield mock


@pytest.fixture
def client(provider: Provider) -> Iterator[Any]:
    with provider.client() as client:
        yield client


# Wrong use


@pytest.mark.parametrize(
    ("response", "reason"),
    [
        (None, "not None"),
        (7, r"not 7 \(int\)"),
        (b"bytes", r"not b'bytes' \(bytes\)"),
        (["a", "list"], "not list"),
        (EventStream, "not the class EventStream: create an instance of it"),
        ((item for item in "ab"), "not a generator: wrap it in an EventStream"),
        (lambda: "x", "gets the request, and route, state and store if it has such parameters"),
        (lambda request, other: "x", "missing a required argument: 'other'"),
    ],
)
def test_what_is_no_answer_is_refused_where_it_is_set(
    provider: Provider, mock: Any, response: Any, reason: str
) -> None:
    with pytest.raises(TypeError, match=reason) as caught:
        provider.route(mock).response = response
    assert f"{provider.name}.response" in str(caught.value)


@pytest.mark.parametrize(
    ("answer", "reason"),
    [
        (None, "not None"),
        ([], "not list"),
        ({"choices": 3, "content": 3}, "does not fit the answers of this API"),
    ],
)
def test_what_is_no_answer_is_named_where_a_function_returns_it(
    provider: Provider, mock: Any, client: Any, answer: Any, reason: str
) -> None:
    provider.route(mock).response = lambda request: answer
    # Some SDKs wrap whatever a transport raises.
    with pytest.raises((TypeError, anthropic.APIConnectionError, openai.APIConnectionError)) as caught:
        provider.ask(client)
    error = caught.value.__cause__ if isinstance(caught.value, anthropic.APIConnectionError) else caught.value
    assert provider.name in str(error)
    assert reason in str(error)


def test_every_kind_of_callable_is_a_function(provider: Provider, mock: Any, client: Any) -> None:
    class Answers:
        def __call__(self, request: Any, state: Any) -> str:
            return f"object {state}"

        def method(self, request: Any, **others: Any) -> str:
            return f"method {others}"

    def numbered(prefix: str, request: Any, route: Any) -> str:
        return f"{prefix} {route.call_count}"

    stand_in = Mock(return_value="stand-in")
    route = provider.route(mock)
    answers = []
    for function in (stand_in, Answers(), Answers().method, functools.partial(numbered, "partial")):
        route.response = function
        answers.append(provider.ask(client))
    assert answers == ["stand-in", "object {}", "method {}", "partial 3"]
    (request,) = stand_in.call_args.args
    assert request is route.calls[0].request


def test_an_exception_of_a_function_is_passed_on(provider: Provider, mock: Any, client: Any) -> None:
    def answer(request: Any) -> Any:
        raise LookupError("mine")

    provider.route(mock).response = answer
    with pytest.raises((LookupError, anthropic.APIConnectionError)) as caught:
        provider.ask(client)
    assert "mine" in str(caught.value.__cause__ or caught.value)


def test_a_misspelt_route_or_attribute_is_named(provider: Provider, mock: Any) -> None:
    route = provider.route(mock)
    with pytest.raises(AttributeError, match="respone"):
        route.respone = "x"
    resource = mock.chat.completions if provider.mock is OpenAIMock else mock.messages
    with pytest.raises(AttributeError, match=r"set mock\..*\.create\.response instead"):
        resource.create = "x"
    with pytest.raises(AttributeError, match=r"has no crate; it has create"):
        _ = resource.crate


def test_wrong_options_are_refused(provider: Provider) -> None:
    with pytest.raises(TypeError, match="base_url must be a string, not 7"):
        provider.mock(base_url=7)
    with pytest.raises(TypeError, match="decorates a function, not str; its options are keywords"):
        provider.decorator("https://example.com")
    with pytest.raises(TypeError, match="decorates a function, not the class"):
        provider.decorator(type("Test", (), {}))
    with pytest.raises(ValueError, match="from 400 to 599"):
        MockError("x", status=200)
    with pytest.raises(ValueError, match="set error, and after to 0 or more"):
        StreamedAnswer("x", after=1)
    with pytest.raises(TypeError, match="error must be a MockError or a message, not int"):
        StreamedAnswer("x", error=5)  # type: ignore[arg-type]


def test_a_body_that_is_not_json_is_named(provider: Provider, mock: Any) -> None:
    route = provider.route(mock)
    route.response = "x"
    path = "/v1/chat/completions" if provider.mock is OpenAIMock else "/v1/messages"
    host = "api.openai.com" if provider.mock is OpenAIMock else "api.anthropic.com"
    with pytest.raises(TypeError, match="the request's body is not JSON"):
        httpx.post(f"https://{host}{path}", content=b"{")


def test_a_response_can_be_removed(provider: Provider, mock: Any, client: Any) -> None:
    route = provider.route(mock)
    route.response = "x"
    del route.response
    with pytest.raises(provider.errors.BadRequestError, match="is not set"):
        provider.ask(client)


# Counting


def test_a_function_sees_the_calls_before_its_own(provider: Provider, mock: Any, client: Any) -> None:
    seen = []

    def answer(request: Any, route: Any) -> str:
        seen.append((route.call_count, route.called, len(route.calls), len(mock.calls)))
        return "x"

    route = provider.route(mock)
    route.response = answer
    for number in range(3):
        provider.ask(client)
        assert (route.call_count, len(mock.calls)) == (number + 1, number + 1)
    assert seen == [(0, False, 0, 0), (1, True, 1, 1), (2, True, 2, 2)]


def test_the_count_is_that_of_earlier_calls_for_a_function_that_knows_the_mock(
    provider: Provider, mock: Any, client: Any
) -> None:
    provider.route(mock).response = lambda request: f"answer {provider.route(mock).call_count}"
    assert [provider.ask(client) for _ in range(3)] == ["answer 0", "answer 1", "answer 2"]


def test_calls_of_concurrent_threads_are_counted_one_by_one(provider: Provider, mock: Any) -> None:
    barrier = threading.Barrier(MANY, timeout=200)

    def answer(request: Any, route: Any) -> str:
        barrier.wait()  # all calls are under way before any of them is answered
        return str(route.call_count)

    route = provider.route(mock)
    route.response = answer

    def ask(_: int) -> str:
        with provider.client() as client:
            return provider.ask(client)

    with ThreadPoolExecutor(MANY) as pool:
        assert sorted(map(int, pool.map(ask, range(MANY)))) == list(range(MANY))
    assert route.call_count == len(mock.calls) == MANY
    assert all(call.closed for call in route.calls)


async def test_calls_of_concurrent_tasks_are_counted_one_by_one(provider: Provider, mock: Any) -> None:
    waiting = 0
    all_wait = asyncio.Event()

    async def answer(request: Any, route: Any) -> str:
        nonlocal waiting
        waiting += 1
        if waiting == MANY:
            all_wait.set()
        await all_wait.wait()
        return str(route.call_count)

    route = provider.route(mock)
    route.response = answer
    async with provider.async_client() as client:
        answers = await asyncio.gather(*(provider.aask(client) for _ in range(MANY)))
    assert sorted(map(int, answers)) == list(range(MANY))
    assert route.call_count == MANY


def test_one_response_serves_many_threads(provider: Provider, mock: Any) -> None:
    provider.route(mock).response = httpx.Response(503, json={"error": {"message": "busy"}})

    def ask(_: int) -> str:
        with provider.client() as client, pytest.raises(provider.errors.InternalServerError) as caught:
            provider.ask(client)
        return str(caught.value)

    with ThreadPoolExecutor(8) as pool:
        assert all("busy" in message for message in pool.map(ask, range(MANY)))
    responses = [call.response for call in mock.calls]
    assert len(set(map(id, responses))) == MANY


def test_one_stream_serves_calls_that_overlap(mock_openai: OpenAIMock) -> None:
    chunks = [{"choices": [{"index": 0, "delta": {"content": text}}]} for text in "abc"]
    mock_openai.chat.completions.create.response = EventStream(chunks)
    with OpenAI(api_key="k") as client:
        first, second = (
            client.chat.completions.create(model="m", messages=MESSAGES, stream=True) for _ in range(2)
        )
        next(first)
        next(second)
        first.close()
        assert [chunk.choices[0].delta.content for chunk in second] == ["b", "c"]


# Mocks inside and beside each other


def test_the_mock_that_was_entered_last_answers(provider: Provider, mock: Any, client: Any) -> None:
    provider.route(mock).response = "outer"
    with provider.mock() as inner:
        provider.route(inner).response = "inner"
        assert provider.ask(client) == "inner"
        with mock:
            assert provider.ask(client) == "outer"
        assert provider.ask(client) == "inner"
    assert provider.ask(client) == "outer"
    assert (provider.route(mock).call_count, provider.route(inner).call_count) == (2, 2)


def test_mocks_may_end_in_any_order(provider: Provider, client: Any) -> None:
    before = [library.HTTPTransport.handle_request for library in (httpx, httpx2)]
    first, second = provider.mock(), provider.mock()
    provider.route(first).response, provider.route(second).response = "first", "second"
    stack = ExitStack()
    stack.enter_context(first)
    second.__enter__()
    stack.close()
    assert provider.ask(client) == "second"
    second.__exit__()
    assert before == [library.HTTPTransport.handle_request for library in (httpx, httpx2)]


def test_threads_have_mocks_of_their_own(provider: Provider) -> None:
    barrier = threading.Barrier(4, timeout=200)

    def ask(number: int) -> str:
        with provider.decorator() as mock, provider.client() as client:
            provider.route(mock).response = f"mock {number}"
            barrier.wait()
            answer = provider.ask(client)
            barrier.wait()
            assert provider.route(mock).call_count == 1
            return answer

    with ThreadPoolExecutor(4) as pool:
        assert list(pool.map(ask, range(4))) == [f"mock {number}" for number in range(4)]


async def test_tasks_have_mocks_of_their_own(provider: Provider) -> None:
    entered = 0
    all_entered = asyncio.Event()

    async def ask(number: int) -> str:
        nonlocal entered
        async with provider.decorator() as mock, provider.async_client() as client:
            provider.route(mock).response = f"mock {number}"
            entered += 1
            if entered == 4:
                all_entered.set()
            await all_entered.wait()
            return await provider.aask(client)

    assert await asyncio.gather(*map(ask, range(4))) == [f"mock {number}" for number in range(4)]


def test_a_thread_that_a_test_starts_is_answered_by_its_mock(provider: Provider, mock: Any) -> None:
    provider.route(mock).response = "x"

    def ask() -> str:
        with provider.client() as client:
            return provider.ask(client)

    with ThreadPoolExecutor(1) as pool:
        assert pool.submit(ask).result() == "x"


def test_a_function_may_call_the_api_itself(provider: Provider, mock: Any, client: Any) -> None:
    def answer(request: Any, route: Any) -> str:
        return "inner" if route.call_count else f"outer of {provider.ask(client)}"

    provider.route(mock).response = answer
    assert provider.ask(client) == "outer of inner"
    assert provider.route(mock).call_count == 2


# The decorator


async def test_the_decorator_mocks_functions_of_every_kind(provider: Provider) -> None:
    def is_active() -> bool:
        return bool(httpx.HTTPTransport.handle_request.__module__ == "ssejet.testing._patching")

    @provider.decorator
    def plain() -> bool:
        return is_active()

    @provider.decorator()
    async def coroutine() -> bool:
        await asyncio.sleep(0)
        return is_active()

    @provider.decorator
    def generator() -> Iterator[bool]:
        yield is_active()

    @provider.decorator
    async def async_generator() -> AsyncIterator[bool]:
        yield is_active()

    assert plain()
    assert await coroutine()
    assert list(generator()) == [True]
    assert [each async for each in async_generator()] == [True]
    assert inspect.isgeneratorfunction(generator)
    assert inspect.isasyncgenfunction(async_generator)
    assert inspect.iscoroutinefunction(coroutine)
    assert not is_active()


SUITE = """
import pytest
from anthropic import Anthropic
from openai import OpenAI

@pytest.mark.parametrize("number", range(12))
def test_openai(mock_openai, number):
    mock_openai.chat.completions.create.response = lambda request, route: f"{number} {route.call_count}"
    with OpenAI(api_key="k", max_retries=0) as client:
        ask = lambda: client.chat.completions.create(model="m", messages=[]).choices[0].message.content
        assert [ask(), ask()] == [f"{number} 0", f"{number} 1"]

@pytest.mark.parametrize("number", range(12))
def test_anthropic(mock_anthropic, number):
    mock_anthropic.messages.create.response = f"{number}"
    with Anthropic(api_key="k", max_retries=0) as client:
        message = client.messages.create(model="m", max_tokens=9, messages=[])
    assert message.content[0].text == f"{number}"
    assert mock_anthropic.messages.create.call_count == 1
"""


def test_the_fixtures_work_under_xdist(tmp_path: Path) -> None:
    pytest.importorskip("xdist")
    (tmp_path / "test_suite.py").write_text(SUITE)
    plugins = ["-p", "xdist", "-p", "no:cacheprovider"]
    command = [sys.executable, "-m", "pytest", "-q", *plugins, "-n", "2", "--rootdir", str(tmp_path), "."]
    done = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout
    assert "24 passed" in done.stdout
