from __future__ import annotations

from typing import Any

import httpx
import pytest

import ssejet.source._reconnection as reconnection
from ssejet import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    ContentTypeError,
    EventTooLargeError,
    SSEError,
    TruncatedStreamError,
)
from ssejet.source._reconnection import CONNECT_STATES, ReconnectionMachine, State
from ssejet.source._target import Target

URL = "http://127.0.0.1/events"


def make_machine(target: Target | None = None, **options: Any) -> ReconnectionMachine:
    return ReconnectionMachine(target or Target("GET", URL), **{"max_event_size": None, **options})


def response_to(machine: ReconnectionMachine, status: int = 200, **headers: str) -> httpx.Response:
    request = httpx.Request(machine.target.method, machine.target.url)
    headers = {"content-type": "text/event-stream", **headers}
    return httpx.Response(status, headers=headers, request=request)


def connect(machine: ReconnectionMachine) -> None:
    assert machine.state in CONNECT_STATES
    assert machine.accept(response_to(machine))
    assert machine.state is State.OPEN


def feed(machine: ReconnectionMachine, *chunks: bytes) -> list[str]:
    """Feed chunks, and return the data of the events."""
    for chunk in chunks:
        machine.receive(chunk)
    return [event.data for event in machine.events()]


def end(machine: ReconnectionMachine) -> None:
    """End the body without an error."""
    with pytest.raises(TruncatedStreamError) as caught:
        machine.receive(None)
    machine.fail(caught.value)


def broken(*, sent: bool = True) -> APIConnectionError:
    """Make the error of a connection that broke before or after the request was sent."""
    error = APIConnectionError("broken")
    error.__cause__ = (httpx.ReadError if sent else httpx.ConnectError)("broken")
    return error


def headers_of(machine: ReconnectionMachine) -> dict[str, str | bytes]:
    return {name.decode() if isinstance(name, bytes) else name: value for name, value in machine.headers()}


