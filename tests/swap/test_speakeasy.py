"""SDKs that Speakeasy generated: mistralai, stock against accelerated."""

from __future__ import annotations

import asyncio
import gc
import importlib
import json
import warnings
from contextlib import nullcontext, suppress
from functools import cache
from inspect import signature
from itertools import pairwise
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from payloads import Scribe
from same import differences
from sdks import Body, FakeServer, event, joined, sizes

import ssejet
from ssejet._core import BlockDecoder
from ssejet.swap import _registry, _speakeasy
from ssejet.swap._speakeasy import assembler_of

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.slow


def _find() -> Any:
    """Import the package with the SDK's client, which depends on the version."""
    for name in ("mistralai.client", "mistralai"):
        with suppress(ImportError, AttributeError):
            return importlib.import_module(name).Mistral
    return pytest.skip("mistralai is not installed", allow_module_level=True)


Mistral = _find()
ROOT = Mistral.__module__.removesuffix(".sdk")
streaming: Any = importlib.import_module(f"{ROOT}.utils.eventstreaming")
serializers: Any = importlib.import_module(f"{ROOT}.utils.serializers")
models: Any = importlib.import_module(f"{ROOT}.models")
http: Any = streaming.httpx

MESSAGES = [{"role": "user", "content": "Hello!"}]


def chunk(content: Any = "Hi", **more: Any) -> dict[str, Any]:
    choice = {"index": 0, "delta": {"role": "assistant", "content": content}, "finish_reason": None}
    return {
        "id": "cmpl-1",
        "object": "chat.completion.chunk",
        "created": 1702256327,
        "model": "mistral-small-latest",
        "choices": [choice],
        **more,
    }


def choice(finish_reason: Any = None, **delta: Any) -> dict[str, Any]:
    return chunk(choices=[{"index": 0, "delta": delta, "finish_reason": finish_reason}])


CALL = {"id": "D681PevKs", "function": {"name": "weather", "arguments": '{"city": "Rome"}'}, "index": 0}
USAGE = {"prompt_tokens": 4, "completion_tokens": 3, "total_tokens": 7}
USUAL = [
    chunk(),
    chunk(""),
    chunk([{"type": "text", "text": "Hm"}]),
    chunk(
        [
            {"type": "thinking", "thinking": [{"type": "text", "text": "Well"}]},
            {"type": "text", "text": "Yes"},
        ]
    ),
    chunk([{"type": "reference", "reference_ids": [1, 2]}]),
    choice("tool_calls", content="", tool_calls=[CALL]),
    choice(tool_calls=[{**CALL, "type": "function", "function": {"name": "f", "arguments": {"a": [1]}}}]),
    choice("stop", content=""),
    chunk(usage=USAGE, choices=[]),
    chunk(usage={**USAGE, "prompt_audio_seconds": None, "more": {"a": 1}}),
]
ODD = [
    chunk(None),
    chunk([]),
    chunk([{"type": "no such type", "text": 1}]),
    chunk([{"text": "no type"}]),
    chunk([{"type": None}]),
    chunk([{"type": "text"}]),
    chunk([{"type": "thinking", "thinking": [{"type": "reference"}]}]),
    chunk(5),
    chunk(created="5"),
    chunk(created=1.0),
    chunk(created=1.5),
    chunk(created=None),
    chunk(created=10**30),
    chunk(model=None),
    chunk(p="unknown", choices=[]),
    choice("no such reason", content="a"),
    choice(5),
    choice(role=None, content=None, tool_calls=None),
    choice(tool_calls=[]),
    choice(tool_calls={}),
    choice(tool_calls=[{"function": {"name": "f"}}]),
    choice(tool_calls=[{**CALL, "id": None, "index": None}]),
    choice(prefix=True, more=[1]),
    chunk(usage={}),
    chunk(usage={"prompt_tokens": "4"}),
    chunk(usage=None),
    {"object": "error", "message": "Service unavailable", "type": "internal", "code": "3000"},
    {},
]
RAW = [
    b"data: [DONE]\n\n",
    b"data:[DONE]\r\n\r\n",
    b"data: [DONE] \n\n",
    b": keep-alive\n\n",
    b": \xff\n\n",
    b"data: \xff\n\n",
    b"event: message\n\n",
    b"id: 1\n\n",
    b"id: 1\nretry: 5\nevent: x\ndata: " + json.dumps(chunk()).encode() + b"\n\n",
    b"data\n\n",
    b"data: \n\n",
    b"data: null\n\n",
    b"data: 5\n\n",
    b'data: "text"\n\n',
    b'data: {"id": "cut\n\n',
    b'data: {"id": "\\ud800", "model": "m", "choices": []}\n\n',
    b'data: {"id": "a", "id": "b", "model": "m", "choices": []}\n\n',
    b'data: {"id": "a", "model": "m", "choices": [], "created": NaN}\n\n',
    b'data: {"id": "a", "model": "m",\ndata: "choices": []}\n\n',
    b'data:  {"id": "a", "model": "m", "choices": []}\n\n',
    b'data: {"id": "a", "model": "m", "choices": []} \n\n',
    b'data: {"id": "a", "model": "m", "choices": []}, "data": {}\n\n',
    b"\xef\xbb\xbfdata: " + json.dumps(chunk()).encode() + b"\n\n",
    b"unknown: field\n\n",
    b"\n\n\n",
    b"data: " + b"[" * 250 + b"]" * 250 + b"\n\n",
]
GOOD = event(json.dumps(chunk()))

