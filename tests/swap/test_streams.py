"""The streams of accelerated clients of both SDKs, against those of stock ones."""

from __future__ import annotations

import asyncio
import gc
import json
import sys
import warnings
import weakref
from typing import Any, TypeVar

import anthropic
import httpx
import openai
import pytest
from anthropic import AnthropicBedrock, AnthropicVertex, AsyncAnthropicBedrock, AsyncAnthropicVertex
from hypothesis import given, settings
from hypothesis import strategies as st
from items import SDK_TYPES, USUAL
from openai import AsyncAzureOpenAI, AzureOpenAI, OpenAI
from openai.types.chat import ChatCompletionChunk
from payloads import ODDITIES, Scribe
from same import differences
from sdks import CLASSES, HTTP, FakeServer, Outcome, event, joined, outcome, sizes

import ssejet
from ssejet.swap._stainless_rules import Rules

T = TypeVar("T")

CALLS: dict[str, Any] = {
    "chat": ("openai", lambda client: client.chat.completions.create(model="m", messages=[], stream=True)),
    "completions": ("openai", lambda client: client.completions.create(model="m", prompt="", stream=True)),
    "responses": ("openai", lambda client: client.responses.create(model="m", input="", stream=True)),
    "threads": (
        "openai",
        lambda client: client.beta.threads.create_and_run(assistant_id="a", stream=True),
    ),
    "messages": (
        "anthropic",
        lambda client: client.messages.create(model="m", max_tokens=1, messages=[], stream=True),
    ),
    "beta messages": (
        "anthropic",
        lambda client: client.beta.messages.create(model="m", max_tokens=1, messages=[], stream=True),
    ),
}
TYPES = {
    "chat": "chunk",
    "completions": "completion",
    "responses": "response event",
    "threads": "assistant event",
    "messages": "message event",
    "beta messages": "beta message event",
}

pytestmark = [
    # pydantic's, when openai-python dumps what is not what it should be.
    pytest.mark.filterwarnings("ignore:Pydantic serializer warnings"),
    pytest.mark.filterwarnings("ignore:The Assistants API is deprecated"),
]


def as_event(call: str, text: str) -> bytes:
    """An item's JSON, as the server of a call sends it."""
    try:
        name = json.loads(text).get("event" if call == "threads" else "type")
    except (AttributeError, ValueError):
        name = None
    if call == "threads" and isinstance(name, str):
        text = json.dumps(json.loads(text).get("data"))
    named = isinstance(name, str) and name.isprintable()
    return event(text, name if named and call not in {"chat", "completions"} else None)


def both(server: FakeServer, call: str, mode: str) -> tuple[Outcome, Outcome]:
    """What a stock client and an accelerated one get from a server."""
    sdk, start = CALLS[call]
    stock = server.client(sdk, mode)
    fast = ssejet.accelerate(stock)
    return outcome(lambda: start(stock)), outcome(lambda: start(fast))


@pytest.fixture(params=["sync", "async"])
def mode(request: pytest.FixtureRequest) -> str:
    return str(request.param)


@pytest.mark.parametrize("call", CALLS)
@settings(
    max_examples=settings().max_examples // 4
)  # an SDK takes a hundred times as long as most of what is tested so
@given(data=st.data())
def test_streams_give_the_items_and_the_error_that_they_give_without_us(
    call: str, data: st.DataObject
) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    mischief = data.draw(st.sampled_from([0, 0, 0.01, 0.1]))
    scribe = Scribe(random, mischief)
    odd = [
        *ODDITIES,
        "[DONE]",
        "[DONE] ",
        "{",
        "",
        '{"error": "no"}',
        '{"error": {"message": "no", "code": 5}}',
    ]
    body = b""
    for _ in range(data.draw(st.integers(0, 5))):
        kind = random.random()
        if kind < 0.7 + 0.3 * (mischief == 0):
            body += as_event(call, scribe.write(SDK_TYPES[TYPES[call]][0]))
        elif kind < 0.9:
            name = random.choice(
                [None, "ping", "error", "message_start", "thread.run.created", "thread.x", "x"]
            )
            body += event(random.choice(odd), name)
        else:
            body += random.choice([b": ping\n\n", b"event: ping\ndata: {}\n\n", b"\n\n"])
    if random.random() < 0.5:
        body += b"data: [DONE]\n\n"
    pieces = sizes(body, random.choice([1, 7, 64, 10**6]))
    mode = data.draw(st.sampled_from(["sync", "async"]))
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stock, fast = both(FakeServer(pieces), call, mode)
    assert fast.differs_from(stock) == []


