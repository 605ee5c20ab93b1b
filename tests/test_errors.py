"""The error tree: who descends from whom, what the errors carry and say, and that they survive pickling."""

from __future__ import annotations

import copy
import pickle
from types import SimpleNamespace
from typing import Any

import httpx
import pytest

import ssejet
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    ContentFilterFinishReasonError,
    ContentTypeError,
    Decoder,
    EventTooLargeError,
    FencedError,
    HubError,
    InvalidJSONError,
    LengthFinishReasonError,
    LogFinishedError,
    ServerSentEvent,
    SSEError,
    StreamError,
    TruncatedStreamError,
    errors,
)

RESPONSE = SimpleNamespace(status_code=503, headers={"x-request-id": "req_1"}, request="request")
EVENT = ServerSentEvent(data='{"a": 1, "b": x}')

EXAMPLES: list[SSEError] = [
    SSEError("message"),
    EventTooLargeError(4),
    ContentTypeError(RESPONSE, content_type="text/html", body=b"<h1>502"),
    StreamError("message", partial=["a"]),
    APIError("message", body={"code": "c", "type": "t", "param": "p"}, request="request", partial="so far"),
    APIStatusError("message", response=RESPONSE, body={"type": "t"}),
    APIConnectionError(request="request", partial="so far"),
    APITimeoutError(kind="total", partial="so far"),
    InvalidJSONError("expected value", event=EVENT, index=2, position=14, partial="so far"),
    TruncatedStreamError("message", partial="so far"),
    LengthFinishReasonError(completion=SimpleNamespace(usage="usage")),
    ContentFilterFinishReasonError(completion="so far"),
    HubError("message"),
    LogFinishedError("message"),
    FencedError("message"),
]
every_error = pytest.mark.parametrize("error", EXAMPLES, ids=lambda error: type(error).__name__)


def test_every_error_has_an_example_here() -> None:
    assert {type(error).__name__ for error in EXAMPLES} == set(errors.__all__)


def test_every_error_is_found_in_the_package() -> None:
    for name in errors.__all__:
        assert getattr(ssejet, name) is getattr(errors, name)
        assert name in ssejet.__all__


def test_the_tree_is_the_one_that_the_docstring_draws() -> None:
    assert errors.__doc__
    drawn: dict[str, str] = {}
    parents: list[str] = []
    for line in errors.__doc__.splitlines():
        if not line.startswith("    "):
            continue
        depth = (len(line) - len(line.lstrip(" │├└─"))) // 4
        name = line.strip(" │├└─").split()[0]
        parents[depth - 1 :] = [name]
        drawn[name] = parents[-2] if len(parents) > 1 else "Exception"
    assert drawn == {type(error).__name__: type(error).__base__.__name__ for error in EXAMPLES}


@every_error
def test_every_error_is_caught_as_an_sse_error(error: SSEError) -> None:
    assert isinstance(error, SSEError)
    assert isinstance(error, Exception)
    assert type(error).__doc__


@every_error
@pytest.mark.parametrize("protocol", range(pickle.HIGHEST_PROTOCOL + 1))
def test_errors_are_pickled_with_all_they_carry(error: SSEError, protocol: int) -> None:
    restored = pickle.loads(pickle.dumps(error, protocol))
    assert type(restored) is type(error)
    assert str(restored) == str(error)
    assert restored.args == error.args
    assert restored.__dict__ == error.__dict__


@every_error
def test_errors_are_copied_with_all_they_carry(error: SSEError) -> None:
    for copied in (copy.copy(error), copy.deepcopy(error)):
        assert type(copied) is type(error)
        assert (str(copied), copied.__dict__) == (str(error), error.__dict__)


@every_error
def test_errors_show_their_message(error: SSEError) -> None:
    assert str(error) == error.args[0]
    assert type(error).__name__ in repr(error)


@pytest.mark.parametrize("error", [error for error in EXAMPLES if isinstance(error, StreamError)], ids=repr)
def test_stream_errors_keep_their_message_and_what_had_arrived(error: StreamError) -> None:
    assert error.message == str(error)
    assert hasattr(error, "partial")
    assert isinstance(error.retryable, bool)


def test_event_too_large_names_the_limit_and_how_to_raise_it_and_to_go_on() -> None:
    message = str(EventTooLargeError(1_048_576))
    for part in ("1,048,576 bytes", "max_event_size", "None", "reset()"):
        assert part in message