EVENTS = [
    {"type": "conversation.response.started", "created_at": "2026-01-02T03:04:05Z", "conversation_id": "c"},
    {"type": "message.output.delta", "id": "m", "content": "Hi", "role": "assistant", "agent_id": None},
    {"type": "message.output.delta", "id": "m", "content": {"type": "text", "text": "Hi"}, "output_index": 1},
    {"type": "function.call.delta", "id": "f", "name": "f", "tool_call_id": "t", "arguments": "{}"},
    {"type": "conversation.response.done", "usage": {**USAGE, "connector_tokens": None}},
    {"type": "conversation.response.error", "message": "no", "code": 500},
    {"type": "message.output.delta", "id": None},
    {"type": "no.such.event", "a": 1},
    {"id": "no type"},
]


@cache
def is_swapped() -> bool:
    """Whether this version is accelerated; if not, the tests compare nothing."""
    return _registry.swap_in(_registry._speakeasy(ROOT)).check() is None


def client(server: Any, mode: str = "sync", *, fast: bool = False, cls: Any = None) -> Any:
    """A client whose server is a function, and whose HTTP client stays open."""
    library = http.Client if mode == "sync" else http.AsyncClient
    name = "client" if mode == "sync" else "async_client"
    transport = http.MockTransport(server)
    made = (cls or Mistral)(api_key="key", server_url="http://server", **{name: library(transport=transport)})
    return ssejet.accelerate(made) if fast else made


def describe(error: BaseException | None) -> Any:
    if error is None:
        return None
    more = [getattr(error, name, None) for name in ("body", "status_code", "message")]
    return type(error), str(error), more, describe(error.__cause__)


def chat(made: Any) -> Any:
    return made.chat.stream(model="m", messages=MESSAGES)


def achat(made: Any) -> Any:
    return made.chat.stream_async(model="m", messages=MESSAGES)


def conversation(made: Any) -> Any:
    return made.beta.conversations.start_stream(inputs="Hello!", model="m")


def aconversation(made: Any) -> Any:
    return made.beta.conversations.start_stream_async(inputs="Hello!", model="m")


CALLS = {("chat", "sync"): chat, ("chat", "async"): achat}
if hasattr(models, "ConversationEvents"):
    CALLS |= {("conversation", "sync"): conversation, ("conversation", "async"): aconversation}


def read(call: Callable[[Any], Any], made: Any) -> tuple[list[Any], Any]:
    """Read a stream to its end: its items, and the error that ended it."""
    items: list[Any] = []

    async def read_async() -> None:
        async for item in await call(made):
            items.append(item)  # noqa: PERF401 - an error must not lose what was before it

    try:
        if call in {achat, aconversation}:
            asyncio.run(read_async())
        else:
            for item in call(made):
                items.append(item)  # noqa: PERF402
    except Exception as error:
        return items, describe(error)
    return items, None


def generator_of(stream: Any) -> Any:
    return getattr(stream, "generator", stream)


def is_fast(stream: Any) -> bool:
    generator = generator_of(stream)
    code = getattr(generator, "gi_code", None) or generator.ag_code
    return code.co_name in {"drive", "adrive"}


