"""Event sources: the events of a response, or of as many connections as it takes."""

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

__getattr__ = on_demand(
    globals(),
    dict.fromkeys(
        ("AsyncSubscription", "Subscription", "asubscribe", "subscribe"),
        "ssejet.source._subscription",
    ),
)
