"""``ssejet tail URL``: follows any event stream."""

from __future__ import annotations

import os
import select
import stat
import sys
import threading
import time
from contextlib import closing
from datetime import datetime, timedelta
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import httpx
import typer

from ssejet import (
    APIConnectionError,
    APIStatusError,
    APITimeoutError,
    Decoder,
    EventTooLargeError,
    SSEError,
    TruncatedStreamError,
    subscribe,
)
from ssejet._http.deadlines import Deadlines
from ssejet._http.failures import translate, translate_request, translated
from ssejet._http.headers import EVENT_STREAM_HEADERS, with_default_headers
from ssejet._http.response import has_error_status, has_event_stream_type
from ssejet._json import loads
from ssejet.cli._console import command_ends, error_console, fail, printable
from ssejet.cli._printers import JSONPrinter, PrettyPrinter, Printer
from ssejet.typed._refusal import content_type_error
from ssejet.typed._server_reports import status_error

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tail"]

_CONNECT_SECONDS = 10.0
_FORM = "application/x-www-form-urlencoded"


def tail(
    url: Annotated[str, typer.Argument(metavar="URL", help="The URL; http:// if it has no scheme.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per event and line: event, data, id, retry.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the bytes of the stream unchanged, with comments.")
    ] = False,
    comments: Annotated[bool, typer.Option("--comments", help="Print comments (keep-alives) too.")] = False,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send this header. Repeatable."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="BODY",
            help="Send this body. @FILE reads it from a file, - from standard input. Its type is JSON if it "
            "is JSON, otherwise a form, unless you give a Content-Type header.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--request", "-X", metavar="METHOD", help="The method. The default is GET, or POST with a body."
        ),
    ] = None,
    last_event_id: Annotated[
        str | None, typer.Option("--last-event-id", metavar="ID", help="Ask for the events after this one.")
    ] = None,
    max_events: Annotated[
        int | None, typer.Option("--max-events", "-n", metavar="N", min=1, help="Stop after N events.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout",
            metavar="SECONDS",
            help="Treat a connection as broken when nothing arrives for this long. The default is never.",
        ),
    ] = None,
    no_reconnect: Annotated[
        bool, typer.Option("--no-reconnect", help="End when the connection ends, as --raw always does.")
    ] = False,
) -> None:
    """Follow an event stream, and print every event as it arrives.

    When the stream ends or breaks after it has begun, the command connects again, as browsers do: after the
    server's `retry` time, and after a longer wait each time that this fails. It asks for the events after the
    last one. Requests other than GET are not repeated.

    The exit status is 0 when the stream ends for good or N events were printed, 1 when the request fails, the
    stream breaks or the response is not an event stream, 130 after Ctrl-C.
    """
    if raw and as_json:
        raise typer.BadParameter("--raw and --json exclude each other")
    if timeout is not None and not timeout > 0:  # NaN too
        raise typer.BadParameter("must be more than 0", param_hint="--timeout")
    body = None if data is None else _read_body(data)
    request: dict[str, Any] = {
        "method": method or ("GET" if body is None else "POST"),
        "url": url if "://" in url else f"http://{url}",
        "content": body,
    }
    headers = _headers(header or [], body, last_event_id)
    with command_ends():
        _exit_with_reader()
        try:
            if raw:
                _copy({**request, "headers": headers}, timeout, max_events)
            else:
                # subscribe() sets the Last-Event-ID of each connection.
                event_id = headers.pop("Last-Event-ID", "")
                _follow(
                    {**request, "headers": headers, "last_event_id": event_id, "idle_timeout": timeout},
                    JSONPrinter() if as_json else PrettyPrinter(),
                    comments=comments,
                    max_events=max_events,
                    reconnects=not no_reconnect,
                )
        except APITimeoutError as error:
            fail(f"nothing arrived for {timeout:g} seconds" if error.kind == "idle" else str(error))
        except EventTooLargeError as error:
            fail(f"an event is larger than {error.limit:,} bytes, too large to show; --raw prints it anyway")
        except (SSEError, httpx.UnsupportedProtocol, httpx.InvalidURL) as error:
            fail(str(error))