@pytest.mark.parametrize("call", CALLS)
def test_the_sdk_builds_no_item_that_is_as_it_should_be(call: str, mode: str, monkeypatch: Any) -> None:
    text = json.dumps(USUAL[TYPES[call]])
    server = FakeServer([as_event(call, text) * 3])
    sdk, start = CALLS[call]
    client = ssejet.accelerate(server.client(sdk, mode))
    outcome(lambda: start(client))  # the first one finds out what the SDK does with which events

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    monkeypatch.setattr(f"{sdk}._base_client.BaseClient._process_response_data.__code__", fail.__code__)
    result = outcome(lambda: start(client))
    assert (len(result.items), result.error) == (3, None)


CHUNK = event(json.dumps(USUAL["chunk"]))
DELTA = event(json.dumps(USUAL["message event"]), "content_block_delta")


@pytest.mark.parametrize("size", range(1, 40, 3))
def test_streams_may_be_cut_anywhere(size: int, mode: str) -> None:
    body = joined([CHUNK, b": comment\r\n", CHUNK.replace(b"\n", b"\r\n"), b"data: [DONE]\n\n", CHUNK])
    stock, fast = both(FakeServer(sizes(body, size)), "chat", mode)
    assert len(fast.items) == 2
    assert fast.differs_from(stock) == []


def test_a_version_that_adds_a_missing_type_makes_items_of_data_that_has_one() -> None:
    class Stream(anthropic.Stream[T]):
        def __stream__(self) -> Any:
            for sse in self._iter_events():
                data = sse.json()
                if sse.event == "message_stop":
                    data.setdefault("type", sse.event)
                yield self._client._process_response_data(
                    data=data, cast_to=self._cast_to, response=self.response
                )

    rules = Rules(Stream, anthropic._base_client.SyncAPIClient)
    names = ["message_stop", "ping"]
    assert rules.plain(names) == {"ping"}
    assert rules.plain(names, "type") == {*names}


@pytest.mark.parametrize("named", [True, False])
def test_data_without_a_type_gives_what_it_gives_without_us(mode: str, named: bool) -> None:
    message = {**USUAL["message event"]}
    name = message.pop("type")
    pieces = [event(json.dumps(message), name if named else "message_stop"), DELTA]
    stock, fast = both(FakeServer(pieces), "messages", mode)
    assert len(fast.items) == 2
    assert fast.differs_from(stock) == []


def test_anthropics_pings_are_passed_over_and_its_errors_raised(mode: str) -> None:
    error = event(
        '{"type": "error", "error": {"type": "overloaded_error", "message": "Overloaded"}}', "error"
    )
    ping = event('{"type": "ping"}', "ping")
    body = [ping, DELTA, ping, ping, b"data: {}\n\n", DELTA, ping, DELTA, error, DELTA]
    stock, fast = both(FakeServer([joined(body)]), "messages", mode)
    assert len(fast.items) == 3
    assert fast.error is not None
    assert fast.differs_from(stock) == []


@pytest.mark.parametrize("name", ["content_block_delta", "message", "x"])
def test_events_of_other_types_in_a_stream_of_threads_stay_wrapped(mode: str, name: str) -> None:
    wrapped = event(json.dumps(USUAL["assistant event"]), name)
    stock, fast = both(FakeServer([wrapped * 3]), "threads", mode)
    assert [item.event for item in fast.items] == [name] * 3
    assert fast.differs_from(stock) == []


@pytest.mark.parametrize("name", ["ReadError", "ReadTimeout", "RemoteProtocolError", "ValueError"])
@pytest.mark.parametrize("call", ["chat", "messages"])
def test_broken_connections_raise_what_they_raise_without_us(call: str, mode: str, name: str) -> None:
    error = getattr(HTTP[CALLS[call][0]], name, ValueError)("no")
    stock, fast = both(FakeServer([CHUNK if call == "chat" else DELTA] * 2, error), call, mode)
    assert len(fast.items) == 2
    assert fast.error is not None
    assert fast.differs_from(stock) == []
    assert type(fast.error.__cause__) is type(stock.error.__cause__)  # type: ignore[union-attr]


