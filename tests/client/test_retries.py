from __future__ import annotations

import json
import socket
import sys
from contextlib import ExitStack
from typing import TYPE_CHECKING, Any

import pytest
from accounts import DONE, TEXT, Account, chunk

from servers import A_LONG_TIME, Then
from ssejet import (
    APIConnectionError,
    APIError,
    APIStatusError,
    APITimeoutError,
    TruncatedStreamError,
    encode,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from users import AsyncUser, SyncUser

    User = SyncUser | AsyncUser

pytestmark = pytest.mark.slow

METHODS = ["chat.completions.create", "completions.create", "responses.create", "chat.completions.stream"]
OVERLOADED = encode(json.dumps({"error": {"message": "busy", "type": "overloaded_error"}}))
LONG_AGO = "Fri, 01 Jan 2021 00:00:00 GMT"
FAR_OFF = "Tue, 01 Jan 2999 00:00:00 GMT"


@pytest.fixture
def deaf_port() -> Iterator[str]:
    """The URL of a server that accepts no connection, and refuses none."""
    with socket.create_server(("127.0.0.1", 0), backlog=0) as listener, ExitStack() as waiting:
        for _ in range(4):  # more than the queue holds, whatever the kernel adds to it
            knocking = waiting.enter_context(socket.socket())
            knocking.setblocking(False)
            knocking.connect_ex(listener.getsockname())
        yield "http://{}:{}/v1".format(*listener.getsockname())


@pytest.fixture
def timeouts(user: User, monkeypatch: pytest.MonkeyPatch) -> list[Any]:
    """The timeouts of each request for the HTTP library: connect, read, write, pool."""
    timeouts: list[Any] = []
    build_request = user.http.Client.build_request

    def spy(client: Any, *args: Any, **options: Any) -> Any:
        timeouts.append(options["timeout"])
        return build_request(client, *args, **options)

    for name in ("Client", "AsyncClient"):
        monkeypatch.setattr(getattr(user.http, name), "build_request", spy)
    return timeouts


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "http://{}:{}/v1".format(*listener.getsockname())


class TestRequestsAreSentAgain:
    @pytest.mark.parametrize("status", [408, 409, 429, 500, 502, 503, 504, 529])
    @pytest.mark.parametrize("stream", [False, True])
    def test_requests_are_sent_again_for_a_status_that_may_pass(
        self, user: User, account: Account, waits: list[float], status: int, stream: bool
    ) -> None:
        account.refuse(status)
        user.call(account, stream=stream).checked()
        assert len(account.requests) == 2
        assert len(waits) == 1

    @pytest.mark.parametrize("method", METHODS)
    def test_requests_are_sent_again_by_every_method(
        self, user: User, account: Account, waits: list[float], method: str
    ) -> None:
        account.refuse(503)
        user.call(account, method).checked()
        first, second = account.requests
        assert first.body == second.body
        assert first.headers == second.headers

    def test_requests_are_sent_again_if_the_server_hangs_up(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(b"", Then.DROP, content_type="application/json")
        assert user.call(account).checked().answer.choices[0].message.content == TEXT
        assert len(account.requests) == 2

    def test_requests_are_sent_again_if_a_stream_breaks_before_it_begins(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(b": ping\n\ndata: {", Then.DROP)
        outcome = user.call(account, "chat.completions.stream").checked()
        assert outcome.answer.choices[0].message.content == TEXT
        assert len(account.requests) == 2

    def test_requests_are_sent_again_if_a_stream_ends_before_it_begins(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(b": ping\n\n")
        user.call(account, stream=True).checked()
        assert len(account.requests) == 2

    @pytest.mark.parametrize("event", [OVERLOADED, b"event: error\n" + OVERLOADED])
    def test_requests_are_sent_again_if_a_stream_begins_with_an_error_that_may_pass(
        self, user: User, account: Account, waits: list[float], event: bytes
    ) -> None:
        account.reply(event)
        user.call(account, stream=True).checked()
        assert len(account.requests) == 2

    def test_requests_are_sent_again_if_an_answer_is_an_error_that_may_pass(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.refuse(200, {"error": {"message": "busy", "code": 503}})
        user.call(account).checked()
        assert len(account.requests) == 2

    def test_requests_are_sent_again_if_no_bytes_come(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(Then.HANG)
        user.call(account, stream=True, idle_timeout=2).checked()
        assert len(account.requests) == 2

    def test_requests_are_sent_again_up_to_max_retries_times(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        for _ in range(4):
            account.refuse(500)
        user.call(account, max_retries=4).checked()
        assert len(account.requests) == 5

    def test_requests_are_sent_again_after_longer_and_longer_waits(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        for _ in range(8):
            account.refuse(500)
        user.call(account, max_retries=8).checked()
        bounds = [0.5, 1.0, 2.0, 4.0, 8.0, 8.0, 8.0, 8.0]
        assert all(0.25 <= wait <= bound for wait, bound in zip(waits, bounds, strict=True))
        assert max(waits) > 0.5

    def test_requests_are_sent_again_and_counted_in_the_metrics(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.refuse(500)
        account.refuse(500)
        metrics = user.call(account, stream=True).checked().stream.metrics
        assert metrics.reconnections == 2
        assert metrics.time_to_first_byte > 0

    def test_requests_are_sent_again_after_a_connection_could_not_be_made(
        self, user: User, waits: list[float]
    ) -> None:
        error = user.call(Account(closed_port())).error
        assert isinstance(error, APIConnectionError)
        assert len(waits) == 2


class TestServersSayWhen:
    @pytest.mark.parametrize(
        ("headers", "wait"),
        [
            ({"retry_after": "7"}, 7.0),
            ({"retry_after": "0.5"}, 0.5),
            ({"retry_after": "60"}, 60.0),
            ({"retry_after_ms": "1500"}, 1.5),
            ({"retry_after_ms": "1500", "retry_after": "9"}, 1.5),
            ({"retry_after": LONG_AGO}, 0.0),
        ],
    )
    def test_servers_say_when_to_retry_and_the_client_waits_until_then(
        self, user: User, account: Account, waits: list[float], headers: dict[str, str], wait: float
    ) -> None:
        account.refuse(429, **headers)
        user.call(account).checked()
        assert waits == [wait]

    @pytest.mark.parametrize("headers", [{"retry_after": "61"}, {"retry_after": FAR_OFF}])
    def test_servers_say_when_to_retry_and_the_client_gives_up_if_it_is_too_late(
        self, user: User, account: Account, waits: list[float], headers: dict[str, str]
    ) -> None:
        account.refuse(429, **headers)
        error = user.call(account).error
        assert isinstance(error, APIStatusError)
        assert error.response.headers["retry-after"] == headers["retry_after"]
        assert waits == []

    def test_servers_say_when_to_retry_and_the_client_ignores_nonsense(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.refuse(429, retry_after="soon")
        user.call(account).checked()
        assert 0.25 <= waits[0] <= 0.5

    def test_servers_can_say_not_to_retry(self, user: User, account: Account, waits: list[float]) -> None:
        account.refuse(500, x_should_retry="false")
        assert user.call(account).error.status_code == 500
        assert len(account.requests) == 1

    def test_servers_can_say_to_retry(self, user: User, account: Account, waits: list[float]) -> None:
        account.refuse(400, x_should_retry="true")
        user.call(account).checked()
        assert len(account.requests) == 2


class TestRequestsAreNotSentAgain:
    @pytest.mark.parametrize("status", [400, 401, 403, 404, 422])
    @pytest.mark.parametrize("stream", [False, True])
    def test_requests_are_not_sent_again_for_a_status_that_will_stay(
        self, user: User, account: Account, waits: list[float], status: int, stream: bool
    ) -> None:
        account.refuse(status)
        assert user.call(account, stream=stream).error.status_code == status
        assert len(account.requests) == 1
        assert waits == []

    def test_requests_are_not_sent_again_more_than_max_retries_times(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        for status in (500, 502, 503, 504):
            account.refuse(status)
        assert user.call(account).error.status_code == 503
        assert len(account.requests) == 3
        assert user.call(account, max_retries=0).error.status_code == 504

    def test_requests_are_not_sent_again_once_an_event_has_arrived(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(chunk(content="Hel"), Then.DROP)
        outcome = user.call(account, stream=True)
        assert isinstance(outcome.error, APIConnectionError)
        assert [item.choices[0].delta.content for item in outcome.items] == ["Hel"]
        assert len(account.requests) == 1

    def test_requests_are_not_sent_again_for_an_error_after_an_event(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(chunk(content="Hel"), OVERLOADED)
        outcome = user.call(account, "chat.completions.stream")
        assert isinstance(outcome.error, APIError)
        assert outcome.error.retryable
        assert outcome.error.partial.choices[0].message.content == "Hel"
        assert len(account.requests) == 1

    def test_requests_are_not_sent_again_for_an_end_after_an_event(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(chunk(content="Hel"))
        outcome = user.call(account, "chat.completions.stream")
        assert isinstance(outcome.error, TruncatedStreamError)
        assert outcome.error.partial.choices[0].message.content == "Hel"
        assert len(account.requests) == 1

    def test_requests_are_not_sent_again_for_an_error_that_will_stay(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(encode('{"error": {"message": "no", "type": "invalid_request_error"}}'))
        assert user.call(account, stream=True).error.message == "no"
        assert len(account.requests) == 1

    @pytest.mark.parametrize("retry_after", ["5", "50"])
    def test_requests_are_not_sent_again_after_the_time_is_up(
        self, user: User, account: Account, waits: list[float], retry_after: str
    ) -> None:
        account.refuse(429, retry_after=retry_after)
        assert user.call(account, timeout=4).error.status_code == 429
        assert waits == []

    def test_requests_are_not_sent_again_if_the_time_was_up(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(Then.HANG)
        error = user.call(account, timeout=1).error
        assert isinstance(error, APITimeoutError)
        assert error.kind == "total"
        assert len(account.requests) == 1

    def test_requests_are_not_sent_again_if_a_stream_ends_properly_without_a_token(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.reply(DONE)
        assert user.call(account, stream=True).checked().items == []
        assert len(account.requests) == 1


class TestTimeouts:
    def test_timeouts_count_from_the_request_over_retries_to_the_end_of_the_answer(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        account.refuse(500, retry_after="0")
        account.reply(chunk(content="a"), Then.HANG)
        outcome = user.call(account, stream=True, timeout=2)
        assert outcome.error.kind == "total"
        assert len(outcome.items) == 1

    @pytest.mark.parametrize("stream", [False, True])
    def test_timeouts_name_the_idle_timeout(
        self, user: User, account: Account, waits: list[float], stream: bool
    ) -> None:
        account.reply(b" ", Then.HANG, content_type="application/json")
        error = user.call(account, stream=stream, idle_timeout=1, max_retries=0).error
        assert isinstance(error, APITimeoutError)
        assert error.kind == "idle"

    def test_timeouts_name_the_data_timeout(self, user: User, account: Account, waits: list[float]) -> None:
        account.reply(*([b": ping\n\n", 0.02] * 50), Then.HANG)
        outcome = user.call(account, stream=True, data_timeout=0.1, idle_timeout=A_LONG_TIME, max_retries=0)
        assert outcome.error.kind == "data"

    def test_timeouts_of_a_call_replace_those_of_the_client(
        self, user: User, account: Account, waits: list[float]
    ) -> None:
        options = {"idle_timeout": 0.5, "max_retries": 0}
        account.reply(Then.HANG)
        assert user.call(account, options=options).error.kind == "idle"
        account.reply(0.8, chunk(content="a"), DONE)
        user.call(account, options=options, stream=True, idle_timeout=None).checked()

    @pytest.mark.skipif(sys.platform != "linux", reason="others answer for a server that is busy")
    @pytest.mark.parametrize(
        ("options", "kind"), [({"connect_timeout": 0.05}, "connect"), ({"timeout": 0.05}, "total")]
    )
    def test_timeouts_name_the_connect_timeout(
        self, user: User, deaf_port: str, waits: list[float], options: dict[str, float], kind: str
    ) -> None:
        deaf = Account(deaf_port)
        error = user.call(deaf, options={"max_retries": 0, **options}).error
        assert isinstance(error, APITimeoutError)
        assert error.kind == kind
        assert f"{next(iter(options))}=0.05 seconds" in str(error)

    def test_timeouts_are_shorter_for_later_attempts(
        self, user: User, account: Account, waits: list[float], timeouts: list[Any]
    ) -> None:
        account.reply(0.05, status=500, content_type="text/plain", headers={"retry-after": "0"})
        user.call(account, timeout=A_LONG_TIME, options={"connect_timeout": None}).checked()
        first, second = timeouts
        assert all(before - after >= 0.05 for before, after in zip(first, second, strict=True))

    def test_timeouts_of_connecting_are_within_that_of_the_call(
        self, user: User, account: Account, timeouts: list[Any]
    ) -> None:
        user.call(account, timeout=5).checked()
        user.call(account, idle_timeout=None, options={"connect_timeout": 3}).checked()
        user.call(account, idle_timeout=7).checked()
        user.call(account).checked()
        first, second, third, default = timeouts
        assert max(first) <= 5
        assert second == (3, None, None, None)
        assert third == (7, 7, 7, 7)
        assert default == (10, 600, 600, 600)
