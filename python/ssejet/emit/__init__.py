"""The other direction: event streams to send, to relay and to test with.

``ssejet.emit.starlette`` and ``ssejet.emit.flask`` make responses of them for those frameworks.
"""

from __future__ import annotations

from ssejet.emit.encoded import EncodedEvent
from ssejet.emit.faults import Failure
from ssejet.emit.relay import arelay, relay, resume_headers
from ssejet.emit.stream import AsyncEventStream, EventStream

__all__ = ["AsyncEventStream", "EncodedEvent", "EventStream", "Failure", "arelay", "relay", "resume_headers"]
