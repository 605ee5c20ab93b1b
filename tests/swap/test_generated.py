"""The streams of SDKs that Stainless generated, accelerated and stock."""

from __future__ import annotations

import asyncio
import importlib
import json
import sys
import types
import warnings
from functools import partial
from typing import Any, Literal, TypeVar

import httpx
import pytest
from generated import INSTALLED, WITH_CHAT
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from payloads import ODDITIES, Scribe
from same import differences
from sdks import FakeServer, Outcome, event, outcome, sizes

import ssejet
from ssejet.swap import UnsupportedVersionWarning, _registry
from ssejet.swap._stainless import Package, StainlessSwapIn
from ssejet.swap._support import UnsupportedError

pytestmark = [
    pytest.mark.slow,
    pytest.mark.pairs,  # the sync and the async stream of an SDK share what they do with a body
    pytest.mark.skipif(not INSTALLED, reason="no such SDK is installed"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]

MODES = ["sync", "async"]
T = TypeVar("T")

USUAL: dict[str, Any] = {
    "id": "chatcmpl-1",
    "object": "chat.completion.chunk",
    "created": 1767323045,
    "model": "m",
    "system_fingerprint": "fp",
    "choices": [
        {"index": 0, "delta": {"role": "assistant", "content": "Hé"}, "finish_reason": None, "logprobs": None}
    ],
}


def with_delta(**delta: Any) -> str:
    return json.dumps({**USUAL, "choices": [{"index": 0, "delta": delta, "finish_reason": None}]})


TOOL = {"index": 0, "id": "c", "type": "function", "function": {"name": "f", "arguments": '{"a": '}}
CHUNK = event(json.dumps(USUAL))
DONE = b"data: [DONE]\n\n"

BODIES: dict[str, list[bytes]] = {
    "usual": [CHUNK * 3 + DONE],
    "no sentinel": [CHUNK * 3],
    "after the sentinel": [CHUNK + DONE + CHUNK],
    "sentinel with more": [CHUNK, event("[DONE] "), event("[DONE]x"), CHUNK],
    "tools": [event(with_delta(role="assistant", tool_calls=[TOOL, {**TOOL, "index": 1}])), DONE],
    "usage": [event(json.dumps({**USUAL, "choices": [], "usage": {"prompt_tokens": 1, "total_tokens": 3}}))],
    "unknown fields": [
        event(json.dumps({**USUAL, "x": {"y": [1]}, "_z": 1})),
        event(with_delta(reasoning="r")),
    ],
    "missing fields": [event("{}"), event('{"id": "a"}'), event('{"choices": [{}]}')],
    "wrong types": [
        event(json.dumps({**USUAL, "id": 5, "choices": "no", "created": "now", "model": None})),
        event(json.dumps({**USUAL, "choices": [None, 1, {"delta": [], "index": "0"}]})),
    ],
    "nulls": [event(json.dumps(dict.fromkeys(USUAL))), event("null"), event("[null]")],
    "numbers": [event(json.dumps({**USUAL, "created": number})) for number in (2**53 + 1, 2**70, 1.5, -0.0)],
    "strange numbers": [event('{"created": 1e400, "id": NaN}'), event('{"created": 01}')],
    "comments": [b": hello\n\n", CHUNK, b": a\n: b\n", CHUNK, b": end\n\n"],
    "CRLF": [CHUNK.replace(b"\n", b"\r\n") * 2 + DONE.replace(b"\n", b"\r\n")],
    "a byte at a time": sizes(CHUNK * 2 + DONE, 1),
    "several lines of data": [b'data: {"id":\ndata:  "a"}\n\n', CHUNK],
    "error object": [CHUNK, event('{"error": {"message": "no", "code": 5}}'), CHUNK],
    "error text": [CHUNK, event('{"error": "no"}'), CHUNK],
    "error without message": [CHUNK, event('{"error": {"message": ""}, "id": "a"}'), CHUNK],
    "false error": [CHUNK, event(json.dumps({**USUAL, "error": None})), event('{"error": ""}'), CHUNK],
    "error event": [CHUNK, event('{"error": {"message": "no"}}', "error"), CHUNK],
    "error event with text": [CHUNK, event("no JSON", "error"), CHUNK],
    "error chunk": [CHUNK, event('{"error": {"message": "no"}, "status_code": 500}')],
    "error in a chunk": [event(json.dumps({**USUAL, "error": {"message": "m"}, "status_code": 5})), CHUNK],
    "cut JSON": [CHUNK, b'data: {"id": "a", "cho\n\n', CHUNK],
    "cut event": [CHUNK, b'data: {"id": "a"}'],
    "no JSON": [CHUNK, event("hello"), CHUNK],
    "types of events": [
        event(json.dumps(USUAL), name)
        for name in ("message", "message", "message", "chunk", "ping", "chunk", "chat.completion.chunk")
    ],
    "other types of events": [
        CHUNK,
        event('{"type": "x"}', "message_start"),
        event("{}", "thread.x"),
        event('{"error": {"message": "no"}}', "message"),
        CHUNK,
    ],
    "stop by an event": [CHUNK, event("{}", "message_stop"), CHUNK],
    "nothing": [],
}


def both(
    package: str, mode: str, pieces: list[bytes], cast_to: Any = None, **server: Any
) -> tuple[Outcome, ...]:
    """What a stock client, an accelerated one, and one of a patched process get."""
    sdk = INSTALLED[package]
    stock = sdk.client(FakeServer(pieces, **server), mode)
    fast = ssejet.accelerate(stock)
    assert type(fast) is not type(stock)

    def start(client: Any) -> Any:
        return sdk.chat(client) if cast_to is None else sdk.read(client, cast_to)  # type: ignore[misc]

    expected, seen = outcome(lambda: start(stock)), outcome(lambda: start(fast))
    with ssejet.install():
        return expected, seen, outcome(lambda: start(stock))


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("package", WITH_CHAT)
def test_chat_streams_give_what_they_give_without_us(package: str, body: str, mode: str) -> None:
    expected, *others = both(package, mode, BODIES[body])
    for other in others:
        assert other.differs_from(expected) == []
        assert type(other.error) is type(expected.error)
    if body == "usual":
        assert len(expected.items) == 3


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("body", BODIES)
@pytest.mark.parametrize("package", INSTALLED)
def test_streams_of_any_model_give_what_they_give_without_us(package: str, body: str, mode: str) -> None:
    class Delta(INSTALLED[package].base):  # type: ignore[misc, name-defined]
        role: Literal["assistant"] | None = None
        content: str | None = None

    class Choice(INSTALLED[package].base):  # type: ignore[misc, name-defined]
        index: int
        delta: Delta

    class Chunk(INSTALLED[package].base):  # type: ignore[misc, name-defined]
        id: str
        created: float
        choices: list[Choice]

    for cast_to in (Chunk, object):
        expected, *others = both(package, mode, BODIES[body], cast_to)
        assert [other.differs_from(expected) for other in others] == [[], []]


@pytest.mark.parametrize("package", WITH_CHAT)
@settings(suppress_health_check=[HealthCheck.too_slow], max_examples=60)
@given(data=st.data())
def test_chat_streams_of_any_content_give_what_they_give_without_us(
    package: str, data: st.DataObject
) -> None:
    random = data.draw(st.randoms(use_true_random=False))
    scribe = Scribe(random, data.draw(st.sampled_from([0, 0.01, 0.1])))
    try:
        type_ = INSTALLED[package].chunk_type
    except ImportError:
        pytest.skip("this version has it elsewhere")
    pieces = [
        event(scribe.write(type_) if random.random() < 0.9 else random.choice(ODDITIES))
        for _ in range(data.draw(st.integers(0, 6)))
    ]
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        expected, *others = both(package, data.draw(st.sampled_from(MODES)), pieces)
    assert [other.differs_from(expected) for other in others] == [[], []]


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", WITH_CHAT)
def test_the_sdk_builds_no_usual_chunk_itself(package: str, mode: str, monkeypatch: Any) -> None:
    sdk = INSTALLED[package]
    client = ssejet.accelerate(sdk.client(FakeServer([CHUNK * 3]), mode))

    def fail(*_: Any, **__: Any) -> None:
        raise AssertionError

    base_client = importlib.import_module(f"{package}._base_client").BaseClient
    monkeypatch.setattr(base_client._process_response_data, "__code__", fail.__code__)
    result = outcome(lambda: sdk.chat(client))  # type: ignore[misc]
    assert (len(result.items), result.error) == (3, None)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", INSTALLED)
def test_a_type_of_events_is_learned_if_the_sdk_makes_items_of_it(package: str, mode: str) -> None:
    sdk = INSTALLED[package]
    swap_in = _registry.swap_in(package)

    class Chunk(sdk.base):  # type: ignore[misc, name-defined]
        id: str

    built: list[str] = []
    stock = sdk.client(FakeServer([event('{"id": "a"}', "some.new.type")] * 5), mode)
    fast = ssejet.accelerate(stock)
    process = type(fast)._process_response_data

    def count(*args: Any, **options: Any) -> Any:
        built.append("by the SDK")
        return process(*args, **options)

    expected = outcome(lambda: sdk.read(stock, Chunk))
    type(swap_in)  # the swap-in looks for the SDK's own method
    original = swap_in._stock_process
    swap_in._stock_process = count
    type(fast)._process_response_data = count
    try:
        result = outcome(lambda: sdk.read(fast, Chunk))
    finally:
        swap_in._stock_process = original
        del type(fast)._process_response_data
    assert result.differs_from(expected) == []
    if swap_in.learn("some.new.type"):
        assert len(built) == 1


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", WITH_CHAT)
def test_broken_connections_raise_what_they_raise_without_us(package: str, mode: str) -> None:
    for error in (httpx.ReadError("no"), httpx.ReadTimeout("no"), httpx.RemoteProtocolError("no")):
        expected, *others = both(package, mode, [CHUNK] * 2, error=error)
        assert expected.error is not None
        for other in others:
            assert other.differs_from(expected) == []
            assert type(other.error.__cause__) is type(expected.error.__cause__)  # type: ignore[union-attr]


@pytest.mark.parametrize("package", WITH_CHAT)
def test_raw_and_streaming_responses_give_the_same_items(package: str) -> None:
    sdk = INSTALLED[package]
    stock = sdk.client(FakeServer([CHUNK, CHUNK, DONE]), "sync")
    expected = list(sdk.chat(stock))  # type: ignore[misc]
    fast = ssejet.accelerate(stock)
    raw = sdk.chat(fast.with_raw_response)  # type: ignore[misc]
    assert raw.headers["x-request-id"] == "req_1"
    stream = raw.parse()
    assert stream._iterator.__name__ == "drive"
    assert differences(list(stream), expected) == []
    with sdk.chat(fast.with_streaming_response) as response:  # type: ignore[misc]
        assert differences(list(response.parse()), expected) == []


@pytest.mark.parametrize("package", WITH_CHAT)
async def test_raw_and_streaming_responses_of_async_clients_give_the_same_items(package: str) -> None:
    sdk = INSTALLED[package]
    stock = sdk.client(FakeServer([CHUNK, CHUNK, DONE]), "async")
    expected = [item async for item in await sdk.chat(stock)]  # type: ignore[misc]
    fast = ssejet.accelerate(stock)
    stream = (await sdk.chat(fast.with_raw_response)).parse()  # type: ignore[misc]
    if asyncio.iscoroutine(stream):
        stream = await stream
    assert stream._iterator.__name__ == "adrive"
    assert differences([item async for item in stream], expected) == []
    async with sdk.chat(fast.with_streaming_response) as response:  # type: ignore[misc]
        stream = await response.parse()
        assert differences([item async for item in stream], expected) == []


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", INSTALLED)
def test_an_accelerated_client_is_of_the_same_class_and_copies_are_fast(package: str, mode: str) -> None:
    sdk = INSTALLED[package]
    server = FakeServer([CHUNK])
    stock = sdk.client(server, mode, timeout=5, max_retries=7)
    before = dict(vars(stock))
    fast = ssejet.accelerate(stock)
    assert isinstance(fast, type(stock))
    assert type(fast).__name__ == type(stock).__name__
    assert vars(stock) == before
    assert (fast.timeout, fast.max_retries, fast._client) == (5, 7, stock._client)
    assert ssejet.accelerate(fast) is fast
    assert fast.user_agent == stock.user_agent
    for copy in (fast.copy(), fast.with_options(timeout=1)):
        assert type(copy) is type(fast)


@pytest.mark.parametrize("mode", MODES)
@pytest.mark.parametrize("package", INSTALLED)
def test_clients_that_validate_strictly_and_own_ways_to_make_items_are_left_to_the_sdk(
    package: str, mode: str
) -> None:
    sdk = INSTALLED[package]

    class Chunk(sdk.base):  # type: ignore[misc, name-defined]
        id: str

    class Built(sdk.base):  # type: ignore[misc, name-defined]
        id: str

        @classmethod
        def build(cls, *, response: Any, data: Any) -> Any:
            return ("built", data)

    pieces = [event('{"id": "a"}'), event('{"id": 5}')]
    stock = sdk.client(FakeServer(pieces), mode, _strict_response_validation=True)
    expected = outcome(lambda: sdk.read(stock, Chunk))
    assert len(expected.items) == 1
    assert outcome(lambda: sdk.read(ssejet.accelerate(stock), Chunk)).differs_from(expected) == []
    expected, *others = both(package, mode, pieces, Built)
    assert expected.items == [("built", {"id": "a"}), ("built", {"id": 5})]
    assert [other.differs_from(expected) for other in others] == [[], []]


@pytest.mark.parametrize("package", INSTALLED)
def test_it_is_reported_as_swapped(package: str) -> None:
    importlib.import_module(package)
    with ssejet.install() as report:
        version = importlib.import_module(package).__version__
        assert report.patched[package] == version
        row = next(row for row in report.packages if row.name == package)
        assert row == (package, version, "swapped", "")
        assert f"{package} {version}: swapped" in str(report)


# A package in the likeness of those of Stainless, made at run time: what it has is changed, and found out.


def made_up(monkeypatch: Any, package: str = "groq", name: str = "made_up", **changes: Any) -> str:
    """Make a package of the parts of another, with other attributes of its classes or without them."""
    sources = {part: importlib.import_module(f"{package}.{part}") for part in _registry.PARTS}
    parts = {part: types.ModuleType(f"{name}.{part}") for part in sources}
    for part, module in parts.items():
        vars(module).update({k: v for k, v in vars(sources[part]).items() if not k.startswith("__")})
    for path, value in changes.items():
        owner, _, attribute = path.partition("__")
        for module in parts.values():
            if hasattr(module, owner):
                if not attribute:
                    delattr(module, owner)
                else:
                    stock = getattr(module, owner)
                    body = partial(dict.update, **{f"__{attribute}": value})
                    setattr(module, owner, types.new_class(owner, (stock[T],), {}, body))
    monkeypatch.setitem(sys.modules, name, types.ModuleType(name))
    for module in parts.values():
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return name


needs_groq = pytest.mark.skipif("groq" not in INSTALLED, reason="made of groq's parts")


@needs_groq
def test_a_package_is_known_by_its_parts_and_not_by_its_name(monkeypatch: Any) -> None:
    swap_in = StainlessSwapIn(made_up(monkeypatch))
    swap_in.check()
    assert (swap_in.rules.known, swap_in.rules.idle.event, swap_in.rules.error_key) == ([""], None, "error")


@needs_groq
@pytest.mark.parametrize("part", ["Stream", "construct_type", "field_get_default", "SyncAPIClient"])
def test_a_package_without_one_of_the_parts_is_left_alone(monkeypatch: Any, part: str) -> None:
    with pytest.raises(UnsupportedError, match=f"has no {part}"):
        Package(made_up(monkeypatch, **{part: None}))


def skips_all(self: Any) -> Any:
    yield from ()


def knows_two_errors(self: Any) -> Any:
    for sse in self._iter_events():
        data = sse.json()
        if isinstance(data, dict) and (data.get("error") or data.get("failure")):
            raise ValueError
        yield self._client._process_response_data(data=data, cast_to=self._cast_to, response=self.response)


def minds_a_null(self: Any) -> Any:
    for sse in self._iter_events():
        data = sse.json()
        if isinstance(data, dict) and "failure" in data:
            raise ValueError
        yield self._client._process_response_data(data=data, cast_to=self._cast_to, response=self.response)


@needs_groq
@pytest.mark.parametrize(
    ("generator", "message"),
    [
        (skips_all, "make items of no event"),
        (knows_two_errors, r"know an error by more than one key: \['error', 'failure'\]"),
        (minds_a_null, "make something else of data with the key 'failure'"),
    ],
)
def test_a_package_whose_generator_does_something_else_is_left_alone(
    monkeypatch: Any, generator: Any, message: str
) -> None:
    swap_in = StainlessSwapIn(made_up(monkeypatch, Stream__stream__=generator))
    with pytest.raises(UnsupportedError, match=message):
        swap_in.check()


@needs_groq
def test_a_version_that_does_not_fit_is_left_alone_with_a_warning(monkeypatch: Any) -> None:
    import groq

    def fail() -> None:
        raise UnsupportedError("its streams go backwards")

    monkeypatch.setattr(_registry.swap_in("groq"), "check", fail)
    before = dict(vars(groq.Stream))
    message = f"leaves groq {groq.__version__} as it is: its streams go backwards"
    client = INSTALLED["groq"].client(FakeServer([]), "sync")
    with pytest.warns(UnsupportedVersionWarning, match=message):
        assert ssejet.accelerate(client) is client
    with pytest.warns(UnsupportedVersionWarning, match=message):
        report = ssejet.install()
    with report:
        assert report.left_alone["groq"] == "its streams go backwards"
        assert ("groq", groq.__version__, "left alone", "its streams go backwards") in report.packages
    assert dict(vars(groq.Stream)) == before
