from __future__ import annotations

import json
from time import perf_counter
from typing import TYPE_CHECKING

import httpx
import msgspec
import pytest
from accounts import TEXT

from ssejet import Client
from ssejet.chat import (
    ChatCompletion,
    ChatCompletionChunk,
    ChatMetrics,
    Completion,
    CompletionMetrics,
    ParsedChatCompletion,
)
from ssejet.errors import APIError, ContentFilterFinishReasonError, LengthFinishReasonError
from ssejet.metrics._response_metrics import ResponseMetrics
from ssejet.responses import (
    ParsedResponse,
    Response,
    ResponseCompletedEvent,
    ResponseCreatedEvent,
    ResponseTextDeltaEvent,
)
from ssejet.testing import OpenAIMock

if TYPE_CHECKING:
    from accounts import Account
    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser


class Greeting(msgspec.Struct):
    words: list[str]


class TestChat:
    def test_a_chat_is_answered_as_a_whole(self, user: User, account: Account) -> None:
        answer = user.call(account).checked().answer
        assert isinstance(answer, ChatCompletion)
        assert answer.model == "m"
        assert answer.choices[0].message.content == TEXT
        assert account.requests[0].path == "/chat/completions"
        assert account.requests[0].body["stream"] is False

    def test_a_chat_is_answered_in_chunks(self, user: User, account: Account) -> None:
        outcome = user.call(account, stream=True).checked()
        assert all(isinstance(item, ChatCompletionChunk) for item in outcome.items)
        assert "".join(item.choices[0].delta.content or "" for item in outcome.items) == TEXT
        assert account.requests[0].body["stream"] is True

    def test_a_chat_is_answered_by_events(self, user: User, account: Account) -> None:
        outcome = user.call(account, "chat.completions.stream").checked()
        deltas = [event.delta for event in outcome.items if event.type == "content.delta"]
        assert len(deltas) == 4
        assert "".join(deltas) == TEXT
        assert outcome.answer.choices[0].message.content == TEXT
        assert account.requests[0].body["stream"] is True

    def test_a_chat_is_parsed_into_a_type(self, user: User, account: Account) -> None:
        account.answer = '{"words": ["hi", "you"]}'
        outcome = user.call(account, "chat.completions.stream", response_format=Greeting).checked()
        assert outcome.answer.choices[0].message.parsed == Greeting(["hi", "you"])
        assert account.requests[0].body["response_format"]["json_schema"]["name"] == "Greeting"

    def test_a_chat_may_call_functions_that_are_types(self, user: User, account: Account) -> None:
        call = {"name": "Greeting", "arguments": '{"words": ["hi"]}'}
        message = {"role": "assistant", "tool_calls": [{"id": "1", "type": "function", "function": call}]}
        account.answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        outcome = user.call(account, "chat.completions.stream", tools=[Greeting]).checked()
        (call,) = outcome.answer.choices[0].message.tool_calls
        assert call.function.parsed_arguments == Greeting(["hi"])
        assert account.requests[0].body["tools"][0]["function"]["name"] == "Greeting"

    def test_a_whole_chat_is_parsed_into_a_type(self, user: User, account: Account) -> None:
        account.answer = '{"words": ["hi", "you"]}'
        answer = user.call(account, "chat.completions.parse", response_format=Greeting).checked().answer
        assert type(answer) is ParsedChatCompletion
        assert answer.choices[0].message.parsed == Greeting(["hi", "you"])
        body = account.requests[0].body
        assert (body["stream"], body["response_format"]["json_schema"]["name"]) == (False, "Greeting")

    def test_the_arguments_of_a_whole_chat_are_parsed(self, user: User, account: Account) -> None:
        calls = [
            {"id": "1", "type": "function", "function": {"name": name, "arguments": '{"words": ["hi"]}'}}
            for name in ("Greeting", "other")
        ]
        message = {"role": "assistant", "tool_calls": calls, "reasoning_content": "Hm"}
        account.answer = {"choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
        answer = user.call(account, "chat.completions.parse", tools=[Greeting]).checked().answer
        message = answer.choices[0].message
        parsed = [call.function.parsed_arguments for call in message.tool_calls]
        assert parsed == [Greeting(["hi"]), None]
        assert (message.parsed, message.reasoning) == (None, "Hm")

    def test_a_whole_chat_that_was_refused_is_not_parsed(self, user: User, account: Account) -> None:
        message = {"role": "assistant", "content": None, "refusal": "No."}
        account.answer = {"choices": [{"index": 0, "message": message, "finish_reason": "stop"}]}
        answer = user.call(account, "chat.completions.parse", response_format=Greeting).checked().answer
        assert (answer.choices[0].message.parsed, answer.choices[0].message.refusal) == (None, "No.")

    @pytest.mark.parametrize(
        ("reason", "error"),
        [("length", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)],
    )
    def test_a_whole_chat_that_was_cut_short_raises(
        self, user: User, account: Account, reason: str, error: type
    ) -> None:
        message = {"role": "assistant", "content": '{"words": ["hi'}
        account.answer = {"choices": [{"index": 0, "message": message, "finish_reason": reason}]}
        raised = user.call(account, "chat.completions.parse", response_format=Greeting).error
        assert type(raised) is error
        assert raised.completion.choices[0].message.content == '{"words": ["hi'

    def test_a_whole_chat_of_another_type_raises_its_librarys_error(
        self, user: User, account: Account
    ) -> None:
        outcome = user.call(account, "chat.completions.parse", response_format=Greeting)
        assert isinstance(outcome.error, msgspec.DecodeError)


class TestCompletions:
    def test_older_completions_are_answered_as_a_whole(self, user: User, account: Account) -> None:
        answer = user.call(account, "completions.create").checked().answer
        assert isinstance(answer, Completion)
        assert answer.choices[0].text == TEXT
        assert account.requests[0].path == "/completions"

    def test_older_completions_are_answered_in_chunks(self, user: User, account: Account) -> None:
        outcome = user.call(account, "completions.create", stream=True).checked()
        assert all(isinstance(item, Completion) for item in outcome.items)
        assert [item.choices[0].text for item in outcome.items] == ["Hello", " there,", " my", " friend."]


class TestResponses:
    def test_answers_of_the_responses_api_are_typed(self, user: User, account: Account) -> None:
        answer = user.call(account, "responses.create").checked().answer
        assert type(answer) is Response
        assert answer.output[0].content[0].text == TEXT
        assert account.requests[0].path == "/responses"

    def test_answers_of_the_responses_api_have_typed_events(self, user: User, account: Account) -> None:
        outcome = user.call(account, "responses.create", stream=True).checked()
        assert type(outcome.items[0]) is ResponseCreatedEvent
        assert type(outcome.items[-1]) is ResponseCompletedEvent
        deltas = [item.delta for item in outcome.items if type(item) is ResponseTextDeltaEvent]
        assert "".join(deltas) == TEXT

    def test_answers_of_the_responses_api_that_failed_are_no_errors(
        self, user: User, account: Account
    ) -> None:
        account.answer = {"status": "failed", "error": {"code": "server_error", "message": "oops"}}
        answer = user.call(account, "responses.create").checked().answer
        assert answer.status == "failed"
        assert answer.error.message == "oops"

    def test_a_whole_response_is_parsed_into_a_type(self, user: User, account: Account) -> None:
        account.answer = '{"words": ["hi", "you"]}'
        answer = user.call(account, "responses.parse", text_format=Greeting).checked().answer
        assert type(answer) is ParsedResponse
        assert answer.output_parsed == Greeting(["hi", "you"])
        body = account.requests[0].body
        assert (body["stream"], body["text"]["format"]["name"]) == (False, "Greeting")

    def test_the_arguments_of_a_whole_response_are_parsed(self, user: User, account: Account) -> None:
        call = {
            "type": "function_call",
            "id": "f",
            "call_id": "1",
            "name": "Greeting",
            "arguments": '{"words": ["hi"]}',
            "status": "completed",
        }
        account.answer = {"output": [call]}
        answer = user.call(account, "responses.parse", tools=[Greeting]).checked().answer
        assert answer.output[0].parsed_arguments == Greeting(["hi"])
        assert answer.output_parsed is None

    @pytest.mark.parametrize(
        ("reason", "error"),
        [("max_output_tokens", LengthFinishReasonError), ("content_filter", ContentFilterFinishReasonError)],
    )
    def test_a_whole_response_that_was_cut_short_raises(
        self, user: User, account: Account, reason: str, error: type
    ) -> None:
        text = {"type": "output_text", "text": '{"words": ["hi', "annotations": []}
        message = {"type": "message", "id": "m", "role": "assistant", "content": [text]}
        account.answer = {
            "status": "incomplete",
            "incomplete_details": {"reason": reason},
            "output": [message],
        }
        raised = user.call(account, "responses.parse", text_format=Greeting).error
        assert type(raised) is error
        assert raised.completion.output_parsed == {"words": []}

    def test_a_whole_response_that_failed_cannot_be_parsed(self, user: User, account: Account) -> None:
        account.answer = {"status": "failed", "error": {"code": "server_error", "message": "oops"}}
        raised = user.call(account, "responses.parse", text_format=Greeting).error
        assert isinstance(raised, APIError)
        assert (raised.partial.status, "oops" in str(raised)) == ("failed", True)

    @pytest.mark.parametrize("status", ["queued", "in_progress", "cancelled"])
    def test_a_response_without_output_parses_nothing(
        self, user: User, account: Account, status: str
    ) -> None:
        account.answer = {"status": status, "output": []}
        answer = user.call(account, "responses.parse", text_format=Greeting, background=True).checked().answer
        assert (answer.status, answer.output_parsed) == (status, None)


@pytest.mark.parametrize("method", ["chat.completions.parse", "responses.parse"])
def test_parsing_takes_no_stream(user: User, account: Account, method: str) -> None:
    error = user.call(account, method, stream=True).error
    assert isinstance(error, TypeError)
    assert "stream" in str(error)
    assert account.requests == []


@pytest.mark.parametrize(
    ("method", "kind"),
    [
        ("chat.completions.create", ChatMetrics),
        ("completions.create", CompletionMetrics),
        ("responses.create", ResponseMetrics),
    ],
)
def test_streams_measure_their_tokens(user: User, account: Account, method: str, kind: type) -> None:
    metrics = user.call(account, method, stream=True).checked().stream.metrics
    assert type(metrics) is kind
    assert (metrics.tokens, metrics.tokens_from) == (4, "chunks")
    # The clock starts before the request is sent.
    assert 0 < metrics.time_to_first_byte <= metrics.time_to_first_token <= metrics.elapsed


def test_the_clock_starts_before_the_first_request_is_sent(account: Account, waits: list[float]) -> None:
    account.refuse(500)
    sent: list[float] = []
    hooks = {"request": [lambda _: sent.append(perf_counter())]}
    with httpx.Client(event_hooks=hooks) as http, Client(http_client=http, base_url=account.url) as client:
        stream = client.chat.completions.create(model="m", messages=[], stream=True)
        list(stream)
    assert stream.metrics.started < sent[0] < sent[1] < stream.metrics.first_byte


def test_chat_streams_have_the_metrics_of_their_sources(user: User, account: Account) -> None:
    outcome = user.call(
        account, "chat.completions.stream", stream_options={"include_usage": True}, tokenizer=str.split
    )
    metrics = outcome.checked().stream.metrics
    assert (metrics.tokens, metrics.prompt_tokens, metrics.tokens_from) == (4, 1, "usage")


def test_a_tokenizer_counts_the_tokens_if_the_server_does_not(user: User, account: Account) -> None:
    for place in ({"options": {"tokenizer": len}}, {"tokenizer": len}):
        metrics = user.call(account, "chat.completions.stream", **place).checked().stream.metrics
        assert (metrics.tokens, metrics.tokens_from) == (len(TEXT), "tokenizer")


def test_extra_body_can_ask_for_a_stream(user: User, account: Account) -> None:
    outcome = user.call(account, extra_body={"stream": True}).checked()
    assert "".join(item.choices[0].delta.content or "" for item in outcome.items) == TEXT


def test_a_mock_can_replace_the_server() -> None:
    with OpenAIMock() as mock, Client(api_key="test") as client:
        mock.chat.completions.create.response = TEXT
        with client.chat.completions.stream(model="m", messages=[]) as stream:
            assert list(stream.text_deltas()) == ["Hello", " there,", " my", " friend."]
    assert mock.chat.completions.create.calls[0].closed


@pytest.mark.parametrize("method", ["chat.completions.create", "completions.create", "responses.create"])
def test_a_byte_order_mark_before_an_answer_is_ignored(user: User, account: Account, method: str) -> None:
    body = {"id": "a", "choices": [], "output": []}
    account.reply(b"\xef\xbb\xbf" + json.dumps(body).encode(), content_type="application/json")
    answer = user.call(account, method).checked().answer
    assert answer.to_dict() == body
