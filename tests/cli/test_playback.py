from __future__ import annotations

import asyncio
import math
from itertools import islice
from typing import TYPE_CHECKING, Any

import httpx
import pytest
from openai import OpenAI

from ssejet import Decoder
from ssejet.cli._playback import Playback, playback_app, read_recording
from ssejet.cli._recording import Frame, load_bytes
from ssejet.cli._server import loopback_server

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

CHAT = read_recording(load_bytes("chat"))
ABC = [Frame(0.0, b"data: a\n\n"), Frame(0.0, b": comment\n\ndata: b\n\n"), Frame(0.0, b"data: [DONE]\n\n")]


@pytest.fixture
def play(request: pytest.FixtureRequest) -> Any:
    """Serve a playback, and give its URL."""

    def start(frames: list[Frame], **options: Any) -> str:
        context = loopback_server(playback_app(Playback("x.sse", frames, pace=math.inf, **options)))
        url = context.__enter__()
        request.addfinalizer(lambda: context.__exit__(None, None, None))
        return url

    return start


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    with httpx.Client(trust_env=False) as client:
        yield client


def read(client: httpx.Client, url: str, **options: Any) -> list[tuple[str, str]]:
    """The ids and data of a stream of events, until it ends or breaks."""
    decoder = Decoder()
    events = []
    with client.stream("GET", url, **options) as response:
        try:
            events.extend((event.id or "", event.data) for event in decoder.iter_bytes(response.iter_bytes()))
        except httpx.RemoteProtocolError:
            events.append(("", "broken"))
    return events


def test_time_stamps_say_when() -> None:
    recording = b": @0.5\ndata: a\n\ndata: b\n\n: @1.25\ndata: c\n\n"
    assert read_recording(recording) == [(0.5, b"data: a\n\n"), (0.5, b"data: b\n\n"), (1.25, b"data: c\n\n")]


def test_events_without_time_stamps_come_at_a_rate() -> None:
    recording = b"data: a\r\n\r\ndata: b\rdata: b\r\r\n\ndata: c"
    events = [b"data: a\r\n\r\n", b"data: b\rdata: b\r\r\n\n", b"data: c"]
    assert [frame.data for frame in read_recording(recording)] == events
    assert [frame.at for frame in read_recording(recording)] == [0, 1 / 30, 2 / 30]
    assert [frame.at for frame in read_recording(recording, rate=4)] == [0, 0.25, 0.5]


def test_a_rate_overrides_time_stamps() -> None:
    assert read_recording(b": @5\ndata: a\n\n: @9\ndata: b\n\n", rate=2) == [
        (0, b"data: a\n\n"),
        (0.5, b"data: b\n\n"),
    ]


def test_the_recorded_bytes_are_streamed_as_they_are(play: Any, client: httpx.Client) -> None:
    response = client.post(f"{play(ABC)}/v1/chat/completions", json={"stream": True})
    assert response.content == b"data: a\n\n: comment\n\ndata: b\n\ndata: [DONE]\n\n"
    assert response.headers["content-type"].startswith("text/event-stream")


def test_openais_client_takes_it_for_openais_server(play: Any) -> None:
    with OpenAI(api_key="none", base_url=f"{play(CHAT)}/v1") as client:
        (model,) = client.models.list()
        question: Any = {"model": model.id, "messages": [{"role": "user", "content": "?"}]}
        chunks = client.chat.completions.create(**question, stream=True)
        text = "".join(chunk.choices[0].delta.content or "" for chunk in chunks if chunk.choices)
        completion = client.chat.completions.create(**question)
    assert text.startswith("Server-sent events")
    assert completion.choices[0].message.content == text
    assert completion.choices[0].finish_reason == "stop"
    assert completion.usage is not None


def test_a_recording_that_is_no_chat_is_streamed_but_no_completion(play: Any, client: httpx.Client) -> None:
    response = client.post(f"{play(ABC)}/v1/chat/completions", json={})
    assert response.status_code == 400
    assert response.json()["error"]["message"].startswith("this recording is not of a chat completion")


