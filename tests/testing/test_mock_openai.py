from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import httpx2
import openai
import pytest
from openai import AsyncOpenAI, OpenAI
from openai.types.chat import ChatCompletion, ChatCompletionChunk

from ssejet.emit import AsyncEventStream, EventStream
from ssejet.testing import OpenAIMock, mock_openai

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterator

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]

# The SDK makes a client of its own, or takes one: httpx's, and from version 3 on httpx2's.
CLIENTS: dict[str, Callable[[], OpenAI]] = {
    "its own": lambda: OpenAI(api_key="sk-test", max_retries=0),
    "httpx": lambda: OpenAI(api_key="sk-test", max_retries=0, http_client=httpx.Client()),
}
ASYNC_CLIENTS: dict[str, Callable[[], AsyncOpenAI]] = {
    "its own": lambda: AsyncOpenAI(api_key="sk-test", max_retries=0),
    "httpx": lambda: AsyncOpenAI(api_key="sk-test", max_retries=0, http_client=httpx.AsyncClient()),
}
if int(openai.__version__.partition(".")[0]) >= 3:
    CLIENTS["httpx2"] = lambda: OpenAI(api_key="sk-test", max_retries=0, http_client=httpx2.Client())
    ASYNC_CLIENTS["httpx2"] = lambda: AsyncOpenAI(
        api_key="sk-test", max_retries=0, http_client=httpx2.AsyncClient()
    )


@pytest.fixture(params=CLIENTS)
def client(request: pytest.FixtureRequest) -> Iterator[OpenAI]:
    with CLIENTS[request.param]() as client:
        yield client


@pytest.fixture(params=ASYNC_CLIENTS)
async def async_client(request: pytest.FixtureRequest) -> AsyncIterator[AsyncOpenAI]:
    async with ASYNC_CLIENTS[request.param]() as client:
        yield client