def test_event_too_large_as_a_decoder_raises_it() -> None:
    with pytest.raises(SSEError) as caught:
        Decoder(max_event_size=1000).feed(b"data: " + b"x" * 1001)
    assert type(caught.value) is EventTooLargeError
    assert caught.value.limit == 1000
    assert str(caught.value) == str(EventTooLargeError(1000))


def test_content_type_shows_the_header_the_status_and_the_body() -> None:
    error = ContentTypeError(RESPONSE, content_type="text/html", body=b"<h1>Bad \xff gateway</h1>")
    for part in ("text/event-stream", "text/html", "503", "<h1>Bad \ufffd gateway</h1>"):
        assert part in str(error)
    assert error.response is RESPONSE
    assert error.content_type == "text/html"
    assert error.body == b"<h1>Bad \xff gateway</h1>"


def test_content_type_without_header_status_or_body() -> None:
    message = str(ContentTypeError(object(), content_type="", body=b""))
    assert "''" in message
    assert "empty" in message
    assert "status" not in message


def test_api_error_takes_its_fields_from_the_body() -> None:
    body = {"message": "m", "code": "rate_limit_exceeded", "type": "requests", "param": "model"}
    error = APIError("m", body=body, request="request", partial=["a"])
    assert (error.code, error.type, error.param) == ("rate_limit_exceeded", "requests", "model")
    assert (error.body, error.request, error.partial) == (body, "request", ["a"])


@pytest.mark.parametrize("body", [None, "text", ["list"], 5, {}])
def test_api_error_without_fields_in_the_body(body: Any) -> None:
    error = APIError("m", body=body)
    assert (error.code, error.type, error.param) == (None, None, None)
    assert error.body == body
    assert error.retryable is False


@pytest.mark.parametrize(
    ("fields", "retryable"),
    [
        ({"type": "overloaded_error"}, True),
        ({"type": "rate_limit_error"}, True),
        ({"type": "api_error"}, True),
        ({"code": "rate_limit_exceeded"}, True),
        ({"type": "requests", "code": "server_error"}, True),
        ({"code": 429}, True),
        ({"code": 408}, True),
        ({"code": 500}, True),
        ({"code": 529}, True),
        ({"type": "invalid_request_error"}, False),
        ({"code": "context_length_exceeded"}, False),
        ({"code": 400}, False),
        ({"code": 404}, False),
        ({"code": ""}, False),
        ({"code": None, "type": None}, False),
    ],
)
def test_api_errors_tell_whether_to_try_again(fields: dict[str, Any], retryable: bool) -> None:
    assert APIError("m", body=fields).retryable is retryable


@pytest.mark.parametrize("code", [["a"], {"a": 1}])
def test_a_server_may_send_any_json_as_code(code: Any) -> None:
    assert APIError("m", body={"code": code, "type": code}).retryable is False


@pytest.mark.parametrize("status", [400, 401, 404, 408, 409, 422, 429, 500, 503, 529])
def test_api_status_errors_tell_whether_to_try_again(status: int) -> None:
    error = APIStatusError("m", response=SimpleNamespace(status_code=status, headers={}))
    assert error.retryable is (status in {408, 409, 429, 500, 503, 529})
    assert (error.status_code, error.request_id, error.request) == (status, None, None)


def test_api_status_error_carries_the_response() -> None:
    error = APIStatusError("m", response=RESPONSE, body={"type": "t"})
    assert error.response is RESPONSE
    assert (error.status_code, error.request_id, error.request, error.type) == (503, "req_1", "request", "t")


def test_connection_errors_can_be_tried_again_and_truncation_too() -> None:
    assert APIConnectionError().retryable
    assert APITimeoutError().retryable
    assert TruncatedStreamError("m").retryable
    assert not StreamError("m").retryable
    assert not InvalidJSONError("r", event=EVENT, index=0).retryable


def test_timeout_is_idle_unless_said_otherwise() -> None:
    assert APITimeoutError().kind == "idle"
    assert str(APITimeoutError()) == "Request timed out."
    assert str(APIConnectionError()) == "Connection error."


def test_a_response_that_knows_no_request_can_have_an_error() -> None:
    error = APIStatusError("no", response=httpx.Response(500))
    assert (error.status_code, error.request) == (500, None)


def test_invalid_json_says_which_event_where_and_shows_the_place() -> None:
    error = InvalidJSONError("expected value", event=EVENT, index=3, position=14)
    assert str(error) == 'event 3, character 14: expected value: \'{"a": 1, "b": x}\''
    assert (error.event, error.index, error.position) == (EVENT, 3, 14)


