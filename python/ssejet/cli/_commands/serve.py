"""``ssejet serve FILE``: serves a recorded stream."""

from __future__ import annotations

import math
import os
import threading
from pathlib import Path  # noqa: TC003 - typer reads the annotation
from typing import Annotated

import typer

from ssejet.cli import _recording
from ssejet.cli._console import command_ends, fail, standard_console

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
) -> None:
    """Serve a recorded stream on localhost, as OpenAI's API and as a web page.

    `POST /v1/chat/completions` plays it to clients of OpenAI's API, and `GET /events` to a browser's
    `EventSource`. The page `/` shows both. `?fail_after=N` in a URL breaks that connection after N events.
    """
    # Imported here, because the other commands do not need these packages.
    from ssejet.cli._playback import Playback, playback_app, read_recording
    from ssejet.cli._server import loopback_server

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
    console = standard_console()
    with command_ends():
        try:
            with loopback_server(playback_app(playback), port=port) as url:
                console.print(f"{name} at {url}/", style="bold")
                console.print(f"For clients of OpenAI's API: base_url={url}/v1")
                console.print("Press Ctrl-C to stop.", style="dim")
                threading.Event().wait()
        except OSError as error:
            reason = os.strerror(error.errno or 0)
            fail(f"cannot serve on port {port}: {reason}; use --port 0 for any free port")
