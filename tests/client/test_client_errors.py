from __future__ import annotations

import json
from operator import attrgetter
from typing import TYPE_CHECKING, Any

import pytest
from accounts import DONE, chunk
from users import KEY, MESSAGES

from servers import Then
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    Client,
    ContentTypeError,
    InvalidJSONError,
    TruncatedStreamError,
)

if TYPE_CHECKING:
    from accounts import Account
    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser

BOM = b"\xef\xbb\xbf"
REFUSAL = {
    "error": {"message": "no such model", "type": "invalid_request_error", "param": "model", "code": 7}
}


@pytest.mark.parametrize("method", ["chat.completions.create", "completions.create", "responses.create"])
@pytest.mark.parametrize("stream", [False, True])
def test_an_error_status_has_all_fields_of_the_body(
    user: User, account: Account, method: str, stream: bool
) -> None:
    account.refuse(404, REFUSAL, x_request_id="req_1")
    error = user.call(account, method, stream=stream).error
    assert isinstance(error, APIStatusError)
    assert str(error) == "HTTP status 404: no such model"
    assert (error.status_code, error.request_id) == (404, "req_1")
    assert error.body == REFUSAL
    assert (error.type, error.param, error.code) == ("invalid_request_error", "model", 7)
    assert str(error.request.url).startswith(account.url)
    assert error.response.is_closed
    assert not error.retryable


@pytest.mark.parametrize("stream", [False, True])
def test_the_body_of_an_error_status_need_not_be_json(user: User, account: Account, stream: bool) -> None:
    account.reply(b"<h1>Bad gateway</h1>", status=502, content_type="text/html")
    error = user.call(account, stream=stream, max_retries=0).error
    assert isinstance(error, APIStatusError)
    assert error.body == "<h1>Bad gateway</h1>"
    assert error.retryable


@pytest.mark.parametrize("stream", [False, True])
def test_the_body_of_an_error_status_may_be_empty(user: User, account: Account, stream: bool) -> None:
    account.reply(status=401, content_type="text/plain")
    error = user.call(account, stream=stream).error
    assert (error.status_code, str(error)) == (401, "HTTP status 401")


def test_an_error_status_with_an_endless_body_is_an_error(user: User, account: Account) -> None:
    account.reply(json.dumps(REFUSAL).encode(), Then.DROP, status=403, content_type="application/json")
    error = user.call(account, stream=True).error
    assert isinstance(error, APIStatusError)
    assert error.message == "HTTP status 403: no such model"


def test_an_error_with_status_200_is_an_error(user: User, account: Account) -> None:
    account.refuse(200, REFUSAL)
    error = user.call(account).error
    assert type(error) is APIError
    assert (error.message, error.param) == ("no such model", "model")
    assert error.request is not None


@pytest.mark.parametrize("method", ["chat.completions.create", "completions.create", "responses.create"])
@pytest.mark.parametrize("body", [b"<html>Welcome!</html>", b"", b'{"choices": '])
def test_an_answer_that_is_not_json_is_an_error(
    user: User, account: Account, method: str, body: bytes
) -> None:
    account.reply(body, content_type="text/html")
    error = user.call(account, method).error
    assert isinstance(error, InvalidJSONError)
    assert error.index is None
    assert error.event.data == body.decode()
    assert str(error).startswith("the response: ")
    assert not error.retryable


def test_an_answer_of_another_kind_is_an_error(user: User, account: Account) -> None:
    account.reply(b"[1, 2]", content_type="application/json")
    assert isinstance(user.call(account).error, InvalidJSONError)


@pytest.mark.parametrize("method", ["chat.completions.create", "completions.create", "responses.create"])
@pytest.mark.parametrize(
    "body", ["{}", '{"type": "ping"}', '{"result": "Hello"}', '{"choices": null}', "null"]
)
def test_an_answer_without_the_fields_of_answers_is_an_error(
    user: User, account: Account, method: str, body: str
) -> None:
    account.reply(body.encode(), content_type="application/json")
    error = user.call(account, method).error
    assert isinstance(error, InvalidJSONError)
    path = method.removesuffix(".create").replace(".", "/")
    assert f"not an answer of {path} (" in str(error)
    assert body in str(error)


@pytest.mark.parametrize("method", ["chat.completions.create", "completions.create", "responses.create"])
@pytest.mark.parametrize(
    "body",
    [
        {"fault": {"faultstring": "no more of it"}},
        [{"error": {"message": "no more of it"}}],
        {"message": "no more of it"},
    ],
)
@pytest.mark.parametrize("mark", [b"", BOM])
def test_an_error_of_any_shape_with_status_200_is_an_error(
    user: User, account: Account, method: str, body: Any, mark: bytes
) -> None:
    account.reply(mark + json.dumps(body).encode(), content_type="application/json")
    error = user.call(account, method).error
    assert type(error) is APIError
    assert (error.message, error.body) == ("no more of it", body)


def test_a_byte_order_mark_before_an_error_is_ignored(user: User, account: Account) -> None:
    account.reply(BOM + json.dumps(REFUSAL).encode(), status=404, content_type="application/json")
    assert user.call(account).error.body == REFUSAL


def test_an_answer_instead_of_a_stream_is_an_error(user: User, account: Account) -> None:
    account.reply(b'{"choices": []}', content_type="application/json")
    error = user.call(account, stream=True).error
    assert isinstance(error, ContentTypeError)
    assert error.body == b'{"choices": []}'