@pytest.mark.parametrize("body", [b"", b"[]", b"{"])
def test_a_body_that_is_no_json_object_is_refused(play: Any, client: httpx.Client, body: bytes) -> None:
    response = client.post(f"{play(ABC)}/v1/chat/completions", content=body)
    assert (response.status_code, response.json()["error"]["message"]) == (
        400,
        "the body is not a JSON object",
    )


def test_an_event_source_gets_events_with_ids_and_one_end(play: Any, client: httpx.Client) -> None:
    assert read(client, f"{play(ABC)}/events") == [("1", "a"), ("2", "b"), ("2", "[DONE]")]
    assert client.get(f"{play(ABC)}/events").text.startswith("id: 1\nretry: 1000\ndata: a\n\n")


def test_an_event_source_goes_on_where_it_was(play: Any, client: httpx.Client) -> None:
    url = f"{play(ABC)}/events"
    assert read(client, url, headers={"Last-Event-ID": "1"}) == [("2", "b"), ("2", "[DONE]")]
    assert read(client, url, headers={"Last-Event-ID": "3"}) == [("", "[DONE]")]
    assert read(client, url, headers={"Last-Event-ID": "none of ours"})[0] == ("1", "a")


def test_a_connection_breaks_after_the_number_of_events_of_the_server_or_the_request(
    play: Any, client: httpx.Client
) -> None:
    url = f"{play(ABC, fail_after=2)}/events"
    assert read(client, url) == [("1", "a"), ("2", "b"), ("", "broken")]
    assert read(client, f"{url}?fail_after=1") == [("1", "a"), ("", "broken")]
    assert read(client, f"{url}?fail_after=9")[-1] == ("2", "[DONE]")
    with pytest.raises(httpx.RemoteProtocolError):
        client.post(url.replace("events", "v1/chat/completions"), json={"stream": True})


def test_a_loop_has_no_end_and_counts_on(play: Any, client: httpx.Client) -> None:
    url = f"{play(ABC, loops=True)}/events"
    with client.stream("GET", url) as response:
        events = islice(Decoder().iter_bytes(response.iter_bytes()), 5)
        assert [(event.id, event.data) for event in events] == [
            ("1", "a"),
            ("2", "b"),
            ("3", "a"),
            ("4", "b"),
            ("5", "a"),
        ]
    with client.stream("GET", url, headers={"Last-Event-ID": "5"}) as response:
        assert next(Decoder().iter_bytes(response.iter_bytes())).id == "6"


async def test_a_resumed_playback_waits_no_longer_than_the_first_time(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    naps: list[float] = []

    async def sleep(seconds: float) -> None:
        naps.append(round(seconds, 1))

    monkeypatch.setattr(asyncio, "sleep", sleep)
    frames = [Frame(float(at), b"data: x\n\n") for at in (10, 20, 40)]
    assert [number async for number, _ in Playback("x", frames).play()] == [1, 2, 3]
    assert [number async for number, _ in Playback("x", frames).play(after=1)] == [2, 3]
    assert naps == [10, 20, 40, 0, 20]


def test_the_page_learns_what_is_recorded(play: Any, client: httpx.Client) -> None:
    frames = [Frame(0.0, b"event: a\ndata: 1\n\n"), Frame(2.0, b"data: 2\n\n")]
    assert client.get(f"{play(frames)}/recording.json").json() == {
        "name": "x.sse",
        "events": 2,
        "seconds": 0.0,
        "loops": False,
        "types": ["a", "message"],
    }


@pytest.mark.parametrize(
    ("path", "content_type"),
    [("/", "text/html"), ("/page.css", "text/css"), ("/page.js", "javascript"), ("/ssejet.js", "javascript")],
)
def test_the_page_comes_with_the_package(
    play: Any, client: httpx.Client, path: str, content_type: str
) -> None:
    response = client.get(play(ABC) + path)
    assert response.status_code == 200
    assert content_type in response.headers["content-type"]
