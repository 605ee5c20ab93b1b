"""``ssejet serve FILE``: serves a recorded stream, and a chat that it answers."""

from __future__ import annotations

import math
import os
import threading
from functools import partial
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import TYPE_CHECKING, Annotated

import typer

from ssejet.cli import _recording
from ssejet.cli._console import command_ends, fail, standard_console

if TYPE_CHECKING:
    from starlette.applications import Starlette

    from ssejet.cli._playback import Playback

__all__ = ["serve"]

_PORT = 8765


def serve(
    file: Annotated[
        Path | None,
        typer.Argument(
            metavar="FILE",
            help="The recorded event stream. A comment such as `: @1.250` gives the time of the events after "
            "it, in seconds. Default: the recording of `ssejet demo`.",
        ),
    ] = None,
    port: Annotated[
        int, typer.Option("--port", metavar="N", min=0, max=65535, help="The port; 0 for any free port.")
    ] = _PORT,
    pace: Annotated[
        float, typer.Option("--pace", metavar="X", help="Play the recording X times as fast as recorded.")
    ] = 1.0,
    fast: Annotated[bool, typer.Option("--fast", help="Play the recording without pauses.")] = False,
    rate: Annotated[
        float | None,
        typer.Option(
            "--rate",
            metavar="N",
            help="Play N events per second instead of at the recorded times. Default without times: 30.",
        ),
    ] = None,
    loop: Annotated[bool, typer.Option("--loop", help="Repeat the recording forever.")] = False,
    fail_after: Annotated[
        int | None,
        typer.Option("--fail-after", metavar="N", min=1, help="Break the connection after N events."),
    ] = None,
    redis: Annotated[
        str | None,
        typer.Option(
            "--redis",
            metavar="URL",
            help="Keep the page's conversations in this Redis, so that they survive the server.",
        ),
    ] = None,
    workers: Annotated[
        int, typer.Option("--workers", metavar="N", min=1, help="The number of processes; needs --redis.")
    ] = 1,
) -> None:
    """Serve a recorded stream on localhost, as OpenAI's API and as a web page with a chat.

    `POST /v1/chat/completions` plays it to clients of OpenAI's API, and `GET /events` to a browser's
    `EventSource`. `?fail_after=N` in a URL breaks that connection after N events.

    The page `/` is a chat over `ssejet.hub`: answers go on during a reload, in a second tab, after a lost
    connection, and with `--redis` in another process.
    """
    if workers > 1 and redis is None:
        raise typer.BadParameter(
            "processes share conversations over Redis only: add --redis redis://localhost, or leave out "
            "--workers",
            param_hint="--workers",
        )
    # Imported here, because the other commands do not need these packages.
    from ssejet.cli._playback import Playback, read_recording

    for name, value in (("--pace", pace), ("--rate", rate)):
        if value is not None and value <= 0:
            raise typer.BadParameter("must be more than 0", param_hint=name)
    if file is None:
        name, recording = "chat.sse", _recording.load_bytes("chat")
    else:
        name = file.name
        try:
            recording = file.read_bytes()
        except OSError as error:
            raise typer.BadParameter(f"cannot read {file}: {error.strerror}", param_hint="FILE") from None
    playback = Playback(
        name=name,
        frames=read_recording(recording, rate=rate),
        pace=math.inf if fast else pace,
        loops=loop,
        fail_after=fail_after,
    )
    if not playback.frames:
        fail(f"{name} has no events")
    if redis is not None:
        from ssejet.cli._redis_url import check_redis

        check_redis(redis)
    with command_ends():
        try:
            _serve(playback, port=port, redis=redis, workers=workers)
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            fail(f"cannot serve on port {port}: {reason}; use --port 0 for any free port")


def _serve(playback: Playback, *, port: int, redis: str | None, workers: int) -> None:
    from ssejet.cli._server import loopback_listener, loopback_server, url_of
    from ssejet.cli._workers import WorkerError, run_workers

    console = standard_console()

    def announce(url: str) -> None:
        console.print(f"{playback.name} at {url}/", style="bold")
        console.print(f"For clients of OpenAI's API: base_url={url}/v1")
        if workers > 1:
            console.print(f"{workers} processes share the conversations over Redis.")
        console.print("Press Ctrl-C to stop.", style="dim")

    if workers == 1:
        with loopback_server(_make_app(playback, redis), port=port, has_lifespan=True) as url:
            announce(url)
            threading.Event().wait()
    else:
        with loopback_listener(port) as listener:
            announce(url_of(listener))
            try:
                run_workers(
                    workers,
                    partial(_make_app, playback, redis),
                    listener,
                    on_replaced=lambda old, new: console.print(
                        f"Process {old} ended; process {new} takes its place."
                    ),
                )
            except WorkerError as error:
                fail(str(error))


def _make_app(playback: Playback, redis: str | None) -> Starlette:
    from ssejet.cli._playback import playback_app
    from ssejet.hub import AsyncHub

    return playback_app(playback, AsyncHub(redis, prefix="ssejet-serve", shutdown="abandon"))
