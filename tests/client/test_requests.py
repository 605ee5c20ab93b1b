from __future__ import annotations

import json
import math
from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING, Any

import httpx
import msgspec
import pytest
from openai.types.chat import ChatCompletionMessage as OpenAIMessage
from pydantic import BaseModel
from users import KEY, MESSAGES, USERS

from ssejet import Client, __version__
from ssejet._json import dumps_by
from ssejet.chat import ChatCompletionMessage, ChatCompletionMessageToolCall
from ssejet.chat._models import Function
from ssejet.client._call import _jsonable

if TYPE_CHECKING:
    from accounts import Account
    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser

SYNC = USERS[0]


class Weather(msgspec.Struct):
    """Tell the weather."""

    city: str


class Forecast(BaseModel):
    text: str


def sent(account: Account, user: User = SYNC, **params: Any) -> Any:
    """The request of a call."""
    user.call(account, **params).checked()
    return account.requests[-1]


class TestHeaders:
    def test_headers_name_the_content_type_and_the_accepted_ones(self, user: User, account: Account) -> None:
        headers = sent(account, user).headers
        assert headers["authorization"] == f"Bearer {KEY}"
        assert headers["content-type"] == "application/json"
        assert headers["accept"] == "application/json"
        assert headers["user-agent"] == f"ssejet/{__version__}"

    def test_headers_ask_for_a_stream(self, user: User, account: Account) -> None:
        assert sent(account, user, stream=True).headers["accept"] == "text/event-stream, application/json"

    def test_headers_may_be_given_for_all_calls_and_for_one(self, user: User, account: Account) -> None:
        options = {"default_headers": {"X-A": "client", "X-B": "client"}}
        headers = sent(account, user, options=options, extra_headers={"X-B": "call", "X-C": "call"}).headers
        assert [headers[name] for name in ("x-a", "x-b", "x-c")] == ["client", "call", "call"]

    @pytest.mark.parametrize("name", ["Authorization", "authorization"])
    def test_headers_replace_those_of_the_client(self, user: User, account: Account, name: str) -> None:
        request = sent(account, user, extra_headers={name: "Basic x", "user-agent": "mine"})
        assert request.headers["authorization"] == "Basic x"
        assert request.headers["user-agent"] == "mine"

    def test_headers_of_one_call_are_not_sent_with_another(self, account: Account) -> None:
        with SYNC.client(account) as client:
            client.chat.completions.create(model="m", messages=MESSAGES, extra_headers={"x-a": "1"})
            client.chat.completions.create(model="m", messages=MESSAGES)
        first, second = account.requests
        assert first.headers["x-a"] == "1"
        assert "x-a" not in second.headers

    @pytest.mark.parametrize("value", ["two\nlines", "é", " x"])
    def test_headers_that_cannot_be_sent_are_refused(self, account: Account, value: str) -> None:
        error = SYNC.call(account, extra_headers={"x-a": value}).error
        assert isinstance(error, ValueError)
        assert "x-a has a character" in str(error)
        assert account.requests == []

    def test_headers_must_be_strings(self, account: Account) -> None:
        error = SYNC.call(account, extra_headers={"x-a": 1}).error
        assert isinstance(error, TypeError)
        assert "x-a must be a str, not int" in str(error)

    def test_headers_must_have_strings_as_names(self, account: Account) -> None:
        error = SYNC.call(account, extra_headers={1: "a"}).error
        assert isinstance(error, TypeError)
        assert "the names in extra_headers must be str, not int" in str(error)


