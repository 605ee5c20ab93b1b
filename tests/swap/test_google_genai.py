"""The streams of google-genai, accelerated and stock."""

from __future__ import annotations

import asyncio
import json
import logging
import warnings
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import ODDITIES, Scribe
from same import differences
from sdks import FakeServer, Outcome, assert_same, event, outcome, sizes

import ssejet
from ssejet._core import Assembler
from ssejet.swap import UnsupportedVersionWarning
from wrong_values import changed

if TYPE_CHECKING:
    from servers import Server

pytest.importorskip("google.genai")

from google import genai
from google.genai import models, types

from ssejet.swap.google_genai import _patches

pytestmark = [
    pytest.mark.slow,
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MODES = ["sync", "async"]
BACKENDS = ["gemini", "vertex"]

PARTS: list[Any] = [{"text": "Hé"}]
USUAL: dict[str, Any] = {
    "candidates": [{"content": {"parts": PARTS, "role": "model"}, "index": 0}],
    "usageMetadata": {
        "promptTokenCount": 5,
        "totalTokenCount": 9,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 5}],
    },
    "modelVersion": "gemini",
    "responseId": "r",
}


def chunk(**changes: Any) -> bytes:
    return event(json.dumps({**USUAL, **changes}))


def parts(*items: Any, **candidate: Any) -> bytes:
    return chunk(candidates=[{"content": {"parts": list(items), "role": "model"}, "index": 0, **candidate}])


CALL = {"functionCall": {"name": "f", "args": {"a": [1, None, 2.5, {"b": "c"}]}, "id": "i"}}
CHUNK = chunk()
LAST = parts({"text": "."}, finishReason="STOP", safetyRatings=[{"category": "HARM_CATEGORY_HARASSMENT"}])

BODIES: dict[str, list[bytes]] = {
    "usual": [CHUNK * 3 + LAST],
    "function calls": [parts(CALL, CALL), parts({"text": "a"}, CALL, thought=True), LAST],
    "thoughts": [parts({"text": "a", "thought": True, "thoughtSignature": "YWI="}), LAST],
    "bad signature": [CHUNK, parts({"thoughtSignature": "\u00e9"}), CHUNK],
    "url-safe signature": [parts({"thoughtSignature": "-_-_"}), parts({"thoughtSignature": "+/+/"})],
    "inline data": [parts({"inlineData": {"data": "YWI=", "mimeType": "image/png"}}), LAST],
    "code": [parts({"executableCode": {"code": "1", "language": "PYTHON"}}), LAST],
    "finish reasons": [parts(finishReason=reason) for reason in ("STOP", "stop", "NEW_ONE", 5)],
    "citations": [parts(citationMetadata={"citationSources": [{"uri": "u"}], "citations": []}), LAST],
    "grounding": [parts(groundingMetadata={"groundingChunks": [{"web": {"uri": "u", "x": 1}}]}), LAST],
    "unknown fields": [chunk(x={"y": [1]}), parts({"text": "a", "x": 1}), parts(x=1), CHUNK],
    "python names": [chunk(model_version="x", usage_metadata={}), parts(finish_reason="STOP"), CHUNK],
    "both names": [parts({"text": "a", "function_call": None, "functionCall": None}), CHUNK],
    "nulls in parts": [
        parts({"text": "a", "thought": None}),
        parts({"text": None, "inlineData": None}),
        CHUNK,
    ],
    "names of arguments": [
        parts({"self": 1, "text": "a"}),
        parts({"value": "b"}),
        parts({"kwargs": {}}),
        CHUNK,
    ],
    "python names in parts": [parts({"thought_signature": "YWI="}), parts({"inline_data": {}}), CHUNK],
    "empty parts": [parts({}), parts("a"), CHUNK],
    "missing fields": [event("{}"), chunk(candidates=[]), chunk(candidates=[{}]), CHUNK],
    "nulls": [event(json.dumps(dict.fromkeys(USUAL))), parts(None), parts(content=None), CHUNK],
    "not objects": [event("null"), CHUNK],
    "a list": [event("[1]"), CHUNK],
    "a number": [CHUNK, event("5"), CHUNK],
    "wrong types": [CHUNK, chunk(candidates="no"), CHUNK],
    "wrong candidates": [CHUNK, chunk(candidates=[1]), CHUNK],
    "an object for a list": [CHUNK, chunk(candidates={"a": 1}), CHUNK],
    "a wrong index": [CHUNK, parts(index="x"), CHUNK],
    "numbers as text": [parts(index="5"), chunk(usageMetadata={"totalTokenCount": "7"})],
    "big numbers": [parts({"functionCall": {"args": {"a": n}}}) for n in (2**53 + 1, 2**70, 1e300)],
    "strange numbers": [event('{"candidates": [{"avgLogprobs": NaN}]}'), event('{"modelVersion": 01}')],
    "own response": [chunk(sdkHttpResponse={"headers": {"a": "b"}}), CHUNK],
    "wrong own response": [chunk(sdkHttpResponse=5), CHUNK],
    "own fields": [chunk(parsed={"a": 1}, automaticFunctionCallingHistory=[]), chunk(createTime="no"), CHUNK],
    "create time": [chunk(createTime="2026-01-02T03:04:05.123456789Z"), CHUNK],
    "feedback": [event(json.dumps({"promptFeedback": {"blockReason": "SAFETY"}}))],
    "comments": [b": hello\n\n", CHUNK, b": {\n\n", CHUNK, b"}\n\n"],
    "CRLF": [CHUNK.replace(b"\n", b"\r\n") * 2],
    "CR": [CHUNK.replace(b"\n", b"\r") * 2],
    "a byte at a time": sizes(CHUNK * 2, 1),
    "several lines of data": [b'data: {"modelVersion":\ndata:  "a"}\n\n', CHUNK],
    "no space": [b'data:{"modelVersion": "a"}\n\n', CHUNK],
    "other fields": [b'id: 1\nevent: x\ndata: {"modelVersion": "a"}\n\n', CHUNK],
    "error": [
        CHUNK,
        event('{"error": {"code": 429, "message": "no", "status": "RESOURCE_EXHAUSTED"}}'),
        CHUNK,
    ],
    "error at the start": [event('{"error": {"code": 500, "message": "no"}}'), CHUNK],
    "error as text": [CHUNK, event('{"error": "no"}'), CHUNK],
    "error without code": [CHUNK, event('{"error": {}}'), CHUNK],
    "error as the second key": [CHUNK, event('{"modelVersion": "m", "error": {"code": 5}}'), CHUNK],
    "error in several lines": [CHUNK, b'{\n "error": {\n  "code": 503,\n  "message": "no"\n }\n}\n', CHUNK],
    "cut JSON": [CHUNK, b'data: {"candidates": [\n\n', CHUNK],
    "cut event": [CHUNK, b'data: {"modelVersion": "a"}'],
    "cut in JSON": [CHUNK, b'data: {"modelVersion": "a'],
    "no JSON": [CHUNK, event("[DONE]"), CHUNK],
    "line separators": [parts({"text": "a\u2028b\u0085c"}), event('{"modelVersion": "\u2028"}')],
    "surrogates": [event(r'{"modelVersion": "\ud800"}'), event(r'{"modelVersion": "\ud83d\ude00"}')],
    "repeated keys": [event('{"modelVersion": "a", "modelVersion": "b"}')],
    "bad UTF-8": [b'data: {"modelVersion": "\xff"}\n\n', CHUNK],
    "nothing": [],
}


