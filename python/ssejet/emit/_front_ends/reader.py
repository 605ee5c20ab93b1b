"""Reads the events of chat completions, of the Responses API and of the Messages API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet.chat import ChatCompletionChunk
from ssejet.chat._events import EVENT_TYPES as CHAT_EVENTS
from ssejet.emit._front_ends.answer import ToolOutput
from ssejet.emit._front_ends.chat import ChatReader
from ssejet.emit._front_ends.messages import MessagesReader
from ssejet.emit._front_ends.responses import ResponsesReader
from ssejet.messages._events import EVENT_TYPES as MESSAGE_EVENTS
from ssejet.messages._raw_events import RawEvent, UnknownEvent
from ssejet.responses._events import ResponseEvent, UnknownResponseEvent

if TYPE_CHECKING:
    from ssejet.emit._front_ends.writer import Writer

__all__ = ["Reader"]

_CHAT_EVENTS: tuple[type[Any], ...] = tuple(CHAT_EVENTS.values())
_MESSAGE_EVENTS: tuple[type[Any], ...] = (RawEvent, *MESSAGE_EVENTS.values())


class Reader:
    """Passes events to a writer. The events of several model calls may follow each other.

    Args:
        writer: writes them in the front end's protocol.
    """

    def __init__(self, writer: Writer) -> None:
        self._writer = writer
        self._chat = ChatReader(writer)
        self._responses = ResponsesReader(writer)
        self._messages = MessagesReader(writer)

    def feed(self, item: Any) -> None:
        """Read an event, a ``ToolOutput``, text, or a dict that is an event of the protocol already.

        Raises:
            TypeError: the item is none of these.
        """
        if isinstance(item, _CHAT_EVENTS):
            self._chat.add_event(item)
        elif isinstance(item, ChatCompletionChunk):
            self._chat.add_chunk(item)
        elif isinstance(item, ResponseEvent):
            self._responses.add(item)
        elif isinstance(item, _MESSAGE_EVENTS):
            self._messages.add(item)
        elif isinstance(item, ToolOutput):
            self._chat.flush()
            self._writer.answer(item.tool_call_id, item.output, is_error=item.is_error)
        elif isinstance(item, str):
            self._writer.grow("text", item)
        elif isinstance(item, dict):
            self._writer.pass_on(item)
        elif item is not None:
            self._feed_foreign(item)

    def finish(self) -> None:
        """Read the end of the events."""
        self._chat.flush()
        self._writer.finish()

    def _feed_foreign(self, item: Any) -> None:
        """Read an event of openai-python or anthropic-sdk-python."""
        data: Any = item.to_dict() if hasattr(item, "to_dict") else None
        kind: Any = data.get("type") if isinstance(data, dict) else None
        if isinstance(item, UnknownResponseEvent):
            self._responses.add(item)
        elif isinstance(item, UnknownEvent):
            self._writer.data("anthropic-event", data)
        elif isinstance(data, dict) and "choices" in data:
            self._chat.add_chunk(ChatCompletionChunk.from_dict(data))
        elif isinstance(kind, str) and (kind.startswith("response.") or kind == "error"):
            self._responses.add(ResponseEvent.from_dict(data))
        elif kind in RawEvent.members:
            self._messages.add(RawEvent.from_dict(data))
        elif isinstance(kind, str):
            # The SDKs' managed streams add events that repeat those of the server.
            if kind not in MESSAGE_EVENTS and kind not in CHAT_EVENTS:
                self._writer.data(f"{type(item).__module__.partition('.')[0]}-event", data)
        else:
            raise TypeError(
                "expected an event of a chat completion, of the Responses API or of the Messages API, a "
                f"ToolOutput, text, or a dict that is an event of the front end's protocol; got {item!r}"
            )