@cache
def pair(mode: str) -> tuple[FakeServer, Any, Any]:
    """A server, and a stock and a fast client of it. To make them for each stream would cost much."""
    server = FakeServer([])
    return server, client(server, mode), client(server, mode, fast=True)


def assert_same(pieces: list[bytes], kind: str, mode: str, error: Exception | None = None) -> int:
    """Compare what a body gives, and give the number of items."""
    call = CALLS[kind, mode]
    server, stock_client, fast_client = pair(mode)
    server.pieces, server.error = pieces, error
    server.bodies.clear()
    server.requests.clear()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        stock = read(call, stock_client)
        fast = read(call, fast_client)
    assert differences(stock[0], fast[0], "items") == [], pieces
    assert stock[1] == fast[1], pieces
    return len(stock[0])


@pytest.fixture(autouse=True)
def _swapped() -> None:
    assert is_swapped()


@pytest.mark.parametrize("kind_mode", CALLS, ids="-".join)
def test_usual_streams_give_the_same_items(kind_mode: tuple[str, str]) -> None:
    kind, mode = kind_mode
    if kind == "chat":
        events = [event(json.dumps(each)) for each in USUAL]
    else:
        events = [event(json.dumps(each), each["type"]) for each in EVENTS[:5]]
    body = joined([*events, b"data: [DONE]\n\n"] if kind == "chat" else events)
    for pieces in (
        events,
        [body],
        sizes(body, 7),
        [body.replace(b"\n", b"\r\n")],
        [body.replace(b"\n", b"\r")],
    ):
        assert_same(pieces, kind, mode)


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_one_odd_event_gives_what_the_sdk_gives(mode: str) -> None:
    for odd in [*[event(json.dumps(each)) for each in ODD], *RAW]:
        assert_same([GOOD + odd, GOOD, odd[:-1]], "chat", mode)
        assert_same([GOOD, odd[:-1]], "chat", mode)


@pytest.mark.skipif(("conversation", "sync") not in CALLS, reason="this version has no conversations")
def test_one_odd_event_of_a_conversation_gives_what_the_sdk_gives() -> None:
    good = event(json.dumps(EVENTS[1]), "message.output.delta")
    for each in EVENTS:
        for name in {each.get("type"), "no.such.event", "", None}:
            assert_same([good, event(json.dumps(each), name), good], "conversation", "sync")


