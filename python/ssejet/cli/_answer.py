"""Shows the answers of ``ssejet chat``: on a terminal, in a pipe, or as JSON."""

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
    """Shows an answer while it arrives."""

    def begin(self) -> None:
        """Prepare for the answer to a new question."""

    def chunk(self, chunk: ChatCompletionChunk) -> None:
        """Show a chunk. Calls of ``reasoning`` and ``content`` with its text follow."""

    def reasoning(self, text: str) -> None:
        """Show more of the model's reasoning."""

    def content(self, text: str) -> None:
        """Show more of the answer."""

    def end(self, metrics: TokenMetrics | None) -> None:
        """End the answer, complete or not. ``metrics`` is None if no answer began."""


class MarkdownView:
    """Renders the answer as Markdown, and its reasoning dimmed, for a terminal."""

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
    """Prints the answer as plain text, without the reasoning, for a pipe."""

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
        # A rich console would print its last text again after Ctrl-C.
        self._last = text[-1:] or self._last
        sys.stdout.write(text)
        sys.stdout.flush()


class JSONView:
    """Prints each chunk as one line of JSON, then the metrics as another."""

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
