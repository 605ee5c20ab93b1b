"""Event streams, as the ``content`` of a response: override ``generate`` or ``agenerate``."""

from __future__ import annotations

from ssejet.emit import AsyncEventStream, EventStream

__all__ = ["AsyncEventStream", "EventStream"]
