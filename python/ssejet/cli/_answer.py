"""How ``ssejet chat`` shows an answer: on a terminal, in a pipe, and for programs."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from ssejet._json import dumps
from ssejet.cli._console import printable
from ssejet.cli._markdown import MarkdownWriter

if TYPE_CHECKING:
    from rich.console import Console

    from ssejet import TokenMetrics
    from ssejet.chat import ChatCompletionChunk

__all__ = ["JSONView", "MarkdownView", "TextView", "View"]


class View(Protocol):
    """Shows one answer after another, each piece at once."""

    def begin(self) -> None:
        """A question is about to be sent."""

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """A chunk has come, whose texts follow."""

    def reasoning(self, text: str) -> None:
        """The model thinks."""

    def content(self, text: str) -> None:
        """The answer goes on."""

    def end(self, metrics: TokenMetrics | None) -> None:
        """The answer is over, whether it came to its end or not; None if it did not begin."""


class MarkdownView:
    """Rendered Markdown, reasoning dimmed, for a terminal."""

    def __init__(self, console: Console) -> None:
        self._console = console

    def begin(self) -> None:
        self._writer = MarkdownWriter(self._console)

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        pass

    def reasoning(self, text: str) -> None:
        self._writer.write(text, "dim")

    def content(self, text: str) -> None:
        self._writer.write(text)

    def end(self, metrics: TokenMetrics | None) -> None:
        self._writer.end()


class TextView:
    """The answer as the model wrote it, without its reasoning, for a pipe."""

    def begin(self) -> None:
        self._last = "\n"

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        pass

    def reasoning(self, text: str) -> None:
        pass

    def content(self, text: str) -> None:
        self._print(printable(text.replace("\r", "")))

    def end(self, metrics: TokenMetrics | None) -> None:
        if self._last != "\n":
            self._print("\n")

    def _print(self, text: str) -> None:
        # Not by a console of rich's, which prints again what it was printing when Ctrl-C came.
        self._last = text[-1:] or self._last
        sys.stdout.write(text)
        sys.stdout.flush()


class JSONView:
    """The chunks as the server sent them, one per line, and then an object with the metrics."""

    def begin(self) -> None:
        pass

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        self._print(chunk.to_dict())

    def reasoning(self, text: str) -> None:
        pass

    def content(self, text: str) -> None:
        pass

    def end(self, metrics: TokenMetrics | None) -> None:
        if metrics is not None:
            self._print({"metrics": metrics.to_dict()})

    def _print(self, record: object) -> None:
        sys.stdout.buffer.write(dumps(record) + b"\n")
        sys.stdout.buffer.flush()
