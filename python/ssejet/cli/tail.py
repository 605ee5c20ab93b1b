"""``ssejet tail URL``: follow any event stream."""

from __future__ import annotations

import json
import os
import select
import stat
import sys
import threading
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import httpx
import typer

from ssejet import ContentTypeError, Decoder, EventTooLargeError
from ssejet.cli._console import command_ends, fail
from ssejet.cli._printers import JSONPrinter, PrettyPrinter, Printer
from ssejet.source import connect_sse
from ssejet.transport import content_type_of, is_event_stream

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["tail"]

_CONNECT_SECONDS = 10.0
_EXCERPT_BYTES = 1024
_FORM = "application/x-www-form-urlencoded"


def tail(
    url: Annotated[str, typer.Argument(metavar="URL", help="The endpoint; http:// if it names no scheme.")],
    as_json: Annotated[
        bool, typer.Option("--json", help="Print one JSON object per event and line: event, data, id, retry.")
    ] = False,
    raw: Annotated[
        bool, typer.Option("--raw", help="Print the stream's own bytes as they come, comments included.")
    ] = False,
    comments: Annotated[bool, typer.Option("--comments", help="Show comments (keep-alives) too.")] = False,
    header: Annotated[
        list[str] | None,
        typer.Option("--header", "-H", metavar="'NAME: VALUE'", help="Send this header; repeatable."),
    ] = None,
    data: Annotated[
        str | None,
        typer.Option(
            "--data",
            "-d",
            metavar="BODY",
            help="Send this body; @FILE reads it from a file, - from standard input. It goes as JSON if it "
            "is JSON, else as a form, unless a Content-Type header is given.",
        ),
    ] = None,
    method: Annotated[
        str | None,
        typer.Option(
            "--request", "-X", metavar="METHOD", help="The method, if not GET, or POST with a body."
        ),
    ] = None,
    last_event_id: Annotated[
        str | None, typer.Option("--last-event-id", metavar="ID", help="Ask for what came after this event.")
    ] = None,
    max_events: Annotated[
        int | None, typer.Option("--max-events", "-n", metavar="N", min=1, help="Stop after N events.")
    ] = None,
    timeout: Annotated[
        float | None,
        typer.Option(
            "--timeout", metavar="SECONDS", help="Give up after so long a silence; by default never."
        ),
    ] = None,
) -> None:
    """Follow an event stream, and print every event as it arrives.

    The exit status is 0 when the stream ends or N events were printed, 1 when the request fails, the stream
    breaks off or is no event stream, 130 after Ctrl-C.
    """
    if raw and as_json:
        raise typer.BadParameter("--raw and --json exclude each other")
    if timeout is not None and not timeout > 0:  # NaN too
        raise typer.BadParameter("must be more than 0", param_hint="--timeout")
    body = None if data is None else _read_body(data)
    with command_ends(), httpx.Client(timeout=httpx.Timeout(timeout, connect=_CONNECT_SECONDS)) as client:
        _exit_with_reader()
        try:
            with connect_sse(
                client,
                method or ("GET" if body is None else "POST"),
                url if "://" in url else f"http://{url}",
                headers=_headers(header or [], body, last_event_id),
                content=body,
                follow_redirects=True,
            ) as source:
                _check(source.response)
                if raw:
                    _copy(source.response, max_events)
                else:
                    _follow(
                        source.response, JSONPrinter() if as_json else PrettyPrinter(), comments, max_events
                    )
        except httpx.ReadTimeout:
            fail(f"nothing arrived for {timeout:g} seconds")
        except (httpx.ConnectError, httpx.ConnectTimeout) as error:
            fail(f"cannot connect to {error.request.url.netloc.decode()}: {_reason(error)}")
        except (httpx.NetworkError, httpx.RemoteProtocolError) as error:
            fail(f"the connection broke: {_reason(error)}")
        except EventTooLargeError as error:
            fail(f"an event is larger than {error.limit:,} bytes, too large to show; --raw prints it anyway")
        except (httpx.HTTPError, httpx.InvalidURL, ContentTypeError) as error:
            fail(_reason(error))


def _follow(response: httpx.Response, printer: Printer, comments: bool, max_events: int | None) -> None:
    arrived = datetime.now().astimezone()
    decoder = Decoder(on_comment=(lambda text: printer.comment(text, arrived)) if comments else None)
    count = 0
    for arrived, line in _lines(response):
        for event in decoder.feed(line):
            printer.event(event, arrived)
            count += 1
            if count == max_events:
                return


def _copy(response: httpx.Response, max_events: int | None) -> None:
    decoder = Decoder(max_event_size=None)
    count = 0
    for _, line in _lines(response):
        sys.stdout.buffer.write(line)
        sys.stdout.buffer.flush()
        if max_events is not None:
            count += len(decoder.feed(line))
            if count == max_events:
                return


def _lines(response: httpx.Response) -> Iterator[tuple[datetime, bytes]]:
    """Yield the response line by line, and when each arrived.

    A decoder that is fed lines gives comments and events in the order of the stream, and an event's last line
    is where ``--raw`` may stop.
    """
    for chunk in response.iter_bytes():
        arrived = datetime.now().astimezone()
        for line in chunk.splitlines(keepends=True):
            yield arrived, line


def _check(response: httpx.Response) -> None:
    content_type = content_type_of(response)
    if response.is_success and is_event_stream(content_type):
        return
    # One read, not the whole body: it may have no end.
    body = next(response.iter_bytes(), b"")[:_EXCERPT_BYTES]
    if response.is_success:
        raise ContentTypeError(response, content_type=content_type, body=body)
    text = " ".join(body.decode("utf-8", "replace").split())
    fail(f"HTTP {response.status_code} {response.reason_phrase}" + (f": {text}" if text else ""))


def _reason(error: Exception) -> str:
    return str(error) or type(error).__name__


def _read_body(data: str) -> bytes:
    if data in ("-", "@-"):
        return sys.stdin.buffer.read()
    if not data.startswith("@"):
        return data.encode("utf-8", "surrogateescape")
    try:
        return Path(data[1:]).read_bytes()
    except OSError as error:
        raise typer.BadParameter(f"cannot read {data[1:]}: {error.strerror}", param_hint="--data") from None


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
        json.loads(body)
    except ValueError:
        return False
    return True


def _exit_with_reader() -> None:
    """End the process as soon as a pipe's reader has gone: in a silent stream no write would ever notice."""
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
        # Not sys.exit: the main thread is blocked in a read, and nobody is left to flush for.
        os._exit(0)

    threading.Thread(target=watch, daemon=True).start()
