"""The application of Durable Streams, over each engine. The protocol's own tests are in another file."""

from __future__ import annotations

import base64
import json
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING, Any

import anyio
import anyio.lowlevel
import httpx
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from ssejet import Decoder
from ssejet.hub import AsyncHub, HubError, durable_streams
from ssejet.hub.durable_streams._content_type import ContentType

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Awaitable, Callable

    from ssejet import ServerSentEvent

JSON = {"content-type": "application/json"}
TEXT = {"content-type": "text/plain"}
BYTES = {"content-type": "application/octet-stream"}

Client = httpx.AsyncClient


@asynccontextmanager
async def client_of(app: Any) -> AsyncIterator[Client]:
    async with Client(transport=httpx.ASGITransport(app), base_url="http://test", timeout=30) as client:
        yield client


@pytest.fixture
def serve(
    play: Callable[..., None],
) -> Callable[..., None]:
    """Runs a scenario with a client of the application: with each engine, on each event loop."""

    def serve(
        scenario: Callable[[Client, AsyncHub], Awaitable[None]],
        *,
        hub: dict[str, Any] | None = None,
        **options: Any,
    ) -> None:
        async def run(each: AsyncHub) -> None:
            app = durable_streams.app(each, **{"long_poll_timeout": 20, "sse_lifetime": 20, **options})
            async with client_of(app) as client:
                await scenario(client, each)

        play(run, **(hub or {}))

    return serve


def offset_of(response: httpx.Response) -> str:
    return response.headers["stream-next-offset"]


def events_of(response: httpx.Response) -> list[ServerSentEvent]:
    assert response.headers["content-type"] == "text/event-stream"
    return Decoder().feed(response.content)


def texts(response: httpx.Response) -> str:
    return "".join(event.data for event in events_of(response) if event.event == "data")


def error_of(response: httpx.Response) -> str:
    assert response.json()["error"]["message"]
    return response.json()["error"]["code"]


