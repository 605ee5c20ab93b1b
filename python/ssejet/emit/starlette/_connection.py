"""Sends the pieces of a response and heartbeats to a client, which may leave or stop reading."""

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

    from starlette.types import Message, Receive, Send

    from ssejet.emit._emit_machine import EmitMachine
    from ssejet.emit.starlette._source import WatchedSource

__all__ = [
    "ClientDisconnectError",
    "ClientStalledError",
    "Connection",
    "ResponseStage",
    "deny_websocket",
    "wait_for_disconnect",
]

# How many seconds a source may keep the event loop from other tasks: at first, and if it usually waits.
_SHORTEST_TIME = 0.001
_LONGEST_TIME = 0.02


class ResponseStage(Enum):
    """How far a response is. The stages follow in this order, and none is left out."""

    NOT_BEGUN = auto()
    BEGUN = auto()
    COMPLETING = auto()
    """The last message is being sent."""
    COMPLETE = auto()


class ClientDisconnectError(Exception):
    """The client has left."""


class ClientStalledError(ClientDisconnectError):
    """The client has stopped reading."""


def deny_websocket(send: Send) -> Send:
    """Return a ``send`` that answers a request for a websocket with an HTTP response."""

    async def send_denial(message: Message) -> None:
        await send({**message, "type": f"websocket.{message['type']}"})

    return send_denial


async def wait_for_disconnect(receive: Receive) -> Message:
    """Return the message that says that the client has left."""
    while (message := await receive())["type"] != "http.disconnect":
        pass
    return message


class Connection:
    """Sends pieces one after the other, and heartbeats while there is no piece.

    Args:
        send: sends a message.
        start: the message that begins the response; it is sent before the first piece.
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
        self._last = self._alone_since = monotonic()
        self._time_alone = _SHORTEST_TIME
        self._sending_since: float | None = None
        self._heartbeat_sent: anyio.Event | None = None

    @property
    def needs_watch(self) -> bool:
        """Whether ``watch`` has anything to do."""
        return self._heartbeat is not None or self._send_timeout is not None

    async def begin(self) -> None:
        """Begin the response, if it has not begun.

        Raises:
            ClientDisconnectError: the client has left.
        """
        if self.stage is ResponseStage.NOT_BEGUN:
            self.stage = ResponseStage.BEGUN
            await self._write(self._start)

    async def stream(self, machine: EmitMachine, source: WatchedSource, pieces: Iterable[bytes]) -> None:
        """Send these pieces, then those that the machine makes of the items, as fast as the client reads.

        Most streams spend their time here, so this awaits nothing but the source and the server.

        Raises:
            ClientDisconnectError: the client has left.
        """
        send = self._send
        begun, ended = ResponseStage.BEGUN, State.ENDED
        while True:
            for piece in pieces:
                if self.stage is not begun or self._heartbeat_sent is not None:
                    await self._wait_for_heartbeat()
                began = self._sending_since = monotonic()
                try:
                    await send({"type": "http.response.body", "body": piece, "more_body": True})
                except OSError as error:
                    raise ClientDisconnectError from error
                now = self._last = monotonic()
                self._sending_since = None
                if now - self._alone_since > self._time_alone:
                    await self._let_others_run(source, sent_for=now - began)
            if machine.state is ended:
                return
            pieces = await next_pieces(machine, source if source.is_watched else source.items)

    async def finish(self, last: Iterable[bytes] = ()) -> None:
        """Send the last pieces, and complete the response.

        Raises:
            ClientDisconnectError: the client has left.
        """
        for piece in last:
            await self._wait_for_heartbeat()
            await self._write({"type": "http.response.body", "body": piece, "more_body": True})
        await self._wait_for_heartbeat()
        self.stage = ResponseStage.COMPLETING
        await self._write({"type": "http.response.body", "body": b"", "more_body": False})
        self.stage = ResponseStage.COMPLETE

    async def watch(self, machine: EmitMachine) -> None:
        """Send a heartbeat whenever the stream is silent for too long, and raise if the client stops reading.

        One timer does both, so that a piece needs no timer of its own.

        Raises:
            ClientStalledError: the client has stopped reading.
            ClientDisconnectError: the client has left.
        """
        silence = inf if self._heartbeat is None else self._heartbeat
        timeout = inf if self._send_timeout is None else self._send_timeout
        while True:
            now = monotonic()
            if self._sending_since is not None:
                if now >= self._sending_since + timeout:
                    raise ClientStalledError
                # A client that is slow to take a piece gets no heartbeats.
                wake = min(self._sending_since + timeout, now + silence)
            elif now >= self._last + silence:
                await self._send_heartbeat(machine)
                continue
            else:
                wake = min(self._last + silence, now + timeout)
            await anyio.sleep(wake - now)

    async def _send_heartbeat(self, machine: EmitMachine) -> None:
        self._last = monotonic()
        self._heartbeat_sent = anyio.Event()
        with anyio.move_on_after(self._send_timeout) as sending:
            for piece in machine.heartbeat():
                await self.begin()
                await self._write({"type": "http.response.body", "body": piece, "more_body": True})
        if sending.cancelled_caught:
            raise ClientStalledError
        self._heartbeat_sent.set()
        self._heartbeat_sent = None

    async def _wait_for_heartbeat(self) -> None:
        if self._heartbeat_sent is not None:
            await self._heartbeat_sent.wait()
        await self.begin()

    async def _write(self, message: Message) -> None:
        self._sending_since = monotonic()
        try:
            await self._send(message)
        except OSError as error:
            raise ClientDisconnectError from error
        self._last = monotonic()
        self._sending_since = None

    async def _let_others_run(self, source: WatchedSource, *, sent_for: float) -> None:
        """Let other tasks run if the source never waits. To find out, watch it for one item."""
        if sent_for > _SHORTEST_TIME:
            # Sending had to wait for the client. If it has left meanwhile, no other item is made.
            await anyio.lowlevel.checkpoint()
        elif not source.is_watched:
            source.watch()
            return
        elif source.has_waited:
            # It is likely to wait again, and watching costs time.
            self._time_alone = min(2 * self._time_alone, _LONGEST_TIME)
        else:
            self._time_alone = _SHORTEST_TIME
            await anyio.lowlevel.checkpoint()
        source.is_watched = False
        self._alone_since = monotonic()
