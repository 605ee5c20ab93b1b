"""The media type of event streams."""

from __future__ import annotations

__all__ = ["is_event_stream"]


def is_event_stream(content_type: str) -> bool:
    """Whether that is the type of event streams, whatever its parameters say: they are always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"
