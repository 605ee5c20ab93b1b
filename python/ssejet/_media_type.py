"""The media type of event streams."""

from __future__ import annotations

__all__ = ["EVENT_STREAM", "is_event_stream"]

EVENT_STREAM = "text/event-stream"


def is_event_stream(content_type: str) -> bool:
    """Whether a content type is that of event streams. Parameters do not count: the text is always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == EVENT_STREAM
