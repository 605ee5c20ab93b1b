"""Serves the JavaScript module."""

from __future__ import annotations

from typing import TYPE_CHECKING

from starlette.responses import Response

from ssejet.emit._browser_module import answer

if TYPE_CHECKING:
    from starlette.requests import Request

__all__ = ["browser_module"]


async def browser_module(request: Request) -> Response:
    """Serve the JavaScript module, as an endpoint.

    ::

        app.add_route("/ssejet.js", browser_module)

    Browsers ask each time whether it has changed. They keep it without asking under a URL with this package's
    version, such as ``/ssejet.js?v=0.1.0``.
    """
    found = answer(if_none_match=request.headers.get("If-None-Match"), version=request.query_params.get("v"))
    return Response(found.body, found.status, found.headers)
