"""``ssejet bench``: puts load on an OpenAI-compatible server and measures its answers."""

from __future__ import annotations

import asyncio
import sys
from pathlib import Path
from typing import Annotated, Any

import typer

from ssejet import SSEError
from ssejet._json import dump_builtins
from ssejet.cli._console import command_ends, error_console, fail, standard_console
from ssejet.cli._endpoint import (
    KeyName,
    MaxTokens,
    Model,
    NoUsage,
    Params,
    Server,
    Timeout,
    as_call,
    request_params,
)
from ssejet.cli._prompts import from_file, from_text

__all__ = ["bench"]

_PROMPT = "Explain in about two hundred words how rain comes about."
_REQUESTS = 100


def bench(
    url: Annotated[
        str, typer.Argument(metavar="URL", help="The server's base URL, such as http://127.0.0.1:8000/v1.")
    ],
    concurrency: Annotated[
        int,
        typer.Option("--concurrency", "-c", metavar="N", min=1, help="The number of concurrent requests."),
    ] = 10,
    requests: Annotated[
        int | None,
        typer.Option(
            "--requests",
            "-n",
            metavar="N",
            min=1,
            help=f"Send N requests; {_REQUESTS} if there is no --duration.",
        ),
    ] = None,
    duration: Annotated[
        float | None,
        typer.Option("--duration", "-d", metavar="SECONDS", help="Send no more requests after this time."),
    ] = None,
    model: Model = None,
    prompt: Annotated[
        str | None, typer.Option("--prompt", metavar="TEXT", help="Use this prompt for every request.")
    ] = None,
    prompt_file: Annotated[
        Path | None,
        typer.Option(
            "--prompt-file",
            metavar="FILE",
            help="Use the lines of this file in turn. Each is a prompt, or a JSON object with `messages` and "
            "other parameters.",
        ),
    ] = None,
    max_tokens: MaxTokens = None,
    param: Params = None,
    warmup: Annotated[
        int,
        typer.Option("--warmup", metavar="N", min=0, help="Send N requests first that are not measured."),
    ] = 1,
    api_key_env: KeyName = "OPENAI_API_KEY",
    json_file: Annotated[
        str | None,
        typer.Option(
            "--json", metavar="FILE", help="Write all results as JSON to this file; - is standard output."
        ),
    ] = None,
    plot: Annotated[
        Path | None, typer.Option("--plot", metavar="FILE.svg", help="Draw the distributions as SVG.")
    ] = None,
    no_usage: NoUsage = False,
    timeout: Timeout = 600.0,
) -> None:
    """Measure how a server of chat completions answers under load.

    Requests are streamed. Failed requests are not retried. Servers cache prompts, so use many different ones
    to measure the time to the first token.

    Ctrl-C ends the measurement and shows the results so far. The exit status is 0 if there was an answer, 1
    if there was none, 130 after Ctrl-C.
    """
    # Here, because the other commands do not need them.
    from ssejet.cli._measurement import Measurement
    from ssejet.cli._open_files import allow_connections
    from ssejet.cli._plot import draw
    from ssejet.cli._report import Report

    if duration is not None and not duration > 0:  # NaN too
        raise typer.BadParameter("must be more than 0", param_hint="--duration")
    if plot is not None and plot.suffix.lower() != ".svg":
        raise typer.BadParameter(f"{plot} must end in .svg", param_hint="--plot")
    if (most := allow_connections(concurrency)) is not None:
        reason = (
            f"this process may have at most {most:,} connections; raise its limit of open files: ulimit -n"
        )
        raise typer.BadParameter(reason, param_hint="--concurrency")
    server = Server.from_options(url, api_key_env, hint="URL")
    questions = _questions(prompt, prompt_file)
    options = server.client_options(timeout=timeout)
    if requests is None and duration is None:
        requests = _REQUESTS
    with command_ends():
        try:
            name = model or server.only_model()
            common = request_params(name, max_tokens=max_tokens, params=param, no_usage=no_usage)
            measurement = Measurement(
                options,
                [as_call({**common, **question}) for question in questions],
                concurrency=concurrency,
                warmup=warmup,
                total=requests,
                seconds=duration,
            )
            results, is_whole = asyncio.run(measurement.run())
        except SSEError as error:
            fail(server.explain(error))
        conditions = {
            "url": server.name,
            "model": name,
            "concurrency": concurrency,
            "requests": requests,
            "duration": duration,
            "warmup": warmup,
            "prompts": len(questions),
        }
        report = Report(conditions, results, redact=server.redact)
        # JSON on standard output must not be mixed with the report.
        report.print(error_console() if json_file == "-" else standard_console())
        if json_file is not None:
            _write(json_file, f"{dump_builtins(report.to_dict(), indent=2)}\n".encode())
        if plot is not None:
            _write(str(plot), draw(report).encode())
        if not is_whole:
            raise KeyboardInterrupt
        if not results.samples:
            raise typer.Exit(1)


def _questions(prompt: str | None, path: Path | None) -> list[dict[str, Any]]:
    if path is None:
        return [from_text(prompt or _PROMPT)]
    if prompt is not None:
        raise typer.BadParameter("--prompt and --prompt-file exclude each other")
    try:
        return from_file(path)
    except OSError as error:
        reason = f"cannot read {path}: {error.strerror}"
    except ValueError as error:
        reason = f"{path}: {error}"
    raise typer.BadParameter(reason, param_hint="--prompt-file")


def _write(file: str, data: bytes) -> None:
    if file == "-":
        sys.stdout.buffer.write(data)
        sys.stdout.buffer.flush()
        return
    try:
        Path(file).write_bytes(data)
    except OSError as error:
        fail(f"cannot write {file}: {error.strerror}")
