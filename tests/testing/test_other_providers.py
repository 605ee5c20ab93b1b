"""Mocks of Mistral's and Google's APIs, with their SDKs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import httpx
import pytest
from google import genai
from google.genai import errors as google_errors
from google.oauth2.credentials import Credentials
from mistralai.client import Mistral
from mistralai.client import errors as mistral_errors

from ssejet.testing import (
    AnthropicMock,
    GoogleGenAIMock,
    MistralMock,
    MockError,
    StreamedAnswer,
    mock_google_genai,
    mock_mistral,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.filterwarnings("ignore::DeprecationWarning")]

ASKED: Any = {"model": "mistral-small-latest", "messages": [{"role": "user", "content": "How are you?"}]}
CALL: Any = {"function": {"name": "weather", "arguments": {"city": "Paris"}}}
MODEL = "gemini-2.5-flash"


@pytest.fixture
def mistral() -> Iterator[Mistral]:
    with Mistral(api_key="k") as client:
        yield client


@pytest.fixture
def google() -> Any:
    return genai.Client(api_key="k")


def test_mistral_answers_with_a_text(mistral: Mistral, mock_mistral: MistralMock) -> None:
    mock_mistral.chat.complete.response = "Hello big world"
    answer = mistral.chat.complete(**ASKED)
    assert answer.choices[0].message.content == "Hello big world"
    assert answer.usage.total_tokens == 6
    chunks = [event.data for event in mistral.chat.stream(**ASKED)]
    texts = [chunk.choices[0].delta.content for chunk in chunks]
    assert texts == ["", "Hello", " big", " world", ""]
    assert chunks[-1].choices[0].finish_reason == "stop"
    assert chunks[-1].usage.total_tokens == 6
    assert mock_mistral.chat.stream is mock_mistral.chat.complete
    assert mock_mistral.chat.complete.call_count == 2


async def test_mistral_streams_to_an_async_client(mistral: Mistral, mock_mistral: MistralMock) -> None:
    mock_mistral.chat.stream.response = StreamedAnswer(
        {"choices": [{"message": {"tool_calls": [CALL]}}]}, cut=3
    )
    async with Mistral(api_key="k") as client:
        chunks = [event.data async for event in await client.chat.stream_async(**ASKED)]
    calls = [chunk.choices[0].delta.tool_calls for chunk in chunks if chunk.choices[0].delta.tool_calls]
    assert calls[0][0].function.name == "weather"
    assert chunks[-1].choices[0].finish_reason == "tool_calls"


def test_mistral_has_agents_and_fim(mistral: Mistral, mock_mistral: MistralMock) -> None:
    mock_mistral.fim.complete.response = "return 1"
    mock_mistral.agents.stream.response = "Hello"
    answer = mistral.fim.complete(model="codestral-latest", prompt="def f():")
    assert answer.choices[0].message.content == "return 1"
    text = "".join(
        event.data.choices[0].delta.content
        for event in mistral.agents.stream(agent_id="ag_1", messages=ASKED["messages"])
    )
    assert text == "Hello"


def test_mistral_gives_an_embedding_for_each_input(mistral: Mistral, mock_mistral: MistralMock) -> None:
    answer = mistral.embeddings.create(model="mistral-embed", inputs=["a", "b"])
    assert [each.index for each in answer.data] == [0, 1]


def test_mistral_reports_errors(mistral: Mistral, mock_mistral: MistralMock) -> None:
    mock_mistral.chat.complete.response = MockError("Wrong model", status=400)
    with pytest.raises(mistral_errors.SDKError, match="Wrong model"):
        mistral.chat.complete(**ASKED)
    with pytest.raises(mistral_errors.SDKError, match="has no GET /v1/models"):
        mistral.models.list()


def test_mistral_without_an_answer_says_what_is_missing(mistral: Mistral, mock_mistral: MistralMock) -> None:
    with pytest.raises(mistral_errors.SDKError, match=r"mock\.chat\.complete\.response is not set"):
        mistral.chat.complete(**ASKED)


@mock_mistral(base_url="https://mistral.example.com")
def test_mistral_is_mocked_at_another_url(mock_mistral: MistralMock) -> None:
    mock_mistral.chat.complete.response = "Hello"
    with Mistral(api_key="k", server_url="https://mistral.example.com") as client:
        assert client.chat.complete(**ASKED).choices[0].message.content == "Hello"


def test_google_answers_with_a_text(google: Any, mock_google_genai: GoogleGenAIMock) -> None:
    mock_google_genai.models.generate_content.response = "Hello big world"
    answer = google.models.generate_content(model=MODEL, contents="How are you?")
    assert answer.text == "Hello big world"
    assert answer.candidates[0].finish_reason == "STOP"
    assert answer.model_version == MODEL
    counted = answer.usage_metadata
    assert (counted.prompt_token_count, counted.candidates_token_count, counted.total_token_count) == (
        3,
        3,
        6,
    )


def test_google_streams_thoughts_texts_and_calls(google: Any, mock_google_genai: GoogleGenAIMock) -> None:
    call = {"functionCall": {"name": "weather", "args": {"city": "Paris"}}}
    parts = [{"text": "Let me think", "thought": True}, "Hello you", call | {"thoughtSignature": "c2ln"}]
    answer = {"candidates": [{"content": parts}]}
    mock_google_genai.models.generate_content_stream.response = StreamedAnswer(answer, cut=5)
    chunks = list(google.models.generate_content_stream(model=MODEL, contents="Hi"))
    seen = [chunk.candidates[0].content.parts[0] for chunk in chunks]
    assert "".join(part.text for part in seen if part.thought) == "Let me think"
    assert "".join(part.text for part in seen if part.text and not part.thought) == "Hello you"
    assert (seen[-1].function_call.args, seen[-1].thought_signature) == ({"city": "Paris"}, b"sig")
    assert [chunk.candidates[0].finish_reason for chunk in chunks] == [None] * 5 + ["STOP"]
    assert chunks[-1].usage_metadata.total_token_count == 6


async def test_google_streams_to_an_async_client(mock_google_genai: GoogleGenAIMock) -> None:
    mock_google_genai.models.generate_content_stream.response = "Hello big world"
    async with httpx.AsyncClient() as http_client:
        client = genai.Client(api_key="k", http_options={"httpx_async_client": http_client})
        stream = await client.aio.models.generate_content_stream(model=MODEL, contents="Hi")
        assert [chunk.text async for chunk in stream] == ["Hello", " big", " world"]


def test_google_chats_send_what_was_said(google: Any, mock_google_genai: GoogleGenAIMock) -> None:
    mock_google_genai.models.generate_content.responses = ["one", "two"]
    chat = google.chats.create(model=MODEL)
    assert [chat.send_message("Hi").text for _ in range(2)] == ["one", "two"]
    sent = mock_google_genai.models.generate_content.calls[1].json
    assert [content["role"] for content in sent["contents"]] == ["user", "model", "user"]


def test_google_counts_tokens_and_reports_errors(google: Any, mock_google_genai: GoogleGenAIMock) -> None:
    assert google.models.count_tokens(model=MODEL, contents="one two three").total_tokens == 3
    mock_google_genai.models.generate_content.response = MockError("Too many", status=429)
    with pytest.raises(google_errors.ClientError, match=r"429 RESOURCE_EXHAUSTED.*Too many"):
        google.models.generate_content(model=MODEL, contents="Hi")
    mock_google_genai.models.generate_content_stream.response = StreamedAnswer(
        "a b c d", error="Broken", after=2
    )
    with pytest.raises(google_errors.ServerError, match="Broken"):
        list(google.models.generate_content_stream(model=MODEL, contents="Hi"))


@pytest.mark.parametrize("location", ["europe-west1", "global", "us"])
def test_google_is_mocked_on_vertex_ai(
    mock_google_genai: GoogleGenAIMock, mock_anthropic: AnthropicMock, location: str
) -> None:
    mock_google_genai.models.generate_content.response = "One"
    mock_google_genai.models.generate_content_stream.response = "One two"
    http = httpx.Client()
    client = genai.Client(
        vertexai=True,
        project="p",
        location=location,
        credentials=Credentials("token"),
        http_options={"httpx_client": http},
    )
    assert client.models.generate_content(model="gemini-3", contents="Hi").text == "One"
    stream = client.models.generate_content_stream(model="gemini-3", contents="Hi")
    assert [chunk.text for chunk in stream] == ["One", " two"]
    # Models of other makers are another API's.
    assert not mock_anthropic.calls


def test_decorators_and_blocks_mock_the_other_providers() -> None:
    @mock_google_genai
    def ask(mock_google_genai: GoogleGenAIMock) -> Any:
        mock_google_genai.models.generate_content.response = "Hello"
        client = genai.Client(api_key="k")  # it closes its connections when nothing refers to it
        return client.models.generate_content(model=MODEL, contents="Hi").text

    assert ask() == "Hello"
    with mock_google_genai() as mock, mock_mistral() as other:
        assert isinstance(mock, GoogleGenAIMock)
        assert isinstance(other, MistralMock)