@pytest.mark.parametrize("call", ["chat", "messages"])
def test_responses_are_closed_however_a_stream_ends(call: str, mode: str) -> None:
    piece = CHUNK if call == "chat" else DELTA
    sdk, start = CALLS[call]
    for pieces, error in (
        ([piece], None),
        ([piece, b"data: [DONE]\n\n", piece], None),
        ([piece, event('{"error": "no"}', "error")], None),
        ([piece], HTTP[sdk].ReadError("broken")),
    ):
        server = FakeServer(pieces, error)
        outcome(lambda server=server: start(ssejet.accelerate(server.client(sdk, mode))))
        assert server.bodies[0].closed


@pytest.mark.parametrize("call", ["chat", "messages"])
def test_a_stream_that_is_dropped_or_left_closes_its_response_at_once(call: str) -> None:
    server = FakeServer([CHUNK if call == "chat" else DELTA] * 5)
    sdk, start = CALLS[call]
    client = ssejet.accelerate(server.client(sdk, "sync"))
    gc.disable()
    try:
        stream = start(client)
        next(stream)
        assert not server.bodies[0].closed
        del stream
        assert server.bodies[0].closed
    finally:
        gc.enable()
    with start(client) as stream:
        next(stream)
    assert server.bodies[1].closed


async def test_an_async_stream_that_is_left_is_closed_with_its_response() -> None:
    server = FakeServer([CHUNK] * 5)
    client = ssejet.accelerate(server.client("openai", "async"))
    async with await client.chat.completions.create(model="m", messages=[], stream=True) as stream:
        async for _ in stream:
            break
        assert not server.bodies[0].closed
        assert [chunk.id for chunk in [await anext(stream)]] == ["chatcmpl-1"]
    assert server.bodies[0].closed


async def test_cancelling_closes_the_response() -> None:
    server = FakeServer([CHUNK], hangs=True)
    client = ssejet.accelerate(server.client("openai", "async"))
    stream = await client.chat.completions.create(model="m", messages=[], stream=True)
    await anext(stream)
    task = asyncio.ensure_future(anext(stream))
    await asyncio.sleep(0)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert server.bodies[0].closed


def test_iterating_may_stop_and_go_on() -> None:
    client = ssejet.accelerate(FakeServer([CHUNK] * 5).client("openai", "sync"))
    stream = client.chat.completions.create(model="m", messages=[], stream=True)
    for _ in stream:
        break
    assert len(list(stream)) == 4
    assert list(stream) == []


@pytest.mark.parametrize(("sdk", "mode"), CLASSES)
def test_an_accelerated_client_is_of_the_same_class_and_leaves_the_other_as_it_was(
    sdk: str, mode: str
) -> None:
    stock = FakeServer([]).client(sdk, mode, timeout=5, max_retries=7)
    resource = stock.completions if sdk == "openai" else stock.messages
    before = dict(vars(stock))
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, CLASSES[sdk, mode])
    assert type(fast).__name__ == CLASSES[sdk, mode].__name__
    assert type(stock) is CLASSES[sdk, mode]
    assert vars(stock) == before
    assert (fast.timeout, fast.max_retries, fast.api_key) == (5, 7, "key")
    assert fast._client is stock._client
    assert (fast.completions if sdk == "openai" else fast.messages) is not resource
    assert ssejet.accelerate(fast) is fast
    assert fast.user_agent == stock.user_agent


@pytest.mark.parametrize("call", ["chat", "messages"])
def test_copies_of_an_accelerated_client_are_accelerated(call: str) -> None:
    sdk, start = CALLS[call]
    server = FakeServer([CHUNK if call == "chat" else DELTA])
    fast = ssejet.accelerate(server.client(sdk, "sync"))
    for copy in (fast.copy(), fast.with_options(timeout=1), fast.with_options(timeout=1).copy()):
        assert type(copy) is type(fast)
        assert type(start(copy)) is type(start(fast))


def test_azure_is_accelerated(mode: str) -> None:
    server = FakeServer([CHUNK, b"data: [DONE]\n\n"])
    cls = AzureOpenAI if mode == "sync" else AsyncAzureOpenAI
    stock = server.client("openai", mode, cls=cls, api_version="1")
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, cls)
    expected = outcome(lambda: CALLS["chat"][1](stock))
    assert outcome(lambda: CALLS["chat"][1](fast)).differs_from(expected) == []
    assert server.requests[0].url == server.requests[1].url