def client(server: FakeServer, backend: str = "gemini", **options: Any) -> genai.Client:
    """A client that sends its requests to this server."""
    transport = httpx.MockTransport(server)
    http: dict[str, Any] = {
        "httpx_client": httpx.Client(transport=transport),
        "httpx_async_client": httpx.AsyncClient(transport=transport),
    }
    if not http.keys() <= types.HttpOptions.model_fields.keys():
        http = {"client_args": {"transport": transport}, "async_client_args": {"transport": transport}}
    return genai.Client(
        api_key="key",
        vertexai=backend == "vertex",
        http_options=types.HttpOptions(base_url="http://server", **http, **options),
    )


def start(sdk: Any, mode: str, config: Any = None) -> Any:
    models_ = sdk.models if mode == "sync" else sdk.aio.models
    return models_.generate_content_stream(model="m", contents="Hi", config=config)


def both(
    mode: str, pieces: list[bytes], backend: str = "gemini", config: Any = None, **server: Any
) -> tuple[Outcome, ...]:
    """What a stock client, an accelerated one, and one of a patched process get."""
    stock = client(FakeServer(pieces, **server), backend)
    fast = ssejet.accelerate(stock)
    assert fast is not stock
    expected = outcome(lambda: start(stock, mode, config))
    seen = outcome(lambda: start(fast, mode, config))
    with ssejet.install():
        return expected, seen, outcome(lambda: start(stock, mode, config))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("body", BODIES)
def test_streams_give_what_they_give_without_us(
    body: str, mode: str, backend: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG, "google_genai")
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, *others = both(mode, BODIES[body], backend)
    assert_same(expected, *others)
    if body == "usual":
        assert [item.text for item in expected.items] == ["Hé", "Hé", "Hé", "."]
    lines = [(record.name, record.levelno, record.getMessage()) for record in caplog.records]
    lines = [line for line in lines if line[0].startswith("google_genai")]
    third = len(lines) // 3
    assert lines == lines[:third] * 3


