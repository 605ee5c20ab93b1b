"""Serves a recording: as an OpenAI-compatible API, for ``EventSource``, and on a page with a chat."""

from __future__ import annotations

import re
from contextlib import aclosing, asynccontextmanager
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ssejet import Decoder, ServerSentEvent
from ssejet.chat import ChatCompletionStreamState
from ssejet.cli._conversation import conversation_routes, parse_number
from ssejet.cli._recording import Frame, parse, replay
from ssejet.emit import AsyncEventStream, arelay
from ssejet.emit.starlette import EventStreamResponse, browser_module
from ssejet.errors import HubError
from ssejet.hub import AsyncHub

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from starlette.requests import Request

__all__ = ["Playback", "playback_app", "read_recording"]

_SENTINEL = "[DONE]"

# Milliseconds, for pages that lose the connection.
_RECONNECTION_TIME = 1000
_RATE_WITHOUT_STAMPS = 30.0

# An event and the blank lines after it.
_EVENT = re.compile(rb".+?(?:(?:\r\n|\n|\r(?!\n)){2,}|\Z)", re.DOTALL)


def read_recording(recording: bytes, *, rate: float | None = None) -> list[Frame]:
    """Split a recording into frames of one event each.

    Args:
        recording: an event stream, with or without time stamps.
        rate: the events per second. None for the time stamps, or 30 per second if there are none.
    """
    frames = [Frame(frame.at, event) for frame in parse(recording) for event in _EVENT.findall(frame.data)]
    if rate is None and any(frame.at for frame in frames):
        return frames
    return [Frame(place / (rate or _RATE_WITHOUT_STAMPS), frame.data) for place, frame in enumerate(frames)]


@dataclass(frozen=True)
class Playback:
    """How a recording is played.

    Attributes:
        name: the name that the page shows.
        frames: the recording, one event per frame.
        pace: the speed, 1 is as recorded; ``inf`` for no pauses.
        loops: whether it starts again at the end.
        fail_after: the number of events after which the connection breaks, None for never.
    """

    name: str
    frames: Sequence[Frame]
    pace: float = 1.0
    loops: bool = False
    fail_after: int | None = None

    async def play(self, *, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield the events after this number, each at its time and with its number.

        Numbers start at 1 and continue from round to round.

        Raises:
            ConnectionResetError: the connection must break here.
        """
        frames = [frame for frame in self.frames if not (self.loops and _SENTINEL.encode() in frame.data)]
        number = after
        while frames and (self.loops or number < len(frames)):
            rest = frames[number % len(frames) :]
            now = [Frame(frame.at - rest[0].at if after else frame.at, frame.data) for frame in rest]
            async with aclosing(replay(now, pace=self.pace)) as playing:
                async for data in playing:
                    number += 1
                    yield number, data
                    if number - after == self.fail_after:
                        raise ConnectionResetError("the connection breaks here, as asked")

    def summary(self) -> dict[str, Any]:
        """Describe the recording for the page, with the event types that the page must listen to."""
        events = self._events()
        return {
            "name": self.name,
            "events": len(events),
            "seconds": self.frames[-1].at / self.pace,
            "loops": self.loops,
            "types": sorted({event.event or "message" for event in events}),
        }

    def completion(self) -> dict[str, Any]:
        """Assemble the chat completion from the recorded chunks.

        Raises:
            Exception: they are not the chunks of a completion.
        """
        state: ChatCompletionStreamState[Any] = ChatCompletionStreamState()
        for event in self._events():
            state.handle_chunk(event.json())
        return state.get_final_completion().to_dict()

    def _events(self) -> list[ServerSentEvent]:
        decoder = Decoder(max_event_size=None)
        events = [event for frame in self.frames for event in decoder.feed(frame.data)]
        return [event for event in events if event.data != _SENTINEL]


class _Upstream:
    """A playback that ``arelay()`` can read like a response."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        async with aclosing(self._playback.play()) as playing:
            async for _, data in playing:
                yield data

    async def aclose(self) -> None:
        """Do nothing: there is no connection."""


def playback_app(playback: Playback, hub: AsyncHub | None = None) -> Starlette:
    """Make an app that plays a recording.

    ``?fail_after=N`` in a request breaks its connection after N events.

    Args:
        playback: what to play.
        hub: keeps the conversations of the page; the app closes it. By default they are in memory.
    """
    logs = AsyncHub(shutdown="abandon") if hub is None else hub
    # The connections of an answer's followers break, but not its producer.
    answer = replace(playback, fail_after=None)

    async def chat_completions(request: Request) -> Response:
        played = _with_options(playback, request)
        try:
            question = await request.json()
            streams = question.get("stream", False)
        except (ValueError, AttributeError):
            return _error("the body is not a JSON object")
        if streams:
            return EventStreamResponse(arelay(_Upstream(played), on_error="raise"))
        try:
            return JSONResponse(playback.completion())
        except Exception as error:
            return _error(f"this recording is not of a chat completion; use stream=true: {error}")

    async def models(_: Request) -> Response:
        model = {"id": "recorded", "object": "model", "created": 0, "owned_by": "ssejet"}
        return JSONResponse({"object": "list", "data": [model]})

    async def events(request: Request) -> Response:
        played = _with_options(playback, request)
        last_id = request.headers.get("last-event-id", "")
        after = parse_number(last_id, 0)
        return EventStreamResponse(AsyncEventStream(_recorded_events(played, after=after), heartbeat=15.0))

    async def summary(_: Request) -> Response:
        return JSONResponse(playback.summary())

    @asynccontextmanager
    async def lifespan(_: Starlette) -> AsyncGenerator[None, None]:
        async with logs:
            yield

    return Starlette(
        lifespan=lifespan,
        exception_handlers={HubError: _unavailable},
        routes=[
            *conversation_routes(logs, lambda: _recorded_events(answer), fail_after=playback.fail_after),
            Route("/ssejet.js", browser_module),
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/events", events),
            Route("/recording.json", summary),
            Mount("/", StaticFiles(packages=[("ssejet.cli", "page")], html=True)),
        ],
    )


async def _recorded_events(playback: Playback, *, after: int = 0) -> AsyncGenerator[ServerSentEvent, None]:
    """Yield the events after this number, with their numbers as ids, so that a browser can resume."""
    decoder = Decoder(max_event_size=None)
    retry: int | None = _RECONNECTION_TIME
    async with aclosing(playback.play(after=after)) as playing:
        async for number, data in playing:
            for event in decoder.feed(data):
                if event.data != _SENTINEL:
                    yield ServerSentEvent(event=event.event, data=event.data, id=str(number), retry=retry)
                    retry = None


def _with_options(playback: Playback, request: Request) -> Playback:
    asked = request.query_params.get("fail_after", "")
    return replace(playback, fail_after=parse_number(asked, playback.fail_after))


async def _unavailable(_: Request, error: Exception) -> Response:
    return Response(f"{error}.", 503)


def _error(message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status_code=400)