def test_classes_that_users_derive_are_accelerated() -> None:
    class Mine(OpenAI):
        def __init__(self, secret: str, **options: Any) -> None:
            super().__init__(**options)
            self.secret = secret

    stock = FakeServer([CHUNK]).client("openai", "sync", cls=Mine, secret="s")
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, Mine)
    assert fast.secret == "s"
    assert len(list(fast.chat.completions.create(model="m", messages=[], stream=True))) == 1


def test_a_client_class_of_the_users_dies_after_it_was_accelerated() -> None:
    class Mine(OpenAI):
        pass

    stock = FakeServer([CHUNK]).client("openai", "sync", cls=Mine)
    fast = ssejet.accelerate(stock)
    assert type(ssejet.accelerate(stock)) is type(fast)
    assert len(list(fast.chat.completions.create(model="m", messages=[], stream=True))) == 1
    alive = weakref.ref(Mine)
    del Mine, stock, fast
    gc.collect()
    assert alive() is None


def test_streams_are_the_sdks_own(mode: str) -> None:
    client = ssejet.accelerate(FakeServer([CHUNK]).client("openai", mode))
    stream = CALLS["chat"][1](client)
    if mode == "async":
        stream = asyncio.run(stream)
    assert isinstance(stream, openai.Stream if mode == "sync" else openai.AsyncStream)
    assert isinstance(stream.response, HTTP["openai"].Response)


def test_raw_and_streaming_responses_work_as_ever() -> None:
    server = FakeServer([CHUNK, CHUNK, b"data: [DONE]\n\n"])
    stock = server.client("openai", "sync")
    request: Any = {"model": "m", "messages": [], "stream": True}
    expected = list(stock.chat.completions.create(**request))
    completions = ssejet.accelerate(stock).chat.completions
    raw = completions.with_raw_response.create(**request)
    assert raw.headers["x-request-id"] == "req_1"
    assert differences(list(raw.parse()), expected) == []
    with completions.with_streaming_response.create(**request) as response:
        assert differences(list(response.parse()), expected) == []
    with completions.with_streaming_response.create(**request) as response:
        assert len(list(response.iter_lines())) == 6

    class Mine(openai.Stream[ChatCompletionChunk]):
        pass

    with completions.with_streaming_response.create(**request) as response:
        stream = response.parse(to=Mine)
        assert type(stream) is Mine
        assert differences(list(stream), expected) == []


@pytest.mark.parametrize("call", ["chat", "messages"])
async def test_raw_and_streaming_responses_of_async_clients_work_as_ever(call: str) -> None:
    sdk, start = CALLS[call]
    stock = FakeServer([CHUNK if call == "chat" else DELTA] * 2).client(sdk, "async")
    expected = [item async for item in await start(stock)]
    assert len(expected) == 2
    fast = ssejet.accelerate(stock)
    raw = await start(fast.with_raw_response)
    assert raw.headers["x-request-id"] == "req_1"
    stream = raw.parse()
    if asyncio.iscoroutine(stream):
        stream = await stream
    assert stream._iterator.__name__ == "adrive"
    assert differences([item async for item in stream], expected) == []
    async with start(fast.with_streaming_response) as response:
        stream = await response.parse()
        assert stream._iterator.__name__ == "adrive"
        assert differences([item async for item in stream], expected) == []


def test_what_is_not_streamed_is_as_it_was() -> None:
    answer: dict[str, Any] = {
        "id": "c",
        "object": "chat.completion",
        "created": 1,
        "model": "m",
        "choices": [],
        "extra": 1,
    }

    http = HTTP["openai"]

    def respond(_: Any) -> Any:
        return http.Response(200, json=answer, headers={"x-request-id": "r"})

    stock = OpenAI(api_key="k", http_client=http.Client(transport=http.MockTransport(respond)))
    fast = ssejet.accelerate(stock)
    one, other = (client.chat.completions.create(model="m", messages=[]) for client in (stock, fast))
    assert one._request_id == other._request_id == "r"
    assert differences(other, one) == []
    raw = fast.chat.completions.with_raw_response.create(model="m", messages=[])
    assert raw.http_response.json() == answer


def test_clients_that_validate_strictly_go_on_to_do_so(mode: str) -> None:
    server = FakeServer([CHUNK, event('{"id": 5}')])
    stock = server.client("openai", mode, _strict_response_validation=True)
    fast = ssejet.accelerate(stock)
    expected = outcome(lambda: CALLS["chat"][1](stock))
    assert isinstance(expected.error, openai.APIResponseValidationError)
    assert outcome(lambda: CALLS["chat"][1](fast)).differs_from(expected) == []


