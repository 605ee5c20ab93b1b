"""A recording as a server: an OpenAI-compatible endpoint, one for ``EventSource``, and a page to watch."""

from __future__ import annotations

import re
from contextlib import aclosing
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from ssejet import Decoder, ServerSentEvent
from ssejet.chat import ChatCompletionStreamState
from ssejet.cli._recording import Frame, parse, replay
from ssejet.emit import AsyncEventStream, arelay
from ssejet.emit.starlette import EventStreamResponse

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, AsyncIterator, Sequence

    from starlette.requests import Request

__all__ = ["Playback", "playback_app", "read_recording"]

_SENTINEL = "[DONE]"

# The digits of a number that a client may send.
_LONGEST_NUMBER = 20
_RECONNECTION_TIME = 1000
_RATE_WITHOUT_STAMPS = 30.0

# An event, and the blank lines after it.
_EVENT = re.compile(rb".+?(?:(?:\r\n|\n|\r(?!\n)){2,}|\Z)", re.DOTALL)


def read_recording(recording: bytes, *, rate: float | None = None) -> list[Frame]:
    """Cut a recording into frames of one event each.

    Args:
        recording: an event stream, with time stamps or without.
        rate: the events per second, instead of the time stamps; None for the stamps, or 30 without any.
    """
    frames = [Frame(frame.at, event) for frame in parse(recording) for event in _EVENT.findall(frame.data)]
    if rate is None and any(frame.at for frame in frames):
        return frames
    return [Frame(place / (rate or _RATE_WITHOUT_STAMPS), frame.data) for place, frame in enumerate(frames)]


@dataclass(frozen=True)
class Playback:
    """How a recording is played.

    Attributes:
        name: what the page calls it.
        frames: the recording, an event per frame.
        pace: how many times as fast as recorded; ``inf`` for without any pause.
        loops: whether it begins anew instead of ending.
        fail_after: the number of events after which the connection breaks, None for never.
    """

    name: str
    frames: Sequence[Frame]
    pace: float = 1.0
    loops: bool = False
    fail_after: int | None = None

    async def play(self, *, after: int = 0) -> AsyncGenerator[tuple[int, bytes], None]:
        """Yield the events after the one with this number, each with its number and when its time has come.

        Numbers start from 1 and go on from round to round.

        Raises:
            ConnectionResetError: the connection is to break here.
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
                        raise ConnectionResetError("the recording is to break off here")

    def summary(self) -> dict[str, Any]:
        """What the page says of the recording, and the types of event that it must listen to."""
        events = self._events()
        return {
            "name": self.name,
            "events": len(events),
            "seconds": self.frames[-1].at / self.pace,
            "loops": self.loops,
            "types": sorted({event.event or "message" for event in events}),
        }

    def completion(self) -> dict[str, Any]:
        """The chat completion that the recorded chunks make up.

        Raises:
            Exception: they are not chunks of one.
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
    """A playback as the response of a server that is relayed."""

    def __init__(self, playback: Playback) -> None:
        self._playback = playback

    async def aiter_bytes(self) -> AsyncIterator[bytes]:
        async with aclosing(self._playback.play()) as playing:
            async for _, data in playing:
                yield data

    async def aclose(self) -> None:
        """There is nothing to close."""


def playback_app(playback: Playback) -> Starlette:
    """An app that plays a recording to whoever asks.

    A request may ask to break off earlier: ``?fail_after=N``.
    """

    async def chat_completions(request: Request) -> Response:
        played = _as_asked(playback, request)
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
            return _error(f"this is no recording of a chat completion, ask for a stream of it: {error}")

    async def models(_: Request) -> Response:
        model = {"id": "recorded", "object": "model", "created": 0, "owned_by": "ssejet"}
        return JSONResponse({"object": "list", "data": [model]})

    async def events(request: Request) -> Response:
        played = _as_asked(playback, request)
        last_id = request.headers.get("last-event-id", "")
        after = _number(last_id, 0)
        return EventStreamResponse(AsyncEventStream(_numbered(played, after), heartbeat=15.0))

    async def summary(_: Request) -> Response:
        return JSONResponse(playback.summary())

    return Starlette(
        routes=[
            Route("/v1/chat/completions", chat_completions, methods=["POST"]),
            Route("/v1/models", models),
            Route("/events", events),
            Route("/recording.json", summary),
            Mount("/", StaticFiles(packages=[("ssejet.cli", "page")], html=True)),
        ]
    )


async def _numbered(playback: Playback, after: int) -> AsyncIterator[ServerSentEvent]:
    """Yield the events, each with its number as its id, so that a browser can ask for what follows it."""
    decoder = Decoder(max_event_size=None)
    retry: int | None = _RECONNECTION_TIME
    async with aclosing(playback.play(after=after)) as playing:
        async for number, data in playing:
            for event in decoder.feed(data):
                if event.data != _SENTINEL:
                    yield ServerSentEvent(event=event.event, data=event.data, id=str(number), retry=retry)
                    retry = None


def _as_asked(playback: Playback, request: Request) -> Playback:
    asked = request.query_params.get("fail_after", "")
    return replace(playback, fail_after=_number(asked, playback.fail_after))


def _number(text: str, default: Any) -> Any:
    """What a client sent as a number, or the default if it is none."""
    return int(text) if text.isascii() and text.isdecimal() and len(text) < _LONGEST_NUMBER else default


def _error(message: str) -> Response:
    return JSONResponse({"error": {"message": message, "type": "invalid_request_error"}}, status_code=400)
