"""Which clients and responses are accepted, and what the errors say."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import httpx
import httpx2
import pytest

import ssejet
from ssejet._http.clients import check_http_client
from ssejet._http.headers import EVENT_STREAM_HEADERS
from ssejet._http.readable import readable_response
from ssejet._http.response import has_error_status, has_event_stream_type

URL = "http://127.0.0.1:9/"


@pytest.fixture(params=[httpx, httpx2], ids=lambda http: http.__name__)
def http(request: pytest.FixtureRequest) -> Any:
    return request.param


def test_a_client_of_the_same_kind_is_accepted(http: Any) -> None:
    check_http_client(http.AsyncClient(), "AsyncClient", user="it")
    with http.Client() as client:
        check_http_client(client, "Client", user="it")


@pytest.mark.parametrize("wrong", [object(), "http://127.0.0.1", SimpleNamespace(send=print)])
def test_an_object_without_the_methods_of_a_client_is_refused(wrong: Any) -> None:
    with pytest.raises(TypeError, match="it needs the Client of httpx or httpx2, not this "):
        check_http_client(wrong, "Client", user="it")


def test_a_class_is_refused_as_such(http: Any) -> None:
    with pytest.raises(TypeError, match=r"not the class httpx.*\.Client$"):
        check_http_client(http.Client, "Client", user="it")


def test_connecting_with_a_client_of_the_other_kind_says_which_is_needed(http: Any) -> None:
    with (
        pytest.raises(TypeError, match=r"connect_sse\(\) needs the Client of httpx or httpx2, not this"),
        ssejet.connect_sse(http.AsyncClient(), "GET", URL),
    ):
        pass


async def test_connecting_asynchronously_with_a_client_of_the_other_kind_says_which_is_needed(
    http: Any,
) -> None:
    with http.Client() as client, pytest.raises(TypeError, match=r"aconnect_sse\(\) needs the AsyncClient"):
        async with ssejet.aconnect_sse(client, "GET", URL):
            pass


@pytest.mark.parametrize(
    ("status", "is_error"), [(200, False), (204, False), (399, False), (400, True), (503, True)]
)
def test_a_status_is_an_error_from_400_on(status: int, is_error: bool, http: Any) -> None:
    assert has_error_status(http.Response(status)) is is_error


@pytest.mark.parametrize("response", [object(), SimpleNamespace(status_code=None)])
def test_a_response_without_a_status_has_no_error(response: Any) -> None:
    assert not has_error_status(response)


@pytest.mark.parametrize(
    ("content_type", "is_stream"),
    [
        ("text/event-stream", True),
        ("Text/Event-Stream ; charset=latin-1", True),
        ("text/event-streams", False),
        ("application/json", False),
    ],
)
def test_the_content_type_is_compared_without_case_and_parameters(content_type: str, is_stream: bool) -> None:
    assert has_event_stream_type(httpx.Response(200, headers={"content-type": content_type})) is is_stream


def test_a_response_without_headers_has_no_content_type() -> None:
    assert not has_event_stream_type(object())


def test_a_response_that_lacks_methods_is_refused_by_their_names() -> None:
    with pytest.raises(TypeError, match=r"this object has no iter_bytes\(\) and no close\(\); .*that"):
        readable_response(object(), "sync", reader="it", other_reader="that")


def test_a_request_for_an_event_stream_asks_for_one_and_for_no_cached_answer() -> None:
    assert EVENT_STREAM_HEADERS == {"Accept": "text/event-stream", "Cache-Control": "no-cache"}