@pytest.mark.usefixtures("waits")
def test_an_error_instead_of_a_stream_is_the_servers_error(user: User, account: Account) -> None:
    body = b'{"error": {"message": "try later", "code": 503}}'
    for _ in range(3):
        account.reply(body, content_type="application/json")
    error = user.call(account, stream=True).error
    assert type(error) is APIError
    assert (str(error), error.code, error.retryable) == ("try later", 503, True)
    assert len(account.requests) == 3


def test_the_message_names_the_field_that_the_server_names(user: User, account: Account) -> None:
    account.refuse(422, {"detail": [{"loc": ["body", "n"], "msg": "must be 1"}]})
    error = user.call(account, stream=True).error
    assert str(error) == "HTTP status 422: body.n: must be 1"
    assert error.body == {"detail": [{"loc": ["body", "n"], "msg": "must be 1"}]}


def test_the_message_quotes_an_error_without_a_message(user: User, account: Account) -> None:
    account.refuse(422, {"hint": [1]})
    assert str(user.call(account, stream=True).error) == 'HTTP status 422: {"hint": [1]}'


def test_an_answer_that_breaks_off_is_an_error(user: User, account: Account) -> None:
    account.reply(b'{"choices": ', Then.DROP, content_type="application/json")
    error = user.call(account, max_retries=0).error
    assert isinstance(error, APIConnectionError)
    assert error.retryable


def test_broken_json_in_a_stream_is_raised_after_the_items_before_it(user: User, account: Account) -> None:
    account.reply(chunk(content="Hel") + b"data: {oops\n\n" + chunk(content="lo"))
    outcome = user.call(account, "chat.completions.stream")
    assert isinstance(outcome.error, InvalidJSONError)
    assert outcome.error.index == 1
    assert outcome.error.partial.choices[0].message.content == "Hel"
    assert [event.delta for event in outcome.items if event.type == "content.delta"] == ["Hel"]


class TestEnds:
    def test_ends_need_a_sentinel_or_a_finish_reason(self, user: User, account: Account) -> None:
        account.reply(chunk(content="Hi"), DONE)
        user.call(account, stream=True).checked()
        account.reply(chunk(content="Hi"), chunk("stop"))
        user.call(account, stream=True).checked()
        account.reply(chunk(content="Hi"))
        assert isinstance(user.call(account, stream=True).error, TruncatedStreamError)

    def test_ends_need_nothing_with_require_done_false(self, user: User, account: Account) -> None:
        account.reply(chunk(content="Hi"))
        options = {"require_done": False}
        assert len(user.call(account, stream=True, options=options).checked().items) == 1

    def test_ends_of_responses_need_their_last_event(self, user: User, account: Account) -> None:
        account.reply(b'data: {"type": "response.output_text.delta", "delta": "Hi"}\n\n')
        outcome = user.call(account, "responses.create", stream=True)
        assert isinstance(outcome.error, TruncatedStreamError)
        assert len(outcome.items) == 1

    def test_ends_of_messages_need_their_last_event_or_a_sentinel(self, user: User, account: Account) -> None:
        account.reply(b'data: {"type": "ping"}\n\n')
        outcome = user.call(account, "messages.create", stream=True, max_tokens=1)
        assert isinstance(outcome.error, TruncatedStreamError)
        assert "before message_stop" in str(outcome.error)
        for end in (b'data: {"type": "message_stop"}\n\n', DONE):
            account.reply(b'data: {"type": "ping"}\n\n', end)
            user.call(account, "messages.create", stream=True, max_tokens=1).checked()

    @pytest.mark.parametrize(
        ("method", "beginning", "end"),
        [
            ("chat.completions.create", chunk(content="Hi"), chunk("stop")),
            ("chat.completions.create", chunk(content="Hi"), DONE),
            ("responses.create", b'data: {"type": "a"}\n\n', b'data: {"type": "response.completed"}\n\n'),
            ("messages.create", b'data: {"type": "ping"}\n\n', b'data: {"type": "message_stop"}\n\n'),
        ],
        ids=["a finish reason", "the sentinel", "response.completed", "message_stop"],
    )
    def test_ends_are_seen_by_those_who_read_the_events_as_they_came(
        self, method: str, beginning: bytes, end: bytes, account: Account
    ) -> None:
        params: dict[str, Any] = {"input": "Hi"} if method.startswith("resp") else {"messages": MESSAGES}
        with Client(api_key=KEY, base_url=account.url) as client:
            create: Any = attrgetter(method)(client)
            account.reply(beginning, end)
            assert len([*create(model="m", max_tokens=1, stream=True, **params).events()]) == 2
            account.reply(beginning)
            with pytest.raises(TruncatedStreamError):
                [*create(model="m", max_tokens=1, stream=True, **params).events()]


def test_an_error_event_of_the_responses_api_is_an_error(user: User, account: Account) -> None:
    details = {"type": "error", "code": "server_error", "message": "oops", "param": None}
    account.reply(b'data: {"type": "response.created"}\n\n' + b"event: error\ndata: %s\n\n" % _dump(details))
    outcome = user.call(account, "responses.create", stream=True)
    assert isinstance(outcome.error, APIError)
    assert (outcome.error.message, outcome.error.code) == ("oops", "server_error")
    assert [item.to_dict() for item in outcome.items] == [{"type": "response.created"}]


def _dump(value: Any) -> bytes:
    return json.dumps(value).encode()