def ask(client: OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt-test", messages=MESSAGES, **options)


def text_of(chunks: Any) -> str:
    return "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)


def chunk(content: str, **fields: Any) -> ChatCompletionChunk:
    return ChatCompletionChunk.model_validate(
        {
            "id": "chatcmpl-123",
            "object": "chat.completion.chunk",
            "created": 1694268190,
            "model": "gpt-test",
            "choices": [{"index": 0, "delta": {"content": content}, "logprobs": None, "finish_reason": None}],
            **fields,
        }
    )


# A stream of one's own, as in the streaming guide of openai-responses


class CreateChatCompletionEventStream(EventStream[ChatCompletionChunk]):
    def generate(self) -> Iterator[ChatCompletionChunk]:
        yield chunk("")
        yield chunk("Hello")
        yield chunk("!")


class CreateChatCompletionAsyncEventStream(AsyncEventStream[ChatCompletionChunk]):
    async def agenerate(self) -> AsyncIterator[ChatCompletionChunk]:  # type: ignore[override]
        yield chunk("")
        yield chunk("Hello")
        yield chunk("!")


@pytest.mark.parametrize("library", [httpx, httpx2])
def test_a_function_streams_chunks_of_its_own(mock_openai: OpenAIMock, client: OpenAI, library: Any) -> None:
    def create_chat_completion_response(request: Any) -> Any:
        return library.Response(201, content=CreateChatCompletionEventStream())

    mock_openai.chat.completions.create.response = create_chat_completion_response

    received = list(ask(client, stream=True))

    assert received == [chunk(""), chunk("Hello"), chunk("!")]
    assert mock_openai.chat.completions.create.call_count == 1


@pytest.mark.parametrize("library", [httpx, httpx2])
async def test_a_function_streams_chunks_of_its_own_asynchronously(
    mock_openai: OpenAIMock, async_client: AsyncOpenAI, library: Any
) -> None:
    def create_chat_completion_response(request: Any) -> Any:
        return library.Response(201, content=CreateChatCompletionAsyncEventStream())

    mock_openai.chat.completions.create.response = create_chat_completion_response

    stream = await async_client.chat.completions.create(model="gpt-test", messages=MESSAGES, stream=True)

    assert [piece async for piece in stream] == [chunk(""), chunk("Hello"), chunk("!")]


# What a route can answer


def test_a_text_is_what_the_model_says(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = "Hello, big world!"
    completion = ask(client)
    assert isinstance(completion, ChatCompletion)
    assert completion.choices[0].message.content == "Hello, big world!"
    assert completion.choices[0].finish_reason == "stop"
    assert completion.model == "gpt-test"


def test_a_text_is_streamed_word_by_word_if_a_stream_is_asked_for(
    mock_openai: OpenAIMock, client: OpenAI
) -> None:
    mock_openai.chat.completions.create.response = "Hello, big  world!\n"
    chunks = list(ask(client, stream=True, stream_options={"include_usage": True}))
    assert [piece.choices[0].delta.content for piece in chunks[:-1]] == [
        None,
        "Hello,",
        " big",
        "  world!",
        "\n",
        None,
    ]
    assert chunks[-2].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.model_dump(exclude_unset=True) == {
        "prompt_tokens": 2,
        "completion_tokens": 4,
        "total_tokens": 6,
    }
    assert len({piece.id for piece in chunks}) == 1


def test_each_answer_has_an_id_of_its_own(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    assert ask(client).id != ask(client).id


def test_fields_are_added_to_the_usual_ones(mock_openai: OpenAIMock, client: OpenAI) -> None:
    call = {"id": "call_1", "type": "function", "function": {"name": "f", "arguments": '{"a": 1}'}}
    message = {"role": "assistant", "content": None, "tool_calls": [call]}
    mock_openai.chat.completions.create.response = {
        "id": "chatcmpl-7",
        "choices": [{"index": 0, "finish_reason": "tool_calls", "message": message}],
    }
    completion = ask(client)
    assert (completion.id, completion.model) == ("chatcmpl-7", "gpt-test")
    assert completion.choices[0].message.tool_calls[0].function.arguments == '{"a": 1}'

    with client.chat.completions.stream(model="gpt-test", messages=MESSAGES) as stream:
        final = stream.get_final_completion()
    assert final.choices[0].message.tool_calls[0].function.name == "f"  # type: ignore[index]
    assert final.choices[0].finish_reason == "tool_calls"


def test_a_model_is_sent_as_it_is(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    completion = ask(client)
    mock_openai.chat.completions.create.response = completion
    assert ask(client) == completion


def test_a_stream_breaks_as_on_a_real_connection(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = EventStream([chunk("a"), chunk("b")], fail_after=1, cut=7)
    stream = ask(client, stream=True)
    assert next(stream) == chunk("a")
    with pytest.raises((httpx.ReadError, httpx2.ReadError, openai.APIConnectionError)):
        next(stream)


def test_an_error_is_what_the_sdk_makes_of_it(mock_openai: OpenAIMock, client: OpenAI) -> None:
    body = {"error": {"message": "slow down", "code": "rate_limit_exceeded"}}
    mock_openai.chat.completions.create.response = httpx.Response(429, json=body)
    with pytest.raises(openai.RateLimitError, match="slow down") as caught:
        ask(client)
    assert caught.value.code == "rate_limit_exceeded"


# Functions


def test_a_function_sees_the_request_the_route_and_the_state(client: OpenAI) -> None:
    def flaky(request: Any, *, route: Any, state: dict[str, int]) -> Any:
        state["requests"] += 1
        question = json.loads(request.content)["messages"][0]["content"]
        return httpx.Response(500) if route.call_count < 2 else f"You said: {question}"

    with OpenAIMock(state={"requests": 0}) as mock:
        mock.chat.completions.create.response = flaky
        for _ in range(2):
            with pytest.raises(openai.InternalServerError):
                ask(client)
        assert ask(client).choices[0].message.content == "You said: Say hello"
        assert mock.state == {"requests": 3}


def test_the_sdk_retries_against_the_mock(mock_openai: OpenAIMock) -> None:
    def flaky(request: Any, route: Any) -> Any:
        return httpx.Response(500, headers={"retry-after-ms": "1"}) if route.call_count < 2 else "at last"

    mock_openai.chat.completions.create.response = flaky
    with OpenAI(api_key="sk-test", max_retries=2) as client:
        assert ask(client).choices[0].message.content == "at last"
    assert mock_openai.chat.completions.create.call_count == 3


async def test_a_function_may_be_async_if_the_client_is(
    mock_openai: OpenAIMock, async_client: AsyncOpenAI
) -> None:
    async def answer(request: Any) -> str:
        await asyncio.sleep(0)
        return "Hello"

    mock_openai.chat.completions.create.response = answer
    completion = await async_client.chat.completions.create(model="gpt-test", messages=MESSAGES)
    assert completion.choices[0].message.content == "Hello"


def test_an_async_function_is_refused_for_a_sync_client(mock_openai: OpenAIMock, client: OpenAI) -> None:
    async def answer(request: Any) -> str:
        return "Hello"

    mock_openai.chat.completions.create.response = answer
    # Some versions of the SDK wrap whatever a transport raises.
    with pytest.raises((TypeError, openai.APIConnectionError)) as caught:
        ask(client)
    error = caught.value.__cause__ or caught.value
    assert "function is async, but the client is not" in str(error)


# The log


def test_calls_are_logged_with_their_answers(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = "Hello world"
    route = mock_openai.chat.completions.create
    assert not route.called
    stream = ask(client, stream=True, temperature=0.5)
    (call,) = route.calls
    assert mock_openai.calls == [call]
    assert call.json["temperature"] == 0.5
    assert call.request.headers["authorization"] == "Bearer sk-test"
    assert call.response.status_code == 200
    assert not call.closed
    next(stream)
    stream.close()
    assert call.closed
    assert route.called


def test_a_route_without_a_response_says_so(mock_openai: OpenAIMock, client: OpenAI) -> None:
    with pytest.raises(openai.BadRequestError, match=r"mock\.chat\.completions\.create\.response is not set"):
        ask(client)
    with pytest.raises(AttributeError, match="is not set"):
        _ = mock_openai.chat.completions.create.response


def test_an_endpoint_that_is_not_mocked_says_what_is(mock_openai: OpenAIMock, client: OpenAI) -> None:
    with pytest.raises(openai.NotFoundError, match=r"has no GET /batches; it has GET /"):
        client.batches.list()


# Other endpoints


def test_completions_are_mocked(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.completions.create.response = "Hello world"
    assert client.completions.create(model="m", prompt="Hi").choices[0].text == "Hello world"
    chunks = list(client.completions.create(model="m", prompt="Hi", stream=True))
    assert [piece.choices[0].text for piece in chunks] == ["Hello", " world"]
    assert [piece.choices[0].finish_reason for piece in chunks] == [None, "stop"]


def test_responses_are_mocked(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.responses.create.response = "Hello world"
    assert client.responses.create(model="m", input="Hi").output_text == "Hello world"
    with client.responses.stream(model="m", input="Hi") as stream:
        deltas = [event.delta for event in stream if event.type == "response.output_text.delta"]
        assert stream.get_final_response().output_text == "Hello world"
    assert deltas == ["Hello", " world"]


# Where the mock stands


def test_other_servers_are_left_alone(mock_openai: OpenAIMock, server: Any) -> None:
    answer = server.answer(b"data: real\n\n")
    for library in (httpx, httpx2):
        assert library.get(answer.url, trust_env=False).content == b"data: real\n\n"
    assert mock_openai.calls == []


def test_another_base_url_may_be_mocked(client: OpenAI) -> None:
    with OpenAIMock(base_url="http://localhost:11434/v1/") as mock:
        mock.chat.completions.create.response = "Hello"
        local = client.with_options(base_url="http://localhost:11434/v1")
        assert ask(local).choices[0].message.content == "Hello"


def test_the_network_is_back_afterwards() -> None:
    before = [library.HTTPTransport.handle_request for library in (httpx, httpx2)]
    with OpenAIMock(), OpenAIMock():
        assert before != [library.HTTPTransport.handle_request for library in (httpx, httpx2)]
    assert before == [library.HTTPTransport.handle_request for library in (httpx, httpx2)]


def test_the_mock_is_a_transport_of_its_own() -> None:
    mock = OpenAIMock()
    mock.chat.completions.create.response = "Hello"
    with OpenAI(api_key="sk-test", http_client=httpx.Client(transport=mock)) as client:
        assert text_of(ask(client, stream=True)) == "Hello"
    assert mock.chat.completions.create.call_count == 1


# The decorator


@mock_openai
def test_a_decorated_test_runs_with_the_mock(mock_openai: OpenAIMock) -> None:
    mock_openai.chat.completions.create.response = "Hello"
    with OpenAI(api_key="sk-test") as client:
        assert ask(client).choices[0].message.content == "Hello"


@mock_openai(base_url="http://localhost:1/v1", state={"seen": []})
async def test_a_decorated_async_test_runs_with_the_mock(mock_openai: OpenAIMock, tmp_path: Any) -> None:
    def remember(request: Any, state: Any) -> str:
        state["seen"].append(str(request.url))
        return "Hello"

    mock_openai.chat.completions.create.response = remember
    async with AsyncOpenAI(api_key="sk-test", base_url="http://localhost:1/v1") as client:
        await client.chat.completions.create(model="m", messages=MESSAGES)
    assert mock_openai.state == {"seen": ["http://localhost:1/v1/chat/completions"]}


def test_each_call_of_a_decorated_function_has_a_mock_and_a_state_of_its_own() -> None:
    state: dict[str, Any] = {"mocks": []}

    @mock_openai(state=state)
    def function(number: int, mock_openai: OpenAIMock) -> OpenAIMock:
        mock_openai.state["mocks"].append(number)
        return mock_openai

    first, second = function(1), function(2)  # type: ignore[call-arg]
    assert first is not second
    assert (first.state, second.state, state) == ({"mocks": [1]}, {"mocks": [2]}, {"mocks": []})
