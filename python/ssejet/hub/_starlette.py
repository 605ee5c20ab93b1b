"""Sends a log as a response of Starlette and FastAPI."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING, Any

import anyio
from starlette.responses import Response

from ssejet.emit import EncodedEvent
from ssejet.emit.starlette import EventStreamResponse
from ssejet.hub._entries import wire_of
from ssejet.hub._follower import OPENING_TIME
from ssejet.hub._lease import ClosedError

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

    from starlette.types import Receive, Scope, Send

    from ssejet.hub._follower import Follower

__all__ = ["FollowResponse"]


class FollowResponse(EventStreamResponse):
    """Sends the events of a log from where the client left off; status 204 if it has everything."""

    def __init__(self, follower: Follower, *, send_timeout: float | None = 30.0, **options: Any) -> None:
        options = {"done": None, "start_at_once": True, **options}
        super().__init__(_frames(follower), send_timeout=send_timeout, **options)
        self._follower = follower

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Send the response, as an ASGI application."""
        try:
            with anyio.move_on_after(OPENING_TIME):
                await self._follower.open()
            if self._follower.has_everything:
                # The headers may hold cookies and those of CORS.
                headers = {k: v for k, v in self.headers.items() if k != "content-type"}
                await Response(None, 204, headers, background=self.background)(scope, receive, send)
            else:
                await super().__call__(scope, receive, send)
        finally:
            with anyio.CancelScope(shield=True):
                await self._follower.aclose()


async def _frames(follower: Follower) -> AsyncIterator[EncodedEvent]:
    # A client whose connection ends without an event asks again, and another process may answer.
    with suppress(ClosedError):
        while entries := await follower.next():
            yield EncodedEvent(wire_of(entries) if len(entries) > 1 else entries[0].wire)
