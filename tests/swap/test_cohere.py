"""The streams of cohere's `chat_stream`, accelerated and stock."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import ODDITIES, Scribe
from sdks import FakeServer, Outcome, assert_same, event, outcome, sizes

import ssejet
from ssejet.swap import UnsupportedVersionWarning
from wrong_values import changed

if TYPE_CHECKING:
    from servers import Server

cohere = pytest.importorskip("cohere")
pytest.importorskip("cohere.core.http_sse", reason="older versions read streams in another way")

from cohere.v2 import raw_client  # noqa: E402
from cohere.v2.types.v2chat_stream_response import V2ChatStreamResponse  # noqa: E402

from ssejet.swap import _fern  # noqa: E402
from ssejet.swap.cohere import _patches  # noqa: E402

pytestmark = pytest.mark.slow

MODES = ["sync", "async"]


def typed(type_: str, **members: Any) -> bytes:
    return event(json.dumps({"type": type_, **members}, ensure_ascii=False), type_)


def message(**members: Any) -> dict[str, Any]:
    return {"message": members}


CHUNK = typed("content-delta", index=0, delta=message(content={"text": "Hé"}))
CALL = {"id": "c", "type": "function", "function": {"name": "f", "arguments": ""}}
SOURCE = {"type": "tool", "id": "s", "tool_output": {"a": [1, None]}}
CITATION = {"start": 0, "end": 2, "text": "Hé", "sources": [SOURCE], "type": "TEXT_CONTENT"}
USAGE = {"billed_units": {"input_tokens": 5, "output_tokens": 1.0}, "tokens": {"input_tokens": 71.5}}
START = typed("message-start", id="i", delta=message(role="assistant", content=[], tool_calls=[]))
END = typed("message-end", id="i", delta={"finish_reason": "COMPLETE", "usage": USAGE})
DONE = b"data: [DONE]\n\n"

BODIES: dict[str, list[bytes]] = {
    "usual": [START, typed("content-start", index=0), CHUNK * 3, typed("content-end", index=0), END, DONE],
    "tools": [
        typed("tool-plan-delta", delta=message(tool_plan="I")),
        typed("tool-call-start", index=0, delta=message(tool_calls=CALL)),
        typed("tool-call-delta", index=0, delta=message(tool_calls={"function": {"arguments": "{"}})),
        typed("tool-call-end", index=0),
    ],
    "citations": [
        typed("citation-start", index=0, delta=message(citations=CITATION)),
        typed("citation-end", index=0),
    ],
    "thinking": [typed("content-delta", index=0, delta=message(content={"thinking": "Hm"})), CHUNK],
    "logprobs": [
        typed("content-delta", logprobs={"text": "a", "token_ids": [1, 2], "logprobs": [-0.5, 1]}),
        typed("content-delta", logprobs={"token_ids": ["1"]}),
        CHUNK,
    ],
    "debug": [typed("debug", prompt="p"), CHUNK],
    "finish reasons": [typed("message-end", delta={"finish_reason": reason}) for reason in ("ERROR", "x", 5)],
    "no names": [event(json.dumps({"type": "content-end", "index": 1})), CHUNK],
    "another name": [event(json.dumps({"type": "content-end", "index": 1}), "other"), CHUNK],
    "unknown fields": [typed("content-delta", x={"y": [1]}, delta=message(z=1)), CHUNK],
    "other cases": [typed("content-delta", Index=1, DELTA=1), typed("content-end", index=1, ınDEX=2), CHUNK],
    "missing fields": [typed("content-delta"), event("{}"), event('{"index": 1}'), CHUNK],
    "unknown types": [typed("no-such-type", index=1), typed("CONTENT-END", index=1), CHUNK],
    "nulls": [typed("content-delta", index=None, delta=None), event('{"type": null}'), event("null"), CHUNK],
    "not objects": [event("[1]"), event("5"), event('"a"'), CHUNK],
    "wrong types": [typed("content-delta", index="1", delta=[]), typed("content-end", index={}), CHUNK],
    "big numbers": [typed("content-end", index=number) for number in (2**53 + 1, 2**70, 1.0, 1.5, True)],
    "strange numbers": [event('{"type": "content-end", "index": 01}'), event('{"a": NaN}'), CHUNK],
    "an error": [event('{"message": "no"}', "error"), CHUNK],
    "comments": [CHUNK, b": hello\n\n", CHUNK, b": {\n\n", CHUNK],
    "CRLF": [CHUNK.replace(b"\n", b"\r\n") * 2],
    "CR": [CHUNK.replace(b"\n", b"\r") * 2],
    "a byte at a time": sizes(CHUNK * 2, 1),
    "pieces": sizes(START + CHUNK * 3 + END + DONE, 7),
    "several lines of data": [CHUNK, b'data: {"type":\ndata:  "content-end"}\n\n', CHUNK],
    "no space": [b'event:content-end\ndata:{"type": "content-end"}\n\n', CHUNK],
    "ids and times": [CHUNK, b"id: 1\nretry: 5\n\n", CHUNK, b"retry: 5\nid: a\n", CHUNK],
    "only a type": [CHUNK, b"event: ping\n\n", CHUNK],
    "only an id": [b"id: 1\n\n", CHUNK],
    "data after the end": [CHUNK, DONE, CHUNK],
    "no end": [CHUNK],
    "cut JSON": [CHUNK, event('{"type": "content'), CHUNK],
    "cut event": [CHUNK, b'event: content-end\ndata: {"type": "content-end"}'],
    "cut line": [CHUNK, b'data: {"type": "content-end"}\n'],
    "no JSON": [CHUNK, event("hello"), event("{"), CHUNK],
    "line separators": [typed("debug", prompt="a\u2028b\u0085c\x0b"), CHUNK],
    "surrogates": [event(r'{"type": "debug", "prompt": "\ud800"}'), event(r'{"prompt": "\ud83d\ude00"}')],
    "repeated keys": [event('{"type": "debug", "prompt": "a", "prompt": "b"}'), CHUNK],
    "bad UTF-8": [b'data: {"type": "debug", "prompt": "\xff"}\n\n', CHUNK],
    "a byte order mark": [b"\xef\xbb\xbf" + CHUNK, CHUNK],
    "a long line": [CHUNK, *sizes(typed("debug", prompt="a" * 1_100_000), 300_000), CHUNK],
    "nothing": [],
}


def client(server: Any, mode: str = "sync", **options: Any) -> Any:
    """A client that sends its requests to this server."""
    transport = httpx.MockTransport(server)
    if mode == "sync":
        return cohere.ClientV2(api_key="key", httpx_client=httpx.Client(transport=transport), **options)
    http = httpx.AsyncClient(transport=transport)
    return cohere.AsyncClientV2(api_key="key", httpx_client=http, **options)


def start(sdk: Any) -> Any:
    stream = sdk.chat_stream(model="m", messages=[{"role": "user", "content": "Hi"}])
    if not hasattr(stream, "__aiter__"):
        return stream

    async def awaited() -> Any:
        return stream

    return awaited()


def both(mode: str, pieces: list[bytes], **server: Any) -> tuple[Outcome, ...]:
    """What a stock client, an accelerated one, and one of a patched process get."""
    stock = client(FakeServer(pieces, **server), mode)
    fast = ssejet.accelerate(stock)
    assert fast is not stock
    expected = outcome(lambda: start(stock))
    seen = outcome(lambda: start(fast))
    with ssejet.install():
        return expected, seen, outcome(lambda: start(stock))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("body", BODIES)
def test_streams_give_and_log_what_they_do_without_us(
    body: str, mode: str, caplog: pytest.LogCaptureFixture
) -> None:
    expected, *others = both(mode, BODIES[body])
    assert_same(expected, *others)
    if body == "usual":
        assert [item.type for item in expected.items[1:4]] == ["content-start", *["content-delta"] * 2]
    lines = [
        (record.name, record.levelno, record.getMessage(), record.funcName, record.lineno)
        for record in caplog.records
        if record.name == "root" or record.name.startswith("cohere")
    ]
    third = len(lines) // 3
    assert lines == lines[:third] * 3


def test_a_wrong_value_in_any_place_gives_what_it_gives_without_us() -> None:
    server = FakeServer([])
    stock = client(server)
    fast = ssejet.accelerate(stock)
    count = 0
    for full in (
        {"type": "content-delta", "index": 0, "delta": message(content={"text": "a"})},
        {"type": "message-end", "id": "i", "delta": {"finish_reason": "COMPLETE", "usage": USAGE}},
        {"type": "tool-call-start", "index": 0, "delta": message(tool_calls=CALL)},
        {"type": "citation-start", "index": 0, "delta": message(citations=CITATION)},
    ):
        for value in changed(full):
            server.pieces = [event(json.dumps(value), "x") + CHUNK]
            assert_same(outcome(lambda: start(stock)), outcome(lambda: start(fast)))
            count += 1
    assert count > 500


@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_streams_of_any_content_give_what_they_give_without_us(data: st.DataObject) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    scribe = Scribe(random, data.draw(st.sampled_from([0, 0.01, 0.1])))
    pieces = [
        event(scribe.write(V2ChatStreamResponse) if random.random() < 0.9 else random.choice(ODDITIES), "x")
        for _ in range(data.draw(st.integers(0, 4)))
    ]
    assert_same(*both(data.draw(st.sampled_from(MODES)), pieces))


@pytest.mark.parametrize("mode", MODES)
def test_the_sdk_builds_no_usual_event_itself(mode: str, monkeypatch: Any) -> None:
    fast = ssejet.accelerate(client(FakeServer([START, CHUNK * 3, END, DONE]), mode))

    def parse(*_: Any) -> Any:
        raise AssertionError("the SDK parses")

    monkeypatch.setattr("cohere.core.pydantic_utilities.parse_obj_as", parse)
    result = outcome(lambda: start(fast))
    assert (len(result.items), result.error) == (5, None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("error", [httpx.ReadError("no"), httpx.ReadTimeout("no")], ids=["error", "timeout"])
def test_broken_connections_raise_what_they_raise_without_us(error: Exception, mode: str) -> None:
    expected, *others = both(mode, [CHUNK, CHUNK[:20]], error=error)
    assert expected.error is not None
    assert_same(expected, *others)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize(
    "headers",
    [{}, {"content-type": "text/plain"}, {"content-type": "text/event-stream; charset=latin-1"}],
    ids=["none", "text", "charset"],
)
def test_other_content_gives_what_it_gives_without_us(headers: dict[str, str], mode: str) -> None:
    def answer(_: Any) -> Any:
        return httpx.Response(200, headers=headers, stream=_fern.Chunks([CHUNK]))

    stock = client(answer, mode)
    assert_same(outcome(lambda: start(stock)), outcome(lambda: start(ssejet.accelerate(stock))))


@pytest.mark.parametrize("mode", MODES)
def test_refused_requests_raise_what_they_raise_without_us(mode: str) -> None:
    stock = client(lambda _: httpx.Response(403, json={"message": "no"}), mode)
    expected = outcome(lambda: start(stock))
    assert type(expected.error).__name__ == "ForbiddenError"
    assert_same(expected, outcome(lambda: start(ssejet.accelerate(stock))))


@pytest.mark.parametrize("mode", MODES)
def test_a_response_is_closed_when_its_stream_is_closed(mode: str) -> None:
    server = FakeServer([CHUNK] * 3)
    stream = ssejet.accelerate(client(server, mode)).chat_stream(model="m", messages=[])
    if mode == "sync":
        next(stream)
        stream.close()
    else:

        async def read() -> None:
            async for _ in stream:
                break
            await stream.aclose()

        asyncio.run(read())
    assert server.bodies[0].closed
    assert server.bodies[0].sent < 3


@pytest.mark.parametrize("body", ["usual", "tools", "CRLF", "comments", "cut JSON"])
@pytest.mark.parametrize("mode", MODES)
def test_streams_of_a_real_server_give_what_they_give_without_us(
    body: str, mode: str, server: Server
) -> None:
    url = server.answer(b"".join(BODIES[body])).url

    def read(make: Any) -> Outcome:
        if mode == "sync":
            with httpx.Client() as http:
                return outcome(lambda: start(make(cohere.ClientV2("key", base_url=url, httpx_client=http))))

        async def read_async() -> Outcome:
            async with httpx.AsyncClient() as http:
                sdk = make(cohere.AsyncClientV2("key", base_url=url, httpx_client=http))
                return Outcome([item async for item in sdk.chat_stream(model="m", messages=[])], None)

        return asyncio.run(read_async())

    expected = read(lambda sdk: sdk)
    assert expected.items
    assert_same(expected, read(ssejet.accelerate))


def test_an_accelerated_client_is_of_the_same_class_and_shares_the_http_client() -> None:
    class Own(cohere.ClientV2):  # type: ignore[misc]
        pass

    stock = client(FakeServer([CHUNK]))
    stock.__class__ = Own
    before = dict(vars(stock))
    fast = ssejet.accelerate(stock)
    assert type(fast) is Own
    assert vars(stock) == before
    assert fast._client_wrapper is stock._client_wrapper
    assert ssejet.accelerate(fast) is fast
    assert type(fast.with_raw_response).__name__ == type(stock.with_raw_response).__name__


def test_a_client_of_version_1_gets_a_fast_client_of_version_2(monkeypatch: Any) -> None:
    http = httpx.Client(transport=httpx.MockTransport(FakeServer([CHUNK])))
    fast = ssejet.accelerate(cohere.Client(api_key="key", httpx_client=http))
    monkeypatch.setattr("cohere.core.pydantic_utilities.parse_obj_as", None)
    assert len(list(fast.v2.chat_stream(model="m", messages=[]))) == 1
    assert ssejet.accelerate(fast.v2) is fast.v2


@pytest.mark.parametrize("change", ["function", "result", "parts"])
def test_a_version_that_does_not_fit_is_left_alone_with_a_warning(change: str, monkeypatch: Any) -> None:
    _patches.check.cache_clear()
    if change == "function":
        monkeypatch.setitem(_patches._STOCK, raw_client.RawV2Client, raw_client.RawV2Client.chat)
    elif change == "result":
        plan = ("model", type(next(start(client(FakeServer([CHUNK]))))), [], None, False)
        monkeypatch.setattr(_fern._Planner, "plan_of", lambda *_: plan)
        monkeypatch.setattr(_patches._fern, "_built_type", None)
    else:
        monkeypatch.setattr(_patches, "_bodies", lambda: 1 / 0)
    stock = client(FakeServer([CHUNK]))
    with pytest.warns(UnsupportedVersionWarning, match=r"leaves cohere .* as it is"):
        assert ssejet.accelerate(stock) is stock
    _patches._fern._built_type = None


def test_it_is_reported_as_swapped() -> None:
    with ssejet.install() as report:
        assert report.patched["cohere"] == cohere.__version__
        assert f"cohere {cohere.__version__}: swapped" in str(report)