def test_a_client_that_makes_its_items_itself_goes_on_to_do_so() -> None:
    class Mine(OpenAI):
        def _process_response_data(self, *, data: object, **_: Any) -> Any:
            return ("mine", data)

    client = ssejet.accelerate(FakeServer([event("{}")] * 2).client("openai", "sync", cls=Mine))
    assert list(CALLS["chat"][1](client)) == [("mine", {})] * 2


def test_items_of_other_types_are_the_sdks_to_make(mode: str) -> None:
    server = FakeServer([event('{"a": 1}'), event("[1]"), b"data: [DONE]\n\n"])
    stock = server.client("openai", mode)
    fast = ssejet.accelerate(stock)
    stream_cls: Any = openai.Stream if mode == "sync" else openai.AsyncStream
    for type_ in (object, dict[str, object]):
        expected, seen = (
            outcome(lambda t=type_, c=client: c.post("/x", cast_to=t, stream=True, stream_cls=stream_cls[t]))
            for client in (stock, fast)
        )
        assert seen.differs_from(expected) == []
        assert seen.items == [{"a": 1}, [1]] or sys.version_info < (
            3,
            11,
        )  # where openai takes a dict for a class


def test_old_httpx_clients_are_accelerated_as_well() -> None:
    def answer(_: httpx.Request) -> httpx.Response:
        return httpx.Response(200, content=CHUNK * 2, headers={"content-type": "text/event-stream"})

    client = OpenAI(api_key="k", http_client=httpx.Client(transport=httpx.MockTransport(answer)))  # type: ignore[arg-type]
    assert len(list(CALLS["chat"][1](ssejet.accelerate(client)))) == 2


def test_a_byte_order_mark_and_malformed_utf_8_no_longer_lose_events(mode: str) -> None:
    body = b"\xef\xbb\xbf" + CHUNK + CHUNK.replace(b"chatcmpl-1", b"chat\xffcmpl")
    result = outcome(lambda: CALLS["chat"][1](ssejet.accelerate(FakeServer([body]).client("openai", mode))))
    assert ([chunk.id for chunk in result.items], result.error) == (["chatcmpl-1", "chat\ufffdcmpl"], None)


def test_blocks_without_data_no_longer_break_a_stream(mode: str) -> None:
    body = [b"id: 5\n\n", CHUNK, b"\n\n\n", b"event: x\n\n", CHUNK]
    result = outcome(lambda: CALLS["chat"][1](ssejet.accelerate(FakeServer(body).client("openai", mode))))
    assert (len(result.items), result.error) == (2, None)


@pytest.mark.parametrize("cls", [AnthropicBedrock, AsyncAnthropicBedrock])
def test_streams_of_another_format_are_left_alone_with_a_warning(cls: Any) -> None:
    client = cls(aws_region="us-east-1", aws_access_key="a", aws_secret_key="b")
    stock = client._make_sse_decoder
    with pytest.warns(ssejet.swap.UnsupportedVersionWarning, match=f"{cls.__name__} are not event streams"):
        assert ssejet.accelerate(client) is client
    with ssejet.install():
        assert client._make_sse_decoder == stock


def test_clients_like_anthropics_whose_streams_are_event_streams_are_accelerated(mode: str) -> None:
    cls = AnthropicVertex if mode == "sync" else AsyncAnthropicVertex
    http = HTTP["anthropic"].Client if mode == "sync" else HTTP["anthropic"].AsyncClient
    server = FakeServer([DELTA] * 2)
    stock: Any = cls(
        region="here",
        project_id="p",
        access_token="t",
        http_client=http(transport=HTTP["anthropic"].MockTransport(server)),
    )
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, cls)
    expected, result = (outcome(lambda c=client: CALLS["messages"][1](c)) for client in (stock, fast))
    assert len(expected.items) == 2
    assert result.differs_from(expected) == []
    assert server.requests[0].url == server.requests[1].url
    stream = CALLS["messages"][1](fast)
    if mode == "async":
        stream = asyncio.run(stream)
    assert stream._iterator.__name__ in {"drive", "adrive"}


@pytest.mark.parametrize("what", [None, 5, openai, OpenAI, httpx.Client, "client", ChatCompletionChunk])
def test_only_clients_of_the_sdks_can_be_accelerated(what: Any) -> None:
    with pytest.raises(
        TypeError, match=r"accelerate\(\) takes a client of openai, anthropic, .*ssejet doctor"
    ):
        ssejet.accelerate(what)
