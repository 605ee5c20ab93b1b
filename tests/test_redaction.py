"""A secret of the request that a server quotes is hidden, and stays with the origin that it was given for."""

from __future__ import annotations

import base64
import json
from typing import Any

import httpx
import httpx2
import pytest

from ssejet import APIError, APIStatusError, ContentTypeError, InvalidJSONError, ServerSentEvent
from ssejet._redaction import is_secret_header, redacted
from ssejet.source._target import Target

SECRET = "sk-0123456789"
BASIC = base64.b64encode(f"somebody:{SECRET}".encode()).decode()

HEADERS = {
    "bearer": ("Authorization", f"Bearer {SECRET}"),
    "bare": ("authorization", SECRET),
    "proxy": ("Proxy-Authorization", f"Bearer {SECRET}"),
    "basic": ("Authorization", f"Basic {BASIC}"),
    "azure": ("api-key", SECRET),
    "anthropic": ("X-API-Key", SECRET),
    "google": ("x-goog-api-key", SECRET),
    "aws": ("X-Amz-Security-Token", SECRET),
    "gateway": ("Ocp-Apim-Subscription-Key", SECRET),
    "cookie": ("Cookie", f"session={SECRET}"),
    "one of the cookies": ("cookie", f'theme=dark; session="{SECRET}"; lang=en'),
}


@pytest.fixture(params=HEADERS.values(), ids=HEADERS)
def header(request: pytest.FixtureRequest) -> tuple[str, str]:
    return request.param


@pytest.mark.parametrize("library", [httpx, httpx2], ids=["httpx", "httpx2"])
def test_no_error_shows_a_secret_that_the_server_quotes(library: Any, header: tuple[str, str]) -> None:
    request = library.Request("GET", "https://example.com", headers=[header])
    quoted = f"refused: {header[1]} and {SECRET}"
    response = library.Response(401, request=request, text=quoted)
    errors = [
        APIError(quoted, body={"error": [quoted], quoted: {"deep": quoted}}, request=request),
        APIStatusError(quoted, response=response, body=quoted),
        ContentTypeError(response, content_type="text/html", body=quoted.encode()),
        InvalidJSONError("wrong", event=ServerSentEvent(data=quoted), index=0, request=request),
    ]
    for error in errors:
        shown = {name: value for name, value in vars(error).items() if name not in {"request", "response"}}
        text = f"{error!s} {error!r} {error.args} {shown}"
        assert SECRET not in text
        assert header[1] not in text
        assert "***" in text


@pytest.mark.parametrize("quoted", [BASIC, SECRET, f"somebody:{SECRET}"])
def test_basic_credentials_are_hidden_encoded_and_decoded(quoted: str) -> None:
    request = httpx.Request("GET", f"https://somebody:{SECRET}@example.com", headers={"x": "y"})
    request.headers["Authorization"] = f"Basic {BASIC}"
    assert SECRET not in redacted(quoted, request)
    assert BASIC not in redacted(quoted, request)
    assert redacted("for somebody", request) == "for somebody"


def test_the_longest_of_several_secrets_is_hidden_first() -> None:
    request = httpx.Request("GET", "https://e", headers={"api-key": SECRET, "x-api-key": SECRET + "-more"})
    assert redacted(f"{SECRET}-more, {SECRET}", request) == "***, ***"


@pytest.mark.parametrize(
    "headers", [{b"Authorization": f"Bearer {SECRET}".encode()}, {"COOKIE": f"a={SECRET}"}]
)
def test_headers_may_be_a_plain_dict_of_text_or_bytes(headers: dict[Any, Any]) -> None:
    class Request:
        pass

    request: Any = Request()
    request.headers = headers
    assert redacted(f"no: {SECRET}", request) == "no: ***"
    assert redacted(f"no: {SECRET}".encode(), request) == b"no: ***"


@pytest.mark.parametrize("value", ["none", "Bearer none", "Basic !", "", "=", ";"])
@pytest.mark.parametrize("name", ["authorization", "cookie", "api-key"])
def test_a_short_value_is_no_secret(name: str, value: str) -> None:
    request = httpx.Request("GET", "https://example.com", headers={name: value})
    assert redacted("none of = ; it", request) == "none of = ; it"


def test_what_is_nested_too_deep_to_be_searched_is_hidden_as_a_whole() -> None:
    deep: Any = SECRET
    for _ in range(100_000):
        deep = [deep]
    request = httpx.Request("GET", "https://example.com", headers={"api-key": SECRET})
    assert redacted(deep, request) == "***"
    assert redacted(deep, None) is deep


@pytest.mark.parametrize(
    "name", ["accept", "content-type", "idempotency-key", "last-event-id", "x-request-id"]
)
def test_other_headers_are_no_secrets(name: str) -> None:
    assert not is_secret_header(name)
    request = httpx.Request("GET", "https://example.com", headers={name: SECRET})
    value = json.loads(f'{{"text": "{SECRET}", "n": [1, null]}}')
    assert redacted(value, request) == value


def test_no_secret_follows_a_redirect_to_another_origin(header: tuple[str, str]) -> None:
    request = httpx.Request("GET", "http://a/")
    redirect = httpx.Response(307, headers={"location": "http://b/"}, request=request)
    target = Target("GET", "http://a/", headers=(header, ("X", "y")))
    moved = target.redirected(redirect)
    assert moved.headers == (("X", "y"),)
    made_by_client = httpx.Request("GET", "http://b/", headers=[header, ("x", "y")])
    moved.clean(made_by_client)
    assert header[0] not in made_by_client.headers
    assert made_by_client.headers["x"] == "y"
