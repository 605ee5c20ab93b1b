"""What the real SDK makes of the mock's tool calls, choices, usage, Responses events and deployments."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import openai
import pytest
from openai import AsyncAzureOpenAI, AsyncOpenAI, AzureOpenAI, OpenAI

from ssejet.emit import EventStream
from ssejet.testing import MockError, OpenAIMock, StreamedAnswer

if TYPE_CHECKING:
    from collections.abc import Iterator

MESSAGES: Any = [{"role": "user", "content": "Say hello"}]
CALLS = [
    {"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": '{"city": "Paris"}'}},
    {"id": "call_2", "type": "function", "function": {"name": "time", "arguments": "{}"}},
]


@pytest.fixture
def client() -> Iterator[OpenAI]:
    with OpenAI(api_key="sk-test", max_retries=0) as client:
        yield client


def ask(client: OpenAI, **options: Any) -> Any:
    return client.chat.completions.create(model="gpt-test", messages=MESSAGES, **options)


# Chat completions


def test_the_finish_reason_is_tool_calls_where_there_are_some(
    mock_openai: OpenAIMock, client: OpenAI
) -> None:
    mock_openai.chat.completions.create.response = {"choices": [{"message": {"tool_calls": CALLS}}]}
    choice = ask(client).choices[0]
    assert choice.finish_reason == "tool_calls"
    assert choice.message.role == "assistant"
    assert choice.message.tool_calls[0].function.name == "weather"

    chunks = list(ask(client, stream=True))
    assert [chunk.choices[0].finish_reason for chunk in chunks][-2:] == [None, "tool_calls"]
    assert {chunk.choices[0].finish_reason for chunk in chunks[:-1]} == {None}


def test_a_given_finish_reason_is_kept(mock_openai: OpenAIMock, client: OpenAI) -> None:
    choice = {"message": {"tool_calls": CALLS}, "finish_reason": "length"}
    mock_openai.chat.completions.create.response = {"choices": [choice]}
    assert ask(client).choices[0].finish_reason == "length"
    assert list(ask(client, stream=True))[-1].choices[0].finish_reason == "length"


def test_a_tool_call_needs_no_more_than_its_name_and_arguments(
    mock_openai: OpenAIMock, client: OpenAI
) -> None:
    call = {"function": {"name": "f", "arguments": {"a": [1, "é"]}}}
    mock_openai.chat.completions.create.response = {"choices": [{"message": {"tool_calls": [call]}}]}
    (made,) = ask(client).choices[0].message.tool_calls
    assert (made.type, made.function.arguments) == ("function", '{"a": [1, "é"]}')
    assert made.id


def test_the_sdk_puts_streamed_tool_calls_together(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = {"choices": [{"message": {"tool_calls": CALLS}}]}
    with client.chat.completions.stream(model="m", messages=MESSAGES) as stream:
        kinds = [event.type for event in stream]
        final = stream.get_final_completion()
    assert kinds.count("tool_calls.function.arguments.done") == 2
    assert kinds.count("tool_calls.function.arguments.delta") >= 2
    assert [call.function.arguments for call in final.choices[0].message.tool_calls or []] == [
        call["function"]["arguments"]  # type: ignore[index]
        for call in CALLS
    ]


def test_the_answer_has_as_many_choices_as_are_asked_for(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = "Hello world"
    choices = ask(client, n=3).choices
    assert [(choice.index, choice.message.content) for choice in choices] == [
        (0, "Hello world"),
        (1, "Hello world"),
        (2, "Hello world"),
    ]


def test_choices_are_streamed_in_turn_with_their_indexes(mock_openai: OpenAIMock, client: OpenAI) -> None:
    messages: Any = [{"message": {"content": "a b"}}, {"message": {"content": "c"}}]
    mock_openai.chat.completions.create.response = {"choices": messages}
    parts = [chunk.choices[0] for chunk in ask(client, n=2, stream=True)]
    assert [(part.index, part.delta.content, part.finish_reason) for part in parts] == [
        (0, None, None),
        (1, None, None),
        (0, "a", None),
        (1, "c", None),
        (0, " b", None),
        (1, None, "stop"),
        (0, None, "stop"),
    ]
    with client.chat.completions.stream(model="m", messages=MESSAGES, n=2) as stream:
        final = stream.get_final_completion()
    assert [choice.message.content for choice in final.choices] == ["a b", "c"]


def test_the_usage_is_in_the_answer_and_in_a_stream_that_asks_for_it(
    mock_openai: OpenAIMock, client: OpenAI
) -> None:
    mock_openai.chat.completions.create.response = "Hello big world"
    usage = ask(client, n=2).usage
    assert (usage.prompt_tokens, usage.completion_tokens, usage.total_tokens) == (2, 6, 8)

    *chunks, last = ask(client, n=2, stream=True, stream_options={"include_usage": True})
    assert last.choices == []
    assert last.usage == usage
    assert all(chunk.usage is None for chunk in chunks)
    assert all(chunk.usage is None for chunk in ask(client, stream=True))


def test_given_usage_is_kept(mock_openai: OpenAIMock, client: OpenAI) -> None:
    usage = {"prompt_tokens": 1, "completion_tokens": 2, "total_tokens": 3}
    mock_openai.chat.completions.create.response = {
        "usage": usage,
        "choices": [{"message": {"content": "x"}}],
    }
    assert ask(client).usage.total_tokens == 3
    last = list(ask(client, stream=True, stream_options={"include_usage": True}))[-1]
    assert last.usage.total_tokens == 3


def test_nothing_of_a_message_is_lost_in_a_stream(mock_openai: OpenAIMock, client: OpenAI) -> None:
    message = {
        "content": "b",
        "reasoning_content": "a",
        "annotations": [{"type": "url_citation"}],
        "refusal": None,
    }
    choice = {"message": message, "logprobs": {"content": [], "refusal": None}}
    mock_openai.chat.completions.create.response = {"choices": [choice]}
    chunks = list(ask(client, stream=True))
    deltas = [chunk.choices[0].delta.model_dump(exclude_unset=True) for chunk in chunks]
    assert deltas[1:-1] == [
        {"reasoning_content": "a"},
        {"content": "b"},
        {"annotations": [{"type": "url_citation"}]},
    ]
    assert chunks[-1].choices[0].logprobs is not None


def test_completions_have_choices_for_each_prompt(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.completions.create.response = "Hello world"
    completion = client.completions.create(model="m", prompt=["a", "b"], n=2)
    assert [choice.index for choice in completion.choices] == [0, 1, 2, 3]
    chunks = list(client.completions.create(model="m", prompt="a", n=2, stream=True))
    assert [(chunk.choices[0].index, chunk.choices[0].text) for chunk in chunks] == [
        (0, "Hello"),
        (1, "Hello"),
        (0, " world"),
        (1, " world"),
    ]


# Errors


def test_an_error_is_reported_in_openais_shape(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = MockError(
        "slow down", status=429, code="rate_limit_exceeded", headers={"x-request-id": "7"}
    )
    with pytest.raises(openai.RateLimitError, match="slow down") as caught:
        ask(client)
    assert (caught.value.code, caught.value.request_id) == ("rate_limit_exceeded", "7")


def test_an_error_inside_a_stream_comes_after_its_events(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = StreamedAnswer("a b c", error="overloaded", after=2)
    stream = ask(client, stream=True)
    assert [next(stream).choices[0].delta.content for _ in range(2)] == [None, "a"]
    with pytest.raises(openai.APIError, match="overloaded"):
        next(stream)
    with pytest.raises(openai.InternalServerError, match="overloaded"):
        ask(client)


def test_pings_are_comments(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.chat.completions.create.response = StreamedAnswer("a b", ping_every=1, cut=3)
    response = client.chat.completions.with_raw_response.create(model="m", messages=MESSAGES, stream=True)
    text = "".join(response.http_response.iter_text())
    assert text.count("\n\n:ping\n\n") + text.count("\n\n: ping\n\n") == 3
    assert text.endswith("data: [DONE]\n\n")
    assert len(list(ask(client, stream=True))) == 4


@pytest.mark.parametrize("library", [httpx, pytest.importorskip("httpx2")])
def test_an_exception_is_what_the_transport_raises(
    mock_openai: OpenAIMock, client: OpenAI, library: Any
) -> None:
    mock_openai.chat.completions.create.response = library.ConnectError("no route")
    with pytest.raises(openai.APIConnectionError) as caught:
        ask(client)
    assert str(caught.value.__cause__) == "no route"

    def time_out(request: Any) -> Any:
        return library.ReadTimeout("too slow")

    mock_openai.chat.completions.create.response = time_out
    with pytest.raises(openai.APITimeoutError):
        ask(client)


# Responses

OUTPUT = [
    {"type": "reasoning", "summary": [{"type": "summary_text", "text": "Think first"}]},
    {"type": "function_call", "name": "weather", "arguments": {"city": "Paris"}},
    {"type": "message", "content": [{"type": "output_text", "text": "Hello world"}]},
    {"type": "message", "content": [{"type": "refusal", "refusal": "I will not"}]},
]


def events_of(client: OpenAI) -> list[Any]:
    return list(client.responses.create(model="m", input="Hi", stream=True))


def test_the_events_of_a_function_call_come_in_openais_order(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.responses.create.response = {"output": [OUTPUT[1]]}
    events = events_of(client)
    assert [event.type for event in events] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ]
    assert [event.sequence_number for event in events] == list(range(8))
    added, *deltas, done, item_done, completed = events[2:]
    assert (added.item.arguments, added.item.status) == ("", "in_progress")
    assert "".join(delta.delta for delta in deltas) == done.arguments == '{"city": "Paris"}'
    assert {event.item_id for event in (*deltas, done)} == {added.item.id}
    assert done.name == "weather"
    assert item_done.item == completed.response.output[0]
    assert item_done.item.status == "completed"
    assert completed.response.usage.total_tokens > 0


def test_the_events_of_a_refusal_come_in_openais_order(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.responses.create.response = {"output": [OUTPUT[3]]}
    events = events_of(client)
    assert [event.type for event in events[2:-1]] == [
        "response.output_item.added",
        "response.content_part.added",
        "response.refusal.delta",
        "response.refusal.delta",
        "response.refusal.delta",
        "response.refusal.done",
        "response.content_part.done",
        "response.output_item.done",
    ]
    assert events[3].part.refusal == ""
    assert events[-4].refusal == "I will not"
    assert [event.sequence_number for event in events] == list(range(len(events)))


def test_the_sdk_puts_a_response_together(mock_openai: OpenAIMock, client: OpenAI) -> None:
    mock_openai.responses.create.response = {"output": OUTPUT}
    with client.responses.stream(model="m", input="Hi") as stream:
        events = list(stream)
        final = stream.get_final_response()
    reasoning, call, message, refusal = final.output
    assert reasoning.summary[0].text == "Think first"  # type: ignore[union-attr]
    assert (call.name, call.arguments) == ("weather", '{"city": "Paris"}')  # type: ignore[union-attr]
    assert message.content[0].text == "Hello world"  # type: ignore[union-attr]
    assert refusal.content[0].refusal == "I will not"  # type: ignore[union-attr]
    snapshots = [each.snapshot for each in events if each.type == "response.function_call_arguments.delta"]
    assert snapshots[-1] == '{"city": "Paris"}'


async def test_the_async_sdk_puts_a_response_together(mock_openai: OpenAIMock) -> None:
    mock_openai.responses.create.response = {"output": OUTPUT}
    async with (
        AsyncOpenAI(api_key="k") as client,
        client.responses.stream(model="m", input="Hi") as stream,
    ):
        final = await stream.get_final_response()
    assert [item.type for item in final.output] == ["reasoning", "function_call", "message", "message"]


@pytest.mark.parametrize(
    ("fields", "end"),
    [
        ({"incomplete_details": {"reason": "max_output_tokens"}}, "incomplete"),
        ({"error": {"code": "server_error", "message": "broken"}}, "failed"),
    ],
)
def test_a_response_ends_as_its_fields_say(
    mock_openai: OpenAIMock, client: OpenAI, fields: dict[str, Any], end: str
) -> None:
    mock_openai.responses.create.response = {"output": [], **fields}
    last = events_of(client)[-1]
    assert (last.type, last.response.status) == (f"response.{end}", end)


def test_an_error_inside_a_response_is_an_event(mock_openai: OpenAIMock, client: OpenAI) -> None:
    error = MockError("overloaded", code="server_error")
    mock_openai.responses.create.response = StreamedAnswer("a b c", error=error, after=3)
    events = events_of(client)
    assert [event.sequence_number for event in events] == [0, 1, 2, 3]
    last = events[-1]
    assert (last.type, last.code, last.message) == ("error", "server_error", "overloaded")


def test_a_stream_of_dicts_has_the_types_that_its_clients_look_at(
    mock_openai: OpenAIMock, client: OpenAI
) -> None:
    delta = {"type": "response.output_text.delta", "delta": "a", "item_id": "x"}
    mock_openai.responses.create.response = EventStream([delta])
    response = client.responses.with_raw_response.create(model="m", input="Hi", stream=True)
    text = "".join(response.http_response.iter_text())
    assert text.startswith("event: response.output_text.delta\n")
    assert "[DONE]" not in text


# Azure

AZURE: dict[str, dict[str, Any]] = {
    "a resource": {"azure_endpoint": "https://example.openai.azure.com"},
    "the docs' resource": {"azure_endpoint": "https://example-resource.azure.openai.com/"},
    "a deployment": {"azure_endpoint": "https://example.openai.azure.com", "azure_deployment": "gpt-4o"},
    "a gateway": {"azure_endpoint": "https://gateway.example.com/ai", "azure_deployment": "gpt-4o"},
    "a base URL": {"base_url": "https://example.openai.azure.com/openai/deployments/gpt-4o"},
}


@pytest.mark.parametrize("where", AZURE)
def test_azure_is_mocked_without_configuration(mock_openai: OpenAIMock, where: str) -> None:
    mock_openai.chat.completions.create.response = "Hello world"
    mock_openai.responses.create.response = "Hello response"
    with AzureOpenAI(api_key="k", api_version="2025-01-01", max_retries=0, **AZURE[where]) as client:
        assert ask(client).choices[0].message.content == "Hello world"
        chunks = ask(client, stream=True)
        assert "".join(chunk.choices[0].delta.content or "" for chunk in chunks) == "Hello world"
        assert client.responses.create(model="m", input="Hi").output_text == "Hello response"
    assert mock_openai.chat.completions.create.call_count == 2


@pytest.mark.parametrize("where", AZURE)
async def test_azure_is_mocked_for_async_clients(mock_openai: OpenAIMock, where: str) -> None:
    mock_openai.chat.completions.create.response = "Hello world"
    async with AsyncAzureOpenAI(
        azure_ad_token="t", api_version="2025-01-01", max_retries=0, **AZURE[where]
    ) as client:
        stream = await client.chat.completions.create(model="m", messages=MESSAGES, stream=True)
        text = "".join([chunk.choices[0].delta.content or "" async for chunk in stream])
    assert text == "Hello world"


def test_azures_first_version_is_mocked_for_openais_client(mock_openai: OpenAIMock) -> None:
    mock_openai.responses.create.response = "Hello"
    with OpenAI(api_key="k", base_url="https://example.openai.azure.com/openai/v1/") as client:
        assert client.responses.create(model="m", input="Hi").output_text == "Hello"


def test_a_path_that_only_looks_like_azures_is_left_alone(mock_openai: OpenAIMock) -> None:
    for url in ("https://api.groq.com/openai/v1/chat/completions", "https://example.com/v1/chat/completions"):
        assert not mock_openai.owns(httpx.Request("POST", url))


def test_the_environments_base_url_is_mocked(
    mock_openai: OpenAIMock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("OPENAI_BASE_URL", "http://localhost:11434/v1")
    mock_openai.chat.completions.create.response = "Hello"
    with OpenAI(api_key="k") as client:
        assert ask(client).choices[0].message.content == "Hello"
