"""Lines that servers and proxies add to a stream: comments, IDs, times, blank lines, and other line ends."""

from __future__ import annotations

import importlib
import json
import logging
from functools import cache
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import httpx
import httpx2
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sdks import FakeServer, Outcome, assert_same, joined, outcome

import ssejet

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow

MESSAGES = [{"role": "user", "content": "Hi"}]


class SDK(NamedTuple):
    """An SDK, and how to read a stream with it.

    Attributes:
        client: makes a client of its package, a URL, an HTTP client, and whether that is asynchronous.
        start: starts a stream.
        data: the data of a usual event.
        reader: the function with which the SDK reads lines, events or chunks: its module and its name.
        library: the HTTP library.
    """

    client: Callable[[Any, str, Any, bool], Any]
    start: Callable[[Any, bool], Any]
    data: dict[str, Any]
    reader: tuple[str, str]
    library: Any = httpx


def awaited(stream: Any, is_async: bool) -> Any:
    async def wait() -> Any:
        return stream

    return wait() if is_async else stream


def google(sdk: Any, url: str, http: Any, is_async: bool) -> Any:
    options = {"httpx_async_client" if is_async else "httpx_client": http}
    return sdk.Client(api_key="key", http_options={"base_url": url, **options})


CHOICE = {"index": 0, "delta": {"role": "assistant", "content": "é\u2028"}, "finish_reason": None}
SDKS = {
    "cohere": SDK(
        lambda sdk, url, http, is_async: (sdk.AsyncClientV2 if is_async else sdk.ClientV2)(
            "key", base_url=url, httpx_client=http
        ),
        lambda client, is_async: awaited(client.chat_stream(model="m", messages=MESSAGES), is_async),
        {"type": "content-delta", "index": 0, "delta": {"message": {"content": {"text": "é\u2028"}}}},
        ("cohere.core.http_sse._decoders", "SSEDecoder.decode"),
    ),
    "google.genai": SDK(
        google,
        lambda client, is_async: (client.aio if is_async else client).models.generate_content_stream(
            model="m", contents="Hi"
        ),
        {"candidates": [{"content": {"parts": [{"text": "é\u2028"}], "role": "model"}, "index": 0}]},
        ("google.genai.types", "GenerateContentResponse._from_response"),
    ),
    "mistralai.client": SDK(
        lambda sdk, url, http, is_async: sdk.Mistral(
            api_key="key", server_url=url, **{"async_client" if is_async else "client": http}
        ),
        lambda client, is_async: (client.chat.stream_async if is_async else client.chat.stream)(
            model="m", messages=MESSAGES
        ),
        {"id": "c", "object": "chat.completion.chunk", "created": 1, "model": "m", "choices": [CHOICE]},
        ("mistralai.client.utils.eventstreaming", "_parse_event"),
        httpx2,
    ),
}
BOTH = pytest.mark.parametrize("is_async", [False, True], ids=["sync", "async"])


@pytest.fixture(params=SDKS)
def name(request: pytest.FixtureRequest) -> str:
    pytest.importorskip(request.param)
    module, path = SDKS[request.param].reader
    if not hasattr(importlib.import_module(module), path.partition(".")[0]):
        pytest.skip("this version reads streams in another way")
    return str(request.param)


@cache
def clients(name: str, is_async: bool) -> tuple[FakeServer, Any, Any]:
    """A server, a stock client and an accelerated one. To make them for each stream would cost much."""
    sdk, server = SDKS[name], FakeServer([])
    cls = sdk.library.AsyncClient if is_async else sdk.library.Client
    http = cls(transport=sdk.library.MockTransport(server))
    client = sdk.client(importlib.import_module(name), "http://server/v1", http, is_async)
    return server, client, ssejet.accelerate(client)


def both(name: str, is_async: bool, pieces: list[bytes]) -> list[Outcome]:
    """What a stock client and an accelerated one get."""
    server, *pair = clients(name, is_async)
    server.pieces = pieces
    found = [outcome(lambda: SDKS[name].start(client, is_async)) for client in pair]  # noqa: B023
    for each in found:
        vars(each.error or Exception()).pop("raw_response", None)
    return found


