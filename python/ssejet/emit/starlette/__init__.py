"""Event streams as responses of Starlette and FastAPI."""

# `_response` has the response, `_connection` sends it, `_source` makes its items, and `_graceful_stop`
# ends it when the server is told to stop. `_module` serves the JavaScript module.

from __future__ import annotations

from ssejet.emit._shutdown import stop_streams
from ssejet.emit.starlette._module import browser_module
from ssejet.emit.starlette._response import EventStreamResponse

__all__ = ["EventStreamResponse", "browser_module", "stop_streams"]
