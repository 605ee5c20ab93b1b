"""Prints the events of ``ssejet tail``: for people, or as JSON."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

import orjson
from rich.highlighter import JSONHighlighter
from rich.text import Text

from ssejet.cli._console import printable, standard_console
from ssejet.cli._json_layout import layout

if TYPE_CHECKING:
    from datetime import datetime

    from ssejet import ServerSentEvent

__all__ = ["JSONPrinter", "PrettyPrinter", "Printer"]


_INDENT = "  "


class Printer(Protocol):
    """Prints events and comments, each flushed before the call returns."""

    def event(self, event: ServerSentEvent, arrived: datetime) -> None:
        """Print an event; ``arrived`` is the time of its last bytes."""

    def comment(self, text: str, arrived: datetime) -> None:
        """Print a comment."""


class JSONPrinter:
    """Prints one JSON object per line, in UTF-8 in every locale."""

    def event(self, event: ServerSentEvent, arrived: datetime) -> None:
        self._print({"event": event.event, "data": event.data, "id": event.id, "retry": event.retry})

    def comment(self, text: str, arrived: datetime) -> None:
        self._print({"comment": text})

    def _print(self, record: dict[str, object]) -> None:
        sys.stdout.buffer.write(orjson.dumps(record, option=orjson.OPT_APPEND_NEWLINE))
        sys.stdout.buffer.flush()


class PrettyPrinter:
    """Prints the time, type, id and retry, then the data, with JSON formatted, on one line if it fits."""

    def __init__(self) -> None:
        self._console = standard_console()
        self._highlight = JSONHighlighter().highlight

    def event(self, event: ServerSentEvent, arrived: datetime) -> None:
        line = _clock(arrived)
        kind = event.event or "message"
        line.append(printable(kind), "error" if kind == "error" else "event")
        if event.id:
            line.append(f" #{printable(event.id)}", "dim")
        if event.retry is not None:
            line.append(f" retry {event.retry} ms", "dim")
        self._print(line.append_text(self._data(event.data, self._console.width - line.cell_len)))

    def comment(self, text: str, arrived: datetime) -> None:
        self._print(_clock(arrived).append(f":{printable(text)}", "dim"))

    def _print(self, line: Text) -> None:
        # The terminal wraps long lines, so that copied or piped text has no added line breaks.
        self._console.print(line, soft_wrap=True)

    def _data(self, data: str, room: int) -> Text:
        """Format the data to continue the line if it fits into ``room``, otherwise on separate lines."""
        document = layout(data, self._console.width - len(_INDENT))
        text = Text(printable(data if document is None else document))
        if document is not None:
            self._highlight(text)
        if "\n" not in text.plain and text.cell_len + len(_INDENT) <= room:
            return Text(_INDENT if text else "").append_text(text)
        return Text("\n" + _INDENT) + Text("\n" + _INDENT).join(text.split("\n", allow_blank=True))


def _clock(arrived: datetime) -> Text:
    return Text().append(f"{arrived:%H:%M:%S}.{arrived.microsecond // 1000:03} ", "dim")