FULL: dict[str, Any] = {
    **USUAL,
    "candidates": [
        {
            "content": {
                "parts": [
                    {"text": "a", "thought": True, "thoughtSignature": "YWI="},
                    CALL,
                    {"inlineData": {"data": "YWI=", "mimeType": "a/b"}},
                ],
                "role": "model",
            },
            "finishReason": "STOP",
            "safetyRatings": [{"category": "HARM_CATEGORY_HARASSMENT", "blocked": False}],
            "groundingMetadata": {"groundingChunks": [{"web": {"uri": "u"}}], "webSearchQueries": ["q"]},
            "avgLogprobs": -0.5,
            "index": 0,
        }
    ],
    "promptFeedback": {"blockReason": "SAFETY"},
}


@pytest.mark.parametrize("backend", BACKENDS)
def test_a_wrong_value_in_any_place_gives_what_it_gives_without_us(backend: str) -> None:
    server = FakeServer([])
    stock = client(server, backend)
    fast = ssejet.accelerate(stock)
    count = 0
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for value in changed(FULL):
            server.pieces = [event(json.dumps(value)) + CHUNK]
            assert_same(outcome(lambda: start(stock, "sync")), outcome(lambda: start(fast, "sync")))
            count += 1
    assert count > 500


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_streams_of_any_content_give_what_they_give_without_us(data: st.DataObject) -> None:
    types.GenerateContentResponse.model_rebuild()
    random = data.draw(st.randoms(use_true_random=False))
    scribe = Scribe(random, data.draw(st.sampled_from([0, 0.01, 0.1])))
    pieces = [
        event(
            scribe.write(types.GenerateContentResponse) if random.random() < 0.9 else random.choice(ODDITIES)
        )
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        assert_same(*both(data.draw(st.sampled_from(MODES)), pieces, data.draw(st.sampled_from(BACKENDS))))


@pytest.mark.parametrize("backend", BACKENDS)
@pytest.mark.parametrize("mode", MODES)
def test_the_sdk_builds_no_usual_chunk_itself(mode: str, backend: str, monkeypatch: Any) -> None:
    fast = ssejet.accelerate(client(FakeServer([CHUNK * 3 + parts(CALL) + LAST]), backend))
    built: list[Any] = []
    build = types.GenerateContentResponse._from_response

    def count(**options: Any) -> Any:
        built.append(options)
        return build(**options)

    monkeypatch.setattr(types.GenerateContentResponse, "_from_response", count)
    result = outcome(lambda: start(fast, mode))
    assert (len(result.items), result.error) == (5, None)
    assert len(built) == 1  # the one of which the SDK's generator returns control


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "config",
    [
        {"response_schema": {"type": "OBJECT"}},
        {"responseJsonSchema": {"type": "object"}},
        types.GenerateContentConfig(response_schema=types.Schema(type=types.Type.STRING)),
        types.GenerateContentConfig(temperature=0.5),
        {"temperature": 0.5},
        {"no such option": 1},
    ],
    ids=["schema", "camel case", "model with schema", "model", "dict", "wrong"],
)
def test_configurations_have_the_effect_that_they_have_without_us(config: Any, mode: str) -> None:
    expected, *others = both(mode, [parts({"text": '{"a": 1}'})], config=config)
    assert_same(expected, *others)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [httpx.ReadError("no"), httpx.ReadTimeout("no")], ids=["error", "timeout"])
def test_broken_connections_raise_what_they_raise_without_us(error: Exception, mode: str) -> None:
    expected, *others = both(mode, [CHUNK] * 2, error=error)
    assert expected.error is not None
    assert_same(expected, *others)


@pytest.mark.parametrize("mode", MODES)
def test_a_response_is_closed_when_its_stream_is_closed(mode: str) -> None:
    server = FakeServer([CHUNK] * 3)
    fast = ssejet.accelerate(client(server))
    if mode == "sync":
        stream = start(fast, mode)
        next(stream)
        stream.close()
    else:

        async def run() -> None:
            stream = await start(fast, mode)
            async for _ in stream:
                break
            await stream.aclose()

        asyncio.run(run())
        assert server.bodies[0].closed
    assert server.bodies[0].sent < 3