def _follow(
    request: dict[str, Any], printer: Printer, *, comments: bool, max_events: int | None, reconnects: bool
) -> None:
    def arrived() -> datetime:
        age = time.perf_counter() - (events.metrics.last_byte or 0.0)
        return datetime.now().astimezone() - timedelta(seconds=age)

    def continues(error: SSEError) -> bool | None:
        if not reconnects or not (events.metrics.bytes or events.metrics.reconnections):
            return False
        if isinstance(error, APIStatusError):
            return error.retryable
        if isinstance(error, (APIConnectionError, TruncatedStreamError)) and request["method"] == "GET":
            error_console().print(f"{printable(str(error))}; connecting again", style="dim", soft_wrap=True)
        return None

    with subscribe(
        **request,
        connect_timeout=_CONNECT_SECONDS,
        on_comment=(lambda text: printer.comment(text, arrived())) if comments else None,
        on_error=continues,
    ) as events:
        for event in islice(events, max_events):
            printer.event(event, arrived())


def _copy(request: dict[str, Any], timeout: float | None, max_events: int | None) -> None:
    decoder = Decoder(max_event_size=None)
    count = 0
    for line in _lines(request, timeout):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if max_events is not None:
            count += len(decoder.feed(line))
            if count == max_events:
                return


def _lines(request: dict[str, Any], timeout: float | None) -> Iterator[bytes]:
    """Yield the response line by line, because ``--raw`` may have to stop after an event's last line."""
    deadlines = Deadlines(idle=timeout)
    with httpx.Client(timeout=httpx.Timeout(timeout, connect=_CONNECT_SECONDS)) as client:
        sent = client.build_request(
            **{**request, "headers": with_default_headers(request["headers"], EVENT_STREAM_HEADERS)}
        )
        with translated(lambda error: translate_request(error, sent, _CONNECT_SECONDS, deadlines)):
            response = client.send(sent, stream=True, follow_redirects=True)
        with closing(response), translated(lambda error: translate(error, response, deadlines)):
            chunks = response.iter_bytes()
            if has_error_status(response):
                # One read, because the body may never end.
                raise status_error(response, next(chunks, b""))
            if not has_event_stream_type(response):
                raise content_type_error(response, next(chunks, b""))
            for chunk in chunks:
                yield from chunk.splitlines(keepends=True)


def _read_body(data: str) -> bytes:
    if data != "-" and not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    file = data.removeprefix("@")
    try:
        return sys.stdin.buffer.read() if file == "-" else Path(file).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {file}: {error.strerror}", param_hint="--data") from None


def _headers(lines: list[str], body: bytes | None, last_event_id: str | None) -> httpx.Headers:
    given = []
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name.strip():
            raise typer.BadParameter(f"{line!r} is not of the form 'Name: value'", param_hint="--header")
        given.append((name.strip(), value.strip()))
    headers = httpx.Headers(given, encoding="utf-8")
    if body is not None:
        headers.setdefault("Content-Type", "application/json" if _is_json(body) else _FORM)
    if last_event_id is not None:
        headers.setdefault("Last-Event-ID", last_event_id)
    return headers


def _is_json(body: bytes) -> bool:
    try:
        loads(body)
    except ValueError:
        return False
    return True


def _exit_with_reader() -> None:
    """End the process as soon as a pipe's reader has gone. Without events, no write would notice."""
    try:
        is_pipe = stat.S_ISFIFO(os.fstat(sys.stdout.fileno()).st_mode)
    except (OSError, ValueError):
        return
    if not is_pipe or not hasattr(select, "poll"):
        return
    poll = select.poll()
    poll.register(sys.stdout.fileno(), 0)

    def watch() -> None:
        poll.poll()
        # sys.exit would not end the main thread, which is blocked in a read.
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