@pytest.mark.parametrize("position", [0, 10, 500, 990, 1000])
def test_the_excerpt_of_invalid_json_surrounds_the_place_and_is_short(position: int) -> None:
    data = "".join(chr(0x100 + number) for number in range(1000))
    error = InvalidJSONError("r", event=ServerSentEvent(data=data), index=0, position=position)
    assert len(error.excerpt) <= 80
    assert error.excerpt in data
    assert data[position : position + 1] in error.excerpt


def test_invalid_json_without_a_position_shows_the_start() -> None:
    error = InvalidJSONError("r", event=ServerSentEvent(data="x" * 100), index=0)
    assert error.position is None
    assert error.excerpt == "x" * 80
    assert "character" not in str(error)


def test_length_finish_reason_shows_the_usage() -> None:
    completion = SimpleNamespace(usage="Usage(total=5)")
    error = LengthFinishReasonError(completion=completion)
    assert error.completion is completion
    assert "length limit" in str(error)
    assert "Usage(total=5)" in str(error)
    assert "None" not in str(LengthFinishReasonError(completion=SimpleNamespace(usage=None)))


def test_content_filter_keeps_the_completion() -> None:
    assert ContentFilterFinishReasonError(completion="so far").completion == "so far"
    assert "content filter" in str(ContentFilterFinishReasonError())


def test_what_a_user_adds_to_an_error_is_pickled_with_it() -> None:
    error = APIConnectionError(partial="so far")
    error.attempt = 3  # type: ignore[attr-defined]
    assert pickle.loads(pickle.dumps(error)).attempt == 3


def deep_json(depth: int) -> Any:
    inner = '[{"é":' * (depth // 2) + '["\\ud800", 1e400, 12345678901234567890123]' + "}]" * (depth // 2)
    return ServerSentEvent(data=f'{{"error":{{"message":"m","code":7,"param":{inner}}}}}').json()


def is_same(one: Any, other: Any) -> bool:
    """Whether two values of JSON types are equal, however deep they are."""
    pairs = [(one, other)]
    while pairs:
        one, other = pairs.pop()
        if type(one) is not type(other):
            return False
        if isinstance(one, dict):
            pairs += zip(one.items(), other.items(), strict=True)
        elif isinstance(one, (list, tuple)):
            if len(one) != len(other):
                return False
            pairs += zip(one, other, strict=True)
        elif one != other:
            return False
    return True


@pytest.mark.parametrize("depth", [2, 50, 60, 900])
@pytest.mark.parametrize("cls", [APIError, APIStatusError])
def test_errors_are_copied_and_pickled_however_deep_their_bodies_are(depth: int, cls: Any) -> None:
    body = deep_json(depth)
    error = cls("m", body=body, **({"response": RESPONSE} if cls is APIStatusError else {}))
    copies = [pickle.loads(pickle.dumps(error, protocol)) for protocol in range(pickle.HIGHEST_PROTOCOL + 1)]
    copies.append(copy.deepcopy(error))
    for copied in copies:
        assert type(copied) is cls
        assert copied.body is not body
    for copied in (*copies, copy.copy(error), copy.copy(copies[0]), copy.deepcopy(copies[0])):
        assert str(copied) == "m"
        assert copied.code == 7
        assert is_same(copied.body, body)
        assert is_same(copied.param, error.param)
    assert copy.copy(error).body is body


def test_errors_are_pickled_where_little_of_the_stack_is_left() -> None:
    error = APIError("m", body=deep_json(900))

    def pickled(depth: int) -> bytes:
        return pickled(depth - 1) if depth else pickle.dumps(error)

    assert is_same(pickle.loads(pickled(700)).body, error.body)


@pytest.mark.parametrize("inner", [{1: 2}, {2, 3}])
def test_a_deep_body_that_is_no_json_is_copied_as_it_is(inner: Any) -> None:
    body = inner
    for _ in range(100):
        body = [body]
    assert copy.deepcopy(APIError("m", body=body)).body == body


def test_a_body_that_holds_itself_is_copied_with_its_shape() -> None:
    body: list[Any] = []
    body += [body, {"again": body}]
    for copied in (
        copy.deepcopy(APIError("m", body=body)),
        pickle.loads(pickle.dumps(APIError("m", body=body))),
    ):
        assert copied.body[0] is copied.body
        assert copied.body[1]["again"] is copied.body


def test_a_deep_body_that_holds_each_object_twice_is_copied_with_its_shape() -> None:
    body: Any = []
    for _ in range(100):
        body = [body, body]
    copied = copy.deepcopy(APIError("m", body=body)).body
    assert copied[0][0] is copied[1][0]
