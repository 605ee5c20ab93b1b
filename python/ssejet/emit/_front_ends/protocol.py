"""What a front end's protocol has to write."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.emit._front_ends.answer import Answer

if TYPE_CHECKING:
    from ssejet.emit._front_ends.answer import Part, Step, Tool

__all__ = ["Protocol"]


class Protocol:
    """Writes an answer in one protocol.

    A subclass overrides the methods ``write_…``, which append to ``chunks``. ``Writer`` calls them in the
    order that front ends expect.

    Attributes:
        answer: the answer so far.
        chunks: the events of the protocol that were not taken yet.
    """

    def __init__(self) -> None:
        self.answer = Answer()
        self.chunks: list[dict[str, Any]] = []

    def take(self) -> list[dict[str, Any]]:
        """The events since the last call."""
        chunks, self.chunks = self.chunks, []
        return chunks

    def write_start(self, id: str) -> None:
        """Write the beginning of the answer; ``id`` is the id of the first model's answer."""

    def write_step(self, step: Step) -> None:
        """Write the beginning of a model call."""

    def write_part(self, part: Part) -> None:
        """Write the beginning of a part."""

    def write_delta(self, part: Part, delta: str) -> None:
        """Write new text of a part."""

    def write_part_end(self, part: Part) -> None:
        """Write the end of a part, whose metadata is complete."""

    def write_tool(self, tool: Tool) -> None:
        """Write the beginning of a tool call."""

    def write_tool_delta(self, tool: Tool, delta: str) -> None:
        """Write new text of a tool call's input."""

    def write_tool_input(self, tool: Tool) -> None:
        """Write a tool call's input, which is complete."""

    def write_tool_output(self, tool: Tool, output: Any, *, is_error: bool) -> None:
        """Write the output of a tool."""

    def write_source(self, url: str, title: str | None, metadata: dict[str, Any]) -> None:
        """Write a web page that the answer cites."""

    def write_document(self, title: str, filename: str | None, metadata: dict[str, Any]) -> None:
        """Write a document that the answer cites."""

    def write_file(self, url: str, media_type: str) -> None:
        """Write a file that the model made."""

    def write_data(self, name: str, value: Any, *, transient: bool) -> None:
        """Write a value for which the protocol has no event of its own."""

    def write_step_end(self, step: Step) -> None:
        """Write the end of a model call."""

    def write_end(self) -> None:
        """Write the end of the answer."""

    def write_error(self, message: str, code: str | None) -> None:
        """Write the error with which the answer ends."""

    def watch(self, event: str) -> None:
        """Look at the data of a log's event, which is passed on unchanged."""

    def write_cancellation(self) -> None:
        """Write that the answer was stopped."""
