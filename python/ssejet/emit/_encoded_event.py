"""An event that is encoded once and sent to many clients."""

from __future__ import annotations

__all__ = ["BLANK_LINES", "EncodedEvent"]

BLANK_LINES = (b"\n\n", b"\n\r", b"\r\r", b"\n\r\n", b"\r\r\n")
"""The last bytes of a stream that ends with a blank line: the ends of the last two lines."""


class EncodedEvent:
    """The bytes of one or more whole events, which are sent unchanged.

    Plain ``bytes`` are the data of an event, which is encoded for each client. With this type, one event for
    a thousand clients is encoded once::

        event = EncodedEvent(encode(price, event="price"))
        for queue in queues:
            queue.put_nowait(event)

    Args:
        raw: the bytes that ``ssejet.encode`` or another encoder returned.

    Attributes:
        raw: the bytes.

    Raises:
        TypeError: ``raw`` is not bytes.
        ValueError: the bytes do not end with a blank line, so the next event would become part of this one.
    """

    __slots__ = ("raw",)

    raw: bytes

    def __init__(self, raw: bytes) -> None:
        if not isinstance(raw, bytes):
            raise TypeError(
                f"an encoded event is bytes, not {type(raw).__name__}: pass what ssejet.encode() returns"
            )
        if not raw.endswith(BLANK_LINES):
            raise ValueError(
                f"an encoded event ends with a blank line, these bytes end with {raw[-8:]!r}: "
                "pass what ssejet.encode() returns"
            )
        self.raw = raw

    def __bytes__(self) -> bytes:
        return self.raw

    def __repr__(self) -> str:
        return f"EncodedEvent({self.raw!r})"

    def __eq__(self, other: object) -> bool:
        return self.raw == other.raw if isinstance(other, EncodedEvent) else NotImplemented

    def __hash__(self) -> int:
        return hash((EncodedEvent, self.raw))