class TestKeys:
    def test_keys_come_from_the_environment(self, account: Account, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-outside")
        request = sent(account, options={"api_key": None})
        assert request.headers["authorization"] == "Bearer sk-from-outside"

    def test_keys_as_arguments_come_before_the_environment(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-outside")
        assert sent(account).headers["authorization"] == f"Bearer {KEY}"

    def test_keys_that_are_empty_are_not_sent(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_API_KEY", "sk-from-outside")
        assert "authorization" not in sent(account, options={"api_key": ""}).headers

    def test_keys_are_not_needed_for_other_servers(self, account: Account) -> None:
        assert "authorization" not in sent(account, options={"api_key": None}).headers

    @pytest.mark.parametrize("base_url", [None, "https://api.openai.com/v1", "https://api.openai.com/v1/"])
    def test_keys_are_needed_for_openai(self, base_url: str | None) -> None:
        with pytest.raises(ValueError, match="pass api_key, or set OPENAI_API_KEY"):
            Client(base_url=base_url)


class TestURLs:
    def test_base_urls_come_from_the_environment(
        self, account: Account, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("OPENAI_BASE_URL", account.url)
        assert sent(account, options={"base_url": None}).path == "/chat/completions"

    def test_base_urls_are_openais_by_default(self) -> None:
        with Client(api_key=KEY) as client:
            assert client.base_url == "https://api.openai.com/v1"

    def test_base_urls_may_end_with_a_slash(self, account: Account) -> None:
        assert sent(account, options={"base_url": account.url + "/"}).path == "/chat/completions"

    def test_base_urls_must_end_with_their_path(self) -> None:
        with pytest.raises(ValueError, match="default_query"):
            Client(base_url="http://127.0.0.1/v1?api-version=1", api_key="")

    def test_base_urls_may_be_objects_and_have_spaces_around(self) -> None:
        for url in (httpx.URL("http://127.0.0.1/v1"), " http://127.0.0.1/v1\n"):
            with Client(base_url=url, api_key="") as client:  # type: ignore[arg-type]
                assert client.base_url == "http://127.0.0.1/v1"

    @pytest.mark.parametrize("url", ["127.0.0.1:8000/v1", "localhost:8000/v1", "ftp://secret@127.0.0.1"])
    def test_base_urls_need_a_scheme(self, url: str) -> None:
        with pytest.raises(ValueError, match="base_url must begin with http://") as caught:
            Client(base_url=url, api_key="")
        assert "secret" not in str(caught.value)

    def test_base_urls_have_queries_for_all_calls_and_for_one(self, user: User, account: Account) -> None:
        options = {"default_query": {"a": "client", "b": "client"}}
        request = sent(account, user, options=options, extra_query={"b": "call", "c": "call"})
        assert request.query == {"a": "client", "b": "call", "c": "call"}


class TestBodies:
    def test_bodies_of_requests_hold_the_parameters(self, user: User, account: Account) -> None:
        request = sent(account, user, temperature=0.5, stop=["a"], extra_body={"top_k": 3, "seed": None})
        assert request.body == {
            "model": "m",
            "messages": MESSAGES,
            "stream": False,
            "temperature": 0.5,
            "stop": ["a"],
            "top_k": 3,
            "seed": None,
        }

    def test_bodies_of_requests_leave_out_parameters_that_are_none(self, account: Account) -> None:
        assert "temperature" not in sent(account, temperature=None).body

    def test_bodies_of_requests_hold_no_options_of_the_client(self, account: Account) -> None:
        options = {"timeout": 60, "idle_timeout": 60, "data_timeout": 60, "max_retries": 0, "tokenizer": len}
        assert set(sent(account, **options).body) == {"model", "messages", "stream"}

    def test_bodies_of_requests_prefer_the_fields_of_extra_body(self, account: Account) -> None:
        assert sent(account, extra_body={"model": "other"}).body["model"] == "other"

    @pytest.mark.parametrize("cls", [ChatCompletionMessage, OpenAIMessage])
    def test_bodies_of_requests_take_message_objects_of_ssejet_and_openai(
        self, account: Account, cls: Any
    ) -> None:
        message = cls(role="assistant", content="Hello.")
        body = sent(account, messages=[*MESSAGES, message]).body
        assert body["messages"][1] == {"role": "assistant", "content": "Hello."}

    def test_bodies_of_requests_take_messages_with_calls(self, account: Account) -> None:
        call = ChatCompletionMessageToolCall(id="1", function=Function(name="f", arguments="{}"))
        message = ChatCompletionMessage(role="assistant", tool_calls=[call])
        (sent_message,) = sent(account, messages=[message]).body["messages"]
        function = {"name": "f", "arguments": "{}"}
        assert sent_message["tool_calls"] == [{"id": "1", "type": "function", "function": function}]

    @pytest.mark.parametrize("value", [Weather("Oslo"), Forecast(text="Oslo")])
    def test_bodies_of_requests_take_models_as_objects(self, account: Account, value: Any) -> None:
        (field,) = sent(account, metadata=value).body["metadata"].values()
        assert field == "Oslo"

    def test_bodies_of_requests_take_types_as_schemas(self, account: Account) -> None:
        body = sent(account, tools=[Weather], response_format=Forecast).body
        assert body["tools"][0]["function"]["description"] == "Tell the weather."
        assert body["response_format"]["json_schema"]["schema"]["required"] == ["text"]

    def test_bodies_of_requests_take_all_that_json_takes(self, account: Account) -> None:
        content = "\ud800 é 漢 🚀"
        body = sent(account, messages=[{"role": "user", "content": content}], seed=2**70).body
        assert body["messages"][0]["content"] == content
        assert body["seed"] == 2**70

    def test_bodies_of_requests_refuse_values_that_are_not_json(self, user: User, account: Account) -> None:
        error = user.call(account, messages=[{"role": "user", "content": {1, 2}}]).error
        assert isinstance(error, TypeError)
        assert "set cannot be sent as JSON" in str(error)
        assert account.requests == []

    def test_bodies_of_requests_refuse_values_that_are_no_response_format(
        self, user: User, account: Account
    ) -> None:
        assert isinstance(user.call(account, response_format=7).error, TypeError)
        assert account.requests == []

    def test_bodies_of_requests_are_json(self, account: Account) -> None:
        account.answer = "é"
        request = sent(account, messages=[{"role": "user", "content": "é"}])
        assert json.loads(json.dumps(request.body)) == request.body


class TestOptions:
    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("connect_timeout", 0),
            ("idle_timeout", -1),
            ("data_timeout", 0),
            ("timeout", float("nan")),
            ("max_retries", -1),
        ],
    )
    def test_options_that_make_no_sense_are_refused(self, option: str, value: Any) -> None:
        with pytest.raises(ValueError, match=option):
            Client(api_key=KEY, **{option: value})

    @pytest.mark.parametrize(
        ("option", "value"),
        [
            ("connect_timeout", "1"),
            ("timeout", httpx.Timeout(5)),
            ("max_retries", None),
            ("max_retries", "2"),
            ("default_headers", "x-a: 1"),
            ("default_headers", [("x-a", "1")]),
            ("default_query", "a=1"),
            ("default_query", 0),
            ("tokenizer", "o200k_base"),
        ],
    )
    def test_options_of_the_wrong_type_are_refused(self, option: str, value: Any) -> None:
        with pytest.raises(TypeError, match=f"{option} must be .* not {type(value).__name__}"):
            Client(api_key=KEY, **{option: value})

    @pytest.mark.parametrize("option", ["idle_timeout", "data_timeout", "timeout", "max_retries"])
    def test_options_of_a_call_are_checked_too(self, user: User, account: Account, option: str) -> None:
        error = user.call(account, **{option: -1}).error
        assert isinstance(error, ValueError)
        assert option in str(error)
        assert account.requests == []

    @pytest.mark.parametrize("option", ["extra_headers", "extra_query", "extra_body"])
    @pytest.mark.parametrize("value", ["", "a=1", [("a", "1")]])
    def test_options_of_a_call_that_are_no_mappings_are_refused(
        self, user: User, account: Account, option: str, value: Any
    ) -> None:
        error = user.call(account, **{option: value}).error
        assert isinstance(error, TypeError)
        assert str(error) == f"{option} must be a dict, not {type(value).__name__}"
        assert account.requests == []

    def test_options_that_are_missing_raise_at_once(self) -> None:
        with Client(api_key=KEY) as client, pytest.raises(TypeError, match="messages"):
            client.chat.completions.create(model="m")  # type: ignore[call-overload]


class Note(msgspec.Struct):
    about: Any


@dataclass
class Pair:
    left: Any
    _right: Any = None


@pytest.mark.parametrize("big", [1, 2**70, "\ud800"], ids=["plain", "big", "surrogate"])
def test_a_body_keeps_all_fields_of_a_message_in_whatever_holds_it(big: Any) -> None:
    sent = {"role": "assistant", "content": "Hi", "odd": 1}
    message = ChatCompletionMessage.from_dict(sent)
    body = {"n": big, "struct": Note([message]), "pair": Pair(message, "private"), "message": message}
    assert json.loads(dumps_by(_jsonable, body)) == {
        "n": big,
        "struct": {"about": [sent]},
        "pair": {"left": sent},
        "message": sent,
    }


def test_a_body_with_a_large_integer_is_still_json() -> None:
    if find_spec("orjson"):  # what takes its place encodes both
        with pytest.raises(ValueError, match="not JSON compliant"):
            dumps_by(_jsonable, {"n": 2**70, "x": math.nan})
    loop: list[Any] = [2**70]
    loop.append(loop)
    with pytest.raises(TypeError, match="nested too deep, or holds itself"):
        dumps_by(_jsonable, {"x": loop})
