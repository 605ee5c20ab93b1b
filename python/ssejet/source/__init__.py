"""Event sources: the events of one response, or of a subscription that reconnects.

``EventSource``, ``connect_sse`` and ``aconnect_sse`` read one response. ``subscribe`` and ``asubscribe``
connect again when the connection ends, and resume after the last event.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ssejet._lazy import on_demand
from ssejet.source._event_source import EventSource, aconnect_sse, connect_sse

if TYPE_CHECKING:
    from ssejet.source._subscription import AsyncSubscription, Subscription, asubscribe, subscribe

__all__ = [
    "AsyncSubscription",
    "EventSource",
    "Subscription",
    "aconnect_sse",
    "asubscribe",
    "connect_sse",
    "subscribe",
]

if not TYPE_CHECKING:
    __getattr__, __dir__ = on_demand(
        globals(),
        dict.fromkeys(
            ("AsyncSubscription", "Subscription", "asubscribe", "subscribe"), "ssejet.source._subscription"
        ),
    )
