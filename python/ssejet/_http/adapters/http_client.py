"""Adapts responses of ``http.client``, which ``urllib.request`` has too."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from ssejet._http.adapters.base import SyncResponseAdapter
from ssejet._http.adapters.socket_reads import Connection
from ssejet._http.sockets import shut_down

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["HTTPClientAdapter", "socket_of"]


class HTTPClientAdapter(SyncResponseAdapter):
    """Adapts an ``http.client.HTTPResponse``. It has no content encodings, and does not know its request."""

    connection_errors = (("http.client", "HTTPException"), ("builtins", "OSError"))
    remedy = "pass it to ssejet before anything reads it"

    @property
    def is_closed(self) -> bool:
        """Whether the body has ended or the response is closed."""
        return self.original.isclosed()  # type: ignore[no-any-return]

    def close(self) -> None:
        """Close the response, and shut down the connection if it still has a part of the body."""
        if not self.original.isclosed() and self._reads is not None and self.original.length != 0:
            shut_down(self._reads)
        self.original.close()

    def _is_consumed(self) -> bool:
        has_no_body = self.headers.get("content-length") == "0" or self.status_code in {204, 304}
        return self.is_closed and not has_no_body

    def _read_function(self) -> Callable[[int], bytes]:
        return self._read

    def _read(self, size: int) -> bytes:
        response = self.original
        chunk: bytes = response.read1(size)
        if not chunk and response.length:
            # read1() takes the end of the connection for the end of the body.
            from http.client import IncompleteRead

            raise IncompleteRead(b"", response.length)
        return chunk

    def _connection(self) -> Connection:
        return Connection(self.original, socket_of(self.original))


def socket_of(response: Any) -> Any:
    """The socket that a response of ``http.client`` reads. These are no documented attributes."""
    return response.fp.raw._sock
