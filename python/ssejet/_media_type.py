"""The media type of event streams, and the byte order mark that they may begin with."""

from __future__ import annotations

__all__ = ["BOM", "EVENT_STREAM", "is_event_stream"]

EVENT_STREAM = "text/event-stream"

BOM = b"\xef\xbb\xbf"
"""The byte order mark, which a decoder removes from the start of a stream."""


def is_event_stream(content_type: str) -> bool:
    """Whether a content type is that of event streams. Parameters do not count: the text is always UTF-8."""
    return content_type.partition(";")[0].strip().lower() == EVENT_STREAM
