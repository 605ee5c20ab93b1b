"""Makes and encodes events as sse-starlette does."""

from __future__ import annotations

import json
import re
from typing import Any

__all__ = ["JSONServerSentEvent", "ServerSentEvent", "ensure_bytes"]

_LINE_END = re.compile(r"\r\n|\r|\n")


class ServerSentEvent:
    """An event to send.

    Args:
        data: the data, which ``str()`` converts; None for no data.
        event: the event type, without its line ends.
        id: the event's id, without its line ends.
        retry: the reconnection time in milliseconds.
        comment: a text that clients ignore.
        sep: the end of each line, CRLF by default.
    """

    DEFAULT_SEPARATOR = "\r\n"

    def __init__(
        self,
        data: Any = None,
        *,
        event: str | None = None,
        id: str | None = None,
        retry: int | None = None,
        comment: str | None = None,
        sep: str | None = None,
    ) -> None:
        self.data = data
        self.event = event
        self.id = id
        self.retry = retry
        self.comment = comment
        self._sep = self.DEFAULT_SEPARATOR if sep is None else sep

    def encode(self) -> bytes:
        """Encode the event.

        Raises:
            TypeError: ``retry`` is not an int.
        """
        if self.retry is not None and not isinstance(self.retry, int):
            raise TypeError("retry argument must be int")
        lines: list[str] = []
        if self.comment is not None:
            lines += (f": {line}" for line in _LINE_END.split(str(self.comment)))
        if self.id is not None:
            lines.append(f"id: {_LINE_END.sub('', self.id)}")
        if self.event is not None:
            lines.append(f"event: {_LINE_END.sub('', self.event)}")
        if self.data is not None:
            lines += (f"data: {line}" for line in _LINE_END.split(str(self.data)))
        if self.retry is not None:
            lines.append(f"retry: {self.retry}")
        return "".join(line + self._sep for line in (*lines, "")).encode()


class JSONServerSentEvent(ServerSentEvent):
    """An event whose data is sent as JSON.

    Raises:
        TypeError, ValueError: ``json.dumps`` cannot encode the data, or it holds NaN or an infinity.
    """

    def __init__(self, data: Any = None, *args: Any, **kwargs: Any) -> None:
        if data is not None:
            data = json.dumps(data, ensure_ascii=False, allow_nan=False, separators=(",", ":"))
        super().__init__(data, *args, **kwargs)


def ensure_bytes(data: Any, sep: str) -> bytes:
    """Encode an item of a source.

    Args:
        data: bytes, which are an event already; a ``ServerSentEvent``; a dict of its arguments; or anything
            else, which is the data of an event.
        sep: the end of each line, unless the event has its own.
    """
    if isinstance(data, (bytes, memoryview)):
        return bytes(data)
    if isinstance(data, ServerSentEvent):
        return data.encode()
    if isinstance(data, dict):
        return ServerSentEvent(**{**data, "sep": sep}).encode()
    return ServerSentEvent(str(data), sep=sep).encode()
