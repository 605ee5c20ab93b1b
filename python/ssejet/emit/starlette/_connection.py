"""Sends the pieces of a response, with heartbeats, to a client that may leave or stop to read."""

from __future__ import annotations

from enum import Enum, auto
from math import inf
from time import monotonic
from typing import TYPE_CHECKING

import anyio
import anyio.lowlevel

from ssejet.emit._emit_machine import State
from ssejet.emit._event_stream import next_pieces

if TYPE_CHECKING:
    from collections.abc import Iterable

    from starlette.types import Message, Send

    from ssejet.emit._emit_machine import EmitMachine
    from ssejet.emit.starlette._source import WatchedSource

__all__ = ["Connection", "DepartureError", "FrozenError", "ResponseStage", "denial"]

# How long a source may keep the event loop, in seconds: one that never waits, and one that has waited.
_TURN = 0.001
_LONGEST_TURN = 0.02


class ResponseStage(Enum):
    """How far a response is. Each stage follows the one before it, and none is left out."""

    NOT_BEGUN = auto()
    BEGUN = auto()
    COMPLETING = auto()
    """The last message is being sent."""
    COMPLETE = auto()


class DepartureError(Exception):
    """The client has left."""


class FrozenError(DepartureError):
    """The client has stopped to read."""


def denial(send: Send) -> Send:
    """Send a response to a request for a websocket, which it denies."""

    async def senddenial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return senddenial


class Connection:
    """Sends pieces one after the other, and heartbeats when there is no piece.

    Args:
        send: sends a message.
        start: the message that begins the response. It is sent before the first piece.
        heartbeat: the seconds of silence after which a heartbeat is sent; None for never.
        send_timeout: the seconds that sending may take; None for no limit.

    Attributes:
        stage: how far the response is.
    """

    def __init__(
        self, send: Send, start: Message, *, heartbeat: float | None, send_timeout: float | None
    ) -> None:
        self.stage: ResponseStage = ResponseStage.NOT_BEGUN
        self._send = send
        self._start = start
        self._heartbeat = heartbeat
        self._send_timeout = send_timeout
        self._last = self._turn = monotonic()
        self._turn_length = _TURN
        self._sending_since: float | None = None
        self._beaten: anyio.Event | None = None

    @property
    def needs_watch(self) -> bool:
        return self._heartbeat is not None or self._send_timeout is not None

    async def begin(self) -> None:
        """Begin the response, unless that is done.

        Raises:
            DepartureError: the client has left.
        """
        if self.stage is ResponseStage.NOT_BEGUN:
            self.stage = ResponseStage.BEGUN
            await self._write(self._start)

    async def stream(self, machine: EmitMachine, items: WatchedSource, pieces: Iterable[bytes]) -> None:
        """Send these pieces, and then what the machine makes of the items, when the client can take it.

        This is the driver of most streams: it awaits nothing but the source and the server.

        Raises:
            DepartureError: the client has left.
        """
        send = self._send
        begun, ended = ResponseStage.BEGUN, State.ENDED
        while True:
            for piece in pieces:
                if self.stage is not begun or self._beaten is not None:
                    await self._get_ready()
                began = self._sending_since = monotonic()
                try:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                except OSError as error:
                    raise DepartureError from error
                now = self._last = monotonic()
                self._sending_since = None
                if now - self._turn > self._turn_length:
                    await self._give_turn(items, sent_for=now - began)
            if machine.state is ended:
                return
            pieces = await next_pieces(machine, items if items.is_watched else items.unwatched)

    async def finish(self, last: Iterable[bytes] = ()) -> None:
        """Send these last pieces, and complete the response.

        Raises:
            DepartureError: the client has left.
        """
        for piece in last:
            await self._get_ready()
            await self._write({"type": "http.response.body", "body": piece, "more_body": True})
        await self._get_ready()
        self.stage = ResponseStage.COMPLETING
        await self._write({"type": "http.response.body", "body": b"", "more_body": False})
        self.stage = ResponseStage.COMPLETE

    async def watch(self, machine: EmitMachine) -> None:
        """Send a heartbeat whenever nothing was sent for long, and look after the client.

        One timer does both, so that a piece costs no timer of its own.

        Raises:
            FrozenError: the client has stopped to read.
            DepartureError: the client has left.
        """
        silence = inf if self._heartbeat is None else self._heartbeat
        timeout = inf if self._send_timeout is None else self._send_timeout
        while True:
            now = monotonic()
            if self._sending_since is not None:
                if now >= self._sending_since + timeout:
                    raise FrozenError
                # A client that is slow to take a piece is not sent heartbeats.
                wake = min(self._sending_since + timeout, now + silence)
            elif now >= self._last + silence:
                await self._beat(machine)
                continue
            else:
                wake = min(self._last + silence, now + timeout)
            await anyio.sleep(wake - now)

    async def _beat(self, machine: EmitMachine) -> None:
        self._last = monotonic()
        self._beaten = anyio.Event()
        with anyio.move_on_after(self._send_timeout) as sending:
            for piece in machine.heartbeat():
                await self.begin()
                await self._write({"type": "http.response.body", "body": piece, "more_body": True})
        if sending.cancelled_caught:
            raise FrozenError
        self._beaten.set()
        self._beaten = None

    async def _get_ready(self) -> None:
        if self._beaten is not None:
            await self._beaten.wait()
        await self.begin()

    async def _write(self, message: Message) -> None:
        self._sending_since = monotonic()
        try:
            await self._send(message)
        except OSError as error:
            raise DepartureError from error
        self._last = monotonic()
        self._sending_since = None

    async def _give_turn(self, source: WatchedSource, *, sent_for: float) -> None:
        """Let other tasks run, if the source does not wait and so keeps them from it."""
        if sent_for > _TURN:
            # The client was waited for. It may have left, and then no other item is made.
            await anyio.lowlevel.checkpoint()
        elif not source.is_watched:
            source.watch()
            return
        elif source.waited:
            # It is likely to wait again, and watching has its cost.
            self._turn_length = min(2 * self._turn_length, _LONGEST_TURN)
        else:
            self._turn_length = _TURN
            await anyio.lowlevel.checkpoint()
        source.is_watched = False
        self._turn = monotonic()