@pytest.mark.parametrize("mode", MODES)
def test_functions_are_called_and_chats_remember_as_they_do_without_us(mode: str) -> None:
    def run(make: Any) -> list[Any]:
        bodies = [[parts({"functionCall": {"name": "double", "args": {"number": 2}}}), LAST], [CHUNK, LAST]]
        called: list[int] = []

        def double(number: int) -> int:
            """Double a number."""
            called.append(number)
            return 2 * number

        def answer(request: httpx.Request) -> Any:
            return FakeServer(bodies.pop(0))(request)

        sdk = make(client(answer))  # type: ignore[arg-type]
        config = types.GenerateContentConfig(tools=[double])
        if mode == "sync":
            chat = sdk.chats.create(model="m", config=config)
            items = list(chat.send_message_stream("Hi"))
        else:

            async def read() -> list[Any]:
                return [item async for item in await chat.send_message_stream("Hi")]

            chat = sdk.aio.chats.create(model="m", config=config)
            items = asyncio.run(read())
        return [*items, *chat.get_history(), *called]

    stock = run(lambda sdk: sdk)
    if int(genai.__version__.partition(".")[0]) >= 3:  # older versions call no functions of this stream
        assert stock[-1] == 2
    assert differences(run(ssejet.accelerate), stock) == []
    with ssejet.install():
        assert differences(run(lambda sdk: sdk), stock) == []


@pytest.mark.parametrize("body", ["usual", "function calls", "error", "cut JSON", "CR", "comments"])
def test_streams_over_aiohttp_give_what_they_give_without_us(body: str, server: Server) -> None:
    pytest.importorskip("aiohttp")
    answer = server.answer(b"".join(BODIES[body]))

    async def read(*, fast: bool) -> Outcome:
        sdk = genai.Client(api_key="key", http_options=types.HttpOptions(base_url=answer.url))
        assert sdk._api_client._use_aiohttp()
        items: list[Any] = []
        aio = ssejet.accelerate(sdk.aio) if fast else sdk.aio
        try:
            async for item in await aio.models.generate_content_stream(model="m", contents="Hi"):
                item.sdk_http_response = None  # the date changes
                items.append(item)
        except Exception as error:
            return Outcome(items, error)
        finally:
            await aio.aclose()
        return Outcome(items, None)

    expected = asyncio.run(read(fast=False))
    assert_same(expected, asyncio.run(read(fast=True)))
    with ssejet.install():
        assert_same(expected, asyncio.run(read(fast=False)))
    assert expected.items or expected.error


def test_an_accelerated_client_is_of_the_same_class_and_shares_the_http_client() -> None:
    class Own(genai.Client):
        pass

    stock = client(FakeServer([CHUNK]))
    stock.__class__ = Own
    before = dict(vars(stock))
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, Own)
    assert type(fast).__name__ == "Own"
    assert vars(stock) == before
    assert fast._api_client is stock._api_client
    assert isinstance(fast.aio, type(stock.aio))
    assert isinstance(fast.models, models.Models)
    assert ssejet.accelerate(fast) is fast


def test_the_given_client_may_be_freed_before_the_accelerated_one_and_after() -> None:
    fast = ssejet.accelerate(client(FakeServer([CHUNK])))
    assert len(list(start(fast, "sync"))) == 1
    stock = client(FakeServer([CHUNK]))
    ssejet.accelerate(stock)
    assert len(list(start(stock, "sync"))) == 1


@pytest.mark.parametrize("change", ["function", "method", "result"])
def test_a_version_that_does_not_fit_is_left_alone_with_a_warning(change: str, monkeypatch: Any) -> None:
    _patches.check.cache_clear()
    monkeypatch.setattr(_patches, "_assemblers", {})
    if change == "function":
        monkeypatch.delattr(models, "_GenerateContentResponse_from_vertex")
    elif change == "method":
        monkeypatch.setitem(_patches._STOCK_METHODS, models.Models, lambda *_, **__: iter([1]))
    else:
        plan = ("model", types.GenerateContentResponse, [], None, False)
        monkeypatch.setattr(_patches, "assembler", lambda _: Assembler(plan, []))
    stock = client(FakeServer([CHUNK]))
    with pytest.warns(UnsupportedVersionWarning, match=r"leaves google\.genai .* as it is"):
        assert ssejet.accelerate(stock) is stock


@pytest.mark.parametrize(
    ("given", "ends_lines"),
    [
        ([(types.GenerateContentResponse, [("model_version", repr("\u2028\u2029\x85"))])], False),
        ([(types.GenerateContentResponse, [("model_version", repr("a"))])], True),
        ([(ValueError, "a text that is cut is no JSON")], True),
        ([], True),
    ],
)
def test_versions_show_where_they_end_lines(given: list[Any], ends_lines: bool, monkeypatch: Any) -> None:
    monkeypatch.setattr(_patches, "_see", lambda *_, **__: given)
    assert _patches._has_unicode_lines.__wrapped__(is_async=False) is ends_lines


def test_it_is_reported_as_swapped() -> None:
    with ssejet.install() as report:
        assert report.patched["google.genai"] == genai.__version__
        assert f"google.genai {genai.__version__}: swapped" in str(report)