FEWER = settings(max_examples=settings().max_examples // 4 or 1)
BLOCKS = st.one_of(
    st.sampled_from([event(json.dumps(each)) for each in [*USUAL, *ODD]]),
    st.sampled_from(RAW),
    st.sampled_from(
        [GOOD, GOOD.replace(b"\n", b"\r\n"), GOOD.replace(b"\n", b"\r"), b"\n", b"\r", b"\xef\xbb\xbf"]
    ),
)


@FEWER
@given(
    st.lists(BLOCKS, max_size=6),
    st.lists(st.integers(0, 400), max_size=5),
    st.sampled_from(["sync", "async"]),
)
@example([b"data: [DONE]\n\n", GOOD], [], "sync")
@example([GOOD, b"data: [DONE]\n\n", GOOD, GOOD], [], "async")
@example([b"\n\n\n: \xff\n\n"], [], "sync")
@example([GOOD, b"\r\n\r", b"\n", GOOD], [len(GOOD) + 3], "sync")
@example([GOOD, b"\xef\xbb\xbf", GOOD], [len(GOOD)], "sync")
@example([GOOD, b"\xef\xbb\xbf", GOOD], [len(GOOD) + 1], "sync")
def test_any_stream_cut_anywhere_gives_what_the_sdk_gives(
    blocks: list[bytes], cuts: list[int], mode: str
) -> None:
    body = joined(blocks)
    places = sorted({0, len(body), *(cut % (len(body) + 1) for cut in cuts)})
    assert_same([body[a:b] for a, b in pairwise(places)], "chat", mode)


@FEWER
@given(st.randoms(use_true_random=False), st.sampled_from([0, 0.01, 0.05, 0.2]))
def test_what_is_built_of_random_values_equals_what_the_sdk_builds(random: Any, mischief: float) -> None:
    names = ["CompletionEvent", "ConversationEvents", "TranscriptionStreamEvents", "SpeechStreamEvents"]
    name = random.choice([each for each in names if hasattr(models, each)])
    type_ = getattr(models, name)
    data = Scribe(random, mischief).write(type_.model_fields["data"].annotation)
    head = "" if "event" not in type_.model_fields else "event: message.output.delta\n"
    body = f"{head}data: {data}\n\n".encode("utf-8", "surrogatepass")
    swap_in = _registry.swap_in(_registry._speakeasy(ROOT))

    def decode(text: str) -> Any:
        return serializers.unmarshal_json(text, type_)

    def see(make: Callable[..., Any]) -> Any:
        found: list[Any] = []
        try:
            response = Body([body])
            given_ = SimpleNamespace(iter_bytes=lambda: iter(response), close=response.close)
            for item in make(given_):
                found.append(item)  # noqa: PERF402
        except Exception as error:
            found.append(describe(error))
        return found

    assembler = assembler_of(type_)
    assert assembler is not None, name
    stock = swap_in._stock["stream_events"]
    fast = see(lambda response: swap_in._fast(stock, assembler, response, decode, "[DONE]"))
    assert differences(see(lambda response: stock(response, decode, "[DONE]")), fast) == []


@pytest.mark.parametrize("type_", ["CompletionEvent", "ConversationEvents"])
def test_usual_events_are_built_without_the_sdk(type_: str) -> None:
    if not hasattr(models, type_):
        pytest.skip("this version has no such events")
    model = getattr(models, type_)
    decoder = BlockDecoder(assembler_of(model), boundaries=[b"\n\n"], strips_bom=True)
    count = 0
    for each in USUAL if type_ == "CompletionEvent" else EVENTS[:5]:
        with suppress(ValueError):  # older versions do not know all of them
            serializers.unmarshal_json(json.dumps({"event": each.get("type"), "data": each}), model)
            (item,) = decoder.feed(event(json.dumps(each), each.get("type")))
            assert type(item) is model, each
            count += 1
    assert count >= 5


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_an_error_of_the_connection_comes_after_the_items_before_it(mode: str) -> None:
    error = http.ReadError("the connection broke")
    assert assert_same([GOOD, GOOD + GOOD[:20]], "chat", mode, error) == 2


def test_streams_of_agents_and_of_fim_are_fast() -> None:
    made = client(FakeServer([GOOD]), fast=True)
    if "agent_id" in signature(made.agents.stream).parameters:
        agent = made.agents.stream(agent_id="a", messages=MESSAGES)
    else:
        agent = made.agents.stream(model="m", prompt="def")
    for stream in (
        agent,
        made.fim.stream(model="m", prompt="def"),
        made.chat.stream(model="m", messages=MESSAGES),
    ):
        assert is_fast(stream)
        assert [type(each).__name__ for each in stream] == ["CompletionEvent"]


def test_a_stream_that_is_left_early_closes_its_response() -> None:
    def see(fast: bool) -> list[Any]:
        server = FakeServer([GOOD] * 5)
        with client(server, fast=fast).chat.stream(model="m", messages=MESSAGES) as stream:
            seen: list[Any] = [next(stream).data.id]
        seen += [server.bodies[0].closed, server.bodies[0].sent]
        if hasattr(stream, "_closed"):
            seen.append(next(stream, "ended"))
        return seen

    if not hasattr(streaming, "EventStream"):
        pytest.skip("this version has no with form")
    assert see(fast=True) == see(fast=False)


def test_an_async_stream_that_is_left_early_closes_its_response() -> None:
    async def see(fast: bool) -> list[Any]:
        server = FakeServer([GOOD] * 5)
        stream = await achat(client(server, "async", fast=fast))
        async with stream:
            seen: list[Any] = [(await anext(stream)).data.id]
        return [*seen, server.bodies[0].closed, server.bodies[0].sent]

    if not hasattr(streaming, "EventStreamAsync"):
        pytest.skip("this version has no with form")
    assert asyncio.run(see(fast=True)) == asyncio.run(see(fast=False))


def test_nothing_is_read_before_the_first_item_is_asked_for() -> None:
    server = FakeServer([GOOD])
    stream = chat(client(server, fast=True))
    assert server.bodies[0].sent == 0
    assert len(list(stream)) == 1


def test_the_given_client_does_not_change() -> None:
    given_client = client(FakeServer([GOOD]))
    fast = ssejet.accelerate(given_client)
    assert (type(fast).__name__, type(fast).__module__) == (Mistral.__name__, Mistral.__module__)
    assert isinstance(fast, Mistral)
    assert is_fast(chat(fast))
    assert not is_fast(chat(given_client))
    assert ssejet.accelerate(fast) is fast
    assert fast.sdk_configuration is given_client.sdk_configuration


def test_the_http_client_stays_open_while_the_fast_client_lives() -> None:
    fast = ssejet.accelerate(Mistral(api_key="key"))
    http_client = fast.sdk_configuration.client
    gc.collect()
    assert http_client is not None
    assert not http_client.is_closed


def test_the_parts_of_a_fast_client_belong_to_it() -> None:
    given_client = client(FakeServer([GOOD]))
    assert given_client.chat is not None  # newer versions make it now
    fast = ssejet.accelerate(given_client)
    assert fast.chat is not given_client.chat
    assert fast.chat is fast.chat
    if hasattr(fast.chat, "parent_ref"):
        assert fast.chat.parent_ref is fast
        assert fast.beta.conversations.parent_ref is fast


def test_a_subclass_of_the_client_keeps_its_own_methods() -> None:
    class Mine(Mistral):  # type: ignore[misc, valid-type]
        def greet(self) -> str:
            return "hello"

    fast = client(FakeServer([GOOD]), fast=True, cls=Mine)
    assert isinstance(fast, Mine)
    assert fast.greet() == "hello"
    assert is_fast(chat(fast))


def test_install_makes_the_streams_of_all_clients_fast_and_uninstall_undoes_it() -> None:
    before = [streaming.stream_events, streaming.stream_events_async]
    made = client(FakeServer([GOOD]))
    with ssejet.install() as report:
        assert "mistralai" in report.patched
        row = next(row for row in report.packages if row.name == "mistralai")
        assert row.state == "swapped"
        assert row.version == importlib.metadata.version("mistralai")
        assert is_fast(chat(made))
        assert is_fast(chat(client(FakeServer([GOOD]), fast=True)))
    assert [streaming.stream_events, streaming.stream_events_async] == before
    assert not is_fast(chat(made))


def test_a_function_that_does_more_than_to_make_an_item_is_left_to_the_sdk() -> None:
    patched = _registry.swap_in(_registry._speakeasy(ROOT)).PATCHES[0].value
    response: Any = SimpleNamespace(iter_bytes=lambda: iter([GOOD]), close=lambda: None)
    for decode in (json.loads, lambda raw: len(raw), lambda raw: json.loads(raw)["data"]["id"]):
        (item,) = patched(response, decode)
        (expected,) = streaming.stream_events(response, decode)
        assert item == expected


def test_what_is_no_client_is_told_that_mistralai_is_known() -> None:
    with pytest.raises(TypeError, match="mistralai"):
        ssejet.accelerate(object())


def test_private_sdks_inside_other_packages_are_left_out() -> None:
    assert _registry._speakeasy("google.genai._gaos") is None
    assert _registry._speakeasy("mistralai.client") == "mistralai"
    assert _speakeasy.MARK == _registry._SPEAKEASY_MARK


@pytest.mark.parametrize("mode", ["sync", "async"])
def test_a_real_server_gives_the_same_items(server: Any, mode: str) -> None:
    usual = [chunk(), choice("stop", content=""), chunk(usage=USAGE)] * 3
    body = joined([event(json.dumps(each)) for each in usual])
    answer = server.answer(*sizes(body, 500), b": ping\n\n", b"data: [DONE]\n\n")

    async def read_async(fast: bool) -> list[Any]:
        made = Mistral(api_key="key", server_url=answer.url)
        mistral = ssejet.accelerate(made) if fast else made
        async with mistral if hasattr(mistral, "__aenter__") else nullcontext():
            items = [item async for item in await achat(mistral)]
            await asyncio.sleep(0)  # asyncio closes a connection in its next step
            return items

    def see(fast: bool) -> list[Any]:
        if mode == "async":
            return asyncio.run(read_async(fast))
        made = Mistral(api_key="key", server_url=answer.url)
        mistral = ssejet.accelerate(made) if fast else made
        with mistral if hasattr(mistral, "__enter__") else nullcontext():
            return list(chat(mistral))

    stock = see(fast=False)
    assert len(stock) == len(usual)
    assert differences(stock, see(fast=True)) == []
