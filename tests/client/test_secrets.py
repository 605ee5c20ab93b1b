"""The API key appears only in the request."""

from __future__ import annotations

import json
import logging
import socket
import traceback
from typing import TYPE_CHECKING, Any

import pytest
from accounts import API, Account, chunk
from users import KEY, USERS, SyncUser

from servers import Then
from ssejet import AsyncClient, Client
from ssejet.cli._server import loopback_server
from ssejet.client._settings import Settings

if TYPE_CHECKING:
    from collections.abc import Callable

    from users import AsyncUser

    User = SyncUser | AsyncUser


def closed_port() -> str:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return "http://{}:{}/v1".format(*listener.getsockname())


def refusing(account: Account) -> Account:
    account.refuse(401, {"error": {"message": f"bad key {KEY}", "keys": [KEY], KEY: {"key": KEY}}})
    return account


def breaking(account: Account) -> Account:
    account.reply(chunk(content="a"), Then.DROP)
    return account


def dropping(account: Account) -> Account:
    account.reply(b"{", Then.DROP, content_type="application/json")
    return account


def stalling(account: Account) -> Account:
    account.reply(Then.HANG)
    return account


def lying(account: Account) -> Account:
    account.reply(b"<html>", content_type="text/html")
    return account


def absent(_: Account) -> Account:
    return Account(closed_port())


FAILURES = [refusing, breaking, dropping, stalling, lying, absent]


@pytest.mark.slow
@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("fail", FAILURES)
def test_the_key_is_not_in_an_error_nor_in_its_traceback_nor_in_a_log(
    user: User,
    account: Account,
    caplog: pytest.LogCaptureFixture,
    fail: Callable[[Account], Account],
    stream: bool,
) -> None:
    caplog.set_level(logging.DEBUG)
    error = user.call(fail(account), stream=stream, idle_timeout=0.1, max_retries=0).error
    assert isinstance(error, Exception)
    error.__traceback__ = error.__traceback__.tb_next  # the test knows the key
    # A body that quotes the key is a local variable until the error is made.
    report = traceback.TracebackException.from_exception(error, capture_locals=fail is not refusing)
    assert KEY not in f"{error!s} {error!r} {error.args} {''.join(report.format())}"
    assert KEY not in repr({name: value for name, value in vars(error).items() if name != "__cause__"})
    assert caplog.records
    assert KEY not in "".join(repr(vars(record)) for record in caplog.records)


def test_the_key_is_not_in_quotes_of_the_server(user: User, account: Account) -> None:
    error = user.call(refusing(account)).error
    assert str(error) == "HTTP status 401: bad key ***"
    assert error.body == {"error": {"message": "bad key ***", "keys": ["***"], "***": {"key": "***"}}}


def test_the_key_is_not_in_quotes_of_the_server_inside_an_answer(user: User, account: Account) -> None:
    error = {"message": f"expired: {KEY}", "code": 401}
    account.reply(chunk(content="a"), b'data: {"error": %s}\n\n' % json.dumps(error).encode())
    seen = user.call(account, stream=True).error
    assert str(seen) == "expired: ***"
    assert seen.body == {"error": {"message": "expired: ***", "code": 401}}


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize("content_type", ["text/html", "text/event-stream"])
def test_the_key_is_not_in_quotes_of_the_server_instead_of_an_answer(
    user: User, account: Account, content_type: str, stream: bool
) -> None:
    start = "data: [" if content_type == "text/event-stream" else "<p>"
    account.reply(f"{start}bad key {KEY}\n\n".encode(), content_type=content_type)
    error = user.call(account, stream=stream).error
    assert "bad key ***" in str(error)
    assert KEY not in repr(vars(error))


def test_unless_it_is_too_short_to_be_a_secret(account: Account) -> None:
    account.refuse(400, {"error": {"message": "none of your messages is a question"}})
    error = USERS[0].call(account, options={"api_key": "none"}).error
    assert str(error) == "HTTP status 400: none of your messages is a question"


@pytest.mark.parametrize("cls", [Client, AsyncClient])
def test_the_key_is_not_in_a_repr(cls: Any) -> None:
    client = cls(api_key=KEY, base_url="http://me:password@127.0.0.1:1/v1")
    resources = [client.chat, client.chat.completions, client.completions, client.responses]
    for thing in [client, client._settings, vars(client), *map(vars, resources)]:
        assert KEY not in repr(thing)
    assert repr(client) == f"<ssejet.{cls.__name__} of http://127.0.0.1:1/v1>"


def test_the_key_is_not_in_the_error_for_a_key_that_cannot_be_sent() -> None:
    with pytest.raises(ValueError, match="api_key") as caught:
        Client(api_key=KEY + "\n")
    report = traceback.TracebackException.from_exception(caught.value)
    assert KEY not in "".join(report.format())


def test_the_key_is_not_in_a_request_to_the_server_of_a_redirect(user: User, account: Account) -> None:
    other = API()
    with loopback_server(other.app) as other.base:
        elsewhere = other.open_account()
        account.reply(status=307, headers={"location": f"{elsewhere.url}/chat/completions"})
        user.call(account).checked()
    (request,) = elsewhere.requests
    assert "authorization" not in request.headers
    assert account.requests[0].body == request.body


def test_the_key_is_not_in_a_stream(user: User, account: Account) -> None:
    stream = user.call(account, "chat.completions.stream").checked().stream
    assert KEY not in repr(stream)
    assert KEY not in repr(stream.metrics)


def test_the_key_is_not_in_the_repr_of_settings() -> None:
    assert KEY not in repr(Settings(api_key=KEY))
