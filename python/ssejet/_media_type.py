"""The media type of event streams."""

from __future__ import annotations

__all__ = ["is_event_stream"]


def is_event_stream(content_type: str) -> bool:
    """Whether a content type is that of event streams. Parameters do not matter: they are always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == "text/event-stream"
