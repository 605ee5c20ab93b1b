"""The rules for a body that is read directly from the socket. The sync and the async driver share them.

A body is in one of these states:

======== =================================== ========================== ===========================
state    the socket gives bytes              the socket ends            a read
======== =================================== ========================== ===========================
OPEN     OPEN, or OVER at the body's end or  OVER                       gives bytes, or waits
         at a fault
OVER     the connection is not used again    nothing                    gives what is left, then
                                                                        ``end()``: RELEASED
RELEASED                                                                ``raise_failure()``, then the end of
                                                                        the body
======== =================================== ========================== ===========================
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from ssejet._core import BodyReader

if TYPE_CHECKING:
    from collections.abc import Callable

    from ssejet._http.direct._httpcore import Framing

__all__ = ["READ_SIZE", "Body"]

READ_SIZE = 64 * 1024
"""How many bytes one read takes, as in httpcore."""


class BodyConnection(Protocol):
    """What a body asks of the connection that it arrives on, see ``Connection``."""

    @property
    def framing(self) -> Framing:
        """How the body is framed."""

    @property
    def read_timeout(self) -> float | None:
        """How many seconds a read may take."""

    def complete(self) -> None:
        """Take in that the whole body was read."""

    def error(self, name: str, message: str, cause: BaseException | None = None) -> Exception:
        """Make the error of a body that has not come whole."""


class Body:
    """The body of one response.

    Args:
        connection: the connection that the body arrives on.

    Attributes:
        reader: takes the body off its framing.
        connection: the connection that the body arrives on.
    """

    __slots__ = ("_failure", "_has_ended", "connection", "reader")

    def __init__(self, connection: BodyConnection) -> None:
        self.connection = connection
        self.reader = BodyReader(connection.framing)
        # Makes the error that ended the body, if one did.
        self._failure: Callable[[], Exception] | None = None
        self._has_ended = False

    @property
    def is_over(self) -> bool:
        """Whether no more bytes of the socket are needed."""
        return self.reader.is_over

    def receive_end(self) -> None:
        """Take in that the server has closed its side of the connection."""
        self.reader.finish()

    def fail(self, name: str, message: str = "", cause: BaseException | None = None) -> None:
        """End the body with an error of httpx, unless it is over.

        Args:
            name: the name of the error's class.
            message: the error's text.
            cause: the exception that caused it.
        """
        if not self.is_over:
            # Making the error can fail. The read makes it, because a callback of the event loop cannot raise.
            self._failure = lambda: self.connection.error(name, message, cause)
            self.reader.stop()

    def fail_with(self, error: Exception) -> None:
        """End the body with any error, unless it is over."""
        if not self.is_over:
            self._failure = lambda: error
            self.reader.stop()

    def end(self) -> None:
        """Take note of how the body has ended, before the response is closed. A second call does nothing.

        It must be over.
        """
        if self._has_ended:
            return
        self._has_ended = True
        reader = self.reader
        if self._failure is None and (error := reader.error) is not None:
            self._failure = lambda: self.connection.error("RemoteProtocolError", error)
        # If httpcore has not noticed that the server closed the connection, it would use it again.
        if self._failure is None and not reader.excess_size and self.connection.framing != "until-close":
            self.connection.complete()

    def raise_failure(self) -> None:
        """Raise the error that has ended the body, if one did. A second call does nothing.

        It is called after the response was closed: if a read is cancelled while it closes the response, the
        next read still raises the error.
        """
        failure, self._failure = self._failure, None
        if failure is not None:
            try:
                raise failure()
            finally:
                del failure  # the traceback of the error holds this frame
