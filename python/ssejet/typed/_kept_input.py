"""Keeps what a stream of answers has received, so that its errors can tell what had arrived."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._core import Decoder, KeptBytes
from ssejet.errors import SSEError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

__all__ = ["KeptInput"]


class KeptInput(KeptBytes):
    """The bytes that a stream of answers has received.

    When an error is raised, the items before it are gone: the reader has taken them. Few streams fail, so the
    answer is not put together as it arrives. The bytes are kept, packed to about a tenth, and read again if
    there is an error.

    Args:
        collect: makes what takes items, and what gives the answer that they make up.
        read_again: makes a ``StreamMachine`` like that of the stream, given a decoder.
    """

    __slots__ = ("_add", "_after", "_answer", "_collect", "_last", "_machine", "_read_again")

    def __init__(
        self,
        collect: Callable[[], tuple[Callable[[Any], object], Callable[[], Any]]],
        read_again: Callable[..., Any],
    ) -> None:
        self._collect = collect
        self._read_again = read_again
        self._add: Callable[[Any], object] | None = None
        self._answer: Callable[[], Any] = lambda: None
        self._machine: Any = None
        self._after: int | None = None
        self._last: int | None = None

    def condense(self) -> None:
        """Replace the bytes by the answer so far, which takes less memory when there are too many."""
        self._read()

    def answer(self) -> Any:
        """What the items that were received make up; None if there were none."""
        self._read()
        return self._answer()

    def go_on_with(self, other: KeptInput) -> None:
        """Add what another stream has received, which gives the events that follow those of this one."""
        self._read()
        self._machine = None
        self._after = self._last
        self.add(other.take())

    def _read(self) -> None:
        """Read again what was kept, and forget it."""
        data = self.take()
        if self._machine is None:
            self._machine = self._read_again(decoder=Decoder(max_event_size=None))
        if self._add is None:
            self._add, self._answer = self._collect()
        try:
            self._take(self._machine.feed(data), self._add)
        except SSEError:
            self._machine.close()  # it is the error that the stream raises: nothing after it was taken

    def _take(self, items: Iterable[Any], add: Callable[[Any], object]) -> None:
        for item in items:
            number = getattr(item, "sequence_number", None)
            if number is not None:
                if self._after is not None and number <= self._after:
                    continue  # the first stream gave it
                self._last = number
            add(item)