class TestAnEventSource:
    def test_an_event_source_connects_reads_waits_and_connects_again(self) -> None:
        machine = make_machine()
        connect(machine)
        assert machine.ready_state == "open"
        assert feed(machine, b"data: 1\n\ndata: unfinished") == ["1"]
        end(machine)
        assert machine.state is State.WAITING
        assert 3.0 <= machine.delay <= 3.3
        assert machine.ready_state == "connecting"
        machine.reconnect()
        connect(machine)
        assert feed(machine, b"data: 2\n\n") == ["2"]
        assert machine.metrics.reconnections == 1
        assert machine.metrics.events == 2

    def test_an_event_source_asks_for_the_events_after_the_last_one(self) -> None:
        machine = make_machine()
        assert headers_of(machine) == {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
        connect(machine)
        feed(machine, "id: …\ndata: 1\n\nid: 2\ndata: unfinished\n".encode())
        machine.reconnect()
        assert headers_of(machine)["Last-Event-ID"] == "…".encode()
        connect(machine)
        feed(machine, b"id\n\n")
        machine.reconnect()
        assert "Last-Event-ID" not in headers_of(machine)

    def test_an_event_source_sends_the_callers_headers_in_place_of_its_own(self) -> None:
        machine = make_machine(Target("GET", URL, headers=(("accept", "*/*"), (b"X", b"y"))))
        assert machine.headers() == [("Cache-Control", "no-cache"), ("accept", "*/*"), (b"X", b"y")]

    def test_an_event_source_sends_no_space_around_an_id_as_no_header_can_hold_it(self) -> None:
        machine = make_machine(last_event_id=" \t a b ")
        assert headers_of(machine)["Last-Event-ID"] == b"a b"
        assert "Last-Event-ID" not in headers_of(make_machine(last_event_id="  "))

    def test_an_event_source_ends_at_204(self) -> None:
        machine = make_machine()
        assert not machine.accept(response_to(machine, 204))
        assert machine.state is State.CLOSED

    @pytest.mark.parametrize("status", [202, 205, 299, 300, 304, 400, 404, 429, 500, 503])
    def test_an_event_source_fails_at_any_other_status_than_200(self, status: int) -> None:
        machine = make_machine()
        response = response_to(machine, status)
        assert machine.accept(response)
        machine.receive(b'{"error": {"message": "not')
        assert machine.ready_state == "connecting"
        with pytest.raises(APIStatusError, match=f"HTTP status {status}: not today$") as caught:
            feed(machine, b' today"}}', None)  # type: ignore[arg-type]
        assert caught.value.response is response
        with pytest.raises(APIStatusError):
            machine.fail(caught.value)
        assert machine.state is State.CLOSED

    def test_an_event_source_fails_at_another_content_type(self) -> None:
        machine = make_machine()
        response = response_to(machine, **{"content-type": "text/html"})
        machine.accept(response)
        machine.receive(b"<!doctype")
        with pytest.raises(ContentTypeError, match="<!doctype") as caught:
            machine.receive(None)
        assert caught.value.response is response
        with pytest.raises(ContentTypeError):
            machine.fail(caught.value)

    def test_an_event_source_raises_the_error_of_a_body_that_breaks_off(self) -> None:
        machine = make_machine()
        machine.accept(response_to(machine, 500))
        machine.receive(b"half")
        error = broken()
        with pytest.raises(APIStatusError, match="half") as caught:
            machine.on_read_error(error)
        assert caught.value.__cause__ is error.__cause__

    def test_an_event_source_gives_the_events_before_one_that_is_too_large(self) -> None:
        machine = make_machine(max_event_size=10)
        connect(machine)
        machine.receive(b"data: 1\n\ndata: 2\n\ndata: 01234567890\n\ndata: 3\n\n")
        assert [event.data for event in machine.events()] == ["1", "2"]
        with pytest.raises(EventTooLargeError) as caught:
            machine.raise_deferred()
        with pytest.raises(EventTooLargeError):
            machine.fail(caught.value)

    def test_an_event_source_gives_comments_in_their_order_among_the_events(self) -> None:
        seen: list[str] = []
        machine = make_machine(on_comment=seen.append, max_event_size=10)
        connect(machine)
        machine.receive(b":1\ndata: 2\r\n\r\n:3\n:4\rdata: 5\n\n:6\ndata: 01234567890\n\n:never\n")
        seen.extend(event.data for event in machine.events())
        assert seen == ["1", "2", "3", "4", "5", "6"]
        assert machine.metrics.events == 2
        with pytest.raises(EventTooLargeError):
            machine.raise_deferred()

    def test_an_event_source_refuses_options_that_make_no_sense(self) -> None:
        for options in (
            {"reconnection_time": -1},
            {"reconnection_time": float("nan")},
            {"max_attempts": 0},
            {"idle_timeout": 0},
            {"data_timeout": -1},
            {"last_event_id": "a\nb"},
        ):
            with pytest.raises(ValueError, match=next(iter(options))):
                make_machine(**options)


class TestTheLastEventID:
    def test_the_last_event_id_is_that_of_the_last_event_that_was_taken(self) -> None:
        machine = make_machine(last_event_id="0")
        assert machine.last_event_id == "0"
        connect(machine)
        machine.receive(b"id: 1\ndata\n\nid: 2\ndata\n\ndata: no id\n\nid: 3\n\n")
        ids = [machine.last_event_id for _ in machine.events()]
        assert ids == ["1", "2", "3"]

    def test_the_last_event_id_can_be_set_for_the_next_connection(self) -> None:
        machine = make_machine()
        machine.last_event_id = "7"
        assert machine.last_event_id == "7"
        assert headers_of(machine)["Last-Event-ID"] == b"7"
        connect(machine)
        machine.receive(b"retry: 50\ndata: 1\n\n")
        assert [event.id for event in machine.events()] == ["7"]
        machine.last_event_id = ""
        machine.reconnect()
        assert "Last-Event-ID" not in headers_of(machine)
        connect(machine)
        assert machine.reconnection_time == 0.05
        with pytest.raises(ValueError, match="last_event_id"):
            machine.last_event_id = "a\0b"

    def test_the_last_event_id_stays_when_the_events_after_it_are_dropped(self) -> None:
        machine = make_machine()
        connect(machine)
        machine.receive(b"id: 1\ndata\n\nid: 2\ndata\n\n")
        next(machine.events())
        machine.close()
        assert list(machine.events()) == []
        assert machine.last_event_id == "1"


class TestTheReconnectionTime:
    def test_the_reconnection_time_is_the_servers(self) -> None:
        machine = make_machine(reconnection_time=1.5)
        assert machine.reconnection_time == 1.5
        connect(machine)
        feed(machine, b"retry: 250\n")
        assert machine.reconnection_time == 0.25
        end(machine)
        assert 0.25 <= machine.delay <= 0.275

    def test_the_reconnection_time_is_no_longer_than_a_day(self) -> None:
        machine = make_machine()
        connect(machine)
        feed(machine, b"retry: 99999999999999999999999\n")
        assert machine.reconnection_time == 24 * 60 * 60

    def test_the_reconnection_time_grows_while_nothing_comes(self) -> None:
        machine = make_machine(reconnection_time=1.0, max_backoff=8.0)
        delays = []
        for _ in range(8):
            machine.fail(broken())
            delays.append(machine.delay)
            machine.reconnect()
        assert all(1.0 <= delay <= 8.0 for delay in delays)
        assert max(delays) > 2.0
        connect(machine)
        machine.receive(b":\n")
        machine.fail(broken())
        assert 1.0 <= machine.delay <= 1.1

    def test_the_reconnection_time_is_at_least_the_retry_after_of_an_error_status(self) -> None:
        machine = make_machine(reconnection_time=0, on_error=lambda error: True)
        machine.fail(APIStatusError("busy", response=response_to(machine, 503, **{"retry-after": "7"})))
        assert machine.delay >= 7
        machine.reconnect()
        machine.fail(APIStatusError("busy", response=response_to(machine, 503, **{"retry-after": "9" * 400})))
        assert machine.delay == 24 * 60 * 60


class TestGivingUp:
    def test_giving_up_follows_max_attempts_failures(self) -> None:
        machine = make_machine(max_attempts=3)
        connect(machine)
        feed(machine, b"data: 1\n\n")
        machine.fail(broken())  # no attempt has failed: this one brought something
        for _ in range(2):
            machine.reconnect()
            machine.fail(APITimeoutError("too slow", kind="connect"))
        machine.reconnect()
        with pytest.raises(
            APITimeoutError, match=r"too slow \(gave up after .* 3 failed attempts in a row\)"
        ) as caught:
            machine.fail(APITimeoutError("too slow", kind="connect"))
        assert caught.value.kind == "connect"
        assert machine.state is State.CLOSED

    def test_giving_up_begins_to_count_again_after_every_byte(self) -> None:
        machine = make_machine(max_attempts=1)
        for _ in range(5):
            connect(machine)
            machine.receive(b":")
            machine.fail(broken())
            machine.reconnect()

    def test_giving_up_follows_an_outage_that_is_too_long(self, monkeypatch: pytest.MonkeyPatch) -> None:
        now = 100.0
        monkeypatch.setattr("ssejet.source._retries.perf_counter", lambda: now)
        machine = make_machine(reconnection_time=1.0, max_outage=10.0, max_backoff=1.0)
        connect(machine)
        machine.receive(b":")
        now += 3600  # of a silent connection, which is no outage
        machine.fail(broken())
        for _ in range(3):
            now += 3
            machine.reconnect()
            machine.fail(broken())
        now += 0.5
        machine.reconnect()
        with pytest.raises(APIConnectionError, match=r"gave up after 9\.5 seconds"):
            machine.fail(broken())

    def test_giving_up_follows_an_outage_that_begins_with_the_first_attempt(
        self, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        now = 100.0
        monkeypatch.setattr("ssejet.source._retries.perf_counter", lambda: now)
        machine = make_machine(reconnection_time=1.0, max_outage=10.0, max_backoff=1.0)
        assert make_machine().begin_attempt() == float("inf")
        now += 3600  # until the caller reads
        assert machine.begin_attempt() == 10
        now += 4
        machine.fail(broken())
        machine.reconnect()
        assert machine.begin_attempt() == 6
        now += 6
        with pytest.raises(APIConnectionError, match=r"gave up after 10\.0 seconds"):
            machine.fail(broken())

    def test_giving_up_follows_streams_that_end_before_they_began(self) -> None:
        machine = make_machine(max_attempts=2)
        connect(machine)
        end(machine)
        machine.reconnect()
        connect(machine)
        with pytest.raises(TruncatedStreamError) as caught:
            machine.receive(None)
        with pytest.raises(TruncatedStreamError, match="gave up"):
            machine.fail(caught.value)

    def test_giving_up_does_not_count_a_restart(self) -> None:
        machine = make_machine(max_attempts=1)
        for _ in range(3):
            connect(machine)
            machine.reconnect()


class TestRequestsThatMustNotBeRepeated:
    @pytest.mark.parametrize("method", ["POST", "PATCH"])
    def test_requests_that_must_not_be_repeated_end_with_their_stream(self, method: str) -> None:
        machine = make_machine(Target(method, URL))
        connect(machine)
        feed(machine, b"data: 1\n\n")
        end(machine)
        assert machine.state is State.CLOSED

    def test_requests_that_must_not_be_repeated_fail_with_their_connection(self) -> None:
        machine = make_machine(Target("POST", URL))
        connect(machine)
        with pytest.raises(APIConnectionError):
            machine.fail(broken())
        assert machine.state is State.CLOSED

    def test_requests_that_must_not_be_repeated_are_sent_again_if_the_server_never_got_them(self) -> None:
        machine = make_machine(Target("POST", URL))
        machine.fail(broken(sent=False))
        assert machine.state is State.WAITING

    @pytest.mark.parametrize(("method", "repeat"), [("POST", True), ("PUT", None), ("REPORT", None)])
    def test_requests_that_must_not_be_repeated_are_not_those_with_repeat_or_an_idempotent_method(
        self, method: str, repeat: bool | None
    ) -> None:
        machine = make_machine(Target(method, URL), repeat=repeat)
        connect(machine)
        end(machine)
        assert machine.state is State.WAITING

    def test_requests_that_must_not_be_repeated_can_have_an_idempotent_method(self) -> None:
        machine = make_machine(repeat=False)
        connect(machine)
        end(machine)
        assert machine.state is State.CLOSED


class TestAnErrorPolicy:
    def test_an_error_policy_gets_every_failure(self) -> None:
        errors: list[SSEError] = []
        machine = make_machine(on_error=errors.append)
        connect(machine)
        end(machine)
        machine.reconnect()
        machine.fail(broken())
        machine.reconnect()
        with pytest.raises(APIStatusError):
            machine.fail(APIStatusError("no", response=response_to(machine, 404)))
        assert [type(error) for error in errors] == [TruncatedStreamError, APIConnectionError, APIStatusError]

    def test_an_error_policy_can_reconnect_after_an_error_that_would_end_it(self) -> None:
        machine = make_machine(on_error=lambda error: error.retryable)
        machine.fail(APIStatusError("busy", response=response_to(machine, 503)))
        assert machine.state is State.WAITING
        machine.reconnect()
        with pytest.raises(APIStatusError):
            machine.fail(APIStatusError("no", response=response_to(machine, 404)))

    def test_an_error_policy_can_end_an_event_source_that_would_reconnect(self) -> None:
        machine = make_machine(on_error=lambda error: False)
        connect(machine)
        end(machine)
        assert machine.state is State.CLOSED
        machine = make_machine(on_error=lambda error: False)
        with pytest.raises(APIConnectionError):
            machine.fail(broken())

    def test_an_error_policy_may_raise(self) -> None:
        machine = make_machine(on_error=lambda error: 1 / 0)
        with pytest.raises(ZeroDivisionError):
            machine.fail(broken())
        assert machine.state is State.CLOSED


class TestRedirects:
    def redirect(self, machine: ReconnectionMachine, status: int, location: str) -> None:
        assert not machine.accept(response_to(machine, status, location=location))
        assert machine.state is State.REDIRECTING

    @pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
    def test_redirects_of_each_status_are_followed(self, status: int) -> None:
        machine = make_machine()
        self.redirect(machine, status, "other?x=1")
        assert str(machine.target.url) == "http://127.0.0.1/other?x=1"
        connect(machine)

    def test_redirects_are_remembered_if_they_are_permanent(self) -> None:
        machine = make_machine(Target("GET", URL, params={"a": "b"}))
        for status in (301, 308):
            self.redirect(machine, status, f"/{status}")
        self.redirect(machine, 307, "/temporary")
        self.redirect(machine, 301, "/permanent-but-after-a-temporary-one")
        connect(machine)
        machine.reconnect()
        assert str(machine.target.url) == str(machine.url) == "http://127.0.0.1/308"
        assert machine.target.params is None
        self.redirect(machine, 308, "/final")
        machine.reconnect()
        assert str(machine.target.url) == "http://127.0.0.1/final"

    def test_redirects_are_followed_20_times_at_most(self) -> None:
        machine = make_machine()
        for _ in range(20):
            self.redirect(machine, 301, "/again")
        with pytest.raises(APIStatusError, match="more than 20 redirects"):
            machine.accept(response_to(machine, 301, location="/again"))
        machine.reconnect()
        self.redirect(machine, 301, "/again")

    @pytest.mark.parametrize(
        ("location", "problem"),
        [
            (None, "without a Location"),
            ("", "without a Location"),
            (" ", "without a Location"),
            ("http://x:port/", "no URL"),
            ("http://xn--/", "no URL"),
            ("http://x:99999999/", "port 99999999"),
            ("file:///etc/passwd", "'file'"),
            ("data:text/event-stream,data:%20x%0A%0A", "'data'"),
        ],
    )
    def test_redirects_must_lead_somewhere(self, location: str | None, problem: str) -> None:
        machine = make_machine()
        headers = {} if location is None else {"location": location}
        response = response_to(machine, 301, **headers)
        with pytest.raises(APIStatusError, match=f"HTTP status 301: .*{problem}") as caught:
            machine.accept(response)
        assert caught.value.response is response
        with pytest.raises(APIStatusError):
            machine.fail(caught.value)

    @pytest.mark.parametrize(
        ("method", "status", "then"),
        [
            ("POST", 301, "GET"),
            ("POST", 302, "GET"),
            ("POST", 303, "GET"),
            ("POST", 307, "POST"),
            ("POST", 308, "POST"),
            ("PUT", 302, "PUT"),
            ("PUT", 303, "GET"),
            ("HEAD", 303, "HEAD"),
        ],
    )
    def test_redirects_change_the_method_as_browsers_do(self, method: str, status: int, then: str) -> None:
        headers = (("Content-Type", "text/plain"), ("X", "y"))
        machine = make_machine(Target(method, URL, headers=headers, body={"content": b"x"}))
        self.redirect(machine, status, "/other")
        assert machine.target.method == then
        kept = then == method
        assert machine.target.headers == (headers if kept else (("X", "y"),))
        assert machine.target.body == ({"content": b"x"} if kept else {})

    @pytest.mark.parametrize(
        ("url", "location", "trusted"),
        [
            ("http://a/", "/b", True),
            ("http://a/", "http://a:80/b", True),
            ("http://a/", "https://a/b", True),
            ("https://a/", "http://a/b", False),
            ("http://a/", "http://b/", False),
            ("http://a/", "http://a:81/", False),
            ("http://a:81/", "https://a/", False),
            ("http://a/", "http://a.b/", False),
        ],
    )
    def test_redirects_carry_credentials_within_their_origin_only(
        self, url: str, location: str, trusted: bool
    ) -> None:
        secrets = (("Authorization", "Bearer x"), (b"cookie", b"a=b"), ("X-API-Key", "x"))
        machine = make_machine(Target("GET", url, headers=(*secrets, ("X", "y"))))
        self.redirect(machine, 301, location)
        assert machine.target.trusted == trusted
        assert machine.target.headers == ((*secrets, ("X", "y")) if trusted else (("X", "y"),))
        made_by_client = httpx.Request(
            "GET", f"{location}?a=1", headers={"authorization": "Basic x", "x": "y"}
        )
        machine.target.clean(made_by_client)
        assert ("authorization" in made_by_client.headers) == trusted
        assert made_by_client.url == machine.target.url
        machine.reconnect()
        assert machine.target.trusted == trusted

    def test_redirects_do_not_bring_credentials_back(self) -> None:
        machine = make_machine(Target("GET", "http://a/", headers=(("Authorization", "Bearer x"),)))
        self.redirect(machine, 302, "http://b/")
        self.redirect(machine, 302, "http://a/")
        assert not machine.target.trusted
        machine.reconnect()
        assert machine.target.trusted


class TestTheStates:
    @pytest.mark.parametrize("state", State)
    def test_the_states_are_those_of_the_table_in_the_docstring(self, state: State) -> None:
        assert reconnection.__doc__ is not None
        (row,) = (line for line in reconnection.__doc__.splitlines() if line.startswith(f"{state.name} "))
        _, ready_state, *_, next_states = (part.strip() for part in row.split("  ") if part.strip())
        machine = make_machine()
        machine.state = state
        assert machine.ready_state == ready_state
        for other in State:
            if other.name in next_states:
                assert other in reconnection._TRANSITIONS[state].values()

    def test_the_states_have_no_other_transitions_than_the_table_has(self) -> None:
        machine = make_machine()
        with pytest.raises(RuntimeError, match="CONNECTING cannot get CHUNK"):
            machine.receive(b"data: 1\n\n")
        connect(machine)
        with pytest.raises(RuntimeError, match="OPEN cannot get STREAM"):
            machine.accept(response_to(machine))
        end(machine)
        for report in (lambda: machine.receive(None), lambda: machine.fail(broken())):
            with pytest.raises(RuntimeError, match="WAITING cannot get"):
                report()
        assert machine.state is State.WAITING

    def test_the_states_end_with_the_closed_one_whatever_comes_after_it(self) -> None:
        machine = make_machine()
        connect(machine)
        machine.close()
        machine.receive(b"data: 1\n\n")
        machine.reconnect()
        assert not machine.accept(response_to(machine))
        machine.fail(broken())
        assert machine.state is State.CLOSED

    def test_the_states_keep_an_error_until_the_events_before_it_are_taken(self) -> None:
        machine = make_machine(max_event_size=10, on_error=lambda error: True)
        connect(machine)
        machine.receive(b"data: 1\n\ndata: 01234567890\n\n")
        assert machine.state is State.FAILING
        with pytest.raises(EventTooLargeError) as caught:
            machine.raise_deferred()
        machine.fail(caught.value)
        assert machine.state is State.WAITING
        machine.raise_deferred()  # which was raised already
        machine.reconnect()
        connect(machine)

    def test_the_states_after_an_interruption_depend_on_whether_the_request_may_be_repeated(self) -> None:
        machine = make_machine()
        connect(machine)
        machine.interrupt(cancelled=True)
        assert machine.state is State.CONNECTING
        machine = make_machine(Target("POST", URL))
        connect(machine)
        machine.interrupt(cancelled=True)
        assert machine.state is State.INTERRUPTED
        with pytest.raises(APIConnectionError, match="repeat=True") as caught:
            machine.raise_deferred()
        with pytest.raises(APIConnectionError):
            machine.fail(caught.value)
        assert machine.state is State.CLOSED
