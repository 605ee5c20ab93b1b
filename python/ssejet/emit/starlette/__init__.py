"""Event streams as responses of Starlette and FastAPI.

``_response`` has the response itself, ``_connection`` how it is sent, ``_source`` where its items come from
and ``_ending`` how it ends when the server is told to stop.
"""

from __future__ import annotations

from ssejet.emit._shutdown import stop_streams
from ssejet.emit.starlette._response import EventStreamResponse

__all__ = ["EventStreamResponse", "stop_streams"]
