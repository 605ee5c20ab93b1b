"""A small HTTP service around ``asubscribe``, for harnesses that test event-stream clients from outside.

``python tests/service.py [PORT]`` serves on the loopback interface, by default at port 8000, until it is told
to stop; port 0 is any free one. Its URL is its first line of output.

=========================  ===========================================================================
``GET /``                  what this is, and what it can do
``POST /``                 subscribe, as the JSON body says; ``Location`` is the subscription's own URL
``POST <Location>``        a command: ``{"command": "restart"}``
``DELETE <Location>``      end the subscription
``DELETE /``               stop the service
=========================  ===========================================================================

What a subscription gets is posted to its ``callbackUrl``, followed by ``/1``, ``/2`` and so on, one by one.
"""

from __future__ import annotations

import asyncio
import socket
import sys
from contextlib import suppress
from itertools import count
from json import JSONDecodeError
from typing import TYPE_CHECKING, Any

import httpx
import uvicorn
from starlette.applications import Starlette
from starlette.responses import JSONResponse, Response
from starlette.routing import Route

import ssejet

if TYPE_CHECKING:
    from collections.abc import Callable

    from starlette.requests import Request

CAPABILITIES = [
    "bom",
    "comments",
    "headers",
    "last-event-id",
    "post",
    "read-timeout",
    "report",
    "restart",
    "server-directed-shutdown-request",
]

LAST_PORT = 65535

# The parameters of a subscription: their types, and the arguments of asubscribe() if there are any.
PARAMETERS: dict[str, tuple[type, str | None]] = {
    "streamUrl": (str, None),
    "callbackUrl": (str, None),
    "tag": (str, None),
    "initialDelayMs": (int, "reconnection_time"),
    "readTimeoutMs": (int, "idle_timeout"),
    "lastEventId": (str, "last_event_id"),
    "headers": (dict, "headers"),
    "method": (str, "method"),
    "body": (str, "content"),
}


class Stream:
    """One subscription, which reports its events."""

    def __init__(self, parameters: dict[str, Any]) -> None:
        options = {
            option: parameters[name]
            for name, (_, option) in PARAMETERS.items()
            if option and name in parameters
        }
        for option in ("reconnection_time", "idle_timeout"):
            if option in options:
                options[option] /= 1000
        self._callback = parameters["callbackUrl"].rstrip("/")
        self._reports: asyncio.Queue[dict[str, Any]] = asyncio.Queue()
        self._subscription = ssejet.asubscribe(
            parameters["streamUrl"],
            repeat=True,
            on_comment=lambda comment: self._report("comment", comment),
            on_error=lambda error: self._report("error", str(error)),
            **options,
        )
        self._tasks = [asyncio.create_task(self._read()), asyncio.create_task(self._post())]

    async def restart(self) -> None:
        await self._subscription.restart()

    async def close(self) -> None:
        await self._subscription.aclose()
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)

    def _report(self, kind: str, value: Any) -> None:
        self._reports.put_nowait({"kind": kind, kind: value})

    async def _read(self) -> None:
        try:
            async with self._subscription as events:
                async for event in events:
                    self._report("event", {"type": event.event, "data": event.data, "id": event.id})
        except ssejet.SSEError:
            pass  # on_error has heard of it
        except Exception as error:
            self._report("error", str(error))

    async def _post(self) -> None:
        # The harness is on this machine, so no proxy is used. It may be slow on purpose.
        async with httpx.AsyncClient(trust_env=False, timeout=None) as client:
            for number in count(1):
                report = await self._reports.get()
                with suppress(httpx.TransportError):  # the next ones are not for it to keep back
                    await client.post(f"{self._callback}/{number}", json=report)


class Service:
    """The HTTP interface.

    Args:
        stop: ends the process that serves it.
    """

    def __init__(self, stop: Callable[[], None]) -> None:
        self._stop = stop
        self._streams: dict[str, Stream] = {}
        self._names = count(1)
        self.app = Starlette(
            routes=[
                Route("/", self.status, methods=["GET"]),
                Route("/", self.create, methods=["POST"]),
                Route("/", self.quit, methods=["DELETE"]),
                Route("/streams/{name}", self.command, methods=["POST"]),
                Route("/streams/{name}", self.delete, methods=["DELETE"]),
            ]
        )

    async def status(self, _: Request) -> Response:
        return JSONResponse({"name": f"ssejet {ssejet.__version__}", "capabilities": CAPABILITIES})

    async def create(self, request: Request) -> Response:
        try:
            parameters = checked(await request.json())
            stream = Stream(parameters)
        except (TypeError, ValueError) as error:
            return Response(str(error), 400)
        name = str(next(self._names))
        self._streams[name] = stream
        return Response(status_code=201, headers={"Location": f"/streams/{name}"})

    async def command(self, request: Request) -> Response:
        stream = self._streams.get(request.path_params["name"])
        if stream is None:
            return Response(status_code=404)
        try:
            command = await request.json()
        except JSONDecodeError:
            command = None
        if not isinstance(command, dict) or command.get("command") != "restart":
            return Response("the only command is restart", 400)
        await stream.restart()
        return Response(status_code=202)

    async def delete(self, request: Request) -> Response:
        stream = self._streams.pop(request.path_params["name"], None)
        if stream is None:
            return Response(status_code=404)
        await stream.close()
        return Response(status_code=204)

    async def quit(self, _: Request) -> Response:
        while self._streams:
            await self._streams.popitem()[1].close()
        self._stop()
        return Response(status_code=204)


def checked(parameters: Any) -> dict[str, Any]:
    """The given parameters of a subscription.

    Raises:
        ValueError: one is missing or is nothing of the kind.
    """
    if not isinstance(parameters, dict):
        raise ValueError("the parameters must be a JSON object")
    given = {name: parameters[name] for name in PARAMETERS if parameters.get(name) is not None}
    for name, value in given.items():
        kind = PARAMETERS[name][0]
        if type(value) is not kind:
            raise ValueError(f"{name} must be of type {kind.__name__}")
    for name in ("streamUrl", "callbackUrl"):
        if not is_http_url(given.get(name, "")):
            raise ValueError(f"{name} must be an HTTP URL")
    if not all(isinstance(value, str) for value in given.get("headers", {}).values()):
        raise ValueError("headers must have strings for values")
    return given


def is_http_url(text: str) -> bool:
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        return False
    return url.scheme in {"http", "https"} and url.host != "" and (url.port or 0) <= LAST_PORT


def main() -> None:
    port = int(sys.argv[1]) if len(sys.argv) > 1 else 8000
    with socket.create_server(("127.0.0.1", port)) as listener:
        service = Service(lambda: setattr(server, "should_exit", True))
        server = uvicorn.Server(uvicorn.Config(service.app, ws="none", lifespan="off", log_level="warning"))
        print("http://{}:{}".format(*listener.getsockname()), flush=True)
        server.run([listener])


if __name__ == "__main__":
    main()