def data(name: str) -> bytes:
    return b"data: " + json.dumps(SDKS[name].data, ensure_ascii=False).encode()


def usual_with(name: str) -> list[bytes]:
    """Events with the lines that servers and proxies add, of which the SDK makes usual items."""
    plain = data(name) + b"\n\n"
    pieces = [plain, plain.replace(b"\n", b"\r\n"), b"\n\r\n" + plain]
    if name != "google.genai":  # it takes any other line for JSON
        whole = b": keep-alive\nid: 1\nretry: 5000\nevent: message\n"
        pieces += [b": keep-alive\n" + plain, whole + plain, whole.replace(b"\n", b"\r\n") + plain]
        pieces += [plain.replace(b"data: ", b"data:"), b":\n\n" + plain]
    return pieces


@BOTH
def test_a_stream_stays_fast_with_the_lines_that_servers_and_proxies_add(
    name: str, is_async: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    pieces = usual_with(name)
    both(name, is_async, [])  # what is tried out once is tried out here
    module, path = SDKS[name].reader
    owner, _, attribute = path.rpartition(".")
    place = getattr(importlib.import_module(module), owner) if owner else importlib.import_module(module)
    calls: list[Any] = []
    stock = getattr(place, attribute)

    def count(*args: Any, **kwargs: Any) -> Any:
        calls.append(args)
        return stock(*args, **kwargs)

    monkeypatch.setattr(place, attribute, count)
    server, _, fast = clients(name, is_async)
    server.pieces = pieces * 20
    assert len(outcome(lambda: SDKS[name].start(fast, is_async)).items) == 20 * len(pieces)
    assert len(calls) <= 2  # the start or the end of the stream


LINES = [
    b": keep-alive",
    b":",
    b": {",
    b': "',
    b": \xff",
    b"id: 1",
    b"id:",
    b"id: a b",
    b"id: \x00",
    b"id: \xc3\xa9",
    b"retry: 5",
    b"retry: -5",
    b"retry: 1_0",
    b"retry: 99999999999999999999",
    b"event: message",
    b"event: x y",
    b"event",
    b"data",
    b"data: ",
    b"data: null",
    b"data: {",
    b"data: [DONE]",
    b"data: \xff",
    b"unknown: 1",
    b"unknown",
    b"{}",
    b" ",
    b"\xef\xbb\xbf",
    b"\xe2\x80\xa8",
    b"\x0b",
    b"",
    b"",
]
WORD = st.sampled_from([b"", b" ", b"x"])


@settings(suppress_health_check=list(HealthCheck), max_examples=settings().max_examples // 2 or 1)
@given(
    st.lists(st.sampled_from(range(-8, len(LINES))), max_size=8),
    st.lists(st.sampled_from([b"\n", b"\n", b"\n", b"\r\n", b"\r"]), min_size=1, max_size=4),
    st.lists(st.integers(0, 400), max_size=5),
    st.booleans(),
)
def test_any_lines_cut_anywhere_give_and_log_what_they_do_without_us(
    name: str, lines: list[int], ends: list[bytes], cuts: list[int], is_async: bool
) -> None:
    usual = data(name)
    made = []
    for number, line in enumerate(lines):
        end = ends[number % len(ends)]
        made.append(usual + end * 2 if line < 0 else LINES[line] + end)
    body = joined([usual, b"\n\n", *made])
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    records: list[str] = []
    handler = logging.Handler()
    handler.emit = lambda record: records.append(record.getMessage())  # type: ignore[method-assign]
    logging.getLogger().addHandler(handler)
    try:
        expected, seen = both(name, is_async, [body[a:b] for a, b in pairwise(places)])
    finally:
        logging.getLogger().removeHandler(handler)
    assert_same(expected, seen)
    warned = [text for text in records if "sse" in text.lower() or "JSON" in text]
    assert warned[: len(warned) // 2] == warned[len(warned) // 2 :]
