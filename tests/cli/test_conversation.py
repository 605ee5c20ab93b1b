"""The routes of the page's chat, without a browser."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import httpx
import pytest

from ssejet import Decoder
from ssejet.cli._playback import Playback, playback_app, read_recording
from ssejet.cli._server import loopback_server
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.slow

RECORDING = b"event: done\ndata: 1\n\nevent: end\ndata: 2\n\ndata: 3\n\ndata: [DONE]\n\n"
QUESTION = {"answer": "answer-1", "text": "Why?"}


@pytest.fixture
def client() -> Iterator[httpx.Client]:
    playback = Playback("x.sse", read_recording(RECORDING), pace=math.inf)
    with (
        loopback_server(playback_app(playback), has_lifespan=True) as url,
        httpx.Client(base_url=url, trust_env=False) as client,
    ):
        yield client


def read(
    client: httpx.Client, path: str, count: int, **headers: str
) -> list[tuple[str | None, str, str | None]]:
    """The first events of a stream that may go on."""
    found = []
    with client.stream("GET", path, headers=headers) as response:
        assert response.headers["x-process"].isdecimal()
        for event in Decoder().iter_bytes(response.iter_bytes()):
            found.append((event.event, event.data, event.id))
            if len(found) == count:
                break
    return found


def test_a_question_starts_its_answer_and_every_event_of_it_reaches_the_followers(
    client: httpx.Client,
) -> None:
    asked = client.post("/chats/chat-123/questions", json=QUESTION).json()
    assert (asked["answer"], asked["text"], asked["replaces"]) == ("answer-1", "Why?", None)
    ((kind, data, _),) = read(client, "/chats/chat-123/events", 1)
    assert kind == "question"
    assert httpx.Response(200, text=data).json() == asked
    *events, end = read(client, "/answers/answer-1/events", 4)
    # An event that is of the type of the hub's end must not end the answer.
    assert [event[:2] for event in events] == [("done", "1"), ("item-end", "2"), ("message", "3")]
    assert end[:2] == ("end", '{"reason":"finished"}')
    rest = read(client, "/answers/answer-1/events", 2, **{"Last-Event-ID": events[1][2] or ""})
    assert rest == [events[2], end]
    assert client.get("/answers/answer-1/events", headers={"Last-Event-ID": end[2] or ""}).status_code == 204


def test_a_question_that_is_sent_again_is_answered_once(client: httpx.Client) -> None:
    for _ in range(2):
        assert client.post("/chats/chat-123/questions", json=QUESTION).status_code == 200
    assert len(read(client, "/answers/answer-1/events", 9)) == 4


def test_a_connection_breaks_after_the_number_of_events_that_is_asked_for(client: httpx.Client) -> None:
    client.post("/chats/chat-123/questions", json=QUESTION)
    with pytest.raises(httpx.RemoteProtocolError):
        client.get("/answers/answer-1/events?fail_after=2")


@pytest.mark.parametrize(
    ("path", "question", "status"),
    [
        ("/chats/chat-123/questions", {"answer": "answer-1"}, 400),
        ("/chats/chat-123/questions", {"answer": 7, "text": "Why?"}, 400),
        ("/chats/chat-123/questions", {"answer": "answer-1", "text": "x" * 10_001}, 400),
        ("/chats/chat-123/questions", ["answer-1", "Why?"], 400),
        ("/chats/chat-123/questions", {"answer": "../../other", "text": "Why?"}, 404),
        ("/chats/chat%20123/questions", QUESTION, 404),
        ("/answers/é/stop", None, 404),
    ],
)
def test_what_the_page_does_not_send_is_refused(
    client: httpx.Client, path: str, question: Any, status: int
) -> None:
    assert client.post(path, json=question).status_code == status


def test_an_answer_that_is_not_there_is_not_waited_for(client: httpx.Client) -> None:
    response = client.get("/answers/answer-1/events")
    assert (response.status_code, response.text) == (404, "the server no longer has this answer")
    assert client.post("/answers/answer-1/stop").status_code == 204


def test_a_redis_that_went_away_is_a_status_that_pages_wait_out() -> None:
    pytest.importorskip("redis")
    hub = AsyncHub("redis://127.0.0.1:1")
    with (
        loopback_server(playback_app(Playback("x.sse", read_recording(RECORDING)), hub)) as url,
        httpx.Client(base_url=url, trust_env=False, timeout=200) as client,
    ):
        response = client.post("/chats/chat-123/questions", json=QUESTION)
    assert response.status_code == 503
    assert "Redis" in response.text