def test_messages_of_json_stay_as_they_were_sent(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        await client.put("/s", headers=JSON, content=b' [ {"b": 1e999,"a":1.0} , [[1]] ] ')
        await client.post("/s", headers=JSON, content=b'{"big":123456789012345678901234567890,\n"a":1,"a":2}')
        expected = b'[{"b": 1e999,"a":1.0},[[1]],{"big":123456789012345678901234567890,\n"a":1,"a":2}]'
        assert (await client.get("/s")).content == expected

    serve(scenario)


@pytest.mark.parametrize(
    "body",
    [
        b"[1,",
        b"",
        b" ",
        b"[]",
        b"NaN",
        b"\xff",
        b'["\xff"]',
        b'"\\ud800"',
        # Deeper than any stack: from CPython 3.14 on, its size decides.
        b"[" * 1_000_000 + b"]" * 1_000_000,
        b"1 2",
    ],
    ids=[
        "cut",
        "empty",
        "space",
        "no-message",
        "nan",
        "no-utf-8",
        "nested-no-utf-8",
        "surrogate",
        "deep",
        "two",
    ],
)
async def test_a_body_that_is_no_message_is_refused(body: bytes) -> None:
    async with AsyncHub() as hub, client_of(durable_streams.app(hub)) as client:
        await client.put("/s", headers=JSON)
        answer = await client.post("/s", headers=JSON, content=body)
        assert answer.status_code == 400
        assert error_of(answer) in ("invalid-json", "empty-array", "empty-body")
        assert (await client.get("/s")).content == b"[]"


HOSTILE = {
    "offset=1": "invalid-offset",
    "offset=": "invalid-offset",
    "offset=-2": "invalid-offset",
    "offset=0000000000000000_": "invalid-offset",
    "offset=٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠٠_00": "invalid-offset",
    "offset=0000000000000000_00%0A": "invalid-offset",
    "offset=-1&offset=-1": "repeated-parameter",
    "live=sse": "no-offset",
    "offset=-1&live=true": "invalid-live",
    "offset=9999999999999999_{}": "offset-gone",
    "offset=0000000000000000_0123456789": "offset-gone",
    "offset=-1&x=" + "x" * 5000: "long-query",
}


@pytest.mark.parametrize(
    "query", [pytest.param(query, id=str(number)) for number, query in enumerate(HOSTILE)]
)
def test_an_offset_that_the_server_has_not_sent_is_answered(serve: Callable[..., None], query: str) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        incarnation = offset_of(await client.put("/s", headers=JSON)).partition("_")[2]
        answer = await client.get("/s?" + query.format(incarnation))
        assert 400 <= answer.status_code < 500
        assert error_of(answer) == HOSTILE[query]

    serve(scenario)


async def test_headers_that_make_no_sense_are_answered() -> None:
    async with AsyncHub() as hub, client_of(durable_streams.app(hub)) as client:
        await client.put("/s", headers=JSON)
        for headers in (
            {"content-type": "json"},
            {"content-type": "a/b" + "x" * 1000},
            {"stream-ttl": "9" * 100},
            {"stream-ttl": "-1"},
            {"stream-expires-at": "2030-02-31T00:00:00Z"},
            {"stream-expires-at": "tomorrow"},
            {"stream-ttl": "1", "stream-expires-at": "2030-01-01T00:00:00Z"},
        ):
            assert (await client.put("/new", headers=headers)).status_code == 400, headers
        for headers in (
            {"producer-id": "a"},
            {"producer-id": "", "producer-epoch": "0", "producer-seq": "0"},
            {"producer-id": "a", "producer-epoch": "-1", "producer-seq": "0"},
            {"producer-id": "a", "producer-epoch": "0", "producer-seq": str(2**53)},
            {"producer-id": "a" * 1000, "producer-epoch": "0", "producer-seq": "0"},
            {"stream-seq": ""},
            {"content-type": "x"},
        ):
            answer = await client.post("/s", headers={**JSON, **headers}, content=b"1")
            assert answer.status_code == 400, headers
        assert (await client.put("/" + "x" * 2000, headers=JSON)).status_code == 414
        assert (await client.put("/f", headers={"stream-forked-from": "/s"})).status_code == 501
        assert (await client.get("/__ds/subscriptions/1")).status_code == 501
        assert (await client.request("PATCH", "/s")).status_code == 405
        assert (await client.head("/new")).status_code == 404


def test_an_application_that_repeats_a_request_appends_once(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        await client.put("/s", headers=TEXT)

        async def send(epoch: int, seq: int, body: str) -> httpx.Response:
            headers = {"producer-id": "é1", "producer-epoch": str(epoch), "producer-seq": str(seq)}
            return await client.post(
                "/s",
                headers={**TEXT, **{k: v.encode("latin-1") for k, v in headers.items()}},
                content=body,  # type: ignore[dict-item]
            )

        assert (await send(0, 0, "a")).status_code == 200
        assert (await send(0, 1, "b")).status_code == 200
        repeated = await send(0, 0, "a")
        assert (repeated.status_code, repeated.headers["producer-seq"]) == (204, "1")
        gap = await send(0, 3, "d")
        assert (gap.status_code, gap.headers["producer-expected-seq"]) == (409, "2")
        assert (await send(1, 0, "c")).status_code == 200
        stale = await send(0, 2, "x")
        assert (stale.status_code, stale.headers["producer-epoch"]) == (403, "1")
        assert (await client.get("/s")).text == "abc"

    serve(scenario)


def test_requests_that_come_at_once_are_appended_in_one_order(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        offsets: dict[str, str] = {}

        async def send(number: int) -> None:
            answer = await client.post("/s", headers=JSON, content=str(number))
            assert answer.status_code == 204
            offsets[offset_of(answer)] = str(number)

        await client.put("/s", headers=JSON)
        async with anyio.create_task_group() as tasks:
            for number in range(100):
                tasks.start_soon(send, number)
        found = (await client.get("/s")).json()
        assert [str(number) for number in found] == [offsets[offset] for offset in sorted(offsets)]
        assert sorted(found) == list(range(100))

    serve(scenario)


def test_one_of_two_requests_makes_the_stream(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        statuses: list[int] = []

        async def make(body: str) -> None:
            statuses.append((await client.put("/s", headers=TEXT, content=body)).status_code)

        async with anyio.create_task_group() as tasks:
            for _ in range(5):
                tasks.start_soon(make, "once")
        assert sorted(statuses) == [200, 200, 200, 200, 201]
        assert (await client.get("/s")).text == "once"

    serve(scenario)


@pytest.mark.parametrize("live", ["long-poll", "sse"])
def test_a_client_that_waits_gets_what_comes_and_the_end(serve: Callable[..., None], live: str) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        offset = offset_of(await client.put("/s", headers=TEXT, content="old"))
        found: list[str] = []

        async def read() -> None:
            nonlocal offset
            while True:
                answer = await client.get("/s", params={"offset": offset, "live": live})
                if live == "sse":
                    found.append(texts(answer))
                    control = json.loads(events_of(answer)[-1].data)
                    assert control["streamClosed"] is True
                    return
                found.append(answer.text)
                offset = offset_of(answer)
                if answer.headers.get("stream-closed"):
                    return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            for part in ("a", "b\n", "\r\n c"):
                await client.post("/s", headers=TEXT, content=part)
            await client.post("/s", headers={**TEXT, "stream-closed": "true"}, content="d")
        text = "ab\n\r\n cd"
        assert "".join(found) == (text if live == "long-poll" else text.replace("\r", ""))

    serve(scenario)


@pytest.mark.parametrize("live", ["long-poll", "sse"])
def test_a_client_that_waits_is_told_when_the_stream_is_deleted(
    serve: Callable[..., None], live: str
) -> None:
    async def scenario(client: Client, hub: AsyncHub) -> None:
        answers: list[httpx.Response] = []

        async def read() -> None:
            answers.append(await client.get("/s", params={"offset": "-1", "live": live}))

        await client.put("/s", headers=TEXT)
        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await one_waits(hub)
            assert (await client.delete("/s")).status_code == 204
        if live == "long-poll":
            assert answers[0].status_code == 404
        else:
            assert [event.event for event in events_of(answers[0])] == ["control"]

    serve(scenario)


async def one_waits(hub: AsyncHub) -> None:
    """Return when a client waits for messages."""
    engine: Any = hub._engine
    engine = getattr(engine, "_engine", engine)
    feeds = engine._reader.feeds if hasattr(engine, "_reader") else engine._followed
    while not any(feed.signal._waiters or feed.signal._lot for feed in feeds.values()):  # noqa: ASYNC110
        await anyio.sleep(0.001)


def test_bytes_are_sent_in_chunks_and_as_base64(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        body = bytes(range(256)) * 12_000
        closed = {**BYTES, "stream-closed": "true"}
        assert (await client.put("/s", headers=closed, content=body)).status_code == 201
        found, offset, count = b"", "-1", 0
        while True:
            answer = await client.get("/s", params={"offset": offset})
            found, offset, count = found + answer.content, offset_of(answer), count + 1
            if answer.headers.get("stream-closed"):
                break
            assert "stream-up-to-date" not in answer.headers
        assert (found, count) == (body, 3)
        answer = await client.get("/s", params={"offset": "-1", "live": "sse"})
        assert answer.headers["stream-sse-data-encoding"] == "base64"
        parts = [event.data for event in events_of(answer) if event.event == "data"]
        assert b"".join(map(base64.b64decode, parts)) == body
        assert len(parts) >= 3

    serve(scenario)


def test_events_never_cut_a_character_in_two(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        text = "aé€😀" * 40_000
        raw = text.encode()
        await client.put("/s", headers=TEXT, content=raw[:100_001])
        for start in range(100_001, len(raw), 99_999):
            await client.post("/s", headers=TEXT, content=raw[start : start + 99_999])
        cut = "😀".encode()
        await client.post("/s", headers=TEXT, content=cut[:1])
        results: list[str] = []

        async def read() -> None:
            results.append(texts(await client.get("/s", params={"offset": "-1", "live": "sse"})))

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(read)
            await client.post("/s", headers=TEXT, content=cut[1:2])
            await client.post("/s", headers=TEXT, content=cut[2:])
            await client.post("/s", headers={**TEXT, "stream-closed": "true"}, content=b"\xe2\x82")
        assert results == [text + "😀\N{REPLACEMENT CHARACTER}"]

    serve(scenario)


def test_events_of_a_large_text_never_cut_a_character_in_two(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        text = "€" * 800_000
        await client.put("/s", headers={**TEXT, "stream-closed": "true"}, content=text)
        answer = await client.get("/s", params={"offset": "-1", "live": "sse"})
        parts = [event.data for event in events_of(answer) if event.event == "data"]
        assert "".join(parts) == text
        assert len(parts) >= 3

    serve(scenario)


def test_text_that_is_no_utf_8_is_sent_all_the_same(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        part = b"a" * 65_535 + b"\xc3"
        await client.put("/s", headers=TEXT)
        for _ in range(20):
            await client.post("/s", headers=TEXT, content=part)
        await client.post("/s", headers={"stream-closed": "true"})
        answer = await client.get("/s", params={"offset": "-1", "live": "sse"})
        assert texts(answer) == (part * 20).decode(errors="replace")

    serve(scenario)


def test_a_sequence_number_of_the_application_is_used_once(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        await client.put("/s", headers=TEXT)
        statuses = [
            (await client.post("/s", headers={**TEXT, "stream-seq": seq}, content=seq)).status_code
            for seq in ("a", "a", "B", "b", "aa")
        ]
        assert statuses == [204, 409, 409, 204, 409]
        assert (await client.get("/s")).text == "ab"

    serve(scenario)


def test_the_end_of_a_stream_is_no_message(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        offset = offset_of(await client.put("/s", headers=TEXT, content="a"))
        answers = [await client.post("/s", headers={"stream-closed": "true"}) for _ in range(2)]
        answers += [await client.get("/s", params={"offset": each}) for each in ("-1", "now", offset)]
        answers += [
            await client.get("/s", params={"offset": offset, "live": "long-poll"}),
            await client.head("/s"),
        ]
        assert {offset_of(answer) for answer in answers} == {offset}
        assert {answer.headers["stream-closed"] for answer in answers} == {"true"}
        assert [answer.text for answer in answers] == ["", "", "a", "", "", "", ""]

    serve(scenario)


async def test_a_stream_has_so_many_producers_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("ssejet.hub.durable_streams._writes._MAX_PRODUCERS", 2)
    async with AsyncHub() as hub, client_of(durable_streams.app(hub)) as client:
        await client.put("/s", headers=TEXT)
        for id, seq, status in (("a", 0, 200), ("a", 1, 200), ("b", 0, 200), ("c", 0, 429), ("a", 2, 200)):
            headers = {**TEXT, "producer-id": id, "producer-epoch": "0", "producer-seq": str(seq)}
            assert (await client.post("/s", headers=headers, content="x")).status_code == status


def test_a_charset_that_events_do_not_have_is_sent_as_base64(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        latin = {"content-type": "text/plain; charset=ISO-8859-1", "stream-closed": "true"}
        await client.put("/s", headers=latin, content=b"\xe9")
        assert (await client.post("/s", headers=TEXT, content=b"x")).status_code == 409
        answer = await client.get("/s", params={"offset": "-1", "live": "sse"})
        assert base64.b64decode(texts(answer)) == b"\xe9"
        assert (await client.get("/s")).headers["content-type"] == latin["content-type"]

    serve(scenario)


def test_messages_that_were_dropped_are_gone_and_the_rest_can_be_read(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        old = offset_of(await client.put("/s", headers=JSON, content=b"[0]"))
        for number in range(1, 20):
            await client.post("/s", headers=JSON, content=str(number))
        for live in ("", "&live=sse", "&live=long-poll"):
            answer = await client.get(f"/s?offset={old}{live}")
            assert (answer.status_code, error_of(answer)) == (410, "offset-gone")
        first = answer.headers["stream-first-offset"]
        assert (await client.get("/s", params={"offset": first})).json() == list(range(10, 20))
        answer = await client.get("/s")
        assert (answer.json(), answer.headers["stream-first-offset"]) == (list(range(10, 20)), first)

    serve(scenario, hub={"max_events": 10})


def test_an_offset_of_a_stream_that_was_made_again_is_gone(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        old = offset_of(await client.put("/s", headers=JSON, content=b"[1]"))
        await client.delete("/s")
        assert (await client.post("/s", headers=JSON, content=b"2")).status_code == 404
        await client.put("/s", headers=JSON, content=b"[3]")
        assert (await client.get("/s", params={"offset": old})).status_code == 410

    serve(scenario)


def test_streams_have_the_lifetimes_that_they_were_made_with(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, hub: AsyncHub) -> None:
        await client.put("/short", headers={**JSON, "stream-ttl": "300"})
        await client.put("/over", headers={**JSON, "stream-expires-at": "2001-01-01T01:01:01.5+01:00"})
        await client.put("/long", headers=JSON)
        assert (await client.get("/over")).status_code == 404
        # The hub's own lifetime has no effect on streams.
        await hub.publish("answer", 1)
        await anyio.sleep(0.25)
        assert await hub.status("answer") == "missing"
        assert (await client.get("/long")).status_code == 200
        head = await client.head("/short")
        assert (head.status_code, head.headers["stream-ttl"]) == (200, "300")

    serve(scenario, hub={"ttl": 0.2})


@pytest.mark.slow
def test_a_stream_is_kept_while_a_client_waits_and_removed_after_that(serve: Callable[..., None]) -> None:
    async def scenario(client: Client, _: AsyncHub) -> None:
        await client.put("/s", headers={**JSON, "stream-ttl": "2"})
        assert (await client.get("/s?offset=-1&live=long-poll")).status_code == 204
        assert (await client.head("/s")).status_code == 200
        await anyio.sleep(2.2)
        assert (await client.head("/s")).status_code == 404

    serve(scenario, long_poll_timeout=2.5)


async def test_limits_are_answered_clearly() -> None:
    async with AsyncHub() as hub:
        options = {
            "max_body": 100,
            "max_live_readers": 1,
            "default_ttl": 7,
            "allow_origins": ["https://a.example"],
        }
        async with client_of(durable_streams.app(hub, **options)) as client:
            assert (await client.put("/s", headers=JSON, content=b"[" + b" " * 200 + b"]")).status_code == 413

            async def body() -> AsyncIterator[bytes]:
                for _ in range(50):
                    yield b"12345"

            assert (await client.put("/s", headers=TEXT, content=body())).status_code == 413
            await client.put("/s", headers=JSON)
            assert (await client.head("/s")).headers["stream-ttl"] == "7"
            async with anyio.create_task_group() as tasks:
                tasks.start_soon(client.get, "/s?offset=-1&live=long-poll")
                await one_waits(hub)
                answer = await client.get("/s?offset=-1&live=sse")
                assert (answer.status_code, answer.headers["retry-after"]) == (429, "1")
                await client.post("/s", headers=JSON, content=b"1")
            for origin, allowed in (("https://a.example", "https://a.example"), ("https://b.example", None)):
                answer = await client.get("/s", headers={"origin": origin})
                assert answer.headers.get("access-control-allow-origin") == allowed
                assert answer.headers["vary"] == "origin"
        many = b"[" + b"1," * 10_000 + b"1]"
        async with client_of(durable_streams.app(hub)) as client:
            await client.put("/many", headers=JSON)
            answer = await client.post("/many", headers=JSON, content=many)
            assert (answer.status_code, error_of(answer)) == (413, "too-many-messages")


def test_a_body_that_is_as_large_as_a_whole_log_may_be_is_refused_when_the_app_is_made() -> None:
    hub = AsyncHub(max_bytes=1000)
    durable_streams.app(hub, max_body=999)
    durable_streams.answers(hub)  # nobody appends there
    with pytest.raises(
        ValueError, match=r"max_body \(1,000\) must be less than max_bytes of the hub \(1,000\)"
    ):
        durable_streams.app(hub, max_body=1000)


@pytest.mark.parametrize(
    "options",
    [
        {"max_body": 0},
        {"default_ttl": 0},
        {"long_poll_timeout": 0},
        {"max_live_readers": -1},
        {"allow_origins": "*"},
    ],
    ids=str,
)
def test_options_that_make_no_sense_are_refused(options: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(options))):
        durable_streams.app(AsyncHub(), **options)


def test_an_answer_of_the_hub_is_read_as_a_stream(play: Callable[..., None]) -> None:
    async def scenario(hub: AsyncHub) -> None:
        go_on = anyio.Event()

        async def source() -> AsyncIterator[Any]:
            yield {"text": "Hello"}
            await go_on.wait()
            yield "wor\nld"

        async with client_of(durable_streams.answers(hub)) as client:
            assert (await client.get("/user:1")).status_code == 404
            await hub.start("user:1", source)
            answer = await client.get("/user:1?offset=-1&live=long-poll")
            found = answer.json()
            assert [message["data"] for message in found] == ['{"text":"Hello"}']
            results: list[httpx.Response] = []

            async def read() -> None:
                results.append(
                    await client.get("/user:1", params={"offset": offset_of(answer), "live": "sse"})
                )

            async with anyio.create_task_group() as tasks:
                tasks.start_soon(read)
                await anyio.lowlevel.checkpoint()
                go_on.set()
            rest = [json.loads(event.data) for event in events_of(results[0]) if event.event == "data"]
            messages = [message for part in rest for message in part]
            assert [(message["event"], message["data"]) for message in messages] == [
                ("message", "wor\nld"),
                ("end", '{"reason":"finished"}'),
            ]
            whole = await client.get("/user:1")
            assert whole.json() == found + messages
            assert whole.headers["stream-closed"] == "true"
            assert [event.id async for event in hub.follow("user:1")] == [each["id"] for each in whole.json()]
            answer = await client.post("/user:1", headers=JSON, content=b"1")
            assert (answer.status_code, answer.headers["allow"]) == (405, "GET, HEAD, OPTIONS")

    play(scenario)


@pytest.mark.parametrize(
    ("text", "other", "match"),
    [
        ("text/plain", "TEXT/plain;charset=UTF-8", True),
        ("application/json", 'application/json; charset="utf-8"; x=y', True),
        ("text/plain", "text/plain; charset=latin1", False),
        ("text/plain", "text/html", False),
    ],
    ids=["charset", "quoted", "other-charset", "other"],
)
def test_content_types_match_by_what_they_mean(text: str, other: str, match: bool) -> None:
    assert ContentType.parse(text).matches(ContentType.parse(other)) is match


@pytest.mark.parametrize(("live", "status"), [("long-poll", 503), ("sse", 200)])
async def test_a_client_that_waits_is_answered_when_its_log_cannot_be_read(
    live: str, status: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def fail(*_: Any, **__: Any) -> None:
        raise HubError("the hub is closed")

    async with AsyncHub() as hub, client_of(durable_streams.app(hub)) as client:
        await client.put("/s", headers=JSON)
        monkeypatch.setattr("ssejet.hub._memory._Cursor.read", fail)
        assert (await client.get("/s", params={"offset": "-1", "live": live})).status_code == status


VALUES = {
    "content-type": [
        "application/json",
        "text/plain",
        "a/b;charset=x",
        "x",
        "",
        "\xff/\xff",
        "text/plain;" * 40,
    ],
    "stream-ttl": ["0", "1", "01", "9999999999", "1e3", "\xb2"],
    "stream-expires-at": ["2030-01-01T00:00:00Z", "0001-01-01T00:00:00+23:59", "9999-12-31T23:59:60Z", "x"],
    "stream-closed": ["true", "TRUE", "false", ""],
    "stream-seq": ["1", "\xff", "", "a" * 300],
    "producer-id": ["a", "", "\xff"],
    "producer-epoch": ["0", "1", "-1", "9" * 30],
    "producer-seq": ["0", "1", "\xb2"],
    "if-none-match": ["*", '"x"', ",,", "W/"],
    "content-length": ["0", "99999999999999999999", "\xb2", "-1"],
    "origin": ["https://a.example", "\xff"],
    "host": ["h", "", "h\xff:1"],
}
QUERIES = ["", "offset=-1", "offset=now", "offset=%00", "offset=-1&live=sse", "offset=now&live=long-poll",
           "live=x", "cursor=%FF&offset=-1", "offset=0000000000000001_a", "&&&=&;", "offset"]  # fmt: skip
BODIES = [b"", b"1", b"[1,2]", b"[]", b"{", b"\xff\xc3", b"[[[", b"a" * 70_000]


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(
    requests=st.lists(
        st.tuples(
            st.sampled_from(["GET", "HEAD", "PUT", "POST", "DELETE", "OPTIONS", "PATCH", "get", "X"]),
            st.sampled_from(["/s", "/", "", "/s/\ud7ff\u2028", "/__ds/x", "/../..", "/\x00"]),
            st.sampled_from(QUERIES),
            st.dictionaries(st.sampled_from(sorted(VALUES)), st.integers(0, 6), max_size=6),
            st.sampled_from(BODIES),
        ),
        max_size=12,
    )
)
async def test_no_request_makes_the_server_fail(requests: list[Any]) -> None:
    hub = AsyncHub()
    app = durable_streams.app(hub, long_poll_timeout=0.001, sse_lifetime=0.001, allow_origins=["*"])
    for method, path, query, headers, body in requests:
        raw = [
            (name.encode(), VALUES[name][at % len(VALUES[name])].encode("latin-1"))
            for name, at in headers.items()
        ]
        sent: list[Any] = []
        received = [{"type": "http.request", "body": body}]

        async def receive(received: list[Any] = received) -> Any:
            if not received:
                await anyio.sleep_forever()
            return received.pop()

        async def send(message: Any, sent: list[Any] = sent) -> None:
            sent.append(message)

        scope = {
            "type": "http",
            "method": method,
            "path": path,
            "query_string": query.encode(),
            "headers": raw,
        }
        await app(scope, receive, send)
        assert 200 <= sent[0]["status"] < 500 or sent[0]["status"] == 501
        assert all(b"\n" not in value and b"\r" not in value for _, value in sent[0]["headers"])
        assert not sent[-1].get("more_body")
    await hub.aclose()


@pytest.mark.parametrize("query", ["", "?offset=-1", "?offset=-1&live=sse", "?offset=garbage"])
async def test_no_browser_shows_or_runs_what_a_stream_holds(query: str) -> None:
    page = b"<script>alert(1)</script>"
    async with AsyncHub() as hub, client_of(durable_streams.app(hub)) as client:
        closed = {"content-type": "text/html", "stream-closed": "true"}
        assert (await client.put("/page", headers=closed, content=page)).status_code == 201
        headers = (await client.get(f"/page{query}")).headers
        assert headers["x-content-type-options"] == "nosniff"
        assert "sandbox" in headers["content-security-policy"]
