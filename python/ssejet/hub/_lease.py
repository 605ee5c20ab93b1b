"""What the engines say when a lease or a log has ended."""

from __future__ import annotations

from ssejet._core import ServerSentEvent
from ssejet.emit._item_encoder import ItemEncoder
from ssejet.errors import FencedError, HubError
from ssejet.hub._entries import Draft, Kind, end_draft

__all__ = ["ABANDONED", "FENCED", "FINISHED", "ClosedError", "LogDeletedError", "error_draft"]

FINISHED = "the log of {key!r} has ended: publish to another key, or delete this one first"

FENCED = (
    "the producer of {key!r} may not write any more: its log was ended without it, because its process was "
    "stopped or blocked for longer than the lease, or because somebody has finished or restarted the log"
)


class ClosedError(HubError):
    """The hub was closed while somebody followed a log."""

    def __init__(self) -> None:
        super().__init__("the hub was closed; the log may go on in another process")


class LogDeletedError(FencedError):
    """The log of a producer was deleted."""

    def __init__(self, key: str) -> None:
        super().__init__(f"the log of {key!r} was deleted, so its producer ends")


def error_draft(event: object) -> Draft:
    """Make an event that reports an error to followers."""
    return Draft(Kind.ITEM, ItemEncoder(None).encode(event))


ABANDONED = (
    error_draft(
        ServerSentEvent(
            event="error",
            data=(
                '{"error":{"message":"The producer of this stream has disappeared.","type":"server_error",'
                '"param":null,"code":"abandoned"}}'
            ),
        )
    ),
    end_draft("abandoned"),
)
"""The last events of a log whose producer did not end it."""
