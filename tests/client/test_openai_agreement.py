"""openai-python and ssejet's client get the same answers from the same server."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import openai
import pytest
from accounts import DONE
from pydantic import BaseModel
from users import KEY, MESSAGES, USERS

from ssejet import encode

if TYPE_CHECKING:
    from accounts import Account
    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser

pytestmark = pytest.mark.slow

# openai-python fails at the chunks of these, or makes something else of them than the server meant.
NOT_READ = ("gemini", "glm", "groq", "mistral", "moonshot")
FIXTURES = [
    path
    for path in sorted((Path(__file__).parents[1] / "chat" / "fixtures").glob("*.sse"))
    if not path.stem.startswith(NOT_READ)
]
ASK: dict[str, Any] = {"model": "m", "messages": MESSAGES}
USAGE = {"prompt_tokens": 3, "completion_tokens": 5, "total_tokens": 8}


class City(BaseModel):
    """Look a city up."""

    name: str
    people: int


OSLO = '{"name": "Oslo", "people": 700000}'


def theirs(account: Account) -> openai.OpenAI:
    return openai.OpenAI(api_key=KEY, base_url=account.url, max_retries=0)


def message(**fields: Any) -> dict[str, Any]:
    finish = "tool_calls" if "tool_calls" in fields else "stop"
    whole = {"role": "assistant", "content": None, "refusal": None, **fields}
    choice = {"index": 0, "message": whole, "finish_reason": finish, "logprobs": None}
    return {"id": "chatcmpl-1", "created": 1763683200, "choices": [choice], "usage": USAGE}


def call(number: int, arguments: str = OSLO) -> dict[str, Any]:
    function = {"name": "City", "arguments": arguments}
    return {"id": f"call_{number}", "type": "function", "function": function}


ANSWERS = {
    "text": message(content="Hello there, my friend."),
    "unicode": message(content="é 漢 🚀\n\u2028 \\ \" '"),
    "refusal": message(refusal="I would rather not."),
    "tool calls": message(tool_calls=[call(1), call(2, "{}")]),
    "reasoning": message(content="4", reasoning_content="2 + 2, so"),
    "two choices": {
        **message(),
        "choices": [{**message(content=text)["choices"][0], "index": n} for n, text in enumerate("ab")],
    },
}


@pytest.fixture(params=ANSWERS)
def answering(request: pytest.FixtureRequest, account: Account) -> Account:
    account.answer = ANSWERS[request.param]
    return account


def heard(completion: Any) -> Any:
    """The fields of a completion of either library, without empty ones."""
    return _filled(json.loads(completion.to_json()))


def _filled(value: Any) -> Any:
    if isinstance(value, dict):
        return {name: _filled(each) for name, each in value.items() if each not in (None, [], {})}
    return [_filled(each) for each in value] if isinstance(value, list) else value


def _without_stream(account: Account) -> list[Any]:
    """The bodies of the requests, without what says that the answer is no stream: it may be left out."""
    return [
        {name: value for name, value in request.body.items() if (name, value) != ("stream", False)}
        for request in account.requests
    ]


def test_we_agree_with_openai_in_whole_answers(user: User, answering: Account) -> None:
    with theirs(answering) as client:
        completion = client.chat.completions.create(**ASK)
    assert heard(user.call(answering).checked().answer) == heard(completion)


def test_we_agree_with_openai_in_chunks(user: User, answering: Account) -> None:
    options = {"stream": True, "stream_options": {"include_usage": True}}
    with theirs(answering) as client:
        chunks = list(client.chat.completions.create(**ASK, **options))
    items = user.call(answering, **options).checked().items
    assert [heard(item) for item in items] == [heard(chunk) for chunk in chunks]


def test_we_agree_with_openai_in_events_and_the_completion_of_a_stream(
    user: User, answering: Account
) -> None:
    options = {"stream_options": {"include_usage": True}}
    with theirs(answering) as client, client.chat.completions.stream(**ASK, **options) as stream:
        kinds = [event.type for event in stream]
        completion = stream.get_final_completion()
    outcome = user.call(answering, "chat.completions.stream", **options).checked()
    own = {"tool_calls.delta", "tool_calls.done", "reasoning.delta", "reasoning.done"}
    assert [event.type for event in outcome.items if event.type not in own] == kinds
    assert heard(outcome.answer) == heard(completion)
    assert heard(outcome.answer)["usage"] == USAGE


def test_we_agree_with_openai_in_parsed_answers(user: User, account: Account) -> None:
    account.answer = message(content=OSLO)
    with theirs(account) as client, client.chat.completions.stream(**ASK, response_format=City) as stream:
        theirs_parsed = stream.get_final_completion().choices[0].message.parsed
    outcome = user.call(account, "chat.completions.stream", response_format=City).checked()
    assert outcome.answer.choices[0].message.parsed == theirs_parsed == City(name="Oslo", people=700_000)
    ours, theirs_request = (request.body["response_format"] for request in reversed(account.requests))
    assert ours == theirs_request


def test_we_agree_with_openai_in_parsed_arguments(user: User, account: Account) -> None:
    account.answer = message(tool_calls=[call(1)])
    tools = [openai.pydantic_function_tool(City)]
    with theirs(account) as client, client.chat.completions.stream(**ASK, tools=tools) as stream:
        their_calls = stream.get_final_completion().choices[0].message.tool_calls
    outcome = user.call(account, "chat.completions.stream", tools=tools).checked()
    (mine,) = outcome.answer.choices[0].message.tool_calls
    assert mine.function.parsed_arguments == their_calls[0].function.parsed_arguments
    assert account.requests[0].body["tools"] == account.requests[1].body["tools"]


PARSED = {
    "content": message(content=OSLO),
    "refusal": message(refusal="No."),
    "arguments": message(tool_calls=[call(1), {**call(2), "function": {"name": "other", "arguments": "{}"}}]),
    "fields of other servers": {**message(content=OSLO, citations=["a"]), "provider": {"name": "p"}},
    "two choices": {
        **message(),
        "choices": [{**message(content=OSLO)["choices"][0], "index": number} for number in (0, 1)],
    },
}


@pytest.mark.parametrize("answer", PARSED)
def test_we_agree_with_openai_in_parsed_whole_answers(user: User, account: Account, answer: str) -> None:
    account.answer = PARSED[answer]
    options = {"response_format": City, "tools": [openai.pydantic_function_tool(City)]}
    with theirs(account) as client:
        completion = client.chat.completions.parse(**ASK, **options)
    outcome = user.call(account, "chat.completions.parse", **options).checked()
    ours = heard(outcome.answer)
    for choice in ours["choices"]:
        for place in choice["message"].get("tool_calls", []):
            del place["index"]  # ours says at which place of the message the call is
    assert ours == _filled(completion.model_dump(mode="json", warnings=False))
    for choice, their_choice in zip(outcome.answer.choices, completion.choices, strict=True):
        assert choice.message.parsed == their_choice.message.parsed
    their_body, our_body = _without_stream(account)
    assert our_body == their_body


@pytest.mark.parametrize("fixture", FIXTURES, ids=lambda path: path.stem)
def test_we_agree_with_openai_in_recorded_streams_of_providers(
    user: User, account: Account, fixture: Path
) -> None:
    body = fixture.read_bytes()
    account.reply(body)
    with theirs(account) as client, client.chat.completions.stream(**ASK) as stream:
        completion = stream.get_final_completion()
    account.reply(body)
    outcome = user.call(account, "chat.completions.stream").checked()
    message, their_message = (each.choices[0].message for each in (outcome.answer, completion))
    assert (message.content or None) == (their_message.content or None)
    assert [heard_call(call) for call in message.tool_calls or []] == [
        heard_call(call) for call in their_message.tool_calls or []
    ]
    assert heard(outcome.answer).get("usage") == heard(completion).get("usage")


def heard_call(call: Any) -> Any:
    return call.id, call.function.name, call.function.arguments


def test_we_agree_with_openai_in_the_older_completions(user: User, account: Account) -> None:
    account.answer = {
        "id": "cmpl-1",
        "created": 1,
        "choices": [{"index": 0, "text": "a b c"}],
        "usage": USAGE,
    }
    with theirs(account) as client:
        whole = client.completions.create(model="m", prompt="Hi!")
        pieces = list(client.completions.create(model="m", prompt="Hi!", stream=True))
    assert heard(user.call(account, "completions.create").checked().answer) == heard(whole)
    items = user.call(account, "completions.create", stream=True).checked().items
    assert [heard(item) for item in items] == [heard(piece) for piece in pieces]


def test_we_agree_with_openai_in_responses(user: User, account: Account) -> None:
    account.answer = {"id": "resp_1", "created_at": 1, "output": []}
    with theirs(account) as client:
        whole = client.responses.create(model="m", input="Hi!")
        events = list(client.responses.create(model="m", input="Hi!", stream=True))
    assert _filled(user.call(account, "responses.create").checked().answer.to_dict()) == heard(whole)
    items = user.call(account, "responses.create", stream=True).checked().items
    assert [_filled(item.to_dict()) for item in items] == [heard(event) for event in events]


OUTPUTS = {
    "text": {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "output_text", "text": OSLO, "annotations": []}],
    },
    "refusal": {
        "type": "message",
        "id": "msg_1",
        "role": "assistant",
        "status": "completed",
        "content": [{"type": "refusal", "refusal": "No."}],
    },
    "arguments": {
        "type": "function_call",
        "id": "fc_1",
        "call_id": "call_1",
        "name": "City",
        "arguments": OSLO,
        "status": "completed",
    },
}


# What openai-python's dump of a response has beside what the server sent.
_PARSED = {"output": {"__all__": {"parsed_arguments": True, "content": {"__all__": {"parsed"}}}}}


@pytest.mark.parametrize("output", OUTPUTS)
def test_we_agree_with_openai_in_parsed_whole_responses(user: User, account: Account, output: str) -> None:
    account.answer = {"id": "resp_1", "created_at": 1, "output": [OUTPUTS[output]], "own": 1}
    tool = openai.pydantic_function_tool(City)["function"]
    options = {"text_format": City, "tools": [{"type": "function", **tool}]}
    with theirs(account) as client:
        response = client.responses.parse(model="m", input="Hi!", **options)
    outcome = user.call(account, "responses.parse", model="m", input="Hi!", **options).checked()
    theirs_sent = response.model_dump(mode="json", by_alias=True, warnings=False, exclude=_PARSED)
    assert _filled(outcome.answer.to_dict()) == _filled(theirs_sent)
    assert outcome.answer.output_parsed == response.output_parsed
    (item,), (their_item,) = outcome.answer.output, response.output
    assert getattr(item, "parsed_arguments", None) == getattr(their_item, "parsed_arguments", None)
    their_body, our_body = _without_stream(account)
    assert our_body == their_body


@pytest.mark.parametrize("status", [400, 401, 403, 404, 409, 422, 429, 500])
def test_we_agree_with_openai_in_error_statuses(user: User, account: Account, status: int) -> None:
    body = {"error": {"message": "no", "type": "t", "param": "p", "code": "c"}}
    account.refuse(status, body, x_request_id="req_1")
    with theirs(account) as client, pytest.raises(openai.APIStatusError) as caught:
        client.chat.completions.create(**ASK)
    account.refuse(status, body, x_request_id="req_1")
    error = user.call(account, max_retries=0).error
    for name in ("status_code", "request_id", "code", "type", "param"):
        assert getattr(error, name) == getattr(caught.value, name)
    assert error.body == {"error": caught.value.body}  # theirs leaves out what stands beside it


def test_we_agree_with_openai_in_errors_inside_a_stream(user: User, account: Account) -> None:
    first = {"choices": [{"index": 0, "delta": {"content": "a"}}], "object": "chat.completion.chunk"}
    body = encode(json.dumps(first)) + encode('{"error": {"message": "no", "code": "c"}}') + DONE
    account.reply(body)
    with theirs(account) as client, pytest.raises(openai.APIError) as caught:
        list(client.chat.completions.create(**ASK, stream=True))
    account.reply(body)
    error = user.call(account, stream=True).error
    for name in ("message", "code"):
        assert getattr(error, name) == getattr(caught.value, name)
    assert error.body == {"error": caught.value.body}


def test_we_agree_with_openai_in_requests(account: Account) -> None:
    with theirs(account) as client:
        client.chat.completions.create(
            **ASK, temperature=0.5, extra_body={"top_k": 3}, extra_query={"a": "b"}
        )
    USERS[0].call(account, temperature=0.5, extra_body={"top_k": 3}, extra_query={"a": "b"}).checked()
    request, own = account.requests
    assert own.path == request.path
    assert own.query == request.query
    assert {name: value for name, value in own.body.items() if name != "stream"} == request.body
    assert own.headers["authorization"] == request.headers["authorization"]
