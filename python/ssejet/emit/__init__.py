"""Makes event streams to send, to relay and to test with.

``ssejet.emit.starlette`` and ``ssejet.emit.flask`` send them as responses of those frameworks.
"""

from __future__ import annotations

from ssejet.emit._encoded_event import EncodedEvent
from ssejet.emit._event_stream import AsyncEventStream, EventStream
from ssejet.emit._fault_injection import Failure
from ssejet.emit._relay import arelay, relay, resume_headers

__all__ = ["AsyncEventStream", "EncodedEvent", "EventStream", "Failure", "arelay", "relay", "resume_headers"]
